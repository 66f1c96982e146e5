//! What the simulated cloud holds: images, snapshots, instances and launch templates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::LaunchPermission;

/// One image. Fields of hardware hold whatever the fleet says, unknown values included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's Image shape")]
pub struct ImageRecord {
    pub id: String,
    pub region: String,
    /// The owning account; only in tests of an account's edges is it not the world's.
    pub owner: String,
    pub owner_alias: Option<String>,
    pub name: String,
    pub description: Option<String>,
    pub created_at: Timestamp,
    /// As EC2 reports it: with a lag of a day, and never for launches before April 2017.
    pub last_launched_at: Option<Timestamp>,
    pub state: ImageState,
    pub architecture: String,
    /// `windows`, or nothing.
    pub platform: Option<String>,
    pub platform_details: String,
    pub root_device_type: String,
    pub virtualization: String,
    pub hypervisor: String,
    pub boot_mode: Option<String>,
    pub tpm_support: Option<String>,
    pub imds_support: Option<String>,
    pub ena_support: bool,
    pub sriov_net_support: Option<String>,
    pub image_type: String,
    pub deprecated_at: Option<Timestamp>,
    pub protection: Protection,
    pub tags: BTreeMap<String, String>,
    pub launch_permissions: BTreeSet<LaunchPermission>,
    /// Ids of the snapshots behind the image, root device first.
    pub snapshots: Vec<String>,
    pub product_codes: Vec<String>,
    pub source_image_id: Option<String>,
    pub source_region: Option<String>,
    pub source_instance_id: Option<String>,
    /// Made by AWS Backup, which alone may delete it.
    pub backup_managed: bool,
    /// When an observer is to have first seen the image disabled. EC2 knows nothing of this.
    pub first_seen_disabled: Option<Timestamp>,
}

impl ImageRecord {
    /// Whether anybody may launch the image.
    pub fn is_public(&self) -> bool {
        self.launch_permissions.contains(&LaunchPermission::All)
    }

    /// `deregistrationProtection` as EC2 writes it.
    pub fn protection_text(&self, now: Timestamp) -> String {
        match self.protection {
            Protection::EnabledWithoutCooldown => "enabled-without-cooldown".to_owned(),
            Protection::EnabledWithCooldown => "enabled-with-cooldown".to_owned(),
            Protection::DisabledAfter(until) if now < until => {
                format!("disabled after {}", until.strftime("%Y-%m-%dT%H:%M:%SZ"))
            }
            Protection::Disabled | Protection::DisabledAfter(_) => "disabled".to_owned(),
        }
    }

    /// Whether deregistration protection holds at a time, its cooldown included.
    pub fn is_protected(&self, now: Timestamp) -> bool {
        match self.protection {
            Protection::Disabled => false,
            Protection::EnabledWithoutCooldown | Protection::EnabledWithCooldown => true,
            Protection::DisabledAfter(until) => now < until,
        }
    }
}

/// The state of an image. A deregistered image has no record any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "named as EC2's ImageState values")]
pub enum ImageState {
    Pending,
    Available,
    Invalid,
    Transient,
    Failed,
    Error,
    Disabled,
}

impl ImageState {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Disabled => "disabled",
        }
    }
}

/// Deregistration protection (User Guide: ami-deregistration-protection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Off.
    Disabled,
    /// On; switching it off takes effect at once.
    EnabledWithoutCooldown,
    /// On; once switched off, the image stays protected for 24 hours more.
    EnabledWithCooldown,
    /// Switched off, but holding until this time.
    DisabledAfter(Timestamp),
}

impl Protection {
    /// How long a cooldown lasts.
    pub(crate) const COOLDOWN: SignedDuration = SignedDuration::from_hours(24);
}

/// One EBS snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's Snapshot shape")]
pub struct SnapshotRecord {
    pub id: String,
    pub region: String,
    pub owner: String,
    /// Size of the volume, in GiB: an upper bound of what the snapshot stores.
    pub size_gib: u32,
    pub encrypted: bool,
    pub started_at: Timestamp,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's Instance shape")]
pub struct InstanceRecord {
    pub id: String,
    pub region: String,
    pub image_id: String,
    pub state: InstanceState,
    pub launched_at: Timestamp,
    /// Run by an AWS service for the account, and hidden unless a request includes such instances.
    pub managed: bool,
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "named as EC2's InstanceStateName values")]
pub enum InstanceState {
    Pending,
    #[default]
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The numeric code that goes with the state (botocore model: `InstanceState`).
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// One launch template with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's LaunchTemplate shape")]
pub struct LaunchTemplateRecord {
    pub id: String,
    pub region: String,
    pub name: String,
    pub created_at: Timestamp,
    pub default_version: u64,
    /// In ascending order of their numbers; never empty.
    pub versions: Vec<TemplateVersionRecord>,
}

impl LaunchTemplateRecord {
    /// The number of the newest version.
    pub fn latest_version(&self) -> u64 {
        self.versions.iter().map(|version| version.number).max().unwrap_or(self.default_version)
    }
}

/// One version of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateVersionRecord {
    /// Its number, from 1.
    pub number: u64,
    /// An image id, `resolve:ssm:NAME`, or nothing.
    pub image: Option<String>,
}
