//! `amiwarden serve` as a service manager and an operator meet it: the real program, a notify socket, a simulated
//! account.

mod daemon;
mod over_http;
mod schedules;

use serde_json::Value;

use crate::harness::{Account, Place};
use daemon::Daemon;

const FLEET: &str = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
    {"name": "web-1", "created": "-100d"}, {"name": "web-2", "created": "-90d"}, {"name": "web-3", "created": "-80d"}]}"#;

const CONFIG: &str = r#"
mode = "enforce"
[policies]
dir = "policies"
[limits]
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
[speed]
concurrent_images = 1
"#;

const EVERY_SECOND: &str = "[[schedule]]\nname = \"often\"\ncron = \"* * * * * *\"\n";

const DISABLE: &str = "rule \"all\" when true { disable(\"old\") }\n";

/// A place in which a service enforces one policy at once, with what else its configuration says.
fn scene(policy: &str, more: &str) -> (Account, Place) {
    let account = Account::start(FLEET);
    let place = account.place();
    place.write("amiwarden.toml", &format!("{CONFIG}{more}")).write("policies/only.rhai", policy);
    (account, place)
}

/// A configuration under which a new policy is not only rehearsed at first.
fn at_once(limits: &str) -> String {
    let config = CONFIG.replace("[limits]\n", &format!("[limits]\nrehearse_cycles = 0\n{limits}"));
    format!("{config}{EVERY_SECOND}")
}

fn runs(place: &Place) -> Vec<Value> {
    if !place.path("amiwarden.db").exists() {
        return Vec::new();
    }
    let history = place.run(&["history", "--limit", "200", "--format", "json"]).code(0).json();
    history["runs"].as_array().unwrap().clone()
}

/// What every store has to be, whatever has happened.
fn check_store(place: &Place) {
    place.run(&["audit", "verify"]).code(0);
}

#[test]
fn it_starts_runs_reloads_and_stops_as_a_service_manager_wants_it() {
    let (account, place) = scene("rule \"all\" when false { keep(\"x\") }\n", EVERY_SECOND);
    let daemon = Daemon::start(&place, &[("WATCHDOG_USEC", "400000")]);
    daemon.told("READY=1");
    daemon.told("WATCHDOG=1");
    daemon.told_status("next run");
    daemon.logs("3 images, 0 steps");

    let address = daemon.address();
    let scraped = |series: &str| {
        daemon.until(&format!("{series} is scraped"), || {
            over_http::ask(&address, "GET", "/metrics", "").1.lines().any(|line| line == series)
        });
    };
    scraped("amiwarden_policy_set_ok 1");
    scraped("amiwarden_images{account=\"111122223333\",region=\"us-east-1\",state=\"available\"} 3");

    // A policy that cannot be read leaves what is in force.
    place.write("policies/only.rhai", "rule \"all\" when\n");
    daemon.told("RELOADING=1");
    daemon.logs("what was in force stays");
    daemon.told("READY=1");
    scraped("amiwarden_policy_set_ok 0");
    let before = runs(&place).len();
    daemon.until("runs go on", || runs(&place).len() > before + 1);

    // Mended, it takes effect: it is rehearsed for one cycle, and then carried out.
    place.write("policies/only.rhai", DISABLE);
    daemon.logs("1 policies in force");
    scraped("amiwarden_policy_set_ok 1");
    daemon.until("everything is disabled", || account.count("DisableImage") == 3);
    let held: Vec<Value> = runs(&place).into_iter().filter(|run| run["totals"]["held"] == 3).collect();
    assert!(!held.is_empty(), "the changed policy was rehearsed first: {:?}", runs(&place));

    scraped("amiwarden_steps_total{outcome=\"done\"} 3");

    // Asked for, with the time by which `Type=notify-reload` knows the answer from an earlier one.
    daemon.forget();
    daemon.hang_up();
    daemon.told("MONOTONIC_USEC=");
    daemon.told("READY=1");

    assert_eq!(daemon.terminate(), 0);
    daemon.told("STOPPING=1");
    check_store(&place);
    assert!(runs(&place).iter().all(|run| run["state"] != "running"), "{:?}", runs(&place));
}

#[test]
fn p1_told_to_stop_it_finishes_the_step_in_flight_and_records_it() {
    use amiwarden_sandbox::{Fault, FaultKind};
    let (account, place) = scene(DISABLE, EVERY_SECOND);
    place.write("amiwarden.toml", &at_once(""));
    account.cloud().inject(Fault::new("DisableImage", FaultKind::Hang { seconds: 2 }).real_only().nth(2));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.until("the second step is in flight", || account.count("DisableImage") == 2);
    assert_eq!(daemon.terminate(), 0);
    daemon.logs("stopping after the step in flight");
    assert_eq!(account.count("DisableImage"), 2, "nothing is begun any more");
    let run = &runs(&place)[0];
    assert_eq!(run["state"], "stopped", "{run}");
    let totals = &run["totals"];
    assert_eq!(totals["done"].as_u64().unwrap() + totals["failed"].as_u64().unwrap(), 2, "{run}");
    check_store(&place);
}

#[test]
fn p1_told_twice_it_stops_at_once_and_the_next_start_settles_what_was_in_flight() {
    use amiwarden_sandbox::{Fault, FaultKind};
    let (account, place) = scene(DISABLE, "");
    place.write("amiwarden.toml", &at_once("settle_after = \"0s\"\n"));
    account.cloud().inject(Fault::new("DisableImage", FaultKind::Hang { seconds: 30 }).real_only().nth(2));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.until("the second step is in flight", || account.count("DisableImage") == 2);
    daemon.signal("TERM");
    daemon.logs("stopping after the step in flight");
    assert_eq!(daemon.terminate(), 0);
    daemon.logs("stopped with a run under way");
    check_store(&place);

    let again = Daemon::start(&place, &[]);
    again.told("READY=1");
    again.until("all images are disabled", || {
        account.cloud().images().iter().all(|image| image.state == amiwarden_sandbox::ImageState::Disabled)
    });
    again.until("the run has ended", || runs(&place).iter().any(|run| run["state"] == "finished"));
    assert_eq!(again.terminate(), 0);
    assert!(runs(&place).iter().any(|run| run["state"] == "died"), "{:?}", runs(&place));
    check_store(&place);
}

#[test]
fn the_command_line_finds_the_store_free_between_runs() {
    let (account, place) = scene(DISABLE, "");
    place.write("amiwarden.toml", &at_once("").replace("\"* * *", "\"*/5 * *"));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.until("all images are disabled", || account.count("DisableImage") == 3);
    daemon.logs("3 images, 3 steps (3 done");
    let image = account.cloud().image_named("web-1").unwrap();
    place.run(&["undo", &image.id, "--yes"]).code(0);
    assert_eq!(account.count("EnableImage"), 1);
    assert_eq!(daemon.terminate(), 0);
    check_store(&place);
}

#[test]
fn a_directory_that_is_swapped_by_a_link_is_noticed() {
    let (_account, place) = scene("rule \"all\" when false { keep(\"x\") }\n", EVERY_SECOND);
    std::fs::rename(place.path("policies"), place.path("one")).unwrap();
    place.write("two/first.rhai", "rule \"all\" when false { keep(\"x\") }\n");
    place.write("two/second.rhai", "rule \"all\" when false { keep(\"x\") }\n");
    std::os::unix::fs::symlink("one", place.path("policies")).unwrap();
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    std::os::unix::fs::symlink("two", place.path("next")).unwrap();
    std::fs::rename(place.path("next"), place.path("policies")).unwrap();
    daemon.logs("2 policies in force");
    // And what is written into the new one.
    place.write("two/third.rhai", "rule \"all\" when false { keep(\"x\") }\n");
    daemon.logs("3 policies in force");
    assert_eq!(daemon.terminate(), 0);
}
