//! A change is sent exactly once, whatever comes of it; a reading request is sent again.

use amiwarden_core::{Call, CloudReader, CloudWriter, TemplateVersions};

use crate::server::{Reply, Server};
use crate::setup::{connection_awaiting, image_id, reader, scope};

fn faults() -> [Reply; 7] {
    [
        Reply::error(503, "Unavailable", "busy"),
        Reply::error(503, "RequestLimitExceeded", "throttled"),
        Reply::error(400, "Throttling", "throttled"),
        Reply::error(500, "InternalError", "oops"),
        Reply::Drop,
        Reply::Hang,
        Reply::Short(200, "<DisableImageResponse>".to_owned()),
    ]
}

#[tokio::test]
async fn a_change_is_sent_exactly_once() {
    for fault in faults() {
        let server = {
            let fault = fault.clone();
            Server::answering(move |_| fault.clone()).await
        };
        let writer = connection_awaiting(&server, &fault).await.writer(&scope());
        writer.execute(&image_id(), &Call::DisableImage).await.unwrap_err();
        assert_eq!(server.requests().len(), 1, "{fault:?}");
        assert_eq!(writer.calls_sent(), 1, "{fault:?}");
        writer.rehearse(&image_id(), &Call::DisableImage).await.unwrap_err();
        assert_eq!(server.requests().len(), 2, "{fault:?}");
        assert_eq!(writer.calls_sent(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn reading_is_tried_three_times_and_each_is_counted() {
    for fault in faults() {
        let server = {
            let fault = fault.clone();
            Server::answering(move |_| fault.clone()).await
        };
        let reader = connection_awaiting(&server, &fault).await.reader(&scope(), TemplateVersions::Pinned);
        let listing = reader.images().await;
        assert!(listing.gap.is_some(), "{fault:?}");
        assert_eq!(server.requests().len(), 3, "{fault:?}");
        assert_eq!(reader.calls_sent(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn reading_recovers_when_a_later_attempt_succeeds() {
    let server = Server::scripted([
        Reply::error(503, "RequestLimitExceeded", "throttled"),
        Reply::Drop,
        Reply::ok("DescribeImages", "<imagesSet/>"),
    ])
    .await;
    let listing = reader(&server).await.images().await;
    assert_eq!(listing.gap, None);
}

#[tokio::test]
async fn readers_count_for_themselves_and_clones_together() {
    let server = Server::answering(|_| Reply::ok("DescribeImages", "<imagesSet/>")).await;
    let one = reader(&server).await;
    let other = reader(&server).await;
    one.images().await;
    one.clone().images().await;
    assert_eq!((one.calls_sent(), other.calls_sent()), (2, 0));
}
