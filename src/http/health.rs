//! Whether the service lives, and whether it does its work.

use amiwarden_core::Duration;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::answer::chain;
use super::{App, Shared};
use crate::store::StoreReader;

/// Something that keeps the service from its work.
#[derive(Debug, Serialize)]
struct FailedCheck {
    check: &'static str,
    message: String,
}

/// Whoever can answer, lives.
pub(super) async fn health() -> Response {
    Json(json!({ "alive": true })).into_response()
}

/// Whether the store can be used, the last cycle is not too long ago, and the newest policies are in force. A pause
/// is no failure: somebody has wanted it.
pub(super) async fn ready(State(app): Shared) -> Response {
    let failed: Vec<FailedCheck> =
        [store(&app).await, cycle(&app), policies(&app)].into_iter().flatten().collect();
    let status = if failed.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": failed.is_empty(), "failed": failed }))).into_response()
}

async fn store(app: &App) -> Option<FailedCheck> {
    let _permit = app.readers.acquire().await.ok()?;
    let error = StoreReader::check(&app.parts.store).await.err()?;
    Some(FailedCheck { check: "store", message: chain(&error) })
}

/// A service that has just started has as long for its first cycle as it has between two.
fn cycle(app: &App) -> Option<FailedCheck> {
    let status = app.parts.control.status();
    let (since, what) = match &status.last {
        Some(last) => (last.finished_at, "the last cycle ended"),
        None => (status.started_at, "no cycle has ended since the service started"),
    };
    let age = Duration::between(since, (app.parts.now)());
    let within = app.parts.ready_within;
    (age > within).then(|| FailedCheck {
        check: "cycle",
        message: format!("{what} at {since}, longer ago than {}", within.compact()),
    })
}

fn policies(app: &App) -> Option<FailedCheck> {
    let rejected = app.parts.control.status().policies.rejected?;
    Some(FailedCheck {
        check: "policies",
        message: format!("the newest policies are refused, and older ones are in force: {rejected}"),
    })
}
