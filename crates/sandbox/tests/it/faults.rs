//! Programmable faults, as a client meets them.

use std::time::{Duration, Instant};

use amiwarden_sandbox::{
    BucketSizes, Fault, FaultKind, Fleet, FleetImage, ImageState, Sandbox, SandboxOptions,
};

use crate::client::{Broken, REGION, Reply, exchange, fleet, id_of, now, send, signed, start, start_with};

async fn images(count: usize) -> Sandbox {
    start(fleet((0..count).map(|n| FleetImage::new(&format!("i{n}"))))).await
}

async fn try_send(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Result<Reply, Broken> {
    exchange(sandbox.address(), Some(&signed(REGION, "ec2")), parameters).await
}

async fn disable(sandbox: &Sandbox, name: &str) -> Result<Reply, Broken> {
    let id = id_of(sandbox, name);
    try_send(sandbox, &[("Action", "DisableImage"), ("ImageId", &id)]).await
}

fn is_disabled(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.cloud().image_named(name).unwrap().state == ImageState::Disabled
}

#[tokio::test]
async fn errors_and_resets_before_and_after_the_effect() {
    for (kind, outcome, effect) in [
        (FaultKind::Throttle, Some("503 RequestLimitExceeded"), false),
        (FaultKind::Denied, Some("403 UnauthorizedOperation"), false),
        (FaultKind::ServerErrorBefore, Some("500 InternalError"), false),
        (FaultKind::ServerErrorAfter, Some("500 InternalError"), true),
        (FaultKind::ResetBefore, None, false),
        (FaultKind::ResetAfter, None, true),
    ] {
        let sandbox = images(1).await;
        sandbox.cloud().inject(Fault::new("DisableImage", kind));
        let reply = disable(&sandbox, "i0").await;
        match outcome {
            Some(outcome) => assert_eq!(reply.unwrap().outcome(), outcome, "{kind:?}"),
            None => assert_eq!(reply, Err(Broken::Reset), "{kind:?}"),
        }
        assert_eq!(is_disabled(&sandbox, "i0"), effect, "{kind:?}");
        let record = sandbox.cloud().requests().pop().unwrap();
        assert_eq!(record.applied, effect);
        assert_eq!(record.status.is_some(), outcome.is_some());
        assert!(record.fault.is_some());
        // The fault met its one request: the next one passes.
        assert_eq!(disable(&sandbox, "i0").await.unwrap().outcome(), "200 -");
    }
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_announced_and_the_change_was_made() {
    let sandbox = images(1).await;
    sandbox.cloud().inject(Fault::new("DisableImage", FaultKind::TruncatedBody));
    let Err(Broken::Truncated { announced, received }) = disable(&sandbox, "i0").await else {
        panic!("the reply was not truncated");
    };
    assert_eq!(received, announced / 2);
    assert!(is_disabled(&sandbox, "i0"));
}

#[tokio::test]
async fn a_hang_ends_after_its_time() {
    let sandbox = images(1).await;
    sandbox.cloud().inject(Fault::new("*", FaultKind::Hang { seconds: 1 }));
    let start = Instant::now();
    assert_eq!(disable(&sandbox, "i0").await, Err(Broken::Reset));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(!is_disabled(&sandbox, "i0"));
}

#[tokio::test]
async fn stopping_ends_a_hang_and_finishes_nothing_twice() {
    let sandbox = images(1).await;
    let cloud = sandbox.cloud().clone();
    cloud.inject(Fault::new("*", FaultKind::Hang { seconds: 600 }));
    let address = sandbox.address();
    let hanging = tokio::spawn(async move {
        exchange(address, Some(&signed(REGION, "ec2")), &[("Action", "DescribeImages")]).await
    });
    while cloud.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let start = Instant::now();
    sandbox.stop().await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(hanging.await.unwrap(), Err(Broken::Reset));
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn listings_that_lie() {
    let other = Some("444455556666".to_owned());
    let foreign = FleetImage { owner: other, ..FleetImage::new("foreign") };
    let fleet = fleet((0..4).map(|n| FleetImage::new(&format!("i{n}"))).chain([foreign]));
    let sandbox = start_with(SandboxOptions { page_size_max: 2, ..SandboxOptions::new(fleet, now()) }).await;
    let cloud = sandbox.cloud();
    let list = async |token: Option<&str>| {
        let mut parameters = vec![("Action", "DescribeImages"), ("Owner.1", "self"), ("MaxResults", "2")];
        parameters.extend(token.map(|token| ("NextToken", token)));
        let reply = send(&sandbox, &parameters).await;
        (reply.texts("imageId").len(), reply.token())
    };
    cloud.inject(Fault::new("DescribeImages", FaultKind::RepeatedToken));
    let (_, first) = list(None).await;
    let first = first.unwrap();
    assert_eq!(list(Some(&first)).await, (2, Some(first.clone())), "the token repeats");
    assert_eq!(list(Some(&first)).await, (2, None), "and then no more");

    cloud.inject(Fault::new("DescribeImages", FaultKind::EmptyPage));
    let (empty, start) = list(None).await;
    assert_eq!(empty, 0);
    assert_eq!(list(start.as_deref()).await, (2, Some(first)));

    cloud.inject(Fault::new("DescribeImages", FaultKind::EndsEarly));
    assert_eq!(list(None).await, (2, None));

    cloud.inject(Fault::new("DescribeImages", FaultKind::ForeignImages));
    let whole = [("Action", "DescribeImages"), ("Owner.1", "self")];
    assert_eq!(send(&sandbox, &whole).await.texts("imageId").len(), 5);
    assert_eq!(send(&sandbox, &whole).await.texts("imageId").len(), 4);
}

#[tokio::test]
async fn an_endpoint_that_carries_rehearsals_out() {
    let sandbox = images(1).await;
    sandbox.cloud().inject(Fault::new("*", FaultKind::ExecutesDryRun).every_time());
    let canary = [("Action", "DescribeImages"), ("DryRun", "true")];
    assert_eq!(send(&sandbox, &canary).await.outcome(), "200 -");
    let id = id_of(&sandbox, "i0");
    let rehearsal = [("Action", "DisableImage"), ("ImageId", id.as_str()), ("DryRun", "true")];
    assert_eq!(send(&sandbox, &rehearsal).await.outcome(), "200 -");
    assert!(is_disabled(&sandbox, "i0"));
    assert!(sandbox.cloud().requests().pop().unwrap().applied);
}

#[tokio::test]
async fn stale_reads_know_nothing_of_the_last_changes() {
    let sandbox = images(2).await;
    let cloud = sandbox.cloud();
    let ids = [id_of(&sandbox, "i0"), id_of(&sandbox, "i1")];
    disable(&sandbox, "i0").await.unwrap();
    let deregister =
        [("Action", "DeregisterImage"), ("ImageId", ids[1].as_str()), ("DeleteAssociatedSnapshots", "true")];
    send(&sandbox, &deregister).await;
    let states = async |changes: Option<usize>| {
        if let Some(changes) = changes {
            cloud.inject(Fault::new("DescribeImages", FaultKind::StaleReads { changes }));
        }
        let reply = send(&sandbox, &[("Action", "DescribeImages"), ("IncludeDisabled", "true")]).await;
        let mut states: Vec<String> =
            reply.texts("imageState").iter().map(|state| (*state).to_owned()).collect();
        states.sort();
        states
    };
    assert_eq!(states(None).await, ["disabled"]);
    assert_eq!(states(Some(1)).await, ["available", "disabled"]);
    assert_eq!(states(Some(2)).await, ["available", "available"]);
    assert_eq!(states(Some(99)).await, ["available", "available"]);
    assert_eq!(states(None).await, ["disabled"], "only the reads were stale");

    let snapshots = async || {
        let reply = send(&sandbox, &[("Action", "DescribeSnapshots")]).await;
        reply.texts("snapshotId").len()
    };
    assert_eq!(snapshots().await, 1);
    cloud.inject(Fault::new("DescribeSnapshots", FaultKind::StaleReads { changes: 1 }));
    assert_eq!(snapshots().await, 2, "deleted snapshots come back as well");
}

#[tokio::test]
async fn faults_and_denials_of_the_fleet_file_are_armed() {
    let json = r#"{"schema":1,"account":"111122223333","region":"us-east-1",
        "denied":["DescribeSnapshots"],
        "faults":[{"on":"DescribeImages","nth":{"only":[2]},"kind":"throttle"}]}"#;
    let sandbox = start(Fleet::from_json(json).unwrap()).await;
    let list = [("Action", "DescribeImages")];
    assert_eq!(send(&sandbox, &list).await.outcome(), "200 -");
    assert_eq!(send(&sandbox, &list).await.outcome(), "503 RequestLimitExceeded");
    assert_eq!(send(&sandbox, &list).await.outcome(), "200 -");
    let denied = [("Action", "DescribeSnapshots")];
    assert_eq!(send(&sandbox, &denied).await.outcome(), "403 UnauthorizedOperation");
}

#[tokio::test]
async fn an_empty_bucket_throttles_rehearsals_too() {
    let sandbox = start_with(SandboxOptions {
        // Two requests at once, and practically no refill while the test runs.
        buckets: Some(BucketSizes::documented().scaled(0.02)),
        ..SandboxOptions::new(fleet([FleetImage::new("a")]), now())
    })
    .await;
    let rehearsal = [("Action", "CreateTags"), ("DryRun", "true"), ("Tag.1.Key", "k")];
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(send(&sandbox, &rehearsal).await.outcome());
    }
    assert_eq!(outcomes, ["412 DryRunOperation", "412 DryRunOperation", "503 RequestLimitExceeded"]);
}

#[tokio::test]
async fn only_the_named_image_meets_the_fault() {
    let sandbox = images(2).await;
    let id = id_of(&sandbox, "i1");
    let fault = Fault::new("DisableImage", FaultKind::ServerErrorBefore).image(&id).every_time();
    sandbox.cloud().inject(fault);
    assert_eq!(disable(&sandbox, "i0").await.unwrap().outcome(), "200 -");
    assert_eq!(disable(&sandbox, "i1").await.unwrap().outcome(), "500 InternalError");
    sandbox.cloud().clear_faults();
    assert_eq!(disable(&sandbox, "i1").await.unwrap().outcome(), "200 -");
}
