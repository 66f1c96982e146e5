//! Auto Scaling groups, launch configurations, recipes and other accounts' uses in a fleet file.

use serde::{Deserialize, Serialize};

use crate::world::{ForeignUseKind, RecipeKind};

/// One Auto Scaling group. Exactly one of its three sources is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetAutoScalingGroup {
    /// Unique in its Region.
    pub name: String,
    /// Its Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Name of a launch configuration of the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_configuration: Option<String>,
    /// A launch template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<FleetTemplateReference>,
    /// A launch template with overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_instances: Option<FleetMixedInstances>,
}

/// A reference to a launch template, by name or by id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetTemplateReference {
    /// Name of a launch template of the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of a launch template, which may be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A number in quotes, `$Latest` or `$Default`; nothing means the default version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A mixed instances policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetMixedInstances {
    /// The launch template that the overrides refine.
    pub launch_template: FleetTemplateReference,
    /// The overrides.
    #[serde(default)]
    pub overrides: Vec<FleetTemplateOverride>,
}

/// One override of a mixed instances policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetTemplateOverride {
    /// The instance type that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Name or id of an image, or `resolve:ssm:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A launch template of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<FleetTemplateReference>,
}

/// One launch configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetLaunchConfiguration {
    /// Unique in its Region.
    pub name: String,
    /// Name or id of an image. An id may name an image that is gone.
    pub image: String,
    /// Its Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One recipe of Image Builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetImageRecipe {
    /// Unique in its Region and kind.
    pub name: String,
    /// Name or id of the image that it builds on.
    pub image: String,
    /// `image` or `container`.
    pub kind: RecipeKind,
    /// Its Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// What another account does with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetForeignUse {
    /// Name or id of the image.
    pub image: String,
    /// Twelve digits, or `************`, which reports print in place of some accounts.
    pub account: String,
    /// `instance` or `launch-template`.
    pub kind: ForeignUseKind,
    /// How many.
    pub count: u64,
    /// The image's Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}
