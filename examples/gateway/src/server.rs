//! The gateway: how it is put together, and the way of a request through it.
//!
//! Head, gate, body, staging, store: in this order, for every request, with no way around. Each
//! request leaves one line in the log, in which there is nothing secret: no query (a presigned URL
//! is a password), no headers, and a name only after it was proven.
//!
//! What is checked and what is stored this module deliberately leaves to the others.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::{AccessKeyId, Timestamp};
use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use s3s::Body;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::connections;
use crate::credentials::{self, CredentialsError};
use crate::error::{self, Fault, Ids, Refusal};
use crate::gate::{Denied, Gate};
use crate::keys::Keys;
use crate::staging::{self, NotStaged, Staging};
use crate::store::{Area, Store};
use crate::tls::{self, Tls, TlsError};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// Which keys are in the file, by profile.
    names: Vec<(String, AccessKeyId)>,
    credentials: PathBuf,
    certificate: Option<PathBuf>,
    keys: Arc<Keys>,
    tls: Option<Arc<Tls>>,
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
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
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

/// Why the files were not read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificate and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
        let files = config.tls_files();
        if let Some(files) = files.as_ref().filter(|_| config.tls_self_signed) {
            tls::make(files, config.listen.ip(), config.domain.as_deref())?;
        }
        let certificate = files.as_ref().map(|files| files.certificate.clone());
        let tls = files.map(Tls::open).transpose()?.map(Arc::new);
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
        let working = shared.working.clone();
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        let serving = connections::serve(listener, tls.clone(), service, stopped);
        let running = tokio::spawn(async move {
            serving.await;
            working.close();
            working.wait().await;
        });
        let credentials = config.credentials.clone();
        Ok(Gateway { address, names, credentials, certificate, keys, tls, stop, running })
    }

    /// Where it listens; with the real port, if it was asked to choose one.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate's file, if TLS is spoken.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// The profiles of the credentials file when the gateway started.
    #[must_use]
    pub fn profiles(&self) -> &[(String, AccessKeyId)] {
        &self.names
    }

    /// Reads the credentials file again, and certificate and key. What cannot be read stays as it
    /// was.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let credentials = credentials::read(&self.credentials).map(|new| self.keys.replace(new));
        let tls = self.tls.as_ref().map_or(Ok(()), |tls| tls.reload());
        credentials?;
        Ok(tls?)
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
