//! The service's HTTP interface: metrics, health, what was done, and three orders.
//!
//! Whatever is asked here never disturbs a run. Questions are answered from what the driver has published and from the
//! store, which is read beside it, a few at a time and so many rows at most. Orders are handed to the driver, or write
//! the pause file, and return at once. Everything that a client can draw out has a limit ([`Limits`]).
//!
//! [`Endpoint`] is the one table of what there is; `docs/openapi.json` describes it, and a test holds the two against
//! each other.
//!
//! Deliberately absent: TLS and users. Beyond one machine, a reverse proxy has both.

mod answer;
mod health;
mod orders;
mod past;
mod present;
mod server;
mod token;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amiwarden_core::Timestamp;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tokio::sync::Semaphore;

use crate::driver::control::Control;
use answer::Failure;
pub(crate) use server::{Listening, bind, serve};
pub(crate) use token::Token;

/// Renders the metrics in Prometheus's text form.
pub(crate) type RenderMetrics =
    Box<dyn Fn() -> Result<String, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// What the interface works with.
pub(crate) struct Parts {
    /// The driver's handle.
    pub(crate) control: Control,
    /// The store, which is opened for each question and closed after it: between two questions it is nobody's.
    pub(crate) store: PathBuf,
    /// The metrics.
    pub(crate) metrics: RenderMetrics,
    /// What the orders take. `None`: they are refused.
    pub(crate) token: Option<Token>,
    /// So old the end of the last cycle may be.
    pub(crate) ready_within: amiwarden_core::Duration,
    /// The time.
    pub(crate) now: fn() -> Timestamp,
}

/// What a client may draw out. Every limit is an argument, so that tests need not wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// So long the head of a request may take; as long, a connection may wait for its next one.
    pub(crate) head: Duration,
    /// So long an answer may take, the body of the request included.
    pub(crate) request: Duration,
    /// So long a connection may live: a client that never reads its answer ends here.
    pub(crate) connection: Duration,
    /// So many connections at a time. Others wait to be accepted.
    pub(crate) connections: usize,
    /// So long the requests in flight may take once the service ends.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            request: Duration::from_secs(15),
            connection: Duration::from_mins(5),
            connections: 64,
            drain: Duration::from_secs(3),
        }
    }
}

/// A body holds a reason, at most.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Questions to the store at a time.
const READERS_MAX: usize = 4;

struct App {
    parts: Parts,
    readers: Semaphore,
}

type Shared = State<Arc<App>>;

/// Who asks.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

/// Everything that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Metrics,
    Health,
    Ready,
    OpenApi,
    Status,
    Runs,
    Run,
    Image,
    Pause,
    Resume,
    RunNow,
}

/// Whether something is asked, or ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// GET, and nobody is asked who they are.
    Question,
    /// POST, with the token.
    Order,
}

impl Endpoint {
    const ALL: [Self; 11] = [
        Self::Metrics,
        Self::Health,
        Self::Ready,
        Self::OpenApi,
        Self::Status,
        Self::Runs,
        Self::Run,
        Self::Image,
        Self::Pause,
        Self::Resume,
        Self::RunNow,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/metrics",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::OpenApi => "/api/v1/openapi.json",
            Self::Status => "/api/v1/status",
            Self::Runs => "/api/v1/runs",
            Self::Run => "/api/v1/runs/{id}",
            Self::Image => "/api/v1/images/{id}",
            Self::Pause => "/api/v1/pause",
            Self::Resume => "/api/v1/resume",
            Self::RunNow => "/api/v1/run",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Metrics
            | Self::Health
            | Self::Ready
            | Self::OpenApi
            | Self::Status
            | Self::Runs
            | Self::Run
            | Self::Image => Kind::Question,
            Self::Pause | Self::Resume | Self::RunNow => Kind::Order,
        }
    }

    fn route(self) -> MethodRouter<Arc<App>> {
        match self {
            Self::Metrics => get(present::metrics),
            Self::Health => get(health::health),
            Self::Ready => get(health::ready),
            Self::OpenApi => get(present::open_api),
            Self::Status => get(present::status),
            Self::Runs => get(past::runs),
            Self::Run => get(past::run),
            Self::Image => get(past::image),
            Self::Pause => post(orders::pause),
            Self::Resume => post(orders::resume),
            Self::RunNow => post(orders::run),
        }
    }
}

/// The routes. No answer is waited for longer than `patience`.
pub(crate) fn router(parts: Parts, patience: Duration) -> Router {
    let app = Arc::new(App { parts, readers: Semaphore::new(READERS_MAX) });
    let mut orders = Router::new();
    let mut questions = Router::new();
    for endpoint in Endpoint::ALL {
        match endpoint.kind() {
            Kind::Question => questions = questions.route(endpoint.path(), endpoint.route()),
            Kind::Order => orders = orders.route(endpoint.path(), endpoint.route()),
        }
    }
    // The token is asked for before anything of the body is read, and whatever order is added.
    let orders = orders.route_layer(middleware::from_fn(of_fit_size));
    let orders = orders.route_layer(middleware::from_fn_with_state(Arc::clone(&app), token::required));
    questions
        .merge(orders)
        .method_not_allowed_fallback(async || {
            Failure::of(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this is not asked for in this way: see /api/v1/openapi.json",
            )
        })
        .fallback(async || Failure::not_found("there is nothing here: see /api/v1/openapi.json"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(move |request: Request, next: Next| hurry(patience, request, next)))
        .layer(middleware::map_response(harmless))
        .with_state(app)
}

/// Refuses a body that says itself that it is too large, instead of waiting for it. Others end at the limit.
async fn of_fit_size(request: Request, next: Next) -> Response {
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        let message = format!("a body has at most {BODY_BYTES_MAX} bytes");
        return Failure::of(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message).into_response();
    }
    next.run(request).await
}

/// Ends what takes too long. What it was doing is dropped: it has only read.
async fn hurry(patience: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Failure::of(StatusCode::SERVICE_UNAVAILABLE, "timed-out", "this took too long").into_response()
        }
    }
}

/// No browser is to make anything else of an answer, or to keep it.
async fn harmless(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
