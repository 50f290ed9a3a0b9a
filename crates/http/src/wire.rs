//! The time of a connection: how long it may idle, how long a head may take, how long a write may
//! stand still.
//!
//! hyper's own time-out for heads begins with the wait for the next request and so would end every idle
//! connection. Here the first byte of a head begins it; before that the connection idles.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::state::HttpPolicy;

/// How long, and for how many bytes, a connection lingers after an answer that left a body unread.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;

const HEAD: u8 = 0;
const BUSY: u8 = 1;
const IDLE: u8 = 2;

/// Where a connection is: a head is arriving, a request is answered, or it idles.
#[derive(Clone, Default)]
pub(crate) struct Phase(Arc<Shared>);

#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    unread: std::sync::atomic::AtomicBool,
}

impl Phase {
    /// A request is being answered until its [`Answering`] is gone.
    pub(crate) fn begin(&self) -> Answering {
        self.0.phase.store(BUSY, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// An answer was given without reading the body: the client may still be sending it.
    pub(crate) fn leave_unread(&self) {
        self.0.unread.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.phase.load(Ordering::Relaxed)
    }
}

/// A request under way; the connection idles when it is dropped.
pub(crate) struct Answering(Phase);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.phase.store(IDLE, Ordering::Relaxed);
    }
}

/// The body of an answer, which holds on to its [`Answering`].
pub(crate) struct AnswerBody {
    pub(crate) body: Body,
    pub(crate) _answering: Answering,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client's connection, watched.
pub(crate) struct Wire {
    stream: TcpStream,
    policy: Arc<HttpPolicy>,
    phase: Phase,
    /// The phase that reading waits in, and since when.
    waiting: (u8, Instant),
    // Each made when it is first needed, and boxed, because it must not move.
    patience: Option<Pin<Box<Sleep>>>,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
    discarded: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, policy: Arc<HttpPolicy>, phase: Phase) -> Self {
        Self {
            stream,
            policy,
            phase,
            waiting: (HEAD, Instant::now()),
            patience: None,
            stalled: None,
            lingering: None,
            discarded: 0,
        }
    }

    /// Waits for bytes for as long as the phase allows. An idle connection then ends as if the client
    /// had closed it, a head that does not come with an error.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.phase.get();
        let limit = match phase {
            HEAD => self.policy.header_timeout,
            IDLE => self.policy.keep_alive,
            _ => return Poll::Pending,
        };
        if self.waiting.0 != phase {
            self.waiting = (phase, Instant::now());
        }
        let deadline = self.waiting.1 + limit;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if patience.deadline() > deadline {
            patience.as_mut().reset(deadline);
        }
        // Set for an earlier wait, it rings too early and is put off: cheaper than setting it each time.
        loop {
            ready!(patience.as_mut().poll(cx));
            if Instant::now() < deadline {
                patience.as_mut().reset(deadline);
            } else if phase == IDLE {
                return Poll::Ready(Ok(()));
            } else {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a head did not come")));
            }
        }
    }

    /// Ends a connection whose write makes no progress: a client that does not read.
    fn progress<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.policy.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) else {
            return self.wait(cx);
        };
        if buf.filled().len() > before && self.phase.get() == IDLE {
            self.phase.0.phase.store(HEAD, Ordering::Relaxed);
            self.waiting = (HEAD, Instant::now());
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper read before it wrote, and waits for what that read registered: an idle wait begins here.
        if self.phase.get() == IDLE {
            let _begun = self.wait(cx);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closing with bytes unread would reset the connection, and the client might never see its answer:
    /// lingers until it has sent its body or gone.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.phase.0.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let this = &mut *self;
        let lingering = this.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        while lingering.as_mut().poll(cx).is_pending() && this.discarded < LINGER_BYTES {
            let mut unread = [0; 8 << 10];
            let mut unread = ReadBuf::new(&mut unread);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => this.discarded += unread.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
