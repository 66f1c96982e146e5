//! `docs/POLICIES.md` says what is so: its examples compile, its tables are complete, its error is a real one.

use std::fs;
use std::path::Path;

use amiwarden_core::{ActionKind, Need};

use crate::builders::{policy, refusal};

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/POLICIES.md")).unwrap()
}

/// The code blocks of the guide with this word behind the fence.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = guide;
    while let Some((_, after)) = rest.split_once(&format!("\n```{language}\n")) {
        let (block, next) = after.split_once("\n```\n").unwrap();
        found.push(block.to_owned());
        rest = next;
    }
    found
}

#[test]
fn every_policy_of_the_guide_compiles() {
    let found = blocks(&guide(), "rhai");
    assert!(found.len() >= 5, "{}", found.len());
    for text in &found {
        policy(text);
    }
}

#[test]
fn every_fact_stands_in_the_guide_with_its_type_and_its_cost() {
    let guide = guide();
    for info in amiwarden_policy::facts() {
        let start = format!("| `{}` | ", info.name);
        let row = guide.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("the guide has no row for {}", info.name));
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells[1].starts_with(info.value), "{}: {} and {}", info.name, cells[1], info.value);
        let costs = cells.last().unwrap().trim_matches('|').trim();
        assert_eq!(costs.is_empty(), info.need.is_none(), "{}: {costs}", info.name);
        match info.need {
            Some(Need::LaunchPermissions) => assert!(costs.contains("call"), "{row}"),
            Some(Need::Snapshots | Need::Usage) => {
                assert!(costs.contains("account and Region") || costs.contains("calls"), "{row}");
            }
            None => {}
        }
    }
}

#[test]
fn every_action_stands_in_the_guide() {
    let guide = guide();
    let names = ActionKind::ALL.into_iter().map(ActionKind::as_str).chain(["keep", "notify"]);
    for name in names {
        assert!(guide.contains(&format!("`{name}(")), "{name}");
    }
}

/// The example that shows an error: a policy, and below it exactly what is said of it.
#[test]
fn the_error_in_the_guide_is_a_real_one() {
    let guide = guide();
    let (_, section) = guide.split_once("\n## When something is wrong\n").expect("the section on errors");
    let (section, _) = section.split_once("\n## ").unwrap();
    let examples = blocks(section, "text");
    let [text, shown] = examples.as_slice() else { panic!("two blocks: a policy and what is said of it") };
    assert_eq!(&refusal(text).replace("policies/p.rhai", "policies/old.rhai"), shown);
}
