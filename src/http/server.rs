//! Connections: so many, so long.
//!
//! hyper is driven directly, because a slow head has to be given up, and `axum::serve` waits for one for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Limits, Peer};
use crate::config::Listen;

/// A head holds a path, a token and what a proxy adds.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// After accepting has failed, such as for want of file descriptors, so long nothing is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where the service listens.
#[derive(Debug)]
pub(crate) struct Listening {
    /// What accepts.
    pub(crate) listener: TcpListener,
    /// Its address.
    pub(crate) address: SocketAddr,
}

/// Listens: on the socket that systemd hands in, else where the configuration says; `None` if nowhere.
pub(crate) async fn bind(listen: Listen) -> io::Result<Option<Listening>> {
    let listener = if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)?
    } else {
        match listen {
            Listen::Off => return Ok(None),
            Listen::At(address) => TcpListener::bind(address).await?,
        }
    };
    let address = listener.local_addr()?;
    Ok(Some(Listening { listener, address }))
}

/// Answers until `stop`, then gives the requests in flight a little time. Never fails: what goes wrong with one
/// connection ends that one.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        // A place first: whoever finds none waits in the kernel's queue and takes no memory of ours.
        let place = tokio::select! {
            () = stop.cancelled() => break,
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        connections.spawn(connection(stream, peer, router.clone(), limits, stop.clone(), place));
    }
    drop(listener);
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::debug!("requests over HTTP were in flight when the service ended");
    }
}

/// One connection, as long as it may live.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        hyper::service::Service::call(&service, request.map(axum::body::Body::new) as Request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            timeout(limits.drain, serving).await.unwrap_or(Ok(()))
        }
        () = tokio::time::sleep(limits.connection) => {
            serving.as_mut().graceful_shutdown();
            timeout(limits.drain, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection of {peer} ended early: {error}");
    }
}
