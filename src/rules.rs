//! The rules of a run: the configuration and the policies, checked against each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{ActionKind, Mode, PolicyName, PolicySettings};
use amiwarden_policy::{CompilePoliciesError, EngineLimits, Modules, ParamValue, Policy, PolicySet};

use crate::config::{self, Config, DeregisterUnlimitedError, LoadConfigError};
use crate::cycle::RuleBook;
use crate::digest::digest;
use crate::policies::{self, FindPoliciesError};
use crate::schedule::Schedule;

/// The configuration and the policies, checked against each other.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) config: Config,
    /// The digest of the configuration as it was written: a schedule narrows what a run does, and is a part of it.
    pub(crate) digest: String,
    pub(crate) book: Arc<RuleBook>,
}

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadRulesError {
    /// The policies cannot be read.
    #[error(transparent)]
    Find(#[from] FindPoliciesError),
    /// The configuration is not about these policies.
    #[error(transparent)]
    Config(#[from] LoadConfigError),
    /// A policy does not compile.
    #[error(transparent)]
    Compile(#[from] CompilePoliciesError),
}

impl Rules {
    /// Compiles the policies that `config` names.
    pub(crate) fn load(config: Config) -> Result<Self, LoadRulesError> {
        let (sources, modules) = policies::find(config.policies.dir.as_deref())?;
        let names: Vec<PolicyName> = sources.iter().map(|source| source.name.clone()).collect();
        config.check_policies(&names)?;
        let params: BTreeMap<PolicyName, BTreeMap<String, ParamValue>> = config
            .policy
            .iter()
            .map(|(name, policy)| {
                let params =
                    policy.params.iter().map(|(key, param)| (key.clone(), param_value(&param.value)));
                (name.clone(), params.collect())
            })
            .collect();
        let set = PolicySet::compile(sources, &modules, &params, &EngineLimits::default())?;
        Ok(Self::of(config, set))
    }

    /// The configuration without any policy, for what asks none.
    pub(crate) fn without_policies(config: Config) -> Result<Self, LoadRulesError> {
        let nothing = Modules::Embedded(BTreeMap::new());
        let set = PolicySet::compile(Vec::new(), &nothing, &BTreeMap::new(), &EngineLimits::default())?;
        Ok(Self::of(config, set))
    }

    fn of(config: Config, set: PolicySet) -> Self {
        let settings = set.policies().iter().map(|policy| (policy.name().clone(), settings(&config, policy)));
        let settings = settings.collect();
        let scopes = set.policies().iter().filter_map(|policy| {
            let own = config.policy.get(policy.name())?;
            Some((policy.name().clone(), own.scope.clone()))
        });
        let scopes = scopes.collect();
        let book = RuleBook { policies: set, scopes, settings, families: config.policies.family.clone() };
        Self { digest: config.digest(), config, book: Arc::new(book) }
    }

    /// A digest of the policies and of the configuration with which they are in force.
    pub(crate) fn digest_of_policies(&self) -> String {
        let policies = self.book.policies.policies().iter();
        let lines = policies.map(|policy| format!("{} {}\n", policy.name(), policy.digest()));
        digest(&lines.chain([self.digest.clone()]).collect::<String>())
    }

    /// The rules as a schedule narrows them: its mode, where that is the stricter, and of the policies that it does not
    /// name no change is carried out. They are asked all the same: what one of them keeps is kept.
    pub(crate) fn for_schedule(&self, schedule: &Schedule) -> Self {
        let mut rules = self.clone();
        rules.config.mode = schedule.mode.map_or(self.config.mode, |mode| mode.min(self.config.mode));
        if !schedule.policies.is_empty() {
            let mut book = RuleBook::clone(&self.book);
            let others = book.settings.iter_mut().filter(|(name, _)| !schedule.policies.contains(name));
            others.for_each(|(_, settings)| settings.mode = Mode::Observe);
            rules.book = Arc::new(book);
        }
        rules
    }

    /// Complains where changes are to be carried out and a policy deregisters without limits that somebody chose.
    pub(crate) fn check_enforcement(&self) -> Result<(), DeregisterUnlimitedError> {
        if self.config.mode != Mode::Enforce {
            return Ok(());
        }
        let deregistering: Vec<PolicyName> = self
            .book
            .policies
            .policies()
            .iter()
            .filter(|policy| policy.actions().contains(&ActionKind::Deregister))
            .map(|policy| policy.name().clone())
            .filter(|name| self.config.mode_of(name) == Mode::Enforce)
            .collect();
        self.config.check_deregister(&deregistering)
    }
}

/// The standing of a policy. What cannot be undone, and no guard fences, a built-in policy does only when the
/// configuration names the policy with its mode.
fn settings(config: &Config, policy: &Policy) -> PolicySettings {
    let mut settings = config.settings_of(policy.name());
    let is_built_in = config.policies.dir.is_none();
    let is_named = config.policy.get(policy.name()).is_some_and(|named| named.mode.is_some());
    if is_built_in && !is_named && policy.actions().contains(&ActionKind::RequireImdsv2) {
        settings.mode = Mode::Observe;
    }
    settings
}

fn param_value(value: &config::ParamValue) -> ParamValue {
    match value {
        config::ParamValue::Text(text) => ParamValue::Text(text.clone()),
        config::ParamValue::Integer(number) => ParamValue::Int(*number),
        config::ParamValue::Float(number) => ParamValue::Float(*number),
        config::ParamValue::Boolean(truth) => ParamValue::Bool(*truth),
        config::ParamValue::List(items) => ParamValue::List(items.iter().map(param_value).collect()),
        config::ParamValue::Map(items) => {
            ParamValue::Map(items.iter().map(|(key, value)| (key.clone(), param_value(value))).collect())
        }
    }
}
