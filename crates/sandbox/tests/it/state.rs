//! The state file, the request log, and what happens between requests.

use std::fs;
use std::path::Path;

use amiwarden_sandbox::{
    Fault, FaultKind, FleetDate, FleetImage, ImageState, Sandbox, SandboxOptions, StartSandboxError,
};
use jiff::SignedDuration;

use crate::client::{fleet, id_of, now, send, start, start_with};

fn options(state: &Path) -> SandboxOptions {
    let old = FleetImage {
        state: ImageState::Disabled,
        first_seen_disabled: Some(FleetDate::days_ago(40)),
        ..FleetImage::new("old")
    };
    SandboxOptions {
        state_file: Some(state.to_owned()),
        ..SandboxOptions::new(fleet([FleetImage::new("a"), FleetImage::new("b"), old]), now())
    }
}

#[tokio::test]
async fn the_world_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let first = start_with(options(&path)).await;
    assert!(!first.cloud().resumed());
    assert!(path.exists(), "the dates of the fleet stand from the first start on");
    let (a, b) = (id_of(&first, "a"), id_of(&first, "b"));
    // The reply to this one is lost, yet the file must hold it.
    first.cloud().inject(Fault::new("DisableImage", FaultKind::ResetAfter));
    let lost = [("Action", "DisableImage"), ("ImageId", a.as_str())];
    let authorization = crate::client::signed("us-east-1", "ec2");
    let reply = crate::client::exchange(first.address(), Some(&authorization), &lost).await;
    assert!(reply.is_err());
    send(&first, &[("Action", "DeregisterImage"), ("ImageId", &b)]).await;
    let world = first.cloud().world();
    drop(first);

    let mut later = options(&path);
    later.now = now() + SignedDuration::from_hours(48);
    let second = start_with(later).await;
    assert!(second.cloud().resumed());
    assert_eq!(second.cloud().world(), world, "dates do not move with the second start");
    assert_eq!(second.cloud().image(&a).unwrap().state, ImageState::Disabled);
    assert!(second.cloud().image(&b).is_none());
    let seen = second.cloud().first_seen_disabled();
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [now() - SignedDuration::from_hours(40 * 24)]);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left");
}

#[tokio::test]
async fn refused_and_rehearsed_changes_do_not_write_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let sandbox = start_with(options(&path)).await;
    let id = id_of(&sandbox, "a");
    fs::remove_file(&path).unwrap();
    send(&sandbox, &[("Action", "DisableImage"), ("ImageId", &id), ("DryRun", "true")]).await;
    send(&sandbox, &[("Action", "DisableImage"), ("ImageId", "ami-12345678")]).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn concurrent_changes_leave_the_newest_world_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let images = (0..40).map(|n| FleetImage::new(&format!("i{n}")));
    let sandbox = std::sync::Arc::new(
        start_with(SandboxOptions {
            state_file: Some(path.clone()),
            ..SandboxOptions::new(fleet(images), now())
        })
        .await,
    );
    let ids: Vec<String> = sandbox.cloud().images().into_iter().map(|image| image.id).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for id in ids {
        let sandbox = std::sync::Arc::clone(&sandbox);
        tasks.spawn(async move {
            let reply = send(&sandbox, &[("Action", "DisableImage"), ("ImageId", &id)]).await;
            assert_eq!(reply.status, 200);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let again = start_with(options(&path)).await;
    assert_eq!(again.cloud().world(), sandbox.cloud().world());
}

#[tokio::test]
async fn damaged_and_foreign_state_files_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("not json", "it is not the state of a sandbox; delete it"),
        (r#"{"schema":1,"world":{"account":"x"}}"#, "it is not the state of a sandbox; delete it"),
        (r#"{"schema":9,"later":true}"#, "it has version 9, but this program knows version 1 only"),
    ] {
        let path = folder.path().join("world.json");
        fs::write(&path, content).unwrap();
        let error = Sandbox::start(options(&path)).await.unwrap_err();
        let StartSandboxError::State { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().starts_with(expected), "{source}");
        assert!(error.to_string().contains("world.json"));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let first = start(fleet([])).await;
    let taken = SandboxOptions { listen: first.address(), ..SandboxOptions::new(fleet([]), now()) };
    let error = Sandbox::start(taken).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", first.address()));
}

#[tokio::test]
async fn every_request_is_recorded() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let id = id_of(&sandbox, "a");
    send(&sandbox, &[("Action", "DescribeImages"), ("ImageId.1", &id)]).await;
    let reply = send(&sandbox, &[("Action", "DisableImage"), ("ImageId", "ami-12345678")]).await;
    let requests = sandbox.cloud().requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].image_ids, [id]);
    assert_eq!((requests[0].status, requests[0].error_code.as_deref()), (Some(200), None));
    assert_eq!(requests[1].error_code.as_deref(), Some("InvalidAMIID.NotFound"));
    assert_eq!(requests[1].parameters["Action"], "DisableImage");
    assert_eq!(requests[1].request_id, reply.text("RequestID"));
    assert!(reply.headers.contains(&requests[1].request_id));
    assert!(requests[0].sequence < requests[1].sequence);
    sandbox.cloud().forget_requests();
    assert!(sandbox.cloud().requests().is_empty());
}

#[tokio::test]
async fn the_log_keeps_the_newest() {
    let sandbox =
        start_with(SandboxOptions { requests_max: 2, ..SandboxOptions::new(fleet([]), now()) }).await;
    for _ in 0..3 {
        send(&sandbox, &[("Action", "DescribeRegions")]).await;
    }
    let numbers: Vec<u64> = sandbox.cloud().requests().iter().map(|r| r.sequence).collect();
    assert_eq!(numbers, [2, 3]);
}
