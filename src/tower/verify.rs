//! Middleware (feature `tower`): a service behind [`VerifyLayer`] gets verified heads and verifying bodies.
//!
//! The layer reads the claim, asks for the key, verifies, and only then calls the service: with
//! [`VerifiedHead`] among the request's extensions and a
//! [`VerifiedBody`] in place of the body. A request that is refused is
//! answered by the layer, before its body is touched; `100 Continue` is therefore sent only for
//! heads that verified.

use std::boxed::Box;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::BodyVerifier;
use crate::canonical::Dialect;
use crate::credential::{AccessKeyId, SessionToken};
use crate::error::{Error, Family};
use crate::http::{Head, VerifiedBody};
use crate::signature::SigningKey;
use crate::time::{Date, Timestamp};
use crate::verify::{Claim, Mechanism, Verified, Verifier, VerifyError};

/// What a key is looked up by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wanted {
    /// The name that the request claims; not proven.
    pub claimed_access_key_id: AccessKeyId,
    /// The day the key has to be derived for.
    pub date: Date,
    /// The region it has to be derived for.
    pub region: Arc<str>,
    /// The service it has to be derived for.
    pub service: Arc<str>,
    /// The session token that came along, if one did.
    pub session_token: Option<ClaimedToken>,
}

/// A session token as a request carries it, not checked yet.
#[derive(Clone)]
pub struct ClaimedToken(Vec<u8>);

impl ClaimedToken {
    /// The token's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A key as a provider finds it.
#[derive(Clone)]
pub struct Found {
    /// The key, derived for what was wanted.
    pub key: SigningKey,
    /// The token that the request has to carry, if the key is a temporary one.
    pub session_token: Option<String>,
}

/// Finds keys. Cache derived ones: by name, secret's generation, day, region and service.
pub trait KeyProvider: Send + Sync + 'static {
    /// The key of a name; `None` if there is none. An error is answered with status 500 and its text
    /// goes nowhere.
    fn find(
        &self,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Option<Found>, Box<dyn core::error::Error + Send + Sync>>> + Send;
}

/// A verified head: what the signature covers, for handlers to trust. It is among the extensions of
/// every request that a [`VerifyLayer`] lets through.
#[derive(Clone)]
pub struct VerifiedHead {
    access_key_id: AccessKeyId,
    mechanism: Mechanism,
    timestamp: Timestamp,
    path: Vec<u8>,
    query: Vec<(Vec<u8>, Vec<u8>)>,
    headers: Vec<(String, Vec<u8>)>,
}

impl VerifiedHead {
    fn of(verified: &Verified<'_>) -> Self {
        let mut headers = Vec::<(String, Vec<u8>)>::new();
        for name in verified.covered() {
            let known = headers.last().is_some_and(|(last, _)| last.eq_ignore_ascii_case(name));
            if let Some(field) = verified.header(name).filter(|_| !known) {
                headers.push((name.to_ascii_lowercase(), field.joined()));
            }
        }
        Self {
            access_key_id: verified.access_key_id(),
            mechanism: verified.mechanism(),
            timestamp: verified.timestamp(),
            path: verified.path().to_vec(),
            query: verified.query().map(|p| (p.name.to_vec(), p.value.to_vec())).collect(),
            headers,
        }
    }

    /// Who signed.
    #[must_use]
    pub fn access_key_id(&self) -> AccessKeyId {
        self.access_key_id
    }

    /// Where the signature stood.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// When, by the signer's clock.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The path, decoded as it was signed.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The query, decoded as it was signed, without the signature's own parameters: names and
    /// values, in canonical order.
    pub fn query(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.query.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// A field that the signature covers, its values joined with commas.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let field = self.headers.iter().find(|(covered, _)| covered.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_slice())
    }
}

/// Verifies requests before a service sees them.
///
/// ```
/// use countersign::tower::{Found, KeyProvider, VerifyLayer, Wanted};
/// use countersign::{CredentialScope, SecretKey, SigningKey};
///
/// struct Keys;
///
/// impl KeyProvider for Keys {
///     async fn find(&self, wanted: Wanted) -> Result<Option<Found>, Box<dyn std::error::Error + Send + Sync>> {
///         if wanted.claimed_access_key_id.as_str() != "AKIAIOSFODNN7EXAMPLE" {
///             return Ok(None);
///         }
///         let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
///         let scope = CredentialScope { date: wanted.date, region: &wanted.region, service: &wanted.service };
///         Ok(Some(Found { key: SigningKey::derive(&secret, &scope), session_token: None }))
///     }
/// }
///
/// let layer = VerifyLayer::new("s3", "us-east-1", Keys);
/// # let _ = layer;
/// ```
pub struct VerifyLayer<K> {
    shared: Arc<Shared<K>>,
}

/// Changes the rules that a layer begins with.
type Rules = dyn for<'p> Fn(Verifier<'p>) -> Verifier<'p> + Send + Sync;

struct Shared<K> {
    service: Arc<str>,
    region: Arc<str>,
    rules: Option<Box<Rules>>,
    keys: K,
    clock: fn() -> Timestamp,
    max_whole: usize,
}

impl<K> VerifyLayer<K> {
    /// A layer for one service and region.
    pub fn new(service: impl Into<Arc<str>>, region: impl Into<Arc<str>>, keys: K) -> Self {
        Self {
            shared: Arc::new(Shared {
                service: service.into(),
                region: region.into(),
                rules: None,
                keys,
                clock: Timestamp::now,
                max_whole: 1024 * 1024,
            }),
        }
    }

    /// Changes the rules, for example `|rules| rules.clock_skew(Duration::from_secs(60))`. To be
    /// called before the layer is cloned or used; later it changes nothing.
    #[must_use]
    pub fn rules(
        mut self,
        rules: impl for<'p> Fn(Verifier<'p>) -> Verifier<'p> + Send + Sync + 'static,
    ) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.rules = Some(Box::new(rules));
        }
        self
    }

    /// Sets the clock; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: fn() -> Timestamp) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.clock = clock;
        }
        self
    }

    /// Sets how long a body may be, in bytes, that has to be held before its head can be verified:
    /// outside S3, where its digest is signed and not sent. Default 1 MiB.
    #[must_use]
    pub fn max_whole(mut self, len: usize) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.max_whole = len;
        }
        self
    }
}

impl<K> Clone for VerifyLayer<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, S> Layer<S> for VerifyLayer<K> {
    type Service = VerifyService<K, S>;

    fn layer(&self, inner: S) -> VerifyService<K, S> {
        VerifyService { shared: Arc::clone(&self.shared), inner }
    }
}

/// The service that a [`VerifyLayer`] makes.
pub struct VerifyService<K, S> {
    shared: Arc<Shared<K>>,
    inner: S,
}

impl<K, S: Clone> Clone for VerifyService<K, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), inner: self.inner.clone() }
    }
}

impl<K, S, B, R> Service<http::Request<B>> for VerifyService<K, S>
where
    K: KeyProvider,
    S: Service<http::Request<VerifiedBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
    R: From<String> + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        // The clone that was asked whether it is ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = core::mem::replace(&mut self.inner, ready);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            let now = (shared.clock)();
            let outcome = match shared.whole(&mut body).await {
                Ok(whole) => {
                    let admitted = shared.admit(&parts, whole.as_deref(), now).await;
                    admitted.map(|(head, machine)| (head, machine, whole))
                }
                Err(refusal) => Err(refusal),
            };
            match outcome {
                Ok((head, machine, whole)) => {
                    parts.extensions.insert(head);
                    let body = VerifiedBody::received(machine, whole, body);
                    inner.call(http::Request::from_parts(parts, body)).await
                }
                Err(refusal) => Ok(shared.answer(refusal, &parts)),
            }
        })
    }
}

/// Why a layer answers by itself, and the body of its answer.
enum Refusal {
    Refused(Error, String),
    TooLong,
    /// The key provider failed.
    Unavailable,
}

impl<K: KeyProvider> Shared<K> {
    fn verifier(&self) -> Verifier<'_> {
        let rules = Verifier::service(&self.service, &self.region);
        match &self.rules {
            None => rules,
            Some(change) => change(rules),
        }
    }

    /// The body, where the head cannot be verified without it.
    async fn whole<B>(&self, body: &mut B) -> Result<Option<Bytes>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if self.verifier().dialect() == Dialect::S3 {
            return Ok(None);
        }
        let mut whole = BytesMut::new();
        loop {
            match core::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                None => return Ok(Some(whole.freeze())),
                Some(Err(_)) => {
                    let error = Error::Body(crate::body::BodyError::Truncated);
                    return Err(Refusal::Refused(error, String::new()));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if whole.len().saturating_add(data.len()) > self.max_whole {
                        return Err(Refusal::TooLong);
                    }
                    whole.extend_from_slice(&data);
                }
            }
        }
    }

    async fn admit(
        &self,
        parts: &Parts,
        whole: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(VerifiedHead, BodyVerifier), Refusal> {
        let rules = self.verifier();
        let head = Head::new(parts);
        let refuse = |error: Error| {
            let request = head.request();
            let hint = error.hint(Family::of(rules.dialect()));
            let hint = match whole {
                None => hint.about(&rules, &request, now),
                Some(body) => hint.about_whole(&rules, &request, body, now),
            };
            Refusal::Refused(error, hint.body("", "").to_string())
        };
        let wanted = {
            let claim = read(&rules, &head, whole, now).map_err(&refuse)?;
            let scope = claim.scope();
            Wanted {
                claimed_access_key_id: claim.claimed_access_key_id(),
                date: scope.date,
                region: Arc::clone(&self.region),
                service: Arc::clone(&self.service),
                session_token: claim.session_token().map(|token| ClaimedToken(token.to_vec())),
            }
        };
        let found = self.keys.find(wanted).await.map_err(|_| Refusal::Unavailable)?;
        let claim = read(&rules, &head, whole, now).map_err(&refuse)?;
        let verified = match &found {
            // The same work as a wrong signature; no key is told from another by its time.
            None => Err(claim.refuse_unknown_key(&SigningKey::from_bytes(&[0; 32]))),
            Some(Found { key, session_token: None }) => claim.verify(key),
            Some(Found { key, session_token: Some(token) }) => match SessionToken::new(token) {
                Ok(token) => claim.verify_session(key, token),
                Err(_) => Err(VerifyError::SessionTokenMismatch),
            },
        };
        let verified = verified.map_err(|error| refuse(error.into()))?;
        let view = VerifiedHead::of(&verified);
        #[cfg(feature = "checksums")]
        let machine = verified.into_checked_body().map_err(|error| refuse(error.into()))?;
        #[cfg(not(feature = "checksums"))]
        let machine = verified.into_body();
        Ok((view, machine))
    }

    fn answer<R: From<String>>(&self, refusal: Refusal, parts: &Parts) -> Response<R> {
        let family = Family::of(self.verifier().dialect());
        let (status, body) = match refusal {
            Refusal::Refused(error, body) => (error.status(family), body),
            Refusal::TooLong => (413, String::new()),
            Refusal::Unavailable => (500, String::new()),
        };
        let media = Error::Read(crate::verify::ReadError::Anonymous).hint(family).content_type();
        // An answer to HEAD has no body.
        let body = if parts.method == http::Method::HEAD { String::new() } else { body };
        let mut response = Response::new(R::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media));
        response
    }
}

/// The claim of a head. It is read before and after the key is fetched: it borrows the head, costs
/// one hash, and so no future has to hold it.
fn read<'r>(
    rules: &Verifier<'r>,
    head: &'r Head<'r>,
    whole: Option<&[u8]>,
    now: Timestamp,
) -> Result<Claim<'r>, Error> {
    let request = head.request();
    match whole {
        None => Ok(rules.read(&request, now)?),
        Some(body) => Ok(rules.read_whole(&request, body, now)?),
    }
}

impl fmt::Debug for VerifiedHead {
    /// Shows no values: a session token can be among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedHead")
            .field("access_key_id", &self.access_key_id)
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClaimedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimedToken([redacted])")
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Found([redacted])")
    }
}

impl<K> fmt::Debug for VerifyLayer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer")
            .field("service", &self.shared.service)
            .field("region", &self.shared.region)
            .finish_non_exhaustive()
    }
}

impl<K, S> fmt::Debug for VerifyService<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyService").finish_non_exhaustive()
    }
}
