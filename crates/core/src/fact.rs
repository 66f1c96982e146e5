//! One thing that a policy may ask about an image, and whether it is known.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that is known, that cannot be known, or that nobody has asked for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// This is so.
    Known(T),
    /// It was asked for and could not be found out; the text says why. A policy that reads it fails, and the
    /// image is kept.
    Unknown(String),
    /// It takes a call that has not been made. A policy that reads it is suspended until it has.
    NotFetched(Need),
}

impl<T> Fact<T> {
    /// The value, if known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::NotFetched(_) => None,
        }
    }

    /// The same doubt about something concluded from the value.
    pub fn map<U>(&self, conclude: impl FnOnce(&T) -> U) -> Fact<U> {
        self.and_then(|value| Fact::Known(conclude(value)))
    }

    /// The same doubt about something concluded from the value, where the conclusion may add its own.
    pub fn and_then<U>(&self, conclude: impl FnOnce(&T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => conclude(value),
            Self::Unknown(reason) => Fact::Unknown(reason.clone()),
            Self::NotFetched(need) => Fact::NotFetched(*need),
        }
    }
}

/// What has to be read before a suspended policy can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The launch permissions of this image: one call per image.
    LaunchPermissions,
    /// The snapshots of the scope: one paginated call.
    Snapshots,
    /// Every source of usage of the scope: a few paginated calls.
    Usage,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::LaunchPermissions => "launch permissions",
            Self::Snapshots => "snapshots",
            Self::Usage => "usage",
        })
    }
}
