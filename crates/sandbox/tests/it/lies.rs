//! Clouds that lie: answers that cannot be true, and effects that come late.

use std::time::Duration;

use amiwarden_sandbox::{Fault, FaultKind, FleetDate, FleetImage, ImageState, Sandbox, SandboxOptions};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

use crate::client::{
    ACCOUNT, Broken, REGION, Reply, exchange, fleet, id_of, now, send, signed, start, start_with,
};

const OWN: [(&str, &str); 2] = [("Action", "DescribeImages"), ("Owner.1", "self")];

async fn try_send(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Result<Reply, Broken> {
    exchange(sandbox.address(), Some(&signed(REGION, "ec2")), parameters).await
}

fn dated() -> FleetImage {
    FleetImage {
        last_launched: Some(FleetDate::days_ago(3)),
        deprecated_at: Some(FleetDate::days_ago(-30)),
        tags: [("Owner".to_owned(), "web".to_owned())].into(),
        ..FleetImage::new("a")
    }
}

#[tokio::test]
async fn a_late_change_lands_although_its_connection_broke() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let cloud = sandbox.cloud();
    cloud.inject(Fault::new("DisableImage", FaultKind::AppliedLate { seconds: 1 }));
    let id = id_of(&sandbox, "a");
    let change = [("Action", "DisableImage"), ("ImageId", id.as_str())];
    let rehearsal = [&change[..], &[("DryRun", "true")]].concat();
    assert_eq!(send(&sandbox, &rehearsal).await.outcome(), "412 DryRunOperation", "real changes only");
    let sent = std::time::Instant::now();
    assert_eq!(try_send(&sandbox, &change).await, Err(Broken::Reset));
    assert_eq!(cloud.image(&id).unwrap().state, ImageState::Available);
    let record = cloud.requests().pop().unwrap();
    assert_eq!((record.applied, record.applied_at, record.status), (false, None, None));
    assert_eq!(record.fault.as_deref(), Some(r#"{"applied-late":{"seconds":1}}"#));

    while !cloud.requests().pop().unwrap().applied {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(sent.elapsed() >= Duration::from_secs(1));
    assert_eq!(cloud.image(&id).unwrap().state, ImageState::Disabled);
    assert!(cloud.requests().pop().unwrap().applied_at.unwrap() >= now() + SignedDuration::from_secs(1));
}

#[tokio::test]
async fn a_late_change_may_find_the_world_changed_or_gone() {
    let sandbox = start(fleet([FleetImage::new("a"), FleetImage::new("b")])).await;
    let cloud = sandbox.cloud();
    let (a, b) = (id_of(&sandbox, "a"), id_of(&sandbox, "b"));
    cloud.inject(Fault::new("DisableImage", FaultKind::AppliedLate { seconds: 1 }).image(&a));
    assert_eq!(try_send(&sandbox, &[("Action", "DisableImage"), ("ImageId", &a)]).await, Err(Broken::Reset));
    // What the late change is about to meet is gone by then.
    send(&sandbox, &[("Action", "DeregisterImage"), ("ImageId", &a)]).await;
    cloud.inject(Fault::new("DisableImage", FaultKind::AppliedLate { seconds: 600 }).image(&b));
    assert_eq!(try_send(&sandbox, &[("Action", "DisableImage"), ("ImageId", &b)]).await, Err(Broken::Reset));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let requests = cloud.requests();
    assert_eq!(requests.iter().map(|request| request.applied).collect::<Vec<_>>(), [false, true, false]);
    let cloud = cloud.clone();
    let start = std::time::Instant::now();
    sandbox.stop().await;
    assert!(start.elapsed() < Duration::from_secs(4), "a sandbox that ends waits for no late change");
    assert_eq!(cloud.image(&b).unwrap().state, ImageState::Available);
}

#[tokio::test]
async fn tags_and_dates_that_cannot_be_true() {
    let sandbox = start(fleet([dated()])).await;
    let elements = ["creationDate", "lastLaunchedTime", "deprecationTime", "key"];
    let years = async |kind: Option<FaultKind>| {
        if let Some(kind) = kind {
            sandbox.cloud().inject(Fault::new("*", kind));
        }
        let reply = send(&sandbox, &OWN).await;
        assert_eq!(reply.text("name"), "a");
        elements.map(|element| reply.texts(element).first().map_or("-", |text| &text[..4]).to_owned())
    };
    let true_ones = ["2026", "2026", "2026", "Owne"];
    for (kind, expected) in [
        (FaultKind::TagsGone, ["2026", "2026", "2026", "-"]),
        (FaultKind::DatesMissing, ["-", "-", "-", "Owne"]),
        (FaultKind::DatesAtEpoch, ["1970", "1970", "1970", "Owne"]),
        (FaultKind::DatesInFuture, ["2036", "2036", "2036", "Owne"]),
    ] {
        assert_eq!(years(Some(kind)).await, expected, "{kind:?}");
        assert_eq!(years(None).await, true_ones, "{kind:?} met one request");
    }
    // They are lies about images, and meet nothing else.
    sandbox.cloud().inject(Fault::new("*", FaultKind::TagsGone));
    send(&sandbox, &[("Action", "DescribeSnapshots")]).await;
    assert_eq!(sandbox.cloud().requests().pop().unwrap().fault, None);
}

#[tokio::test]
async fn a_listing_with_fewer_items_passes_for_complete() {
    let images = (0..10).map(|n| FleetImage::new(&format!("i{n}")));
    let options = SandboxOptions { page_size_max: 7, ..SandboxOptions::new(fleet(images), now()) };
    let sandbox = start_with(options).await;
    let list = async |action: &str, keep_percent: u8| {
        sandbox.cloud().inject(Fault::new(action, FaultKind::FewerItems { keep_percent }));
        let reply = send(&sandbox, &[("Action", action), ("MaxResults", "1000")]).await;
        // Each image has one snapshot.
        (reply.texts("snapshotId").len(), reply.token())
    };
    for (keep_percent, kept) in [(0, 0), (50, 5), (70, 7), (100, 7)] {
        for action in ["DescribeImages", "DescribeSnapshots"] {
            assert_eq!(list(action, keep_percent).await, (kept, None), "{action} {keep_percent} %");
        }
    }
    let whole = send(&sandbox, &[("Action", "DescribeImages"), ("MaxResults", "1000")]).await;
    assert!(whole.token().is_some(), "the truth has two pages");
}

#[tokio::test]
async fn the_wrong_account() {
    let sandbox = start(fleet([])).await;
    sandbox.cloud().inject(Fault::new("*", FaultKind::WrongAccount));
    let identity = async || {
        let parameters = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
        exchange(sandbox.address(), Some(&signed(REGION, "sts")), &parameters).await.unwrap()
    };
    assert_eq!(send(&sandbox, &OWN).await.outcome(), "200 -", "only the identity is false");
    let wrong = identity().await;
    assert_eq!(wrong.text("Account"), "999988887777");
    assert!(wrong.text("Arn").contains(":999988887777:"), "{}", wrong.body);
    assert_eq!(identity().await.text("Account"), ACCOUNT);
}

fn date(reply: &Reply) -> Timestamp {
    let line = reply.headers.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    DateTimeParser::new().parse_timestamp(line).unwrap()
}

#[tokio::test]
async fn replies_are_dated_by_the_real_clock_unless_it_is_skewed() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let off = |reply: &Reply| Timestamp::now().duration_since(date(reply)).as_secs();
    assert!(off(&send(&sandbox, &OWN).await).abs() <= 2);
    sandbox.cloud().advance(SignedDuration::from_hours(24 * 365));
    assert!(off(&send(&sandbox, &OWN).await).abs() <= 2, "the sandbox's time is not the wire's");
    for seconds in [-7200, 86400 * 400] {
        sandbox.cloud().inject(Fault::new("DescribeImages", FaultKind::ClockSkew { seconds }));
        let reply = send(&sandbox, &OWN).await;
        assert!((off(&reply) + seconds).abs() <= 2, "{}", reply.headers);
        assert_eq!(reply.outcome(), "200 -");
    }
}

#[tokio::test]
async fn a_skewed_clock_goes_with_any_other_fault() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let cloud = sandbox.cloud();
    cloud.inject(Fault::new("*", FaultKind::ClockSkew { seconds: 3600 }).every_time());
    cloud.inject(Fault::new("*", FaultKind::Throttle));
    let reply = send(&sandbox, &OWN).await;
    assert_eq!(reply.outcome(), "503 RequestLimitExceeded");
    assert!(date(&reply) > Timestamp::now() + SignedDuration::from_mins(59));
    assert_eq!(cloud.requests().pop().unwrap().fault.as_deref(), Some("throttle"));
    let reply = send(&sandbox, &OWN).await;
    assert_eq!(reply.outcome(), "200 -");
    assert_eq!(cloud.requests().pop().unwrap().fault.as_deref(), Some(r#"{"clock-skew":{"seconds":3600}}"#));
}

#[tokio::test]
async fn a_service_that_is_down_for_good() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    sandbox.cloud().inject(Fault::new("*", FaultKind::Unavailable).every_time());
    let id = id_of(&sandbox, "a");
    for _ in 0..20 {
        for parameters in [
            &OWN[..],
            &[("Action", "DisableImage"), ("ImageId", &id)],
            &[("Action", "DisableImage"), ("ImageId", &id), ("DryRun", "true")],
        ] {
            assert_eq!(send(&sandbox, parameters).await.outcome(), "503 Unavailable");
        }
    }
    let parameters = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let sts = exchange(sandbox.address(), Some(&signed(REGION, "sts")), &parameters).await.unwrap();
    assert_eq!(sts.outcome(), "503 ServiceUnavailable");
    assert_eq!(sandbox.cloud().image(&id).unwrap().state, ImageState::Available);
    assert!(sandbox.cloud().requests().iter().all(|request| !request.applied));
}
