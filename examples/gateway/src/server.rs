//! Connections, and the way of a request through the gateway.
//!
//! Head, gate, body, staging, store: in this order, for every request, with no way around. Each
//! request leaves one line in the log, in which there is nothing secret: no query (a presigned URL
//! is a password), no headers, and a name only after it was proven.
//!
//! What is checked and what is stored this module deliberately leaves to the others.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::{AccessKeyId, Timestamp};
use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::Body;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::credentials::{self, CredentialsError};
use crate::error::{self, Fault, Ids, Refusal};
use crate::gate::{Denied, Gate};
use crate::keys::Keys;
use crate::staging::{self, NotStaged, Staging};
use crate::store::{Area, Store};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a head may take, and a connection may wait for the next one.
const HEAD: Duration = Duration::from_secs(30);
/// How long requests may take to finish once the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The longest head of an HTTP/2 request.
const HEAD_LEN: u32 = 64 * 1024;

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// Which keys are in the file, by profile.
    names: Vec<(String, AccessKeyId)>,
    credentials: PathBuf,
    keys: Arc<Keys>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The credentials file is missing, unsafe or unusable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The data folder cannot be used.
    #[error("{path}: {source}")]
    Data {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

/// What every request needs.
struct Shared {
    gate: Gate,
    staging: Staging,
    store: Store,
    /// What the store is doing. A verified request is carried out to its end, even if its peer goes
    /// away halfway.
    working: TaskTracker,
    host: Arc<str>,
}

/// What is said of a request in the log.
#[derive(Default)]
struct Line {
    access_key_id: Option<AccessKeyId>,
    code: Option<String>,
}

impl Gateway {
    /// Starts listening. Dropping the gateway does not stop it; [`Gateway::stop`] does.
    ///
    /// # Errors
    /// When credentials, data folder or address cannot be used.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let profiles = credentials::open(&config.credentials)?;
        let names =
            profiles.iter().map(|profile| (profile.name.clone(), profile.access_key_id)).collect();
        let keys = Arc::new(Keys::new(profiles)?);
        let data = |source: Box<dyn std::error::Error + Send + Sync>| StartError::Data {
            path: config.data.clone(),
            source,
        };
        let area = Arc::new(Area::open(&config.data).map_err(|error| data(error.into()))?);
        let staging =
            Staging::open(area.staging(), config.max_body).map_err(|error| data(error.into()))?;
        let store = Store::open(area, &config.region, config.domain.as_deref()).map_err(data)?;
        let clock_skew = Duration::from_secs(config.clock_skew);
        let shared = Arc::new(Shared {
            gate: Gate::new(&config.region, clock_skew, Arc::clone(&keys)),
            staging,
            store,
            working: TaskTracker::new(),
            host: random_id().into(),
        });
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(accept(listener, shared, stopped));
        let credentials = config.credentials.clone();
        Ok(Gateway { address, names, credentials, keys, stop, running })
    }

    /// Where it listens; with the real port, if it was asked to choose one.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The profiles of the credentials file when the gateway started.
    #[must_use]
    pub fn profiles(&self) -> &[(String, AccessKeyId)] {
        &self.names
    }

    /// Reads the credentials file again. On an error the old keys stay.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn reload(&self) -> Result<(), CredentialsError> {
        self.keys.replace(credentials::read(&self.credentials)?);
        Ok(())
    }

    /// Stops accepting, lets requests finish for a while, and returns when all is done.
    pub async fn stop(self) {
        // If the receiver is gone, it has stopped already.
        let _ = self.stop.send(());
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the gateway broke down");
        }
    }
}

/// Accepts connections until told to stop.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let working = shared.working.clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LEN)
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(HEAD);
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
            (place, Ok(connection)) => (place, connection),
            (_, Err(error)) => {
                // Out of descriptors, most likely: nothing to do but to wait for some.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers are often two small writes.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off after {} seconds", GRACE.as_secs());
    }
    // Also waits for what is left, so that nothing of this gateway runs when it has stopped.
    connections.shutdown().await;
    working.close();
    working.wait().await;
}

impl Shared {
    /// Answers one request and logs it.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let ids = Ids { request: random_id(), host: Arc::clone(&self.host) };
        let (parts, body) = request.into_parts();
        let mut line = Line::default();
        let response = match self.serve(&parts, body, &ids, &mut line).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        };
        let (response, code) = error::dress(response, &parts.method, &ids);
        line.code = line.code.or(code);
        tracing::info!(
            id = %ids.request,
            method = %parts.method,
            path = %parts.uri.path(),
            status = response.status().as_u16(),
            key = line.access_key_id.map(tracing::field::display),
            error = line.code.map(tracing::field::display),
            ms = started.elapsed().as_millis(),
            "request"
        );
        response
    }

    /// The way of a request: proven head, proven body, store.
    async fn serve(
        &self,
        parts: &Parts,
        body: Incoming,
        ids: &Ids,
        line: &mut Line,
    ) -> Result<Response<Body>, Refusal> {
        let now = Timestamp::now();
        let admitted = match self.gate.admit(parts, now) {
            Ok(admitted) => admitted,
            Err(denied) => {
                let refusal = match denied {
                    Denied::Signature(error) => self.gate.refuse(error, parts, now, ids),
                    Denied::Fault(fault) => Refusal::own(fault, ids),
                };
                return Err(turn_away(parts, body, refusal).await);
            }
        };
        line.access_key_id = Some(admitted.access_key_id);
        if let Err(fault) = self.staging.check_size(&body) {
            return Err(turn_away(parts, body, Refusal::own(fault, ids)).await);
        }
        // The first poll of the body is what sends 100-continue, and it is in here.
        let staged = match self.staging.receive(body, admitted.body).await {
            Ok(staged) => staged,
            Err(NotStaged::Body(error)) => {
                return Err(self.gate.refuse(error.into(), parts, now, ids));
            }
            Err(NotStaged::Fault(fault)) => return Err(Refusal::own(fault, ids)),
            Err(NotStaged::Storage(error)) => {
                tracing::error!(%error, "a body cannot be staged");
                return Err(Refusal::own(Fault::Internal, ids));
            }
        };
        let (store, mut head) = (self.store.clone(), admitted.head);
        head.take_trailers(staged.proof()).map_err(|fault| Refusal::own(fault, ids))?;
        let working = self.working.spawn(async move { store.serve(head, staged).await });
        working.await.map_err(|error| {
            tracing::error!(%error, "the store broke down");
            Refusal::own(Fault::Internal, ids)
        })
    }
}

/// Refuses a request whose body was not looked at. A peer that waits for 100-continue has sent
/// nothing; any other is read a little, so that it gets to see the answer.
async fn turn_away(parts: &Parts, body: Incoming, refusal: Refusal) -> Refusal {
    if !parts.headers.contains_key(header::EXPECT) {
        staging::discard(body).await;
    }
    refusal
}

/// A name for a request: 16 random digits. If the system has no random numbers, requests are
/// nameless, which is no reason to refuse them.
fn random_id() -> String {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return String::from("0000000000000000");
    }
    format!("{:016X}", u64::from_be_bytes(bytes))
}
