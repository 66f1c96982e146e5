//! How requests are sent: time-outs, retries, and the interceptor that sees every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use amiwarden_core::Scope;
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_ec2::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{
    BehaviorVersion, ConfigBag, Intercept, Region, RuntimeComponents, SharedHttpClient,
};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use crate::errors::REQUEST_ID_HEADER;

/// How often the SDK sends a reading request at most. Changes are sent once, whatever happens.
const READ_ATTEMPTS_MAX: u32 = 3;

/// The SDK's behaviour is pinned: its defaults change only when this line does.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// How long amiwarden waits for EC2. The SDK has a default for the connection only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For the connection to be made.
    pub connect: Duration,
    /// From the request to the first byte of the reply.
    pub read: Duration,
    /// For one attempt, the whole reply included. A change has one attempt.
    pub attempt: Duration,
    /// For a reading request with all its attempts and the pauses between them.
    pub operation: Duration,
    /// The longest pause before the second attempt of a reading request; it doubles for the third.
    pub first_pause: Duration,
}

impl Timing {
    /// For EC2 proper. A page of 1000 images takes seconds, so an attempt may take a minute.
    pub const EC2: Self = Self {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(45),
        attempt: Duration::from_mins(1),
        operation: Duration::from_secs(200),
        first_pause: Duration::from_secs(1),
    };

    pub(crate) fn timeouts(&self, attempts: u32) -> TimeoutConfig {
        let operation = if attempts == 1 { self.attempt } else { self.operation };
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.read)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(operation)
            .build()
    }

    pub(crate) fn read_retries(&self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(READ_ATTEMPTS_MAX).with_initial_backoff(self.first_pause)
    }

    pub(crate) fn read_timeouts(&self) -> TimeoutConfig {
        self.timeouts(READ_ATTEMPTS_MAX)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::EC2
    }
}

/// What a client is for; it decides whether a request may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading: a lost reply costs nothing but the time to ask again.
    Read,
    /// Changing: a lost reply may hide a change that took effect, so only the executor may decide.
    Write,
}

/// A client for one scope, and the log of what it sends.
pub(crate) fn build(
    config: &SdkConfig,
    scope: &Scope,
    purpose: Purpose,
    timing: &Timing,
) -> (Client, CallLog) {
    let log = CallLog::new(scope.clone());
    let (retries, timeouts) = match purpose {
        Purpose::Read => (timing.read_retries(), timing.read_timeouts()),
        Purpose::Write => (RetryConfig::disabled(), timing.timeouts(1)),
    };
    // By default all accounts share the retry quota of a Region: one that is throttled would starve the others.
    let partition = RetryPartition::custom(format!("amiwarden-{scope}")).build();
    let config = aws_sdk_ec2::config::Builder::from(config)
        .region(Region::new(scope.region.as_str().to_owned()))
        .retry_config(retries)
        .retry_partition(partition)
        .timeout_config(timeouts)
        .interceptor(log.clone())
        .build();
    (Client::from_conf(config), log)
}

/// An HTTP client that never goes through a proxy. The variables `HTTP_PROXY` and its kin apply to the SDK's own
/// client even where the endpoint is on this machine.
pub(crate) fn without_proxy() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut builder = Connector::builder().proxy_config(ProxyConfig::disabled());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
    })
}

/// Sees every attempt of every request of one client: counts it, logs it, and refuses replies that were cut
/// short.
#[derive(Clone, Debug)]
pub(crate) struct CallLog {
    scope: Arc<Scope>,
    sent: Arc<AtomicU64>,
}

impl CallLog {
    fn new(scope: Scope) -> Self {
        Self { scope: Arc::new(scope), sent: Arc::default() }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "amiwarden::CallLog"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let (Some(body), Some(metadata)) = (response.body().bytes(), config.load::<Metadata>()) else {
            return Ok(());
        };
        if response.status().is_success() && !is_whole(metadata.name(), body) {
            return Err("the reply stops before its end".into());
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or("unknown", Metadata::name);
        let response = context.response();
        let status = response.map(|response| response.status().as_u16());
        let request_id = response.and_then(|response| response.headers().get(REQUEST_ID_HEADER));
        tracing::debug!(
            operation,
            account = %self.scope.account,
            region = %self.scope.region,
            status,
            request_id,
            "sent {operation} to {}",
            self.scope
        );
        Ok(())
    }
}

/// Whether the body of a successful reply ends with the closing tag of its root. The SDK's parser takes the end of
/// the text for the end of the document, so half a page of images would pass for a whole page, and the last one.
fn is_whole(operation: &str, body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(format!("</{operation}Response>").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_reply_ends_with_the_closing_tag_of_its_root() {
        let check = |body: &str, whole: bool| {
            assert_eq!(is_whole("DescribeImages", body.as_bytes()), whole, "{body}");
        };
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>", true);
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>\n ", true);
        check("<DescribeImagesResponse><imagesSet/>", false);
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesRespon", false);
        check("", false);
    }
}
