//! Plans by name, and what was said of their steps.

use amiwarden_core::{PlanId, Rehearsal, StepOutcome, StepReport};

use super::fixture::{Place, cycle_report, day, intent, new_run, plan, run_id, step, step_report};
use crate::store::{RunStep, Store, StoreError};

#[tokio::test]
async fn a_known_plan_is_not_stored_again() {
    let place = Place::new();
    let store = place.open().await;
    let first = plan("plan-1", vec![step(1)], Vec::new());
    let mut reworded = first.clone();
    reworded.steps[0].because[0].reason = "no launch for 92 days".to_owned();
    for (n, plan) in [(1, &first), (2, &reworded)] {
        store.begin_run(&new_run(n)).await.unwrap();
        store.record_plan(&run_id(n), plan, day(i64::from(n))).await.unwrap();
    }
    assert_eq!(store.reader().plan(&first.id).await.unwrap(), Some(first));
    assert_eq!(store.reader().plan(&PlanId::new("plan-9")).await.unwrap(), None);
    let plans: i64 =
        sqlx::query_scalar("select count(*) from plan").fetch_one(&store.reader().pool).await.unwrap();
    assert_eq!(plans, 1);
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn the_newest_plan_is_the_newest_runs() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.reader().newest_plan().await.unwrap(), None);
    for (n, name) in [(1, "plan-a"), (2, "plan-b"), (3, "plan-a")] {
        store.begin_run(&new_run(n)).await.unwrap();
        store.record_plan(&run_id(n), &plan(name, Vec::new(), Vec::new()), day(1)).await.unwrap();
    }
    // A run that did not come so far.
    store.begin_run(&new_run(4)).await.unwrap();
    assert_eq!(store.reader().newest_plan().await.unwrap(), Some(PlanId::new("plan-a")));
}

#[tokio::test]
async fn plans_are_found_by_how_their_names_begin() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    for name in ["plan-ab1", "plan-ab2", "plan-c%"] {
        store.record_plan(&run_id(1), &plan(name, Vec::new(), Vec::new()), day(1)).await.unwrap();
    }
    let check = async |beginning: &str, expected: &[&str]| {
        let found = store.reader().plans_beginning(beginning, 2).await.unwrap();
        let expected: Vec<PlanId> = expected.iter().map(|name| PlanId::new(*name)).collect();
        assert_eq!(found, expected, "{beginning}");
    };
    check("plan-ab1", &["plan-ab1"]).await;
    check("ab1", &["plan-ab1"]).await;
    check("plan-ab", &["plan-ab2", "plan-ab1"]).await;
    check("", &["plan-c%", "plan-ab2"]).await;
    check("b1", &[]).await;
    check("%", &[]).await;
    check("c%", &["plan-c%"]).await;
}

async fn step_rows(store: &Store) -> i64 {
    sqlx::query_scalar("select count(*) from step_report").fetch_one(&store.reader().pool).await.unwrap()
}

fn not_attempted(rehearsal: Rehearsal) -> StepReport {
    let outcome = StepOutcome::NotAttempted("observing".to_owned());
    StepReport { rehearsal, outcome, request_id: None, snapshots: Vec::new(), note: None }
}

#[tokio::test]
async fn what_is_said_of_steps_is_stored_when_it_changes() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1), step(2)], Vec::new());
    let denied = Rehearsal::Denied("UnauthorizedOperation".to_owned());
    let said = [Rehearsal::Permitted, Rehearsal::Permitted, denied.clone()];
    let mut rows = Vec::new();
    for (n, second) in (1..).zip(&said) {
        store.begin_run(&new_run(n)).await.unwrap();
        store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
        let rehearsals = [(0, Rehearsal::Permitted), (1, second.clone())];
        store.record_rehearsals(&run_id(n), &plan.id, &rehearsals).await.unwrap();
        let reports = rehearsals.map(|(_, rehearsal)| not_attempted(rehearsal));
        store.finish_run(&cycle_report(n, &plan, &reports)).await.unwrap();
        rows.push(step_rows(&store).await);
    }
    // Both steps, said and done; nothing; one of them, said and done.
    assert_eq!(rows, [4, 4, 6]);
    for (n, second) in (1..).zip(said) {
        let detail = store.reader().run(&run_id(n)).await.unwrap().unwrap();
        let expected = [Rehearsal::Permitted, second].map(not_attempted);
        let expected = expected.into_iter().enumerate().map(|(index, report)| RunStep {
            index,
            rehearsal: report.rehearsal,
            outcome: Some(report.outcome),
        });
        assert_eq!(detail.steps, expected.collect::<Vec<_>>(), "run {n}");
    }
}

#[tokio::test]
async fn a_run_tells_of_the_steps_that_it_carried_out() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1), step(2), step(3)], Vec::new());
    store.begin_run(&new_run(1)).await.unwrap();
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    let rehearsals = [0, 1, 2].map(|index| (index, Rehearsal::Permitted));
    store.record_rehearsals(&run_id(1), &plan.id, &rehearsals).await.unwrap();
    let done = store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    store.write_outcome(done, &step_report(StepOutcome::Done), day(1)).await.unwrap();
    store.write_intent(&intent(1, &plan, 1)).await.unwrap();
    let outcomes = async || {
        let steps = store.reader().run(&run_id(1)).await.unwrap().unwrap().steps;
        steps.into_iter().map(|step| step.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes().await, [Some(StepOutcome::Done), None, None]);
    let unknown = step_report(StepOutcome::Unknown("no reply".to_owned()));
    let rest = not_attempted(Rehearsal::Permitted);
    let reports = [step_report(StepOutcome::Done), unknown, rest.clone()];
    store.finish_run(&cycle_report(1, &plan, &reports)).await.unwrap();
    // The second step's outcome was never written: the report of the run does not take its place.
    assert_eq!(outcomes().await, [Some(StepOutcome::Done), None, Some(rest.outcome)]);
}

#[tokio::test]
async fn a_run_that_died_early_has_said_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1)], Vec::new());
    for n in [1, 2] {
        store.begin_run(&new_run(n)).await.unwrap();
        store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
        if n == 1 {
            let rehearsals = [(0, Rehearsal::Permitted)];
            store.record_rehearsals(&run_id(n), &plan.id, &rehearsals).await.unwrap();
            let reports = [not_attempted(Rehearsal::Permitted)];
            store.finish_run(&cycle_report(n, &plan, &reports)).await.unwrap();
        }
    }
    assert_eq!(store.reader().run(&run_id(1)).await.unwrap().unwrap().steps.len(), 1);
    assert_eq!(store.reader().run(&run_id(2)).await.unwrap().unwrap().steps, []);
}

#[tokio::test]
async fn a_run_cannot_end_with_a_plan_that_was_not_recorded() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    let report = cycle_report(1, &plan("plan-1", Vec::new(), Vec::new()), &[]);
    let error = store.finish_run(&report).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownPlan(_)));
}
