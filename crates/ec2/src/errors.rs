//! What can be concluded from a request that failed. The only file that tells the SDK's errors apart.
//!
//! EC2 does not model its errors, so they are told apart by their codes (EC2 Developer Guide, "Error codes for the
//! Amazon EC2 API"). Whatever is not known to have changed nothing counts as [`CallErrorKind::NoReply`].

use std::error::Error;
use std::io;

use amiwarden_core::{CallError, CallErrorKind, CallResult};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

/// The header that carries EC2's request id.
pub(crate) const REQUEST_ID_HEADER: &str = "x-amzn-requestid";

const STATUS_OK: u16 = 200;

/// The one error code that means: this request would have been permitted.
const DRY_RUN_OPERATION: &str = "DryRunOperation";

/// EC2 was too busy and did nothing.
const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "Throttled",
    "ThrottledException",
    "TooManyRequestsException",
];

/// The credentials do not permit it, or are no good. `AuthFailure` also refuses images that are another account's or
/// that AWS Backup manages: nothing changed there either.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "AuthorizationError",
    "Blocked",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// IAM says no: a permission is missing, as opposed to credentials that are no good.
const MISSING_PERMISSION: &[&str] =
    &["AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"];

/// The credentials were good once.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired"];

/// EC2 does not know the image. `InvalidAMIID.Unavailable` is not among them: it also says that the image is in the
/// wrong state for a change.
const GONE: &[&str] = &["InvalidAMIID.NotFound"];

/// The image was deregistered, or is in the wrong state for what was asked.
const UNAVAILABLE: &str = "InvalidAMIID.Unavailable";

/// EC2 failed; whether before or after the change, it does not say. Some of these come with status 400.
const SERVER: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
];

/// EC2 knows no such launch template, or no such version of it. Nothing can be launched from what is not there.
const NO_TEMPLATE: &[&str] =
    &["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"];

/// EC2 knows the launch template but not the version.
const NO_TEMPLATE_VERSION: &[&str] = &["InvalidLaunchTemplateId.VersionNotFound"];

/// The Recycle Bin knows no such rule.
const NO_RULE: &[&str] = &["ResourceNotFoundException"];

/// A request that failed, with what is needed to tell the special cases apart.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the port reports.
    pub(crate) error: CallError,
    /// EC2's error code, where a reply with one came.
    code: Option<String>,
    /// The HTTP status, where a reply came.
    status: Option<u16>,
    /// Whether credentials could not be found or loaded, so that nothing was sent.
    pub(crate) without_credentials: bool,
}

impl Failure {
    /// What `error` says about `operation`.
    pub(crate) fn new<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let raw = error.raw_response();
        let status = raw.map(|raw| raw.status().as_u16());
        let code = error.code().filter(|code| !code.is_empty()).map(str::to_owned);
        let without_credentials = find_in_chain::<CredentialsError>(error).is_some();
        let kind = match (&code, status) {
            (Some(code), Some(status)) => kind_of_reply(code, status),
            (None, Some(429)) => CallErrorKind::Throttled,
            // A reply that cannot be read, perhaps not even EC2's own.
            (_, Some(_)) => CallErrorKind::NoReply,
            (_, None) if without_credentials => CallErrorKind::Denied,
            (_, None) => kind_without_reply(error),
        };
        let message = match (&code, status) {
            (Some(code), _) => match error.message() {
                Some(message) if !message.is_empty() => format!("{code}: {message}"),
                _ => code.clone(),
            },
            (None, Some(status)) => format!("HTTP status {status}: {}", one_line(error)),
            (None, None) => one_line(error),
        };
        let request_id = raw.and_then(|raw| raw.headers().get(REQUEST_ID_HEADER)).map(str::to_owned);
        let error = CallError { operation: operation.to_owned(), kind, message, request_id };
        Self { error, code, status, without_credentials }
    }

    /// A reply with a status of success whose content is anything but.
    pub(crate) fn in_reply(
        operation: &str,
        kind: CallErrorKind,
        message: impl Into<String>,
        request_id: Option<&str>,
    ) -> Self {
        let request_id = request_id.map(str::to_owned);
        let error = CallError { operation: operation.to_owned(), kind, message: message.into(), request_id };
        Self { error, code: None, status: Some(STATUS_OK), without_credentials: false }
    }

    /// A request that this crate refuses to send.
    pub(crate) fn not_sent(operation: &str, message: &str) -> Self {
        let error = CallError {
            operation: operation.to_owned(),
            kind: CallErrorKind::Refused,
            message: format!("not sent: {message}"),
            request_id: None,
        };
        Self { error, code: None, status: None, without_credentials: false }
    }

    /// Whether EC2 says that the rehearsed request is permitted.
    pub(crate) fn is_dry_run_operation(&self) -> bool {
        self.code.as_deref() == Some(DRY_RUN_OPERATION)
    }

    /// Whether the status said success, though the rest of the reply did not arrive or cannot be read.
    pub(crate) fn has_success_status(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether an IAM permission is missing.
    pub(crate) fn lacks_permission(&self) -> bool {
        self.has_code(MISSING_PERMISSION)
    }

    /// Whether the credentials have expired.
    pub(crate) fn is_expired(&self) -> bool {
        self.has_code(EXPIRED)
    }

    /// Whether EC2 says, of an image that was asked for by its id, that there is none.
    pub(crate) fn says_no_image(&self) -> bool {
        self.has_code(GONE) || self.has_code(&[UNAVAILABLE])
    }

    /// Whether EC2 says that the launch template that was asked for is not there.
    pub(crate) fn says_no_template(&self) -> bool {
        self.has_code(NO_TEMPLATE)
    }

    /// Whether EC2 says that the launch template has no such version.
    pub(crate) fn says_no_template_version(&self) -> bool {
        self.has_code(NO_TEMPLATE_VERSION)
    }

    /// Whether the Recycle Bin says that the rule that was asked for is not there.
    pub(crate) fn says_no_rule(&self) -> bool {
        self.has_code(NO_RULE)
    }

    /// What was said, with the remedy where it is certain: the permissions that are missing.
    pub(crate) fn reason(&self, permissions: &str) -> String {
        let message = &self.error.message;
        if self.lacks_permission() {
            format!("{message} (the credentials need {permissions})")
        } else {
            message.clone()
        }
    }

    /// Whether any reply came.
    pub(crate) fn has_reply(&self) -> bool {
        self.status.is_some()
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

/// How an attempt ended, for counting: by the reply alone, whatever is made of it later. `is_whole` is whether it could
/// be read.
pub(crate) fn result_of_reply(reply: &HttpResponse, is_whole: bool) -> CallResult {
    let status = reply.status().as_u16();
    if (200..300).contains(&status) {
        return if is_whole { CallResult::Ok } else { CallResult::NoReply };
    }
    let code = code_of_reply(reply);
    match code {
        Some(DRY_RUN_OPERATION) => CallResult::Rehearsed,
        None if status == 429 => CallResult::Throttled,
        code => match kind_of_reply(code.unwrap_or(""), status) {
            CallErrorKind::Throttled => CallResult::Throttled,
            CallErrorKind::Denied => CallResult::Denied,
            CallErrorKind::Gone | CallErrorKind::Refused => CallResult::Refused,
            CallErrorKind::NoReply | CallErrorKind::ExecutedDryRun => CallResult::NoReply,
        },
    }
}

/// The error code as each protocol has it: an element `<Code>`, a header, or a field `__type` with a namespace before
/// a `#`.
fn code_of_reply(reply: &HttpResponse) -> Option<&str> {
    if let Some(header) = reply.headers().get("x-amzn-errortype") {
        return header.split(':').next();
    }
    let body = std::str::from_utf8(reply.body().bytes()?).ok()?;
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest.split_once("</Code>").map(|(code, _)| code);
    }
    let (_, rest) = body.split_once("\"__type\"")?;
    rest.split('"').nth(1)?.rsplit('#').next()
}

/// What EC2's error code says; the status decides where the code is not known.
fn kind_of_reply(code: &str, status: u16) -> CallErrorKind {
    if THROTTLED.contains(&code) {
        CallErrorKind::Throttled
    } else if SERVER.contains(&code) || !(400..500).contains(&status) {
        CallErrorKind::NoReply
    } else if DENIED.contains(&code) {
        CallErrorKind::Denied
    } else if GONE.contains(&code) {
        CallErrorKind::Gone
    } else {
        CallErrorKind::Refused
    }
}

/// What the way in which no reply came says. Only a request that cannot have left this machine, and a connection
/// that the other side refused, certainly changed nothing.
fn kind_without_reply<E>(error: &SdkError<E, HttpResponse>) -> CallErrorKind
where
    E: Error + 'static,
{
    let refused = find_in_chain::<io::Error>(error)
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    match error {
        SdkError::ConstructionFailure(_) => CallErrorKind::Refused,
        SdkError::DispatchFailure(_) if refused => CallErrorKind::Refused,
        _ => CallErrorKind::NoReply,
    }
}

fn find_in_chain<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The whole chain of causes on one line; a cause that the one before has already quoted is left out.
fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in chain(error) {
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() || line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}
