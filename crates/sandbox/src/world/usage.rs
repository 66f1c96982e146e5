//! Uses of images that are neither instances nor templates of the account.

use serde::{Deserialize, Serialize};

/// One recipe of Image Builder that builds on an image. Only `DescribeImageReferences` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipeRecord {
    /// Unique in its Region and kind.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// Id of the image that it builds on.
    pub image_id: String,
    /// What it builds.
    pub kind: RecipeKind,
}

/// What a recipe of Image Builder builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeKind {
    /// An image.
    Image,
    /// A container image.
    Container,
}

/// What another account does with an image. Only image usage reports tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignUse {
    /// Id of the image.
    pub image_id: String,
    /// The account as reports print it: twelve digits, or twelve asterisks.
    pub account: String,
    /// What uses it.
    pub kind: ForeignUseKind,
    /// How many of them.
    pub count: u64,
}

/// What uses an image in another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignUseKind {
    /// Instances.
    Instance,
    /// Launch templates.
    LaunchTemplate,
}

impl ForeignUseKind {
    /// The resource type as usage reports spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "ec2:Instance",
            Self::LaunchTemplate => "ec2:LaunchTemplate",
        }
    }
}
