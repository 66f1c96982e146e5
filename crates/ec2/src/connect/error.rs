//! Why there is no connection, and what to do about it.

use amiwarden_core::{AccountId, CallError, CallErrorKind, ParseAccountIdError, Region};

use crate::errors::Failure;

/// No connection could be made. Every text names its remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No Region is configured anywhere.
    #[error(
        "no Region is configured: name one (`--region eu-west-1`), or set `regions` in the configuration, \
         AWS_REGION, or `region` in the profile"
    )]
    NoRegion,
    /// The list of Regions is empty.
    #[error("the list of Regions is empty: name at least one, or `all`")]
    NoRegionNamed,
    /// Not the form of a Region's name.
    #[error("`{region}` is not the name of a Region: a name looks like `eu-west-1`")]
    RegionName {
        /// The name.
        region: Region,
    },
    /// The account cannot use this Region.
    #[error(
        "Region `{region}` does not exist or is not enabled for account {account}: correct the name, or enable the \
         Region in the account's settings (enabled: {})",
        list(.enabled)
    )]
    RegionNotEnabled {
        /// The Region.
        region: Region,
        /// The account.
        account: AccountId,
        /// The Regions that are enabled.
        enabled: Vec<Region>,
    },
    /// No credentials could be found, or those found could not be loaded.
    #[error(
        "no AWS credentials: sign in (`aws sso login`), name a profile (`--profile`), or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials(#[source] CallError),
    /// The credentials were good once.
    #[error("the AWS credentials have expired: sign in again (`aws sso login`) or renew them")]
    ExpiredCredentials(#[source] CallError),
    /// The credentials are no good.
    #[error(
        "AWS does not accept the credentials in Region `{region}`: check the access key and the profile, and that the \
         Region is enabled for the account"
    )]
    CredentialsRefused {
        /// The Region that was asked.
        region: Region,
        /// What AWS said.
        source: CallError,
    },
    /// Nobody answered for a Region of AWS.
    #[error(
        "no answer from AWS in Region `{region}`: check that the Region exists, and the way there (network, proxy)"
    )]
    RegionUnreachable {
        /// The Region.
        region: Region,
        /// What went wrong.
        source: CallError,
    },
    /// Nobody answered at an endpoint of one's own.
    #[error("no answer from {endpoint}: check the address, and that something listens there")]
    EndpointUnreachable {
        /// The endpoint.
        endpoint: String,
        /// What went wrong.
        source: CallError,
    },
    /// The endpoint's address cannot be used.
    #[error("`{endpoint}` is not the address of an endpoint: an address looks like `http://127.0.0.1:4566`")]
    EndpointAddress {
        /// The endpoint.
        endpoint: String,
    },
    /// The request that tells the account or the Regions failed in another way.
    #[error("{endpoint} answers, but not to the first question")]
    Asking {
        /// The endpoint, or the Region whose endpoint it is.
        endpoint: String,
        /// What was said.
        source: CallError,
    },
    /// The Regions of the account may not be listed.
    #[error("the Regions of the account cannot be listed: permit ec2:DescribeRegions, or name the Regions")]
    RegionsDenied(#[source] CallError),
    /// STS did not say whose credentials these are.
    #[error("STS did not say whose credentials these are: check the endpoint's address")]
    NoAccount,
    /// STS named an account that is none.
    #[error("STS named an account that is none: check the endpoint's address")]
    Account(#[from] ParseAccountIdError),
    /// None of several accounts can be worked with.
    #[error("none of the {} accounts can be reached: {}", .reasons.len(), .reasons.join("; "))]
    NoAccountReached {
        /// Why, account by account.
        reasons: Vec<String>,
    },
    /// There is no account to look at.
    #[error(
        "the organization has no account that is active, included and not excluded: nothing would be looked at"
    )]
    NoAccountLeft,
    /// The accounts of the organization cannot be listed, and no others are configured.
    #[error("{0}")]
    Organization(String),
    /// The run's id cannot be part of a user agent.
    #[error("`{text}` cannot be a user agent: use letters, digits, `-` and `.`")]
    RunId {
        /// The user agent that it would make.
        text: String,
    },
}

impl ConnectError {
    /// What `failure` of one of the first requests means.
    pub(super) fn from_failure(failure: Failure, region: &Region, endpoint: Option<&str>) -> Self {
        if failure.without_credentials {
            Self::NoCredentials(failure.error)
        } else if failure.is_expired() {
            Self::ExpiredCredentials(failure.error)
        } else if failure.error.kind == CallErrorKind::Denied {
            Self::CredentialsRefused { region: region.clone(), source: failure.error }
        } else if failure.has_reply() {
            let endpoint = endpoint.map_or_else(|| format!("AWS in Region `{region}`"), str::to_owned);
            Self::Asking { endpoint, source: failure.error }
        } else if let Some(endpoint) = endpoint {
            Self::EndpointUnreachable { endpoint: endpoint.to_owned(), source: failure.error }
        } else {
            Self::RegionUnreachable { region: region.clone(), source: failure.error }
        }
    }
}

fn list(regions: &[Region]) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", ")
}
