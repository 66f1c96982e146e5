//! Whose credentials these are.

use amiwarden_core::{AccountId, Region};
use aws_config::SdkConfig;

use super::ConnectError;
use super::door::chain;
use crate::client::Timing;
use crate::errors::Failure;

const OPERATION: &str = "GetCallerIdentity";

/// The account of one's own credentials, by STS `GetCallerIdentity`, which needs no permission.
pub(super) async fn account(
    config: &SdkConfig,
    region: &Region,
    timing: &Timing,
) -> Result<AccountId, ConnectError> {
    let account = ask(config, timing)
        .await
        .map_err(|failure| ConnectError::from_failure(failure, region, config.endpoint_url()))??;
    tracing::debug!(%account, %region, "the credentials are those of account {account}");
    Ok(account)
}

/// The account that a role leads to, or why the role cannot be assumed.
pub(super) async fn of_role(config: &SdkConfig, role: &str, timing: &Timing) -> Result<AccountId, String> {
    match ask(config, timing).await {
        Ok(said) => said.map_err(|error| chain(&error)),
        Err(failure) if failure.without_credentials => Err(format!(
            "the role {role} cannot be assumed: {}; check that it exists, that its trust policy names the account of \
             the credentials and the external id, and that these may sts:AssumeRole",
            failure.error.message
        )),
        Err(failure) => {
            Err(format!("STS does not say whose session of the role {role} it is: {}", failure.error))
        }
    }
}

async fn ask(config: &SdkConfig, timing: &Timing) -> Result<Result<AccountId, ConnectError>, Failure> {
    let sts = aws_sdk_sts::config::Builder::from(config)
        .retry_config(timing.read_retries())
        .timeout_config(timing.timeouts())
        .build();
    let reply = aws_sdk_sts::Client::from_conf(sts)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| Failure::new(OPERATION, &error))?;
    Ok(reply.account().ok_or(ConnectError::NoAccount).and_then(|account| Ok(account.parse()?)))
}
