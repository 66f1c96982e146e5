//! SNS: `Publish` (API version 2010-03-31).
//!
//! Every topic of the account in the Region that is called is taken to exist; what was published is found in the log of
//! requests. Deliberately absent: topics, subscriptions, message attributes, and sending to anything but a topic.

use super::{Context, Xml, unknown_action};
use crate::protocol::{ApiError, Parameters};
use crate::world::World;

/// Amazon SNS API Reference, "Publish": the longest subject in characters, and the longest message in bytes.
const SUBJECT_MAX: usize = 100;
const MESSAGE_MAX: usize = 262_144;

/// How the names of topics end that keep messages in order. Letters count.
const FIFO_SUFFIX: &str = ".fifo";

/// One parsed request to publish.
#[derive(Debug)]
pub(crate) struct Published {
    topic_arn: String,
}

impl Published {
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Self, ApiError> {
        if action != "Publish" {
            return Err(unknown_action(action));
        }
        parameters.check_names(&[
            "TopicArn",
            "Message",
            "Subject",
            "MessageGroupId",
            "MessageDeduplicationId",
        ])?;
        let required = |name: &str| {
            parameters.text(name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(name, "Empty"))
        };
        let topic_arn = required("TopicArn")?.to_owned();
        if required("Message")?.len() > MESSAGE_MAX {
            return Err(invalid("Message", "Message too long"));
        }
        if parameters.text("Subject").is_some_and(|subject| !is_subject(subject)) {
            return Err(invalid("Subject", "Subject"));
        }
        let is_fifo = topic_arn.ends_with(FIFO_SUFFIX);
        if is_fifo != parameters.text("MessageGroupId").is_some() {
            return Err(invalid("MessageGroupId", "required for FIFO topics, and for no others"));
        }
        Ok(Self { topic_arn })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let Some(topic) = self.topic_arn.strip_prefix("arn:aws:sns:") else {
            return Err(invalid("TopicArn", "Reason: An ARN must have at least 6 elements"));
        };
        let own = format!("{}:{}:", context.region, world.account);
        if !topic.starts_with(&own) || topic.len() == own.len() {
            return Err(ApiError::with_status(404, "NotFound", "Topic does not exist"));
        }
        let mut xml = Xml::document();
        xml.element_with("PublishResponse", "xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"", |xml| {
            xml.element("PublishResult", |xml| xml.text("MessageId", context.request_id));
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", context.request_id));
        });
        Ok(xml.finish())
    }
}

/// ASCII that begins with a letter, number or punctuation mark, without line breaks and control characters.
fn is_subject(text: &str) -> bool {
    text.len() <= SUBJECT_MAX
        && text.starts_with(|first: char| first.is_ascii_graphic())
        && text.chars().all(|character| character.is_ascii() && !character.is_ascii_control())
}

fn invalid(name: &str, why: &str) -> ApiError {
    ApiError::bad_request("InvalidParameter", format!("Invalid parameter: {name}: {why}"))
}
