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
    /// Whether `limits.share_percent` is missing.
    pub needs_share: bool,
    /// The file to write them in, if there is one.
    pub origin: Option<PathBuf>,
}

impl Config {
    /// Makes sure that deregistering is only enforced within limits that somebody wrote down, in the file or
    /// the environment: `limits.deregister_per_cycle` (or the policy's own) and `limits.share_percent`. The
    /// defaults do not count: what cannot be undone must have been thought about.
    ///
    /// `enforced` are the policies that may deregister and whose mode is `enforce`.
    pub fn check_deregister(&self, enforced: &[PolicyName]) -> Result<(), DeregisterUnlimitedError> {
        let has_cap = |name: &&PolicyName| {
            self.limits_stated.deregister_per_cycle
                || self.policy.get(*name).is_some_and(|policy| policy.limits.deregister_per_cycle.is_some())
        };
        let needs_share = !self.limits_stated.share_percent;
        let concerned = enforced.iter().filter(|name| needs_share || !has_cap(name));
        let policies: Vec<PolicyName> = concerned.cloned().collect();
        if policies.is_empty() {
            return Ok(());
        }
        Err(DeregisterUnlimitedError {
            needs_per_cycle: policies.iter().any(|name| !has_cap(&name)),
            needs_share,
            policies,
            origin: self.origin.clone(),
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
        match &self.origin {
            Some(path) => write!(f, "in {}:", path.display())?,
            None => write!(f, "in amiwarden.toml (`amiwarden init` makes one):")?,
        }
        write!(f, "\n\n[limits]")?;
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
