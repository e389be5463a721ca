//! Connections: accepted, carried over TLS where that is configured, and brought to an end.
//!
//! What is answered on them this module deliberately leaves to the service it is handed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use s3s::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::tls::Tls;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a head may take, a handshake, and a connection may wait for the next head.
pub(crate) const HEAD: Duration = Duration::from_secs(30);
/// How long requests may take to finish once the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The longest head of an HTTP/2 request.
const HEAD_LEN: u32 = 64 * 1024;

/// Who is at the other end of a connection; among the extensions of every request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer {
    /// On this machine.
    pub(crate) local: bool,
    /// Over TLS.
    pub(crate) secure: bool,
}

/// What answers requests. There is always an answer.
pub(crate) trait Answers:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Accepts connections until told to stop, then lets requests finish for a while.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: impl Answers,
    mut stopped: oneshot::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let builder = Arc::new(builder());
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        let (place, (stream, peer)) = match accepted {
            (Ok(place), Ok(connection)) => (place, connection),
            // Nobody closes the semaphore.
            (Err(_), _) => break,
            (_, Err(error)) => {
                // Out of descriptors, most likely: nothing to do but to wait for some.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = Connection {
            peer,
            _place: place,
            builder: Arc::clone(&builder),
            service: service.clone(),
            watcher: graceful.watcher(),
        };
        connections.spawn(connection.run(stream, tls.clone()));
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off after {} seconds", GRACE.as_secs());
    }
    // Also waits for what is left, so that nothing of this gateway runs when it has stopped.
    connections.shutdown().await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LEN)
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(HEAD);
    builder
}

/// One connection, and what it needs until it ends.
struct Connection<S> {
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
    builder: Arc<Builder<TokioExecutor>>,
    service: S,
    watcher: Watcher,
}

impl<S: Answers> Connection<S> {
    async fn run(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        let peer = self.peer;
        // Answers are often two small writes.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = tls else { return self.speak(stream, false).await };
        match timeout(HEAD, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, true).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "a handshake took too long"),
        }
    }

    async fn speak(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        secure: bool,
    ) {
        let peer = Peer { local: self.peer.ip().to_canonical().is_loopback(), secure };
        let answers = self.service;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            answers.call(request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(peer = %self.peer, %error, "a connection ended");
        }
    }
}
