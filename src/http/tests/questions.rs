//! What is asked.

use std::fs;

use amiwarden_core::RunId;

use super::super::Limits;
use super::world::{TOKEN, World, later, start};
use crate::driver::control::{LastRun, Phase};

#[tokio::test]
async fn metrics_health_and_status_are_told() {
    let world = World::new().await;
    let metrics = world.get("/metrics").await;
    assert_eq!((metrics.status, metrics.body.as_str()), (200, "amiwarden_up 1\n"));
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    for header in ["x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(metrics.head.contains(header), "{}", metrics.head);
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    let status = world.get("/api/v1/status").await.json();
    assert_eq!((&status["version"], &status["phase"]["name"]), (&"1.2.3".into(), &"idle".into()));
    assert!(status["paused"].is_null());
    world.driver.publish(|status| {
        status.phase =
            Phase::Running { run_id: RunId::new("r"), command: "schedule x".to_owned(), since: start() };
    });
    fs::write(world.place.directory().join("pause"), "an incident\n").unwrap();
    let status = world.get("/api/v1/status").await.json();
    assert_eq!((&status["phase"]["name"], &status["phase"]["run_id"]), (&"running".into(), &"r".into()));
    assert!(status["paused"].as_str().unwrap().ends_with(": an incident"), "{status}");
}

#[tokio::test]
async fn runs_come_the_newest_first_and_in_pages() {
    let world = World::new().await;
    let ids = async |path: &str| {
        let document = world.get(path).await.json();
        let ids =
            document["runs"].as_array().unwrap().iter().map(|it| it["run_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("/api/v1/runs").await, ["run-2", "run-1"]);
    assert_eq!(ids("/api/v1/runs?limit=1").await, ["run-2"]);
    assert_eq!(ids("/api/v1/runs?before=run-2").await, ["run-1"]);
    assert!(ids("/api/v1/runs?before=run-1&limit=500").await.is_empty());
    for (query, expected) in [
        ("limit=0", 400),
        ("limit=501", 400),
        ("limit=many", 400),
        ("order=up", 400),
        ("before=..%2Fx", 400),
        ("before=run-9", 404),
    ] {
        assert_eq!(world.get(&format!("/api/v1/runs?{query}")).await.error().0, expected, "{query}");
    }
}

#[tokio::test]
async fn a_run_is_told_with_its_steps() {
    let world = World::new().await;
    let run = world.get("/api/v1/runs/run-2").await.json();
    assert_eq!(
        (&run["run_id"], &run["plan_id"], &run["state"]),
        (&"run-2".into(), &"plan-2".into(), &"finished".into())
    );
    assert_eq!(run["policies"][0]["name"], "retire-stale");
    assert_eq!((&run["scopes"][0]["images"], &run["scopes"][0]["complete"]), (&3.into(), &true.into()));
    let step = &run["steps"][0];
    assert_eq!((&step["plan_step"], &step["action"]), (&1.into(), &"disable".into()));
    assert_eq!((&step["outcome"], &step["outcome_detail"]), (&"not-attempted".into(), &"observing".into()));
    assert_eq!(world.get("/api/v1/runs/run-9").await.error(), (404, "not-found".to_owned()));
}

#[tokio::test]
async fn an_image_is_told_with_its_standing() {
    let world = World::new().await;
    let image = world.get("/api/v1/images/ami-00000000000000001").await.json();
    let events: Vec<_> = image["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["details"]["event"].as_str().unwrap())
        .collect();
    // The second run has seen and decided the same, which is nothing new.
    assert_eq!(events, ["first-seen", "decided"]);
    assert!(image["standing"].to_string().contains("no launch for 91 days"), "{image}");
    assert_eq!(image["truncated"], false);
    assert_eq!(world.get("/api/v1/images/ami-9").await.error().0, 404);
    for id in ["ami_1", "%2e%2e", "a%00b", "%ff", &"a".repeat(65)] {
        assert_eq!(world.get(&format!("/api/v1/images/{id}")).await.error().0, 400, "{id}");
    }
}

#[tokio::test]
async fn ready_names_every_check_that_fails() {
    let world = World::new().await;
    let ready = world.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, true.into()), "{}", ready.body);
    world.driver.publish(|status| status.policies.rejected = Some("line 3".to_owned()));
    fs::remove_file(world.place.store()).unwrap();
    let ready = world.get("/readyz").await;
    assert_eq!(ready.status, 503);
    let checks: Vec<_> =
        ready.json()["failed"].as_array().unwrap().iter().map(|it| it["check"].clone()).collect();
    assert_eq!(checks, ["store", "policies"]);
    assert_eq!(world.get("/healthz").await.status, 200, "the process lives all the same");
    assert_eq!(world.get("/api/v1/runs").await.error(), (503, "store".to_owned()));
}

#[tokio::test]
async fn a_cycle_that_is_too_long_ago_is_noticed() {
    let world = World::with(Some(TOKEN), Limits::default(), later).await;
    let ready = world.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["failed"][0]["check"].clone()), (503, "cycle".into()));
    let last = LastRun { run_id: RunId::new("r"), finished_at: later(), ok: true, summary: String::new() };
    world.driver.publish(|status| status.last = Some(last));
    assert_eq!(world.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_told_as_json() {
    let world = World::new().await;
    assert_eq!(world.get("/").await.error(), (404, "not-found".to_owned()));
    assert_eq!(world.get("/api/v1/pause").await.error(), (405, "method-not-allowed".to_owned()));
    let posted = world.post("/metrics", TOKEN, "").await;
    assert_eq!(posted.error(), (405, "method-not-allowed".to_owned()));
}
