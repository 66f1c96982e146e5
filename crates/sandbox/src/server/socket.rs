//! A socket that tells when the last byte of a reply was written to it.
//!
//! hyper gathers head and body in a buffer, and flushes the socket only once that buffer is empty: the
//! first flush after the end of a body was handed over is the moment at which its last byte is out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::cloud::Cloud;
use super::observer::{ExchangeEvent, Verdict};

/// Whom to tell that a reply was sent.
#[derive(Debug)]
pub(super) struct SentNotice {
    pub(super) cloud: Cloud,
    pub(super) event: ExchangeEvent,
}

/// The notice of the reply whose last bytes are on their way, if it has one. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct OnItsWay(Arc<Mutex<Option<SentNotice>>>);

impl OnItsWay {
    pub(super) fn put(&self, notice: SentNotice) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice);
    }

    fn take(&self) -> Option<SentNotice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A TCP connection that tells when a reply has left.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    on_its_way: OnItsWay,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, on_its_way: OnItsWay) -> Self {
        Self { stream, on_its_way }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let Some(notice) = self.on_its_way.take() else { return Poll::Ready(Ok(())) };
        Poll::Ready(match notice.cloud.tell(&notice.event) {
            Verdict::Continue => Ok(()),
            Verdict::BreakConnection => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
