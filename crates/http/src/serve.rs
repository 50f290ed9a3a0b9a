//! The connection loop: HTTP/1.1 with limits and time-outs, drained on shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use crate::connections::Connections;
use crate::edge::Peer;
use crate::state::HttpPolicy;
use crate::wire::{AnswerBody, Phase, Wire};

/// The most bytes of request line and headers that are read: more than the edge takes, which refuses with
/// a body, an id and a line in the log. hyper's own 431 and 400 are bare.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Serves `router` on `listener` until `shutdown` is ready, then stops accepting, lets requests under
/// way finish, and returns at the latest after `drain`.
///
/// # Errors
/// If the listener's address cannot be read: it is no listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    policy: Arc<HttpPolicy>,
    shutdown: impl Future<Output = ()> + Send + 'static,
    drain: Duration,
) -> io::Result<()> {
    listener.local_addr()?;
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None) // see `wire`
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES);
    // Not more than hyper's own hundred headers: saying so would put them on the heap.
    // Not `pipeline_flush`: it holds back the 400 and 431 of a head that does not parse, for good.
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(Arc::clone(&policy));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: a pause lets some be closed.
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = peer.ip().to_canonical();
        let Some(counted) = connections.admit(peer) else {
            tracing::debug!(address = %peer, "too many connections");
            refuse(stream);
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection closed at once");
            continue;
        }
        let phase = Phase::default();
        let wire = Wire::new(stream, Arc::clone(&policy), phase.clone());
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let answering = phase.begin();
            let phase = phase.clone();
            let mut router = router.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let uploads = request.method() == Method::PUT;
            async move {
                let Ok(response) = Service::call(&mut router, request).await;
                // Refused before it was read: the client must hear why, though it is still sending.
                if response.status() == StatusCode::PAYLOAD_TOO_LARGE
                    || (uploads && !response.status().is_success())
                {
                    phase.leave_unread();
                }
                Ok::<_, Infallible>(response.map(|body| AnswerBody { body, _answering: answering }))
            }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(wire), service));
        tokio::spawn(async move {
            let _counted = counted;
            // A client's broken connection is the client's affair.
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way when the time to drain ran out");
    }
    Ok(())
}

/// Says as much as can be said without reading.
fn refuse(stream: TcpStream) {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
        connection: close\r\n\r\n";
    // Whether it arrives or not, the connection closes.
    let _said = stream.into_std().and_then(|mut stream| stream.write_all(BUSY));
}
