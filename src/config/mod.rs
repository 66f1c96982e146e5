//! The configuration: one TOML file, environment variables over it, flags over both.
//!
//! [`load`] yields a [`Config`] that needs no further checks, or every problem at once, each with its place,
//! its line and a remedy. The way there: the file becomes a tree of values with places (`tree`), the tree is
//! read section by section into types that mirror the file (`reader`, `raw`), and those are checked together
//! and given their defaults (`validate`).
//!
//! Deliberately absent: whether the policies, their parameters, the database or the Regions exist. Those who
//! open them know, and can point at the [`Place`]s that the configuration keeps.

mod accounts;
mod deregister;
mod http;
mod limits;
mod load;
mod notify;
mod place;
mod problem;
mod raw;
mod reader;
mod schedule;
mod scope;
mod secret;
mod speed;
mod tree;
mod usage;
mod validate;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use amiwarden_core::{
    AccountId, Duration, FamilyRule, Limits, LimitsOverride, Mode, PolicyName, PolicySettings, Region,
    UsageSettings,
};

pub use deregister::DeregisterUnlimitedError;
pub use http::{HttpConfig, Listen};
pub use load::{LoadRequest, Overrides, WithoutFile, load};
pub(crate) use notify::url_fault;
pub use notify::{Channel, NotifierConfig, NotifyEvent};
pub use place::{Place, Placed};
pub use problem::{LoadConfigError, Problem, Problems};
pub use schedule::ScheduleConfig;
pub use scope::{NamePattern, ParseNamePatternError, PolicyScope};
pub use secret::{ReadSecretError, Secret, SecretFile, SecretSource};
pub use speed::SpeedConfig;

/// The configuration for the sandbox: limits that let its small demo fleet show everything.
pub const SANDBOX: &str = include_str!("../../examples/sandbox.toml");

/// A configuration with every key, its default and its meaning, for people to start from.
pub const TEMPLATE: &str = include_str!("../../examples/amiwarden.toml");

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether changes are carried out. A policy can be stricter: see [`Config::mode_of`].
    pub mode: Mode,
    /// Where amiwarden remembers.
    pub store: StoreConfig,
    /// Where the images are.
    pub aws: AwsConfig,
    /// Where the policies are, and what a family is.
    pub policies: PoliciesConfig,
    /// Policies that need more than defaults.
    pub policy: BTreeMap<PolicyName, PolicyConfig>,
    /// How much one cycle may do.
    pub limits: Limits,
    /// Which limits somebody has written down, rather than left to their defaults.
    pub limits_stated: LimitsStated,
    /// `limits.pause_file`: while this file exists, nothing is changed.
    pub pause_file: Option<PathBuf>,
    /// `limits.settle_after`: so old an intent whose effect does not show has to be before it counts as not having
    /// taken effect. Until then its outcome is unknown.
    pub settle_after: Duration,
    /// Which sources of usage count, and how deep they are read.
    pub usage: UsageSettings,
    /// How fast AWS is asked, and how much happens at a time.
    pub speed: SpeedConfig,
    /// When the service runs, and what.
    pub schedules: Vec<ScheduleConfig>,
    /// Who is told of what, in the order of the file.
    pub notify: Vec<NotifierConfig>,
    /// Where the service answers, and to whom.
    pub http: HttpConfig,
    /// The file that it was read from; none for defaults and for the embedded sandbox configuration.
    pub origin: Option<PathBuf>,
    /// Whether that file has `[limits]` already: a second one cannot be added to it.
    pub has_limits_table: bool,
}

/// Where amiwarden remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The SQLite database.
    pub path: PathBuf,
    /// The head of the audit ledger, kept outside the database so that a truncated ledger is noticed.
    pub ledger_head: PathBuf,
}

/// Where the images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsConfig {
    /// In which Regions.
    pub regions: RegionChoice,
    /// Another endpoint than AWS's own, for every service.
    pub endpoint_url: Option<String>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// In which accounts, each once. None, and no organization: in that of the credentials.
    pub accounts: Vec<AccountConfig>,
    /// In which accounts of an organization besides.
    pub organization: Option<OrganizationConfig>,
}

/// An account that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountConfig {
    /// The account.
    pub id: AccountId,
    /// The role to assume there, by its name or its ARN; the account of the credentials needs none.
    pub role: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// In which Regions, if in others than elsewhere.
    pub regions: Option<RegionChoice>,
}

/// The accounts of an organization that are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationConfig {
    /// The name of the role to assume in each.
    pub role: String,
    /// The external id that the roles ask for.
    pub external_id: Option<String>,
    /// Only these; all where it is empty.
    pub include: BTreeSet<AccountId>,
    /// Not these.
    pub exclude: BTreeSet<AccountId>,
}

/// The Regions that are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionChoice {
    /// The one that the AWS profile or environment names.
    Default,
    /// Every Region that is enabled for the account.
    All,
    /// These, in this order. At least one.
    Named(Vec<Region>),
}

/// Where the policies are, and what a family is.
#[derive(Clone, Debug)]
pub struct PoliciesConfig {
    /// The directory that holds them; `None` for those that are built in.
    pub dir: Option<PathBuf>,
    /// How an image's family is found.
    pub family: FamilyRule,
}

/// What one policy has that others have not.
#[derive(Clone, Debug)]
pub struct PolicyConfig {
    /// Where its file is named, for complaints that it does not exist.
    pub place: Place,
    /// Its own mode. The stricter of this and the global one holds.
    pub mode: Option<Mode>,
    /// Values for its parameters.
    pub params: BTreeMap<String, Param>,
    /// The images that it looks at.
    pub scope: PolicyScope,
    /// Its own limits, none looser than the global ones.
    pub limits: LimitsOverride,
}

/// A value for a parameter, and where its key was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The value.
    pub value: ParamValue,
    /// Where its key was written.
    pub place: Place,
}

/// A value as the file can write it. Which form a parameter takes, its policy says: a duration is a text here.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite fraction.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A list.
    List(Vec<ParamValue>),
    /// A table.
    Map(BTreeMap<String, ParamValue>),
}

/// The limits without which deregistering is not enforced, and whether they were written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsStated {
    /// `limits.deregister_per_cycle`
    pub deregister_per_cycle: bool,
    /// `limits.share_percent`
    pub share_percent: bool,
}

impl Config {
    /// The mode of one policy: the stricter of its own and the global one.
    pub fn mode_of(&self, policy: &PolicyName) -> Mode {
        let own = self.policy.get(policy).and_then(|policy| policy.mode);
        own.map_or(self.mode, |own| own.min(self.mode))
    }

    /// The standing of one policy, as planning wants it. Its mode is its own alone: a plan says what each policy
    /// permits, whether or not the run that makes it is to carry anything out.
    pub fn settings_of(&self, policy: &PolicyName) -> PolicySettings {
        let own = self.policy.get(policy);
        PolicySettings {
            mode: own.and_then(|policy| policy.mode).unwrap_or(Mode::Enforce),
            limits: own.map(|policy| policy.limits.clone()).unwrap_or_default(),
        }
    }

    /// A digest of everything in it: two runs with equal digests ran with the same configuration.
    pub fn digest(&self) -> String {
        // The debug form shows every field and quotes every text.
        crate::digest::digest(&format!("{self:?}"))
    }

    /// Complains about every policy that a `[[policy]]` or a `[[schedule]]` names and that there is not.
    pub fn check_policies(&self, there_are: &[PolicyName]) -> Result<(), LoadConfigError> {
        let names: Vec<&str> = there_are.iter().map(PolicyName::as_str).collect();
        let own = self.policy.iter().map(|(name, policy)| (name, &policy.place));
        let scheduled =
            self.schedules.iter().flat_map(|it| it.schedule.policies.iter().zip(&it.policy_places));
        let unknown = own.chain(scheduled).filter(|(name, _)| !there_are.contains(name));
        let problems: Vec<Problem> = unknown
            .map(|(name, place)| {
                let problem = Problem::new(place, format!("there is no policy `{name}.rhai`"));
                problem.with_help(match problem::nearest(name.as_str(), &names) {
                    Some(meant) => format!("did you mean `{meant}.rhai`?"),
                    None => format!("there are {}", problem::enumerate(&names, "and")),
                })
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(LoadConfigError::invalid(problems)) }
    }
}
