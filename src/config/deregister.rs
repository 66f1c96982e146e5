//! The promise that nothing is deregistered on limits that nobody chose.

use std::fmt;
use std::path::PathBuf;

use amiwarden_core::PolicyName;

use super::Config;

/// Deregistering would be enforced, and limits that it needs were never written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DeregisterUnlimitedError {
    /// The policies that would deregister.
    pub policies: Vec<PolicyName>,
    /// Whether `limits.deregister_per_cycle` is missing, for all of them or for some.
    pub needs_per_cycle: bool,
    /// Whether `limits.share_percent` is missing, for all of them or for some.
    pub needs_share: bool,
    /// The file to write them in, if there is one.
    pub origin: Option<PathBuf>,
    /// Whether that file has `[limits]` already. TOML knows no second table of the same name.
    pub has_limits_table: bool,
}

impl Config {
    /// Makes sure that deregistering is only enforced within limits that somebody wrote down, in the file or
    /// the environment: `deregister_per_cycle` and `share_percent`, each in `[limits]` or in the policy's own. The
    /// defaults do not count: what cannot be undone must have been thought about.
    ///
    /// `enforced` are the policies that may deregister and whose mode is `enforce`.
    pub fn check_deregister(&self, enforced: &[PolicyName]) -> Result<(), DeregisterUnlimitedError> {
        let own = |name: &PolicyName| self.policy.get(name).map(|policy| &policy.limits);
        let lacks_cap = |name: &PolicyName| {
            !self.limits_stated.deregister_per_cycle
                && own(name).is_none_or(|limits| limits.deregister_per_cycle.is_none())
        };
        let lacks_share = |name: &PolicyName| {
            !self.limits_stated.share_percent && own(name).is_none_or(|limits| limits.share_percent.is_none())
        };
        let concerned = enforced.iter().filter(|name| lacks_cap(name) || lacks_share(name));
        let policies: Vec<PolicyName> = concerned.cloned().collect();
        if policies.is_empty() {
            return Ok(());
        }
        Err(DeregisterUnlimitedError {
            needs_per_cycle: policies.iter().any(lacks_cap),
            needs_share: policies.iter().any(lacks_share),
            policies,
            origin: self.origin.clone(),
            has_limits_table: self.has_limits_table,
        })
    }
}

impl fmt::Display for DeregisterUnlimitedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.policies.iter().map(PolicyName::as_str).collect();
        let subject = if names.len() == 1 { "the policy" } else { "the policies" };
        let verb = if names.len() == 1 { "deregisters" } else { "deregister" };
        let names = super::problem::enumerate(&names, "and");
        write!(
            f,
            "{subject} {names} {verb} images, and deregistering is only enforced within limits that somebody \
             has chosen; write "
        )?;
        // What follows can be copied as it is: with the table's name only where the file does not have it yet.
        match &self.origin {
            Some(path) if self.has_limits_table => {
                writeln!(f, "under `[limits]` in {}:", path.display())?;
            }
            Some(path) => write!(f, "at the end of {}:\n\n[limits]", path.display())?,
            None => {
                writeln!(f, "under `[limits]` in amiwarden.toml (`amiwarden init` makes one):")?;
            }
        }
        if self.needs_per_cycle {
            write!(f, "\nderegister_per_cycle = 10   # images deregistered in one cycle, over all scopes")?;
        }
        if self.needs_share {
            write!(
                f,
                "\nshare_percent = 10          # of a scope's images, disabled or deregistered in one cycle"
            )?;
        }
        Ok(())
    }
}
