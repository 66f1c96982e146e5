//! What refers to an image, so that losing the image would break it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ImageId};

/// One reference to an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageUse {
    /// The image that is referred to.
    pub image: ImageId,
    /// What kind of thing refers to it.
    pub kind: UseKind,
    /// Which one: an instance id, or a launch template's id and version.
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
}

impl UseKind {
    /// Its name in reports and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::LaunchTemplate => "launch-template",
        }
    }
}

impl fmt::Display for UseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
