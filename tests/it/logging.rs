//! The log: its form, and the run's id in it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use crate::harness::Place;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn every_line_of_json_is_whole_and_carries_the_id_of_the_run() {
    let place = Place::new();
    let ended = place
        .run(&["run", "--sandbox", "--enforce", "--yes", "--format", "json", "--log-format", "json", "-vv"])
        .code(0);
    let run = ended.json()["run_id"].as_str().unwrap().to_owned();
    let lines = lines(&ended.err);
    let of_amiwarden = |line: &&Value| line["target"].as_str().unwrap().starts_with("amiwarden");
    // The simulated endpoint is no part of the run: it would be another machine.
    let of_run = |line: &&Value| {
        of_amiwarden(line) && !line["target"].as_str().unwrap().starts_with("amiwarden_sandbox")
    };
    assert!(lines.iter().filter(of_run).count() > 20, "{}", ended.err);
    for line in lines.iter().filter(of_run) {
        assert_eq!(line["run_id"], *run, "{line}");
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
}

#[test]
fn two_runs_have_two_ids() {
    let place = Place::new();
    let id = || {
        let ended = place.run(&["run", "--sandbox", "--log-format", "json"]).code(0);
        let lines = lines(&ended.err);
        let line = lines.iter().find(|line| line["message"] == "the ledger's head").unwrap();
        line["run_id"].as_str().unwrap().to_owned()
    };
    assert_ne!(id(), id());
}

#[test]
fn text_shows_the_id_too() {
    let place = Place::new();
    let ended = place.run(&["run", "--sandbox", "--format", "json", "--log-format", "text", "-v"]).code(0);
    let run = ended.json()["run_id"].as_str().unwrap().to_owned();
    let line = ended.err.lines().find(|line| line.contains("the ledger's head")).unwrap();
    assert!(line.contains(&format!("run_id={run}")), "{line}");
}

#[test]
fn in_json_remarks_and_failures_are_lines_as_well() {
    let mut place = Place::new();
    place.set("AMIWARDEN_LOG_FORMAT", "json");
    let failed = lines(&place.run(&["plan", "--config", "missing.toml"]).code(2).err);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["level"], "ERROR");
    assert!(failed[0]["message"].as_str().unwrap().contains("missing.toml"), "{failed:?}");
    assert!(failed[0]["because"].as_str().unwrap().contains("No such file"), "{failed:?}");
    // A filter is about the log; why a command failed is told all the same.
    place.set("AMIWARDEN_LOG", "off");
    assert_eq!(lines(&place.run(&["plan", "--config", "missing.toml"]).code(2).err).len(), 1);
    let remarks = lines(&place.run(&["pause", "--reason", "a test"]).code(0).err);
    assert!(remarks[0]["message"].as_str().unwrap().starts_with("paused"), "{remarks:?}");
}

#[test]
fn a_form_or_a_filter_that_there_is_not_is_told_of() {
    let mut place = Place::new();
    place.set("AMIWARDEN_LOG_FORMAT", "xml");
    place.run(&["resume"]).code(2).says(&["AMIWARDEN_LOG_FORMAT", "`xml`", "`journald`"]);
    // The flag goes over the variable.
    place.set("AMIWARDEN_LOG", "amiwarden=loud");
    place.run(&["resume", "--log-format", "text"]).code(0).says(&["AMIWARDEN_LOG is no filter"]);
}

/// `JOURNAL_STREAM` is inherited by everything that a service starts, wherever its standard error leads.
#[test]
fn a_journal_elsewhere_is_not_logged_to() {
    let mut place = Place::new();
    let other = File::create(place.path("other")).unwrap().metadata().unwrap();
    place.set("JOURNAL_STREAM", &format!("{}:{}", other.dev(), other.ino()));
    place.run(&["run", "--sandbox", "-v"]).code(0).says(&["the ledger's head"]);
}

/// The very stream: with a journal behind it the log goes there and nowhere else, without one it is not lost.
#[test]
fn the_log_goes_to_the_journal_or_to_standard_error_and_never_to_both() {
    let mut place = Place::new();
    let path = place.path("stream");
    let stream = File::create(&path).unwrap();
    let found = stream.metadata().unwrap();
    place.set("JOURNAL_STREAM", &format!("{}:{}", found.dev(), found.ino()));
    let status = place.command(&["resume"]).stderr(stream).status().unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(path).unwrap();
    if Path::new("/run/systemd/journal/socket").exists() {
        assert_eq!(text, "");
    } else {
        assert!(text.contains("the journal cannot be reached") && text.contains("not paused"), "{text}");
    }
}
