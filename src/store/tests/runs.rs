//! Runs: how they are told afterwards.

use amiwarden_core::{Gap, Mode, PolicyName, ScopeFigures, ScopeReport, Source};

use super::fixture::{Place, cycle_report, day, new_run, plan, run_id, scope, scope_in};
use crate::store::{PolicyRecord, RunState};

#[tokio::test]
async fn runs_are_told_the_newest_first_with_how_they_ended() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", Vec::new(), Vec::new());
    for n in 1..=4 {
        store.begin_run(&new_run(n)).await.unwrap();
        store.record_plan(&run_id(n), &plan, day(1)).await.unwrap();
        let mut report = cycle_report(n, &plan, &[]);
        report.interrupted = n == 2;
        if n < 3 {
            store.finish_run(&report).await.unwrap();
        }
    }
    let runs = store.reader().runs(10).await.unwrap();
    let states: Vec<_> = runs.iter().map(|run| (run.run_id.clone(), run.state)).collect();
    let expected = [RunState::Running, RunState::Died, RunState::Stopped, RunState::Finished];
    assert_eq!(states, [4, 3, 2, 1].map(run_id).into_iter().zip(expected).collect::<Vec<_>>());
    assert_eq!(store.reader().runs(2).await.unwrap(), runs[..2]);
    assert_eq!(store.reader().runs_before(&run_id(3), 1).await.unwrap().as_deref(), Some(&runs[2..3]));
    assert_eq!(store.reader().runs_before(&run_id(9), 1).await.unwrap(), None);
    let finished = &runs[3];
    assert_eq!((finished.started_at, finished.finished_at), (day(1), Some(day(1))));
    assert_eq!((finished.mode, finished.command.as_str()), (Mode::Observe, "run"));
    assert_eq!(finished.plan_id.as_ref(), Some(&plan.id));
    assert_eq!(finished.totals, Some(cycle_report(1, &plan, &[]).totals()));
    assert_eq!((runs[1].finished_at, runs[1].totals), (None, None));
}

#[tokio::test]
async fn a_run_tells_its_scopes_as_reported_last() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    let report = |region: &str, dry_run_error: Option<&str>| ScopeReport {
        scope: scope_in(region),
        images: 7,
        gaps: vec![(Source::Instances, Gap::new("denied"))],
        dry_run_error: dry_run_error.map(str::to_owned),
        figures: ScopeFigures::default(),
    };
    store.record_scope(&run_id(1), &report("us-east-1", None)).await.unwrap();
    store.record_scope(&run_id(1), &report("ap-south-1", None)).await.unwrap();
    let plan = plan("plan-1", Vec::new(), Vec::new());
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    let mut ended = cycle_report(1, &plan, &[]);
    ended.scopes.push(report("us-east-1", Some("it answered 200")));
    store.finish_run(&ended).await.unwrap();
    let detail = store.reader().run(&run_id(1)).await.unwrap().unwrap();
    let expected = [
        report("ap-south-1", None),
        ScopeReport {
            scope: scope(),
            images: 3,
            gaps: Vec::new(),
            dry_run_error: None,
            figures: ScopeFigures::default(),
        },
        report("us-east-1", Some("it answered 200")),
    ];
    assert_eq!(detail.scopes, expected);
    assert_eq!(store.reader().run(&run_id(9)).await.unwrap(), None);
}

#[tokio::test]
async fn policies_are_kept_as_each_run_used_them() {
    let place = Place::new();
    let store = place.open().await;
    let policy = |digest: &str, text: &str| PolicyRecord {
        digest: digest.to_owned(),
        text: text.to_owned(),
        ..new_run(1).policies[0].clone()
    };
    for (n, policy) in [(1, policy("d1", "old")), (2, policy("d2", "new")), (3, policy("d1", "old"))] {
        let mut run = new_run(n);
        run.policies = vec![policy];
        store.begin_run(&run).await.unwrap();
    }
    let digest = async |n| store.reader().run(&run_id(n)).await.unwrap().unwrap().policies;
    assert_eq!(digest(1).await, [(PolicyName::new("retire-stale"), "d1".to_owned())]);
    assert_eq!(digest(2).await[0].1, "d2");
    assert_eq!(digest(3).await[0].1, "d1");
    assert_eq!(store.reader().policy_text("d1").await.unwrap().as_deref(), Some("old"));
    assert_eq!(store.reader().policy_text("d9").await.unwrap(), None);
    let rows: i64 =
        sqlx::query_scalar("select count(*) from policy").fetch_one(&store.reader().pool).await.unwrap();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn a_run_has_one_name() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    assert!(store.begin_run(&new_run(1)).await.is_err());
    // The failed start has not buried the run that is under way.
    assert_eq!(store.reader().runs(1).await.unwrap()[0].state, RunState::Running);
}
