//! Guards: what stands between a decision and a change, each with a name.
//!
//! [`check_image`] holds what looks at one image; [`scope`] holds what looks at all candidates of a scope.
//! A guard only ever holds back; none makes anything happen. Wherever a guard cannot tell, it holds.

mod image;
pub(crate) mod scope;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Scope, Tally};
pub use image::opted_out;
pub(crate) use image::{ImageCheck, check_image, must_be_restorable};

/// The guards, in the order in which they look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// The clock of this machine cannot be trusted, and with it no age.
    Clock,
    /// So much has vanished since the last complete reading that the reading is taken for broken.
    Collapse,
    /// The image carries the opt-out tag.
    OptOut,
    /// The image is being made, or in no state in which anything should be done to it.
    Pending,
    /// AWS Backup manages the image's life.
    BackupManaged,
    /// The image is protected from deregistration.
    Protected,
    /// The image has to be disabled before it may be deregistered.
    Ladder,
    /// Disabling and deregistering never happen to one image in the same cycle.
    OneRung,
    /// The image is too young, or nobody knows how old it is.
    MinimumAge,
    /// The image has not been disabled long enough, or nobody knows how long.
    MinimumHold,
    /// The image is one of the newest launchable images of its family.
    NewestOfFamily,
    /// Something uses the image, or it cannot be ruled out.
    UsageProof,
    /// A source of the scope could not be read to its end.
    Completeness,
    /// The Recycle Bin would not hold the image and its snapshots.
    RecycleBin,
    /// A policy that changed has not been rehearsed often enough.
    NewPolicy,
    /// It is not the time for changes.
    Window,
    /// Changes are paused.
    Pause,
    /// So many candidates that something is wrong.
    Surge,
    /// More of the scope's images than one cycle may take.
    ShareOfScope,
    /// More actions of this kind than one cycle may take.
    PerCycle,
}

impl Guard {
    /// Its name in reports and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Collapse => "collapse",
            Self::OptOut => "opt-out",
            Self::Pending => "pending",
            Self::BackupManaged => "backup-managed",
            Self::Protected => "protected",
            Self::Ladder => "ladder",
            Self::OneRung => "one-rung",
            Self::MinimumAge => "minimum-age",
            Self::MinimumHold => "minimum-hold",
            Self::NewestOfFamily => "newest-of-family",
            Self::UsageProof => "usage-proof",
            Self::Completeness => "completeness",
            Self::RecycleBin => "recycle-bin",
            Self::NewPolicy => "new-policy",
            Self::Window => "window",
            Self::Pause => "pause",
            Self::Surge => "surge",
            Self::ShareOfScope => "share-of-scope",
            Self::PerCycle => "per-cycle",
        }
    }

    /// Whether it looks at nothing but the image, what uses it and what would hold it: not at the moment, the reading
    /// of the scope, or other candidates.
    pub fn is_about_the_image(self) -> bool {
        match self {
            Self::OptOut
            | Self::Pending
            | Self::BackupManaged
            | Self::Protected
            | Self::Ladder
            | Self::OneRung
            | Self::MinimumAge
            | Self::MinimumHold
            | Self::NewestOfFamily
            | Self::UsageProof
            | Self::RecycleBin => true,
            Self::Clock
            | Self::Collapse
            | Self::Completeness
            | Self::NewPolicy
            | Self::Window
            | Self::Pause
            | Self::Surge
            | Self::ShareOfScope
            | Self::PerCycle => false,
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A guard that found something wrong with the whole scope. A person has to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrippedGuard {
    /// The scope.
    pub scope: Scope,
    /// The guard.
    pub guard: Guard,
    /// What it found.
    pub reason: String,
    /// What was counted, where that is what a person may accept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Tally>,
}
