//! Whoever changes anything that the ledger holds or vouches for is found, and the finding names the place.
//!
//! Every place of a small ledger is tried, on a store that real operations have made.

use std::fs;

use amiwarden_core::{Guard, ImageState, StepOutcome};
use sqlx::SqliteConnection;

use super::fixture::{
    Place, cycle_report, day, held, image, intent, inventory, new_run, plan, record, run_id, scope, step,
    step_report,
};
use crate::store::{HeadOrigin, LedgerFinding, LedgerHead, Standing, Store, StoreReader, Verification};

/// A run that decides, plans and carries out two changes, one of them with a reply that was lost at first.
async fn run(store: &Store, n: u32) {
    let name = format!("plan-{n}");
    let plan = plan(&name, vec![step(1), step(2)], vec![held(3, Guard::Surge)]);
    let now = day(i64::from(n));
    store.begin_run(&new_run(n)).await.unwrap();
    let images = [1, 2, 3].map(|n| image(n, ImageState::Available));
    store.observe_images(&run_id(n), &inventory(images), now).await.unwrap();
    let records = [1, 2].map(|image| record(image, Standing::Planned, &format!("reason {n}")));
    // The second run finds that one image is decided about no more.
    let records = if n == 1 { &records[..] } else { &records[..1] };
    store.record_decisions(&run_id(n), &scope(), records, now).await.unwrap();
    store.record_plan(&run_id(n), &plan, now).await.unwrap();
    let unknown = step_report(StepOutcome::Unknown("no reply".to_owned()));
    let reports = [step_report(StepOutcome::Done), unknown];
    for (index, report) in reports.iter().enumerate() {
        let intent_id = store.write_intent(&intent(n, &plan, index)).await.unwrap();
        store.write_outcome(intent_id, report, now).await.unwrap();
    }
    let open = store.open_intents().await.unwrap();
    store.write_outcome(open[0].intent_id, &reports[0], now).await.unwrap();
    store.accept(&plan, now).await.unwrap();
    store.finish_run(&cycle_report(n, &plan, &reports)).await.unwrap();
}

/// A store that can be put back after each mutilation.
struct Specimen {
    place: Place,
    /// As it was after the first run, and its head then.
    older: (Vec<u8>, Vec<u8>),
    newest: Vec<u8>,
    head: Vec<u8>,
    entries: i64,
    /// The statements that make the triggers, by name.
    triggers: Vec<(String, String)>,
}

impl Specimen {
    async fn new() -> Self {
        let place = Place::new();
        let read = |path| fs::read(path).unwrap();
        let store = place.open().await;
        run(&store, 1).await;
        store.close().await.unwrap();
        drop(store);
        let older = (read(place.store()), read(place.head()));
        let store = place.open().await;
        run(&store, 2).await;
        store.close().await.unwrap();
        let reader = StoreReader::open(&place.store()).await.unwrap();
        let triggers = sqlx::query_as("select name, sql from sqlite_schema where type = 'trigger'")
            .fetch_all(&reader.pool)
            .await
            .unwrap();
        reader.close().await;
        let (newest, head) = (read(place.store()), read(place.head()));
        let verification = verify(&place, None).await;
        assert_eq!(verification.findings, []);
        let entries = verification.newest.sequence();
        Self { place, older, newest, head, entries, triggers }
    }

    /// What verifying finds after somebody has gone around the triggers, run `sql`, and put the triggers back.
    async fn mutilate(&self, sql: &str) -> Vec<LedgerFinding> {
        fs::write(self.place.store(), &self.newest).unwrap();
        let dropped: String = self
            .triggers
            .iter()
            .map(|(name, _)| format!("drop trigger {name};"))
            .collect::<Vec<_>>()
            .concat();
        let put_back: String =
            self.triggers.iter().map(|(_, text)| format!("{text};")).collect::<Vec<_>>().concat();
        self.place.tamper(&format!("begin; {dropped} {sql}; {put_back} commit;")).await;
        verify(&self.place, None).await.findings
    }

    async fn columns(&self, table: &str) -> Vec<Vec<u8>> {
        let reader = StoreReader::open(&self.place.store()).await.unwrap();
        let sql = format!("select {table} from ledger order by sequence");
        let values = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&reader.pool).await.unwrap();
        reader.close().await;
        values
    }
}

async fn verify(place: &Place, given: Option<&LedgerHead>) -> Verification {
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let verification = reader.verify_against(Some(&place.head()), given).await.unwrap();
    reader.close().await;
    verification
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn every_column_of_every_entry() {
    let specimen = Specimen::new().await;
    let edits = [
        "at = at + 1",
        "at = 9223372036854775807",
        "kind = 'run-died', at = at + (kind = 'run-died')",
        "kind = ''",
        "run_key = coalesce(run_key, '') || 'x'",
        "run_key = case when run_key is null then '' end",
        "body = body || ' '",
        "body = cast(x'ff00' as text)",
        "hash = zeroblob(32)",
    ];
    for sequence in 1..=specimen.entries {
        for edit in edits {
            let sql = format!("update ledger set {edit} where sequence = {sequence}");
            let findings = specimen.mutilate(&sql).await;
            assert!(findings.contains(&LedgerFinding::Altered { sequence }), "{sql}: {findings:?}");
        }
        for elsewhere in [-1, 0, i64::MIN, i64::MAX, specimen.entries + 2] {
            let sql = format!("update ledger set sequence = {elsewhere} where sequence = {sequence}");
            let findings = specimen.mutilate(&sql).await;
            let altered = LedgerFinding::Altered { sequence: elsewhere };
            assert!(findings.contains(&altered), "{sql}: {findings:?}");
            let missing = LedgerFinding::Missing { sequence };
            assert!(
                findings.contains(&missing) || sequence == specimen.entries && elsewhere < 1,
                "{sql}: {findings:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_byte_of_every_hash_and_body() {
    let specimen = Specimen::new().await;
    let mut mutilations = Vec::new();
    for (column, cast) in [("hash", "blob"), ("body", "text")] {
        for (sequence, value) in (1..).zip(specimen.columns(&format!("cast({column} as blob)")).await) {
            for (index, byte) in value.iter().enumerate() {
                // Each byte with another of its bits, so that all eight are tried.
                let mut flipped = value.clone();
                flipped[index] = byte ^ (1 << (index % 8));
                let hex = hex(&flipped);
                let set = format!(
                    "update ledger set {column} = cast(x'{hex}' as {cast}) where sequence = {sequence}"
                );
                mutilations.push((sequence, index, set));
            }
        }
    }
    // So many that opening the store for each would take minutes: each is made and taken back on one connection.
    let place = &specimen.place;
    let dropped: String = specimen
        .triggers
        .iter()
        .map(|(name, _)| format!("drop trigger {name};"))
        .collect::<Vec<_>>()
        .concat();
    place.tamper(&dropped).await;
    let (bodies, hashes) = (specimen.columns("cast(body as blob)").await, specimen.columns("hash").await);
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let mut connection = place.connect().await;
    for (sequence, index, set) in mutilations {
        execute(&mut connection, set).await;
        let findings = reader.verify(Some(&place.head())).await.unwrap().findings;
        let altered = LedgerFinding::Altered { sequence };
        assert!(findings.contains(&altered), "entry {sequence}, byte {index}: {findings:?}");
        let place_of = usize::try_from(sequence).unwrap() - 1;
        let (body, hash) = (hex(&bodies[place_of]), hex(&hashes[place_of]));
        let back = format!(
            "update ledger set body = cast(x'{body}' as text), hash = x'{hash}' where sequence = {sequence}"
        );
        execute(&mut connection, back).await;
    }
    let put_back: Vec<&str> = specimen.triggers.iter().map(|(_, text)| text.as_str()).collect();
    execute(&mut connection, put_back.join(";")).await;
    assert_eq!(reader.verify(Some(&place.head())).await.unwrap().findings, []);
}

async fn execute(connection: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

#[tokio::test]
async fn every_entry_deleted_doubled_or_put_in_its_neighbours_place() {
    let specimen = Specimen::new().await;
    for sequence in 1..specimen.entries {
        let gone = specimen.mutilate(&format!("delete from ledger where sequence = {sequence}")).await;
        assert!(gone.contains(&LedgerFinding::Missing { sequence }), "{sequence}: {gone:?}");
        let next = sequence + 1;
        let swapped = specimen
            .mutilate(&format!(
                "update ledger set sequence = -1 where sequence = {sequence};
                 update ledger set sequence = {sequence} where sequence = {next};
                 update ledger set sequence = {next} where sequence = -1"
            ))
            .await;
        for altered in [sequence, next] {
            assert!(
                swapped.contains(&LedgerFinding::Altered { sequence: altered }),
                "{sequence}: {swapped:?}"
            );
        }
        let doubled = specimen
            .mutilate(&format!(
                "update ledger set sequence = -sequence where sequence > {sequence};
                 update ledger set sequence = 1 - sequence where sequence < 0;
                 insert into ledger select {next}, at, kind, run_key, body, hash from ledger
                 where sequence = {sequence}"
            ))
            .await;
        assert!(doubled.contains(&LedgerFinding::Altered { sequence: next }), "{sequence}: {doubled:?}");
    }
    let added = specimen
        .mutilate("insert into ledger select max(sequence) + 1, at, kind, run_key, body, hash from ledger")
        .await;
    let sequence = specimen.entries + 1;
    assert!(added.contains(&LedgerFinding::Altered { sequence }), "{added:?}");
}

#[tokio::test]
async fn an_end_that_is_cut_off_anywhere() {
    let specimen = Specimen::new().await;
    let head = specimen.entries;
    for sequence in 0..head {
        let findings = specimen.mutilate(&format!("delete from ledger where sequence > {sequence}")).await;
        let cut_off = LedgerFinding::CutOff { sequence, head, origin: HeadOrigin::File };
        assert!(findings.contains(&cut_off), "{sequence}: {findings:?}");
    }
}

#[tokio::test]
async fn every_row_that_the_ledger_vouches_for() {
    let specimen = Specimen::new().await;
    let tables: [(&str, &str, i64, &[&str]); 4] = [
        (
            "plan",
            "plan_id",
            2,
            &["plan_key = plan_key || 'x'", "run_id = 3 - run_id", "at = at + 1", "body = '{}'"],
        ),
        (
            "decision",
            "decision_id",
            3,
            &[
                "image_id = 3",
                "run_id = 3 - run_id",
                "at = at + 1",
                "body = coalesce(body, '') || ' '",
                "digest = x'00'",
            ],
        ),
        (
            "intent",
            "intent_id",
            4,
            &[
                "run_id = 3 - run_id",
                "plan_id = 3 - plan_id",
                "step_index = step_index + 1",
                "scope_id = 77",
                "image_key = 'ami-0'",
                "step = step || ' '",
                "before = cast(x'ff' as text)",
                "at = at + 1",
            ],
        ),
        (
            "outcome",
            "outcome_id",
            6,
            &["intent_id = 5 - intent_id", "outcome = 'skipped-changed'", "report = '{}'", "at = at - 1"],
        ),
    ];
    for (table, id, rows, edits) in tables {
        for row in 1..=rows {
            let edits = edits.iter().map(|edit| format!("update {table} set {edit} where {id} = {row}"));
            let deletion = format!("delete from {table} where {id} = {row}");
            let renumbered = format!("update {table} set {id} = {id} + 100 where {id} = {row}");
            // What a decision's row is called is of no account; its order among the rows is.
            let renumbered = (table != "decision" && table != "plan").then_some(renumbered);
            for sql in edits.chain([deletion]).chain(renumbered) {
                let findings = specimen.mutilate(&sql).await;
                let is_named = |finding: &LedgerFinding| match finding {
                    LedgerFinding::Contents { what, .. } => match table {
                        "plan" => what.starts_with("plan-"),
                        "decision" => what.contains("decided"),
                        "intent" => *what == format!("intent {row}"),
                        _ => what.contains("outcome of intent"),
                    },
                    _ => false,
                };
                assert!(findings.iter().any(is_named), "{sql}: {findings:?}");
            }
        }
        let columns: String = specimen
            .columns_of(table)
            .await
            .into_iter()
            .skip(1)
            .map(|name| format!(", {name}"))
            .collect::<Vec<_>>()
            .concat();
        let columns = columns.replace("plan_key", "plan_key || 'x'");
        let sql = format!("insert into {table} select 77{columns} from {table} where {id} = 1");
        let findings = specimen.mutilate(&sql).await;
        let is_named = |finding: &LedgerFinding| match finding {
            LedgerFinding::Unrecorded { rows: 1, ids, .. } => *ids == [77],
            // A run that has decided is known by the set of its decisions.
            LedgerFinding::Contents { what, .. } => table == "decision" && what.contains("decided"),
            _ => false,
        };
        assert!(findings.iter().any(is_named), "{sql}: {findings:?}");
    }
}

impl Specimen {
    async fn columns_of(&self, table: &str) -> Vec<String> {
        let reader = StoreReader::open(&self.place.store()).await.unwrap();
        let names = sqlx::query_scalar("select name from pragma_table_info(?1) order by cid")
            .bind(table)
            .fetch_all(&reader.pool)
            .await
            .unwrap();
        reader.close().await;
        names
    }
}

#[tokio::test]
async fn an_older_copy_with_the_newer_head_and_with_its_own() {
    let specimen = Specimen::new().await;
    let newest = verify(&specimen.place, None).await.newest;
    let (store, head) = &specimen.older;
    fs::write(specimen.place.store(), store).unwrap();
    let verification = verify(&specimen.place, None).await;
    let sequence = verification.newest.sequence();
    let cut_off = |origin| LedgerFinding::CutOff { sequence, head: specimen.entries, origin };
    assert_eq!(verification.findings, [cut_off(HeadOrigin::File)]);
    // With the head file put back too, only a head that was kept elsewhere tells.
    fs::write(specimen.place.head(), head).unwrap();
    assert_eq!(verify(&specimen.place, None).await.findings, []);
    let given: LedgerHead = newest.to_string().parse().unwrap();
    assert_eq!(verify(&specimen.place, Some(&given)).await.findings, [cut_off(HeadOrigin::Given)]);
}

#[tokio::test]
async fn every_byte_of_the_head() {
    let specimen = Specimen::new().await;
    for index in 0..specimen.head.len() {
        let mut head = specimen.head.clone();
        head[index] ^= 1 << (index % 8);
        if head[index].is_ascii_whitespace() && specimen.head[index].is_ascii_whitespace() {
            continue;
        }
        fs::write(specimen.place.head(), &head).unwrap();
        let findings = verify(&specimen.place, None).await.findings;
        let is_of_the_head = matches!(
            findings[..],
            [LedgerFinding::HeadUnreadable { .. }
                | LedgerFinding::HeadDiffers { .. }
                | LedgerFinding::CutOff { .. }]
        );
        assert!(is_of_the_head, "byte {index}: {findings:?}");
    }
}

#[tokio::test]
async fn a_ledger_verifies_while_another_writes_to_it() {
    let place = Place::new();
    let store = place.open().await;
    run(&store, 1).await;
    store.begin_run(&new_run(2)).await.unwrap();
    let verification = verify(&place, None).await;
    assert_eq!(verification.findings, []);
    assert_eq!(verification.newest.sequence(), verification.heads[0].head.sequence() + 1);
    store.close().await.unwrap();
}
