//! `audit verify` and `audit export`, and the pause, on the built program.

use serde_json::Value;

use crate::harness::{Account, Place};

const FLEET: &str = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
    {"name": "web-1", "created": "-100d"}, {"name": "web-2", "created": "-90d"}]}"#;

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

/// Two images that were disabled.
fn scene() -> (Account, Place, Value) {
    let account = Account::start(FLEET);
    let place = account.place();
    place
        .write("amiwarden.toml", CONFIG)
        .write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["totals"]["done"], 2, "{report}");
    (account, place, report)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_intact_ledger_is_said_to_be_with_its_newest_entry() {
    let (_account, place, _) = scene();
    let finished = place.run(&["audit", "verify"]).code(0);
    assert!(finished.out.starts_with("The ledger is intact: "), "{}", finished.out);
    let json = place.run(&["audit", "verify", "--format", "json"]).code(0).json();
    assert_eq!(json["intact"], true);
    let newest = format!("{}:{}", json["newest"]["sequence"], json["newest"]["hash"].as_str().unwrap());
    assert!(finished.out.contains(&newest), "{}", finished.out);
    place.run(&["audit", "verify", "--head", &newest]).code(0);
    let other = format!("1:{}", json["newest"]["hash"].as_str().unwrap());
    let differs = place.run(&["audit", "verify", "--head", &other]).code(1);
    assert!(differs.out.contains("NOT intact"), "{}", differs.out);
    place.run(&["audit", "verify", "--head", "nonsense"]).code(2).says(&["SEQUENCE:HASH"]);
}

#[test]
fn the_head_of_each_run_is_in_the_log() {
    let account = Account::start(FLEET);
    let place = account.place();
    place
        .write("amiwarden.toml", CONFIG)
        .write("policies/only.rhai", "rule \"all\" when true { keep(\"x\") }\n");
    let finished = place.run(&["plan", "-v"]).code(0);
    assert!(finished.err.contains("the ledger's head is "), "{}", finished.err);
}

#[test]
fn a_ledger_whose_head_was_put_back_or_lost_is_not_intact() {
    let (_account, place, _) = scene();
    let early = std::fs::read(place.path("amiwarden.head")).unwrap();
    std::fs::remove_file(place.path("amiwarden.head")).unwrap();
    let gone = place.run(&["audit", "verify"]).code(1);
    assert!(gone.out.contains("there is no head at"), "{}", gone.out);
    // A head that is older is no contradiction: the ledger goes through it.
    std::fs::write(place.path("amiwarden.head"), early).unwrap();
    place.run(&["audit", "verify"]).code(0);
    std::fs::write(place.path("amiwarden.head"), "nonsense").unwrap();
    place.run(&["audit", "verify"]).code(1);
}

#[test]
fn the_ledger_is_exported_line_by_line_and_filtered() {
    let (_account, place, report) = scene();
    let all = lines(&place.run(&["audit", "export", "--format", "jsonl"]).code(0).out);
    let sequences: Vec<i64> = all.iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>());
    let kinds: Vec<&str> = all.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["run-started", "decisions", "plan"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "outcome").count(), 2);

    let image = report["steps"][0]["image_id"].as_str().unwrap();
    let of_image = lines(&place.run(&["audit", "export", "--image", image]).code(0).out);
    assert_eq!(of_image.len(), 2);
    for entry in &of_image {
        assert_eq!((&entry["image_id"], &entry["action"]), (&Value::from(image), &Value::from("disable")));
        assert_eq!(entry["account"], "111122223333");
    }
    assert_eq!(of_image[1]["outcome"], "done");
    assert!(of_image[1]["request_id"].is_string());

    let run = report["run_id"].as_str().unwrap();
    assert_eq!(lines(&place.run(&["audit", "export", "--run", run]).code(0).out).len(), all.len());
    assert_eq!(place.run(&["audit", "export", "--run", "another"]).code(0).out, "");
    assert_eq!(lines(&place.run(&["audit", "export", "--since", "1d"]).code(0).out).len(), all.len());
    assert_eq!(place.run(&["audit", "export", "--since", "2100-01-01"]).code(0).out, "");
    assert_eq!(place.run(&["audit", "export", "--until", "2020-01-01T00:00:00Z"]).code(0).out, "");
    place.run(&["audit", "export", "--since", "yesterday"]).code(2).says(&["how long ago"]);

    let csv = place.run(&["audit", "export", "--format", "csv"]).code(0).out;
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(csv.as_bytes()).records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), all.len());
    place.run(&["audit", "export", "--format", "markdown"]).code(2).says(&["jsonl"]);
    place.run(&["run", "--format", "jsonl"]).code(2).says(&["audit export"]);
}

#[test]
fn a_pause_holds_everything_until_it_ends() {
    let account = Account::start(FLEET);
    let place = account.place();
    place
        .write("amiwarden.toml", CONFIG)
        .write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    place.run(&["pause", "--reason", "an incident"]).code(0).says(&["nothing is changed while"]);
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["totals"]["held"], 2, "{report}");
    assert_eq!(report["held"][0]["guard"], "pause");
    assert!(report["held"][0]["reason"].as_str().unwrap().contains("an incident"));
    assert!(account.applied().is_empty());
    place.run(&["pause"]).code(0).says(&["an incident"]);
    place.run(&["resume"]).code(0).says(&["resumed"]);
    place.run(&["resume"]).code(0).says(&["not paused"]);
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["totals"]["done"], 2, "{report}");
}

#[test]
fn a_window_that_is_closed_holds_everything() {
    let account = Account::start(FLEET);
    let place = account.place();
    // Whatever the time is: yesterday's day of the week is not today's.
    let yesterday = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).yesterday().unwrap();
    let day = yesterday.strftime("%a").to_string();
    place
        .write("amiwarden.toml", &format!("{CONFIG}window = {{ days = [\"{day}\"] }}\n"))
        .write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["held"][0]["guard"], "window", "{report}");
    assert!(account.applied().is_empty());
}
