//! Which Regions are meant, and whether they are there.

use amiwarden_core::{CallErrorKind, Region, Scope};
use aws_config::SdkConfig;

use super::config::custom_endpoint;
use super::{ConnectError, RegionChoice};
use crate::client::{self, Purpose, Timing};
use crate::errors::Failure;

const OPERATION: &str = "DescribeRegions";

/// Where to ask for all Regions when none is configured: enabled in every account of the commercial partition.
const FIRST_REGION: &str = "us-east-1";

/// Refuses what cannot be a Region before its name becomes part of a host name.
pub(super) fn check_names(named: &[Region]) -> Result<(), ConnectError> {
    if named.is_empty() {
        return Err(ConnectError::NoRegionNamed);
    }
    match named.iter().find(|region| !is_name(region.as_str())) {
        Some(region) => Err(ConnectError::RegionName { region: region.clone() }),
        None => Ok(()),
    }
}

/// The form of a name: words of lower-case letters, then a number, such as `us-gov-west-1`.
fn is_name(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The Region that is asked about the account and the other Regions.
pub(super) fn home(
    choice: &RegionChoice,
    configured: Option<&aws_config::Region>,
) -> Result<Region, ConnectError> {
    let configured = configured.map(|region| Region::new(region.as_ref()));
    let home = match choice {
        RegionChoice::Named(named) => named.first().cloned().ok_or(ConnectError::NoRegionNamed)?,
        RegionChoice::Default => configured.ok_or(ConnectError::NoRegion)?,
        RegionChoice::All => configured.unwrap_or_else(|| Region::new(FIRST_REGION)),
    };
    check_names(std::slice::from_ref(&home))?;
    Ok(home)
}

/// A Region, or why it cannot be worked with.
pub(super) type Settled = (Region, Option<ConnectError>);

/// The Regions that are meant, each once. Those named are compared with those enabled for the account, where the
/// credentials may list them; an endpoint of one's own may answer for any Region.
pub(super) async fn resolve(
    choice: &RegionChoice,
    config: &SdkConfig,
    home: &Scope,
    timing: &Timing,
) -> Result<Vec<Settled>, ConnectError> {
    let endpoint = custom_endpoint(config);
    let fine = |regions: Vec<Region>| Ok(regions.into_iter().map(|region| (region, None)).collect());
    let named = match choice {
        RegionChoice::Named(named) => each_once(named),
        RegionChoice::Default => vec![home.region.clone()],
        RegionChoice::All => {
            let listed = enabled(config, home, timing).await;
            return match listed {
                Ok(regions) if regions.is_empty() => Err(ConnectError::NoRegion),
                Ok(regions) => fine(regions),
                Err(failure) if failure.lacks_permission() => Err(ConnectError::RegionsDenied(failure.error)),
                Err(failure) => Err(ConnectError::from_failure(failure, &home.region, endpoint.as_deref())),
            };
        }
    };
    if endpoint.is_some() {
        return fine(named);
    }
    let enabled = match enabled(config, home, timing).await {
        Ok(enabled) => enabled,
        // Whoever may read images need not be allowed to list Regions.
        Err(failure) if failure.error.kind == CallErrorKind::Denied => {
            tracing::debug!(error = %failure.error, "the Regions are not checked: they may not be listed");
            return fine(named);
        }
        Err(failure) => return Err(ConnectError::from_failure(failure, &home.region, None)),
    };
    let settled = named.into_iter().map(|region| {
        let problem = (!enabled.contains(&region)).then(|| ConnectError::RegionNotEnabled {
            region: region.clone(),
            account: home.account.clone(),
            enabled: enabled.clone(),
        });
        (region, problem)
    });
    Ok(settled.collect())
}

/// Every Region that is enabled for the account, by name.
async fn enabled(config: &SdkConfig, home: &Scope, timing: &Timing) -> Result<Vec<Region>, Failure> {
    let (client, _) = client::build(config, home, Purpose::Read, timing);
    let reply = client.describe_regions().send().await.map_err(|error| Failure::new(OPERATION, &error))?;
    let mut regions: Vec<_> =
        reply.regions().iter().filter_map(|region| region.region_name()).map(Region::new).collect();
    regions.sort();
    regions.dedup();
    Ok(regions)
}

fn each_once(named: &[Region]) -> Vec<Region> {
    let mut once = Vec::new();
    for region in named {
        if !once.contains(region) {
            once.push(region.clone());
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_form_of_a_region() {
        for name in ["eu-west-1", "us-gov-east-1", "ap-southeast-4", "mx-central-1", "us-isob-east-1"] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", "eu", "eu-west", "west-1", "EU-WEST-1", "eu-west-1a", "eu west 1", "eu--1", "evil.com/x-a-1"]
        {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn the_home_region_is_the_first_named_or_the_configured_one() {
        let configured = aws_config::Region::new("eu-west-1");
        let odd = aws_config::Region::new("Europe");
        let named = RegionChoice::Named(vec![Region::new("sa-east-1"), Region::new("eu-west-1")]);
        let check = |choice: &RegionChoice, configured, expected: Option<&str>| {
            let home = home(choice, configured).ok();
            assert_eq!(home.as_ref().map(Region::as_str), expected, "{choice:?}");
        };
        check(&named, Some(&configured), Some("sa-east-1"));
        check(&RegionChoice::Default, Some(&configured), Some("eu-west-1"));
        check(&RegionChoice::Default, None, None);
        check(&RegionChoice::Default, Some(&odd), None);
        check(&RegionChoice::All, Some(&configured), Some("eu-west-1"));
        check(&RegionChoice::All, None, Some("us-east-1"));
        check(&RegionChoice::Named(Vec::new()), Some(&configured), None);
    }
}
