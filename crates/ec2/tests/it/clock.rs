//! What the `Date` of a reply tells, whichever service it came from.

use amiwarden_core::{CloudReader, Source, Timestamp};

use crate::server::{Reply, Server, body};
use crate::setup::reader;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_time_is_that_of_the_latest_reply() {
    let images = body("DescribeImages", "<imagesSet/>");
    let dated = |date: &str, content: &str| Reply::Dated(date.to_owned(), content.to_owned());
    let server = Server::scripted([
        dated("Wed, 15 Jan 2025 08:00:00 GMT", &images),
        dated("Wed, 15 Jan 2025 08:00:05 GMT", r#"{"Parameters":[]}"#),
        dated("yesterday", &images),
        dated("Wed, 15 Jan 2025 08:00:09 GMT", &images),
        Reply::Whole(200, images.clone()),
    ])
    .await;
    let reader = reader(&server).await;
    assert_eq!(reader.server_time(), None);
    reader.images().await;
    assert_eq!(reader.server_time(), Some(at("2025-01-15T08:00:00Z")));
    reader.uses(Source::SsmParameters).await;
    assert_eq!(reader.server_time(), Some(at("2025-01-15T08:00:05Z")));
    reader.images().await;
    assert_eq!(reader.server_time(), None);
    reader.images().await;
    assert_eq!(reader.server_time(), Some(at("2025-01-15T08:00:09Z")));
    reader.images().await;
    assert_eq!(reader.server_time(), None);
    assert_eq!(reader.calls_sent(), 5);
}
