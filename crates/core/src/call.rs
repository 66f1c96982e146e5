//! One changing request to EC2, with nothing left to choose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LaunchPermissions, SnapshotFate, SnapshotId, Timestamp};

/// A request that changes one image. The image's id goes with it separately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `ModifyImageAttribute` with `LaunchPermission.Add` or `.Remove`.
    ModifyLaunchPermissions {
        /// Grants to add.
        add: LaunchPermissions,
        /// Grants to remove.
        remove: LaunchPermissions,
    },
    /// `ModifyImageAttribute` with `Description`.
    ModifyDescription(String),
    /// `ModifyImageAttribute` with `ImdsSupport=v2.0`.
    RequireImdsV2,
    /// `CreateTags`
    CreateTags(BTreeMap<String, String>),
    /// `DeleteTags`, each with its key and no value.
    DeleteTags(BTreeSet<String>),
    /// `EnableImageDeregistrationProtection`
    EnableDeregistrationProtection {
        /// `WithCooldown`
        with_cooldown: bool,
    },
    /// `DisableImageDeregistrationProtection`
    DisableDeregistrationProtection,
    /// `EnableImageDeprecation` with `DeprecateAt`.
    EnableDeprecation(Timestamp),
    /// `DisableImageDeprecation`
    DisableDeprecation,
    /// `DisableImage`
    DisableImage,
    /// `EnableImage`
    EnableImage,
    /// `RestoreSnapshotFromRecycleBin`, of a snapshot of the image.
    RestoreSnapshot(SnapshotId),
    /// `RestoreImageFromRecycleBin`
    RestoreImage,
    /// `DeregisterImage`
    DeregisterImage {
        /// `DeleteAssociatedSnapshots`
        snapshots: SnapshotFate,
    },
}

impl Call {
    /// The EC2 API operation.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::ModifyLaunchPermissions { .. } | Self::ModifyDescription(_) | Self::RequireImdsV2 => {
                "ModifyImageAttribute"
            }
            Self::CreateTags(_) => "CreateTags",
            Self::DeleteTags(_) => "DeleteTags",
            Self::EnableDeregistrationProtection { .. } => "EnableImageDeregistrationProtection",
            Self::DisableDeregistrationProtection => "DisableImageDeregistrationProtection",
            Self::EnableDeprecation(_) => "EnableImageDeprecation",
            Self::DisableDeprecation => "DisableImageDeprecation",
            Self::DisableImage => "DisableImage",
            Self::EnableImage => "EnableImage",
            Self::RestoreSnapshot(_) => "RestoreSnapshotFromRecycleBin",
            Self::RestoreImage => "RestoreImageFromRecycleBin",
            Self::DeregisterImage { .. } => "DeregisterImage",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.operation())
    }
}
