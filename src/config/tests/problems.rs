//! What is said about a configuration that cannot be used.

use super::super::*;
use super::Fixture;

/// What is wrong with this file, all of it.
pub(super) fn problems(fixture: &Fixture) -> String {
    fixture.load().unwrap_err().to_string()
}

/// The messages alone, without lines and advice.
pub(super) fn messages(text: &str) -> Vec<String> {
    match Fixture::with_file(text).load() {
        Err(LoadConfigError::Invalid(problems)) => {
            problems.iter().map(|problem| format!("{}: {}", problem.place, problem.message)).collect()
        }
        other => panic!("{other:?}\n{text}"),
    }
}

/// Exactly one thing is wrong with this file.
pub(super) fn check(text: &str, expected: &str) {
    assert_eq!(messages(text), [expected], "{text}");
}

#[test]
fn every_problem_is_said_at_once_with_its_line_and_a_remedy() {
    let text = r#"mode = "enforced"
colour = true

[aws]
regions = ["eu-west-1", "Ireland"]
endpoint_url = "localhost:4566"

[policies]
family = { name_pattern = '^(?<family>' }

[limits]
min_aeg = "7d"
min_hold = "3 months"
share_percent = 101
keep_newest = -1

[[policy]]
file = "retire-stale.rhai"
scope = { names = ["^web"], accounts = ["1111"] }
limits = { disable_per_cycle = 51 }

[[policy]]
file = "retire-stale.rhai"
"#;
    let fixture = Fixture::with_file(text).variable("AMIWARDEN_LIMITS__MIN_AGES", "1d");
    insta::assert_snapshot!(problems(&fixture), @r#"
    the configuration has 14 problems

    amiwarden.toml:1:8: expected `observe` or `enforce`, found `enforced`
       |
     1 | mode = "enforced"
       |        ^^^^^^^^^^
       = did you mean `enforce`?

    amiwarden.toml:2:1: unknown key `colour`
       |
     2 | colour = true
       | ^^^^^^
       = known here: `mode`, `store`, `aws`, `account`, `organization`, `policies`, `policy`, `limits`, `usage`, `speed`, `schedule`, `notify` and `http`

    amiwarden.toml:5:25: `Ireland` is not a Region's code, such as `eu-west-1`
       |
     5 | regions = ["eu-west-1", "Ireland"]
       |                         ^^^^^^^^^

    amiwarden.toml:6:16: `localhost:4566` is not the URL of an endpoint, such as `http://127.0.0.1:4566`
       |
     6 | endpoint_url = "localhost:4566"
       |                ^^^^^^^^^^^^^^^^

    amiwarden.toml:9:27: this is not a regular expression: unclosed group
       |
     9 | family = { name_pattern = '^(?<family>' }
       |                           ^^^^^^^^^^^^^

    amiwarden.toml:12:1: unknown key `min_aeg` in [limits]
        |
     12 | min_aeg = "7d"
        | ^^^^^^^
        = did you mean `min_age`?

    amiwarden.toml:13:12: `3 months` names months or years, whose length varies: write days, such as `90d`
        |
     13 | min_hold = "3 months"
        |            ^^^^^^^^^^

    amiwarden.toml:14:17: 101 is out of range: 0 to 100 is expected
        |
     14 | share_percent = 101
        |                 ^^^

    amiwarden.toml:15:15: -1 is out of range: 0 or more is expected
        |
     15 | keep_newest = -1
        |               ^^

    amiwarden.toml:19:20: no image name can hold `^`, so the pattern fits none: besides letters and digits, use `*` for any characters and `?` for one
        |
     19 | scope = { names = ["^web"], accounts = ["1111"] }
        |                    ^^^^^^

    amiwarden.toml:19:41: `1111` is not an AWS account id: twelve digits are expected
        |
     19 | scope = { names = ["^web"], accounts = ["1111"] }
        |                                         ^^^^^^

    amiwarden.toml:20:32: disable_per_cycle is looser here (51) than for all policies (50)
        |
     20 | limits = { disable_per_cycle = 51 }
        |                                ^^
        = a policy can be held tighter, never looser: change it here or in [limits] disable_per_cycle

    amiwarden.toml:23:8: `retire-stale.rhai` has a [[policy]] already
        |
     23 | file = "retire-stale.rhai"
        |        ^^^^^^^^^^^^^^^^^^^
        = the first is at amiwarden.toml:18:8: put both into one

    environment variable AMIWARDEN_LIMITS__MIN_AGES: unknown key `min_ages` in [limits]
       = did you mean `min_age`?
"#);
}

#[test]
fn keys_of_features_that_do_not_exist_are_unknown() {
    let messages = messages("[console]\ncolour = true\n");
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("unknown key"), "{messages:?}");
}

#[test]
fn each_value_is_checked() {
    check("mode = 1", "amiwarden.toml:1:8: expected a text in quotes, found a whole number");
    check("limits = 1", "amiwarden.toml:1:10: expected a table, found a whole number");
    check(
        "[limits]\nmin_age = 7",
        "amiwarden.toml:2:11: 7 of what? Write a length of time with its unit, such as `\"7d\"`",
    );
    check("[limits]\nshare_percent = \"5\"", "amiwarden.toml:2:17: expected a whole number, found a text");
    check("[limits]\nshare_percent = 0.5", "amiwarden.toml:2:17: expected a whole number, found a fraction");
    check("[limits]\nsurge_percent = 101", "amiwarden.toml:2:17: 101 is out of range: 0 to 100 is expected");
    check(
        "[limits]\ndisable_per_cycle = 4294967296",
        "amiwarden.toml:2:21: 4294967296 is out of range: 0 or more is expected",
    );
    check(
        "[limits]\nladder = \"none\"",
        "amiwarden.toml:2:10: expected `disabled-first` or `any`, found `none`",
    );
    check(
        "[limits]\nopt_out_tag = \"aws:x\"",
        "amiwarden.toml:2:15: nobody but AWS can set tags that begin with `aws:`",
    );
    check("[speed]\nconcurrent_scopes = 0", "amiwarden.toml:2:21: 0 is out of range: 1 to 64 is expected");
    check("[speed]\nconcurrent_scopes = 65", "amiwarden.toml:2:21: 65 is out of range: 1 to 64 is expected");
    check("[speed]\napi_share_percent = 0", "amiwarden.toml:2:21: 0 is out of range: 1 to 100 is expected");
    check(
        "[speed]\napi_share_percent = 101",
        "amiwarden.toml:2:21: 101 is out of range: 1 to 100 is expected",
    );
    check("[speed]\nconcurrent_images = 0", "amiwarden.toml:2:21: 0 is out of range: 1 to 64 is expected");
    check("[speed]\nconcurrent_images = 65", "amiwarden.toml:2:21: 65 is out of range: 1 to 64 is expected");
    check("[aws]\nregions = []", "amiwarden.toml:2:11: this names no Region");
    check(
        "[aws]\nregions = [\"Ireland\"]",
        "amiwarden.toml:2:12: `Ireland` is not a Region's code, such as `eu-west-1`",
    );
    check(
        "[aws]\nregions = \"eu-west-1\"",
        "amiwarden.toml:2:11: expected a list of Regions or `\"all\"`, found `eu-west-1`",
    );
    check("[aws]\nprofile = \" \"", "amiwarden.toml:2:11: this is empty");
    check(
        "[policies.family]\nname_pattern = \"x\"",
        "amiwarden.toml:2:16: this pattern has no group named `family`",
    );
    check(
        "[store]\npath = \"a.head\"",
        "amiwarden.toml:2:8: the database and the ledger's head would be one file",
    );
    check("[policy]\nfile = \"a.rhai\"", "amiwarden.toml:1:1: expected a list, found a table");
    check(
        "[[policy]]\nmode = \"observe\"",
        "amiwarden.toml:1:1: this [[policy]] does not say which policy it is about",
    );
    check("[[policy]]\nfile = \"a\"", "amiwarden.toml:2:8: policy files end with `.rhai`");
    check("[[policy]]\nfile = \"b/a.rhai\"", "amiwarden.toml:2:8: this is no file in the policy directory");
    check(
        "[[policy]]\nfile = \"a.rhai\"\nparams = { since = 2026-01-01 }",
        "amiwarden.toml:3:20: write a date as a text, in quotes",
    );
}

#[test]
fn buckets_are_those_of_operations_and_can_hold_something() {
    let check = |bucket: &str, expected: &str| check(&format!("[speed.buckets]\n{bucket}"), expected);
    check(
        "DisableImages = { burst = 1, refill = 1 }",
        "amiwarden.toml:2:1: `DisableImages` is no operation of EC2 that amiwarden uses",
    );
    check("DisableImage = 5", "amiwarden.toml:2:16: expected a table, found a whole number");
    check("DisableImage = { burst = 5 }", "amiwarden.toml:2:16: this bucket has no `refill`");
    check("DisableImage = { refill = 5 }", "amiwarden.toml:2:16: this bucket has no `burst`");
    check(
        "DisableImage = { burst = 5, refill = 5, rate = 5 }",
        "amiwarden.toml:2:41: unknown key `rate` of a bucket",
    );
    check(
        "DisableImage = { burst = 0.9, refill = 5 }",
        "amiwarden.toml:2:26: `burst` is out of range: 1 to 1000000 is expected",
    );
    check(
        "DisableImage = { burst = 1, refill = 0 }",
        "amiwarden.toml:2:38: `refill` is out of range: 0.001 to 1000000 is expected",
    );
    check(
        "DisableImage = { burst = 5000000000, refill = 1 }",
        "amiwarden.toml:2:26: `burst` is out of range: 1 to 1000000 is expected",
    );
    check(
        "DisableImage = { burst = \"many\", refill = 1 }",
        "amiwarden.toml:2:26: expected a number, found a text",
    );
    let text = problems(&Fixture::with_file("[speed.buckets]\nDisableImages = { burst = 1, refill = 1 }"));
    assert!(text.contains("did you mean `DisableImage`?"), "{text}");
}

#[test]
fn what_is_not_toml_says_where() {
    let text = problems(&Fixture::with_file("mode = \"observe\"\n[limits\nmin_age = \"7d\"\n"));
    assert!(text.contains("amiwarden.toml:2:8: "), "{text}");
    assert!(text.contains("2 | [limits"), "{text}");
    let twice = problems(&Fixture::with_file("mode = \"observe\"\nmode = \"enforce\"\n"));
    assert!(twice.contains("amiwarden.toml:2:1: duplicate key"), "{twice}");
}

#[test]
fn a_variable_has_to_name_a_key() {
    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(problems(&Fixture::new().variable(name, value)), expected, "{name}");
    };
    check(
        "AMIWARDEN_LIMITS__MIN_AEG",
        "1d",
        "the configuration has a problem\n\nenvironment variable AMIWARDEN_LIMITS__MIN_AEG: unknown key `min_aeg` in \
         [limits]\n   = did you mean `min_age`?",
    );
    check(
        "AMIWARDEN_LIMITS__MIN_AGE",
        "week",
        "the configuration has a problem\n\nenvironment variable AMIWARDEN_LIMITS__MIN_AGE: `week` is not a duration: \
         write a whole number and a unit, such as `90d`, `12h`, `2w`, `30m` or `45s`",
    );
    let within =
        Fixture::with_file("[[policy]]\nfile = \"a.rhai\"\n").variable("AMIWARDEN_POLICY__MODE", "observe");
    assert!(problems(&within).contains("`policy` is a list, so no key within it can be set from here"));
    let section = Fixture::new().variable("AMIWARDEN_LIMITS", "1d");
    assert!(problems(&section).contains("AMIWARDEN_<SECTION>__<KEY>"));
}

#[test]
fn flags_are_checked_like_keys() {
    let overrides = Overrides {
        regions: vec!["eu-west-1".to_owned(), "mars".to_owned()],
        endpoint_url: Some("ftp://x".to_owned()),
        ..Overrides::default()
    };
    let text = problems(&Fixture::new().flags(overrides));
    assert!(text.contains("flag --region: `mars` is not a Region's code, such as `eu-west-1`"), "{text}");
    assert!(text.contains("flag --endpoint-url: `ftp://x` is not the URL of an endpoint"), "{text}");
}

#[test]
fn regions_are_codes() {
    let check = |code: &str, expected: bool| {
        let text = format!("[aws]\nregions = [\"{code}\"]\n");
        assert_eq!(Fixture::with_file(&text).load().is_ok(), expected, "{code}");
    };
    for code in
        ["eu-west-1", "us-gov-west-1", "ap-southeast-5", "us-isob-east-1", "eusc-de-east-1", "cn-north-1"]
    {
        check(code, true);
    }
    for code in
        ["", "eu-west", "eu-west-1a", "EU-WEST-1", "eu_west_1", "eu--1", "all", "eu-west-1 ", "eu-west-100"]
    {
        check(code, false);
    }
}

#[test]
fn a_policy_that_there_is_not_is_pointed_at() {
    let text = "[[policy]]\nfile = \"retire-stal.rhai\"\n[[policy]]\nfile = \"strip-public.rhai\"\n";
    let config = Fixture::with_file(text).load().unwrap();
    let there_are = ["retire-stale", "strip-public"].map(PolicyName::new);
    let error = config.check_policies(&there_are).unwrap_err().to_string();
    insta::assert_snapshot!(error, @r#"
    the configuration has a problem

    amiwarden.toml:2:8: there is no policy `retire-stal.rhai`
       |
     2 | file = "retire-stal.rhai"
       |        ^^^^^^^^^^^^^^^^^^
       = did you mean `retire-stale.rhai`?
"#);
    assert!(config.check_policies(&["retire-stal", "strip-public"].map(PolicyName::new)).is_ok());
}

#[test]
fn nothing_in_a_file_commands_a_terminal() {
    for file in
        ["a = 1 # \u{1b}[2J\n", "mode = \"\u{9b}31m\"\n", "\"a\u{85}b\" = 1\n", "mode = \"\\u001b[2J\"\n"]
    {
        let text = problems(&Fixture::with_file(file));
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    }
}
