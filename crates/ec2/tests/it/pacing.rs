//! Every attempt waits for its token: against the simulated endpoint with token buckets, and against canned replies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use amiwarden_core::{
    BucketSize, Call, CloudReader, CloudWriter, ImageId, Pace, Region, Scope, Share, TemplateVersions,
};
use amiwarden_ec2::{ConnectOptions, Connection, RegionChoice, Timing, connect};
use amiwarden_sandbox::{Bucket, BucketSizes, Fleet, Sandbox, SandboxOptions};

use crate::server::{Reply, Server};
use crate::setup::{image_id, options, scope};

/// All of a bucket of this size, for every operation.
fn pace(burst: f64, refill_per_second: f64) -> Pace {
    let otherwise = Some(BucketSize { burst, refill_per_second });
    Pace { share: Share::WHOLE, otherwise, ..Pace::default() }
}

async fn connection(server: &Server, pace: Option<Pace>) -> Connection {
    connect(ConnectOptions { pace, ..options(&server.url) }).await.unwrap()
}

fn nothing() -> Reply {
    Reply::ok("DescribeImages", "<imagesSet/>")
}

/// An account of so many images in which everything is described from this bucket, and their ids.
async fn sandbox(images: usize, burst: f64, refill_per_second: f64) -> (Sandbox, Vec<ImageId>) {
    let mut options = SandboxOptions::new(Fleet::generated(images, 1), amiwarden_core::Timestamp::now());
    let describe = Bucket { burst, refill_per_second };
    options.buckets = Some(BucketSizes { describe, ..BucketSizes::documented() });
    let sandbox = Sandbox::start(options).await.unwrap();
    let region = sandbox.cloud().default_region();
    let images = sandbox.cloud().images().into_iter().filter(|image| image.region == region);
    let ids = images.map(|image| ImageId::new(image.id)).collect();
    (sandbox, ids)
}

/// Reads the launch permissions of every image at the share of a bucket of this size. How many could not be read, and
/// how many requests were throttled.
async fn read_all(sandbox: &Sandbox, ids: Vec<ImageId>, pace: Option<Pace>) -> (usize, usize) {
    let region = Region::new(sandbox.cloud().default_region());
    let regions = RegionChoice::Named(vec![region]);
    let connection = connect(ConnectOptions { pace, regions, ..options(&sandbox.endpoint_url()) }).await;
    let connection = connection.unwrap();
    let permissions =
        connection.reader(&connection.scopes()[0], TemplateVersions::Pinned).launch_permissions(ids).await;
    let is_throttled = |code: Option<&str>| code == Some("RequestLimitExceeded");
    let throttled = sandbox.cloud().requests();
    let throttled = throttled.iter().filter(|request| is_throttled(request.error_code.as_deref())).count();
    (permissions.values().filter(|answer| answer.is_err()).count(), throttled)
}

fn share_of(burst: f64, refill_per_second: f64) -> Pace {
    let size = BucketSize { burst, refill_per_second };
    let sizes = BTreeMap::from([("DescribeImageAttribute".to_owned(), size)]);
    Pace { sizes, ..Pace::default() }
}

#[tokio::test]
async fn within_the_share_nothing_is_throttled() {
    let (sandbox, ids) = sandbox(120, 20.0, 50.0).await;
    assert!(ids.len() > 100, "{}", ids.len());
    assert_eq!(read_all(&sandbox, ids, Some(share_of(20.0, 50.0))).await, (0, 0));
}

#[tokio::test]
async fn without_a_pace_the_same_is_throttled() {
    let (sandbox, ids) = sandbox(120, 20.0, 50.0).await;
    let (_, throttled) = read_all(&sandbox, ids, None).await;
    assert!(throttled > 0, "the other test would prove nothing");
}

#[tokio::test]
async fn p2_an_account_that_others_drain_is_read_to_the_end_all_the_same() {
    // Others leave a third of what is counted on.
    let (sandbox, ids) = sandbox(150, 5.0, 20.0).await;
    let (unknown, throttled) = read_all(&sandbox, ids, Some(share_of(100.0, 100.0))).await;
    assert!(throttled > 0, "nothing was throttled, so nothing was tried");
    assert_eq!(unknown, 0);
}

#[tokio::test]
async fn each_attempt_pays_and_a_busy_endpoint_empties_the_bucket() {
    let busy = || Reply::error(503, "RequestLimitExceeded", "busy");
    let server = Server::scripted([busy(), busy(), nothing()]).await;
    let connection = connection(&server, Some(pace(10.0, 5.0))).await;
    let reader = connection.reader(&scope(), TemplateVersions::Pinned);
    let started = Instant::now();
    assert_eq!(reader.images().await.gap, None);
    assert_eq!(server.requests().len(), 3);
    // Ten tokens were there; after the first reply there is none, and each comes at half the rate.
    assert!(started.elapsed() >= Duration::from_millis(800), "{:?}", started.elapsed());
}

#[tokio::test]
async fn readers_and_writers_of_a_connection_draw_on_the_same_buckets() {
    let server = Server::answering(|request| match request.action.as_str() {
        "DescribeImages" => nothing(),
        action => Reply::ok(action, "<return>true</return>"),
    })
    .await;
    let connection = connection(&server, Some(pace(1.0, 5.0))).await;
    let (one, other) = (
        connection.reader(&scope(), TemplateVersions::Pinned),
        connection.reader(&scope(), TemplateVersions::Pinned),
    );
    let started = Instant::now();
    one.images().await;
    other.images().await;
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    let writers = (connection.writer(&scope()), connection.writer(&scope()));
    let started = Instant::now();
    writers.0.execute(&image_id(), &Call::EnableImage).await.unwrap();
    writers.1.execute(&image_id(), &Call::EnableImage).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
}

#[tokio::test]
async fn each_operation_and_each_region_has_a_bucket_of_its_own() {
    let server = Server::answering(|request| match request.action.as_str() {
        "DescribeImages" => nothing(),
        action => Reply::ok(action, "<return>true</return>"),
    })
    .await;
    // A second token of any bucket would take a quarter of an hour.
    let elsewhere = Scope { region: Region::new("us-east-1"), ..scope() };
    let regions = RegionChoice::Named(vec![scope().region, elsewhere.region.clone()]);
    let paced = ConnectOptions { regions, pace: Some(pace(1.0, 0.001)), ..options(&server.url) };
    let connection = connect(paced).await.unwrap();
    let all = async {
        for scope in [scope(), elsewhere] {
            connection.reader(&scope, TemplateVersions::Pinned).images().await;
            for call in [Call::EnableImage, Call::DisableImage, Call::DisableDeprecation] {
                connection.writer(&scope).execute(&image_id(), &call).await.unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.unwrap();
    assert_eq!(server.requests().len(), 8);
}

/// The wait is longer than an attempt may take, and longer than after which the SDK takes a request that is not sent
/// off for one that has stalled.
#[tokio::test]
async fn waiting_for_a_token_is_not_waiting_for_aws() {
    let server = Server::answering(|_| nothing()).await;
    let usual = options(&server.url);
    let timing =
        Timing { read: Duration::from_secs(2), attempt: Duration::from_secs(2), ..usual.timing.clone() };
    let connection =
        connect(ConnectOptions { pace: Some(pace(1.0, 1.0 / 8.0)), timing, ..usual }).await.unwrap();
    let reader = connection.reader(&scope(), TemplateVersions::Pinned);
    assert_eq!(reader.images().await.gap, None);
    assert_eq!(reader.images().await.gap, None);
    assert_eq!(server.requests().len(), 2, "it was taken for lost and sent again");
}

#[tokio::test]
async fn a_reply_has_to_come_to_its_end_in_time() {
    let server = Server::answering(|_| Reply::Stall(200, "<DescribeImagesResponse>".to_owned())).await;
    let usual = options(&server.url);
    let timing = Timing { attempt: Duration::from_millis(300), ..usual.timing.clone() };
    let connection = connect(ConnectOptions { timing, ..usual }).await.unwrap();
    let gap = connection.reader(&scope(), TemplateVersions::Pinned).images().await.gap.unwrap();
    assert!(gap.reason.contains("no whole reply within the time of 300ms"), "{gap:?}");
    assert_eq!(server.requests().len(), 3);
    let error = connection.writer(&scope()).rehearse(&image_id(), &Call::DisableImage).await.unwrap_err();
    // The status has come, and says that it was carried out.
    assert_eq!(error.kind, amiwarden_core::CallErrorKind::ExecutedDryRun, "{error}");
}
