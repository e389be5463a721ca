//! Another S3 server behind the gateway: a request that was verified is signed anew and passed on
//! while it arrives.
//!
//! The other server never gets the end of a body before the whole of it is proven: the last piece is
//! held back, and if the proof fails the request is cut off. Without its end no server takes an
//! upload for whole, and nothing is committed. A small body is proven before the other server hears
//! of it at all.
//!
//! Who the client was this module deliberately does not know, nor does the other server.

mod turns;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use countersign::http::{VerifiedBody, VerifiedBodyError};
use countersign::tower::{
    FixedCredential, SignBody, SignLayer, SignService, SignTrailers, SigningBody, VerifiedHead,
};
use countersign::{BodyError, ChecksumAlgorithm, ContentSha256, Credentials, SecretKey};
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use s3s::Body;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tower::{Layer as _, ServiceExt as _};

use crate::arriving::{Arriving, BrokenOff};
use crate::credentials::{self, CredentialsError};
use crate::error::Fault;
use crate::gate::{self, Passed};
use turns::{Answering, Turns};

/// Bytes of a chunk of a body in frames.
const CHUNK: usize = 64 * 1024;
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Fields of an answer that are about one connection only.
const NOT_PASSED: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Another server, and a key it knows.
pub(crate) struct Upstream {
    scheme: Scheme,
    authority: Authority,
    max_body: u64,
    timeout: Duration,
    client: SignService<FixedCredential, Http>,
}

/// What sends requests that have been signed.
type Http = Client<HttpsConnector<HttpConnector>, SigningBody<Forwarded>>;

/// What the gateway is told of the other server.
#[derive(Debug)]
pub(crate) struct Settings<'c> {
    pub(crate) url: &'c Uri,
    pub(crate) credentials: &'c Path,
    pub(crate) region: &'c str,
    pub(crate) ca: Option<&'c Path>,
    pub(crate) max_body: u64,
    /// How long the other server may do nothing when it is its turn.
    pub(crate) timeout: Duration,
}

/// Why the other server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// Its URL is not that of a server.
    #[error("{0} is not the URL of a server: scheme http or https, host, maybe a port, no more")]
    Url(Uri),
    /// Its credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The certificates to trust cannot be read.
    #[error("{path}: {source}")]
    Ca {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system trusts nobody, and no file says whom to trust.
    #[error("there are no certificates to trust; name a file with --upstream-ca")]
    NobodyTrusted,
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Why a request was not passed on, or its answer not passed back.
#[derive(Debug)]
pub(crate) enum NotForwarded {
    /// The body is not what was signed.
    Body(BodyError),
    /// Anything else.
    Fault(Fault),
}

impl Upstream {
    pub(crate) fn open(settings: &Settings<'_>) -> Result<Self, UpstreamError> {
        let wrong = || UpstreamError::Url(settings.url.clone());
        let uri = settings.url.clone().into_parts();
        let scheme = uri.scheme.ok_or_else(wrong)?;
        let authority = uri.authority.filter(|a| !a.as_str().contains('@')).ok_or_else(wrong)?;
        let bare = uri.path_and_query.is_none_or(|target| target.as_str() == "/");
        if !bare || (scheme != Scheme::HTTP && scheme != Scheme::HTTPS) {
            return Err(wrong());
        }
        let profiles = credentials::read(settings.credentials)?;
        let credential = credential(settings.credentials, &profiles)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECTING));
        // A connection that is given up while it cannot send stays until the system gives it up.
        #[cfg(any(target_os = "android", target_os = "linux"))]
        http.set_tcp_user_timeout(Some(settings.timeout));
        let tls = tls(settings.ca, scheme == Scheme::HTTPS)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // It was signed, and so is there.
            .set_host(false)
            .build(connector);
        let client = SignLayer::new("s3", settings.region, credential).layer(client);
        let Settings { max_body, timeout, .. } = *settings;
        Ok(Upstream { scheme, authority, max_body, timeout, client })
    }

    /// Passes a verified head on with its body, and the answer back.
    pub(crate) async fn serve(
        &self,
        head: Passed,
        verified: &VerifiedHead,
        body: VerifiedBody<Arriving>,
    ) -> Result<Response<Body>, NotForwarded> {
        let way = sign_body(verified)?;
        let (turns, patience) = turns::begin();
        // However this ends, nothing more is taken of the body then.
        let (body, lent, ending) = Forwarded::new(body, self.max_body, turns).await?;
        let mut parts = head.into_parts();
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        parts.uri = Uri::from_parts(uri).map_err(|_| Fault::Uri)?;
        parts.headers.remove(header::HOST);
        // Nothing has a length, too, and some servers insist on it: a client leaves it out.
        let writes = parts.method == Method::PUT || parts.method == Method::POST;
        if writes && !matches!(way, SignBody::Chunked { .. }) && body.is_end_stream() {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        parts.extensions.insert(way);
        let sent = self.client.clone().oneshot(Request::from_parts(parts, body));
        let sent = tokio::select! {
            sent = sent => Some(sent),
            () = patience.ends(self.timeout) => None,
        };
        let response = match (sent, ending.take()) {
            (_, Some(Err(error))) => return Err(error),
            (Some(Ok(response)), proven) => {
                // Nobody can have carried out what has not ended yet.
                if response.status().is_success() && proven.is_none() {
                    tracing::error!("the other server answers a request that has not ended");
                    return Err(Fault::Upstream.into());
                }
                response
            }
            (Some(Err(error)), _) => {
                tracing::error!(error = %Chain(&error), "the other server does not answer");
                return Err(Fault::Upstream.into());
            }
            (None, _) => {
                tracing::error!("the other server does not answer in time");
                return Err(Fault::Upstream.into());
            }
        };
        Ok(pass_back(response, self.timeout, lent.end()))
    }
}

/// The first key of a credentials file.
fn credential(
    path: &Path,
    profiles: &[credentials::Profile],
) -> Result<FixedCredential, CredentialsError> {
    let unusable = |profile: &credentials::Profile| CredentialsError::Profile {
        path: path.to_owned(),
        profile: profile.name.clone(),
        reason: "it cannot be used to sign",
    };
    let profile = profiles
        .iter()
        .find(|profile| profile.name == "default")
        .or(profiles.first())
        .ok_or_else(|| CredentialsError::Empty { path: path.to_owned() })?;
    let token = profile.session_token.as_deref().map(|token| countersign::SessionToken::new(token));
    Ok(FixedCredential::new(&Credentials {
        access_key_id: profile.access_key_id,
        secret_key: SecretKey::new(&profile.secret_key).map_err(|_| unusable(profile))?,
        session_token: token.transpose().map_err(|_| unusable(profile))?,
    }))
}

/// Whom to trust: the certificates of a file, or else those of the system.
fn tls(ca: Option<&Path>, needed: bool) -> Result<ClientConfig, UpstreamError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| UpstreamError::Ca {
            path: path.to_owned(),
            source,
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.into()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| failed(error.into()))?;
            roots.add(certificate).map_err(|error| failed(error.into()))?;
        }
    } else if needed {
        // Some of a system's certificates are always too old for somebody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if needed && roots.is_empty() {
        return Err(UpstreamError::NobodyTrusted);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// How a body is signed anew: as its client had signed it.
fn sign_body(verified: &VerifiedHead) -> Result<SignBody, Fault> {
    let content = verified.content();
    Ok(match content {
        ContentSha256::Digest(digest) => SignBody::Digest(digest),
        ContentSha256::UnsignedPayload => SignBody::Unsigned,
        _ => SignBody::Chunked { content, chunk_len: CHUNK, trailers: trailers(verified)? },
    })
}

/// The trailers that will come, which are checksums and so have known lengths.
fn trailers(verified: &VerifiedHead) -> Result<SignTrailers, Fault> {
    let names = verified.header("x-amz-trailer").unwrap_or_default();
    let names = str::from_utf8(names).map_err(|_| Fault::Trailer)?;
    let mut lines = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let algorithm = match name.eq_ignore_ascii_case("content-md5") {
            true => Some(ChecksumAlgorithm::Md5),
            false => ChecksumAlgorithm::of_field(name),
        };
        let len = algorithm.ok_or(Fault::Trailer)?.text_len();
        lines.push((name.to_ascii_lowercase(), len));
    }
    Ok(if lines.is_empty() { SignTrailers::None } else { SignTrailers::Below(lines) })
}

/// The answer, without what is about the other server's connection.
fn pass_back(
    response: Response<Incoming>,
    timeout: Duration,
    connection: DropGuard,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    for name in gate::of_connection(&parts.headers) {
        parts.headers.remove(name);
    }
    for name in &NOT_PASSED {
        parts.headers.remove(name);
    }
    Response::from_parts(parts, Body::http_body(Answering::new(body, timeout, connection)))
}

/// A body that is lent to a connection: whoever waits for the answer takes it back, whatever state
/// the connection is in, which may never ask for it again.
struct Lent {
    /// Taken back when this is dropped.
    body: Loan,
    /// For a connection that waits for more of it.
    stop: DropGuard,
}

impl Lent {
    /// Takes the body back when there is an answer. The connection is needed for that; it waits for more of
    /// the body in vain, until what is given here is dropped.
    fn end(self) -> DropGuard {
        let Lent { body, stop } = self;
        drop(body);
        stop
    }
}

/// The lender's end of a shared body.
struct Loan(Shared);

impl Drop for Loan {
    fn drop(&mut self) {
        let body = self.0.lock().take();
        drop(body);
    }
}

/// A body, until it is taken back.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<VerifiedBody<Arriving>>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<VerifiedBody<Arriving>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verified body on its way to the other server.
pub(crate) struct Forwarded {
    body: Shared,
    /// What came of it before the other server was asked.
    first: Option<Frame<Bytes>>,
    ended: bool,
    /// How much is still to come, if that is known.
    left: Option<u64>,
    /// How much may still come.
    room: u64,
    /// Comes when nobody waits for the answer any more, or for the rest of it.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    turns: Turns,
    ending: Ending,
}

/// How a body ended, for whoever waits for the answer. Nothing, as long as it has not.
#[derive(Clone, Default)]
struct Ending(Arc<Mutex<Option<Result<(), NotForwarded>>>>);

impl Ending {
    fn set(&self, ending: Result<(), NotForwarded>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
    }

    fn take(&self) -> Option<Result<(), NotForwarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Forwarded {
    /// Waits for something of the body. A body that holds back its end gives nothing before there
    /// is more to come, or it is proven.
    async fn new(
        mut body: VerifiedBody<Arriving>,
        max_body: u64,
        turns: Turns,
    ) -> Result<(Self, Lent, Ending), NotForwarded> {
        let left = body.size_hint().exact();
        let ending = Ending::default();
        let first = body.frame().await.transpose()?;
        let ended = first.is_none();
        if ended {
            ending.set(Ok(()));
        }
        // Only a body without any data has ended by now, whatever was announced.
        let left = if ended { Some(0) } else { left };
        let stop = CancellationToken::new();
        let stopped = Box::pin(stop.clone().cancelled_owned());
        let body = Shared(Arc::new(Mutex::new(Some(body))));
        let lent = Lent { body: Loan(body.clone()), stop: stop.drop_guard() };
        let room = max_body;
        let forwarded = ending.clone();
        let body = Forwarded { body, first, ended, left, room, stopped, turns, ending: forwarded };
        Ok((body, lent, ending))
    }

    /// Counts a frame that goes out.
    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), Fault> {
        let len = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.map(|left| left.saturating_sub(len));
        self.room = self.room.checked_sub(len).ok_or(Fault::TooLarge)?;
        Ok(())
    }
}

impl HttpBody for Forwarded {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if this.stopped.as_mut().poll(cx).is_ready() {
            this.ended = true;
            return Poll::Ready(Some(Err(CutOff)));
        }
        let shared = this.body.clone();
        let mut shared = shared.lock();
        // Taken back, and the answer is on its way.
        let Some(body) = shared.as_mut() else { return Poll::Pending };
        let frame = match this.first.take() {
            Some(frame) => Some(Ok(frame)),
            None => match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    this.turns.to_client();
                    return Poll::Pending;
                }
            },
        };
        this.turns.to_server();
        let frame = frame.transpose().map_err(NotForwarded::from).and_then(|frame| {
            frame.as_ref().map_or(Ok(()), |frame| this.count(frame))?;
            Ok(frame)
        });
        match frame {
            Ok(frame) => {
                // Whoever knows the length does not ask for what comes behind the last byte.
                if frame.is_none() || body.is_end_stream() {
                    this.ended = true;
                    this.ending.set(Ok(()));
                }
                Poll::Ready(frame.map(Ok))
            }
            Err(error) => {
                this.ended = true;
                this.ending.set(Err(error));
                Poll::Ready(Some(Err(CutOff)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The other server gets no more of a body. Why is for the client to know.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body is not passed on")]
pub(crate) struct CutOff;

impl From<Fault> for NotForwarded {
    fn from(fault: Fault) -> Self {
        NotForwarded::Fault(fault)
    }
}

impl From<VerifiedBodyError<BrokenOff>> for NotForwarded {
    fn from(error: VerifiedBodyError<BrokenOff>) -> Self {
        match error {
            VerifiedBodyError::Refused(error) => NotForwarded::Body(error),
            error => NotForwarded::Fault(Fault::of_broken(&error)),
        }
    }
}

/// An error with all that caused it.
struct Chain<'e>(&'e dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}
