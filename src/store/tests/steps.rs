//! Intents and outcomes, at every point at which the process can die.

use std::fs;

use amiwarden_core::{ImageState, Plan, StepOutcome};

use super::fixture::{
    Place, day, image, image_id, intent, inventory, new_run, plan, run_id, scope, step, step_report,
};
use crate::store::{ImageEventKind, IntentId, Store, StoreError};

async fn planned(store: &Store, n: u32) -> Plan {
    let plan = plan("plan-1", vec![step(1), step(2)], Vec::new());
    store.begin_run(&new_run(n)).await.unwrap();
    store.observe_images(&run_id(n), &inventory([image(1, ImageState::Available)]), day(1)).await.unwrap();
    store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
    plan
}

async fn open_ids(store: &Store) -> Vec<IntentId> {
    store.open_intents().await.unwrap().into_iter().map(|open| open.intent_id).collect()
}

async fn kinds(store: &Store) -> Vec<String> {
    sqlx::query_scalar("select kind from ledger order by sequence")
        .fetch_all(&store.reader().pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_intent_without_an_outcome_survives_the_process() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let written = intent(1, &plan, 1);
    let intent_id = store.write_intent(&written).await.unwrap();
    drop(store);
    let store = place.open().await;
    let open = store.open_intents().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].intent_id, intent_id);
    assert_eq!((&open[0].run_id, &open[0].plan_id, open[0].index), (&run_id(1), &plan.id, 1));
    assert_eq!((&open[0].step, &open[0].before, open[0].at), (&plan.steps[1], &written.before, written.at));
}

#[tokio::test]
async fn an_intent_is_in_the_files_when_writing_it_returns() {
    let (place, copy) = (Place::new(), Place::new());
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    // What another process finds after this one has died without closing anything.
    for suffix in ["", "-wal"] {
        let file = |path: std::path::PathBuf| format!("{}{suffix}", path.display());
        fs::copy(file(place.store()), file(copy.store())).unwrap();
    }
    let copied = copy.open().await;
    assert_eq!(open_ids(&copied).await.len(), 1);
    assert!(copied.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn commits_wait_for_the_disk() {
    let place = Place::new();
    let store = place.open().await;
    let mut connection = store.inner.writer.acquire().await.unwrap();
    let synchronous: i64 =
        sqlx::query_scalar("pragma synchronous").fetch_one(&mut *connection).await.unwrap();
    let journal: String =
        sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await.unwrap();
    let foreign_keys: i64 =
        sqlx::query_scalar("pragma foreign_keys").fetch_one(&mut *connection).await.unwrap();
    // 2 is FULL.
    assert_eq!((synchronous, journal.as_str(), foreign_keys), (2, "wal", 1));
}

#[tokio::test]
async fn an_outcome_closes_its_intent_for_good() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let intent_id = store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    store.write_outcome(intent_id, &step_report(StepOutcome::Done), day(1)).await.unwrap();
    assert!(open_ids(&store).await.is_empty());
    let failed = step_report(StepOutcome::Failed("no".to_owned()));
    let error = store.write_outcome(intent_id, &failed, day(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::SettledIntent(id) if id == intent_id));
    let error = store.write_outcome(IntentId(77), &failed, day(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownIntent(IntentId(77))));
    assert_eq!(kinds(&store).await, ["run-started", "plan", "intent", "outcome"]);
}

#[tokio::test]
async fn an_unknown_outcome_leaves_the_intent_open_until_it_is_settled() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let unknown = store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    let lone = store.write_intent(&intent(1, &plan, 1)).await.unwrap();
    let lost = step_report(StepOutcome::Unknown("no reply".to_owned()));
    store.write_outcome(unknown, &lost, day(1)).await.unwrap();
    assert_eq!(open_ids(&store).await, [unknown, lone]);
    drop(store);
    let store = place.open().await;
    store.begin_run(&new_run(2)).await.unwrap();
    for open in open_ids(&store).await {
        store.write_outcome(open, &step_report(StepOutcome::Done), day(2)).await.unwrap();
    }
    assert!(open_ids(&store).await.is_empty());
    let ledger = kinds(&store).await;
    assert_eq!(ledger[4..], ["outcome", "run-died", "run-started", "settlement", "settlement"]);
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn a_change_is_written_down_only_for_a_known_run_and_plan() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let error = store.write_intent(&intent(2, &plan, 0)).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownRun(_)));
    let unrecorded = super::fixture::plan("plan-2", plan.steps, Vec::new());
    let error = store.write_intent(&intent(1, &unrecorded, 0)).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownPlan(_)));
    assert!(open_ids(&store).await.is_empty());
}

#[tokio::test]
async fn the_history_tells_each_change_with_the_state_before_and_what_became_of_it() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let written = intent(1, &plan, 0);
    let intent_id = store.write_intent(&written).await.unwrap();
    let report = step_report(StepOutcome::Done);
    store.write_outcome(intent_id, &report, day(1)).await.unwrap();
    let history = store.reader().image_history(&image_id(1)).await.unwrap();
    assert!(history.iter().all(|event| event.scope == scope() && event.run_id == run_id(1)));
    let told: Vec<_> = history.into_iter().map(|event| event.kind).collect();
    let expected = [
        ImageEventKind::FirstSeen { state: ImageState::Available },
        ImageEventKind::Intended {
            intent_id,
            plan_id: plan.id.clone(),
            index: 0,
            step: Box::new(plan.steps[0].clone()),
            before: Box::new(written.before),
        },
        ImageEventKind::Outcome { intent_id, report: Box::new(report) },
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_dropped_write_has_written_nothing_and_blocks_nobody() {
    let place = Place::new();
    let store = place.open().await;
    let plan = planned(&store, 1).await;
    let mut tx = store.begin("test").await.unwrap();
    sqlx::query("update run set command = 'x'").execute(&mut *tx).await.unwrap();
    drop(tx);
    store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    assert_eq!(store.reader().runs(1).await.unwrap()[0].command, "run");
}
