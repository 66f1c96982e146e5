//! Organizations `ListAccounts`.

use serde_json::json;

use super::page::PageRequest;
use super::{Context, unknown_action};
use crate::protocol::{ApiError, Parameters};
use crate::world::World;

/// The largest page (API reference, `ListAccounts`: `MaxResults`), taken where nothing is said as well.
const PAGE_MAX: u8 = 20;

/// The parameters of `ListAccounts`.
#[derive(Debug)]
pub(crate) struct OrganizationQuery {
    page: PageRequest,
}

impl OrganizationQuery {
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Self, ApiError> {
        if action != "ListAccounts" {
            return Err(unknown_action(action));
        }
        parameters.check_names(&["MaxResults", "NextToken"])?;
        let sizes = 1..=u64::from(PAGE_MAX);
        Ok(Self { page: PageRequest::parse_sized(parameters, "MaxResults", sizes, PAGE_MAX.into())? })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        if world.organization.is_empty() {
            let message = "Your account is not a member of an organization.";
            return Err(ApiError::bad_request("AWSOrganizationsNotInUseException", message));
        }
        let accounts = world.organization.iter().map(|(id, account)| (id.clone(), (id, account)));
        let page = self
            .page
            .cut(accounts, context)
            .map_err(|error| ApiError::bad_request("InvalidInputException", error.message))?;
        let accounts = page.items.iter().map(|(id, account)| {
            json!({
                "Id": id, "Name": account.name, "State": account.state.as_str(),
                "Arn": format!("arn:aws:organizations::{}:account/o-sandbox00000/{id}", world.account),
                "Email": format!("{id}@example.com"), "JoinedMethod": "CREATED",
            })
        });
        let mut body = json!({ "Accounts": accounts.collect::<Vec<_>>() });
        page.add_token(&mut body);
        Ok(body.to_string())
    }
}
