//! What is going on: metrics and status; and what can be asked at all.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;
use crate::driver::control::Status;

/// What there is, in OpenAPI's form.
pub(super) const OPEN_API: &str = include_str!("../../docs/openapi.json");

/// Prometheus's text form ("Exposition formats", prometheus.io).
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Serialize)]
struct StatusDocument {
    schema: u32,
    #[serde(flatten)]
    status: Status,
    /// Why nothing is changed, if it is paused.
    paused: Option<String>,
}

pub(super) async fn metrics(State(app): Shared) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], (app.parts.metrics)()).into_response()
}

pub(super) async fn open_api() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPEN_API).into_response()
}

pub(super) async fn status(State(app): Shared) -> Response {
    let control = &app.parts.control;
    Json(StatusDocument { schema: 1, status: control.status(), paused: control.pause().reason() })
        .into_response()
}
