//! What a policy may see of one image.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Duration, Fact, FamilyPlace, Image, ImageUse, LaunchPermission, LaunchPermissions, Scope, Timestamp,
};

/// Everything that is known, unknown or not yet asked for about one image. What EC2 states outright
/// (state, tags, hardware) is read from `image`; what is concluded, or may be in doubt, is a [`Fact`] here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The image as EC2 reported it.
    pub image: Arc<Image>,
    /// Its account and Region.
    pub scope: Scope,
    /// The instant that every age is measured from: the same for a whole run.
    pub now: Timestamp,
    /// Its family and its place there, if it has one.
    pub family: Option<FamilyPlace>,
    /// When it was created.
    pub created_at: Fact<Timestamp>,
    /// How long ago that is.
    pub age: Fact<Duration>,
    /// When it is or was deprecated, if it has such a date.
    pub deprecated_at: Fact<Option<Timestamp>>,
    /// Whether that date has passed.
    pub is_deprecated: Fact<bool>,
    /// When it was last launched, if a launch was ever reported.
    pub last_launched_at: Fact<Option<Timestamp>>,
    /// Time since the last launch, or since creation where none was ever reported.
    pub unused_for: Fact<Duration>,
    /// When it was disabled: nothing while it is not. EC2 does not tell, so it is the latest of the tag
    /// `amiwarden:disabled-at` and the moment it was first seen disabled; never earlier than the truth.
    pub disabled_at: Fact<Option<Timestamp>>,
    /// How long ago that is.
    pub disabled_for: Fact<Option<Duration>>,
    /// Whether everyone may launch it.
    pub is_public: Fact<bool>,
    /// Who may launch it.
    pub launch_permissions: Fact<LaunchPermissions>,
    /// Whether anything refers to it. True as soon as one source shows a use; false only when every source is
    /// complete and shows none.
    pub in_use: Fact<bool>,
    /// What refers to it: known only when every source is complete.
    pub used_by: Fact<Vec<ImageUse>>,
    /// The sum of its volumes, in GiB.
    pub size_gib: Fact<u64>,
    /// Whether all of its volumes are encrypted.
    pub is_encrypted: Fact<bool>,
    /// What its snapshots cost at most, not counting those shared with another image.
    pub monthly_cost: Fact<Cost>,
}

impl Facts {
    /// Whether it is shared with anyone by name: an account, an organization or an organizational unit. Being
    /// public is something else.
    pub fn is_shared(&self) -> Fact<bool> {
        self.launch_permissions
            .map(|permissions| permissions.iter().any(|permission| *permission != LaunchPermission::Everyone))
    }
}

/// Money per month, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost {
    /// Millionths of a US dollar.
    pub micro_usd: u64,
}

impl Cost {
    /// The same in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "exact below nine billion dollars a month")]
    pub fn usd(self) -> f64 {
        self.micro_usd as f64 / 1e6
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.2}", self.usd())
    }
}
