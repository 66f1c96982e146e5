//! From what the file says to a configuration: what belongs together is checked together, and what is not
//! said gets its default.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use amiwarden_core::{FamilyRule, Limits, Mode, ParseFamilyRuleError, PolicyName};

use super::limits::{self, DEFAULT_SETTLE_AFTER};
use super::place::{Place, Placed};
use super::problem::Problem;
use super::raw::{RawConfig, RawPolicies, RawPolicy, RawScope, RawStore};
use super::secret::SecretFile;
use super::{
    AwsConfig, Config, LimitsStated, PoliciesConfig, PolicyConfig, PolicyScope, RegionChoice, StoreConfig,
    accounts, http, schedule, speed,
};
use super::{notify, usage};

const DEFAULT_DATABASE: &str = "amiwarden.db";
const DEFAULT_FAMILY_TAG: &str = "Family";
const DEFAULT_FAMILY_PATTERN: &str = r"^(?<family>.+?)-\d";

/// What relative paths are relative to.
pub(super) struct Bases<'a> {
    /// Those in the file: its directory.
    pub(super) file: &'a Path,
    /// Those in the environment: the working directory.
    pub(super) other: &'a Path,
    /// Where systemd puts credentials, if it started this process with any.
    pub(super) credentials: Option<&'a Path>,
}

impl Bases<'_> {
    /// Where a path leads that was written there.
    pub(super) fn resolve(&self, written: &Placed<String>) -> PathBuf {
        let base = if written.place.is_in_text() { self.file } else { self.other };
        base.join(&written.value)
    }

    /// The file of a secret that was named there.
    pub(super) fn secret_file(&self, written: &Placed<String>) -> SecretFile {
        SecretFile::new(&written.value, self.resolve(written), self.credentials)
    }
}

/// The configuration that `raw` comes to. Where problems were found, it is of no use, or none at all.
pub(super) fn validate(raw: RawConfig, bases: &Bases<'_>, problems: &mut Vec<Problem>) -> Option<Config> {
    let limits_stated = LimitsStated {
        deregister_per_cycle: raw.limits.common.deregister_per_cycle.is_some(),
        share_percent: raw.limits.common.share_percent.is_some(),
    };
    let limits = limits::global(&raw.limits);
    let policy = policy_tables(raw.policy, &limits, problems);
    let store = store(&raw.store, bases, problems);
    let pause_file = limits::pause_file(&raw.limits, &store, bases, problems);
    let usage = usage::settings(&raw.usage, problems);
    let notify = notify::notifiers(raw.notify, bases, problems);
    let family = family(&raw.policies, problems)?;
    Some(Config {
        mode: value_or(raw.mode, Mode::Observe),
        store,
        aws: AwsConfig {
            regions: raw.aws.regions.unwrap_or(RegionChoice::Default),
            endpoint_url: raw.aws.endpoint_url.map(|it| it.value),
            profile: raw.aws.profile.map(|it| it.value),
            accounts: accounts::accounts(raw.accounts, problems),
            organization: accounts::organization(raw.organization, problems),
        },
        policies: PoliciesConfig { dir: raw.policies.dir.map(|it| bases.resolve(&it)), family },
        policy,
        limits,
        limits_stated,
        pause_file,
        settle_after: copied_or(raw.limits.settle_after.as_ref(), DEFAULT_SETTLE_AFTER),
        usage,
        speed: speed::settings(raw.speed),
        schedules: schedule::settings(raw.schedules, problems),
        notify,
        http: http::settings(&raw.http, bases),
        origin: None,
        has_limits_table: false,
    })
}

fn value_or<T>(stated: Option<Placed<T>>, default: T) -> T {
    stated.map_or(default, |stated| stated.value)
}

fn store(raw: &RawStore, bases: &Bases<'_>, problems: &mut Vec<Problem>) -> StoreConfig {
    let path = raw.path.as_ref().map_or_else(|| bases.file.join(DEFAULT_DATABASE), |it| bases.resolve(it));
    // The head goes with its database, whatever that is called.
    let ledger_head =
        raw.ledger_head.as_ref().map_or_else(|| path.with_extension("head"), |it| bases.resolve(it));
    if let Some(place) = [&raw.ledger_head, &raw.path].into_iter().flatten().next()
        && path == ledger_head
    {
        let message = "the database and the ledger's head would be one file";
        problems.push(Problem::new(&place.place, message));
    }
    StoreConfig { path, ledger_head }
}

/// The rule for families. Where the pattern cannot be used, there is none, and a problem.
fn family(raw: &RawPolicies, problems: &mut Vec<Problem>) -> Option<FamilyRule> {
    let tag = raw.family_tag.as_ref().map_or(DEFAULT_FAMILY_TAG, |it| &it.value);
    let pattern = raw.family_name_pattern.as_ref().map_or(DEFAULT_FAMILY_PATTERN, |it| &it.value);
    let is_used = |text: &&str| !text.is_empty();
    let rule = FamilyRule::new(Some(tag).filter(is_used).map(str::to_owned), Some(pattern).filter(is_used));
    rule.map_err(|error| {
        if let Some(stated) = &raw.family_name_pattern {
            problems.push(family_problem(&stated.place, &error));
        }
    })
    .ok()
}

fn family_problem(place: &Place, error: &ParseFamilyRuleError) -> Problem {
    match error {
        ParseFamilyRuleError::Pattern(report) => {
            // The report draws the pattern over several lines; its last one says what is wrong.
            let what = report.lines().last().unwrap_or(report).trim_start_matches("error: ");
            Problem::new(place, format!("this is not a regular expression: {what}"))
        }
        ParseFamilyRuleError::NoGroup(_) => Problem::new(place, "this pattern has no group named `family`")
            .with_help(format!(
                "put the part that names the family into `(?<family>…)`, as in '{DEFAULT_FAMILY_PATTERN}'"
            )),
    }
}

/// The same for what can be copied, and is asked for again.
pub(super) fn copied_or<T: Copy>(stated: Option<&Placed<T>>, default: T) -> T {
    stated.map_or(default, |stated| stated.value)
}

fn policy_tables(
    tables: Vec<RawPolicy>,
    global: &Limits,
    problems: &mut Vec<Problem>,
) -> BTreeMap<PolicyName, PolicyConfig> {
    let mut policies: BTreeMap<PolicyName, PolicyConfig> = BTreeMap::new();
    for raw in tables {
        let limits = limits::own(raw.limits, global, problems);
        let name = match policy_name(raw.file.as_ref(), &raw.place) {
            Ok(name) => name,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let place = raw.file.map_or(raw.place, |file| file.place);
        match policies.entry(name) {
            Entry::Occupied(first) => {
                let message = format!("`{}.rhai` has a [[policy]] already", first.key());
                let help = format!("the first is at {}: put both into one", first.get().place);
                problems.push(Problem::new(&place, message).with_help(help));
            }
            Entry::Vacant(free) => {
                let scope = policy_scope(raw.scope);
                let mode = raw.mode.map(|mode| mode.value);
                free.insert(PolicyConfig { place, mode, params: raw.params, scope, limits });
            }
        }
    }
    policies
}

/// A policy is named by its file, which lies in the policy directory itself.
fn policy_name(file: Option<&Placed<String>>, place: &Place) -> Result<PolicyName, Problem> {
    let Some(file) = file else {
        let problem = Problem::new(place, "this [[policy]] does not say which policy it is about");
        return Err(problem.with_help("add its file, such as `file = \"retire-stale.rhai\"`"));
    };
    match file.value.strip_suffix(".rhai") {
        Some(name) if !name.is_empty() && !name.contains(['/', '\\']) => Ok(PolicyName::new(name)),
        Some(_) => {
            let problem = Problem::new(&file.place, "this is no file in the policy directory");
            Err(problem.with_help("write its name alone; `[policies] dir` says where it is"))
        }
        None => {
            let problem = Problem::new(&file.place, "policy files end with `.rhai`");
            Err(problem.with_help(format!("did you mean `{}.rhai`?", file.value)))
        }
    }
}

fn policy_scope(raw: RawScope) -> PolicyScope {
    PolicyScope {
        accounts: raw.accounts.into_iter().map(|it| it.value).collect(),
        regions: raw.regions.into_iter().map(|it| it.value).collect(),
        tags: raw.tags.into_iter().map(|(key, it)| (key, it.value)).collect(),
        names: raw.names.into_iter().map(|it| it.value).collect(),
    }
}
