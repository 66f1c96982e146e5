//! The ledger: what it refuses, and the head that is kept outside.

use std::fs;

use super::fixture::{Place, cycle_report, day, new_run, plan, run_id};
use super::specimen::{Specimen, verify};
use crate::store::{HeadOrigin, LedgerFinding};

#[tokio::test]
async fn a_head_that_is_gone_or_of_another_ledger_is_found() {
    let specimen = Specimen::new().await;
    let place = &specimen.place;
    let zeros = "0".repeat(64);
    fs::write(place.head(), format!(r#"{{"sequence":3,"hash":"{zeros}"}}"#)).unwrap();
    assert_eq!(
        verify(place, None).await.findings,
        [LedgerFinding::HeadDiffers { sequence: 3, origin: HeadOrigin::File }]
    );
    fs::write(place.head(), "not a head").unwrap();
    assert!(matches!(verify(place, None).await.findings[..], [LedgerFinding::HeadUnreadable { .. }]));
    fs::remove_file(place.head()).unwrap();
    assert_eq!(verify(place, None).await.findings, [LedgerFinding::HeadMissing(place.head())]);
}

#[tokio::test]
async fn the_triggers_refuse_every_change_but_an_entry_at_the_end() {
    let Specimen { place, entries, .. } = Specimen::new().await;
    let store = place.open().await;
    let refused = [
        "update ledger set at = 0 where sequence = 1",
        "delete from ledger where sequence = 1",
        "delete from ledger",
        "insert or replace into ledger select sequence, 0, kind, run_key, body, hash from ledger limit 1",
        "insert into ledger select max(sequence) + 2, at, kind, run_key, body, hash from ledger",
        "insert into ledger select 0, at, kind, run_key, body, hash from ledger limit 1",
        "update intent set at = 0",
        "delete from intent",
        "update outcome set outcome = 'done'",
        "delete from outcome",
    ];
    for sql in refused {
        let mut tx = store.begin("test").await.unwrap();
        let error = sqlx::query(sql).execute(&mut *tx).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("is never") || text.contains("goes to the end"), "{sql}: {text}");
    }
    let verification = store.verify().await.unwrap();
    assert!(verification.is_intact());
    assert_eq!(i64::try_from(verification.entries).unwrap(), entries);
}

#[tokio::test]
async fn the_head_follows_each_finished_run_and_a_close() {
    let place = Place::new();
    let store = place.open().await;
    assert!(fs::read_to_string(place.head()).unwrap().starts_with(r#"{"sequence":0,"#));
    let plan = plan("plan-1", Vec::new(), Vec::new());
    store.begin_run(&new_run(1)).await.unwrap();
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    store.finish_run(&cycle_report(1, &plan, &[])).await.unwrap();
    let finished = fs::read_to_string(place.head()).unwrap();
    assert!(finished.starts_with(r#"{"sequence":3,"hash":""#), "{finished}");
    store.begin_run(&new_run(2)).await.unwrap();
    assert_eq!(fs::read_to_string(place.head()).unwrap(), finished);
    // A head that is behind is no finding: the process may have died.
    assert!(store.verify().await.unwrap().is_intact());
    store.close().await.unwrap();
    assert!(fs::read_to_string(place.head()).unwrap().starts_with(r#"{"sequence":4,"#));
    assert!(!place.directory().join("amiwarden.head.new").exists());
}

#[tokio::test]
async fn a_head_that_cannot_be_written_is_reported_and_the_run_is_stored() {
    let place = Place::new();
    fs::create_dir(place.head()).unwrap();
    let error = crate::store::Store::open(&place.store(), place.options()).await.unwrap_err();
    assert!(matches!(error, crate::store::OpenStoreError::Head { .. }), "{error:?}");
    assert!(!place.store().exists());
    fs::remove_dir(place.head()).unwrap();
    let store = place.open().await;
    fs::remove_file(place.head()).unwrap();
    fs::create_dir(place.head()).unwrap();
    let plan = plan("plan-1", Vec::new(), Vec::new());
    store.begin_run(&new_run(1)).await.unwrap();
    store.record_plan(&run_id(1), &plan, day(1)).await.unwrap();
    let error = store.finish_run(&cycle_report(1, &plan, &[])).await.unwrap_err();
    assert!(matches!(error, crate::store::StoreError::WriteHead { .. }), "{error:?}");
    assert!(store.reader().runs(1).await.unwrap()[0].finished_at.is_some());
}
