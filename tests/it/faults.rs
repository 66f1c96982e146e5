//! Lost replies, refusals, liars: what was done is told truly, and what was not is not claimed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use amiwarden_sandbox::{Fault, FaultKind, ImageState};
use serde_json::Value;

use crate::harness::{Account, Place, having};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 50
deregister_per_cycle = 10
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
permanent = "allow"
settle_after = "0s"
"#;

/// Images that are all to be disabled, so many.
fn account(images: usize) -> (Account, Place) {
    let images: Vec<String> =
        (0..images).map(|n| format!(r#"{{"name": "web-{n}", "created": "-{}d"}}"#, 100 + n)).collect();
    let fleet = format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [{}]}}"#,
        images.join(",")
    );
    let account = Account::start(&fleet);
    let place = account.place();
    place.write("amiwarden.toml", CONFIG);
    place.write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    (account, place)
}

fn run(place: &Place, code: i32) -> Value {
    place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(code).json()
}

#[test]
fn p1_a_lost_reply_is_settled_by_reading_and_never_sent_again() {
    for kind in [FaultKind::ResetAfter, FaultKind::ServerErrorAfter, FaultKind::TruncatedBody] {
        let (account, place) = account(1);
        account.cloud().inject(Fault::new("DisableImage", kind).real_only());
        let report = run(&place, 0);
        assert_eq!(report["steps"][0]["outcome"], "done", "{kind:?}: {report}");
        assert_eq!(account.count("DisableImage"), 1, "{kind:?}");
    }
}

#[test]
fn p1_a_request_that_never_arrived_is_unknown_and_settled_at_the_next_start() {
    let (account, place) = account(1);
    account.cloud().inject(Fault::new("DisableImage", FaultKind::ResetBefore).real_only());
    let report = run(&place, 1);
    assert_eq!(report["steps"][0]["outcome"], "unknown", "{report}");
    assert_eq!(account.count("DisableImage"), 1);
    let image = account.cloud().image_named("web-0").unwrap();
    assert_eq!(image.state, ImageState::Available);

    place.run(&["plan"]).code(0);
    let history = place.run(&["history", &image.id, "--format", "json"]).code(0).json();
    let outcomes: Vec<_> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["details"]["event"] == "outcome")
        .map(|event| event["details"]["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["unknown", "failed"], "{history}");
}

#[test]
fn throttling_is_waited_out() {
    let (account, place) = account(1);
    account.cloud().inject(Fault::new("DisableImage", FaultKind::Throttle).real_only().nth(1));
    let report = run(&place, 0);
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    assert_eq!(account.count("DisableImage"), 2);
}

#[test]
fn a_throttled_rehearsal_is_sent_again() {
    let (account, place) = account(1);
    account.cloud().inject(Fault::new("DisableImage", FaultKind::Throttle).rehearsals_only().nth(1));
    let report = run(&place, 0);
    assert_eq!(report["steps"][0]["rehearsal"], "permitted", "{report}");
    assert_eq!(report["steps"][0]["outcome"], "done");
}

#[test]
fn a_step_that_was_carried_out_in_part_says_so() {
    let (account, place) = account(1);
    account.cloud().deny_real_only("DisableImage");
    let report = run(&place, 1);
    assert_eq!(report["steps"][0]["outcome"], "failed", "{report}");
    let detail = report["steps"][0]["outcome_detail"].as_str().unwrap();
    assert!(detail.contains("CreateTags had been carried out"), "{detail}");
}

#[test]
fn a_refusal_is_recorded_and_the_rest_goes_on() {
    let (account, place) = account(3);
    let refused = account.cloud().image_named("web-1").unwrap().id;
    let fault = Fault::new("DisableImage", FaultKind::Denied).real_only().image(&refused);
    account.cloud().inject(fault);
    let report = run(&place, 1);
    assert_eq!(having(&report["steps"], &[("outcome", "done")]).len(), 2, "{report}");
    let failed = having(&report["steps"], &[("outcome", "failed")]);
    assert_eq!(failed[0]["image_id"], refused.as_str());
    assert!(failed[0]["outcome_detail"].as_str().unwrap().contains("UnauthorizedOperation"));
}

#[test]
fn what_the_rehearsal_denies_is_not_tried() {
    let (account, place) = account(1);
    account.cloud().deny("DisableImage");
    let report = run(&place, 1);
    assert_eq!(report["steps"][0]["rehearsal"], "denied", "{report}");
    assert_eq!(report["steps"][0]["outcome"], "not-attempted");
    assert_eq!(account.count("DisableImage"), 0);
    assert!(account.applied().is_empty());
}

#[test]
fn p2_an_endpoint_that_executes_dry_runs_is_sent_nothing() {
    let (account, place) = account(2);
    account.cloud().inject(Fault::new("*", FaultKind::ExecutesDryRun).every_time());
    let report = run(&place, 1);
    assert!(report["scopes"][0]["dry_run_error"].as_str().unwrap().contains("DryRun"), "{report}");
    assert!(account.applied().is_empty(), "{:?}", account.applied());
    assert_eq!(having(&report["steps"], &[("rehearsal", "skipped")]).len(), 2);
}

#[test]
fn p2_a_usage_source_that_is_denied_holds_every_disable() {
    for source in ["DescribeInstances", "DescribeLaunchTemplateVersions"] {
        let (account, place) = account(2);
        account.cloud().deny(source);
        let report = run(&place, 0);
        assert_eq!(having(&report["held"], &[("guard", "usage-proof")]).len(), 2, "{source}: {report}");
        let reason = report["held"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("ec2:{source}")), "the permission is not named: {reason}");
        assert_eq!(report["scopes"][0]["complete"], false);
        assert!(account.applied().is_empty());
    }
}

#[test]
fn p2_a_listing_that_breaks_off_holds_every_disable() {
    for kind in [FaultKind::RepeatedToken, FaultKind::TruncatedBody, FaultKind::Denied] {
        let fleet = amiwarden_sandbox::Fleet::generated(40, 7);
        let account = Account::with(fleet, |options| options.page_size_max = 10);
        let place = account.place();
        place.write("amiwarden.toml", CONFIG);
        place.write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
        account.cloud().inject(Fault::new("DescribeImages", kind).every_time());
        let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).json();
        assert_eq!(report["scopes"][0]["complete"], false, "{kind:?}: {}", report["scopes"]);
        assert!(account.applied().is_empty(), "{kind:?}");
        assert_eq!(having(&report["steps"], &[("action", "disable")]).len(), 0, "{kind:?}");
    }
}

#[test]
fn p1_ctrl_c_finishes_the_step_in_flight_and_records_it() {
    let (account, place) = account(5);
    place.write("amiwarden.toml", &format!("{CONFIG}[speed]\nconcurrent_images = 1\n"));
    let slow = Fault::new("DisableImage", FaultKind::Hang { seconds: 2 }).real_only().nth(2);
    account.cloud().inject(slow);
    let arguments = ["run", "--enforce", "--yes", "--format", "json"];
    let child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while account.count("DisableImage") < 2 {
        assert!(started.elapsed() < Duration::from_mins(1), "the second step never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let finished = crate::harness::Finished::of(&child.wait_with_output().unwrap(), &arguments).code(1);
    let report = finished.json();
    assert_eq!(report["interrupted"], true);
    let disabled =
        account.cloud().images().into_iter().filter(|image| image.state == ImageState::Disabled).count();
    assert_eq!(having(&report["steps"], &[("outcome", "done")]).len(), disabled, "{report}");
    assert!(disabled < 5, "it did not stop");
    assert!(!having(&report["steps"], &[("outcome", "not-attempted")]).is_empty());
}

#[test]
fn p1_ctrl_c_ends_all_images_that_are_worked_on_between_two_steps() {
    let (account, place) = account(9);
    let slow = Fault::new("DisableImage", FaultKind::Hang { seconds: 4 }).real_only().every_time();
    account.cloud().inject(slow);
    let arguments = ["run", "--enforce", "--yes", "--format", "json"];
    let child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    // As many images as are worked on at a time, all of them waiting for a reply.
    while account.count("DisableImage") < 4 {
        assert!(started.elapsed() < Duration::from_mins(1), "four images were never worked on at a time");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let finished = crate::harness::Finished::of(&child.wait_with_output().unwrap(), &arguments).code(1);
    let report = finished.json();
    assert_eq!(having(&report["steps"], &[("outcome", "unknown")]).len(), 4, "{report}");
    assert_eq!(having(&report["steps"], &[("outcome", "not-attempted")]).len(), 5, "{report}");
    assert_eq!(account.count("DisableImage"), 4);
}

#[test]
fn p1_a_killed_run_leaves_an_intent_that_the_next_one_settles() {
    let (account, place) = account(1);
    account.cloud().inject(Fault::new("DisableImage", FaultKind::Hang { seconds: 30 }).real_only());
    let mut child = place
        .command(&["run", "--enforce", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while account.count("DisableImage") < 1 {
        assert!(started.elapsed() < Duration::from_mins(1), "the step never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let image = account.cloud().image_named("web-0").unwrap();
    place.run(&["plan"]).code(0);
    let history = place.run(&["history", &image.id, "--format", "json"]).code(0).json();
    let events = history["events"].as_array().unwrap();
    let of = |kind: &str| events.iter().filter(|event| event["details"]["event"] == kind).count();
    assert_eq!((of("intended"), of("outcome")), (1, 1), "{history}");
}

/// One disabled image whose hold is over, and a policy of this action for it.
fn disabled(action: &str) -> (Account, Place) {
    let fleet = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
        {"name": "web-0", "created": "-200d", "state": "disabled",
         "tags": {"amiwarden:disabled-at": "2024-01-01T00:00:00Z"},
         "snapshots": [{"id": "snap-0000000000000000a", "size_gib": 8}]}]}"#;
    let account = Account::start(fleet);
    let place = account.place();
    place.write("amiwarden.toml", &format!("{CONFIG}min_hold = \"0d\"\n"));
    place.write("policies/only.rhai", &format!("rule \"all\" when true {{ {action} }}\n"));
    (account, place)
}

/// The field of every outcome in the history of an image.
fn outcomes(place: &Place, image_id: &str, field: &str) -> Vec<Value> {
    let history = place.run(&["history", image_id, "--format", "json"]).code(0).json();
    let events = history["events"].as_array().unwrap().iter().map(|event| &event["details"]);
    events.filter(|event| event["event"] == "outcome").map(|event| event[field].clone()).collect()
}

#[test]
fn throttled_rehearsals_are_waited_out() {
    let (account, place) = account(3);
    let busy = Fault::new("DisableImage", FaultKind::Throttle).rehearsals_only().only([1, 2, 4]);
    account.cloud().inject(busy);
    account.cloud().inject(Fault::new("DescribeImages", FaultKind::Throttle).rehearsals_only());
    let report = run(&place, 0);
    let permitted = having(&report["steps"], &[("rehearsal", "permitted"), ("outcome", "done")]);
    assert_eq!(permitted.len(), 3, "{report}");
}

#[test]
fn a_canary_that_could_not_be_asked_accuses_nobody() {
    let (account, place) = account(1);
    account.cloud().inject(Fault::new("DescribeImages", FaultKind::Denied).rehearsals_only().every_time());
    let report = run(&place, 1);
    let error = report["scopes"][0]["dry_run_error"].as_str().unwrap();
    assert!(error.contains("could not be found out") && error.contains("UnauthorizedOperation"), "{error}");
    assert!(account.applied().is_empty());
}

#[test]
fn p2_an_endpoint_that_honours_dry_run_for_reads_only_is_found_out_by_one_request() {
    let (account, place) = account(6);
    account.cloud().inject(Fault::new("CreateTags", FaultKind::ExecutesDryRun).every_time());
    let report = run(&place, 1);
    assert_eq!(account.applied().len(), 1, "{:?}", account.applied());
    let executed = having(&report["steps"], &[("rehearsal", "error")]);
    assert_eq!(executed.len(), 1, "{report}");
    let words = executed[0]["rehearsal_detail"].as_str().unwrap();
    assert!(words.contains("CreateTags was carried out by the endpoint"), "{words}");
    let spared = having(&report["steps"], &[("rehearsal", "skipped"), ("outcome", "not-attempted")]);
    assert_eq!(spared.len(), 5, "{report}");
    for step in spared {
        let words = step["rehearsal_detail"].as_str().unwrap();
        assert!(words.contains("carried out a request that was sent with DryRun=true"), "{words}");
    }
}

#[test]
fn p1_a_change_whose_effect_holds_is_done_with_a_note_of_what_is_missing() {
    let (account, place) = disabled(r#"enable("needed again")"#);
    account.cloud().deny_real_only("DeleteTags");
    let report = run(&place, 0);
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    let note = report["steps"][0]["note"].as_str().unwrap();
    assert!(note.starts_with("but DeleteTags: ") && note.contains("UnauthorizedOperation"), "{note}");
    let image = account.cloud().image_named("web-0").unwrap();
    assert_eq!(image.state, ImageState::Available);
    assert_eq!(outcomes(&place, &image.id, "note"), [note]);
    let text = place.run(&["history", &image.id]).code(0).out;
    assert!(text.contains("is done; but DeleteTags: "), "{text}");
}

#[test]
fn p1_a_lost_reply_to_a_deregister_does_not_claim_to_know_the_snapshots() {
    let (account, place) = disabled(r#"deregister(#{snapshots: "delete"}, "gone")"#);
    account.cloud().inject(Fault::new("DeregisterImage", FaultKind::ResetAfter).real_only());
    let report = run(&place, 0);
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    assert!(report["steps"][0]["note"].as_str().unwrap().contains("snapshots is not known"), "{report}");
    assert_eq!(account.count("DeregisterImage"), 1);
}

#[test]
fn p1_what_became_of_an_image_that_is_gone_is_not_claimed() {
    let (account, place) = account(2);
    let image = account.cloud().image_named("web-0").unwrap();
    account.cloud().inject(Fault::new("DisableImage", FaultKind::ResetBefore).real_only().image(&image.id));
    run(&place, 1);
    account.cloud().update(|world| world.images.remove(&image.id));
    place.run(&["plan"]).code(0);
    assert_eq!(outcomes(&place, &image.id, "outcome"), ["unknown", "skipped-changed"]);
    let details = outcomes(&place, &image.id, "detail");
    let words = details[1].as_str().unwrap();
    assert!(words.contains("whether disable took effect cannot be told"), "{words}");
}

#[test]
fn a_disabled_image_that_shows_no_permissions_can_be_deregistered() {
    let (account, place) = disabled(r#"deregister("gone")"#);
    account.cloud().deny("DescribeImageAttribute");
    let report = run(&place, 0);
    assert_eq!(report["steps"][0]["outcome"], "done", "{report}");
    assert!(account.cloud().image_named("web-0").is_none());
}
