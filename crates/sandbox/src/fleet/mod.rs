//! The fleet file: what the simulated account holds at first, written by people in JSON.
//!
//! `examples/fleets/README.md` is its reference. Dates may be relative to the moment at which the
//! sandbox starts, so that an example never grows old. Reading a fleet reports every problem at once,
//! each with its place and a remedy.

mod date;
mod ec2_fleets;
mod generated;
mod problems;
mod random;
mod retention;
mod seed;
mod usage;
mod varied;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::server::Fault;
use crate::world::{AccountState, ImageState, InstanceState, LaunchPermission, Protection, World};

pub use date::{FleetDate, ParseFleetDateError};
pub use ec2_fleets::{FleetEc2Fleet, FleetSpotFleetRequest, FleetSpotInstanceRequest};
pub use problems::{FleetError, FleetProblem};
pub use retention::FleetRetentionRule;
pub use usage::{
    FleetAutoScalingGroup, FleetForeignUse, FleetImageRecipe, FleetLaunchConfiguration, FleetMixedInstances,
    FleetTemplateOverride, FleetTemplateReference,
};

/// The version of the format that this crate reads.
pub const FLEET_SCHEMA: u32 = 1;

/// A fleet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Version of the format, [`FLEET_SCHEMA`].
    pub schema: u32,
    /// Free text for the reader of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The account that callers act in, twelve digits.
    pub account: String,
    /// The Region of everything that names no other.
    pub region: String,
    /// Regions that are enabled without holding anything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<String>,
    /// Whether block public access for AMIs is on.
    #[serde(default)]
    pub block_public_access: bool,
    /// The accounts of the organization, that of the callers included. None: there is no organization, and nothing but
    /// the one account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<FleetAccount>,
    /// The images.
    #[serde(default)]
    pub images: Vec<FleetImage>,
    /// The instances.
    #[serde(default)]
    pub instances: Vec<FleetInstance>,
    /// The launch templates.
    #[serde(default)]
    pub launch_templates: Vec<FleetTemplate>,
    /// Parameter Store of the default Region: path to an image's name or id.
    #[serde(default)]
    pub ssm_parameters: BTreeMap<String, String>,
    /// Retention rules of the Recycle Bin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recycle_bin_rules: Vec<FleetRetentionRule>,
    /// The launch configurations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch_configurations: Vec<FleetLaunchConfiguration>,
    /// The Auto Scaling groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auto_scaling_groups: Vec<FleetAutoScalingGroup>,
    /// The recipes of Image Builder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_recipes: Vec<FleetImageRecipe>,
    /// What other accounts do with the images, which image usage reports tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_uses: Vec<FleetForeignUse>,
    /// How many times a new image usage report is described as pending; once where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_report_pending_describes: Option<u32>,
    /// The EC2 Fleets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ec2_fleets: Vec<FleetEc2Fleet>,
    /// The Spot Fleet requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spot_fleet_requests: Vec<FleetSpotFleetRequest>,
    /// The Spot Instance requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spot_instance_requests: Vec<FleetSpotInstanceRequest>,
    /// Actions that the caller is not authorised for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub denied: BTreeSet<String>,
    /// Faults that are armed from the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One account of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetAccount {
    /// Twelve digits.
    pub id: String,
    /// Its name; made of the id where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What can be done with it.
    #[serde(default)]
    pub status: AccountState,
    /// The name of the role that callers may assume there; without one there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The external id that the role asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// One image of a fleet file. Members that EC2 merely passes on (architecture, boot mode, …) are not
/// checked, so that unknown values can be tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's Image shape")]
pub struct FleetImage {
    /// Derived from the Region and the name where it is not given.
    pub id: Option<String>,
    pub name: String,
    /// Free text for the reader of the file.
    pub note: Option<String>,
    pub region: Option<String>,
    /// In which of the fleet's accounts it is; where nothing is said, in that of the callers.
    pub account: Option<String>,
    /// Other accounts than the fleet's only make sense in tests of ownership.
    pub owner: Option<String>,
    pub owner_alias: Option<String>,
    pub description: Option<String>,
    pub created: FleetDate,
    pub last_launched: Option<FleetDate>,
    pub state: ImageState,
    /// When an observer first saw the image disabled; EC2 does not know it.
    pub first_seen_disabled: Option<FleetDate>,
    pub deprecated_at: Option<FleetDate>,
    pub protection: FleetProtection,
    pub architecture: String,
    pub platform: Option<String>,
    pub root_device_type: String,
    pub virtualization: String,
    pub hypervisor: String,
    pub boot_mode: Option<String>,
    pub tpm_support: Option<String>,
    pub imds_support: Option<String>,
    pub ena_support: bool,
    pub sriov_net_support: Option<String>,
    pub image_type: String,
    pub tags: BTreeMap<String, String>,
    pub launch_permissions: BTreeSet<LaunchPermission>,
    /// Nothing means one unencrypted snapshot of 8 GiB, or none for `instance-store`.
    pub snapshots: Option<Vec<FleetSnapshot>>,
    pub source_image_id: Option<String>,
    pub source_region: Option<String>,
    pub source_instance_id: Option<String>,
    pub product_codes: Vec<String>,
    pub backup_managed: bool,
}

impl Default for FleetImage {
    fn default() -> Self {
        Self {
            id: None,
            name: String::new(),
            note: None,
            region: None,
            account: None,
            owner: None,
            owner_alias: None,
            description: None,
            created: FleetDate::days_ago(30),
            last_launched: None,
            state: ImageState::Available,
            first_seen_disabled: None,
            deprecated_at: None,
            protection: FleetProtection::Disabled,
            architecture: "x86_64".to_owned(),
            platform: None,
            root_device_type: "ebs".to_owned(),
            virtualization: "hvm".to_owned(),
            hypervisor: "xen".to_owned(),
            boot_mode: None,
            tpm_support: None,
            imds_support: None,
            ena_support: true,
            sriov_net_support: Some("simple".to_owned()),
            image_type: "machine".to_owned(),
            tags: BTreeMap::new(),
            launch_permissions: BTreeSet::new(),
            snapshots: None,
            source_image_id: None,
            source_region: None,
            source_instance_id: None,
            product_codes: Vec::new(),
            backup_managed: false,
        }
    }
}

impl FleetImage {
    /// An available image, 30 days old, never launched.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// Deregistration protection, in EC2's words. A fleet cannot start in the middle of a cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "named as EC2's values")]
pub enum FleetProtection {
    #[default]
    Disabled,
    EnabledWithoutCooldown,
    EnabledWithCooldown,
}

impl From<FleetProtection> for Protection {
    fn from(protection: FleetProtection) -> Self {
        match protection {
            FleetProtection::Disabled => Self::Disabled,
            FleetProtection::EnabledWithoutCooldown => Self::EnabledWithoutCooldown,
            FleetProtection::EnabledWithCooldown => Self::EnabledWithCooldown,
        }
    }
}

/// One snapshot of an image. Images that name the same id share it; the first of them says its size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetSnapshot {
    /// Derived from the image and the position where it is not given.
    pub id: Option<String>,
    /// Size of the volume in GiB; 8 where the first mention does not say it.
    pub size_gib: Option<u32>,
    /// Whether it is encrypted; it is not where the first mention does not say it.
    pub encrypted: Option<bool>,
    /// Its tags; none where the first mention does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetInstance {
    /// Derived from the position where it is not given.
    #[serde(default)]
    pub id: Option<String>,
    /// Name or id of the image that it was launched from. An id may name an image that is gone.
    pub image: String,
    /// Its state.
    #[serde(default)]
    pub state: InstanceState,
    /// Run by an AWS service for the account.
    #[serde(default)]
    pub managed: bool,
    /// Its Region.
    #[serde(default)]
    pub region: Option<String>,
    /// In which of the fleet's accounts it is; where nothing is said, in that of the callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// One launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetTemplate {
    /// Derived from the name where it is not given.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its Region.
    #[serde(default)]
    pub region: Option<String>,
    /// In which of the fleet's accounts it is; where nothing is said, in that of the callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The number of the default version; the first one where nothing is said.
    #[serde(default)]
    pub default_version: Option<u64>,
    /// Its versions.
    pub versions: Vec<FleetTemplateVersion>,
}

/// One version of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetTemplateVersion {
    /// Its number, from 1.
    pub version: u64,
    /// Name or id of an image, `resolve:ssm:NAME`, or nothing.
    #[serde(default)]
    pub image: Option<String>,
}

impl Fleet {
    /// A fleet that holds nothing.
    pub fn empty(account: &str, region: &str) -> Self {
        Self {
            schema: FLEET_SCHEMA,
            note: None,
            account: account.to_owned(),
            region: region.to_owned(),
            regions: BTreeSet::new(),
            block_public_access: false,
            accounts: Vec::new(),
            images: Vec::new(),
            instances: Vec::new(),
            launch_templates: Vec::new(),
            ssm_parameters: BTreeMap::new(),
            recycle_bin_rules: Vec::new(),
            launch_configurations: Vec::new(),
            auto_scaling_groups: Vec::new(),
            image_recipes: Vec::new(),
            foreign_uses: Vec::new(),
            usage_report_pending_describes: None,
            ec2_fleets: Vec::new(),
            spot_fleet_requests: Vec::new(),
            spot_instance_requests: Vec::new(),
            denied: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// Reads and checks a fleet file.
    pub fn from_json(json: &str) -> Result<Self, FleetError> {
        let fleet: Self = serde_json::from_str(json).map_err(|error| FleetError::syntax(json, &error))?;
        // Which problems a fleet has does not depend on the moment.
        fleet.to_world(Timestamp::UNIX_EPOCH)?;
        Ok(fleet)
    }

    /// The world that the fleet describes, relative dates counted from `now`.
    pub fn to_world(&self, now: Timestamp) -> Result<World, FleetError> {
        seed::world(self, now)
    }

    /// A large plausible fleet, the same for the same arguments: families of ages spread over three
    /// years, about 5 % shared, 1 % public and 10 % disabled, the newest of some families in use.
    pub fn generated(images: usize, seed: u64) -> Self {
        generated::fleet(images, seed)
    }

    /// A fleet of unused images in which everything occurs that an undo has to bring back, the same for the
    /// same arguments: every kind and number of launch permissions, deprecation dates past and future,
    /// descriptions and tags in many scripts, protection with and without cooldown, disabled images, and
    /// snapshots that images share. It has no rules for the Recycle Bin; set
    /// [`recycle_bin_rules`](Self::recycle_bin_rules) to let deregistered images come back.
    pub fn varied(images: usize, seed: u64) -> Self {
        varied::fleet(images, seed)
    }
}
