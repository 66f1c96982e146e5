//! SNS over HTTP: what may be published, and where.

use amiwarden_sandbox::Sandbox;

use crate::client::{fleet, send_sns, start};

const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:images";

/// Status and error code of a request to publish.
async fn publish(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> String {
    let action = [("Action", "Publish"), ("Version", "2010-03-31")];
    send_sns(sandbox, &[&action, parameters].concat()).await.outcome()
}

#[tokio::test]
async fn what_was_published_is_in_the_log() {
    let sandbox = start(fleet([])).await;
    let message = [("TopicArn", TOPIC), ("Subject", "done"), ("Message", "{\"a\": 1}")];
    assert_eq!(publish(&sandbox, &message).await, "200 -");
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!((record.service, record.action.as_str()), ("sns", "Publish"));
    assert_eq!(record.parameters["Message"], "{\"a\": 1}");
    assert!(!record.applied);
    let reply = send_sns(&sandbox, &[&[("Action", "Publish")][..], &message].concat()).await;
    assert!(!reply.text("MessageId").is_empty());
}

#[tokio::test]
async fn only_topics_of_the_account_in_the_region_exist() {
    let sandbox = start(fleet([])).await;
    for (topic, expected) in [
        (TOPIC, "200 -"),
        ("arn:aws:sns:eu-west-1:111122223333:images", "404 NotFound"),
        ("arn:aws:sns:us-east-1:999988887777:images", "404 NotFound"),
        ("arn:aws:sns:us-east-1:111122223333:", "404 NotFound"),
        ("images", "400 InvalidParameter"),
        ("", "400 InvalidParameter"),
    ] {
        assert_eq!(publish(&sandbox, &[("TopicArn", topic), ("Message", "x")]).await, expected, "{topic}");
    }
    sandbox.cloud().deny("Publish");
    assert_eq!(publish(&sandbox, &[("TopicArn", TOPIC), ("Message", "x")]).await, "403 AuthorizationError");
}

#[tokio::test]
async fn subjects_and_groups_are_checked() {
    let sandbox = start(fleet([])).await;
    let with = async |parameter: (&str, &str), topic: &str| {
        publish(&sandbox, &[("TopicArn", topic), ("Message", "x"), parameter]).await
    };
    let (longest, too_long) = ("x".repeat(100), "x".repeat(101));
    for (subject, expected) in [
        ("plan ready", "200 -"),
        (&*longest, "200 -"),
        (&*too_long, "400 InvalidParameter"),
        (" x", "400 InvalidParameter"),
        ("a\nb", "400 InvalidParameter"),
        ("gr\u{fc}n", "400 InvalidParameter"),
    ] {
        assert_eq!(with(("Subject", subject), TOPIC).await, expected, "{subject}");
    }
    let fifo = format!("{TOPIC}.fifo");
    assert_eq!(with(("MessageGroupId", "g"), &fifo).await, "200 -");
    assert_eq!(with(("MessageGroupId", "g"), TOPIC).await, "400 InvalidParameter");
    assert_eq!(with(("Subject", "s"), &fifo).await, "400 InvalidParameter");
}
