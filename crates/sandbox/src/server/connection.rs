//! Connections: HTTP/1.1 by hyper over plain TCP, so that a reply can be broken where a fault says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

use super::cloud::Cloud;
use super::exchange::{self, Message, Reply};
use super::late::Background;
use super::socket::{OnItsWay, SentNotice, Socket};
use crate::protocol::{HttpRequest, Service};

/// The longest request body. Requests of EC2 that name a thousand images stay far below.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// For how long a truncated reply stays open, so that its first half reaches the client.
const TRUNCATED_LINGERS: Duration = Duration::from_millis(30);
/// For how long a stopping endpoint waits for a client that does not finish its request.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long to wait after the system refused to accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts connections until it is told to stop.
pub(super) async fn accept(listener: TcpListener, cloud: Cloud, background: Background) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = background.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                background.tasks.spawn(serve(stream, cloud.clone(), background.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the sandbox cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// A connection is to be reset: what a service answers to make hyper let go of it.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
struct ResetOnPurpose;

async fn serve(stream: TcpStream, cloud: Cloud, background: Background) {
    // A refusal only costs latency.
    let _ = stream.set_nodelay(true);
    let on_its_way = OnItsWay::default();
    let service = service_fn(|request| respond(&cloud, &background, &on_its_way, request));
    let socket = Socket::new(stream, on_its_way.clone());
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = background.stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = tokio::time::sleep(DRAIN_MAX) => Ok(()),
            }
        }
    };
    let Err(error) = ended else { return };
    let on_purpose =
        std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<ResetOnPurpose>);
    if on_purpose {
        // Closing without lingering sends RST, as a crashed host or a cut load balancer does.
        let stream = connection.into_parts().io.into_inner().into_stream();
        let _ = stream.set_zero_linger();
    } else {
        tracing::debug!(%error, "a connection of the sandbox ended");
    }
}

async fn respond(
    cloud: &Cloud,
    background: &Background,
    on_its_way: &OnItsWay,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, ResetOnPurpose> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let request = HttpRequest {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        authorization: header(AUTHORIZATION.as_str()),
        target: header("x-amz-target"),
        user_agent: header(USER_AGENT.as_str()),
        body: &body,
    };
    match exchange::answer(cloud, background, &request).await {
        Reply::Whole(mut message) => {
            let notice = message.notice.take().map(|event| SentNotice { cloud: cloud.clone(), event });
            let notice = notice.map(|notice| (notice, on_its_way.clone()));
            Ok(response(message, |content| ReplyBody { notice, ..ReplyBody::whole(content) }))
        }
        Reply::Truncated(message) => Ok(response(message, |content| ReplyBody::first_half(&content))),
        Reply::Reset(wait) => {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = background.stop.cancelled() => {}
            }
            Err(ResetOnPurpose)
        }
    }
}

fn response(message: Message, body: impl FnOnce(Bytes) -> ReplyBody) -> Response<ReplyBody> {
    let content = Bytes::from(message.body);
    let length = content.len();
    let mut response = Response::new(body(content));
    *response.status_mut() =
        StatusCode::from_u16(message.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(message.service.content_type()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(id) = HeaderValue::from_str(&message.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    // REST-JSON names the error here and nowhere else.
    if message.service == Service::RecycleBin
        && let Some(Ok(code)) = message.error_code.as_deref().map(HeaderValue::from_str)
    {
        headers.insert("x-amzn-errortype", code);
    }
    // Where nothing is said, hyper dates the reply.
    if let Some(date) = message.date.and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(DATE, date);
    }
    response
}

fn refusal(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// A body that can break off.
struct ReplyBody {
    content: Option<Bytes>,
    bytes_left: u64,
    /// Set where the body breaks off: the time until it does.
    breaks: Option<Pin<Box<Sleep>>>,
    /// What is to be told once the last byte has left, and by way of what.
    notice: Option<(SentNotice, OnItsWay)>,
}

impl ReplyBody {
    fn whole(content: Bytes) -> Self {
        Self {
            bytes_left: content.len() as u64,
            content: Some(content).filter(|content| !content.is_empty()),
            breaks: None,
            notice: None,
        }
    }

    /// Announces everything, sends one half.
    fn first_half(content: &Bytes) -> Self {
        Self {
            bytes_left: content.len() as u64,
            content: Some(content.slice(..content.len() / 2)),
            breaks: Some(Box::pin(tokio::time::sleep(TRUNCATED_LINGERS))),
            notice: None,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(content) = self.content.take() {
            self.bytes_left = self.bytes_left.saturating_sub(content.len() as u64);
            if let Some((notice, on_its_way)) = self.notice.take() {
                on_its_way.put(notice);
            }
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        match &mut self.breaks {
            None => Poll::Ready(None),
            Some(breaks) => breaks.as_mut().poll(cx).map(|()| {
                Some(Err(io::Error::new(io::ErrorKind::ConnectionReset, "the body breaks off on purpose")))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none() && self.breaks.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}
