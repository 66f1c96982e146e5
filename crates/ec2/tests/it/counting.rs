//! Requests are counted by operation and result, each attempt for itself.

use std::time::Duration;

use amiwarden_core::{
    BucketSize, Call, CallCounts, CallResult, CloudReader, CloudWriter, Pace, Share, TemplateVersions,
};
use amiwarden_ec2::{ConnectOptions, connect};

use crate::server::{Reply, Server};
use crate::setup::{connection_awaiting, image_id, options, reader, scope};

fn nothing() -> Reply {
    Reply::ok("DescribeImages", "<imagesSet/>")
}

fn counts(counts: &CallCounts) -> Vec<(&str, CallResult, u64)> {
    let each = counts.by_operation.iter();
    each.flat_map(|(operation, results)| {
        results.iter().map(move |(result, count)| (operation.as_str(), *result, *count))
    })
    .collect()
}

async fn check(reply: Reply, expected: CallResult) {
    let server = Server::scripted([reply.clone()]).await;
    let writer = connection_awaiting(&server, &reply).await.writer(&scope());
    // What it comes to for the executor is tested elsewhere.
    let _ = writer.execute(&image_id(), &Call::DisableImage).await;
    assert_eq!(counts(&writer.calls()), [("DisableImage", expected, 1)], "{reply:?}");
}

#[tokio::test]
async fn each_reply_is_counted_as_what_it_is() {
    check(Reply::ok("DisableImage", "<return>true</return>"), CallResult::Ok).await;
    check(Reply::error(412, "DryRunOperation", "it would have"), CallResult::Rehearsed).await;
    check(Reply::error(503, "RequestLimitExceeded", "busy"), CallResult::Throttled).await;
    check(Reply::error(403, "UnauthorizedOperation", "no"), CallResult::Denied).await;
    check(Reply::error(400, "InvalidAMIID.NotFound", "no"), CallResult::Refused).await;
    check(Reply::error(500, "InternalError", "oops"), CallResult::NoReply).await;
}

#[tokio::test]
async fn each_attempt_counts() {
    let busy = Reply::error(503, "RequestLimitExceeded", "busy");
    let server = Server::scripted([busy, nothing()]).await;
    let reader = reader(&server).await;
    assert_eq!(reader.images().await.gap, None);
    let expected = [("DescribeImages", CallResult::Ok, 1), ("DescribeImages", CallResult::Throttled, 1)];
    assert_eq!(counts(&reader.calls()), expected);
    assert_eq!(reader.calls_sent(), 2);
}

#[tokio::test]
async fn the_wait_for_tokens_is_added_up() {
    let otherwise = Some(BucketSize { burst: 1.0, refill_per_second: 10.0 });
    let pace = Pace { share: Share::WHOLE, otherwise, ..Pace::default() };
    let server = Server::scripted([nothing(), nothing()]).await;
    let connection = connect(ConnectOptions { pace: Some(pace), ..options(&server.url) }).await.unwrap();
    let reader = connection.reader(&scope(), TemplateVersions::Pinned);
    reader.images().await;
    assert_eq!(reader.calls().waited_ms, 0, "the bucket was full");
    reader.images().await;
    let waited = Duration::from_millis(reader.calls().waited_ms);
    assert!(waited >= Duration::from_millis(50) && waited < Duration::from_secs(5), "{waited:?}");
}
