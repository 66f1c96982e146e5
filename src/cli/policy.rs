//! `policy list` and `policy check`.

use std::collections::BTreeMap;
use std::path::Path;

use amiwarden_core::{Mode, PolicyName};
use amiwarden_policy::{EngineLimits, Modules, Policy, PolicySet, PolicySource};
use anyhow::{Context, anyhow};
use serde_json::json;

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::prepare;
use super::terminal;
use crate::policies;
use crate::rules::Rules;

pub(super) fn list(global: &Global) -> Result<Outcome, Failure> {
    let rules = prepare::load_rules(prepare::load_config(global, None)?)?;
    let text = match global.format {
        FormatArg::Json => as_json(&rules)?,
        FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => as_text(&rules),
    };
    terminal::print(text.as_bytes())?;
    Ok(Outcome::Fine)
}

pub(super) fn check(global: &Global, path: Option<&Path>) -> Result<Outcome, Failure> {
    let set = match path {
        Some(path) => check_path(path)?,
        None => return check_configured(global),
    };
    say_checked(&set);
    Ok(Outcome::Fine)
}

/// The policies that a run would use, with their parameters and limits.
fn check_configured(global: &Global) -> Result<Outcome, Failure> {
    let rules = prepare::load_rules(prepare::load_config(global, None)?)?;
    say_checked(&rules.book.policies);
    Ok(Outcome::Fine)
}

fn check_path(path: &Path) -> Result<PolicySet, Failure> {
    let (sources, modules) =
        if path.is_dir() { policies::find(Some(path)).map_err(Failure::usage)? } else { one_file(path)? };
    let no_params: BTreeMap<PolicyName, _> = BTreeMap::new();
    PolicySet::compile(sources, &modules, &no_params, &EngineLimits::default()).map_err(Failure::usage)
}

fn one_file(path: &Path) -> Result<(Vec<PolicySource>, Modules), Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the policy {}", path.display()))
        .map_err(Failure::Usage)?;
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let name = name.ok_or_else(|| Failure::Usage(anyhow!("{} has no usable name", path.display())))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let source = PolicySource { name: PolicyName::new(name), origin: path.display().to_string(), text };
    Ok((vec![source], Modules::Directory(parent.to_owned())))
}

fn say_checked(set: &PolicySet) {
    for warning in set.warnings() {
        terminal::note(&format!("{warning}\n"));
    }
    let rules: usize = set.policies().iter().map(|policy| policy.rules().len()).sum();
    let count = set.policies().len();
    let noun = if count == 1 { "policy" } else { "policies" };
    terminal::note(&format!("{count} {noun} with {rules} rules: no errors"));
}

fn as_text(rules: &Rules) -> String {
    let policies = rules.book.policies.policies().iter();
    policies.map(|policy| one_as_text(policy, mode(rules, policy))).collect::<Vec<_>>().join("\n")
}

fn one_as_text(policy: &Policy, mode: Mode) -> String {
    let mut lines = vec![format!("{} ({}, {})", policy.name(), policy.origin(), mode.as_str())];
    lines.extend(policy.description().lines().map(|line| format!("  {line}")));
    lines.extend(policy.parameters().iter().map(|parameter| {
        let default = if parameter.value == parameter.default {
            String::new()
        } else {
            format!("  (default {})", parameter.default)
        };
        format!("  param {} = {}{default}", parameter.name, parameter.value)
    }));
    lines.extend(policy.rules().iter().map(|rule| format!("  rule \"{}\" (line {})", rule.name, rule.line)));
    lines.join("\n") + "\n"
}

/// What a run with this configuration would do with the policy's steps: the stricter of both modes.
fn mode(rules: &Rules, policy: &Policy) -> Mode {
    let own = rules.book.settings.get(policy.name()).map_or(Mode::Observe, |settings| settings.mode);
    own.min(rules.config.mode)
}

fn as_json(rules: &Rules) -> Result<String, Failure> {
    let policy = |policy: &Policy| {
        json!({
            "name": policy.name(),
            "origin": policy.origin(),
            "mode": mode(rules, policy),
            "description": policy.description(),
            "digest": policy.digest(),
            "params": policy.parameters().iter().map(|parameter| json!({
                "name": parameter.name, "value": parameter.value, "default": parameter.default,
            })).collect::<Vec<_>>(),
            "rules": policy.rules(),
            "actions": policy.actions(),
        })
    };
    let policies: Vec<_> = rules.book.policies.policies().iter().map(policy).collect();
    let document = json!({ "schema": 1, "policies": policies });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
