//! The interceptor that sees every attempt of every request.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use amiwarden_core::{CallCounts, CallResult, Scope, Timestamp};
use aws_sdk_ec2::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::errors::{REQUEST_ID_HEADER, result_of_reply};
use crate::http::Waited;

/// What stands for the lack of a date among the seconds.
const NO_DATE: i64 = i64::MIN;

/// How a service writes its replies; it decides how one that stops early is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// XML with the root `…Response`: EC2 and Auto Scaling.
    Query,
    /// One JSON object: Systems Manager and the Recycle Bin.
    Json,
}

/// Counts and logs what is sent to one scope, notes the time of AWS's clock, and refuses replies that were cut short.
/// Clones share the count and the time, whatever their protocol.
#[derive(Clone, Debug)]
pub(crate) struct CallLog {
    scope: Arc<Scope>,
    sent: Arc<AtomicU64>,
    counts: Arc<Mutex<CallCounts>>,
    /// The `Date` of the latest reply, in seconds.
    server_time: Arc<AtomicI64>,
    protocol: Protocol,
}

impl CallLog {
    /// A log for the services that speak EC2's protocol.
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope: Arc::new(scope),
            sent: Arc::default(),
            counts: Arc::default(),
            server_time: Arc::new(AtomicI64::new(NO_DATE)),
            protocol: Protocol::Query,
        }
    }

    /// The same log for a service that speaks `protocol`.
    pub(crate) fn for_protocol(&self, protocol: Protocol) -> Self {
        Self { protocol, ..self.clone() }
    }

    /// How many requests have been sent, retries included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The same by operation and result.
    pub(crate) fn counts(&self) -> CallCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the latest reply said about the time, if it said anything.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        match self.server_time.load(Ordering::Relaxed) {
            NO_DATE => None,
            seconds => Timestamp::from_second(seconds).ok(),
        }
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
        if !response.status().is_success() {
            return Ok(());
        }
        if !is_whole(self.protocol, metadata.name(), body) {
            return Err("the reply stops before its end".into());
        }
        if !has_list(metadata.name(), body) {
            return Err("the reply has no list".into());
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
        if let Some(response) = response {
            let date = response.headers().get("date").and_then(http_date);
            self.server_time.store(date.unwrap_or(NO_DATE), Ordering::Relaxed);
        }
        let is_whole = matches!(context.output_or_error(), Some(Ok(_)));
        let result = match response {
            Some(response) => result_of_reply(response, is_whole),
            None => CallResult::NoReply,
        };
        let waited = response.and_then(|response| response.extension::<Waited>());
        let waited = waited.map_or(Duration::ZERO, |waited| waited.0);
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(operation, result, waited_ms);
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

/// Whether the body of a successful reply ends as its protocol demands. The SDK's XML parser takes the end of the text
/// for the end of the document, so half a page of images would pass for a whole page, and the last one. Its JSON
/// parser does not, but takes an empty text for an empty object.
fn is_whole(protocol: Protocol, operation: &str, body: &[u8]) -> bool {
    let body = body.trim_ascii_end();
    match protocol {
        Protocol::Query => body.ends_with(format!("</{operation}Response>").as_bytes()),
        Protocol::Json => body.ends_with(b"}"),
    }
}

/// Whether the list is there that a reply of Auto Scaling consists of. Where it is not, the SDK puts an empty one in
/// its place, because the model requires one: no answer would pass for the answer that there is nothing.
fn has_list(operation: &str, body: &[u8]) -> bool {
    let list: &[u8] = match operation {
        "DescribeAutoScalingGroups" => b"<AutoScalingGroups",
        "DescribeLaunchConfigurations" => b"<LaunchConfigurations",
        _ => return true,
    };
    body.windows(list.len()).any(|window| window == list)
}

/// The seconds of a date in the one form that HTTP permits a server to send (RFC 9110, section 5.6.7). Anything that
/// would be written differently, such as one with a wrong day of the week, is no date.
fn http_date(text: &str) -> Option<i64> {
    let date = DateTime::from_str(text, Format::HttpDate).ok()?;
    (date.fmt(Format::HttpDate).ok()? == text).then(|| date.secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_reply_ends_with_the_closing_tag_of_its_root() {
        let check = |body: &str, whole: bool| {
            assert_eq!(is_whole(Protocol::Query, "DescribeImages", body.as_bytes()), whole, "{body}");
        };
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>", true);
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>\n ", true);
        check("<DescribeImagesResponse><imagesSet/>", false);
        check("<DescribeImagesResponse><imagesSet/></DescribeImagesRespon", false);
        check("", false);
    }

    #[test]
    fn a_whole_reply_in_json_ends_with_a_brace() {
        let check = |body: &str, whole: bool| {
            assert_eq!(is_whole(Protocol::Json, "GetParameters", body.as_bytes()), whole, "{body}");
        };
        check("{\"Parameters\":[]}", true);
        check("{}\n", true);
        check("{\"Parameters\":[]", false);
        check("", false);
    }

    #[test]
    fn a_reply_of_auto_scaling_has_a_list() {
        let check = |operation: &str, body: &str, expected: bool| {
            assert_eq!(has_list(operation, body.as_bytes()), expected, "{operation} {body}");
        };
        check("DescribeAutoScalingGroups", "<AutoScalingGroups/>", true);
        check("DescribeAutoScalingGroups", "<DescribeAutoScalingGroupsResponse/>", false);
        check("DescribeLaunchConfigurations", "<x><LaunchConfigurations></x>", true);
        check("DescribeLaunchConfigurations", "", false);
        check("DescribeImages", "", true);
    }

    #[test]
    fn a_date_is_read_in_the_one_form_of_http() {
        let check = |text: &str, seconds: Option<i64>| assert_eq!(http_date(text), seconds, "{text}");
        check("Wed, 15 Jan 2025 08:00:00 GMT", Some(1_736_928_000));
        for text in [
            "",
            "Thu, 15 Jan 2025 08:00:00 GMT",
            "Wed, 15 Jan 2025 08:00:00",
            "Wed, 15 Jan 2025 08:00:00 CET",
            "Wednesday, 15-Jan-25 08:00:00 GMT",
            "Wed, 35 Jan 2025 08:00:00 GMT",
            "2025-01-15T08:00:00Z",
            " Wed, 15 Jan 2025 08:00:00 GMT",
        ] {
            check(text, None);
        }
    }
}
