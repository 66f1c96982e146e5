//! Launch permissions: who, besides the owner, may launch an image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One launch permission (botocore model: `LaunchPermission`, whose four members exclude each other).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LaunchPermission {
    /// The group `all`: the image is public.
    All,
    /// One account, twelve digits.
    Account(String),
    /// An organisation, by ARN.
    Organization(String),
    /// An organisational unit, by ARN.
    OrganizationalUnit(String),
}

/// A text is not a launch permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no launch permission: write \"all\", an account of 12 digits, \
     \"arn:aws:organizations::ACCOUNT:organization/o-…\" or \"arn:aws:organizations::ACCOUNT:ou/o-…/ou-…\""
)]
pub struct ParseLaunchPermissionError {
    /// What was read.
    pub text: String,
}

impl FromStr for LaunchPermission {
    type Err = ParseLaunchPermissionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            Ok(Self::All)
        } else if is_account(text) {
            Ok(Self::Account(text.to_owned()))
        } else if is_organization(text) {
            Ok(Self::Organization(text.to_owned()))
        } else if is_organizational_unit(text) {
            Ok(Self::OrganizationalUnit(text.to_owned()))
        } else {
            Err(ParseLaunchPermissionError { text: text.to_owned() })
        }
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
            Self::All => f.write_str("all"),
            Self::Account(text) | Self::Organization(text) | Self::OrganizationalUnit(text) => {
                f.write_str(text)
            }
        }
    }
}

/// Whether a text is an AWS account id.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_organization(text: &str) -> bool {
    organizations_resource(text, "organization/").is_some_and(|id| id.starts_with("o-") && !id.contains('/'))
}

fn is_organizational_unit(text: &str) -> bool {
    organizations_resource(text, "ou/")
        .and_then(|path| path.split_once('/'))
        .is_some_and(|(organization, unit)| organization.starts_with("o-") && unit.starts_with("ou-"))
}

/// The part of `arn:PARTITION:organizations::ACCOUNT:KIND…` that follows KIND.
fn organizations_resource<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
    let (_partition, rest) = text.strip_prefix("arn:")?.split_once(":organizations::")?;
    let (account, resource) = rest.split_once(':')?;
    is_account(account).then(|| resource.strip_prefix(kind)).flatten()
}

#[cfg(test)]
mod tests {
    use super::LaunchPermission;

    #[test]
    fn texts_become_permissions_and_back() {
        let organization = "arn:aws:organizations::111122223333:organization/o-abc";
        let unit = "arn:aws:organizations::111122223333:ou/o-abc/ou-abc-12";
        for (text, expected) in [
            ("all", LaunchPermission::All),
            ("444455556666", LaunchPermission::Account("444455556666".to_owned())),
            (organization, LaunchPermission::Organization(organization.to_owned())),
            (unit, LaunchPermission::OrganizationalUnit(unit.to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(expected.to_string(), text);
        }
        for wrong in [
            "",
            "everyone",
            "12345678901",
            "arn:aws:iam::1:role/x",
            "arn:aws:organizations::111122223333:ou/o-abc",
        ] {
            assert!(wrong.parse::<LaunchPermission>().is_err(), "{wrong}");
        }
    }
}
