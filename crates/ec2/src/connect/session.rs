//! A session in one account: the role assumed, the account checked, the Regions settled.

use amiwarden_core::{AccountId, Region, RunId, Scope};
use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::SharedIdentityCache;

use super::door::chain;
use super::{AccountOptions, Home, identity, regions};

/// The longest name that STS takes for a session (API reference, `AssumeRole`: `RoleSessionName`).
const NAME_CHARS_MAX: usize = 64;

/// What all sessions of one run have in common.
pub(super) struct Opening<'a> {
    pub(super) home: &'a Home,
    /// With one's own credentials and the run's user agent.
    pub(super) base: &'a SdkConfig,
    pub(super) cache: &'a SharedIdentityCache,
    /// What the sessions are called.
    pub(super) name: &'a str,
}

/// What the sessions of a run are called, so that CloudTrail tells which run it was.
pub(super) fn name(run_id: Option<&RunId>) -> String {
    let name = run_id.map_or_else(|| "amiwarden".to_owned(), |run_id| format!("amiwarden-{run_id}"));
    name.chars().take(NAME_CHARS_MAX).collect()
}

impl Opening<'_> {
    /// The configuration to reach `member` with, and its Regions; or else why it cannot be reached.
    pub(super) async fn open(
        &self,
        member: &AccountOptions,
    ) -> Result<(SdkConfig, Vec<regions::Settled>), String> {
        let (account, timing) = (&member.account, &self.home.options.timing);
        let choice = member.regions.as_ref().unwrap_or(&self.home.options.regions);
        // Asked where it has to be enabled, if anywhere.
        let region = regions::home(choice, self.base.region()).map_err(|error| chain(&error))?;
        let config = match &member.role {
            Some(role) => self.assume(member, &role_arn(role, account, &region), &region).await?,
            None if *account == self.home.account => self.base.clone(),
            None => {
                return Err(format!(
                    "the credentials are those of account {}, and no role to assume in account {account} is \
                     configured: give its [[account]] a `role`",
                    self.home.account
                ));
            }
        };
        let scope = Scope { account: account.clone(), region };
        let settled =
            regions::resolve(choice, &config, &scope, timing).await.map_err(|error| chain(&error))?;
        Ok((config, settled))
    }

    async fn assume(&self, member: &AccountOptions, arn: &str, region: &Region) -> Result<SdkConfig, String> {
        let sdk_region = aws_config::Region::new(region.as_str().to_owned());
        let timing = &self.home.options.timing;
        let asking = self
            .base
            .to_builder()
            .region(sdk_region.clone())
            // Not paced: STS grants 600 requests a second (IAM User Guide, "STS quotas"), and few are opened at a time.
            .http_client(self.home.clients.of_nobody())
            .retry_config(timing.read_retries())
            .timeout_config(timing.timeouts())
            .build();
        let mut role = AssumeRoleProvider::builder(arn).session_name(self.name).configure(&asking);
        if let Some(external_id) = &member.external_id {
            role = role.external_id(external_id);
        }
        let config = self
            .base
            .to_builder()
            .region(sdk_region)
            .credentials_provider(SharedCredentialsProvider::new(role.build().await))
            .identity_cache(self.cache.clone())
            .http_client(self.home.clients.of(&member.account))
            .build();
        let account = identity::of_role(&config, arn, timing).await?;
        if account != member.account {
            return Err(format!(
                "the role {arn} is one of account {account}, not of {}: correct the role",
                member.account
            ));
        }
        Ok(config)
    }
}

/// The ARN of a role that may be given by its name alone.
fn role_arn(role: &str, account: &AccountId, region: &Region) -> String {
    if role.starts_with("arn:") {
        return role.to_owned();
    }
    format!("arn:{}:iam::{account}:role/{}", partition(region.as_str()), role.trim_start_matches('/'))
}

/// The partition of a Region, by the beginnings that AWS's SDKs know (botocore, `partitions.json`: `regionRegex`).
fn partition(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    partitions.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_be_given_by_its_name() {
        let check = |role: &str, region: &str, expected: &str| {
            assert_eq!(role_arn(role, &"111122223333".parse().unwrap(), &Region::new(region)), expected);
        };
        check("amiwarden", "eu-west-1", "arn:aws:iam::111122223333:role/amiwarden");
        check("/ops/amiwarden", "us-gov-west-1", "arn:aws-us-gov:iam::111122223333:role/ops/amiwarden");
        check("amiwarden", "cn-north-1", "arn:aws-cn:iam::111122223333:role/amiwarden");
        check("amiwarden", "us-isob-east-1", "arn:aws-iso-b:iam::111122223333:role/amiwarden");
        let whole = "arn:aws:iam::111122223333:role/x";
        check(whole, "eu-west-1", whole);
    }

    #[test]
    fn a_session_is_named_after_its_run() {
        assert_eq!(name(None), "amiwarden");
        assert_eq!(name(Some(&RunId::new("0190-abc"))), "amiwarden-0190-abc");
        assert_eq!(name(Some(&RunId::new("x".repeat(99)))).len(), NAME_CHARS_MAX);
    }
}
