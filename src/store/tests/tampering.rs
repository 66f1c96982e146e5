//! Whoever changes anything that the ledger holds is found, and the finding names the place.
//!
//! Every place of a small ledger is tried, on a store that real operations have made.

use std::fs;

use sqlx::SqliteConnection;

use super::fixture::{Place, new_run};
use super::specimen::{Specimen, run, verify};
use crate::store::{HeadOrigin, LedgerFinding, LedgerHead, StoreReader};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn every_kind_of_entry_is_in_the_specimen() {
    let specimen = Specimen::new().await;
    let reader = StoreReader::open(&specimen.place.store()).await.unwrap();
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
