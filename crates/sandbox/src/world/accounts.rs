//! Several accounts: who can be reached from the account that callers act in, and how.

use serde::{Deserialize, Serialize};

use super::World;
use crate::protocol::ApiError;

/// One account of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationAccount {
    /// Its name.
    pub name: String,
    /// What can be done with it.
    pub state: AccountState,
    /// The name of the role that callers may assume there; none can be assumed without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The external id that the role asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// Organizations' words (API reference, `Account`: `State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "named as the values of Organizations")]
pub enum AccountState {
    #[default]
    Active,
    Suspended,
    PendingClosure,
    Closed,
}

impl AccountState {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
        }
    }
}

impl World {
    /// The world of an account: this one, or one of those that can be reached from it.
    pub fn of_account(&self, account: &str) -> Option<&Self> {
        if account == self.account { Some(self) } else { self.members.get(account) }
    }

    /// The same, to be changed.
    pub fn of_account_mut(&mut self, account: &str) -> Option<&mut Self> {
        if account == self.account { Some(self) } else { self.members.get_mut(account) }
    }

    /// The account that a role leads to, if callers may assume it with this external id. STS refuses a role that is
    /// not there in the same words as one that does not trust the caller (IAM User Guide, "Troubleshoot IAM roles").
    pub(crate) fn assume(&self, arn: &str, external_id: Option<&str>) -> Result<String, ApiError> {
        let refused = || {
            let caller = format!("arn:aws:iam::{}:user/sandbox", self.account);
            let message =
                format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}");
            ApiError::with_status(403, "AccessDenied", message)
        };
        let (account, role) = account_and_role(arn).ok_or_else(|| {
            ApiError::bad_request("ValidationError", format!("{arn} is not the ARN of a role"))
        })?;
        let known = self.organization.get(account).ok_or_else(refused)?;
        let may_be_assumed = known.state == AccountState::Active
            && known.role.as_deref() == Some(role)
            && known.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted));
        if may_be_assumed { Ok(account.to_owned()) } else { Err(refused()) }
    }
}

/// What `arn:aws:iam::222233334444:role/amiwarden` names.
pub(crate) fn account_and_role(arn: &str) -> Option<(&str, &str)> {
    let (_, rest) = arn.strip_prefix("arn:")?.split_once(":iam::")?;
    rest.split_once(":role/").filter(|(account, role)| super::is_account(account) && !role.is_empty())
}
