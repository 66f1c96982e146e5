//! Undo: what was carried out is taken back by one command, and what cannot be is said.

use std::collections::BTreeMap;

use amiwarden_sandbox::{Fleet, ImageState, WholeImage};
use serde_json::Value;

use crate::harness::{Account, Place, having};

const LIMITS: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 1000
deregister_per_cycle = 1000
other_per_cycle = 5000
share_percent = 100
surge_percent = 100
min_age = "0d"
min_hold = "0d"
keep_newest = 0
ladder = "any"
settle_after = "0s"
"#;

const BIN: &str = r#""recycle_bin_rules": [
    {"resource": "image", "retention_days": 30}, {"resource": "snapshot", "retention_days": 30}
]"#;

/// A place with one policy, and an account of these images with a Recycle Bin that holds everything.
fn scene(policy: &str, images: &str) -> (Account, Place) {
    let fleet = format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": {images}, {BIN}}}"#
    );
    let account = Account::start(&fleet);
    let place = place(&account, policy);
    (account, place)
}

fn place(account: &Account, policy: &str) -> Place {
    let place = account.place();
    place.write("amiwarden.toml", LIMITS).write("policies/only.rhai", policy);
    place
}

fn enforce(place: &Place) -> Value {
    place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json()
}

fn undo(place: &Place, what: &str, code: i32) -> Value {
    place.run(&["undo", what, "--yes", "--format", "json"]).code(code).json()
}

fn rule(actions: &str) -> String {
    format!("rule \"all\" when true {{ {actions} }}\n")
}

/// Every image with its snapshots. EC2 knows an empty description, but no way back to none: the two are the same.
fn everything(account: &Account) -> BTreeMap<String, Option<WholeImage>> {
    let cloud = account.cloud();
    let whole = |id: &str| {
        let mut whole = cloud.whole_image(id)?;
        whole.image.description = whole.image.description.filter(|text| !text.is_empty());
        Some(whole)
    };
    cloud.images().into_iter().map(|image| (image.id.clone(), whole(&image.id))).collect()
}

/// One thing or several to each image, by the last digit of its id.
const VARIED: &str = r#"
rule "unshare" when image.id.ends_with("0") || image.id.ends_with("1") {
    [strip_public("x"), strip_shares("x")]
}
rule "describe" when image.id.ends_with("2") || image.id.ends_with("3") {
    [set_description("another text", "x"), tag(#{ Owner0: "nobody", New: "" }, "x"), untag(["with space0", "CaSe0", "Owner1", "部署1"], "x")]
}
rule "protect" when image.id.ends_with("4") && !image.is_protected { protect("x") }
rule "unprotect" when image.id.ends_with("4") { unprotect("x") }
rule "share" when image.id.ends_with("5") && image.is_available { share(#{ accounts: ["999988887777"] }, "x") }
rule "deprecate" when image.id.ends_with("6") { deprecate(now + 3.days, "x") }
rule "enable" when image.id.ends_with("7") && image.is_disabled { enable("x") }
rule "all" when image.id.ends_with("8") || image.id.ends_with("9") {
    [strip_shares("x"), tag(#{ Owner0: "nobody" }, "x"), disable("x")]
}
rule "disable" when image.id.ends_with("a") || image.id.ends_with("b") { disable("x") }
rule "deregister" when image.id.ends_with("c") || image.id.ends_with("d") { deregister("x") }
rule "all of it" when image.id.ends_with("e") || image.id.ends_with("f") {
    deregister(#{ snapshots: "delete" }, "x")
}
"#;

#[test]
fn p3_apply_then_undo_gives_back_a_thousand_identical_images() {
    let mut fleet = Fleet::varied(1000, 20_261_121);
    let rules = format!(r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", {BIN}}}"#);
    fleet.recycle_bin_rules = Fleet::from_json(&rules).unwrap().recycle_bin_rules;
    let account = Account::with(fleet, |_| {});
    let place = place(&account, VARIED);
    let before = everything(&account);
    assert_eq!(before.len(), 1000);

    // Images with fifty tags take no other, not even the one that dates a disable.
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(1).json();
    let done = having(&report["steps"], &[("outcome", "done")]);
    assert!(done.len() > 800, "{} of {} steps", done.len(), report["totals"]["steps"]);
    for failed in having(&report["steps"], &[("outcome", "failed")]) {
        assert!(failed["outcome_detail"].as_str().unwrap().contains("TagLimitExceeded"), "{failed}");
    }
    for action in
        ["strip_public", "strip_shares", "share", "set_description", "tag", "untag", "protect", "unprotect"]
            .into_iter()
            .chain(["deprecate", "enable", "disable", "deregister"])
    {
        assert!(!having(&report["steps"], &[("action", action), ("outcome", "done")]).is_empty(), "{action}");
    }
    let between = everything(&account);
    let changed = before.iter().filter(|(id, image)| between.get(*id) != Some(image)).count();
    assert!(changed > 500, "{changed}");

    let plan = report["plan_id"].as_str().unwrap();
    let undone = place.run(&["undo", plan, "--yes", "--format", "json"]).code(1).json();
    let mut irreversible: BTreeMap<String, String> = BTreeMap::new();
    let is_done = |step: &&Value| step["outcome"] == "done" || step["outcome"] == "already-done";
    for step in undone["steps"].as_array().unwrap().iter().filter(|step| !is_done(step)) {
        let detail = step["outcome_detail"].as_str().unwrap();
        assert!(detail.contains("TagLimitExceeded"), "{step}");
        irreversible.insert(step["image_id"].as_str().unwrap().to_owned(), detail.to_owned());
    }
    for kept in undone["kept"].as_array().unwrap() {
        let reason = kept["reason"].as_str().unwrap();
        assert!(reason.contains("public image"), "{kept}");
        irreversible.insert(kept["image_id"].as_str().unwrap().to_owned(), reason.to_owned());
    }
    assert!(irreversible.len() < 10, "{irreversible:?}");
    let after = everything(&account);
    for (id, image) in before.iter().filter(|(id, _)| !irreversible.contains_key(*id)) {
        assert_eq!(after.get(id), Some(image), "{id}");
    }
    assert_eq!(after.len(), before.len());
}

#[test]
fn an_image_is_given_back_with_everyone_who_could_launch_it() {
    let (account, place) = scene(
        &rule(r#"disable("old")"#),
        r#"[{"name": "web-1", "created": "-100d", "launch_permissions": ["444455556666", "all",
            "arn:aws:organizations::111122223333:organization/o-acme123456"]}]"#,
    );
    let before = everything(&account);
    enforce(&place);
    let id = before.keys().next().unwrap();
    assert_eq!(account.cloud().whole_image(id).unwrap().image.state, ImageState::Disabled);
    let report = undo(&place, id, 0);
    let actions: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["enable", "share"]);
    assert_eq!(everything(&account), before);
    // An undo is a change like any other: it has an intent, an outcome, a plan that can itself be undone.
    let again = undo(&place, report["plan_id"].as_str().unwrap(), 0);
    assert_eq!(again["steps"][0]["action"], "disable", "{again}");
    assert_eq!(account.cloud().whole_image(id).unwrap().image.state, ImageState::Disabled);
    undo(&place, id, 0);
    assert_eq!(everything(&account), before);
}

#[test]
fn one_step_of_a_plan_is_undone_and_the_others_stay() {
    let (account, place) = scene(
        &rule(r#"[tag(#{ Env: "prod" }, "t"), set_description("new", "d")]"#),
        r#"[{"name": "web-1", "created": "-100d", "description": "old", "tags": {"Env": "dev"}}]"#,
    );
    let report = enforce(&place);
    let place_of = |action: &str| {
        let steps = report["steps"].as_array().unwrap();
        steps.iter().position(|step| step["action"] == action).unwrap() + 1
    };
    let step = format!("{}/{}", report["plan_id"].as_str().unwrap(), place_of("tag"));
    undo(&place, &step, 0);
    let image = account.cloud().image_named("web-1").unwrap();
    assert_eq!(image.tags["Env"], "dev");
    assert_eq!(image.description.as_deref(), Some("new"));
    let unknown = format!("{}/9", report["plan_id"].as_str().unwrap());
    place.run(&["undo", &unknown, "--yes"]).code(2).says(&["steps 1 to 2"]);
}

#[test]
fn what_somebody_has_changed_since_is_left_alone_and_said() {
    let (account, place) = scene(
        &rule(r#"[tag(#{ Env: "prod", Team: "a" }, "t")]"#),
        r#"[{"name": "web-1", "created": "-100d", "tags": {"Env": "dev"}}]"#,
    );
    let report = enforce(&place);
    let id = report["steps"][0]["image_id"].as_str().unwrap().to_owned();
    account.cloud().update(|world| {
        let image = world.images.get_mut(&id).unwrap();
        image.tags.insert("Env".to_owned(), "theirs".to_owned());
        image.tags.insert("amiwarden:keep".to_owned(), String::new());
    });
    let undone = undo(&place, &id, 0);
    let image = account.cloud().image_named("web-1").unwrap();
    assert_eq!(image.tags["Env"], "theirs");
    assert!(!image.tags.contains_key("Team"), "the opt-out tag does not hold an undo: {undone}");
    let reason = undone["kept"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("somebody has changed it since"), "{reason}");
}

#[test]
fn what_cannot_be_undone_is_said_before_and_after() {
    let (account, place) =
        scene(&rule(r#"require_imdsv2("safer")"#), r#"[{"name": "web-1", "created": "-100d"}]"#);
    let report = enforce(&place);
    let plan = report["plan_id"].as_str().unwrap();
    let undone = undo(&place, plan, 1);
    assert_eq!(undone["totals"]["steps"], 0);
    let reason = undone["kept"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("no way back from requiring IMDSv2"), "{reason}");
    assert_eq!(account.applied().len(), 1);
}

#[test]
fn a_deregistered_image_outside_the_recycle_bin_is_gone_and_said_to_be() {
    let fleet = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1",
        "images": [{"name": "web-1", "created": "-100d"}]}"#;
    let account = Account::start(fleet);
    let place = place(&account, &rule(r#"deregister("old")"#));
    let held = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(held["held"][0]["guard"], "recycle-bin", "{held}");
    place.write("amiwarden.toml", &format!("{LIMITS}permanent = \"allow\"\n"));
    let report = enforce(&place);
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    let undone = undo(&place, report["plan_id"].as_str().unwrap(), 1);
    let reason = undone["kept"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not in the Recycle Bin"), "{reason}");
}

#[test]
fn p1_a_lost_reply_to_a_restore_is_settled_by_reading() {
    use amiwarden_sandbox::{Fault, FaultKind};
    let (account, place) = scene(
        &rule(r#"deregister(#{ snapshots: "delete" }, "old")"#),
        r#"[{"name": "web-1", "created": "-100d", "tags": {"Env": "dev"}}]"#,
    );
    let before = everything(&account);
    let report = enforce(&place);
    assert!(account.cloud().images().is_empty());
    account.cloud().inject(Fault::new("RestoreImageFromRecycleBin", FaultKind::ResetAfter).real_only());
    let undone = undo(&place, report["plan_id"].as_str().unwrap(), 0);
    assert_eq!(undone["steps"][0]["outcome"], "done", "{undone}");
    assert_eq!(everything(&account), before);
    assert_eq!(account.count("RestoreImageFromRecycleBin"), 1);
}

#[test]
fn an_undo_asks_first() {
    let (account, place) = scene(&rule(r#"disable("old")"#), r#"[{"name": "web-1", "created": "-100d"}]"#);
    let report = enforce(&place);
    let plan = report["plan_id"].as_str().unwrap();
    let applied = account.applied().len();
    place.run(&["undo", plan]).code(2).says(&["--yes"]);
    assert_eq!(account.applied().len(), applied);
    place.run(&["undo", "plan-does-not-exist", "--yes"]).code(2).says(&["there is no plan"]);
    place.run(&["undo", "ami-00000000000000000", "--yes"]).code(2).says(&["amiwarden history"]);
}

/// How often each of these was asked for while `act` was at work.
fn asked(account: &Account, actions: &[&str], act: impl FnOnce()) -> Vec<usize> {
    let count = || actions.iter().map(|action| account.count(action)).collect::<Vec<_>>();
    let before = count();
    act();
    count().iter().zip(before).map(|(after, before)| after - before).collect()
}

#[test]
fn p5_an_undo_of_many_images_reads_each_source_once() {
    let images: Vec<String> = (0..6)
        .map(|n| format!(r#"{{"name": "web-{n}", "created": "-100d", "state": "disabled"}}"#))
        .collect();
    let (account, place) = scene(&rule(r#"enable("wanted again")"#), &format!("[{}]", images.join(",")));
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 6, "{report}");
    // Disabling them again needs the proof that nothing uses them.
    let sources = ["DescribeInstances", "DescribeLaunchTemplateVersions", "DescribeFleets"];
    let plan = report["plan_id"].as_str().unwrap();
    let counts = asked(&account, &sources, || {
        let undone = undo(&place, plan, 0);
        assert_eq!(having(&undone["steps"], &[("action", "disable"), ("outcome", "done")]).len(), 6);
    });
    assert_eq!(counts, [1, 1, 1]);

    place.write("policies/only.rhai", &rule(r#"deregister("old")"#));
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 6, "{report}");
    let counts = asked(&account, &["ListImagesInRecycleBin", "ListSnapshotsInRecycleBin"], || {
        undo(&place, report["plan_id"].as_str().unwrap(), 0);
    });
    assert_eq!(counts, [1, 1]);
}

#[test]
fn what_waits_for_a_disable_that_is_held_is_kept_and_said() {
    let (account, place) = scene(
        &rule(r#"[tag(#{ Env: "prod" }, "t"), enable("wanted again")]"#),
        r#"[{"name": "web-1", "created": "-100d", "state": "disabled", "tags": {"Env": "dev"}}]"#,
    );
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 2, "{report}");
    // Somebody launches it.
    let image = account.cloud().image_named("web-1").unwrap();
    let launched = Account::demo().cloud().world().instances.into_values().next().unwrap();
    account.cloud().update(|world| {
        let mut instance = launched;
        instance.image_id.clone_from(&image.id);
        instance.region.clone_from(&image.region);
        world.instances.insert(instance.id.clone(), instance);
    });
    let applied = account.applied().len();
    let undone =
        place.run(&["undo", report["plan_id"].as_str().unwrap(), "--yes", "--format", "json"]).json();
    assert_eq!(
        having(&undone["held"], &[("action", "disable"), ("guard", "usage-proof")]).len(),
        1,
        "{undone}"
    );
    let reasons: Vec<&str> =
        undone["kept"].as_array().unwrap().iter().map(|kept| kept["reason"].as_str().unwrap()).collect();
    let waits = "tag is not undone: it waits for the image to be disabled again, which is held";
    assert_eq!(reasons, [waits], "{undone}");
    assert_eq!(account.applied().len(), applied);
}
