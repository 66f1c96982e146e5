//! Whose credentials these are.

use amiwarden_core::{AccountId, Region};
use aws_config::SdkConfig;

use super::ConnectError;
use crate::client::Timing;
use crate::errors::Failure;

/// The account, by STS `GetCallerIdentity`, which needs no permission.
pub(super) async fn account(
    config: &SdkConfig,
    region: &Region,
    timing: &Timing,
) -> Result<AccountId, ConnectError> {
    let sts = aws_sdk_sts::config::Builder::from(config)
        .retry_config(timing.read_retries())
        .timeout_config(timing.timeouts())
        .build();
    let reply = aws_sdk_sts::Client::from_conf(sts).get_caller_identity().send().await.map_err(|error| {
        let failure = Failure::new("GetCallerIdentity", &error);
        ConnectError::from_failure(failure, region, config.endpoint_url())
    })?;
    let account: AccountId = reply.account().ok_or(ConnectError::NoAccount)?.parse()?;
    tracing::debug!(%account, %region, "the credentials are those of account {account}");
    Ok(account)
}
