//! What the README promises of `amiwarden run --sandbox`.

use crate::harness::{Place, having};

#[test]
fn observing_shows_every_decision_and_changes_nothing() {
    let place = Place::new();
    let report = place.run(&["run", "--sandbox", "--format", "json"]).code(0).json();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["mode"], "observe");
    let actions =
        ["disable", "deregister", "strip_public", "strip_shares", "tag", "deprecate", "require_imdsv2"];
    for action in actions {
        assert!(!having(&report["steps"], &[("action", action)]).is_empty(), "no step shows {action}");
    }
    for guard in ["opt-out", "protected"] {
        assert!(!having(&report["held"], &[("guard", guard)]).is_empty(), "nothing is held by {guard}");
    }
    for rule in ["one of the newest", "stale"] {
        assert!(!having(&report["kept"], &[("rule", rule)]).is_empty(), "nothing is kept by rule {rule}");
    }
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(step["rehearsal"], "permitted", "{step}");
        assert_eq!(step["outcome"], "not-attempted", "{step}");
        assert!(step["line"].as_u64().unwrap() > 0, "{step}");
        assert!(!step["reason"].as_str().unwrap().is_empty(), "{step}");
    }
    let failed: Vec<_> =
        report["errors"].as_array().unwrap().iter().map(|error| &error["image_id"]).collect();
    let future = having(&report["kept"], &[("name", "sensor-2031-01-01")]);
    assert!(failed.iter().all(|image| **image == future[0]["image_id"]), "{}", report["errors"]);
    assert_eq!(report["totals"]["done"], 0);

    let again = place.run(&["run", "--sandbox", "--format", "json"]).code(0).json();
    assert_eq!(again["plan_id"], report["plan_id"], "nothing has changed, so the plan is the same");
}

#[test]
fn p4_every_image_is_named_with_a_reason() {
    let report = Place::new().run(&["run", "--sandbox", "--format", "json"]).code(0).json();
    let mut named = std::collections::BTreeSet::new();
    for list in ["steps", "held", "kept"] {
        for item in report[list].as_array().unwrap() {
            assert!(!item["reason"].as_str().unwrap().is_empty(), "{item}");
            named.insert(item["image_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(named.len() as u64, report["totals"]["images"].as_u64().unwrap());
}

#[test]
fn enforcing_twice_does_everything_once() {
    let place = Place::new();
    let arguments = ["run", "--sandbox", "--enforce", "--yes", "--format", "json"];
    let first = place.run(&arguments).code(0).json();
    let steps = first["steps"].as_array().unwrap();
    assert!(steps.len() > 10, "{}", first["totals"]);
    assert!(steps.iter().all(|step| step["outcome"] == "done"), "{steps:#?}");
    for action in ["disable", "strip_public", "strip_shares", "tag"] {
        assert!(!having(&first["steps"], &[("action", action)]).is_empty(), "nothing was done by {action}");
    }

    let second = place.run(&arguments).code(0).json();
    let done: Vec<_> = steps.iter().map(|step| (&step["image_id"], &step["action"])).collect();
    for step in second["steps"].as_array().unwrap() {
        assert!(!done.contains(&(&step["image_id"], &step["action"])), "done twice: {step}");
    }
    assert_eq!(second["totals"]["failed"], 0);

    let third = place.run(&arguments).code(0).json();
    assert_eq!(third["totals"]["steps"], 0, "it comes to rest: {}", third["steps"]);
}

#[test]
fn the_table_says_in_words_what_would_happen() {
    let finished = Place::new().run(&["run", "--sandbox"]).code(0);
    for part in [
        "Nothing was changed",
        "CHANGES DUE",
        "HELD BACK",
        "KEPT",
        "retire-stale",
        "protected",
        "permitted",
        "Next:",
    ] {
        assert!(finished.out.contains(part), "no `{part}` in\n{}", finished.out);
    }
    assert!(!finished.out.contains('\u{1b}'), "no colour off a terminal");
}

#[test]
fn every_format_tells_the_same() {
    let place = Place::new();
    let json = place.run(&["run", "--sandbox", "--format", "json"]).code(0).json();
    let csv = place.run(&["run", "--sandbox", "--format", "csv"]).code(0).out;
    let planned = csv.lines().filter(|line| line.starts_with("planned,")).count();
    assert_eq!(planned as u64, json["totals"]["steps"].as_u64().unwrap());
    let markdown = place.run(&["run", "--sandbox", "--format", "markdown"]).code(0).out;
    assert!(
        markdown.contains("| --- |") || markdown.contains("|---|") || markdown.contains("---|"),
        "{markdown}"
    );
}

#[test]
fn exit_codes_tell_what_is_due() {
    let place = Place::new();
    place.run(&["plan", "--sandbox", "--exit-code"]).code(3);
    place.run(&["run", "--sandbox", "--enforce", "--yes", "--exit-code"]).code(0);
}
