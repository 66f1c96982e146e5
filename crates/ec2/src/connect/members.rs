//! Which accounts there are to connect to.

use std::collections::BTreeSet;

use amiwarden_core::AccountId;
use aws_config::SdkConfig;

use super::organization::{self, Listed};
use super::{AccountOptions, ConnectError, ConnectOptions, OrganizationOptions};

/// The accounts, each once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) accounts: Vec<AccountOptions>,
    /// Why there may be more, if so.
    pub(super) unlisted: Option<String>,
}

/// Those that are configured, then those of the organization.
pub(super) async fn find(
    options: &ConnectOptions,
    own: &AccountId,
    config: &SdkConfig,
) -> Result<Members, ConnectError> {
    let listed = match &options.organization {
        Some(_) => organization::list(config, &options.timing).await,
        None => Listed::default(),
    };
    let members = join(&options.accounts, options.organization.as_ref(), own, listed);
    match (&members.unlisted, members.accounts.is_empty()) {
        (Some(reason), true) => Err(ConnectError::Organization(reason.clone())),
        (None, true) => Err(ConnectError::NoAccountLeft),
        (_, false) => Ok(members),
    }
}

fn join(
    configured: &[AccountOptions],
    organization: Option<&OrganizationOptions>,
    own: &AccountId,
    listed: Listed,
) -> Members {
    let mut accounts = configured.to_vec();
    let Some(organization) = organization else { return Members { accounts, unlisted: None } };
    let named: BTreeSet<AccountId> = accounts.iter().map(|account| account.account.clone()).collect();
    // One that is included by its id is meant to be looked at, and to be missed where the list lacks it. The account
    // of the credentials is known to be there, whatever the organization says.
    let mut ids = listed.active;
    ids.extend(organization.include.iter().cloned());
    if listed.gap.is_some() {
        ids.insert(own.clone());
    }
    let is_meant = |id: &AccountId| {
        (organization.include.is_empty() || organization.include.contains(id))
            && !organization.exclude.contains(id)
            && !named.contains(id)
            && !listed.inactive.contains(id)
    };
    accounts.extend(ids.into_iter().filter(is_meant).map(|account| AccountOptions {
        role: (account != *own).then(|| organization.role.clone()),
        external_id: organization.external_id.clone().filter(|_| account != *own),
        regions: None,
        account,
    }));
    Members { accounts, unlisted: listed.gap }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AccountId {
        text.repeat(12).parse().unwrap()
    }

    fn ids(text: &str) -> BTreeSet<AccountId> {
        text.split(' ').filter(|text| !text.is_empty()).map(id).collect()
    }

    fn listed(active: &str, inactive: &str, gap: Option<&str>) -> Listed {
        Listed { active: ids(active), inactive: ids(inactive), gap: gap.map(str::to_owned) }
    }

    #[test]
    fn the_organization_fills_up_what_is_configured() {
        let check = |configured: &str, include: &str, exclude: &str, listed: Listed, expected: &str| {
            let account = |account| AccountOptions { account, role: None, external_id: None, regions: None };
            let configured: Vec<_> = ids(configured).into_iter().map(account).collect();
            let organization = OrganizationOptions {
                role: "amiwarden".to_owned(),
                external_id: None,
                include: ids(include),
                exclude: ids(exclude),
            };
            let members = join(&configured, Some(&organization), &id("1"), listed);
            let shown: Vec<String> = members
                .accounts
                .iter()
                .map(|it| {
                    format!("{}{}", &it.account.as_str()[..1], if it.role.is_some() { "r" } else { "" })
                })
                .collect();
            assert_eq!(shown.join(" "), expected);
        };
        check("", "", "", listed("3 1 2", "4", None), "1 2r 3r");
        check("3", "", "", listed("3 1 2", "4", None), "3 1 2r");
        check("", "", "2", listed("3 1 2", "4", None), "1 3r");
        // One that is included and not there is missed, one that is suspended is not.
        check("", "2 4 9", "", listed("3 1 2", "4", None), "2r 9r");
        check("9", "", "", listed("", "", Some("denied")), "9 1");
        check("", "2", "", listed("", "", Some("denied")), "2r");
    }
}
