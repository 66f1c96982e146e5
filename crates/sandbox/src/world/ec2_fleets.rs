//! EC2 Fleets, Spot Fleet requests and Spot Instance requests: what they launch instances from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TemplateOverride, TemplateReference};

/// One EC2 Fleet (botocore model: `FleetData`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ec2FleetRecord {
    /// `fleet-` and a UUID.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// Whether it may still launch instances. EC2 lists fleets for a while after their end.
    pub state: Ec2FleetState,
    /// How it asks for its capacity.
    pub kind: Ec2FleetKind,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it launches.
    pub templates: Vec<TemplateUseRecord>,
}

/// How a fleet asks for its capacity (botocore model: `FleetType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ec2FleetKind {
    /// Once, and keeps no watch. Listed only where it is asked for.
    Instant,
    /// Once, asynchronously.
    Request,
    /// Until it is deleted.
    #[default]
    Maintain,
}

/// The state of a fleet (botocore model: `FleetStateCode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as EC2's values")]
pub enum Ec2FleetState {
    Submitted,
    #[default]
    Active,
    Deleted,
    Failed,
    DeletedRunning,
    DeletedTerminating,
    Modifying,
}

/// A launch template as a fleet uses it, with what the fleet overrides (botocore model:
/// `FleetLaunchTemplateConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateUseRecord {
    /// The version of a template.
    pub template: TemplateReference,
    /// What is launched in place of what the template says; never another template, and in Spot Fleet
    /// requests never another image.
    pub overrides: Vec<TemplateOverride>,
}

/// One Spot Fleet request (botocore model: `SpotFleetRequestConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpotFleetRequestRecord {
    /// `sfr-` and a UUID.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// Whether it may still launch instances. EC2 lists requests for a while after their end.
    pub state: SpotFleetRequestState,
    /// When it was created.
    pub created_at: Timestamp,
    /// The image of each launch specification.
    pub images: Vec<String>,
    /// The launch templates, which a request has in place of launch specifications.
    pub templates: Vec<TemplateUseRecord>,
}

/// The state of a Spot Fleet request (botocore model: `BatchState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as EC2's values")]
pub enum SpotFleetRequestState {
    Submitted,
    #[default]
    Active,
    Cancelled,
    Failed,
    CancelledRunning,
    CancelledTerminating,
    Modifying,
}

/// One Spot Instance request (botocore model: `SpotInstanceRequest`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpotInstanceRequestRecord {
    /// `sir-` and eight letters and digits.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// Whether it may still launch an instance. EC2 lists requests for a while after their end.
    pub state: SpotInstanceRequestState,
    /// When it was created.
    pub created_at: Timestamp,
    /// The image that it launches.
    pub image_id: String,
}

/// The state of a Spot Instance request (botocore model: `SpotInstanceState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as EC2's values")]
pub enum SpotInstanceRequestState {
    #[default]
    Open,
    Active,
    Closed,
    Cancelled,
    Failed,
    Disabled,
}

impl Ec2FleetKind {
    /// The kind as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Request => "request",
            Self::Maintain => "maintain",
        }
    }
}

impl Ec2FleetState {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::DeletedRunning => "deleted_running",
            Self::DeletedTerminating => "deleted_terminating",
            Self::Modifying => "modifying",
        }
    }
}

impl SpotFleetRequestState {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::CancelledRunning => "cancelled_running",
            Self::CancelledTerminating => "cancelled_terminating",
            Self::Modifying => "modifying",
        }
    }
}

impl SpotInstanceRequestState {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Active => "active",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}
