//! Bad input: exit code 2, a message with file, place and remedy, and nothing changed.

use crate::harness::{Account, Finished, Place};

/// Runs with this configuration and policy against an account and makes sure that nothing was touched.
fn refused(config: &str, policy: &str, arguments: &[&str]) -> Finished {
    let account = Account::demo();
    let place = account.place();
    place.write("amiwarden.toml", config).write("policies/mine.rhai", policy);
    let before = place.files();
    let finished = place.run(arguments).code(2);
    assert_eq!(place.files(), before, "something was written");
    assert!(account.applied().is_empty());
    assert!(finished.out.is_empty(), "{}", finished.out);
    finished
}

const POLICIES: &str = "[policies]\ndir = \"policies\"\n";
const FINE: &str = "rule \"none\" when false { keep(\"never\") }\n";

fn bad_config(config: &str) -> Finished {
    refused(config, FINE, &["run"])
}

fn bad_policy(policy: &str) -> Finished {
    refused(POLICIES, policy, &["run"])
}

#[test]
fn an_unknown_key() {
    bad_config("[limits]\ndisable_per_cycel = 3\n").says(&[
        "amiwarden.toml:2:1",
        "disable_per_cycel",
        "disable_per_cycle",
    ]);
}

#[test]
fn a_bad_duration() {
    bad_config("[limits]\nmin_age = \"3 months\"\n").says(&["amiwarden.toml:2", "3 months", "days"]);
}

#[test]
fn a_variable_that_names_no_key() {
    let mut place = Place::new();
    place.set("AMIWARDEN_LIMITS__MIN_AEG", "3d");
    place.run(&["run", "--sandbox"]).code(2).says(&["AMIWARDEN_LIMITS__MIN_AEG"]);
}

#[test]
fn a_policy_that_does_not_compile() {
    bad_policy("rule \"x\" when image.age > 90.days {\n    disable(\"old\"\n}\n").says(&["mine.rhai:"]);
}

#[test]
fn a_mistyped_fact() {
    bad_policy("rule \"x\" when image.agee > 90.days { disable(\"old\") }\n").says(&[
        "mine.rhai:1:",
        "agee",
        "`age`",
    ]);
}

#[test]
fn a_mistyped_action() {
    bad_policy("rule \"x\" when image.is_public { disabel(\"old\") }\n").says(&[
        "mine.rhai:1:",
        "disabel",
        "disable",
    ]);
}

#[test]
fn a_comparison_of_different_types() {
    bad_policy("rule \"x\" when image.age > 90 { disable(\"old\") }\n").says(&["mine.rhai:1:", "duration"]);
}

#[test]
fn a_rule_that_yields_a_number() {
    bad_policy("rule \"x\" when true { 42 }\n").says(&["mine.rhai:1:", "action"]);
}

#[test]
fn an_endless_computation() {
    let policy = "fn dig(n) { dig(n + 1) }\nrule \"x\" when dig(0) == 1 { disable(\"old\") }\n";
    bad_policy(policy).says(&["mine.rhai:"]);
}

#[test]
fn an_import_outside_the_directory() {
    bad_policy("import \"../secrets\" as s;\nrule \"x\" when true { keep(\"x\") }\n")
        .says(&["mine.rhai:1", "../secrets"]);
}

#[test]
fn a_parameter_that_is_not_declared() {
    let config = format!("{POLICIES}[[policy]]\nfile = \"mine.rhai\"\nparams = {{ max_age = \"3d\" }}\n");
    refused(&config, FINE, &["run"]).says(&["max_age", "mine.rhai"]);
}

#[test]
fn a_policy_that_does_not_exist() {
    let config = format!("{POLICIES}[[policy]]\nfile = \"mime.rhai\"\n");
    refused(&config, FINE, &["run"]).says(&["amiwarden.toml:", "mime.rhai", "mine.rhai"]);
}

#[test]
fn an_empty_policy_directory() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.run(&["run", "--sandbox", "--policies", "empty"]).code(2).says(&["empty", ".rhai"]);
    place.run(&["run", "--sandbox", "--policies", "missing"]).code(2).says(&["missing"]);
}

#[test]
fn a_deregister_enforced_without_limits() {
    let policy = "rule \"x\" when image.is_disabled { deregister(\"old\") }\n";
    refused(POLICIES, policy, &["run", "--enforce", "--yes"]).says(&[
        "mine",
        "deregister_per_cycle = 10",
        "share_percent = 10",
        "amiwarden.toml",
    ]);
}

#[test]
fn enforcing_without_anybody_to_ask() {
    let config = format!("{POLICIES}[limits]\nderegister_per_cycle = 1\nshare_percent = 10\n");
    refused(&config, FINE, &["run", "--enforce"]).says(&["--yes"]);
}

#[test]
fn no_credentials() {
    let account = Account::demo();
    let mut place = Place::new();
    place.set("AWS_ENDPOINT_URL", &account.place().environment("AWS_ENDPOINT_URL"));
    place.set("AWS_REGION", "us-east-1");
    place.run(&["run"]).code(2).says(&["no AWS credentials", "--profile"]);
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn a_wrong_region() {
    let account = Account::demo();
    let place = account.place();
    place.run(&["run", "--region", "us-esat-1"]).code(2).says(&["us-esat-1", "Region"]);
    place.run(&["run", "--region", "nonsense"]).code(2).says(&["nonsense", "eu-west-1"]);
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn an_unreadable_database() {
    let account = Account::demo();
    let place = account.place();
    place.write(
        "amiwarden.db",
        "this is no database at all, but long enough to look like a file of something else",
    );
    place.run(&["run"]).code(2).says(&["amiwarden.db"]);
    let text = std::fs::read_to_string(place.path("amiwarden.db")).unwrap();
    assert!(text.starts_with("this is no database"), "it was changed");
    place.run(&["run", "--db", "no/such/directory/a.db"]).code(2).says(&["no/such/directory"]);
}

#[test]
fn a_fleet_that_is_none() {
    let place = Place::new();
    place.write(
        "fleet.json",
        r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "imagse": []}"#,
    );
    place.run(&["run", "--sandbox", "--fleet", "fleet.json"]).code(2).says(&["fleet.json", "imagse"]);
}

#[test]
fn a_plan_and_an_image_that_do_not_exist() {
    let place = Place::new();
    place.run(&["apply", "--sandbox", "plan-nothing"]).code(2).says(&["plan-nothing", "amiwarden plan"]);
    place
        .run(&["explain", "--sandbox", "ami-00000000000000000"])
        .code(2)
        .says(&["ami-00000000000000000", "us-east-1"]);
    place.run(&["history", "--sandbox", "ami-00000000000000000"]).code(2).says(&["ami-00000000000000000"]);
}
