//! Deregistering without limits that somebody chose.

use std::path::PathBuf;

use amiwarden_core::PolicyName;

use super::super::*;
use super::{Fixture, policy};

#[test]
fn deregistering_is_enforced_only_within_limits_that_somebody_wrote_down() {
    let check = |text: &str, policies: &[&str], expected: Option<(&[&str], bool, bool)>| {
        let enforced: Vec<PolicyName> = policies.iter().map(|name| policy(name)).collect();
        let result = Fixture::with_file(text).loaded().check_deregister(&enforced);
        let found = result.err().map(|error| (error.policies, error.needs_per_cycle, error.needs_share));
        let expected = expected.map(|(names, cap, share)| {
            (names.iter().map(|name| policy(name)).collect::<Vec<_>>(), cap, share)
        });
        assert_eq!(found, expected, "{text}");
    };
    check("", &[], None);
    check("", &["a"], Some((&["a"], true, true)));
    check("[limits]\nderegister_per_cycle = 10\n", &["a"], Some((&["a"], false, true)));
    check("[limits]\nshare_percent = 10\n", &["a", "b"], Some((&["a", "b"], true, false)));
    check("[limits]\nderegister_per_cycle = 0\nshare_percent = 0\n", &["a"], None);
    let own = "[limits]\nshare_percent = 10\n[[policy]]\nfile = \"a.rhai\"\nlimits = { deregister_per_cycle = 1 }\n";
    check(own, &["a"], None);
    check(own, &["a", "b"], Some((&["b"], true, false)));
    let own = "[[policy]]\nfile = \"a.rhai\"\nlimits = { deregister_per_cycle = 1, share_percent = 5 }\n";
    check(own, &["a"], None);
    check(own, &["a", "b"], Some((&["b"], true, true)));
    let own = "[limits]\nderegister_per_cycle = 10\n[[policy]]\nfile = \"a.rhai\"\nlimits = { share_percent = 5 }\n";
    check(own, &["a"], None);
    check(own, &["a", "b"], Some((&["b"], false, true)));
}

#[test]
fn deregistering_without_limits_says_what_to_write() {
    let remedy = |text: &str, origin: Option<&str>| {
        let config = Config { origin: origin.map(PathBuf::from), ..Fixture::with_file(text).loaded() };
        config.check_deregister(&["retire-stale", "purge"].map(PolicyName::new)).unwrap_err().to_string()
    };
    insta::assert_snapshot!(remedy("", Some("amiwarden.toml")), @r#"
    the policies `retire-stale` and `purge` deregister images, and deregistering is only enforced within limits that somebody has chosen; write at the end of amiwarden.toml:

    [limits]
    deregister_per_cycle = 10   # images deregistered in one cycle, over all scopes
    share_percent = 10          # of a scope's images, disabled or deregistered in one cycle
"#);
    insta::assert_snapshot!(remedy("[limits]\nshare_percent = 10\n", Some("amiwarden.toml")), @r#"
    the policies `retire-stale` and `purge` deregister images, and deregistering is only enforced within limits that somebody has chosen; write under `[limits]` in amiwarden.toml:

    deregister_per_cycle = 10   # images deregistered in one cycle, over all scopes
"#);
    insta::assert_snapshot!(remedy("", None), @r#"
    the policies `retire-stale` and `purge` deregister images, and deregistering is only enforced within limits that somebody has chosen; write under `[limits]` in amiwarden.toml (`amiwarden init` makes one):

    deregister_per_cycle = 10   # images deregistered in one cycle, over all scopes
    share_percent = 10          # of a scope's images, disabled or deregistered in one cycle
"#);
}

#[test]
fn what_to_write_can_be_copied_as_it_is() {
    let check = |before: &str, after: &str| {
        let text = format!("{before}{after}");
        let error = Fixture::with_file(&text).loaded().check_deregister(&[policy("a")]).unwrap_err();
        let message = error.to_string();
        let (_, lines) = message.split_once(":\n\n").unwrap();
        let mended = Fixture::with_file(&format!("{before}{lines}\n{after}")).loaded();
        assert_eq!(mended.check_deregister(&[policy("a")]), Ok(()), "{message}");
    };
    // At the end of a file without the table; within the table, and before others, of one with it.
    check("mode = \"observe\"\n[speed]\nconcurrent_scopes = 1\n", "");
    check("[limits]\n", "min_age = \"8d\"\n[speed]\nconcurrent_scopes = 1\n");
    let (before, after) = TEMPLATE.split_once("[limits]\n").unwrap();
    check(&format!("{before}[limits]\n"), after);
}
