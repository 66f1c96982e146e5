//! What a policy may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LaunchPermission, Timestamp};

/// A wish of a policy, in its own terms. What it comes to for one image is a [`Change`](crate::Change).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Nobody outside the named grants may launch it as a member of the public.
    StripPublic,
    /// Take launch permissions from every account, organization and organizational unit but these.
    StripShares {
        /// Who keeps them.
        except: GrantFilter,
    },
    /// Give launch permissions to these.
    Share(GrantFilter),
    /// Set the description.
    SetDescription(String),
    /// Require version 2 of the instance metadata service. Cannot be undone.
    RequireImdsV2,
    /// Set these tags.
    Tag(BTreeMap<String, String>),
    /// Remove these tags.
    Untag(BTreeSet<String>),
    /// Protect from deregistration.
    Protect {
        /// Whether the protection outlives its end by 24 hours.
        cooldown: bool,
    },
    /// End the protection from deregistration.
    Unprotect,
    /// Deprecated from this instant on, or from an earlier one.
    Deprecate(Timestamp),
    /// No longer deprecated.
    Undeprecate,
    /// Cannot be launched any more, can be enabled again.
    Disable,
    /// Can be launched again.
    Enable,
    /// Remove it.
    Deregister(SnapshotFate),
}

/// Accounts, organizations and organizational units, named by a policy. Never the public.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantFilter(BTreeSet<LaunchPermission>);

impl GrantFilter {
    /// The named grants; the group `all` is left out, because it is never meant by name.
    pub fn new(grants: impl IntoIterator<Item = LaunchPermission>) -> Self {
        Self(grants.into_iter().filter(|grant| *grant != LaunchPermission::Everyone).collect())
    }

    /// Whether it names `grant`.
    pub fn contains(&self, grant: &LaunchPermission) -> bool {
        self.0.contains(grant)
    }

    /// All that it names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &LaunchPermission> {
        self.0.iter()
    }
}

/// What becomes of the snapshots of a deregistered image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotFate {
    /// They stay.
    Keep,
    /// EC2 deletes those that no other image uses.
    Delete,
}

/// The kinds of actions, by their names in policies, reports and limits. Their order is the order in which
/// the actions on one image are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// `strip_public`
    StripPublic,
    /// `strip_shares`
    StripShares,
    /// `share`
    Share,
    /// `set_description`
    SetDescription,
    /// `require_imdsv2`
    RequireImdsv2,
    /// `tag`
    Tag,
    /// `untag`
    Untag,
    /// `protect`
    Protect,
    /// `unprotect`
    Unprotect,
    /// `deprecate`
    Deprecate,
    /// `undeprecate`
    Undeprecate,
    /// `disable`
    Disable,
    /// `enable`
    Enable,
    /// `deregister`
    Deregister,
    /// Back from the Recycle Bin. No policy asks for it; `amiwarden undo` does.
    Restore,
}

impl ActionKind {
    /// Every kind that a policy may ask for, in the order of execution.
    pub const ALL: [Self; 14] = [
        Self::StripPublic,
        Self::StripShares,
        Self::Share,
        Self::SetDescription,
        Self::RequireImdsv2,
        Self::Tag,
        Self::Untag,
        Self::Protect,
        Self::Unprotect,
        Self::Deprecate,
        Self::Undeprecate,
        Self::Disable,
        Self::Enable,
        Self::Deregister,
    ];

    /// Its name in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StripPublic => "strip_public",
            Self::StripShares => "strip_shares",
            Self::Share => "share",
            Self::SetDescription => "set_description",
            Self::RequireImdsv2 => "require_imdsv2",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
            Self::Deprecate => "deprecate",
            Self::Undeprecate => "undeprecate",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Deregister => "deregister",
            Self::Restore => "restore",
        }
    }

    /// Whether it moves the image through its life. `keep` vetoes these.
    pub fn is_lifecycle(self) -> bool {
        match self {
            Self::Deprecate | Self::Undeprecate | Self::Disable | Self::Enable | Self::Deregister => true,
            Self::StripPublic
            | Self::StripShares
            | Self::Share
            | Self::SetDescription
            | Self::RequireImdsv2
            | Self::Tag
            | Self::Untag
            | Self::Protect
            | Self::Unprotect
            | Self::Restore => false,
        }
    }

    /// Whether launches of the image fail afterwards.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Disable | Self::Deregister)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Action {
    /// Its kind.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::StripPublic => ActionKind::StripPublic,
            Self::StripShares { .. } => ActionKind::StripShares,
            Self::Share(_) => ActionKind::Share,
            Self::SetDescription(_) => ActionKind::SetDescription,
            Self::RequireImdsV2 => ActionKind::RequireImdsv2,
            Self::Tag(_) => ActionKind::Tag,
            Self::Untag(_) => ActionKind::Untag,
            Self::Protect { .. } => ActionKind::Protect,
            Self::Unprotect => ActionKind::Unprotect,
            Self::Deprecate(_) => ActionKind::Deprecate,
            Self::Undeprecate => ActionKind::Undeprecate,
            Self::Disable => ActionKind::Disable,
            Self::Enable => ActionKind::Enable,
            Self::Deregister(_) => ActionKind::Deregister,
        }
    }
}
