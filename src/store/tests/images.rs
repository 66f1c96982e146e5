//! Images over time, and since when each has been disabled.

use std::collections::BTreeMap;

use amiwarden_core::{ImageState, Inventory, Memory, StepOutcome, Timestamp};

use super::fixture::{
    Place, day, image, image_id, intent, inventory, new_run, partial, plan, record, run_id, scope, scope_in,
    step, step_report,
};
use crate::store::{ImageEventKind, Standing, StoreError};

/// What the n-th run saw of image 1.
#[derive(Clone, Copy)]
enum Seen {
    Available,
    Disabled,
    /// A complete reading without it.
    Missing,
    /// A reading that broke off before it.
    NotReached,
}

fn saw(seen: Seen) -> Inventory {
    let other = image(2, ImageState::Available);
    match seen {
        Seen::Available => inventory([image(1, ImageState::Available), other]),
        Seen::Disabled => inventory([image(1, ImageState::Disabled), other]),
        Seen::Missing => inventory([other]),
        Seen::NotReached => partial([other]),
    }
}

/// Runs on days 1, 2, …; asserts since which day image 1 counts as disabled after the last.
async fn check(runs: &[Seen], since: Option<i64>) {
    let place = Place::new();
    let store = place.open().await;
    let mut memory = BTreeMap::new();
    for (n, seen) in (1..).zip(runs) {
        store.begin_run(&new_run(n)).await.unwrap();
        let now = day(i64::from(n));
        memory = store.observe_images(&run_id(n), &saw(*seen), now).await.unwrap().first_seen_disabled;
    }
    assert_eq!(memory.get(&image_id(1)).copied(), since.map(day));
    assert!(!memory.contains_key(&image_id(2)));
}

#[tokio::test]
async fn an_image_is_disabled_since_it_was_first_seen_so_without_a_break() {
    use Seen::{Available, Disabled, Missing, NotReached};
    check(&[Available, Available], None).await;
    check(&[Disabled, Disabled, Disabled], Some(1)).await;
    check(&[Available, Disabled, Disabled], Some(2)).await;
    check(&[Disabled, Available], None).await;
    check(&[Disabled, Available, Disabled], Some(3)).await;
    // What was not read is as it was.
    check(&[Disabled, NotReached, Disabled], Some(1)).await;
    check(&[Disabled, NotReached], Some(1)).await;
    // What was gone starts anew.
    check(&[Disabled, Missing], None).await;
    check(&[Disabled, Missing, Disabled], Some(3)).await;
}

#[tokio::test]
async fn a_seeded_date_stands_only_where_none_is_known() {
    let place = Place::new();
    let store = place.open().await;
    let seed = |at: Timestamp| BTreeMap::from([(image_id(1), at), (image_id(2), at)]);
    store.seed_first_seen_disabled(&scope(), &seed(day(-40))).await.unwrap();
    store.seed_first_seen_disabled(&scope(), &seed(day(-80))).await.unwrap();
    store.seed_first_seen_disabled(&scope_in("us-east-1"), &seed(day(-9))).await.unwrap();
    store.begin_run(&new_run(1)).await.unwrap();
    let memory = store.observe_images(&run_id(1), &saw(Seen::Disabled), day(1)).await.unwrap();
    // Image 2 turned out not to be disabled.
    assert_eq!(memory.first_seen_disabled, BTreeMap::from([(image_id(1), day(-40))]));
    assert_eq!(store.reader().memory(&scope()).await.unwrap(), memory);
    assert_eq!(store.reader().memory(&scope_in("eu-north-1")).await.unwrap(), Memory::default());
}

#[tokio::test]
async fn the_history_tells_when_an_image_came_changed_went_and_returned() {
    let place = Place::new();
    let store = place.open().await;
    let runs = [Seen::Available, Seen::Available, Seen::Disabled, Seen::NotReached, Seen::Missing];
    for (n, seen) in (1..).zip(runs.into_iter().chain([Seen::Missing, Seen::Disabled])) {
        store.begin_run(&new_run(n)).await.unwrap();
        store.observe_images(&run_id(n), &saw(seen), day(i64::from(n))).await.unwrap();
    }
    let history = store.reader().image_history(&image_id(1)).await.unwrap();
    let told: Vec<_> =
        history.into_iter().map(|event| (event.run_id, event.at, event.scope, event.kind)).collect();
    let disabled = || ImageState::Disabled;
    let expected = [
        (1, ImageEventKind::FirstSeen { state: ImageState::Available }),
        (3, ImageEventKind::StateChanged { state: disabled() }),
        (5, ImageEventKind::Gone { state: disabled() }),
        (7, ImageEventKind::Returned { state: disabled() }),
    ];
    assert_eq!(told, expected.map(|(n, kind)| (run_id(n), day(i64::from(n)), scope(), kind)));
    assert!(store.reader().image_history(&image_id(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_two_runs_did_in_one_second_is_told_run_by_run() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1)], Vec::new());
    // By the second alone, all that was seen would come before all that was done.
    for (n, seen, standing) in
        [(1, Seen::Available, Standing::Planned), (2, Seen::Disabled, Standing::Satisfied)]
    {
        store.begin_run(&new_run(n)).await.unwrap();
        store.observe_images(&run_id(n), &saw(seen), day(1)).await.unwrap();
        store.record_decisions(&run_id(n), &scope(), &[record(1, standing, "old")], day(1)).await.unwrap();
        store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
        if n == 1 {
            let intent_id = store.write_intent(&intent(1, &plan, 0)).await.unwrap();
            store.write_outcome(intent_id, &step_report(StepOutcome::Done), day(1)).await.unwrap();
        }
    }
    let history = store.reader().image_history(&image_id(1)).await.unwrap();
    let told: Vec<_> = history.iter().map(|event| (event.run_id.as_str(), name(&event.kind))).collect();
    let first = ["seen", "decided", "intended", "outcome"].map(|event| ("run-1", event));
    assert_eq!(told, [&first[..], &[("run-2", "seen"), ("run-2", "decided")]].concat());
}

fn name(kind: &ImageEventKind) -> &'static str {
    match kind {
        ImageEventKind::FirstSeen { .. }
        | ImageEventKind::StateChanged { .. }
        | ImageEventKind::Gone { .. }
        | ImageEventKind::Returned { .. } => "seen",
        ImageEventKind::Decided(_) | ImageEventKind::NotDecided => "decided",
        ImageEventKind::Intended { .. } => "intended",
        ImageEventKind::Outcome { .. } => "outcome",
    }
}

#[tokio::test]
async fn the_same_id_in_two_scopes_is_two_images() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    store.observe_images(&run_id(1), &saw(Seen::Disabled), day(1)).await.unwrap();
    let mut elsewhere = saw(Seen::Available);
    elsewhere.scope = scope_in("us-east-1");
    let memory = store.observe_images(&run_id(1), &elsewhere, day(1)).await.unwrap();
    assert!(memory.first_seen_disabled.is_empty());
    let history = store.reader().image_history(&image_id(1)).await.unwrap();
    assert_eq!(history.iter().filter(|event| event.scope == scope()).count(), 1);
    assert_eq!(history.len(), 2);
}

#[tokio::test]
async fn nothing_is_observed_in_a_run_that_was_not_begun() {
    let place = Place::new();
    let store = place.open().await;
    let error = store.observe_images(&run_id(1), &saw(Seen::Disabled), day(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownRun(run) if run == run_id(1)));
    assert!(store.reader().image_history(&image_id(1)).await.unwrap().is_empty());
}
