//! Acceptance: what a surge held, and only that.

use std::collections::BTreeSet;

use amiwarden_core::{ActionKind, Guard, StepOutcome};

use super::fixture::{
    Place, day, held, image_id, intent, new_run, plan, run_id, scope, scope_in, step, step_report,
};

#[tokio::test]
async fn what_the_surge_guard_held_is_accepted_once() {
    let place = Place::new();
    let store = place.open().await;
    let mut elsewhere = held(3, Guard::Surge);
    elsewhere.scope = scope_in("us-east-1");
    let all = vec![held(1, Guard::Surge), held(2, Guard::UsageProof), elsewhere];
    let first = plan("plan-1", Vec::new(), all);
    assert_eq!(store.accept(&first, day(1)).await.unwrap().changes, 2);
    assert_eq!(store.accept(&first, day(2)).await.unwrap().changes, 0);
    let wider = plan("plan-2", Vec::new(), vec![held(1, Guard::Surge), held(4, Guard::Surge)]);
    assert_eq!(store.accept(&wider, day(3)).await.unwrap().changes, 1);
    drop(store);
    let store = place.open().await;
    let disable = |images: &[u32]| -> BTreeSet<_> {
        images.iter().map(|n| (image_id(*n), ActionKind::Disable)).collect()
    };
    assert_eq!(store.accepted(&scope()).await.unwrap(), disable(&[1, 4]));
    assert_eq!(store.accepted(&scope_in("us-east-1")).await.unwrap(), disable(&[3]));
    assert_eq!(store.accepted(&scope_in("eu-north-1")).await.unwrap(), disable(&[]));
    // Nothing new, nothing in the ledger.
    assert_eq!(store.verify().await.unwrap().entries, 2);
}

#[tokio::test]
async fn an_acceptance_is_used_up_when_the_change_has_been_carried_out() {
    let place = Place::new();
    let store = place.open().await;
    store.begin_run(&new_run(1)).await.unwrap();
    let plan = plan("plan-1", vec![step(1)], vec![held(1, Guard::Surge), held(2, Guard::Surge)]);
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    store.accept(&plan, day(1)).await.unwrap();
    let intent = store.write_intent(&intent(1, &plan, 0)).await.unwrap();
    assert_eq!(store.accepted(&scope()).await.unwrap().len(), 2);
    store.write_outcome(intent, &step_report(StepOutcome::Done), day(1)).await.unwrap();
    let left = BTreeSet::from([(image_id(2), ActionKind::Disable)]);
    assert_eq!(store.accepted(&scope()).await.unwrap(), left);
    assert_eq!(store.accept(&plan, day(9)).await.unwrap().changes, 1, "it can be accepted again");
    assert_eq!(store.accepted(&scope()).await.unwrap().len(), 2);
}
