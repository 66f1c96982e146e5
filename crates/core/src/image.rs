//! An image and its snapshots as EC2 reported them, before anything is concluded from them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ImageId, SnapshotId, Timestamp};

/// A value that EC2 may leave out, or send in a form that cannot be read. The three are never confused:
/// a date that cannot be read is not a date that is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reading<T> {
    /// EC2 sent this value.
    Present(T),
    /// EC2 sent none.
    Absent,
    /// EC2 sent this text, which cannot be read.
    Unreadable(String),
}

impl<T> Reading<T> {
    /// The value, where one was sent and read.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// One image, with the members of EC2's `Image` that facts are derived from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `ImageId`.
    pub id: ImageId,
    /// `ImageOwnerId`.
    pub owner: AccountId,
    /// `Name`: fixed for the life of the image.
    pub name: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `ImageLocation`.
    pub location: Option<String>,
    /// `ImageOwnerAlias`: `amazon`, `aws-backup-vault`, `aws-marketplace`, or none.
    pub owner_alias: Option<String>,
    /// `State`.
    pub state: ImageState,
    /// `CreationDate`.
    pub created_at: Reading<Timestamp>,
    /// `DeprecationTime`.
    pub deprecated_at: Reading<Timestamp>,
    /// `LastLaunchedTime`: only the owner sees it, a day late; absent means never, too recent, or before
    /// April 2017 (EC2 User Guide, "Check when an Amazon EC2 AMI was last used").
    pub last_launched_at: Reading<Timestamp>,
    /// `Public`.
    pub public: Reading<bool>,
    /// `DeregistrationProtection`.
    pub protection: DeregistrationProtection,
    /// `Tags`.
    pub tags: BTreeMap<String, String>,
    /// `Architecture`.
    pub architecture: Option<String>,
    /// `Platform`: `windows`, or absent.
    pub platform: Option<String>,
    /// `VirtualizationType`.
    pub virtualization: Option<String>,
    /// `RootDeviceType`: `ebs` or `instance-store`.
    pub root_device_type: Option<String>,
    /// `BootMode`.
    pub boot_mode: Option<String>,
    /// `TpmSupport`.
    pub tpm_support: Option<String>,
    /// `ImdsSupport`: `v2.0`, or absent.
    pub imds_support: Option<String>,
    /// `EnaSupport`.
    pub ena_support: Option<bool>,
    /// `SriovNetSupport`.
    pub sriov_net_support: Option<String>,
    /// `Hypervisor`.
    pub hypervisor: Option<String>,
    /// `ImageType`: `machine`, `kernel` or `ramdisk`.
    pub image_type: Option<String>,
    /// `BlockDeviceMappings`, those backed by EBS.
    pub block_devices: Vec<BlockDevice>,
    /// `SourceImageId`, `SourceImageRegion`, `SourceInstanceId`.
    pub lineage: Lineage,
    /// `ProductCodes`, by code.
    pub product_codes: Vec<String>,
}

impl Image {
    /// Whether AWS Backup made the image and manages its life. EC2 has no field for it: AWS Backup marks its
    /// images by owner alias, by tags under `aws:backup:`, and by the name prefix `AwsBackup_`.
    pub fn is_backup_managed(&self) -> bool {
        self.owner_alias.as_deref() == Some("aws-backup-vault")
            || self.tags.keys().any(|key| key.starts_with("aws:backup:"))
            || self.name.as_deref().is_some_and(|name| name.starts_with("AwsBackup_"))
    }

    /// The snapshots that back the image, in the order of its devices.
    pub fn snapshots(&self) -> impl Iterator<Item = &SnapshotId> {
        self.block_devices.iter().filter_map(|device| device.snapshot.as_ref())
    }
}

/// Where the image came from, where EC2 knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The image it was copied from.
    pub image: Option<ImageId>,
    /// The Region of that image.
    pub region: Option<String>,
    /// The instance it was created from.
    pub instance: Option<String>,
}

/// One EBS device of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// The snapshot behind it, absent for a blank volume.
    pub snapshot: Option<SnapshotId>,
    /// The volume's size in GiB.
    pub size_gib: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
}

/// One EBS snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `SnapshotId`.
    pub id: SnapshotId,
    /// `VolumeSize` in GiB: never less than what the snapshot bills.
    pub volume_size_gib: Option<u32>,
    /// `FullSnapshotSizeInBytes`: all blocks ever written, not what this snapshot alone bills.
    pub full_size_bytes: Option<u64>,
    /// `StorageTier`.
    pub tier: StorageTier,
    /// Its tags: retention rules of the Recycle Bin may go by them.
    pub tags: BTreeMap<String, String>,
}

/// Where a snapshot is stored; it decides the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageTier {
    /// `standard`.
    Standard,
    /// `archive`.
    Archive,
    /// A tier that amiwarden does not know the price of.
    Other,
}

/// The state of an image (`ImageState` in the EC2 API reference).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ImageState {
    /// Being created or copied.
    Pending,
    /// Can be launched.
    Available,
    /// Cannot be used.
    Invalid,
    /// Gone, though still listed for a while.
    Deregistered,
    /// In between.
    Transient,
    /// Creation failed.
    Failed,
    /// In error.
    Error,
    /// Disabled by its owner: cannot be launched, can be enabled again.
    Disabled,
    /// A state newer than this program, or none at all.
    Other(String),
}

impl ImageState {
    /// EC2's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Invalid => "invalid",
            Self::Deregistered => "deregistered",
            Self::Transient => "transient",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Disabled => "disabled",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for ImageState {
    fn from(text: String) -> Self {
        match text.as_str() {
            "pending" => Self::Pending,
            "available" => Self::Available,
            "invalid" => Self::Invalid,
            "deregistered" => Self::Deregistered,
            "transient" => Self::Transient,
            "failed" => Self::Failed,
            "error" => Self::Error,
            "disabled" => Self::Disabled,
            _ => Self::Other(text),
        }
    }
}

impl From<ImageState> for String {
    fn from(state: ImageState) -> Self {
        state.as_str().to_owned()
    }
}

impl FromStr for ImageState {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

impl fmt::Display for ImageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Protection from deregistration. EC2's values are not documented; whatever is not plainly `disabled`
/// protects, because a wrong guess in the other direction would remove an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DeregistrationProtection {
    /// `disabled`, or absent.
    Off,
    /// `enabled-without-cooldown`.
    On,
    /// `enabled-with-cooldown`: once switched off it protects for 24 hours more.
    OnWithCooldown,
    /// Anything else, such as `disabled after 2026-01-01T00:00:00Z` during the cooldown.
    Other(String),
}

impl DeregistrationProtection {
    /// EC2's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Off => "disabled",
            Self::On => "enabled-without-cooldown",
            Self::OnWithCooldown => "enabled-with-cooldown",
            Self::Other(text) => text,
        }
    }

    /// Whether deregistering would be refused.
    pub fn protects(&self) -> bool {
        match self {
            Self::Off => false,
            Self::On | Self::OnWithCooldown | Self::Other(_) => true,
        }
    }
}

impl From<String> for DeregistrationProtection {
    fn from(text: String) -> Self {
        match text.as_str() {
            "disabled" => Self::Off,
            "enabled-without-cooldown" => Self::On,
            "enabled-with-cooldown" => Self::OnWithCooldown,
            _ => Self::Other(text),
        }
    }
}

impl From<DeregistrationProtection> for String {
    fn from(protection: DeregistrationProtection) -> Self {
        protection.as_str().to_owned()
    }
}
