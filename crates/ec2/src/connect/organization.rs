//! The accounts of an organization, by Organizations `ListAccounts`.

use std::collections::BTreeSet;

use amiwarden_core::AccountId;
use aws_config::SdkConfig;
use aws_sdk_organizations::types::{Account, AccountState, AccountStatus};

use crate::client::Timing;
use crate::errors::Failure;

const OPERATION: &str = "ListAccounts";

/// What is needed to list them.
const PERMISSION: &str = "organizations:ListAccounts";

/// In either of the two words that the API has for it.
const ACTIVE: &str = "ACTIVE";

/// What the organization said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Accounts that can be worked with.
    pub(super) active: BTreeSet<AccountId>,
    /// Accounts that are suspended, or being closed or opened: nobody can assume a role there.
    pub(super) inactive: BTreeSet<AccountId>,
    /// Why there may be more, if so.
    pub(super) gap: Option<String>,
}

/// Lists them, page by page. What was listed before something went wrong counts.
pub(super) async fn list(config: &SdkConfig, timing: &Timing) -> Listed {
    let config = aws_sdk_organizations::config::Builder::from(config)
        .retry_config(timing.read_retries())
        .timeout_config(timing.timeouts())
        .build();
    let client = aws_sdk_organizations::Client::from_conf(config);
    let mut listed = Listed::default();
    let mut tokens = BTreeSet::new();
    let mut token: Option<String> = None;
    loop {
        let reply = match client.list_accounts().set_next_token(token.take()).send().await {
            Ok(reply) => reply,
            Err(error) => {
                let reason = Failure::new(OPERATION, &error).reason(PERMISSION);
                listed.gap = Some(format!("the accounts of the organization cannot be listed: {reason}"));
                return listed;
            }
        };
        for account in reply.accounts() {
            listed.add(account);
        }
        match reply.next_token().filter(|token| !token.is_empty()) {
            None => return listed,
            Some(next) if tokens.insert(next.to_owned()) => token = Some(next.to_owned()),
            Some(_) => {
                let reason = "the accounts of the organization cannot be listed: a page came twice";
                listed.gap = Some(reason.to_owned());
                return listed;
            }
        }
    }
}

impl Listed {
    fn add(&mut self, account: &Account) {
        let Some(id) = account.id().and_then(|id| id.parse::<AccountId>().ok()) else {
            self.gap = Some("the organization lists an account without an id of twelve digits".to_owned());
            return;
        };
        // `Status` gives way to `State` (Organizations API reference, `Account`). Where neither is said, the attempt
        // to assume a role tells.
        let status = account.status().map(AccountStatus::as_str);
        let state = account.state().map(AccountState::as_str).or(status);
        if state.is_none_or(|state| state == ACTIVE) { &mut self.active } else { &mut self.inactive }
            .insert(id);
    }
}
