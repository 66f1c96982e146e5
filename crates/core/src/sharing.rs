//! Who may launch an image.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ParseAccountIdError};

/// All launch permissions of one image.
pub type LaunchPermissions = BTreeSet<LaunchPermission>;

/// One launch permission: exactly one of the four forms that EC2 knows (`LaunchPermission` in the EC2 API
/// reference).
///
/// Its text form is `all`, a twelve-digit account, or the ARN of an organization or organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LaunchPermission {
    /// The group `all`: the image is public.
    Everyone,
    /// One AWS account.
    Account(AccountId),
    /// An organization, by its ARN.
    Organization(String),
    /// An organizational unit, by its ARN.
    OrganizationalUnit(String),
}

/// The text is no launch permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseLaunchPermissionError {
    /// An ARN that names neither an organization nor an organizational unit.
    #[error(
        "`{0}` is the ARN of neither an organization (`…:organization/o-…`) nor an organizational unit (`…:ou/o-…/ou-…`)"
    )]
    Arn(String),
    /// Neither `all` nor an ARN, so it had to be an account.
    #[error("a launch permission is `all`, an account, or an organization's ARN")]
    Account(#[from] ParseAccountIdError),
}

impl FromStr for LaunchPermission {
    type Err = ParseLaunchPermissionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::Everyone);
        }
        if text.starts_with("arn:") {
            return if text.contains(":organization/") {
                Ok(Self::Organization(text.to_owned()))
            } else if text.contains(":ou/") {
                Ok(Self::OrganizationalUnit(text.to_owned()))
            } else {
                Err(ParseLaunchPermissionError::Arn(text.to_owned()))
            };
        }
        Ok(Self::Account(text.parse()?))
    }
}

impl TryFrom<String> for LaunchPermission {
    type Error = ParseLaunchPermissionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LaunchPermission> for String {
    fn from(permission: LaunchPermission) -> Self {
        permission.to_string()
    }
}

impl fmt::Display for LaunchPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("all"),
            Self::Account(account) => account.fmt(f),
            Self::Organization(arn) | Self::OrganizationalUnit(arn) => f.write_str(arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_read_back() {
        for text in [
            "all",
            "111122223333",
            "arn:aws:organizations::111122223333:organization/o-123example",
            "arn:aws:organizations::111122223333:ou/o-123example/ou-1234-5exampl",
        ] {
            let permission: LaunchPermission = text.parse().expect(text);
            assert_eq!(permission.to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "everyone", "arn:aws:iam::111122223333:root", "12345"] {
            assert!(text.parse::<LaunchPermission>().is_err(), "{text}");
        }
    }
}
