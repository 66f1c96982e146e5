//! `[usage]`.

use std::collections::BTreeSet;

use amiwarden_core::{Source, TemplateVersions, UsageSettings};

use super::Fixture;
use super::problems::{check, problems};

#[test]
fn every_key_is_read() {
    let config = Fixture::with_file(
        r#"
        [usage]
        launch_template_versions = 3
        usage_reports = true
        disabled_sources = ["other-accounts", "fleets"]
        "#,
    )
    .loaded();
    let usage = UsageSettings {
        template_versions: TemplateVersions::Newest(3),
        usage_reports: true,
        disabled_sources: [Source::Fleets, Source::OtherAccounts].into(),
    };
    assert_eq!(config.usage, usage);
}

#[test]
fn so_many_template_versions_count() {
    let versions = |value: &str| {
        let text = format!("[usage]\nlaunch_template_versions = {value}\n");
        Fixture::with_file(&text).loaded().usage.template_versions
    };
    assert_eq!(versions("\"pinned\""), TemplateVersions::Pinned);
    assert_eq!(versions("1"), TemplateVersions::Newest(1));
    assert_eq!(versions("10000"), TemplateVersions::Newest(10_000));
    let refused = |value: &str, expected: &str| {
        check(
            &format!("[usage]\nlaunch_template_versions = {value}"),
            &format!("amiwarden.toml:2:28: {expected}"),
        );
    };
    refused("0", "0 is out of range: 1 to 10000 is expected");
    refused("10001", "10001 is out of range: 1 to 10000 is expected");
    refused("-1", "-1 is out of range: 1 to 10000 is expected");
    refused("\"all\"", "expected `pinned` or a whole number, found `all`");
    refused("\"5\"", "expected `pinned` or a whole number, found `5`");
    refused("1.5", "expected `pinned` or a whole number, found a fraction");
    refused("true", "expected `pinned` or a whole number, found true or false");
    refused("[1]", "expected `pinned` or a whole number, found a list");
}

#[test]
fn every_source_of_a_proof_can_be_switched_off_by_its_name() {
    for source in Source::PROOF.into_iter().filter(|source| *source != Source::UsageReports) {
        let text = format!("[usage]\ndisabled_sources = [\"{source}\"]\n");
        assert_eq!(Fixture::with_file(&text).loaded().usage.disabled_sources, [source].into(), "{source}");
    }
}

#[test]
fn variables_reach_every_key() {
    let usage = |name: &str, value: &str| {
        let file = "[usage]\nusage_reports = true\ndisabled_sources = [\"instances\"]\n";
        Fixture::with_file(file).variable(&format!("AMIWARDEN_USAGE__{name}"), value).loaded().usage
    };
    assert!(!usage("USAGE_REPORTS", "false").usage_reports);
    assert!(usage("USAGE_REPORTS", " true ").usage_reports);
    assert_eq!(usage("LAUNCH_TEMPLATE_VERSIONS", "7").template_versions, TemplateVersions::Newest(7));
    assert_eq!(usage("LAUNCH_TEMPLATE_VERSIONS", "pinned").template_versions, TemplateVersions::Pinned);
    let two: BTreeSet<Source> = [Source::Fleets, Source::SsmParameters].into();
    assert_eq!(usage("DISABLED_SOURCES", "fleets, ssm-parameters").disabled_sources, two);
    assert_eq!(usage("DISABLED_SOURCES", "[\"fleets\", \"ssm-parameters\"]").disabled_sources, two);
    assert!(usage("DISABLED_SOURCES", "").disabled_sources.is_empty());
}

#[test]
fn every_problem_of_usage_is_said_with_its_place_and_a_remedy() {
    let text = r#"[usage]
launch_template_versions = "pined"
usage_reports = "yes"
disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
launch_template_version = 3
"#;
    let fixture = Fixture::with_file(text).variable("AMIWARDEN_USAGE__USAGE_REPORT", "true");
    insta::assert_snapshot!(problems(&fixture), @r#"
    the configuration has 9 problems

    amiwarden.toml:2:28: expected `pinned` or a whole number, found `pined`
       |
     2 | launch_template_versions = "pined"
       |                            ^^^^^^^
       = did you mean `pinned`?

    amiwarden.toml:3:17: expected true or false, found a text
       |
     3 | usage_reports = "yes"
       |                 ^^^^^

    amiwarden.toml:4:21: `fleet` is no source of usage
       |
     4 | disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
       |                     ^^^^^^^
       = did you mean `fleets`?

    amiwarden.toml:4:40: `usage-reports` has a key of its own
       |
     4 | disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
       |                                        ^^^^^^^^^^^^^^^
       = `usage_reports = false`, the default, switches it off

    amiwarden.toml:4:57: `images` is no source of usage
       |
     4 | disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
       |                                                         ^^^^^^^^
       = there are `instances`, `launch-templates`, `auto-scaling-groups`, `launch-configurations`, `fleets`, `spot-fleet-requests`, `spot-instance-requests`, `ssm-parameters`, `shared-snapshots`, `other-accounts` and `image-references`

    amiwarden.toml:4:67: expected a text in quotes, found a whole number
       |
     4 | disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
       |                                                                   ^

    amiwarden.toml:4:70: `fleets` is in this list already
       |
     4 | disabled_sources = ["fleet", "fleets", "usage-reports", "images", 1, "fleets"]
       |                                                                      ^^^^^^^^
       = name each source once

    amiwarden.toml:5:1: unknown key `launch_template_version` in [usage]
       |
     5 | launch_template_version = 3
       | ^^^^^^^^^^^^^^^^^^^^^^^
       = did you mean `launch_template_versions`?

    environment variable AMIWARDEN_USAGE__USAGE_REPORT: unknown key `usage_report` in [usage]
       = did you mean `usage_reports`?
"#);
}

#[test]
fn a_source_is_named_once() {
    let text = problems(&Fixture::with_file(
        "[usage]\ndisabled_sources = [\"fleets\", \"instances\", \"fleets\"]\n",
    ));
    insta::assert_snapshot!(text, @r#"
    the configuration has a problem

    amiwarden.toml:2:44: `fleets` is in this list already
       |
     2 | disabled_sources = ["fleets", "instances", "fleets"]
       |                                            ^^^^^^^^
       = name each source once
"#);
}

#[test]
fn variables_are_checked_like_keys() {
    let check = |name: &str, value: &str, expected: &str| {
        let name = format!("AMIWARDEN_USAGE__{name}");
        let text = problems(&Fixture::new().variable(&name, value));
        assert_eq!(
            text,
            format!("the configuration has a problem\n\nenvironment variable {name}: {expected}")
        );
    };
    check("USAGE_REPORTS", "1", "expected true or false, found `1`");
    check("LAUNCH_TEMPLATE_VERSIONS", "10001", "10001 is out of range: 1 to 10000 is expected");
    check("LAUNCH_TEMPLATE_VERSIONS", "most", "expected `pinned` or a whole number, found `most`");
    check(
        "DISABLED_SOURCES",
        "fleets,fleets",
        "`fleets` is in this list already\n   = name each source once",
    );
}
