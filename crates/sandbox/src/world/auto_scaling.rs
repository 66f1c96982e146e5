//! Auto Scaling groups and launch configurations, as far as they name images.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One Auto Scaling group. It launches from exactly one of its three sources; capacity, instances and
/// everything else of a group are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoScalingGroupRecord {
    /// Unique in its Region.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it launches from.
    pub source: LaunchSource,
}

/// What an Auto Scaling group launches from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchSource {
    /// A launch configuration, by name.
    Configuration(String),
    /// A version of a launch template.
    Template(TemplateReference),
    /// A version of a launch template with overrides (`MixedInstancesPolicy`).
    Mixed {
        /// What holds where an override says nothing else.
        template: TemplateReference,
        /// The overrides, in their order.
        overrides: Vec<TemplateOverride>,
    },
}

/// A version of a launch template, as others refer to it. What it refers to may be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateReference {
    /// Id of the template.
    pub id: Option<String>,
    /// Name of the template.
    pub name: Option<String>,
    /// A number, `$Latest`, `$Default`, or nothing, which means the default version (botocore model of
    /// `autoscaling`: `LaunchTemplateSpecification`).
    pub version: Option<String>,
}

/// One override of a mixed instances policy (botocore model of `autoscaling`: `LaunchTemplateOverrides`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateOverride {
    /// The instance type that it is for.
    pub instance_type: Option<String>,
    /// An image of its own: an id or `resolve:ssm:NAME`.
    pub image: Option<String>,
    /// A template of its own.
    pub template: Option<TemplateReference>,
}

/// One launch configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchConfigurationRecord {
    /// Unique in its Region.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Id of the image; it may be gone.
    pub image_id: String,
}

impl AutoScalingGroupRecord {
    /// Its key in the world.
    pub fn key(&self) -> String {
        key(&self.region, &self.name)
    }
}

impl LaunchConfigurationRecord {
    /// Its key in the world.
    pub fn key(&self) -> String {
        key(&self.region, &self.name)
    }
}

/// Names are unique in a Region only.
fn key(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}
