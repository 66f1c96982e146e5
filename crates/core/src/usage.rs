//! What refers to an image, so that losing the image would break it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ImageId, Source};

/// Which sources of usage count, and how deep they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageSettings {
    /// Which versions of launch templates count.
    pub template_versions: TemplateVersions,
    /// Whether image usage reports are made and read for candidates: what other accounts do with the image.
    pub usage_reports: bool,
    /// Sources that the user has switched off. Every plan says so.
    pub disabled_sources: BTreeSet<Source>,
}

/// Which versions of a launch template count as uses of their images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TemplateVersions {
    /// `$Default`, `$Latest`, and those that a group or fleet pins.
    #[default]
    Pinned,
    /// So many of the newest, too.
    Newest(u32),
}

impl UsageSettings {
    /// The sources that are read as a whole.
    pub fn bulk(&self) -> impl Iterator<Item = Source> {
        Source::USAGE.into_iter().filter(|source| !self.disabled_sources.contains(source))
    }

    /// The sources that are asked image by image.
    pub fn per_candidate(&self) -> impl Iterator<Item = Source> {
        let is_on = |source: &Source| match source {
            Source::UsageReports => self.usage_reports,
            source => !self.disabled_sources.contains(source),
        };
        Source::PER_CANDIDATE.into_iter().filter(is_on)
    }
}

/// One reference to an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageUse {
    /// The image that is referred to.
    pub image: ImageId,
    /// What kind of thing refers to it.
    pub kind: UseKind,
    /// Which one: an instance id, a launch template's id and version, a group's name.
    pub id: String,
    /// The account that holds it.
    pub account: AccountId,
}

impl fmt::Display for ImageUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// The kinds of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseKind {
    /// An instance in any state but terminated.
    Instance,
    /// A version of a launch template.
    LaunchTemplate,
    /// An Auto Scaling group, by its template, its launch configuration or an override.
    AutoScalingGroup,
    /// A launch configuration of Auto Scaling.
    LaunchConfiguration,
    /// An EC2 Fleet that may still launch.
    Fleet,
    /// A Spot Fleet request that may still launch.
    SpotFleetRequest,
    /// A Spot Instance request that may still launch.
    SpotInstanceRequest,
    /// A Systems Manager parameter that holds the image's id.
    SsmParameter,
    /// A recipe of EC2 Image Builder.
    ImageRecipe,
    /// A container recipe of EC2 Image Builder.
    ContainerRecipe,
    /// Another image, which shares a snapshot.
    Image,
    /// Something of a kind that this version does not know. It counts like any other.
    Other,
}

impl UseKind {
    /// Its name in reports and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::LaunchTemplate => "launch-template",
            Self::AutoScalingGroup => "auto-scaling-group",
            Self::LaunchConfiguration => "launch-configuration",
            Self::Fleet => "fleet",
            Self::SpotFleetRequest => "spot-fleet-request",
            Self::SpotInstanceRequest => "spot-instance-request",
            Self::SsmParameter => "ssm-parameter",
            Self::ImageRecipe => "image-recipe",
            Self::ContainerRecipe => "container-recipe",
            Self::Image => "image",
            Self::Other => "resource",
        }
    }
}

impl fmt::Display for UseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
