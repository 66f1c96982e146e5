//! What may close while changes are carried out: the hours for changes end, or somebody pauses them.

use std::collections::BTreeMap;

use amiwarden_core::{Limits, PolicyName, PolicySettings, Step, Timestamp};

use crate::pause::PauseFile;

/// Looked at before every step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) policies: &'a BTreeMap<PolicyName, PolicySettings>,
    pub(crate) pause: &'a PauseFile,
}

impl Gate<'_> {
    /// Why the step may not be carried out at `now`, if so.
    pub(crate) fn closed_for(&self, step: &Step, now: Timestamp) -> Option<String> {
        let asking = step.because.iter().filter_map(|because| self.policies.get(&because.policy));
        let own = asking.filter_map(|settings| settings.limits.window.as_ref());
        let closed = self.limits.window.iter().chain(own).find(|window| !window.is_open(now));
        closed.map(|window| format!("changes happen {window}")).or_else(|| self.pause.reason())
    }
}
