//! What a user may choose about the connection.

use std::collections::BTreeSet;
use std::fmt;

use amiwarden_core::{AccountId, Pace, Region, RunId};

use crate::client::Timing;

/// How to reach EC2. The default is what every AWS tool does: the environment, the profile, and the instance's role,
/// in the profile's Region.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The profile in `~/.aws` to take credentials and settings from; `AWS_PROFILE` or `default` where none is named.
    pub profile: Option<String>,
    /// Which Regions, of every account that has no choice of its own.
    pub regions: RegionChoice,
    /// Which accounts. None, and no organization: the one of the credentials.
    pub accounts: Vec<AccountOptions>,
    /// The accounts of an organization besides.
    pub organization: Option<OrganizationOptions>,
    /// Where every AWS service is reached instead of AWS. Where it is not given, `AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_EC2` and the profile are heeded.
    pub endpoint_url: Option<String>,
    /// Where the credentials come from.
    pub credentials: CredentialSource,
    /// The run on whose behalf requests are sent; it is part of the user agent and of the names of the sessions in
    /// other accounts, so that CloudTrail shows it. [`Connection::for_run`](crate::Connection::for_run) changes it.
    pub run_id: Option<RunId>,
    /// How long to wait.
    pub timing: Timing,
    /// How fast to ask each account, all readers and writers of the connection together. `None`: as fast as AWS answers, which is
    /// for endpoints that are nobody else's.
    pub pace: Option<Pace>,
}

/// An account to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountOptions {
    /// The account.
    pub account: AccountId,
    /// The role to assume there, by its ARN or by its name. The account of the credentials needs none.
    pub role: Option<String>,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Which Regions, if others than those of the connection.
    pub regions: Option<RegionChoice>,
}

/// The accounts of an AWS organization, which its management account and delegated administrators may list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationOptions {
    /// The name of the role to assume in each of them, with its path if it has one. In the account of the credentials
    /// none is assumed.
    pub role: String,
    /// The external id that the roles' trust policies ask for.
    pub external_id: Option<String>,
    /// Only these; all where it is empty.
    pub include: BTreeSet<AccountId>,
    /// Not these.
    pub exclude: BTreeSet<AccountId>,
}

/// Which Regions to connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RegionChoice {
    /// The one that the environment, the profile or the instance says.
    #[default]
    Default,
    /// These.
    Named(Vec<Region>),
    /// Every one that is enabled for the account.
    All,
}

/// Where credentials come from.
#[derive(Clone, Debug, Default)]
pub enum CredentialSource {
    /// Environment, profile, single sign-on, web identity, container, instance: the SDK's default chain.
    #[default]
    DefaultChain,
    /// These, and nothing else is looked at: no environment variable, no file, no metadata service.
    Static(StaticCredentials),
}

/// A fixed access key.
#[derive(Clone)]
pub struct StaticCredentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
}

impl StaticCredentials {
    /// This access key.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into() }
    }

    /// The access key of the simulated endpoint, which AWS does not know.
    pub fn sandbox() -> Self {
        Self::new("sandbox", "sandbox")
    }
}

/// Without the secret.
impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_never_shown() {
        let shown = format!("{:?}", StaticCredentials::new("AKIA", "hunter2"));
        assert!(shown.contains("AKIA"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
