//! How much may happen, and how sure amiwarden has to be.

use serde::{Deserialize, Serialize};

use crate::{ActionKind, Duration, Window};

/// Whether changes are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan and rehearse only. The stricter one, so it comes first.
    Observe,
    /// Carry out.
    Enforce,
}

impl Mode {
    /// Its name in configurations and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// The limits of a run. `0` means zero, never "no limit".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Images disabled in one cycle, over all scopes.
    pub disable_per_cycle: u32,
    /// Images deregistered in one cycle, over all scopes.
    pub deregister_per_cycle: u32,
    /// Any other action in one cycle, each kind for itself, over all scopes.
    pub other_per_cycle: u32,
    /// Share of a scope's images, in percent, that may be disabled or deregistered in one cycle. At least
    /// one image may, unless this is zero.
    pub share_percent: u32,
    /// Share of a scope's images, in percent, beyond which candidates for disable and deregister are so many
    /// that something is wrong.
    pub surge_percent: u32,
    /// How far images or references may fall against the last complete reading, in percent, before a reading is
    /// taken for broken.
    pub collapse_percent: u32,
    /// Younger images' lifecycle is left alone.
    pub min_age: Duration,
    /// An image stays disabled at least this long before it is deregistered.
    pub min_hold: Duration,
    /// So many of the newest launchable images of each family are never disabled or deregistered.
    pub keep_newest: u32,
    /// Whether an image may be deregistered that the Recycle Bin would not hold.
    pub permanent: Permanent,
    /// Whether an image must be disabled before it is deregistered.
    pub ladder: Ladder,
    /// Images with this tag are left alone: for ever, or until the date that is its value.
    pub opt_out_tag: String,
    /// In so many cycles a policy that changed is only rehearsed when nobody looks at the plan.
    pub rehearse_cycles: u32,
    /// When changes may happen; at any time where there is none.
    pub window: Option<Window>,
}

/// Whether something may be removed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permanent {
    /// Only what the Recycle Bin would hold may be deregistered.
    Refuse,
    /// Anything may.
    Allow,
}

/// The way from available to gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ladder {
    /// Only disabled images are deregistered.
    DisabledFirst,
    /// Available images may be, too.
    Any,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            disable_per_cycle: 50,
            deregister_per_cycle: 10,
            other_per_cycle: 200,
            share_percent: 10,
            surge_percent: 25,
            collapse_percent: 30,
            min_age: Duration::from_days(7),
            min_hold: Duration::from_days(7),
            keep_newest: 1,
            permanent: Permanent::Refuse,
            ladder: Ladder::DisabledFirst,
            opt_out_tag: "amiwarden:keep".to_owned(),
            rehearse_cycles: 1,
            window: None,
        }
    }
}

impl Limits {
    /// How many actions of this kind one cycle may hold.
    pub fn per_cycle(&self, kind: ActionKind) -> u32 {
        match kind {
            ActionKind::Disable => self.disable_per_cycle,
            ActionKind::Deregister => self.deregister_per_cycle,
            _ => self.other_per_cycle,
        }
    }
}

/// How many of a scope's `images` may be disabled or deregistered in one cycle by a share of `percent`: at least
/// one, unless the share is zero.
pub(crate) fn share_of(images: usize, percent: u32) -> usize {
    let percent = usize::try_from(percent).unwrap_or(usize::MAX);
    if percent == 0 { 0 } else { (images.saturating_mul(percent) / 100).max(1) }
}

/// Limits of one policy. They hold besides the global ones: a policy can be held tighter, never looser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsOverride {
    /// See [`Limits::disable_per_cycle`]; counts this policy's steps only.
    pub disable_per_cycle: Option<u32>,
    /// See [`Limits::deregister_per_cycle`]; counts this policy's steps only.
    pub deregister_per_cycle: Option<u32>,
    /// See [`Limits::other_per_cycle`]; counts this policy's steps only.
    pub other_per_cycle: Option<u32>,
    /// See [`Limits::share_percent`]; counts this policy's steps only.
    pub share_percent: Option<u32>,
    /// See [`Limits::surge_percent`]; counts this policy's candidates only.
    pub surge_percent: Option<u32>,
    /// See [`Limits::min_age`].
    pub min_age: Option<Duration>,
    /// See [`Limits::min_hold`].
    pub min_hold: Option<Duration>,
    /// See [`Limits::keep_newest`].
    pub keep_newest: Option<u32>,
    /// See [`Limits::permanent`].
    pub permanent: Option<Permanent>,
    /// See [`Limits::ladder`].
    pub ladder: Option<Ladder>,
    /// Another tag besides [`Limits::opt_out_tag`] with the same meaning for this policy.
    pub opt_out_tag: Option<String>,
    /// See [`Limits::rehearse_cycles`].
    pub rehearse_cycles: Option<u32>,
    /// Another window besides [`Limits::window`]: both have to be open.
    pub window: Option<Window>,
}

impl LimitsOverride {
    /// How many actions of this kind one cycle may hold for this policy, if it says.
    pub fn per_cycle(&self, kind: ActionKind) -> Option<u32> {
        match kind {
            ActionKind::Disable => self.disable_per_cycle,
            ActionKind::Deregister => self.deregister_per_cycle,
            _ => self.other_per_cycle,
        }
    }
}
