//! What somebody might write into a store so that amiwarden does what nobody has decided: forged acceptances, and
//! triggers that are gone, changed or new.

use std::fs;

use amiwarden_core::{Guard, StepOutcome};

use super::fixture::{Place, day, held, image_id, intent, new_run, plan, run_id, scope, step, step_report};
use crate::store::{LedgerFinding, StoreReader};

/// A store in which a person has accepted two changes.
async fn accepted() -> (Place, Vec<u8>) {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1)], vec![held(3, Guard::Surge), held(4, Guard::Surge)]);
    store.begin_run(&new_run(1)).await.unwrap();
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    assert_eq!(store.accept(&plan, day(1)).await.unwrap().changes, 2);
    store.close().await.unwrap();
    let bytes = fs::read(place.store()).unwrap();
    (place, bytes)
}

async fn findings(place: &Place) -> Vec<LedgerFinding> {
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let verification = reader.verify(Some(&place.head())).await.unwrap();
    reader.close().await;
    verification.findings
}

#[tokio::test]
async fn a_forged_acceptance_is_found() {
    let (place, bytes) = accepted().await;
    assert_eq!(findings(&place).await, []);
    let of = |n| {
        let what = format!("the acceptance of disable for {} in 111122223333/eu-west-1", image_id(n));
        vec![LedgerFinding::Contents { sequence: 3, what }]
    };
    let new = || vec![LedgerFinding::Unrecorded { what: "acceptances", rows: 1, ids: vec![3] }];
    let moved = |n, row| {
        let unrecorded = LedgerFinding::Unrecorded { what: "acceptances", rows: 1, ids: vec![row] };
        [vec![unrecorded], of(n)].concat()
    };
    let cases = [
        (
            "insert into acceptance (scope_id, image_key, action, plan_key, at)
             select scope_id, 'ami-5', action, plan_key, at from acceptance limit 1",
            new(),
        ),
        (
            "insert into acceptance (scope_id, image_key, action, plan_key, at)
             select scope_id, image_key, 'deregister', plan_key, at from acceptance limit 1",
            new(),
        ),
        ("update acceptance set plan_key = 'plan-2' where acceptance_id = 1", of(3)),
        ("update acceptance set at = at - 1 where acceptance_id = 2", of(4)),
        ("update acceptance set image_key = 'ami-5' where acceptance_id = 1", moved(3, 1)),
        ("update acceptance set action = 'deregister' where acceptance_id = 2", moved(4, 2)),
        ("delete from acceptance where acceptance_id = 1", of(3)),
    ];
    for (sql, expected) in cases {
        fs::write(place.store(), &bytes).unwrap();
        place.tamper(sql).await;
        assert_eq!(findings(&place).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn an_acceptance_that_was_used_up_may_be_gone() {
    let (place, _) = accepted().await;
    let store = place.open().await;
    let due = plan("plan-2", vec![step(3)], vec![held(3, Guard::Surge), held(5, Guard::Surge)]);
    store.begin_run(&new_run(2)).await.unwrap();
    store.record_plan(&run_id(2), &due, day(2)).await.unwrap();
    let intent_id = store.write_intent(&intent(2, &due, 0)).await.unwrap();
    store.write_outcome(intent_id, &step_report(StepOutcome::Done), day(2)).await.unwrap();
    // Accepting again forgets what was carried out, and remembers it anew where it is held once more.
    let others = plan("plan-3", Vec::new(), vec![held(5, Guard::Surge)]);
    store.accept(&others, day(3)).await.unwrap();
    assert!(store.accepted(&scope()).await.unwrap().iter().all(|(image, _)| *image != image_id(3)));
    assert_eq!(store.verify().await.unwrap().findings, []);
    store.accept(&due, day(4)).await.unwrap();
    assert_eq!(store.verify().await.unwrap().findings, []);
}

#[tokio::test]
async fn a_trigger_that_was_dropped_changed_or_added_is_found() {
    let (place, bytes) = accepted().await;
    let cases = [
        ("drop trigger ledger_is_not_updated", "the trigger `ledger_is_not_updated` is missing"),
        (
            "drop trigger intent_is_not_deleted;
             create trigger intent_is_not_deleted before delete on intent begin select 1; end",
            "the trigger `intent_is_not_deleted` is not as amiwarden makes it",
        ),
        (
            "create trigger quiet after insert on outcome begin update run set failed = 0; end",
            "there is a trigger `quiet`, which amiwarden does not make",
        ),
        ("drop index outcome_by_intent", "the index `outcome_by_intent` is missing"),
        (
            "pragma writable_schema = on;
             update sqlite_schema set sql = replace(sql, 'not null check (length(hash) = 32)', 'not null')
             where name = 'ledger'",
            "the table `ledger` is not as amiwarden makes it",
        ),
    ];
    for (sql, expected) in cases {
        fs::write(place.store(), &bytes).unwrap();
        place.tamper(sql).await;
        assert_eq!(findings(&place).await, [LedgerFinding::Structure { what: expected.to_owned() }]);
    }
}

#[tokio::test]
async fn views_indexes_and_tables_of_others_are_no_finding() {
    let (place, _) = accepted().await;
    place
        .tamper(
            "create view mine as select * from ledger;
             create index mine_too on ledger (kind);
             create table notes (note text)",
        )
        .await;
    assert_eq!(findings(&place).await, []);
}
