//! What can be ordered: a pause, its end, a run. Each order is logged with where it came from.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Failure, chain};
use super::{Peer, Shared};
use crate::driver::control::Requested;

/// Why changes are to stop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseOrder {
    reason: String,
}

/// A reason is a sentence, not a log.
const REASON_CHARS_MAX: usize = 500;

pub(super) async fn pause(
    State(app): Shared,
    Extension(Peer(peer)): Extension<Peer>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let order: PauseOrder = serde_json::from_slice(&body?).map_err(|error| {
        Failure::bad_request(format!("expected a reason, as in {{\"reason\": \"an incident\"}}: {error}"))
    })?;
    // One line without control characters: the file is read by people.
    let reason: Vec<&str> = order.reason.split(|it: char| it.is_whitespace() || it.is_control()).collect();
    let reason = reason.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Failure::bad_request(format!("a reason has 1 to {REASON_CHARS_MAX} characters")));
    }
    let since = (app.parts.now)().strftime("%Y-%m-%d %H:%M UTC");
    let file = app.parts.control.pause();
    let is_new = file
        .set(&format!("{reason} (since {since}, by {peer})"))
        .map_err(|error| pause_failed("the pause file cannot be written", &error))?;
    if is_new {
        tracing::warn!(%peer, reason, "paused over HTTP by {peer}: {reason}");
    }
    Ok(Json(json!({ "paused": file.reason(), "changed": is_new })).into_response())
}

pub(super) async fn resume(
    State(app): Shared,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Response, Failure> {
    let file = app.parts.control.pause();
    let was_paused =
        file.clear().map_err(|error| pause_failed("the pause file cannot be removed", &error))?;
    if was_paused {
        tracing::warn!(%peer, "resumed over HTTP by {peer}: changes happen again");
    }
    Ok(Json(json!({ "paused": file.reason(), "changed": was_paused })).into_response())
}

/// A run begins, or one is under way: nothing is queued.
pub(super) async fn run(
    State(app): Shared,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Response, Failure> {
    match app.parts.control.request_run() {
        Requested::Accepted => {
            tracing::info!(%peer, "a run is asked for over HTTP by {peer}");
            Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response())
        }
        Requested::Busy => Err(Failure::of(
            StatusCode::CONFLICT,
            "busy",
            "a run is under way or about to begin: /api/v1/status says which",
        )),
    }
}

fn pause_failed(what: &str, error: &std::io::Error) -> Failure {
    let error = chain(error);
    tracing::error!(error, "{what}: {error}");
    Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "pause-file", format!("{what}: {error}"))
}
