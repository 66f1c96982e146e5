//! The other commands.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{Account, Place, having};

#[test]
fn explain_names_policy_rule_line_facts_and_guard() {
    let place = Place::new();
    let report = place.run(&["run", "--sandbox", "--format", "json"]).code(0).json();
    let held = report["held"].as_array().unwrap().iter().find(|held| held["guard"] == "protected").unwrap();
    let image = held["image_id"].as_str().unwrap();
    let text = place.run(&["explain", "--sandbox", image]).code(0).out;
    for part in [image, "retire-stale", "rule \"", "(line ", "it read ", "disabled_for = ", "protected"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    for policy in ["strip-public", "tag-owners", "deprecate-first", "keep-newest-per-family"] {
        assert!(text.contains(policy), "no verdict of {policy} in\n{text}");
    }
    let json = place.run(&["explain", "--sandbox", image, "--format", "json"]).code(0).json();
    assert_eq!(json["image_id"], image);
    assert_eq!(json["held"][0]["guard"], "protected");
    let retire = having(&json["verdicts"], &[("policy", "retire-stale")])[0];
    assert_eq!(retire["opinion"], "matched", "{retire}");
    assert!(retire["proposals"][0]["wish"].is_string(), "{retire}");
}

#[test]
fn history_lists_runs_and_events() {
    let place = Place::new();
    let report = place.run(&["run", "--sandbox", "--enforce", "--yes", "--format", "json"]).code(0).json();
    let runs = place.run(&["history", "--sandbox"]).code(0).out;
    assert!(runs.contains(report["plan_id"].as_str().unwrap()), "{runs}");
    let image = report["steps"][0]["image_id"].as_str().unwrap();
    let events = place.run(&["history", "--sandbox", image]).code(0).out;
    for part in ["first seen", "decided:", "begun", "is done"] {
        assert!(events.contains(part), "no `{part}` in\n{events}");
    }
    let json = place.run(&["history", "--sandbox", image, "--format", "json"]).code(0).json();
    let details = json["events"].as_array().unwrap().iter().map(|event| &event["details"]);
    for details in details {
        match details["event"].as_str().unwrap() {
            "intended" => {
                assert_eq!(details["step"]["change"]["action"], details["action"], "{details}");
                assert!(details["before"]["image"]["created_at"].is_string(), "{details}");
            }
            "decided" => {
                let opinion = &details["decision"]["verdicts"][0]["opinion"];
                assert!(["matched", "failed"].contains(&opinion.as_str().unwrap()), "{details}");
            }
            _ => {}
        }
    }
}

#[test]
fn policy_list_and_check_cover_the_built_in_policies() {
    let place = Place::new();
    let text = place.run(&["policy", "list"]).code(0).out;
    for policy in ["retire-stale", "strip-public", "unshare-unknown-accounts", "tag-owners", "max_age"] {
        assert!(text.contains(policy), "no `{policy}` in\n{text}");
    }
    let json = place.run(&["policy", "list", "--format", "json"]).code(0).json();
    assert_eq!(json["policies"].as_array().unwrap().len(), 7);
    place.run(&["policy", "check"]).code(0).says(&["7 policies", "no errors"]);
    place.write("broken.rhai", "rule \"x\" when image.agee { keep(\"x\") }\n");
    place.run(&["policy", "check", "broken.rhai"]).code(2).says(&["broken.rhai:1:", "agee"]);
    place.run(&["policy", "check", "missing.rhai"]).code(2).says(&["missing.rhai"]);
}

#[test]
fn init_writes_what_check_and_plan_accept_and_overwrites_nothing() {
    let place = Place::new();
    place.run(&["init"]).code(0).says(&["amiwarden.toml", "retire-stale.rhai"]);
    place.run(&["policy", "check"]).code(0).says(&["1 policy"]);
    place.run(&["plan", "--sandbox", "--config", "amiwarden.toml"]).code(0);
    let before = std::fs::read_to_string(place.path("amiwarden.toml")).unwrap();
    place.run(&["init"]).code(2).says(&["exists already", "nothing was written"]);
    assert_eq!(std::fs::read_to_string(place.path("amiwarden.toml")).unwrap(), before);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Place::new().run(&["completions", shell]).code(0).out;
        assert!(script.contains("amiwarden"), "{shell}");
    }
}

#[test]
fn the_sandbox_alone_prints_its_address_and_serves_any_client() {
    let place = Place::new();
    let mut server = place
        .command(&["sandbox", "--listen", "127.0.0.1:0", "--images", "300"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let report = Place::facing(address.trim()).run(&["plan", "--format", "json"]);
    server.kill().unwrap();
    server.wait().unwrap();
    let report = report.json();
    assert_eq!(report["totals"]["images"], 300, "{}", report["totals"]);
}

#[test]
fn two_at_once_on_one_store_are_refused() {
    let place = Place::new();
    place.run(&["run", "--sandbox"]).code(0);
    let lock = std::fs::File::options().write(true).open(place.path("amiwarden-sandbox.db.lock")).unwrap();
    lock.lock().unwrap();
    place.run(&["run", "--sandbox"]).code(2).says(&["amiwarden-sandbox.db"]);
    drop(lock);
    place.run(&["run", "--sandbox"]).code(0);
}

#[test]
fn help_names_every_command() {
    let help = Place::new().run(&["--help"]).code(0).out;
    for command in
        ["run", "plan", "apply", "accept", "explain", "history", "policy", "init", "sandbox", "completions"]
    {
        assert!(help.contains(&format!("  {command} ")), "no `{command}` in\n{help}");
    }
}

#[test]
fn explain_takes_a_name_and_says_which_images_could_be_meant() {
    let account = Account::start(
        r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
            {"name": "web-1", "created": "-100d"}, {"name": "web-10", "created": "-90d"},
            {"name": "api-1", "created": "-90d"}]}"#,
    );
    let place = account.place();
    let id = |name: &str| account.cloud().image_named(name).unwrap().id;
    let explained = |what: &str| {
        let report = place.run(&["explain", what, "--format", "json"]).code(0).json();
        report["image_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(explained(&id("web-10")), id("web-10"));
    // The whole name of one is the beginning of another.
    assert_eq!(explained("web-1"), id("web-1"));
    assert_eq!(explained("api"), id("api-1"));
    place.run(&["explain", "web"]).code(2).says(&["any of 2 images", "web-1,", "web-10,", &id("web-1")]);
    place.run(&["explain", "nothing"]).code(2).says(&["no image nothing"]);
}
