//! Decisions over time: any past run can be asked, and what does not differ is not stored.

use std::collections::BTreeMap;

use amiwarden_core::{
    Action, ActionKind, Change, Decision, FactReading, Guard, ImageState, Mode, Opinion, PlannedChange,
    PolicyName, Proposal, RuleRef, Verdict, Wish,
};
use proptest::prelude::*;

use super::fixture::{
    Place, because, day, held, image, image_id, inventory, kept, new_run, record, run_id, scope, scope_in,
    step,
};
use crate::store::{DecisionRecord, ImageEventKind, Standing, Store, StoreError};

const IMAGES: u32 = 4;

async fn begin_observed(store: &Store, n: u32) {
    store.begin_run(&new_run(n)).await.unwrap();
    let images = (0..IMAGES).map(|image_n| image(image_n, ImageState::Available));
    store.observe_images(&run_id(n), &inventory(images), day(i64::from(n))).await.unwrap();
}

async fn decision_rows(store: &Store) -> i64 {
    sqlx::query_scalar("select count(*) from decision").fetch_one(&store.reader().pool).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a model that simply keeps everything: what each run decided about each image.
    #[test]
    fn every_past_run_answers_as_if_everything_had_been_kept(
        runs in prop::collection::vec(
            prop::option::of(prop::collection::btree_map(0..IMAGES, 0..3_usize, 0..=IMAGES as usize)),
            1..8,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check_against_model(runs));
    }
}

/// A run without decisions is one that did not come so far.
async fn check_against_model(runs: Vec<Option<BTreeMap<u32, usize>>>) {
    let standings = [Standing::Planned, Standing::Held(Guard::Surge), Standing::Kept];
    let place = Place::new();
    let store = place.open().await;
    let mut changes = 0;
    let mut before = BTreeMap::new();
    for (n, decided) in (1..).zip(&runs) {
        begin_observed(&store, n).await;
        let Some(decided) = decided else { continue };
        let records: Vec<DecisionRecord> = decided
            .iter()
            .map(|(image, standing)| record(*image, standings[*standing], &format!("day {n}")))
            .collect();
        store.record_decisions(&run_id(n), &scope(), &records, day(i64::from(n))).await.unwrap();
        changes += (0..IMAGES).filter(|image| before.get(image) != decided.get(image)).count();
        before.clone_from(decided);
    }
    for (n, decided) in (1..).zip(&runs) {
        for image in 0..IMAGES {
            let found = store.reader().decision_at(&image_id(image), &run_id(n)).await.unwrap();
            let found = found.map(|record| record.entries[0].standing);
            let expected = decided.as_ref().and_then(|decided| decided.get(&image));
            assert_eq!(found, expected.map(|standing| standings[*standing]), "image {image} in run {n}");
        }
    }
    assert_eq!(decision_rows(&store).await, i64::try_from(changes).unwrap());
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn what_no_run_decided_has_no_answer() {
    let place = Place::new();
    let store = place.open().await;
    begin_observed(&store, 1).await;
    let records = [record(1, Standing::Kept, "why")];
    store.record_decisions(&run_id(1), &scope(), &records, day(1)).await.unwrap();
    let at = async |image, run| store.reader().decision_at(&image_id(image), &run_id(run)).await.unwrap();
    assert!(at(1, 1).await.is_some());
    assert_eq!(at(2, 1).await, None);
    assert_eq!(at(77, 1).await, None);
    assert_eq!(at(1, 77).await, None);
    // A later run over another scope says nothing about this image.
    store.begin_run(&new_run(2)).await.unwrap();
    store.record_decisions(&run_id(2), &scope_in("us-east-1"), &[], day(2)).await.unwrap();
    assert_eq!(at(1, 2).await, None);
}

#[tokio::test]
async fn a_decision_needs_an_image_and_is_made_once_in_a_run() {
    let place = Place::new();
    let store = place.open().await;
    begin_observed(&store, 1).await;
    let unknown = [record(0, Standing::Kept, "why"), record(77, Standing::Kept, "why")];
    let error = store.record_decisions(&run_id(1), &scope(), &unknown, day(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::UnobservedImage { .. }), "{error:?}");
    assert_eq!(decision_rows(&store).await, 0);
    let known = [record(0, Standing::Kept, "why")];
    store.record_decisions(&run_id(1), &scope(), &known, day(1)).await.unwrap();
    let other = [record(0, Standing::Planned, "why")];
    let error = store.record_decisions(&run_id(1), &scope(), &other, day(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
    assert_eq!(decision_rows(&store).await, 1);
}

#[tokio::test]
async fn the_history_holds_each_decision_once() {
    let place = Place::new();
    let store = place.open().await;
    let runs = [Some("91 days"), Some("92 days"), None, Some("94 days")];
    for (n, reason) in (1..).zip(runs) {
        begin_observed(&store, n).await;
        let records: Vec<_> = reason.map(|reason| record(1, Standing::Planned, reason)).into_iter().collect();
        store.record_decisions(&run_id(n), &scope(), &records, day(i64::from(n))).await.unwrap();
    }
    let history = store.reader().image_history(&image_id(1)).await.unwrap();
    let decided =
        |n, reason| (run_id(n), ImageEventKind::Decided(Box::new(record(1, Standing::Planned, reason))));
    let expected = [decided(1, "91 days"), (run_id(3), ImageEventKind::NotDecided), decided(4, "94 days")];
    let told: Vec<_> = history.into_iter().skip(1).map(|event| (event.run_id, event.kind)).collect();
    assert_eq!(told, expected);
}

fn verdict(wish: Wish, facts: &[(&str, &str)]) -> Verdict {
    let rule = RuleRef { name: "stale".to_owned(), line: 12 };
    let facts = facts
        .iter()
        .map(|(name, value)| FactReading { name: (*name).to_owned(), value: (*value).to_owned() });
    Verdict {
        policy: PolicyName::new("retire-stale"),
        opinion: Opinion::Matched { rule, proposals: vec![Proposal { wish, reason: "why".to_owned() }] },
        facts_read: facts.collect(),
    }
}

fn decision() -> Decision {
    Decision {
        image: image_id(1),
        changes: vec![PlannedChange {
            change: Change::Disable,
            mode: Mode::Enforce,
            because: vec![because("why")],
        }],
        keeps: Vec::new(),
        notices: Vec::new(),
        failures: Vec::new(),
        vetoed: Vec::new(),
        satisfied: Vec::new(),
        conflicts: Vec::new(),
        unresolved: Vec::new(),
        verdicts: vec![
            verdict(Wish::Act(Action::Disable), &[("unused_for", "91 days")]),
            Verdict {
                policy: PolicyName::new("quiet"),
                opinion: Opinion::None,
                facts_read: vec![FactReading { name: "age".to_owned(), value: "91 days".to_owned() }],
            },
        ],
    }
}

#[test]
fn a_record_says_what_became_of_each_action() {
    let planned = step(1);
    let record = DecisionRecord::new(&decision(), &[], &[&planned], None);
    assert_eq!(record.entries.len(), 1);
    assert_eq!(record.entries[0].standing, Standing::Planned);
    assert_eq!(record.entries[0].kind, Some(ActionKind::Disable));
    assert_eq!(record.entries[0].reason, "no launch for 91 days");
    assert_eq!(record.verdicts.len(), 1);
    assert_eq!(record.verdicts[0].facts_read[0].value, "91 days");
    assert_eq!(record.without_opinion, [PolicyName::new("quiet")]);

    let record = DecisionRecord::new(&decision(), &[&held(1, Guard::MinimumAge)], &[], None);
    assert_eq!(record.entries[0].standing, Standing::Held(Guard::MinimumAge));
    assert_eq!(record.entries[0].reason, "so many");

    let nothing = Decision { changes: Vec::new(), verdicts: Vec::new(), ..decision() };
    let record = DecisionRecord::new(&nothing, &[], &[], Some(&kept(1)));
    assert_eq!(record.entries[0].standing, Standing::Kept);
    assert_eq!(record.entries[0].reason, kept(1).reason);
}

#[test]
fn wording_and_values_do_not_make_another_decision() {
    let key = |wish: Wish, value: &str, standing: Standing, reason: &str| {
        let verdicts = vec![verdict(wish, &[("unused_for", value)])];
        DecisionRecord { verdicts, ..record(1, standing, reason) }.key().unwrap()
    };
    let disable = || Wish::Act(Action::Disable);
    let first = key(disable(), "91 days", Standing::Planned, "no launch for 91 days");
    assert_eq!(first, key(disable(), "92 days", Standing::Planned, "no launch for 92 days"));
    assert_ne!(first, key(disable(), "91 days", Standing::Kept, "no launch for 91 days"));
    assert_ne!(first, key(Wish::Keep, "91 days", Standing::Planned, "no launch for 91 days"));
    // A date that a policy names as so long from now is another one each day.
    let deprecate = |n| key(Wish::Act(Action::Deprecate(day(n))), "x", Standing::Planned, "soon");
    assert_eq!(deprecate(1), deprecate(2));
}
