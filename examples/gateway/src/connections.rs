//! Connections: accepted, carried over TLS where that is configured, and brought to an end.
//!
//! What is answered on them this module deliberately leaves to the service it is handed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::tls::Tls;
use requests::Requests;

mod requests;

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
    stopped: oneshot::Receiver<()>,
) {
    serve_within(HEAD, listener, tls, service, stopped).await;
}

/// The same, for another time that a head may take.
async fn serve_within(
    head: Duration,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: impl Answers,
    mut stopped: oneshot::Receiver<()>,
) {
    let stopping = CancellationToken::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let builder = Arc::new(builder(head));
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
            head,
            _place: place,
            builder: Arc::clone(&builder),
            service: service.clone(),
            stopping: stopping.clone(),
        };
        connections.spawn(connection.run(stream, tls.clone()));
    }
    drop(listener);
    stopping.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, ended).await.is_err() {
        tracing::warn!("requests were cut off after {} seconds", GRACE.as_secs());
    }
    // Also waits for what is left, so that nothing of this gateway runs when it has stopped.
    connections.shutdown().await;
}

fn builder(head: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LEN)
        .keep_alive_interval(head)
        .keep_alive_timeout(head);
    builder
}

/// One connection, and what it needs until it ends.
struct Connection<S> {
    peer: SocketAddr,
    head: Duration,
    _place: OwnedSemaphorePermit,
    builder: Arc<Builder<TokioExecutor>>,
    service: S,
    stopping: CancellationToken,
}

impl<S: Answers> Connection<S> {
    async fn run(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        let peer = self.peer;
        // Answers are often two small writes.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = tls else { return self.speak(stream, false).await };
        let secured = tokio::select! {
            secured = timeout(self.head, tls.accept(stream)) => secured,
            () = self.stopping.cancelled() => return,
        };
        match secured {
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
        let requests = Requests::default();
        let begun = requests.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (answer, running) = (answers.call(request), begun.begin());
            async move {
                let Ok(response) = answer.await;
                Ok::<_, Infallible>(response.map(|body| running.with(body)))
            }
        });
        let graceful = GracefulShutdown::new();
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(graceful.watch(connection));
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = self.stopping.cancelled() => None,
            () = requests.none_for(self.head) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            // One that has not even said what it speaks is closed at once. Any other is told first, may
            // finish its requests, and then has the time of a head to go.
            None => tokio::select! {
                biased;
                ended = connection => ended,
                () = graceful.shutdown() => Ok(()),
                () = requests.none_for(self.head) => Ok(()),
            },
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, %error, "a connection ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Empty};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::sleep;

    /// What a head may take here.
    const SHORT: Duration = Duration::from_millis(300);
    /// Any of these is over long before.
    const LIMIT: Duration = Duration::from_secs(30);

    struct Served {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        ended: tokio::task::JoinHandle<()>,
    }

    /// Something that answers slowly.
    async fn start() -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let answers = service_fn(|_: Request<Incoming>| async {
            sleep(4 * SHORT).await;
            Ok::<_, Infallible>(Response::new(Body::from(Bytes::from_static(b"at last"))))
        });
        let ended = tokio::spawn(serve_within(SHORT, listener, None, answers, stopped));
        Served { address, stop, ended }
    }

    #[tokio::test]
    async fn whoever_asks_for_nothing_is_not_kept() {
        let served = start().await;
        let says: [&[u8]; 5] = [b"", b"P", b"PRI * HT", b"GET / HTTP/1.1\r\nhost: h\r\n", b"\r\n"];
        for says in says {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(says).await.unwrap();
            // However it is closed.
            let mut all = Vec::new();
            let closed = timeout(LIMIT, stream.read_to_end(&mut all)).await;
            assert!(closed.is_ok(), "{says:?}");
        }
        // One that answers when it is asked whether it is still there.
        let stream = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
        let (sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
            TokioExecutor::new(),
            stream,
        )
        .await
        .unwrap();
        assert!(timeout(LIMIT, connection).await.is_ok());
        drop(sender);
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_is_kept() {
        let served = start().await;
        let request = || Request::get("http://h/").body(Empty::<Bytes>::new()).unwrap();
        let connect = async || TokioIo::new(TcpStream::connect(served.address).await.unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), connect().await)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..2 {
            let answer = sender.send_request(request()).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "at last");
        }
        // And no longer.
        assert!(timeout(LIMIT, connection).await.is_ok());

        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(connect().await).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..2 {
            let answer = sender.send_request(request()).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "at last");
        }
        assert!(timeout(LIMIT, connection).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_is_told_to_stop_lets_requests_finish() {
        let served = start().await;
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        sleep(SHORT).await;
        let _silent = TcpStream::connect(served.address).await.unwrap();
        served.stop.send(()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert!(all.ends_with(b"at last"), "{}", String::from_utf8_lossy(&all));
        timeout(LIMIT, served.ended).await.unwrap().unwrap();
    }
}
