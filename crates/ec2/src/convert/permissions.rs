//! Launch permissions: EC2 has four optional members of which one is set.

use amiwarden_core::{AccountId, LaunchPermission};
use aws_sdk_ec2::types as sdk;

/// What EC2 sent is not one launch permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PermissionDefect {
    /// None or several of the four members are set.
    #[error("a launch permission with {0} of its four members set, where EC2 sets exactly one")]
    NotOne(usize),
    /// A group other than `all`.
    #[error("a launch permission for the group `{0}`, where only `all` is known")]
    Group(String),
    /// An account that is none.
    #[error("a launch permission for `{0}`, which is no account")]
    Account(String),
}

/// The launch permission that is meant, if it is one.
pub(crate) fn launch_permission(raw: &sdk::LaunchPermission) -> Result<LaunchPermission, PermissionDefect> {
    let group = raw.group().map(sdk::PermissionGroup::as_str);
    match (group, raw.user_id(), raw.organization_arn(), raw.organizational_unit_arn()) {
        (Some("all"), None, None, None) => Ok(LaunchPermission::Everyone),
        (Some(group), None, None, None) => Err(PermissionDefect::Group(group.to_owned())),
        (None, Some(account), None, None) => account
            .parse()
            .map(LaunchPermission::Account)
            .map_err(|_| PermissionDefect::Account(account.to_owned())),
        (None, None, Some(arn), None) => Ok(LaunchPermission::Organization(arn.to_owned())),
        (None, None, None, Some(arn)) => Ok(LaunchPermission::OrganizationalUnit(arn.to_owned())),
        (group, account, organization, unit) => {
            let set = [group, account, organization, unit].into_iter().flatten().count();
            Err(PermissionDefect::NotOne(set))
        }
    }
}

/// The same for a request.
pub(crate) fn to_sdk(permission: &LaunchPermission) -> sdk::LaunchPermission {
    let builder = sdk::LaunchPermission::builder();
    match permission {
        LaunchPermission::Everyone => builder.group(sdk::PermissionGroup::All),
        LaunchPermission::Account(account) => builder.user_id(AccountId::as_str(account)),
        LaunchPermission::Organization(arn) => builder.organization_arn(arn),
        LaunchPermission::OrganizationalUnit(arn) => builder.organizational_unit_arn(arn),
    }
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-1";
    const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-1/ou-1";

    #[test]
    fn each_form_survives_the_way_there_and_back() {
        for text in ["all", "111122223333", ORGANIZATION, UNIT] {
            let permission: LaunchPermission = text.parse().unwrap();
            assert_eq!(launch_permission(&to_sdk(&permission)), Ok(permission), "{text}");
        }
    }

    #[test]
    fn anything_but_exactly_one_member_is_refused() {
        let builder = sdk::LaunchPermission::builder;
        let check = |raw: sdk::LaunchPermission, expected: PermissionDefect| {
            assert_eq!(launch_permission(&raw), Err(expected), "{raw:?}");
        };
        check(builder().build(), PermissionDefect::NotOne(0));
        check(
            builder().group(sdk::PermissionGroup::All).user_id("111122223333").build(),
            PermissionDefect::NotOne(2),
        );
        check(
            builder().user_id("1").organization_arn(ORGANIZATION).organizational_unit_arn(UNIT).build(),
            PermissionDefect::NotOne(3),
        );
        check(builder().group("none".into()).build(), PermissionDefect::Group("none".to_owned()));
        check(builder().user_id("me").build(), PermissionDefect::Account("me".to_owned()));
    }
}
