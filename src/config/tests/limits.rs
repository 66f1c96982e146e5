//! `[limits]`, those of a `[[policy]]`, and what is said where they do not hold together.

use amiwarden_core::{Duration, Ladder, Limits, LimitsOverride, Permanent, Window};

use super::super::LimitsStated;
use super::problems::{check, messages, problems};
use super::{Fixture, policy, window};

/// A file with these global limits, and these of one policy.
fn with_own(global: &str, own: &str) -> String {
    format!("[limits]\n{global}\n[[policy]]\nfile = \"a.rhai\"\nlimits = {{ {own} }}\n")
}

#[test]
fn every_limit_is_read() {
    let fixture = Fixture::with_file(
        r#"
        [[policy]]
        file = "retire-stale.rhai"
        [policy.limits]
        disable_per_cycle = 1
        deregister_per_cycle = 1
        other_per_cycle = 1
        share_percent = 4
        surge_percent = 3
        min_age = "30d"
        min_hold = "30d"
        keep_newest = 2
        permanent = "refuse"
        ladder = "disabled-first"
        opt_out_tag = "hold"
        rehearse_cycles = 9
        window = { hours = "10:00-11:00" }
        [limits]
        disable_per_cycle = 2
        deregister_per_cycle = 3
        other_per_cycle = 4
        share_percent = 5
        surge_percent = 6
        collapse_percent = 7
        min_age = "8d"
        min_hold = "12h"
        keep_newest = 0
        permanent = "allow"
        ladder = "any"
        opt_out_tag = "keep"
        rehearse_cycles = 8
        window = { days = ["Sun", "mon"], hours = "22:00-04:00", time_zone = "Europe/Berlin" }
        pause_file = "run/pause"
        settle_after = "90s"
        "#,
    );
    let config = fixture.loaded();
    let limits = Limits {
        disable_per_cycle: 2,
        deregister_per_cycle: 3,
        other_per_cycle: 4,
        share_percent: 5,
        surge_percent: 6,
        collapse_percent: 7,
        min_age: Duration::from_days(8),
        min_hold: Duration::from_seconds(12 * 3600),
        keep_newest: 0,
        permanent: Permanent::Allow,
        ladder: Ladder::Any,
        opt_out_tag: "keep".to_owned(),
        rehearse_cycles: 8,
        window: Some(window(&["Mon", "Sun"], Some("22:00-04:00"), Some("Europe/Berlin"))),
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.limits_stated, LimitsStated { deregister_per_cycle: true, share_percent: true });
    assert_eq!(config.pause_file, Some(fixture.at("run/pause")));
    assert_eq!(config.settle_after, Duration::from_seconds(90));
    let own = LimitsOverride {
        disable_per_cycle: Some(1),
        deregister_per_cycle: Some(1),
        other_per_cycle: Some(1),
        share_percent: Some(4),
        surge_percent: Some(3),
        min_age: Some(Duration::from_days(30)),
        min_hold: Some(Duration::from_days(30)),
        keep_newest: Some(2),
        permanent: Some(Permanent::Refuse),
        ladder: Some(Ladder::DisabledFirst),
        opt_out_tag: Some("hold".to_owned()),
        rehearse_cycles: Some(9),
        window: Some(window(&[], Some("10:00-11:00"), None)),
    };
    assert_eq!(config.policy[&policy("retire-stale")].limits, own);
    assert_eq!(config.settings_of(&policy("retire-stale")).limits, own);
}

#[test]
fn a_policy_can_be_held_tighter_never_looser() {
    // The defaults hold where the file says nothing.
    for as_tight in [
        "disable_per_cycle = 50",
        "disable_per_cycle = 0",
        "deregister_per_cycle = 10",
        "deregister_per_cycle = 0",
        "other_per_cycle = 200",
        "share_percent = 10",
        "share_percent = 0",
        "surge_percent = 25",
        "surge_percent = 0",
        "min_age = \"7d\"",
        "min_hold = \"7d\"",
        "keep_newest = 1",
        "keep_newest = 4294967295",
        "rehearse_cycles = 1",
        "rehearse_cycles = 4294967295",
        "permanent = \"refuse\"",
        "ladder = \"disabled-first\"",
        "opt_out_tag = \"mine\"",
        "window = { days = [\"Mon\"] }",
    ] {
        let text = with_own("", as_tight);
        assert!(Fixture::with_file(&text).load().is_ok(), "{as_tight}");
    }
    for (looser, message) in [
        ("disable_per_cycle = 51", "disable_per_cycle is looser here (51) than for all policies (50)"),
        ("deregister_per_cycle = 11", "deregister_per_cycle is looser here (11) than for all policies (10)"),
        ("other_per_cycle = 201", "other_per_cycle is looser here (201) than for all policies (200)"),
        ("share_percent = 11", "share_percent is looser here (11) than for all policies (10)"),
        ("surge_percent = 26", "surge_percent is looser here (26) than for all policies (25)"),
        ("min_age = \"6d\"", "min_age is looser here (6 days) than for all policies (7 days)"),
        ("min_hold = \"1d\"", "min_hold is looser here (1 day) than for all policies (7 days)"),
        ("keep_newest = 0", "keep_newest is looser here (0) than for all policies (1)"),
        ("rehearse_cycles = 0", "rehearse_cycles is looser here (0) than for all policies (1)"),
        ("permanent = \"allow\"", "permanent is looser here (allow) than for all policies (refuse)"),
        ("ladder = \"any\"", "ladder is looser here (any) than for all policies (disabled-first)"),
    ] {
        let key = looser.split(' ').next().unwrap();
        let text = problems(&Fixture::with_file(&with_own("", looser)));
        assert!(text.starts_with("the configuration has a problem\n\namiwarden.toml:5:"), "{text}");
        assert!(text.contains(message), "{text}");
        let remedy =
            format!("= a policy can be held tighter, never looser: change it here or in [limits] {key}");
        assert!(text.ends_with(&remedy), "{text}");
    }
}

#[test]
fn what_is_allowed_to_all_policies_is_allowed_to_one() {
    let global = "permanent = \"allow\"\nladder = \"any\"\nrehearse_cycles = 0";
    let config =
        Fixture::with_file(&with_own(global, "permanent = \"allow\", ladder = \"any\", rehearse_cycles = 0"));
    let own = &config.loaded().policy[&policy("a")].limits;
    assert_eq!((own.permanent, own.ladder), (Some(Permanent::Allow), Some(Ladder::Any)));
    assert_eq!(own.rehearse_cycles, Some(0));
}

#[test]
fn a_looser_policy_is_noticed_in_every_table() {
    let nameless = "[[policy]]\nlimits = { share_percent = 11 }\n";
    assert_eq!(messages(nameless).len(), 2, "the limit, and that the file is missing");
    // What goes over the file counts.
    let fixture = Fixture::with_file(&with_own("", "share_percent = 10"));
    let fixture = fixture.variable("AMIWARDEN_LIMITS__SHARE_PERCENT", "9");
    assert!(problems(&fixture).contains("share_percent is looser here (10) than for all policies (9)"));
}

#[test]
fn each_limit_has_its_range() {
    let fits = |line: &str| {
        assert!(Fixture::with_file(&format!("[limits]\n{line}\n")).load().is_ok(), "{line}");
    };
    for line in [
        "collapse_percent = 0",
        "collapse_percent = 100",
        "rehearse_cycles = 0",
        "rehearse_cycles = 4294967295",
        "settle_after = \"0s\"",
        "settle_after = \"2w\"",
    ] {
        fits(line);
    }
    let in_limits = |line: &str, expected: &str| check(&format!("[limits]\n{line}"), expected);
    in_limits("collapse_percent = 101", "amiwarden.toml:2:20: 101 is out of range: 0 to 100 is expected");
    in_limits("collapse_percent = -1", "amiwarden.toml:2:20: -1 is out of range: 0 to 100 is expected");
    in_limits("rehearse_cycles = -1", "amiwarden.toml:2:19: -1 is out of range: 0 or more is expected");
    in_limits(
        "rehearse_cycles = 4294967296",
        "amiwarden.toml:2:19: 4294967296 is out of range: 0 or more is expected",
    );
    in_limits(
        "settle_after = 300",
        "amiwarden.toml:2:16: 300 of what? Write a length of time with its unit, such as `\"300d\"`",
    );
    in_limits(
        "settle_after = \"-1s\"",
        "amiwarden.toml:2:16: `-1s` is not a duration: write a whole number and a unit, such as `90d`, `12h`, \
         `2w`, `30m` or `45s`",
    );
    in_limits("pause_file = \"\"", "amiwarden.toml:2:14: this is empty");
    in_limits("pause_file = true", "amiwarden.toml:2:14: expected a text in quotes, found true or false");
}

#[test]
fn what_concerns_no_single_policy_is_unknown_there() {
    for key in ["collapse_percent = 10", "pause_file = \"p\"", "settle_after = \"1m\""] {
        let messages = messages(&with_own("", key));
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains("unknown key"), "{messages:?}");
        assert!(messages[0].ends_with("in [[policy]] limits"), "{messages:?}");
    }
}

#[test]
fn a_window_is_made_of_the_parts_that_are_there() {
    let check = |parts: &str, expected: Window| {
        let text = with_own(&format!("window = {{ {parts} }}"), &format!("window = {{ {parts} }}"));
        let config = Fixture::with_file(&text).loaded();
        assert_eq!(config.limits.window.as_ref(), Some(&expected), "{parts}");
        assert_eq!(config.policy[&policy("a")].limits.window, Some(expected), "{parts}");
    };
    check("days = [\"Sat\", \"sunday\"]", window(&["Sat", "Sun"], None, None));
    check("hours = \"09:00-16:00\"", window(&[], Some("09:00-16:00"), None));
    check("hours = \"18:00-24:00\"", window(&[], Some("18:00-24:00"), None));
    check(
        "days = [\"Mon\"], time_zone = \"America/New_York\"",
        window(&["Mon"], None, Some("America/New_York")),
    );
    let all = "days = [\"Mon\"], hours = \"22:00-04:00\", time_zone = \"Europe/Berlin\"";
    check(all, window(&["Mon"], Some("22:00-04:00"), Some("Europe/Berlin")));
}

#[test]
fn a_variable_changes_the_window_or_a_part_of_it() {
    let check = |name: &str, value: &str, expected: Window| {
        let file = "[limits]\nwindow = { days = [\"Mon\"], hours = \"09:00-16:00\" }\n";
        let config = Fixture::with_file(file).variable(name, value).loaded();
        assert_eq!(config.limits.window, Some(expected), "{name}");
    };
    let hours = Some("09:00-16:00");
    check("AMIWARDEN_LIMITS__WINDOW__DAYS", "Sat, Sun", window(&["Sat", "Sun"], hours, None));
    check("AMIWARDEN_LIMITS__WINDOW__HOURS", "01:00-02:00", window(&["Mon"], Some("01:00-02:00"), None));
    check("AMIWARDEN_LIMITS__WINDOW__TIME_ZONE", "Asia/Tokyo", window(&["Mon"], hours, Some("Asia/Tokyo")));
    check("AMIWARDEN_LIMITS__WINDOW", "{ days = [\"Fri\"] }", window(&["Fri"], None, None));
}

#[test]
fn a_window_that_cannot_be_used_is_pointed_at_where_it_is_wrong() {
    let text = r#"[limits]
window = { days = ["Mon", "Funday"], hours = "9-16", time_zone = "Europe/Bärlin", zone = 1 }

[[policy]]
file = "a.rhai"
limits = { window = { hours = "09:00-09:00" } }

[[policy]]
file = "b.rhai"
limits = { window = {} }

[[policy]]
file = "c.rhai"
limits = { window = { days = [], hours = "09:00-24:01" } }

[[policy]]
file = "d.rhai"
limits = { window = { time_zone = "UTC" } }
"#;
    insta::assert_snapshot!(problems(&Fixture::with_file(text)), @r#"
    the configuration has 9 problems

    amiwarden.toml:2:27: `Funday` is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun
       |
     2 | window = { days = ["Mon", "Funday"], hours = "9-16", time_zone = "Europe/Bärlin", zone = 1 }
       |                           ^^^^^^^^

    amiwarden.toml:2:46: `9-16` are no hours: write a beginning and an end in 24 hours, such as `09:00-16:00`
       |
     2 | window = { days = ["Mon", "Funday"], hours = "9-16", time_zone = "Europe/Bärlin", zone = 1 }
       |                                              ^^^^^^

    amiwarden.toml:2:66: `Europe/Bärlin` is no time zone: write a name of the IANA database, such as `UTC` or `Europe/Berlin`
       |
     2 | window = { days = ["Mon", "Funday"], hours = "9-16", time_zone = "Europe/Bärlin", zone = 1 }
       |                                                                  ^^^^^^^^^^^^^^^

    amiwarden.toml:2:83: unknown key `zone` in [limits] window
       |
     2 | window = { days = ["Mon", "Funday"], hours = "9-16", time_zone = "Europe/Bärlin", zone = 1 }
       |                                                                                   ^^^^
       = known here: `days`, `hours` and `time_zone`

    amiwarden.toml:6:31: `09:00-09:00` begins and ends at the same time, so it would never be open: leave the hours out for whole days
       |
     6 | limits = { window = { hours = "09:00-09:00" } }
       |                               ^^^^^^^^^^^^^

    amiwarden.toml:10:21: this window is always open, so it holds nothing
        |
     10 | limits = { window = {} }
        |                     ^^
        = add `days` or `hours`, or leave `window` out

    amiwarden.toml:14:30: this names no day
        |
     14 | limits = { window = { days = [], hours = "09:00-24:01" } }
        |                              ^^
        = leave the key out for every day

    amiwarden.toml:14:42: `09:00-24:01` are no hours: write a beginning and an end in 24 hours, such as `09:00-16:00`
        |
     14 | limits = { window = { days = [], hours = "09:00-24:01" } }
        |                                          ^^^^^^^^^^^^^

    amiwarden.toml:18:21: this window is always open, so it holds nothing
        |
     18 | limits = { window = { time_zone = "UTC" } }
        |                     ^^^^^^^^^^^^^^^^^^^^^
        = add `days` or `hours`, or leave `window` out
"#);
}

#[test]
fn parts_of_a_window_have_their_kinds() {
    let in_limits = |line: &str, expected: &str| check(&format!("[limits]\n{line}"), expected);
    in_limits("window = \"Mon\"", "amiwarden.toml:2:10: expected a table, found a text");
    in_limits("window = { days = \"Mon\" }", "amiwarden.toml:2:19: expected a list, found a text");
    in_limits(
        "window = { days = [1] }",
        "amiwarden.toml:2:20: expected a text in quotes, found a whole number",
    );
    in_limits(
        "window = { hours = 9 }",
        "amiwarden.toml:2:20: expected a text in quotes, found a whole number",
    );
    in_limits(
        "window = { days = [\"\"] }",
        "amiwarden.toml:2:20: `` is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun",
    );
    let fixture = Fixture::new().variable("AMIWARDEN_LIMITS__WINDOW__TIME_ZONE", "UTC");
    assert!(problems(&fixture).contains("AMIWARDEN_LIMITS__WINDOW__TIME_ZONE: this window is always open"));
}

#[test]
fn the_pause_file_is_beside_whoever_names_it() {
    let file = "[limits]\npause_file = \"run/pause\"\n";
    let fixture = Fixture::new().and_file("etc/other.toml", file).named("etc/other.toml");
    assert_eq!(fixture.loaded().pause_file, Some(fixture.at("etc/run/pause")));
    let fixture = fixture.variable("AMIWARDEN_LIMITS__PAUSE_FILE", "pause");
    assert_eq!(fixture.loaded().pause_file, Some(fixture.at("pause")));
}

#[test]
fn a_file_that_amiwarden_writes_pauses_nothing() {
    for (path, what) in [("amiwarden.db", "the database"), ("amiwarden.head", "the ledger's head")] {
        let expected = format!("amiwarden.toml:2:14: this is {what}, so amiwarden would be paused for ever");
        check(&format!("[limits]\npause_file = \"{path}\""), &expected);
    }
}
