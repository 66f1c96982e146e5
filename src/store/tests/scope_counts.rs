//! What later readings are compared with, and how often policies were rehearsed.

use std::collections::BTreeMap;

use amiwarden_core::{Guard, ImageTally, PolicyName, Source, Tally, TrippedGuard};

use super::fixture::{Place, cycle_report, day, new_run, plan, run_id, scope};
use crate::store::{ScopeCount, Store};

fn tally(images: usize) -> Tally {
    Tally { images: Some(ImageTally { all: images, tagged: 0, launched: 0 }), references: BTreeMap::new() }
}

async fn record(store: &Store, tally: &Tally, is_collapsed: bool) {
    let count = ScopeCount { scope: &scope(), tally, is_collapsed };
    store.record_count(&run_id(1), &count, day(1)).await.unwrap();
}

async fn baseline(store: &Store) -> Option<Tally> {
    store.reader().baseline(&scope()).await.unwrap()
}

#[tokio::test]
async fn a_collapse_does_not_become_the_truth_until_somebody_accepts_it() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    assert_eq!(baseline(&store).await, None);
    record(&store, &tally(100), false).await;
    record(&store, &tally(90), false).await;
    assert_eq!(baseline(&store).await, Some(tally(90)));
    record(&store, &tally(10), true).await;
    assert_eq!(baseline(&store).await, Some(tally(90)));
    let mut tripped = plan("plan-1", Vec::new(), Vec::new());
    assert_eq!(store.accept(&tripped, day(2)).await.unwrap().scopes, 0);
    assert_eq!(baseline(&store).await, Some(tally(90)));
    tripped.tripped = vec![TrippedGuard {
        scope: scope(),
        guard: Guard::Collapse,
        reason: "less".to_owned(),
        counted: Some(tally(10)),
    }];
    // A later run counts still less, which nobody has looked at.
    record(&store, &tally(3), true).await;
    assert_eq!(store.accept(&tripped, day(2)).await.unwrap().scopes, 1);
    assert_eq!(baseline(&store).await, Some(tally(10)));
    assert_eq!(store.accept(&tripped, day(3)).await.unwrap().scopes, 0);
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn a_source_that_was_not_read_keeps_its_earlier_count() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    let with = |images| Tally { references: BTreeMap::from([(Source::Fleets, 7)]), ..tally(images) };
    record(&store, &with(100), false).await;
    record(&store, &tally(99), false).await;
    assert_eq!(baseline(&store).await, Some(with(99)));
}

#[tokio::test]
async fn rehearsals_count_from_the_last_change_of_the_policy() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", Vec::new(), Vec::new());
    // Runs 1 and 2 alike, 3 died, 4 only planned, 5 with another text, 6 with another configuration, 9 by another
    // schedule.
    let mut counted = Vec::new();
    for n in 1..=9 {
        let mut run = new_run(n);
        if n == 9 {
            run.command = "schedule other".to_owned();
        }
        if n >= 5 {
            run.policies[0].digest = "another".to_owned();
        }
        if n >= 6 {
            run.config_digest = "another".to_owned();
        }
        if n == 4 {
            run.command = "plan".to_owned();
        }
        let name: PolicyName = run.policies[0].name.clone();
        store.begin_run(&run).await.unwrap();
        let cycles = store.reader().rehearsed_cycles(&run_id(n)).await.unwrap();
        counted.push(cycles[&name]);
        if n != 3 {
            store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
            store.finish_run(&cycle_report(n, &plan, &[])).await.unwrap();
        }
    }
    assert_eq!(counted, [0, 1, 2, 0, 0, 0, 1, 2, 0]);
}

#[tokio::test]
async fn the_newest_record_is_the_ledgers() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.reader().newest_record().await.unwrap(), None);
    store.begin_run(&new_run(1)).await.unwrap();
    assert_eq!(store.reader().newest_record().await.unwrap(), Some(new_run(1).started_at));
}
