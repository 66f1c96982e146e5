//! `audit verify` and `audit export`, and that tampering with the file is told.

use std::process::Stdio;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::harness::{Finished, Place};

/// A place in which changes were carried out, with the report of the run.
fn lived_in() -> (Place, Value) {
    let place = Place::new();
    let report = place.run(&["run", "--sandbox", "--enforce", "--yes", "--format", "json"]).code(0).json();
    (place, report)
}

fn database(place: &Place) -> String {
    place.files().into_iter().find(|name| name.ends_with("-sandbox.db")).unwrap()
}

fn audit(place: &Place, arguments: &[&str]) -> Finished {
    place.run(&[&["audit", "--sandbox"], arguments].concat())
}

/// Runs SQL on the store as somebody else would, who knows about the triggers.
fn tamper(place: &Place, sql: &str) {
    let path = place.path(&database(place));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let mut connection = options.connect().await.unwrap();
        let triggers: Vec<(String, String)> =
            sqlx::query_as("select name, sql from sqlite_schema where type = 'trigger'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let dropped: Vec<String> = triggers.iter().map(|(name, _)| format!("drop trigger {name};")).collect();
        let dropped = dropped.join(" ");
        let put_back: Vec<String> = triggers.iter().map(|(_, text)| format!("{text};")).collect();
        let put_back = put_back.join(" ");
        let sql = format!("{dropped} {sql}; {put_back}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn entries(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["export", "--format", "jsonl"], arguments].concat();
    let out = audit(place, &arguments).code(0).out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_untouched_store_verifies_and_says_what_was_looked_at() {
    let (place, _) = lived_in();
    let text = audit(&place, &["verify"]).code(0).out;
    for part in ["The ledger is intact", "entries", "written", "newest", "agrees: it names the newest entry"]
    {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let json = audit(&place, &["verify", "--format", "json"]).code(0).json();
    assert_eq!(json["intact"], true);
    assert_eq!(json["entries"], json["sequence"]);
    assert_eq!(json["heads"][0]["agrees"], true);
    // A head that is kept elsewhere is of use only while the ledger goes on from it.
    let head = format!("{}:{}", json["sequence"], json["hash"].as_str().unwrap());
    place.run(&["run", "--sandbox"]).code(0);
    audit(&place, &["verify", "--head", &head]).code(0);
    let wrong = format!("1:{}", "0".repeat(64));
    let text = audit(&place, &["verify", "--head", &wrong]).code(1).out;
    assert!(text.contains("entry 1 is not the one that the head that was given names"), "{text}");
    audit(&place, &["verify", "--head", "1"]).code(2).says(&["SEQUENCE:HASH"]);
}

#[test]
fn tampering_is_found_named_and_ends_with_1() {
    let cases = [
        ("update ledger set body = replace(body, 'enforce', 'observe') where sequence = 1", "entry 1, or"),
        ("delete from ledger where sequence = 2", "entry 2 is missing"),
        ("delete from ledger where sequence > 3", "the ledger ends at entry 3"),
        ("update outcome set outcome = 'failed' where intent_id = 1", "an outcome of intent 1"),
        ("delete from intent where intent_id = 2", "intent 2, which entry"),
        ("update plan set body = body || ' '", "plan-"),
    ];
    let (place, _) = lived_in();
    let path = place.path(&database(&place));
    let intact = std::fs::read(&path).unwrap();
    for (sql, expected) in cases {
        std::fs::write(&path, &intact).unwrap();
        tamper(&place, sql);
        let text = audit(&place, &["verify"]).code(1).out;
        assert!(text.starts_with("The ledger is NOT intact") && text.contains(expected), "{sql}\n{text}");
        let json = audit(&place, &["verify", "--format", "json"]).code(1).json();
        assert_eq!(json["intact"], false);
        for form in ["csv", "markdown"] {
            let text = audit(&place, &["verify", "--format", form]).code(1).out;
            assert!(text.contains(expected), "{form}: {sql}\n{text}");
        }
    }
}

#[test]
fn an_export_is_the_whole_ledger_in_order() {
    let (place, report) = lived_in();
    let all = entries(&place, &[]);
    let sequences: Vec<i64> = all.iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect();
    let last = i64::try_from(all.len()).unwrap();
    assert_eq!(sequences, (1..=last).collect::<Vec<_>>());
    let json = audit(&place, &["verify", "--format", "json"]).code(0).json();
    assert_eq!(all.last().unwrap()["hash"], json["hash"]);
    let done = all.iter().find(|entry| entry["outcome"] == "done").unwrap();
    for field in ["account", "region", "image_id", "action", "request_id"] {
        assert!(done[field].is_string(), "no {field} in {done}");
    }
    for entry in &all {
        serde_json::from_str::<Value>(entry["body"].as_str().unwrap()).unwrap();
        assert_eq!(entry["run_id"], report["run_id"]);
    }
    // Without --format, the same.
    assert_eq!(audit(&place, &["export"]).code(0).out.lines().count(), all.len());
}

#[test]
fn an_export_can_be_of_a_run_an_image_or_a_time() {
    let (place, report) = lived_in();
    let first = entries(&place, &[]).len();
    place.run(&["plan", "--sandbox"]).code(0);
    let all = entries(&place, &[]);
    assert!(all.len() > first);
    let run = report["run_id"].as_str().unwrap();
    assert_eq!(entries(&place, &["--run", run]).len(), first);
    let image = report["steps"][0]["image_id"].as_str().unwrap();
    let of_image = entries(&place, &["--image", image]);
    let concerns_it = |entry: &Value| entry["image_id"] == image || entry["kind"] == "decisions";
    assert!(of_image.len() >= 3 && of_image.iter().all(concerns_it), "{of_image:?}");
    assert_eq!(entries(&place, &["--since", "1d"]).len(), all.len());
    assert_eq!(entries(&place, &["--until", "1d"]), Vec::<Value>::new());
    assert_eq!(entries(&place, &["--since", "2020-01-31", "--until", "2020-02-01T00:00:00Z"]).len(), 0);
    let at = all[first]["at"].as_str().unwrap();
    let since = entries(&place, &["--since", at]);
    let before = entries(&place, &["--until", at]);
    assert_eq!(since.len() + before.len(), all.len());
    audit(&place, &["export", "--since", "soon"]).code(2).says(&["30d"]);
}

#[test]
fn an_export_as_csv_has_a_header_and_a_row_for_each_entry() {
    let (place, _) = lived_in();
    let csv = audit(&place, &["export", "--format", "csv"]).code(0).out;
    let mut lines = csv.lines();
    let header = "sequence,at,kind,run_id,account,region,image_id,action,outcome,request_id,body,hash";
    assert_eq!(lines.next(), Some(header));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let hashes: Vec<String> = reader.records().map(|record| record.unwrap()[11].to_owned()).collect();
    let expected: Vec<String> =
        entries(&place, &[]).iter().map(|entry| entry["hash"].as_str().unwrap().to_owned()).collect();
    assert_eq!(hashes, expected);
    let nothing = audit(&place, &["export", "--format", "csv", "--run", "none"]).code(0).out;
    assert_eq!(nothing, format!("{header}\r\n"));
}

#[test]
fn the_forms_of_an_export_are_its_own() {
    let (place, _) = lived_in();
    let help = place.run(&["audit", "export", "--help"]).code(0).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("[possible values: jsonl, csv]") && !help.contains("markdown"), "{help}");
    let help = place.run(&["run", "--help"]).code(0).out;
    assert!(help.contains("markdown") && !help.contains("jsonl"), "{help}");
    audit(&place, &["export", "--format", "table"]).code(2).says(&["jsonl", "csv"]);
    place.run(&["run", "--sandbox", "--format", "jsonl"]).code(2).says(&["jsonl", "markdown"]);
    let csv = place.run(&["--format", "csv", "audit", "--sandbox", "export"]).code(0).out;
    assert!(csv.starts_with("sequence,at,"), "{csv}");
    place.run(&["--format", "markdown", "audit", "--sandbox", "export"]).code(2).says(&["jsonl"]);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let (place, _) = lived_in();
    let mut child = place
        .command(&["audit", "--sandbox", "export"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_head_is_in_the_log_after_a_run() {
    let place = Place::new();
    let finished = place.run(&["run", "--sandbox", "-v"]).code(0);
    let json = audit(&place, &["verify", "--format", "json"]).code(0).json();
    finished.says(&["the ledger's head", json["hash"].as_str().unwrap()]);
}

#[test]
fn an_export_goes_on_past_a_mangled_entry_and_says_so() {
    let (place, _) = lived_in();
    let all = entries(&place, &[]).len();
    tamper(
        &place,
        "update ledger set body = cast(x'ff' as text) where sequence = 2;
         update ledger set at = 9223372036854775807 where sequence = 3",
    );
    let finished =
        audit(&place, &["export", "--format", "jsonl"]).code(1).says(&["entry 2 is", "entry 3 is"]);
    assert_eq!(finished.out.lines().count(), all - 2);
    let finished = audit(&place, &["export", "--format", "csv"]).code(1);
    assert_eq!(finished.out.lines().count(), all - 1);
}

#[test]
fn the_entries_about_an_image_include_the_decisions_about_it() {
    let (place, report) = lived_in();
    let image = report["steps"][0]["image_id"].as_str().unwrap();
    let decisions = |place: &Place| {
        let entries = entries(place, &["--image", image]);
        entries.iter().filter(|entry| entry["kind"] == "decisions").count()
    };
    assert_eq!(decisions(&place), 1);
    assert_eq!(entries(&place, &["--image", "ami-00000000000000000"]).len(), 0);
}
