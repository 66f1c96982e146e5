//! The ledger: what it refuses, and that every mutilation is found.

use std::fs;

use amiwarden_core::{Guard, ImageState, StepOutcome};

use super::fixture::{
    Place, cycle_report, day, held, image, intent, inventory, new_run, plan, record, run_id, scope, step,
    step_report,
};
use crate::store::sha::Sha;
use crate::store::{HeadOrigin, LedgerFinding, Standing, StoreReader, Verification};

/// One of everything that the ledger records. Yields how many entries that makes.
async fn lived_in(place: &Place) -> i64 {
    let store = place.open().await;
    let plan = plan("plan-1", vec![step(1), step(2)], vec![held(3, Guard::Surge)]);
    // The first run dies before it does anything.
    store.begin_run(&new_run(1)).await.unwrap();
    store.begin_run(&new_run(2)).await.unwrap();
    let images = [1, 2, 3].map(|n| image(n, ImageState::Available));
    store.observe_images(&run_id(2), &inventory(images), day(2)).await.unwrap();
    let records = [1, 2].map(|n| record(n, Standing::Planned, "no launch for 91 days"));
    store.record_decisions(&run_id(2), &scope(), &records, day(2)).await.unwrap();
    store.record_plan(&run_id(2), &plan, day(2)).await.unwrap();
    store.accept(&plan, day(2)).await.unwrap();
    let unknown = step_report(StepOutcome::Unknown("no reply".to_owned()));
    let reports = [step_report(StepOutcome::Done), unknown];
    for (index, report) in reports.iter().enumerate() {
        let intent_id = store.write_intent(&intent(2, &plan, index)).await.unwrap();
        store.write_outcome(intent_id, report, day(2)).await.unwrap();
    }
    let open = store.open_intents().await.unwrap();
    store.write_outcome(open[0].intent_id, &reports[0], day(2)).await.unwrap();
    store.finish_run(&cycle_report(2, &plan, &reports)).await.unwrap();
    store.begin_run(&new_run(3)).await.unwrap();
    store.record_decisions(&run_id(3), &scope(), &records[..1], day(3)).await.unwrap();
    store.record_plan(&run_id(3), &plan, day(3)).await.unwrap();
    store.finish_run(&cycle_report(3, &plan, &reports)).await.unwrap();
    let verification = store.verify().await.unwrap();
    assert_eq!(verification.findings, []);
    store.close().await.unwrap();
    i64::try_from(verification.entries).unwrap()
}

async fn verify(place: &Place) -> Verification {
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let verification = reader.verify(Some(&place.head())).await.unwrap();
    reader.close().await;
    verification
}

/// A lived-in store that can be put back after each mutilation.
struct Specimen {
    place: Place,
    bytes: Vec<u8>,
    entries: i64,
}

impl Specimen {
    async fn new() -> Self {
        let place = Place::new();
        let entries = lived_in(&place).await;
        let bytes = fs::read(place.store()).unwrap();
        Self { place, bytes, entries }
    }

    /// What verifying finds after somebody has gone around the triggers and run `sql`.
    async fn mutilate(&self, sql: &str) -> Vec<LedgerFinding> {
        fs::write(self.place.store(), &self.bytes).unwrap();
        let triggers = [
            "ledger_grows_at_its_end",
            "ledger_is_not_updated",
            "ledger_is_not_deleted",
            "intent_is_not_updated",
            "intent_is_not_deleted",
            "outcome_is_not_updated",
            "outcome_is_not_deleted",
        ];
        let dropped: String = triggers.map(|name| format!("drop trigger {name};")).concat();
        self.place.tamper(&format!("{dropped} {sql}")).await;
        // That the triggers are gone is found too, and not what these tests are about.
        let is_of_rows = |finding: &LedgerFinding| !matches!(finding, LedgerFinding::Structure { .. });
        verify(&self.place).await.findings.into_iter().filter(is_of_rows).collect()
    }
}

#[tokio::test]
async fn every_kind_of_entry_is_in_the_specimen() {
    let place = Place::new();
    lived_in(&place).await;
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let kinds: Vec<String> = sqlx::query_scalar("select distinct kind from ledger order by 1")
        .fetch_all(&reader.pool)
        .await
        .unwrap();
    let expected = [
        "acceptance",
        "decisions",
        "intent",
        "outcome",
        "plan",
        "run-died",
        "run-finished",
        "run-started",
        "settlement",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn an_edit_of_any_column_of_any_entry_is_found() {
    let specimen = Specimen::new().await;
    let edits = [
        "at = at + 1",
        "kind = kind || 'x'",
        "run_key = coalesce(run_key, '') || 'x'",
        "body = body || ' '",
        "hash = zeroblob(32)",
    ];
    for sequence in 1..=specimen.entries {
        for edit in edits {
            let sql = format!("update ledger set {edit} where sequence = {sequence}");
            let findings = specimen.mutilate(&sql).await;
            assert!(findings.contains(&LedgerFinding::Altered { sequence }), "{sql}: {findings:?}");
        }
    }
}

#[tokio::test]
async fn a_flip_of_any_single_bit_of_a_body_or_hash_is_found() {
    let specimen = Specimen::new().await;
    let sequence = specimen.entries / 2;
    let reader = StoreReader::open(&specimen.place.store()).await.unwrap();
    let hash: Vec<u8> = sqlx::query_scalar("select hash from ledger where sequence = ?1")
        .bind(sequence)
        .fetch_one(&reader.pool)
        .await
        .unwrap();
    reader.close().await;
    for bit in [0, 1, 77, 255] {
        let mut flipped = hash.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let hex = Sha::from_column(&flipped).unwrap();
        let sql = format!("update ledger set hash = x'{hex}' where sequence = {sequence}");
        let findings = specimen.mutilate(&sql).await;
        let next = sequence + 1;
        let expected = [sequence, next].map(|sequence| LedgerFinding::Altered { sequence });
        assert_eq!(findings, expected, "bit {bit}");
    }
}

#[tokio::test]
async fn a_deletion_of_any_entry_is_found() {
    let specimen = Specimen::new().await;
    for sequence in 1..=specimen.entries {
        let findings = specimen.mutilate(&format!("delete from ledger where sequence = {sequence}")).await;
        let expected = if sequence == specimen.entries {
            LedgerFinding::CutOff { sequence: sequence - 1, head: sequence, origin: HeadOrigin::File }
        } else {
            LedgerFinding::Missing { sequence }
        };
        assert!(findings.contains(&expected), "{sequence}: {findings:?}");
    }
}

#[tokio::test]
async fn a_gap_that_was_closed_up_is_found() {
    let specimen = Specimen::new().await;
    for sequence in 1..specimen.entries {
        let sql = format!(
            "delete from ledger where sequence = {sequence};
             update ledger set sequence = -sequence where sequence > {sequence};
             update ledger set sequence = -sequence - 1 where sequence < 0;"
        );
        let findings = specimen.mutilate(&sql).await;
        assert!(findings.contains(&LedgerFinding::Altered { sequence }), "{sequence}: {findings:?}");
    }
}

#[tokio::test]
async fn two_entries_that_changed_places_are_found() {
    let specimen = Specimen::new().await;
    for sequence in 1..specimen.entries {
        let sql = format!(
            "update ledger set sequence = -1 where sequence = {sequence};
             update ledger set sequence = {sequence} where sequence = {sequence} + 1;
             update ledger set sequence = {sequence} + 1 where sequence = -1;"
        );
        let findings = specimen.mutilate(&sql).await;
        assert!(findings.contains(&LedgerFinding::Altered { sequence }), "{sequence}: {findings:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_by_the_head_alone() {
    let specimen = Specimen::new().await;
    let head = specimen.entries;
    for sequence in 0..head {
        let findings = specimen.mutilate(&format!("delete from ledger where sequence > {sequence}")).await;
        assert!(
            findings.contains(&LedgerFinding::CutOff { sequence, head, origin: HeadOrigin::File }),
            "{sequence}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn a_head_that_is_gone_or_of_another_ledger_is_found() {
    let specimen = Specimen::new().await;
    let place = &specimen.place;
    let zeros = "0".repeat(64);
    fs::write(place.head(), format!(r#"{{"sequence":3,"hash":"{zeros}"}}"#)).unwrap();
    assert_eq!(
        verify(place).await.findings,
        [LedgerFinding::HeadDiffers { sequence: 3, origin: HeadOrigin::File }]
    );
    fs::write(place.head(), "not a head").unwrap();
    assert!(matches!(verify(place).await.findings[..], [LedgerFinding::HeadUnreadable { .. }]));
    fs::remove_file(place.head()).unwrap();
    assert_eq!(verify(place).await.findings, [LedgerFinding::HeadMissing(place.head())]);
}

#[tokio::test]
async fn what_entries_vouch_for_is_checked_too() {
    let specimen = Specimen::new().await;
    let edits = [
        ("update plan set body = body || ' '", "plan-1"),
        ("update decision set body = replace(body, '91', '19')", "decided"),
        ("update decision set run_id = 3 where run_id = 2", "decided"),
        ("update intent set before = replace(before, 'app', 'ppa')", "intent 1"),
        ("update intent set plan_id = 77", "intent 1"),
        ("update outcome set outcome = 'failed' where outcome = 'done'", "outcome of intent"),
        ("delete from outcome where outcome_id = 1", "outcome of intent 1"),
        (
            "insert into decision select null, image_id, 1, at, key, body, digest from decision limit 1",
            "more",
        ),
        (
            "insert into outcome (intent_id, outcome, report, at) values (1, 'failed', '{}', 0)",
            "1 outcomes more",
        ),
    ];
    for (sql, expected) in edits {
        let findings = specimen.mutilate(sql).await;
        let told: Vec<String> = findings.iter().map(LedgerFinding::to_string).collect();
        assert!(told.iter().any(|finding| finding.contains(expected)), "{sql}: {told:?}");
    }
}

#[tokio::test]
async fn the_triggers_refuse_every_change_but_an_entry_at_the_end() {
    let place = Place::new();
    let entries = lived_in(&place).await;
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
