//! `[usage]`: which sources tell whether something uses an image, and how deep they are read.

use std::collections::BTreeSet;

use amiwarden_core::{Source, TemplateVersions, UsageSettings};

use super::place::{Placed, Stated};
use super::problem::{Problem, enumerate, nearest};
use super::reader::{Read, Section, boolean, count, text};
use super::tree::{Node, Value};
use super::validate::copied_or;

/// A launch template has at most so many versions (EC2 User Guide, "Launch template restrictions").
const TEMPLATE_VERSIONS_MAX: u32 = 10_000;

/// What `[usage]` says.
#[derive(Debug)]
pub(super) struct RawUsage {
    template_versions: Stated<TemplateVersions>,
    usage_reports: Stated<bool>,
    disabled_sources: Vec<Placed<Source>>,
}

/// Reads `[usage]`.
pub(super) fn read(mut section: Section<'_>) -> RawUsage {
    let raw = RawUsage {
        template_versions: section.value("launch_template_versions", template_versions),
        usage_reports: section.value("usage_reports", boolean),
        disabled_sources: section.list("disabled_sources", source),
    };
    section.finish();
    raw
}

fn template_versions(node: Node) -> Read<TemplateVersions> {
    let newest = |node| count(1, TEMPLATE_VERSIONS_MAX)(node).map(TemplateVersions::Newest);
    let problem = match &node.value {
        Value::Text(text) | Value::Variable(text) if text == "pinned" => return Ok(TemplateVersions::Pinned),
        Value::Variable(text) if text.trim().parse::<i64>().is_ok() => return newest(node),
        Value::Integer(_) => return newest(node),
        Value::Text(text) | Value::Variable(text) => {
            let problem = unlike_versions(&node, &format!("`{text}`"));
            match nearest(text, &["pinned"]) {
                Some(meant) => problem.with_help(format!("did you mean `{meant}`?")),
                None => problem,
            }
        }
        Value::Float(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => {
            unlike_versions(&node, node.value.kind())
        }
    };
    Err(problem)
}

fn unlike_versions(node: &Node, found: &str) -> Problem {
    Problem::new(&node.place, format!("expected `pinned` or a whole number, found {found}"))
}

/// A source that can be switched off by its name.
fn source(node: Node) -> Read<Source> {
    let place = node.place.clone();
    let name = text(node)?;
    if name == Source::UsageReports.as_str() {
        let problem = Problem::new(&place, format!("`{name}` has a key of its own"));
        return Err(problem.with_help("`usage_reports = false`, the default, switches it off"));
    }
    let switchable = || Source::PROOF.into_iter().filter(|source| *source != Source::UsageReports);
    switchable().find(|source| source.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = switchable().map(Source::as_str).collect();
        let problem = Problem::new(&place, format!("`{name}` is no source of usage"));
        problem.with_help(match nearest(&name, &names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", enumerate(&names, "and")),
        })
    })
}

/// The settings that `raw` comes to.
pub(super) fn settings(raw: &RawUsage, problems: &mut Vec<Problem>) -> UsageSettings {
    let default = UsageSettings::default();
    let mut disabled_sources = BTreeSet::new();
    for source in &raw.disabled_sources {
        if !disabled_sources.insert(source.value) {
            let message = format!("`{}` is in this list already", source.value);
            problems.push(Problem::new(&source.place, message).with_help("name each source once"));
        }
    }
    UsageSettings {
        template_versions: copied_or(raw.template_versions.as_ref(), default.template_versions),
        usage_reports: copied_or(raw.usage_reports.as_ref(), default.usage_reports),
        disabled_sources,
    }
}
