//! What carrying out does to the account, and what the store keeps of it.

use amiwarden_sandbox::ImageState;
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::harness::{Account, Place, having};

const LIMITS: &str = r#"
[limits]
disable_per_cycle = 50
deregister_per_cycle = 10
share_percent = 100
surge_percent = 100
min_age = "1d"
min_hold = "1d"
keep_newest = 0
permanent = "allow"
"#;

/// A place with one policy, the limits above, and an account of these images.
fn scene(policy: &str, images: &str) -> (Account, Place) {
    let fleet =
        format!(r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": {images}}}"#);
    let account = Account::start(&fleet);
    let place = account.place();
    place.write("policies/only.rhai", policy);
    place.write("amiwarden.toml", &format!("[policies]\ndir = \"policies\"\n{LIMITS}"));
    (account, place)
}

fn enforce(place: &Place) -> Value {
    place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json()
}

fn rule(actions: &str) -> String {
    format!("rule \"all\" when true {{ {actions} }}\n")
}

#[test]
fn disable_tags_then_disables_and_saves_who_could_launch() {
    let (account, place) = scene(
        &rule(r#"disable("old")"#),
        r#"[{"name": "web-1", "created": "-100d", "tags": {"Env": "dev"}, "launch_permissions": ["444455556666"]}]"#,
    );
    let report = enforce(&place);
    assert_eq!(report["steps"][0]["outcome"], "done");
    let image = account.cloud().image_named("web-1").unwrap();
    assert_eq!(image.state, ImageState::Disabled);
    assert!(image.tags.contains_key("amiwarden:disabled-at"));
    let changes: Vec<String> = account.applied().into_iter().map(|request| request.action).collect();
    assert_eq!(changes, ["CreateTags", "DisableImage"]);

    let history = place.run(&["history", &image.id, "--format", "json"]).code(0).json();
    let intended =
        history["events"].as_array().unwrap().iter().find(|event| event["details"]["event"] == "intended");
    let before = &intended.unwrap()["details"]["before"];
    assert_eq!(before["launch_permissions"], serde_json::json!(["444455556666"]));
    assert_eq!(before["image"]["tags"], serde_json::json!({"Env": "dev"}));
}

#[test]
fn p1_every_change_has_an_intent_and_an_outcome() {
    let (account, place) = scene(
        &rule(r#"[tag(#{Seen: "yes"}, "seen"), disable("old")]"#),
        r#"[{"name": "web-1", "created": "-100d"}, {"name": "web-2", "created": "-90d"}]"#,
    );
    enforce(&place);
    let mut pairs = 0;
    for image in account.cloud().images() {
        let history = place.run(&["history", &image.id, "--format", "json"]).code(0).json();
        let events = history["events"].as_array().unwrap();
        let of = |kind: &str| {
            let of_kind = events.iter().filter(|event| event["details"]["event"] == kind);
            of_kind.map(|event| event["details"]["intent_id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(of("intended"), of("outcome"));
        pairs += of("intended").len();
    }
    assert_eq!(pairs, 4);
}

#[test]
fn strips_take_exactly_the_unwanted_grants() {
    let organization = "arn:aws:organizations::111122223333:organization/o-acme123456";
    let (account, place) = scene(
        &rule(&format!(
            r#"[strip_public("never public"), strip_shares(#{{except_accounts: ["222233334444"], except_organizations: ["{organization}"]}}, "unknown")]"#
        )),
        &format!(
            r#"[{{"name": "base-1", "created": "-10d",
                 "launch_permissions": ["all", "222233334444", "999988887777", "{organization}"]}}]"#
        ),
    );
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 2, "{}", report["steps"]);
    let left = account.cloud().image_named("base-1").unwrap().launch_permissions;
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    assert_eq!(left, ["222233334444", organization]);
}

#[test]
fn attributes_tags_protection_and_deprecation_are_real() {
    let (account, place) = scene(
        &rule(
            r#"[set_description("kept by policy", "described"), require_imdsv2("required"),
                tag(#{Owner: "web"}, "owned"), untag(["Old"], "renamed"), protect("precious"),
                deprecate(image.created_at + 30.days, "old"), share(#{accounts: ["222233334444"]}, "partner")]"#,
        ),
        r#"[{"name": "base-1", "created": "-100d", "tags": {"Old": "x", "Env": "prod"}}]"#,
    );
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 7, "{}", report["steps"]);
    let image = account.cloud().image_named("base-1").unwrap();
    assert_eq!(image.description.as_deref(), Some("kept by policy"));
    assert_eq!(image.imds_support.as_deref(), Some("v2.0"));
    assert_eq!(image.tags.get("Owner").map(String::as_str), Some("web"));
    assert!(!image.tags.contains_key("Old") && image.tags.contains_key("Env"));
    assert!(image.deprecated_at.is_some());
    assert_eq!(image.launch_permissions.len(), 1);

    let again = enforce(&place);
    assert_eq!(again["totals"]["steps"], 0, "{}", again["steps"]);
}

#[test]
fn deregister_deletes_snapshots_only_when_asked_and_records_each() {
    let image = r#"[{"name": "web-1", "created": "-100d", "state": "disabled",
        "snapshots": [{"id": "snap-0000000000000000a", "size_gib": 8}]}]"#;
    for (action, left) in [(r#"deregister("gone")"#, 1), (r#"deregister(#{snapshots: "delete"}, "gone")"#, 0)]
    {
        let (account, place) = scene(&rule(action), image);
        // The hold begins when amiwarden first sees the image disabled, so the first run holds it back.
        let first = enforce(&place);
        assert_eq!(first["held"][0]["guard"], "minimum-hold", "{first}");
        place.write(
            "amiwarden.toml",
            &format!(
                "[policies]\ndir = \"policies\"\n{}",
                LIMITS.replace("min_hold = \"1d\"", "min_hold = \"0d\"")
            ),
        );
        let second = enforce(&place);
        assert_eq!(second["steps"][0]["outcome"], "done", "{second}");
        assert!(account.cloud().image_named("web-1").is_none());
        assert_eq!(account.cloud().snapshots().len(), left);
        assert_eq!(second["steps"][0]["snapshots"].as_array().unwrap().len(), 1 - left);
    }
}

#[test]
fn apply_carries_out_exactly_the_plan_that_was_made() {
    let (account, place) = scene(
        &rule(r#"disable("old")"#),
        r#"[{"name": "web-1", "created": "-100d"}, {"name": "web-2", "created": "-90d"}]"#,
    );
    let plan = place.run(&["plan", "--format", "json"]).code(0).json();
    assert_eq!(plan["totals"]["steps"], 2);
    assert!(account.applied().is_empty());
    // Somebody tags one of the images in the meantime.
    let changed = account.cloud().image_named("web-2").unwrap().id;
    account.cloud().update(|world| {
        world.images.get_mut(&changed).unwrap().tags.insert("Hands".to_owned(), "off".to_owned());
    });
    let plan_id = plan["plan_id"].as_str().unwrap();
    let report = place.run(&["apply", plan_id, "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["plan_id"], plan["plan_id"]);
    assert_eq!(having(&report["steps"], &[("name", "web-1"), ("outcome", "done")]).len(), 1, "{report}");
    assert_eq!(having(&report["steps"], &[("name", "web-2"), ("outcome", "skipped-changed")]).len(), 1);
    assert_eq!(account.cloud().image(&changed).unwrap().state, ImageState::Available);

    let again = place.run(&["apply", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(
        having(&again["steps"], &[("name", "web-1"), ("outcome", "already-done")]).len(),
        1,
        "{again}"
    );
}

#[test]
fn p3_apply_does_nothing_that_todays_configuration_would_not() {
    let policy = rule(r#"[disable("old"), tag(#{Team: "web"}, "owned")]"#);
    let (account, place) = scene(&policy, r#"[{"name": "web-1", "created": "-100d"}]"#);
    place.run(&["plan"]).code(0);
    let outcomes = |config: &str, policy: &str| {
        place.write("amiwarden.toml", config).write("policies/only.rhai", policy);
        let report = place.run(&["apply", "--enforce", "--yes", "--format", "json"]).code(0).json();
        let steps = report["steps"].as_array().unwrap().clone();
        steps.iter().map(|step| step["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let config = format!("[policies]\ndir = \"policies\"\n{LIMITS}");
    let observing = format!("{config}[[policy]]\nfile = \"only.rhai\"\nmode = \"observe\"\n");
    assert_eq!(outcomes(&observing, &policy), ["not-attempted", "not-attempted"]);
    let no_more = config.replace("disable_per_cycle = 50", "disable_per_cycle = 0");
    let other_tag = rule(r#"[disable("old"), tag(#{Team: "api"}, "owned")]"#);
    assert_eq!(outcomes(&no_more, &other_tag), ["skipped-changed", "skipped-changed"]);
    assert!(account.applied().is_empty());
}

#[test]
fn p3_an_observing_policy_adds_nothing_to_what_is_carried_out() {
    let (account, place) = scene(
        &rule(r#"[tag(#{Cost: "1"}, "counted"), share(#{accounts: ["222233334444"]}, "partner")]"#),
        r#"[{"name": "web-1", "created": "-100d"}]"#,
    );
    let other = rule(r#"[tag(#{Secret: "1"}, "tried"), share(#{accounts: ["999988887777"]}, "tried")]"#);
    place.write("policies/other.rhai", &other);
    let observing = "[[policy]]\nfile = \"other.rhai\"\nmode = \"observe\"\n";
    place.write("amiwarden.toml", &format!("[policies]\ndir = \"policies\"\n{LIMITS}{observing}"));
    enforce(&place);
    let image = account.cloud().image_named("web-1").unwrap();
    assert!(image.tags.contains_key("Cost") && !image.tags.contains_key("Secret"), "{:?}", image.tags);
    let shared: Vec<String> = image.launch_permissions.iter().map(ToString::to_string).collect();
    assert_eq!(shared, ["222233334444"]);
}

#[test]
fn p2_apply_skips_what_came_into_use_since_the_plan() {
    let (account, place) = scene(&rule(r#"disable("old")"#), r#"[{"name": "web-1", "created": "-100d"}]"#);
    place.run(&["plan"]).code(0);
    let image = account.cloud().image_named("web-1").unwrap();
    let used = Account::demo().cloud().world().instances.into_values().next().unwrap();
    account.cloud().update(|world| {
        let mut instance = used;
        instance.image_id.clone_from(&image.id);
        instance.region.clone_from(&image.region);
        world.instances.insert(instance.id.clone(), instance);
    });
    let report = place.run(&["apply", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["steps"][0]["outcome"], "skipped-changed", "{report}");
    assert!(report["steps"][0]["outcome_detail"].as_str().unwrap().contains("usage-proof"));
    assert!(account.applied().is_empty());
}

#[test]
fn p4_apply_stores_the_proof_of_today_and_not_that_of_the_plan() {
    let (_account, place) = scene(&rule(r#"disable("old")"#), r#"[{"name": "web-1", "created": "-100d"}]"#);
    place.run(&["plan"]).code(0);
    // A source that is switched off since shows which of the two proofs it is.
    let config = format!("[policies]\ndir = \"policies\"\n{LIMITS}");
    place
        .write("amiwarden.toml", &format!("{config}[usage]\ndisabled_sources = [\"spot-fleet-requests\"]\n"));
    let report = place.run(&["apply", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    let step = stored_step(&place);
    let findings = step["proof"].as_array().unwrap();
    assert!(!findings.is_empty(), "{step}");
    assert_eq!(
        having(&step["proof"], &[("source", "spot-fleet-requests"), ("result", "switched-off")]).len(),
        1,
        "{step}"
    );
}

/// The only step that was ever written down.
fn stored_step(place: &Place) -> Value {
    let options = SqliteConnectOptions::new().filename(place.path("amiwarden.db"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let step: String = runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        sqlx::query_scalar("select step from intent").fetch_one(&mut connection).await.unwrap()
    });
    serde_json::from_str(&step).unwrap()
}

#[test]
fn surge_trips_with_exit_code_4_until_a_person_accepts() {
    let (account, place) = scene(
        &rule(r#"disable("old")"#),
        r#"[{"name": "a", "created": "-100d"}, {"name": "b", "created": "-90d"}, {"name": "c", "created": "-80d"}]"#,
    );
    let limits = LIMITS.replace("surge_percent = 100", "surge_percent = 25");
    place.write("amiwarden.toml", &format!("[policies]\ndir = \"policies\"\n{limits}"));
    let arguments = ["run", "--enforce", "--yes", "--format", "json"];
    let tripped = place.run(&arguments).code(4).json();
    assert_eq!(having(&tripped["held"], &[("guard", "surge")]).len(), 3, "{tripped}");
    assert!(account.applied().is_empty());
    place.run(&["accept", tripped["plan_id"].as_str().unwrap()]).code(0).says(&["3 changes accepted"]);
    let accepted = place.run(&arguments).code(0).json();
    assert_eq!(accepted["totals"]["done"], 3, "{accepted}");
}

#[test]
fn a_policy_that_only_observes_is_rehearsed_and_not_carried_out() {
    let (account, place) = scene(&rule(r#"disable("old")"#), r#"[{"name": "web-1", "created": "-100d"}]"#);
    let observing = "[[policy]]\nfile = \"only.rhai\"\nmode = \"observe\"\n";
    place.write("amiwarden.toml", &format!("[policies]\ndir = \"policies\"\n{LIMITS}{observing}"));
    let report = enforce(&place);
    assert_eq!(report["steps"][0]["rehearsal"], "permitted");
    assert_eq!(report["steps"][0]["outcome"], "not-attempted");
    assert!(account.applied().is_empty());
}

#[test]
fn p5_nothing_is_asked_that_no_policy_needs() {
    let (account, place) = scene(
        &rule(r#"require_imdsv2("required")"#),
        r#"[{"name": "a", "created": "-100d"}, {"name": "b", "created": "-90d"}]"#,
    );
    place.run(&["plan"]).code(0);
    let mut actions: Vec<String> =
        account.cloud().requests().into_iter().map(|request| request.action).collect();
    actions.dedup();
    assert_eq!(actions, ["GetCallerIdentity", "DescribeImages"]);
}
