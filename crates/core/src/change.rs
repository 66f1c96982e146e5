//! What an action comes to for one image: a change that is fully determined, or nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Action, ActionKind, Call, DeregistrationProtection, Duration, Fact, Facts, GrantFilter, Image,
    ImageState, LaunchPermission, LaunchPermissions, Need, Reading, SnapshotFate, SnapshotId, Timestamp,
};

/// The tag that says since when an image is disabled, because EC2 does not.
pub const DISABLED_AT_TAG: &str = "amiwarden:disabled-at";

/// EC2 refuses a deprecation date that has passed when the request arrives, and rounds to the minute (EC2 User
/// Guide, "Deprecate an Amazon EC2 AMI"). A date that is due is therefore sent this far ahead.
const DEPRECATION_LEAD: Duration = Duration::from_const_seconds(120);

/// A change to one image. Specific enough that carrying it out needs no choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Take the group `all` away.
    StripPublic,
    /// Take exactly these launch permissions away.
    StripShares(LaunchPermissions),
    /// Give exactly these launch permissions.
    Share(LaunchPermissions),
    /// Set the description.
    SetDescription(String),
    /// Require version 2 of the instance metadata service.
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
    /// End the protection.
    Unprotect,
    /// Deprecate at this instant; when it has passed, as soon as EC2 allows.
    Deprecate(Timestamp),
    /// Deprecate at exactly this instant, be it later than before. Only `amiwarden undo` asks for it.
    SetDeprecation(Timestamp),
    /// Take the deprecation away.
    Undeprecate,
    /// Disable.
    Disable,
    /// Enable.
    Enable,
    /// Deregister.
    Deregister(SnapshotFate),
    /// Restore from the Recycle Bin, these snapshots first. Only `amiwarden undo` asks for it.
    Restore {
        /// Snapshots of the image that are in the Recycle Bin, too.
        snapshots: Vec<SnapshotId>,
    },
}

/// What an action comes to, given the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// This change.
    Change(Change),
    /// Nothing: its effect already holds.
    Satisfied,
    /// It cannot be told: something that it depends on is unknown, for this reason.
    Unknown(String),
    /// It cannot be told before this has been fetched.
    NotFetched(Need),
}

impl Action {
    /// What this action comes to for the image that `facts` describe.
    pub fn resolve(&self, facts: &Facts) -> Resolution {
        let change = match self {
            Self::StripPublic => Change::StripPublic,
            Self::StripShares { except } => return resolve_grants(facts, |held| strip(held, except)),
            Self::Share(grants) => return resolve_grants(facts, |held| share(held, grants)),
            Self::SetDescription(text) => Change::SetDescription(text.clone()),
            Self::RequireImdsV2 => Change::RequireImdsV2,
            Self::Tag(tags) => {
                let current = &facts.image.tags;
                let wanted = tags.iter().filter(|(key, value)| current.get(*key) != Some(value));
                Change::Tag(wanted.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            Self::Untag(keys) => {
                let present = keys.iter().filter(|key| facts.image.tags.contains_key(*key));
                Change::Untag(present.cloned().collect())
            }
            Self::Protect { cooldown } => Change::Protect { cooldown: *cooldown },
            Self::Unprotect => Change::Unprotect,
            Self::Deprecate(at) => Change::Deprecate(*at),
            Self::Undeprecate => Change::Undeprecate,
            Self::Disable => Change::Disable,
            Self::Enable => Change::Enable,
            Self::Deregister(snapshots) => Change::Deregister(*snapshots),
        };
        match change.holds(Some(&facts.image), None, facts.now) {
            Fact::Known(true) => Resolution::Satisfied,
            Fact::Known(false) => Resolution::Change(change),
            Fact::Unknown(reason) => Resolution::Unknown(reason),
            Fact::NotFetched(need) => Resolution::NotFetched(need),
        }
    }
}

fn resolve_grants(facts: &Facts, change: impl FnOnce(&LaunchPermissions) -> Option<Change>) -> Resolution {
    match &facts.launch_permissions {
        Fact::Known(held) => change(held).map_or(Resolution::Satisfied, Resolution::Change),
        Fact::Unknown(reason) => Resolution::Unknown(reason.clone()),
        Fact::NotFetched(need) => Resolution::NotFetched(*need),
    }
}

fn strip(held: &LaunchPermissions, except: &GrantFilter) -> Option<Change> {
    let unwanted: LaunchPermissions = held
        .iter()
        .filter(|grant| **grant != LaunchPermission::Everyone && !except.contains(grant))
        .cloned()
        .collect();
    (!unwanted.is_empty()).then_some(Change::StripShares(unwanted))
}

fn share(held: &LaunchPermissions, grants: &GrantFilter) -> Option<Change> {
    let missing: LaunchPermissions = grants.iter().filter(|grant| !held.contains(*grant)).cloned().collect();
    (!missing.is_empty()).then_some(Change::Share(missing))
}

impl Change {
    /// The kind of action that it carries out.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::StripPublic => ActionKind::StripPublic,
            Self::StripShares(_) => ActionKind::StripShares,
            Self::Share(_) => ActionKind::Share,
            Self::SetDescription(_) => ActionKind::SetDescription,
            Self::RequireImdsV2 => ActionKind::RequireImdsv2,
            Self::Tag(_) => ActionKind::Tag,
            Self::Untag(_) => ActionKind::Untag,
            Self::Protect { .. } => ActionKind::Protect,
            Self::Unprotect => ActionKind::Unprotect,
            Self::Deprecate(_) | Self::SetDeprecation(_) => ActionKind::Deprecate,
            Self::Undeprecate => ActionKind::Undeprecate,
            Self::Disable => ActionKind::Disable,
            Self::Enable => ActionKind::Enable,
            Self::Deregister(_) => ActionKind::Deregister,
            Self::Restore { .. } => ActionKind::Restore,
        }
    }

    /// Whether the effect of this change holds for the image as it is now. `None` for the image means that EC2
    /// does not list it (any more); `permissions` are needed for the changes of launch permissions only. `now` is
    /// when the change is asked for, or was, if it is to be found out what became of it: no deprecation can be
    /// asked for that is earlier.
    ///
    /// This one function decides what is satisfied when planning, what is already done when carrying out, and
    /// what became of an intent whose reply was lost.
    pub fn holds(
        &self,
        image: Option<&Image>,
        permissions: Option<&LaunchPermissions>,
        now: Timestamp,
    ) -> Fact<bool> {
        let Some(image) = image else {
            return match self {
                Self::Deregister(_) => Fact::Known(true),
                Self::Restore { .. } => Fact::Known(false),
                _ => Fact::Unknown("EC2 does not list the image".to_owned()),
            };
        };
        let grants = |holds: &dyn Fn(&LaunchPermissions) -> bool| {
            permissions.map_or(Fact::NotFetched(Need::LaunchPermissions), |held| Fact::Known(holds(held)))
        };
        match self {
            Self::StripPublic => match image.public {
                Reading::Present(public) => Fact::Known(!public),
                Reading::Absent | Reading::Unreadable(_) => {
                    Fact::Unknown("EC2 did not report whether the image is public".to_owned())
                }
            },
            Self::StripShares(unwanted) => grants(&|held| held.is_disjoint(unwanted)),
            Self::Share(wanted) => grants(&|held| held.is_superset(wanted)),
            Self::SetDescription(text) => {
                Fact::Known(image.description.as_deref().unwrap_or("") == text.as_str())
            }
            Self::RequireImdsV2 => Fact::Known(image.imds_support.as_deref() == Some("v2.0")),
            Self::Tag(tags) => {
                Fact::Known(tags.iter().all(|(key, value)| image.tags.get(key) == Some(value)))
            }
            Self::Untag(keys) => Fact::Known(!keys.iter().any(|key| image.tags.contains_key(key))),
            Self::Protect { cooldown } => Fact::Known(match image.protection {
                DeregistrationProtection::On => !cooldown,
                DeregistrationProtection::OnWithCooldown => true,
                DeregistrationProtection::Off | DeregistrationProtection::Other(_) => false,
            }),
            // During the cooldown the protection has been ended, though it still protects.
            Self::Unprotect => Fact::Known(match &image.protection {
                DeregistrationProtection::Off => true,
                DeregistrationProtection::On | DeregistrationProtection::OnWithCooldown => false,
                DeregistrationProtection::Other(text) => text.starts_with("disabled after"),
            }),
            Self::Deprecate(at) => deprecated_by(image, (*at).max(now)),
            Self::SetDeprecation(at) => deprecated_at(image, (*at).max(now)),
            Self::Undeprecate => match &image.deprecated_at {
                Reading::Present(_) | Reading::Unreadable(_) => Fact::Known(false),
                Reading::Absent => Fact::Known(true),
            },
            Self::Disable => Fact::Known(image.state == ImageState::Disabled),
            Self::Enable => Fact::Known(image.state == ImageState::Available),
            Self::Deregister(_) => Fact::Known(image.state == ImageState::Deregistered),
            Self::Restore { .. } => Fact::Known(image.state != ImageState::Deregistered),
        }
    }

    /// Whether [`holds`](Self::holds) has to see the image's launch permissions.
    pub fn needs_launch_permissions(&self) -> bool {
        matches!(self, Self::StripShares(_) | Self::Share(_))
    }

    /// Whether EC2 no longer knows afterwards who could launch the image: undoing it needs what was saved.
    pub fn takes_launch_permissions_away(&self) -> bool {
        match self {
            Self::StripPublic
            | Self::StripShares(_)
            | Self::Share(_)
            | Self::Disable
            | Self::Deregister(_) => true,
            Self::SetDescription(_)
            | Self::RequireImdsV2
            | Self::Tag(_)
            | Self::Untag(_)
            | Self::Protect { .. }
            | Self::Unprotect
            | Self::Deprecate(_)
            | Self::SetDeprecation(_)
            | Self::Undeprecate
            | Self::Enable
            | Self::Restore { .. } => false,
        }
    }

    /// The requests that carry it out at `now`, in their order. The tag that dates a disable goes first: were it
    /// the other way round, a death in between would leave a disabled image that nothing dates.
    pub fn calls(&self, now: Timestamp) -> Vec<Call> {
        let none = LaunchPermissions::new;
        match self {
            Self::StripPublic => vec![Call::ModifyLaunchPermissions {
                add: none(),
                remove: LaunchPermissions::from([LaunchPermission::Everyone]),
            }],
            Self::StripShares(unwanted) => {
                vec![Call::ModifyLaunchPermissions { add: none(), remove: unwanted.clone() }]
            }
            Self::Share(wanted) => {
                vec![Call::ModifyLaunchPermissions { add: wanted.clone(), remove: none() }]
            }
            Self::SetDescription(text) => vec![Call::ModifyDescription(text.clone())],
            Self::RequireImdsV2 => vec![Call::RequireImdsV2],
            Self::Tag(tags) => vec![Call::CreateTags(tags.clone())],
            Self::Untag(keys) => vec![Call::DeleteTags(keys.clone())],
            Self::Protect { cooldown } => {
                vec![Call::EnableDeregistrationProtection { with_cooldown: *cooldown }]
            }
            Self::Unprotect => vec![Call::DisableDeregistrationProtection],
            Self::Deprecate(at) | Self::SetDeprecation(at) => {
                let earliest = DEPRECATION_LEAD.after(now).unwrap_or(now);
                vec![Call::EnableDeprecation((*at).max(earliest))]
            }
            Self::Undeprecate => vec![Call::DisableDeprecation],
            Self::Disable => {
                let tag = BTreeMap::from([(DISABLED_AT_TAG.to_owned(), now.to_string())]);
                vec![Call::CreateTags(tag), Call::DisableImage]
            }
            Self::Enable => {
                vec![Call::EnableImage, Call::DeleteTags(BTreeSet::from([DISABLED_AT_TAG.to_owned()]))]
            }
            Self::Deregister(snapshots) => vec![Call::DeregisterImage { snapshots: *snapshots }],
            Self::Restore { snapshots } => snapshots
                .iter()
                .map(|snapshot| Call::RestoreSnapshot(snapshot.clone()))
                .chain([Call::RestoreImage])
                .collect(),
        }
    }
}

/// Whether the image is deprecated at this very date, but for what EC2 rounds and needs ahead.
fn deprecated_at(image: &Image, at: Timestamp) -> Fact<bool> {
    let is_near = |current: Timestamp| {
        let (early, late) = (current.min(at), current.max(at));
        Duration::between(early, late) <= Duration::from_seconds(DEPRECATION_LEAD.as_seconds() + 60)
    };
    match &image.deprecated_at {
        Reading::Absent => Fact::Known(false),
        Reading::Present(current) => Fact::Known(is_near(*current)),
        Reading::Unreadable(text) => Fact::Unknown(format!("its deprecation date `{text}` cannot be read")),
    }
}

/// An image that is deprecated earlier than asked is deprecated then, too. EC2 rounds to the minute and may
/// have been sent a date slightly ahead, hence the slack.
fn deprecated_by(image: &Image, at: Timestamp) -> Fact<bool> {
    let slack = Duration::from_seconds(DEPRECATION_LEAD.as_seconds() + 60);
    match &image.deprecated_at {
        Reading::Absent => Fact::Known(false),
        Reading::Present(current) => Fact::Known(slack.after(at).is_none_or(|latest| *current <= latest)),
        Reading::Unreadable(text) => {
            Fact::Unknown(format!("its deprecation date `{text}` cannot be read, so it is left alone"))
        }
    }
}
