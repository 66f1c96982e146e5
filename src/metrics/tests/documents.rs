//! `docs/METRICS.md`, the dashboard, the alerts and the runbook, held against the list of series.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use crate::metrics::series::{ALL, Kind, Series};

const DOCS: &str = include_str!("../../../docs/METRICS.md");
const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");
const DASHBOARD: &str = include_str!("../../../dashboards/amiwarden.json");
const ALERTS: &str = include_str!("../../../dashboards/alerts.yaml");
const ALERT_TESTS: &str = include_str!("../../../dashboards/alerts_test.yaml");

/// Labels that Prometheus adds itself.
const SCRAPED: [&str; 2] = ["instance", "job"];

fn by_name() -> BTreeMap<&'static str, &'static Series> {
    ALL.iter().map(|series| (series.name, *series)).collect()
}

/// What a query says that no series has, in words.
fn mistakes(query: &str) -> Vec<String> {
    let all = by_name();
    let name = Regex::new(r"amiwarden_[a-z_]+").unwrap();
    let selector = Regex::new(r"(amiwarden_[a-z_]+)\{([^}]*)\}").unwrap();
    let label = Regex::new(r"([a-z_]+)\s*(?:=~|!~|!=|=)").unwrap();
    let grouping = Regex::new(r"\b(?:by|without) \(([^)]*)\)").unwrap();
    let mut mistakes = Vec::new();
    let mut labels: BTreeSet<&str> = SCRAPED.into();
    for found in name.find_iter(query) {
        match all.get(found.as_str()) {
            Some(series) => labels.extend(series.labels),
            None => mistakes.push(format!("there is no series {}", found.as_str())),
        }
    }
    for found in selector.captures_iter(query) {
        let Some(series) = all.get(&found[1]) else { continue };
        for used in label.captures_iter(&found[2]).map(|label| label.get(1).unwrap().as_str()) {
            if !series.labels.contains(&used) {
                mistakes.push(format!("{} has no label {used}", series.name));
            }
        }
    }
    for found in grouping.captures_iter(query) {
        let used = found.get(1).unwrap().as_str().split(',').map(str::trim);
        mistakes.extend(
            used.filter(|used| !labels.contains(used)).map(|used| format!("nothing has the label {used}")),
        );
    }
    mistakes
}

#[test]
fn names_follow_the_conventions() {
    let mut names = BTreeSet::new();
    for series in ALL {
        let name = series.name;
        assert!(names.insert(name), "{name} is there twice");
        assert_eq!(name.ends_with("_total"), series.kind == Kind::Counter, "{name}");
        assert!(name.chars().all(|it| it.is_ascii_lowercase() || it == '_'), "{name}");
        assert!(series.help.ends_with('.'), "{name}: {}", series.help);
    }
}

#[test]
fn the_document_and_the_registry_agree() {
    let row =
        Regex::new(r"(?m)^\| `(amiwarden_[a-z_]+)` \| (gauge|counter) \| ([^|]*) \| ([^|]+) \| (.+) \|$")
            .unwrap();
    let mut documented = BTreeSet::new();
    for found in row.captures_iter(DOCS) {
        let name = found.get(1).unwrap().as_str();
        let series =
            by_name().get(name).copied().unwrap_or_else(|| panic!("{name} is documented and not there"));
        let kind = match series.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        assert_eq!(&found[2], kind, "{name}");
        let labels: Vec<&str> =
            found.get(3).unwrap().as_str().split(", ").map(|it| it.trim_matches('`')).collect();
        let expected = if series.labels.is_empty() { vec!["–"] } else { series.labels.to_vec() };
        assert_eq!(labels, expected, "{name}");
        assert_eq!(&found[5], series.help, "{name}");
        assert!(documented.insert(name), "{name} is documented twice");
    }
    let all: BTreeSet<&str> = by_name().into_keys().collect();
    assert_eq!(documented, all);
    for label in ALL.iter().flat_map(|series| series.labels) {
        assert!(DOCS.contains(&format!("`{label}`")), "the label {label} is not explained");
    }
}

#[test]
fn every_query_of_the_dashboard_is_about_series_that_exist() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 38);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "account", "region"]);
    let mut queries: Vec<&str> = variables.iter().filter_map(|it| it["definition"].as_str()).collect();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{} asks nothing", panel["title"]);
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        queries.extend(targets.iter().map(|target| target["expr"].as_str().unwrap()));
    }
    for query in &queries {
        assert_eq!(mistakes(query), Vec::<String>::new(), "{query}");
    }
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|panel| panel["title"].as_str().unwrap())
        .collect();
    assert_eq!(rows, ["At a glance", "Decisions", "Steps", "Guards", "Cost", "AWS calls", "Service"]);
    let shown = queries.join("\n");
    for series in ALL.iter().filter(|series| !NOT_SHOWN.contains(&series.name)) {
        assert!(shown.contains(series.name), "no panel shows {}", series.name);
    }
}

/// Their labels or sums are shown by others.
const NOT_SHOWN: [&str; 2] = ["amiwarden_policy_set_info", "amiwarden_scope_last_attempt_timestamp_seconds"];

/// Each alert: its name, and all its lines.
fn alerts() -> Vec<(&'static str, &'static str)> {
    let parts = ALERTS.split("      - alert: ").skip(1);
    parts.map(|part| (part.lines().next().unwrap().trim(), part)).collect()
}

#[test]
fn every_alert_is_about_series_that_exist_and_has_a_section_that_says_what_to_do() {
    let alerts = alerts();
    assert_eq!(alerts.len(), 10);
    for (name, text) in alerts {
        let field = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
            line.unwrap_or_else(|| panic!("{name} has no {key}")).trim()
        };
        assert_eq!(mistakes(field("expr:")), Vec::<String>::new(), "{name}");
        assert!(["info", "warning", "critical"].contains(&field("severity:")), "{name}");
        for key in ["summary:", "description:"] {
            assert!(!field(key).is_empty(), "{name}");
        }
        let anchor = format!("docs/OPERATIONS.md#{}", name.to_lowercase());
        assert!(field("runbook_url:").ends_with(&anchor), "{name}: no {anchor}");
        let section = OPERATIONS.split(&format!("### {name}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("OPERATIONS.md has no section {name}"));
        let section = section.split("\n##").next().unwrap();
        for part in ["**What it means.**", "**How to look.**", "**What to do.**"] {
            assert!(section.contains(part), "{name} does not say {part}");
        }
    }
}

#[test]
fn every_alert_is_tested_both_firing_and_silent() {
    for (name, _) in alerts() {
        let tests: Vec<&str> = ALERT_TESTS
            .split("- eval_time:")
            .filter(|it| it.contains(&format!("alertname: {name}\n")))
            .collect();
        let silent = tests.iter().filter(|test| test.contains("exp_alerts: []")).count();
        assert!(silent > 0, "{name} is never seen silent");
        assert!(tests.len() > silent, "{name} is never seen firing");
    }
}

#[test]
fn mistakes_in_queries_are_found() {
    let check = |query: &str, expected: usize| assert_eq!(mistakes(query).len(), expected, "{query}");
    check("sum by (state) (amiwarden_images{account=~\"$account\",state!=\"x\"})", 0);
    check("amiwarden_image", 1);
    check("amiwarden_images{policy=\"x\"}", 1);
    check("sum by (policy) (amiwarden_images)", 1);
    check("max by (instance, job) (amiwarden_paused)", 0);
}
