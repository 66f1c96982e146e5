//! What is going on: metrics and status; and what can be asked at all.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;
use super::answer::{Failure, chain};
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

pub(super) async fn metrics(State(app): Shared) -> Result<Response, Failure> {
    let text = (app.parts.metrics)().map_err(|error| {
        let error = chain(error.as_ref());
        tracing::error!(error, "the metrics cannot be rendered: {error}");
        Failure::of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics",
            "the metrics cannot be rendered: see the log",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response())
}

pub(super) async fn open_api() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPEN_API).into_response()
}

pub(super) async fn status(State(app): Shared) -> Response {
    let control = &app.parts.control;
    Json(StatusDocument { schema: 1, status: control.status(), paused: control.pause().reason() })
        .into_response()
}
