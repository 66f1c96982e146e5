//! The SDK's configuration, loaded once.

use amiwarden_core::RunId;
use aws_config::AppName;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::{IdentityCache, SharedIdentityCache, StalledStreamProtectionConfig};
use aws_smithy_async::time::SystemTimeSource;
use aws_types::service_config::ServiceConfigKey;

use super::ConnectError;
use super::options::{ConnectOptions, CredentialSource, RegionChoice, StaticCredentials};
use crate::client::behavior_version;
use crate::http::{Clients, Proxies};

/// What amiwarden calls itself in the user agent.
const APP_NAME: &str = "amiwarden";

/// How many credential providers the cache tells apart before it drops one. The SDK's own limit of 64 is less than
/// what an organization has accounts.
const IDENTITIES_MAX: usize = 1024;

/// Loads it, with the HTTP clients to go with it. Only [`CredentialSource::DefaultChain`] looks at the environment, at
/// files, or at metadata services. The configuration has the client of nobody: whose account it is, is not known yet.
pub(super) async fn load(options: &ConnectOptions) -> Result<(SdkConfig, Clients), ConnectError> {
    let config = match &options.credentials {
        CredentialSource::DefaultChain => from_surroundings(options).await,
        CredentialSource::Static(credentials) => from_nothing(options, credentials),
    };
    let endpoint = custom_endpoint(&config);
    if let Some(endpoint) = endpoint.as_ref().filter(|endpoint| !has_scheme(endpoint)) {
        return Err(ConnectError::EndpointAddress { endpoint: endpoint.clone() });
    }
    let is_local = endpoint.is_some_and(|endpoint| is_loopback(&endpoint));
    let proxies = if is_local { Proxies::None } else { Proxies::OfEnvironment };
    let clients = Clients::new(proxies, options.pace.clone(), options.timing.attempt);
    // A request that waits for its token is not read from, which the SDK takes for a server that has stalled.
    let stalled = StalledStreamProtectionConfig::enabled().upload_enabled(false).build();
    let builder = config.into_builder().http_client(clients.of_nobody()).stalled_stream_protection(stalled);
    Ok((named(builder.build(), options.run_id.as_ref())?, clients))
}

/// The configuration with the run in the user agent.
pub(super) fn named(config: SdkConfig, run_id: Option<&RunId>) -> Result<SdkConfig, ConnectError> {
    let text = match run_id {
        Some(run) => format!("{APP_NAME}-{run}"),
        None => APP_NAME.to_owned(),
    };
    let app_name = AppName::new(text.clone()).map_err(|_| ConnectError::RunId { text })?;
    Ok(config.into_builder().app_name(app_name).build())
}

async fn from_surroundings(options: &ConnectOptions) -> SdkConfig {
    let mut loader = aws_config::defaults(behavior_version()).identity_cache(identity_cache());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    // Looking for a default Region may ask the metadata service, which costs seconds where there is none.
    if let RegionChoice::Named(named) = &options.regions
        && let Some(first) = named.first()
    {
        loader = loader.region(aws_config::Region::new(first.as_str().to_owned()));
    }
    loader.load().await
}

fn from_nothing(options: &ConnectOptions, credentials: &StaticCredentials) -> SdkConfig {
    let credentials = Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "amiwarden-static",
    );
    let mut builder = SdkConfig::builder()
        .behavior_version(behavior_version())
        .time_source(SystemTimeSource::new())
        .identity_cache(identity_cache())
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    builder.set_endpoint_url(options.endpoint_url.clone());
    builder.build()
}

/// A cache of credentials, which also renews them in time.
pub(super) fn identity_cache() -> SharedIdentityCache {
    IdentityCache::lazy().max_partitions(IDENTITIES_MAX).build()
}

/// The endpoint that takes the place of EC2's own, if one is configured for EC2 or for every service.
pub(super) fn custom_endpoint(config: &SdkConfig) -> Option<String> {
    let of_ec2 = || {
        let key =
            ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url");
        config.service_config()?.load_config(key.build().ok()?)
    };
    config.endpoint_url().map(str::to_owned).or_else(of_ec2)
}

fn has_scheme(url: &str) -> bool {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

/// Whether the endpoint is on this machine.
fn is_loopback(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for url in ["http://127.0.0.1:4566", "http://localhost", "http://[::1]:80/x", "https://127.8.9.1/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1:4566", "http://127.0.0.1.example.com", "http://localhost.example", "x"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
