//! Schedules as the built program keeps them.

use super::daemon::Daemon;
use super::{CONFIG, EVERY_SECOND, check_store, runs, scene};

const NOTHING: &str = "rule \"all\" when false { keep(\"x\") }\n";

#[test]
fn without_a_schedule_it_says_how_to_write_one() {
    let (_account, place) = scene(NOTHING, "");
    place.run(&["serve"]).code(2).says(&["no [[schedule]]", "amiwarden.toml", "cron = "]);
}

#[test]
fn a_schedule_that_never_fires_is_refused_with_its_place() {
    let never = "[[schedule]]\nname = \"never\"\ncron = \"0 0 30 2 *\"\n";
    let (_account, place) = scene(NOTHING, never);
    place.run(&["serve", "--check"]).code(2).says(&["never fires", "amiwarden.toml:"]);
    let (_account, place) =
        scene(NOTHING, "[[schedule]]\nname = \"often\"\ncron = \"* * * * *\"\npolicies = [\"onyl\"]\n");
    place
        .run(&["serve", "--check"])
        .code(2)
        .says(&["there is no policy `onyl.rhai`", "did you mean `only.rhai`?"]);
}

#[test]
fn check_prints_the_next_three_times() {
    let (account, place) = scene(NOTHING, EVERY_SECOND);
    let checked = place.run(&["serve", "--check", "--format", "json"]).code(0).json();
    assert_eq!(checked["schedules"][0]["name"], "often");
    assert_eq!(checked["schedules"][0]["next"].as_array().unwrap().len(), 3, "{checked}");
    assert!(account.cloud().requests().is_empty(), "nothing is asked of AWS");
}

#[test]
fn a_time_that_finds_a_run_under_way_is_recorded_and_not_queued() {
    use amiwarden_sandbox::{Fault, FaultKind};
    let (account, place) = scene(NOTHING, EVERY_SECOND);
    account.cloud().inject(Fault::new("DescribeImages", FaultKind::Hang { seconds: 4 }));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.logs("due while a run is under way: skipped");
    daemon.until("the first run ends", || runs(&place).iter().any(|run| run["state"] == "finished"));
    let of = |state: &str| runs(&place).iter().filter(|run| run["state"] == state).count();
    assert!(of("running") <= 1, "{:?}", runs(&place));
    assert_eq!(daemon.terminate(), 0);
    check_store(&place);
}

#[test]
fn a_restart_makes_up_for_what_was_missed_once() {
    let daily = "[[schedule]]\nname = \"daily\"\ncron = \"*/3 * * * * *\"\n";
    let (_account, place) = scene(NOTHING, daily);
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.until("it has run", || runs(&place).iter().any(|run| run["state"] == "finished"));
    assert_eq!(daemon.terminate(), 0);
    // Several times pass.
    std::thread::sleep(std::time::Duration::from_secs(7));
    // From now on it is due once a year: what runs is what was missed.
    let yearly = daily.replace("*/3 * * * * *", "0 0 1 1 *");
    let before = runs(&place).len();
    place.write("amiwarden.toml", &format!("{CONFIG}{yearly}"));
    let daemon = Daemon::start(&place, &[]);
    daemon.told_status("next run 00:00 UTC (daily)");
    daemon.told("READY=1");
    assert_eq!(daemon.terminate(), 0);
    assert_eq!(runs(&place).len(), before, "the expression that holds now has missed nothing");

    place.write("amiwarden.toml", &format!("{CONFIG}{daily}"));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.logs("one run makes up for it");
    assert_eq!(daemon.terminate(), 0);
    check_store(&place);
}

#[test]
fn only_the_policies_of_a_schedule_change_anything_and_all_can_keep() {
    let only = "[[schedule]]\nname = \"often\"\ncron = \"* * * * * *\"\npolicies = [\"only\"]\n";
    let disable = "rule \"all\" when true { disable(\"old\") }\n";
    let (account, place) = scene(disable, "");
    let config = CONFIG.replace("[limits]\n", "[limits]\nrehearse_cycles = 0\n");
    place
        .write("amiwarden.toml", &format!("{config}{only}"))
        .write("policies/keeper.rhai", "rule \"one\" when image.name == \"web-1\" { keep(\"dear\") }\n")
        .write("policies/tagger.rhai", "rule \"all\" when true { tag(#{Seen: \"yes\"}, \"all\") }\n");
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.logs("3 images, 5 steps (2 done");
    assert_eq!(daemon.terminate(), 0);
    assert_eq!(account.count("DisableImage"), 2);
    let kept = account.cloud().image_named("web-1").unwrap();
    assert_eq!(kept.state, amiwarden_sandbox::ImageState::Available);
    assert!(account.cloud().images().iter().all(|image| !image.tags.contains_key("Seen")));
}

#[test]
fn a_schedule_is_never_looser_than_the_configuration() {
    let (account, place) = scene("rule \"all\" when true { disable(\"old\") }\n", "");
    let observe = CONFIG.replace("mode = \"enforce\"", "mode = \"observe\"");
    place.write("amiwarden.toml", &format!("{observe}{EVERY_SECOND}mode = \"enforce\"\n"));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    daemon.until("it has run three times", || {
        runs(&place).iter().filter(|run| run["state"] == "finished").count() > 2
    });
    assert_eq!(daemon.terminate(), 0);
    assert_eq!(account.count("DisableImage"), 0);
}
