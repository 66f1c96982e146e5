//! Publishing to topics of SNS: the one thing that amiwarden does in AWS which is not about images.

use std::fmt;

use amiwarden_core::{CallError, CallErrorKind, Region, Scope};
use aws_config::SdkConfig;

use crate::client::{self, Timing};
use crate::errors::Failure;

const OPERATION: &str = "Publish";

/// A subject has at most so many characters (SNS API Reference, "Publish").
const SUBJECT_CHARACTERS_MAX: usize = 100;

/// A message has at most so many bytes (SNS API Reference, "Publish": 256 KB).
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// Topics whose names end so keep messages in order, group by group.
const FIFO_SUFFIX: &str = ".fifo";
const MESSAGE_GROUP: &str = "amiwarden";

/// Publishes messages with the credentials of a [`Connection`](crate::Connection).
#[derive(Clone)]
pub struct Publisher {
    config: SdkConfig,
    timing: Timing,
}

/// Without the configuration, which holds the credentials.
impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The topic; it says account and Region, too.
    pub topic_arn: &'a str,
    /// One line. What SNS does not take in a subject is left out.
    pub subject: &'a str,
    /// Up to [`MESSAGE_BYTES_MAX`].
    pub message: &'a str,
    /// The same for every attempt to publish the same message: by it a FIFO topic tells repetitions.
    pub deduplication_id: &'a str,
}

impl Publisher {
    pub(crate) fn new(config: SdkConfig, timing: Timing) -> Self {
        Self { config, timing }
    }

    /// Publishes a message, in one attempt: whoever has a queue tries again. Yields the id that SNS gave it.
    pub async fn publish(&self, publication: &Publication<'_>) -> Result<String, CallError> {
        let Some(scope) = scope_of(publication.topic_arn) else {
            return Err(Failure::not_sent(OPERATION, "this is not the ARN of a topic").error);
        };
        if publication.message.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::not_sent(OPERATION, "the message is longer than SNS takes").error);
        }
        let client = client::topics(&self.config, &scope, &self.timing);
        let mut request = client.publish().topic_arn(publication.topic_arn).message(publication.message);
        if let Some(subject) = subject(publication.subject) {
            request = request.subject(subject);
        }
        if publication.topic_arn.ends_with(FIFO_SUFFIX) {
            request = request
                .message_group_id(MESSAGE_GROUP)
                .message_deduplication_id(publication.deduplication_id);
        }
        let reply = request.send().await.map_err(|error| Failure::new(OPERATION, &error).error)?;
        reply.message_id().map(str::to_owned).ok_or_else(|| {
            let message = "SNS answered without the id of a message";
            Failure::in_reply(OPERATION, CallErrorKind::NoReply, message, None).error
        })
    }
}

/// Account and Region of `arn:<partition>:sns:<region>:<account>:<name>`.
fn scope_of(topic_arn: &str) -> Option<Scope> {
    let mut parts = topic_arn.split(':');
    let (_, _, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, _) = (parts.next()?, parts.next()?, parts.next()?);
    (service == "sns" && !region.is_empty())
        .then(|| Some(Scope { account: account.parse().ok()?, region: Region::new(region) }))?
}

/// What SNS takes as a subject: printable ASCII that begins with a letter, digit or punctuation, on one line, up to
/// 100 characters. None where nothing is left.
fn subject(text: &str) -> Option<String> {
    let fits = |character: char| (' '..='~').contains(&character);
    let subject: String =
        text.trim_start().chars().filter(|it| fits(*it)).take(SUBJECT_CHARACTERS_MAX).collect();
    let subject = subject.trim();
    (!subject.is_empty()).then(|| subject.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_made_fit() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(subject(text).as_deref(), expected);
        check("plan ready: 3 changes", Some("plan ready: 3 changes"));
        check(" a\nb\tc\u{7f}\u{1b} ", Some("abc"));
        check("gr\u{fc}n", Some("grn"));
        check("\n", None);
        check("", None);
        check(&"x".repeat(101), Some(&"x".repeat(100)));
        check(&"x".repeat(100), Some(&"x".repeat(100)));
    }

    #[test]
    fn a_topic_says_its_account_and_region() {
        let scope = |arn: &str| scope_of(arn).map(|scope| scope.to_string());
        assert!(scope("arn:aws-us-gov:sns:us-gov-west-1:111122223333:a.fifo").is_some());
        for arn in [
            "",
            "arn",
            "arn:aws:sqs:eu-west-1:111122223333:a",
            "arn:aws:sns:eu-west-1:1:a",
            "arn:aws:sns::111122223333:a",
        ] {
            assert_eq!(scope(arn), None, "{arn}");
        }
    }
}
