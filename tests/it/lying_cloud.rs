//! Clouds that lie, fail, or tell half the truth: not one destructive request takes effect, and the report says why.
//!
//! Every case begins with the same account, of which an honest run has been recorded and in which, as the first test
//! shows, there is a lot to do. Then the cloud begins to lie, and an enforcing run with limits wide open must not
//! disable, deregister or delete anything.

use amiwarden_sandbox::{Fault, FaultKind, Fleet, ImageRecord, World};
use serde_json::Value;

use crate::harness::{Account, Finished, Place};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 50
deregister_per_cycle = 50
share_percent = 100
surge_percent = 100
min_age = "1d"
min_hold = "1d"
keep_newest = 0
permanent = "allow"
ladder = "any"
"#;

const POLICY: &str = r#"
rule "pinned" when image.has_tag("Pinned") { keep("it is pinned") }
rule "dropped" when image.has_tag("Drop") && image.age > 30.days { deregister("dropped") }
rule "stale" when image.is_available && image.age > 30.days && image.unused_for > 30.days { disable("stale") }
"#;

const DESTRUCTIVE: [&str; 3] = ["DisableImage", "DeregisterImage", "DeleteSnapshot"];

/// Thirty images: ten to be disabled, ten to be deregistered, ten that instances, templates, groups, tags or recent
/// launches keep.
fn fleet() -> String {
    let mut images = Vec::new();
    for n in 0..10 {
        images
            .push(format!(r#"{{"name": "stale-{n}", "created": "-{}d", "tags": {{"Env": "dev"}}}}"#, 90 + n));
        images.push(format!(
            r#"{{"name": "drop-{n}", "created": "-{}d", "tags": {{"Drop": "yes"}}}}"#,
            200 + n
        ));
    }
    for n in 0..4 {
        images.push(format!(r#"{{"name": "running-{n}", "created": "-300d", "last_launched": "-200d"}}"#));
        images.push(format!(r#"{{"name": "pinned-{n}", "created": "-300d", "tags": {{"Pinned": "yes"}}}}"#));
    }
    images.push(r#"{"name": "template", "created": "-300d"}"#.to_owned());
    images.push(r#"{"name": "launched", "created": "-300d", "last_launched": "-2d"}"#.to_owned());
    images.push(r#"{"name": "theirs", "created": "-300d", "owner": "444455556666"}"#.to_owned());
    let instances: Vec<String> = (0..4).map(|n| format!(r#"{{"image": "running-{n}"}}"#)).collect();
    format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1",
             "images": [{}], "instances": [{}],
             "launch_templates": [{{"name": "web", "versions": [{{"version": 1, "image": "template"}}]}}]}}"#,
        images.join(","),
        instances.join(",")
    )
}

/// The account, after an honest run that changed nothing.
fn seen() -> (Account, Place) {
    seen_in_pages_of(1000)
}

fn seen_in_pages_of(page_size_max: usize) -> (Account, Place) {
    let fleet = Fleet::from_json(&fleet()).unwrap();
    let account = Account::with(fleet, |options| options.page_size_max = page_size_max);
    let place = account.place();
    place.write("amiwarden.toml", CONFIG).write("policies/only.rhai", POLICY);
    let report = place.run(&["run", "--format", "json"]).code(0).json();
    assert_eq!(report["totals"]["steps"], 20, "{report}");
    (account, place)
}

fn enforce(place: &Place) -> Finished {
    place.run(&["run", "--enforce", "--yes", "--format", "json"])
}

/// Requests that took something away.
fn taken_away(account: &Account) -> Vec<String> {
    let applied = account.applied().into_iter().map(|request| request.action);
    applied.filter(|action| DESTRUCTIVE.contains(&action.as_str())).collect()
}

/// Lets the cloud lie and checks that nothing is taken away, and that what is said names the reason.
fn check(lie: impl FnOnce(&Account), said: &str) {
    check_in(seen(), lie, said);
}

fn check_in((account, place): (Account, Place), lie: impl FnOnce(&Account), said: &str) {
    lie(&account);
    let finished = enforce(&place);
    assert_eq!(taken_away(&account), Vec::<String>::new(), "{}\n{}", finished.out, finished.err);
    let text = format!("{}{}", finished.out, finished.err);
    assert!(text.contains(said), "`{said}` is not said:\n{text}");
}

/// Changes the account behind amiwarden's back, as a lie that no error gives away.
fn pretend(change: impl FnOnce(&mut World)) -> impl FnOnce(&Account) {
    move |account| account.cloud().update(change)
}

fn every_image(mut change: impl FnMut(&mut ImageRecord)) -> impl FnOnce(&Account) {
    pretend(move |world| world.images.values_mut().for_each(&mut change))
}

/// From now on, every such request meets this.
fn always(action: &'static str, kind: FaultKind) -> impl FnOnce(&Account) {
    move |account| account.cloud().inject(Fault::new(action, kind).every_time())
}

fn denied(action: &'static str) -> impl FnOnce(&Account) {
    move |account| account.cloud().deny(action)
}

#[test]
fn an_honest_cloud_loses_what_the_policies_say() {
    let (account, place) = seen();
    let report: Value = enforce(&place).code(0).json();
    assert_eq!(report["totals"]["done"], 20, "{report}");
    assert_eq!(taken_away(&account).len(), 20);
}

#[test]
fn p2_an_empty_list() {
    check(pretend(|world| world.images.clear()), "\"guard\": \"collapse\"");
}

#[test]
fn p2_half_a_list_that_claims_to_be_whole() {
    check(always("DescribeImages", FaultKind::FewerItems { keep_percent: 50 }), "\"guard\": \"collapse\"");
}

#[test]
fn p2_a_list_that_ends_early() {
    let lie = always("DescribeImages", FaultKind::EndsEarly);
    check_in(seen_in_pages_of(8), lie, "\"guard\": \"collapse\"");
}

#[test]
fn p2_a_repeated_token() {
    check_in(seen_in_pages_of(8), always("DescribeImages", FaultKind::RepeatedToken), "token");
}

#[test]
fn p2_empty_pages_with_a_token_for_ever() {
    check(always("DescribeInstances", FaultKind::EmptyPage), "\"guard\": \"usage-proof\"");
}

#[test]
fn p2_all_tags_gone() {
    check(always("DescribeImages", FaultKind::TagsGone), "images with tags");
}

#[test]
fn p2_dates_at_the_epoch() {
    check(always("DescribeImages", FaultKind::DatesAtEpoch), "before EC2 existed");
}

#[test]
fn p2_dates_in_the_future() {
    check(always("DescribeImages", FaultKind::DatesInFuture), "lies in the future");
}

#[test]
fn p2_dates_missing() {
    check(always("DescribeImages", FaultKind::DatesMissing), "no creation date");
}

#[test]
fn p2_all_last_launches_gone() {
    check(every_image(|image| image.last_launched_at = None), "images with a last launch");
}

#[test]
fn p2_all_instances_gone() {
    check(pretend(|world| world.instances.clear()), "instances refer to 0 images");
}

#[test]
fn p2_all_templates_gone() {
    check(pretend(|world| world.launch_templates.clear()), "launch-templates refer to 0 images");
}

#[test]
fn p2_the_credentials_of_another_account() {
    check(always("GetCallerIdentity", FaultKind::WrongAccount), "belongs to account");
}

#[test]
fn p2_images_that_somebody_else_owns() {
    check(always("DescribeImages", FaultKind::ForeignImages), "belongs to account");
}

#[test]
fn p2_every_image_changed_hands() {
    check(every_image(|image| image.owner = "999999999999".to_owned()), "\"guard\": \"collapse\"");
}

#[test]
fn p2_each_source_denied_in_turn_and_the_missing_permission_is_named() {
    for action in [
        "DescribeImages",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeAutoScalingGroups",
        "DescribeLaunchConfigurations",
        "DescribeFleets",
        "DescribeSpotFleetRequests",
        "DescribeSpotInstanceRequests",
        "DescribeParameters",
        "DescribeImageReferences",
    ] {
        check(denied(action), action);
    }
}

#[test]
fn p2_each_source_throttled_for_ever() {
    for action in ["DescribeInstances", "DescribeAutoScalingGroups", "DescribeImageReferences"] {
        check(always(action, FaultKind::Throttle), action);
    }
}

#[test]
fn p2_each_source_cut_short() {
    for action in [
        "DescribeImages",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeAutoScalingGroups",
        "DescribeFleets",
        "DescribeImageReferences",
    ] {
        check(always(action, FaultKind::TruncatedBody), action);
    }
}

#[test]
fn p2_server_errors_for_ever() {
    check(always("DescribeImages", FaultKind::ServerErrorBefore), "DescribeImages");
    check(always("DescribeInstances", FaultKind::Unavailable), "DescribeInstances");
    check(always("*", FaultKind::Unavailable), "GetCallerIdentity");
}

#[test]
fn p2_connections_that_break_for_ever() {
    check(always("DescribeInstances", FaultKind::ResetBefore), "DescribeInstances");
    check(always("*", FaultKind::ResetBefore), "");
}

#[test]
fn p2_a_clock_that_is_not_ours() {
    check(always("DescribeImages", FaultKind::ClockSkew { seconds: 3_600 }), "\"guard\": \"clock\"");
    check(always("DescribeImages", FaultKind::ClockSkew { seconds: -3_600 }), "\"guard\": \"clock\"");
}

#[test]
fn p2_rehearsals_that_are_all_denied() {
    let lie = |account: &Account| {
        account.cloud().deny("DisableImage");
        account.cloud().deny("DeregisterImage");
    };
    check(lie, "UnauthorizedOperation");
}

#[test]
fn p2_a_dry_run_that_is_answered_with_success() {
    check(always("DescribeImages", FaultKind::ExecutesDryRun), "DryRun");
}

#[test]
fn p2_every_image_opted_out_meanwhile() {
    let lie = every_image(|image| {
        image.tags.insert("amiwarden:keep".to_owned(), String::new());
    });
    check(lie, "\"guard\": \"opt-out\"");
}

#[test]
fn p2_stale_describes_after_a_lost_reply_send_nothing_twice() {
    let (account, place) = seen();
    let cloud = account.cloud();
    cloud.inject(Fault::new("DisableImage", FaultKind::ResetAfter).real_only().every_time());
    cloud.deny("DeregisterImage");
    let first = enforce(&place).code(1);
    let disabled = taken_away(&account).len();
    assert_eq!(disabled, 10, "{}", first.out);
    cloud.clear_faults();
    cloud.inject(Fault::new("DescribeImages", FaultKind::StaleReads { changes: 20 }).every_time());
    let second = enforce(&place);
    assert_eq!(taken_away(&account).len(), disabled, "{}", second.out);
    assert_eq!(account.count("DisableImage"), 10);
}
