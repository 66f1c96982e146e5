//! Many accounts and Regions in one run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use amiwarden_sandbox::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::harness::{Account, Place, having};

const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"];
const OWN: &str = "111122223333";
const OTHER: &str = "222233334444";

const LIMITS: &str = r#"
[limits]
disable_per_cycle = 1000
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

const POLICY: &str = "rule \"all\" when true { disable(\"old\") }\n";

fn place(account: &Account, config: &str) -> Place {
    let place = account.place();
    place.write("policies/only.rhai", POLICY);
    place.write("amiwarden.toml", &format!("[policies]\ndir = \"policies\"\n{config}{LIMITS}"));
    place
}

/// The fleet's account and others, each with a role of the default name, which hold all this.
fn fleet(accounts: &[String], images: &[Value], instances: &[Value]) -> String {
    let others = accounts.iter().map(|id| json!({ "id": id, "role": "amiwarden" }));
    let accounts: Vec<Value> = std::iter::once(json!({ "id": OWN })).chain(others).collect();
    json!({
        "schema": 1, "account": OWN, "region": REGIONS[0], "regions": REGIONS, "accounts": accounts,
        "images": images, "instances": instances,
    })
    .to_string()
}

fn image(name: &str, account: &str, region: &str) -> Value {
    json!({ "name": name, "account": account, "region": region, "created": "-100d" })
}

fn gap_of<'a>(report: &'a Value, account: &str, region: &str) -> Vec<&'a Value> {
    let scopes = having(&report["scopes"], &[("account", account), ("region", region)]);
    assert_eq!(scopes.len(), 1, "{account}/{region}: {}", report["scopes"]);
    having(&scopes[0]["gaps"], &[("source", "images")])
}

#[test]
fn fifty_accounts_in_four_regions_are_one_run() {
    let accounts: Vec<String> = (1..50).map(|number| format!("2222{number:08}")).collect();
    let all: Vec<&str> = accounts.iter().map(String::as_str).chain([OWN]).collect();
    let images: Vec<Value> =
        all.iter().flat_map(|account| REGIONS.map(|region| image("web-1", account, region))).collect();
    let account = Account::start(&fleet(&accounts, &images, &[]));
    let regions = REGIONS.map(|region| format!("\"{region}\"")).join(", ");
    let place = place(&account, &format!("[aws]\nregions = [{regions}]\n[organization]\nenabled = true\n"));
    let report = place.run(&["run", "--format", "json"]).code(0).json();
    assert_eq!(report["scopes"].as_array().unwrap().len(), 200);
    assert_eq!((&report["totals"]["images"], &report["totals"]["steps"]), (&json!(200), &json!(200)));
    let permitted = having(&report["steps"], &[("rehearsal", "permitted")]);
    assert_eq!(permitted.len(), 200, "{}", report["totals"]);

    let requests = account.cloud().requests();
    let listed: BTreeSet<(&str, &str)> = requests
        .iter()
        .filter(|request| request.action == "DescribeImages")
        .map(|request| (request.account.as_str(), request.region.as_str()))
        .collect();
    assert_eq!(listed.len(), 200);
    let session = format!("amiwarden-{}", report["run_id"].as_str().unwrap());
    let sessions: Vec<&str> = requests
        .iter()
        .filter(|request| request.action == "AssumeRole")
        .map(|request| request.parameters["RoleSessionName"].as_str())
        .collect();
    assert_eq!(sessions, vec![session.as_str(); 49], "one session for each account");
    let agent = format!("app/{session}");
    assert!(requests.iter().all(|request| request.user_agent.contains(&agent)), "{agent}");
    assert_eq!(account.applied(), [], "it only observes");
}

#[test]
fn an_account_and_a_region_that_fail_stop_no_others() {
    let denied = "333344445555";
    let accounts = [OTHER.to_owned(), denied.to_owned()];
    let images: Vec<Value> = [OWN, OTHER, denied]
        .into_iter()
        .flat_map(|account| ["us-east-1", "us-west-2"].map(|region| image("web-1", account, region)))
        .collect();
    let account = Account::start(&fleet(&accounts, &images, &[]));
    account.cloud().inject(Fault::new("AssumeRole", FaultKind::Denied).account(denied).every_time());
    let broken =
        Fault::new("DescribeImages", FaultKind::ServerErrorBefore).account(OTHER).region("us-west-2");
    account.cloud().inject(broken.every_time());
    let mut config = "[aws]\nregions = [\"us-east-1\", \"us-west-2\"]\n".to_owned();
    for (id, role) in [(OWN, ""), (OTHER, "role = \"amiwarden\""), (denied, "role = \"amiwarden\"")] {
        write!(config, "[[account]]\nid = \"{id}\"\n{role}\n").unwrap();
    }
    // What others may use is not the question here.
    config.push_str("[usage]\ndisabled_sources = [\"other-accounts\"]\n");
    let place = place(&account, &config);
    let arguments = ["run", "--enforce", "--yes", "--format", "json"];
    let report = place.run(&arguments).code(1).json();
    for region in ["us-east-1", "us-west-2"] {
        let gaps = gap_of(&report, denied, region);
        let reason = gaps[0]["reason"].as_str().unwrap();
        assert!(reason.contains("role/amiwarden cannot be assumed"), "{reason}");
        assert_eq!(gap_of(&report, OWN, region).len(), 0);
    }
    assert_eq!(gap_of(&report, OTHER, "us-west-2").len(), 1);
    assert_eq!(gap_of(&report, OTHER, "us-east-1").len(), 0);
    let done: BTreeSet<(String, String)> = account
        .applied()
        .into_iter()
        .filter(|request| request.action == "DisableImage")
        .map(|request| (request.account, request.region))
        .collect();
    let expected = [(OTHER, "us-east-1"), (OWN, "us-east-1"), (OWN, "us-west-2")];
    assert_eq!(done, expected.map(|(account, region)| (account.to_owned(), region.to_owned())).into());
    // In words, too.
    let text = place.run(&["plan"]).code(1).out;
    assert!(text.contains(denied) && text.contains("cannot be assumed"), "{text}");
}

#[test]
fn what_another_account_uses_is_held_and_what_it_may_use_is_too() {
    let images = [image("shared-1", OWN, "us-east-1"), image("idle-1", OWN, "us-east-1")];
    let instances = [json!({ "image": "shared-1", "account": OTHER })];
    let account = Account::start(&fleet(&[OTHER.to_owned()], &images, &instances));
    let config =
        format!("[[account]]\nid = \"{OWN}\"\n[[account]]\nid = \"{OTHER}\"\nrole = \"amiwarden\"\n");
    let place = place(&account, &config);
    let report = place.run(&["run", "--format", "json"]).code(0).json();
    let held = having(&report["held"], &[("name", "shared-1")]);
    assert_eq!(held.len(), 1, "{report:#}");
    let world = account.cloud().world();
    let instance = world.members[OTHER].instances.keys().next().unwrap();
    assert!(held[0]["reason"].as_str().unwrap().contains(instance), "{}", held[0]);
    assert_eq!(having(&report["steps"], &[("name", "idle-1")]).len(), 1, "{}", report["held"]);
    let id = account.cloud().image_named("shared-1").unwrap().id;
    let text = place.run(&["explain", &id]).code(0).out;
    assert!(text.contains(instance), "{text}");

    // An account that cannot be read may use anything.
    account.cloud().inject(Fault::new("AssumeRole", FaultKind::Denied).every_time());
    let report = place.run(&["run", "--format", "json"]).code(1).json();
    assert_eq!(report["steps"], json!([]));
    for name in ["shared-1", "idle-1"] {
        assert_eq!(having(&report["held"], &[("name", name)]).len(), 1, "{}", report["held"]);
    }
}

#[test]
fn p2_an_undo_does_not_disable_what_another_account_uses_or_may_use() {
    let disabled = |name: &str| json!({ "name": name, "account": OWN, "region": REGIONS[0], "created": "-100d", "state": "disabled" });
    let other = [OTHER.to_owned()];
    let used = json!([{ "image": "web-1", "account": OTHER }]);
    let account =
        Account::start(&fleet(&other, &[disabled("web-1"), disabled("web-2")], used.as_array().unwrap()));
    let place = place(
        &account,
        &format!("[[account]]\nid = \"{OWN}\"\n[[account]]\nid = \"{OTHER}\"\nrole = \"amiwarden\"\n"),
    );
    place.write("policies/only.rhai", "rule \"all\" when image.is_disabled { enable(\"wanted\") }\n");
    let done = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(done["totals"]["done"], 2, "{done}");
    let plan = done["plan_id"].as_str().unwrap();
    let held =
        |report: &Value| having(&report["held"], &[("action", "disable"), ("guard", "usage-proof")]).len();

    account.cloud().inject(Fault::new("AssumeRole", FaultKind::Denied).every_time());
    let shut = place.run(&["undo", plan, "--yes", "--format", "json"]).json();
    assert_eq!(held(&shut), 2, "nobody can tell what the other account uses: {shut}");
    assert_eq!(account.count("DisableImage"), 0);

    account.cloud().clear_faults();
    let open = place.run(&["undo", plan, "--yes", "--format", "json"]).json();
    assert_eq!(held(&open), 1, "{open}");
    assert_eq!(account.count("DisableImage"), 1);
}

#[test]
fn an_organization_that_cannot_be_listed_fails_the_run_and_holds_everything() {
    let account = Account::start(&fleet(&[OTHER.to_owned()], &[image("idle-1", OWN, "us-east-1")], &[]));
    account.cloud().deny("ListAccounts");
    let place = place(&account, "[organization]\nenabled = true\n");
    let report = place.run(&["run", "--format", "json"]).code(1).json();
    assert_eq!(report["steps"], json!([]), "accounts that nobody knows of may use it");
    let gaps = having(&report["scopes"][0]["gaps"], &[("source", "other-accounts")]);
    assert!(gaps[0]["reason"].as_str().unwrap().contains("organizations:ListAccounts"), "{}", gaps[0]);
}
