//! The state of the simulated cloud and the rules by which it changes.
//!
//! Every change is a pure function of the world, the change and the time: no HTTP, clock, randomness
//! or file. All rules are written down here from the EC2 User Guide and share nothing with the code
//! that they are there to check. Where AWS documents nothing, the rule says that it is an assumption.

mod accounts;
mod attributes;
mod auto_scaling;
mod ec2_fleets;
mod history;
mod lifecycle;
mod permission;
mod records;
mod recycle_bin;
mod retention;
mod tags;
mod usage;
mod usage_reports;
mod whole_image;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::protocol::ApiError;

pub(crate) use accounts::account_and_role;
pub use accounts::{AccountState, OrganizationAccount};
pub use auto_scaling::{
    AutoScalingGroupRecord, LaunchConfigurationRecord, LaunchSource, TemplateOverride, TemplateReference,
};
pub use ec2_fleets::{
    Ec2FleetKind, Ec2FleetRecord, Ec2FleetState, SpotFleetRequestRecord, SpotFleetRequestState,
    SpotInstanceRequestRecord, SpotInstanceRequestState, TemplateUseRecord,
};
pub(crate) use history::History;
pub(crate) use lifecycle::round_to_minute;
pub(crate) use permission::is_account;
pub use permission::{LaunchPermission, ParseLaunchPermissionError};
pub use records::{
    ImageRecord, ImageState, InstanceRecord, InstanceState, LaunchTemplateRecord, Protection, SnapshotRecord,
    TemplateVersionRecord,
};
pub use recycle_bin::{Binned, RecycleBin};
pub use retention::{ResourceKind, RetentionRuleRecord, RetentionRuleStatus};
pub use usage::{ForeignUse, ForeignUseKind, ImageRecipeRecord, RecipeKind};
pub use usage_reports::{UsageReportRecord, UsageReportWanted, UsageReports};
pub use whole_image::WholeImage;

/// Everything that exists in one simulated account, and in those that can be reached from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The account that callers act in.
    pub account: String,
    /// The Region that is used where nothing else is said.
    pub default_region: String,
    /// Regions that are enabled for the account.
    pub regions: BTreeSet<String>,
    /// Whether block public access for AMIs is on (state `block-new-sharing`).
    pub block_public_access: bool,
    /// Images by id, of all Regions and owners.
    pub images: BTreeMap<String, ImageRecord>,
    /// Images that were deregistered, by id.
    pub deregistered: BTreeMap<String, Deregistered>,
    /// Snapshots by id, of all Regions.
    pub snapshots: BTreeMap<String, SnapshotRecord>,
    /// Instances by id, of all Regions.
    pub instances: BTreeMap<String, InstanceRecord>,
    /// Launch templates by id, of all Regions.
    pub launch_templates: BTreeMap<String, LaunchTemplateRecord>,
    /// Parameter Store: path to image id, in the default Region.
    pub ssm_parameters: BTreeMap<String, String>,
    /// Retention rules of the Recycle Bin by identifier, of all Regions.
    #[serde(default)]
    pub retention_rules: BTreeMap<String, RetentionRuleRecord>,
    /// Auto Scaling groups by Region and name ([`AutoScalingGroupRecord::key`]).
    #[serde(default)]
    pub auto_scaling_groups: BTreeMap<String, AutoScalingGroupRecord>,
    /// Launch configurations by Region and name ([`LaunchConfigurationRecord::key`]).
    #[serde(default)]
    pub launch_configurations: BTreeMap<String, LaunchConfigurationRecord>,
    /// Recipes of Image Builder.
    #[serde(default)]
    pub image_recipes: Vec<ImageRecipeRecord>,
    /// What other accounts do with the account's images.
    #[serde(default)]
    pub foreign_uses: Vec<ForeignUse>,
    /// Image usage reports.
    #[serde(default)]
    pub usage_reports: UsageReports,
    /// What the Recycle Bin holds, of all Regions.
    #[serde(default)]
    pub recycle_bin: RecycleBin,
    /// EC2 Fleets by id, of all Regions.
    #[serde(default)]
    pub ec2_fleets: BTreeMap<String, Ec2FleetRecord>,
    /// Spot Fleet requests by id, of all Regions.
    #[serde(default)]
    pub spot_fleet_requests: BTreeMap<String, SpotFleetRequestRecord>,
    /// Spot Instance requests by id, of all Regions.
    #[serde(default)]
    pub spot_instance_requests: BTreeMap<String, SpotInstanceRequestRecord>,
    /// The accounts of the organization, by id. Empty where the account belongs to none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub organization: BTreeMap<String, OrganizationAccount>,
    /// What exists in its other accounts, by id. They have no others of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, World>,
}

/// What remains of an image that was deregistered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deregistered {
    /// Where the image was.
    pub region: String,
    /// When it was deregistered.
    pub at: Timestamp,
}

/// On whose behalf, where and when a change is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The Region that the request was signed for.
    pub region: String,
    /// Whether the caller holds `ec2:DeleteSnapshot`, which `DeleteAssociatedSnapshots` needs.
    pub may_delete_snapshots: bool,
    /// The time at which the change happens.
    pub now: Timestamp,
}

/// One change that a caller can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the EC2 action of the same name")]
pub enum Change {
    DisableImage {
        image_id: String,
    },
    EnableImage {
        image_id: String,
    },
    DeregisterImage {
        image_id: String,
        delete_snapshots: bool,
    },
    ModifyLaunchPermissions {
        image_id: String,
        add: BTreeSet<LaunchPermission>,
        remove: BTreeSet<LaunchPermission>,
    },
    SetDescription {
        image_id: String,
        description: String,
    },
    SetImdsSupport {
        image_id: String,
        value: String,
    },
    EnableDeprecation {
        image_id: String,
        at: Timestamp,
    },
    DisableDeprecation {
        image_id: String,
    },
    EnableProtection {
        image_id: String,
        with_cooldown: bool,
    },
    DisableProtection {
        image_id: String,
    },
    CreateTags {
        resources: Vec<String>,
        tags: BTreeMap<String, String>,
    },
    /// No tags at all means every tag of the user; a tag without a value matches any value.
    DeleteTags {
        resources: Vec<String>,
        tags: BTreeMap<String, Option<String>>,
    },
    DeleteSnapshot {
        snapshot_id: String,
    },
    RestoreImage {
        image_id: String,
    },
    RestoreSnapshot {
        snapshot_id: String,
    },
}

/// What a change answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// `<return>true</return>`.
    Done,
    /// The protection state, as the two protection actions return it.
    Protection(String),
    /// Deregistered, with what became of each snapshot that was to be deleted too.
    Deregistered(Vec<(String, SnapshotReturnCode)>),
    /// This snapshot came back from the Recycle Bin.
    RestoredSnapshot(Box<SnapshotRecord>),
}

/// What became of one snapshot of a deregistered image (botocore model: `SnapshotReturnCodes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotReturnCode {
    /// Deleted.
    Success,
    /// Another image still uses it.
    Skipped,
    /// The caller lacks `ec2:DeleteSnapshot`.
    MissingPermissions,
}

impl SnapshotReturnCode {
    /// The code as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::MissingPermissions => "missing-permissions",
        }
    }
}

impl World {
    /// Carries a change out, wholly or not at all.
    pub fn apply(&mut self, change: &Change, actor: &Actor) -> Result<Effect, ApiError> {
        match change {
            Change::DisableImage { image_id } => self.disable(image_id, actor),
            Change::EnableImage { image_id } => self.enable(image_id, actor),
            Change::DeregisterImage { image_id, delete_snapshots } => {
                self.deregister(image_id, *delete_snapshots, actor)
            }
            Change::ModifyLaunchPermissions { image_id, add, remove } => {
                self.modify_launch_permissions(image_id, add, remove, actor)
            }
            Change::SetDescription { image_id, description } => {
                self.set_description(image_id, description, actor)
            }
            Change::SetImdsSupport { image_id, value } => self.set_imds_support(image_id, value, actor),
            Change::EnableDeprecation { image_id, at } => self.enable_deprecation(image_id, *at, actor),
            Change::DisableDeprecation { image_id } => self.disable_deprecation(image_id, actor),
            Change::EnableProtection { image_id, with_cooldown } => {
                self.enable_protection(image_id, *with_cooldown, actor)
            }
            Change::DisableProtection { image_id } => self.disable_protection(image_id, actor),
            Change::CreateTags { resources, tags } => self.create_tags(resources, tags, actor),
            Change::DeleteTags { resources, tags } => self.delete_tags(resources, tags, actor),
            Change::DeleteSnapshot { snapshot_id } => self.delete_snapshot(snapshot_id, actor),
            Change::RestoreImage { image_id } => self.restore_image(image_id, actor),
            Change::RestoreSnapshot { snapshot_id } => self.restore_snapshot(snapshot_id, actor),
        }
    }

    /// An image that exists in a Region, whoever owns it.
    pub(crate) fn image_in(
        &self,
        image_id: &str,
        region: &str,
        now: Timestamp,
    ) -> Result<&ImageRecord, ApiError> {
        check_image_id(image_id)?;
        if let Some(image) = self.images.get(image_id)
            && image.region == region
        {
            return Ok(image);
        }
        match self.deregistered.get(image_id) {
            Some(gone) if gone.region == region && gone.lingers(now) => Err(ApiError::bad_request(
                "InvalidAMIID.Unavailable",
                format!("The image ID '{image_id}' is no longer available"),
            )),
            _ => Err(ApiError::bad_request(
                "InvalidAMIID.NotFound",
                format!("The image id '[{image_id}]' does not exist"),
            )),
        }
    }

    /// As [`Self::image_in`], for changes and owner-only reads: the caller must own the image.
    pub(crate) fn own_image(
        &self,
        image_id: &str,
        region: &str,
        now: Timestamp,
    ) -> Result<&ImageRecord, ApiError> {
        let image = self.image_in(image_id, region, now)?;
        if image.owner == self.account {
            Ok(image)
        } else {
            Err(ApiError::with_status(403, "AuthFailure", format!("Not authorized for image:{image_id}")))
        }
    }

    fn own_image_mut(&mut self, image_id: &str, actor: &Actor) -> Result<&mut ImageRecord, ApiError> {
        self.own_image(image_id, &actor.region, actor.now)?;
        self.images.get_mut(image_id).ok_or_else(|| unavailable(image_id, "it vanished"))
    }

    /// Ids of the images, disabled ones included, that hold a snapshot.
    pub(crate) fn images_on<'a>(&'a self, snapshot_id: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.images
            .values()
            .filter(move |image| image.snapshots.iter().any(|held| held == snapshot_id))
            .map(|image| image.id.as_str())
    }
}

impl Deregistered {
    /// For how long EC2 remembers an image that is gone. The API says only that it lingers "for a
    /// short interval"; an hour lets a caller that settles a lost reply see it.
    const LINGERS: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

    pub(crate) fn lingers(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < Self::LINGERS
    }
}

/// Refuses what does not look like an image id: `ami-` and 8 or 17 hexadecimal digits.
pub(crate) fn check_image_id(image_id: &str) -> Result<(), ApiError> {
    if is_resource_id(image_id, "ami-") {
        Ok(())
    } else {
        Err(ApiError::bad_request(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{image_id}\" (expecting \"ami-...\")"),
        ))
    }
}

fn malformed_snapshot_id(snapshot_id: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidSnapshotID.Malformed",
        format!("Invalid id: \"{snapshot_id}\" (expecting \"snap-...\")"),
    )
}

/// Whether a text is a prefix and 8 or 17 lower-case hexadecimal digits.
pub(crate) fn is_resource_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The error for an image whose state forbids a change (GitHub reports of `ModifyImageAttribute` on
/// pending images show this code).
fn unavailable(image_id: &str, why: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidAMIID.Unavailable",
        format!("The image ID '{image_id}' is unavailable: {why}"),
    )
}

fn not_permitted(message: String) -> ApiError {
    ApiError::bad_request("OperationNotPermitted", message)
}
