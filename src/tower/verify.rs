//! The server's side: nothing reaches a service before it is verified.
//!
//! The layer reads the claim, asks for the key, verifies, and only then calls the service: with
//! [`VerifiedHead`] among the request's extensions and a [`VerifiedBody`] in place of the body. A
//! request that is refused is answered by the layer, before its body is touched; `100 Continue` is
//! therefore sent only for heads that verified.

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

use super::pairs::Pairs;
use super::{BoxError, KeyScope};
use crate::body::{BodyError, BodyVerifier};
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, SessionToken};
use crate::error::{Error, Family, Hint};
use crate::http::{Head, Hold, VerifiedBody};
use crate::signature::SigningKey;
use crate::time::Timestamp;
use crate::verify::{Mechanism, ReadError, Verified, Verifier, VerifyError};

/// What a key is looked up by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wanted {
    /// The name that the request claims; not proven.
    pub claimed_access_key_id: AccessKeyId,
    /// What the key has to be derived for.
    pub scope: KeyScope,
    /// The session token that came along, if one did.
    pub session_token: Option<ClaimedToken>,
}

impl Wanted {
    /// What a provider is asked for, for tests of providers.
    #[must_use]
    pub fn new(
        claimed_access_key_id: AccessKeyId,
        scope: KeyScope,
        session_token: Option<ClaimedToken>,
    ) -> Self {
        Self { claimed_access_key_id, scope, session_token }
    }
}

/// A session token as a request carries it, not checked yet.
#[derive(Clone)]
pub struct ClaimedToken(Vec<u8>);

impl ClaimedToken {
    /// Takes the token's bytes.
    #[must_use]
    pub fn new(token: impl Into<Vec<u8>>) -> Self {
        Self(token.into())
    }

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
    fn find(&self, wanted: Wanted) -> impl Future<Output = Result<Option<Found>, BoxError>> + Send;
}

impl<K: KeyProvider> KeyProvider for Arc<K> {
    fn find(&self, wanted: Wanted) -> impl Future<Output = Result<Option<Found>, BoxError>> + Send {
        K::find(self, wanted)
    }
}

/// A verified head: what the signature covers, for handlers to trust. It is among the extensions of
/// every request that a [`VerifyLayer`] lets through.
#[derive(Clone)]
pub struct VerifiedHead {
    access_key_id: AccessKeyId,
    mechanism: Mechanism,
    content: ContentSha256,
    timestamp: Timestamp,
    answers: Answers,
    path: Vec<u8>,
    query: Pairs,
    headers: Pairs,
}

impl VerifiedHead {
    fn of(verified: &Verified<'_>, answers: Answers) -> Self {
        let mut query = Pairs::default();
        // Many requests have none, and to sort parameters takes room that is made first.
        if verified.has_query() {
            for parameter in verified.query() {
                query.put(
                    |text| parameter.name.pieces(|piece| text.extend_from_slice(piece)),
                    |text| parameter.value.pieces(|piece| text.extend_from_slice(piece)),
                );
            }
        }
        Self {
            access_key_id: verified.access_key_id(),
            mechanism: verified.mechanism(),
            content: verified.content(),
            answers,
            timestamp: verified.timestamp(),
            path: verified.path().to_vec(),
            query,
            headers: Pairs::of_fields(verified.covered_fields()),
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

    /// What the signature says of the body.
    #[must_use]
    pub fn content(&self) -> ContentSha256 {
        self.content
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
        self.query.iter()
    }

    /// A field that the signature covers, its values joined with commas, as they were signed but
    /// for runs of spaces.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(covered, _)| covered.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value)
    }

    /// The answer to a request whose body was refused after its head had been verified, as the
    /// layer would have given it. The error is among its extensions.
    ///
    /// ```
    /// use countersign::http::VerifiedBodyError;
    /// use countersign::tower::VerifiedHead;
    ///
    /// fn answer<E>(head: &VerifiedHead, error: VerifiedBodyError<E>) -> http::Response<String> {
    ///     match error {
    ///         VerifiedBodyError::Refused(error) => head.refuse(error),
    ///         // The peer has gone, or sends chunks that nobody can hold.
    ///         _ => http::Response::builder().status(400).body(String::new()).expect("a response"),
    ///     }
    /// }
    /// ```
    pub fn refuse<R: From<String>>(&self, error: BodyError) -> Response<R> {
        let error = Error::from(error);
        let hint = error.hint(self.answers.family);
        self.answers.refusal(error, self.answers.body(&hint))
    }
}

/// How refusals of one request are answered.
#[derive(Clone)]
struct Answers {
    family: Family,
    /// An answer to HEAD has no body.
    bodiless: bool,
    ids: RequestIds,
}

/// Names of a request and of the host that answers it, as they stand in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestIds {
    /// `RequestId`, which S3 also sends as `x-amz-request-id`.
    pub request: String,
    /// `HostId`, which S3 also sends as `x-amz-id-2`.
    pub host: String,
}

impl RequestIds {
    /// Takes both.
    #[must_use]
    pub fn new(request: impl Into<String>, host: impl Into<String>) -> Self {
        Self { request: request.into(), host: host.into() }
    }
}

impl Answers {
    fn body(&self, hint: &Hint<'_>) -> String {
        hint.body(&self.ids.request, &self.ids.host).to_string()
    }

    fn refusal<R: From<String>>(&self, error: Error, body: String) -> Response<R> {
        let mut response = self.respond(error.status(self.family), body);
        response.extensions_mut().insert(error);
        response
    }

    fn respond<R: From<String>>(&self, status: u16, body: String) -> Response<R> {
        let media = Error::from(ReadError::Anonymous).hint(self.family).content_type();
        let mut response = Response::new(R::from(if self.bodiless { String::new() } else { body }));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media));
        response
    }
}

/// Verifies requests before a service sees them.
///
/// It is about claims in heads. A form for a browser upload carries its claim in its body, and is
/// refused here; a server that takes forms sends them another way before the layer:
/// [`Verifier::attempted`] gives [`Mechanism::Form`] for a POST of `multipart/form-data` that makes
/// no claim in its head, and `http::FormUpload` (feature `multipart`) takes it from there.
///
/// ```
/// use countersign::tower::{BoxError, Found, KeyProvider, VerifyLayer, Wanted};
/// use countersign::{SecretKey, SigningKey};
///
/// struct Keys;
///
/// impl KeyProvider for Keys {
///     async fn find(&self, wanted: Wanted) -> Result<Option<Found>, BoxError> {
///         if wanted.claimed_access_key_id.as_str() != "AKIAIOSFODNN7EXAMPLE" {
///             return Ok(None);
///         }
///         let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
///         let key = SigningKey::derive(&secret, &wanted.scope.as_scope());
///         Ok(Some(Found { key, session_token: None }))
///     }
/// }
///
/// let layer = VerifyLayer::new("s3", "us-east-1", Keys);
/// # let _ = layer;
/// ```
pub struct VerifyLayer<K> {
    service: Arc<str>,
    region: Arc<str>,
    keys: Arc<K>,
    rules: Option<Arc<Rules>>,
    ids: Option<Arc<Ids>>,
    clock: fn() -> Timestamp,
    hold: Hold,
    max_held: Option<usize>,
    max_whole: usize,
}

/// Changes the rules that a layer begins with.
type Rules = dyn for<'p> Fn(Verifier<'p>) -> Verifier<'p> + Send + Sync;

/// Names a request.
type Ids = dyn Fn(&Parts) -> RequestIds + Send + Sync;

impl<K> VerifyLayer<K> {
    /// A layer for one service and region.
    pub fn new(service: impl Into<Arc<str>>, region: impl Into<Arc<str>>, keys: K) -> Self {
        Self {
            service: service.into(),
            region: region.into(),
            keys: Arc::new(keys),
            rules: None,
            ids: None,
            clock: Timestamp::now,
            hold: Hold::default(),
            max_held: None,
            max_whole: 1024 * 1024,
        }
    }

    /// Changes the rules, for example `|rules| rules.clock_skew(Duration::from_secs(60))`.
    #[must_use]
    pub fn rules(
        mut self,
        rules: impl for<'p> Fn(Verifier<'p>) -> Verifier<'p> + Send + Sync + 'static,
    ) -> Self {
        self.rules = Some(Arc::new(rules));
        self
    }

    /// Sets the clock; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how requests are named in answers that refuse them; by default they have no names.
    #[must_use]
    pub fn ids(mut self, ids: impl Fn(&Parts) -> RequestIds + Send + Sync + 'static) -> Self {
        self.ids = Some(Arc::new(ids));
        self
    }

    /// Sets what a body holds back until it is verified.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Sets how much of a body may be held until it is verified, as
    /// [`VerifiedBody::max_held`](crate::http::VerifiedBody::max_held) does.
    #[must_use]
    pub fn max_held(mut self, len: usize) -> Self {
        self.max_held = Some(len);
        self
    }

    /// Sets how long a body may be, in bytes, that has to be held before its head can be verified:
    /// outside S3, where its digest is signed and not sent. Default 1 MiB. The head is read first, so
    /// nothing is held of a request that can be refused without a key.
    #[must_use]
    pub fn max_whole(mut self, len: usize) -> Self {
        self.max_whole = len;
        self
    }
}

impl<K> Clone for VerifyLayer<K> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
            region: Arc::clone(&self.region),
            keys: Arc::clone(&self.keys),
            rules: self.rules.clone(),
            ids: self.ids.clone(),
            ..*self
        }
    }
}

impl<K, S> Layer<S> for VerifyLayer<K> {
    type Service = VerifyService<K, S>;

    fn layer(&self, inner: S) -> VerifyService<K, S> {
        VerifyService { layer: Arc::new(self.clone()), inner }
    }
}

/// The service that a [`VerifyLayer`] makes.
pub struct VerifyService<K, S> {
    layer: Arc<VerifyLayer<K>>,
    inner: S,
}

impl<K, S: Clone> Clone for VerifyService<K, S> {
    fn clone(&self) -> Self {
        Self { layer: Arc::clone(&self.layer), inner: self.inner.clone() }
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
        let layer = Arc::clone(&self.layer);
        // What is taken apart here is held once.
        let (mut parts, mut body) = request.into_parts();
        Box::pin(async move {
            let (head, machine, whole) = match layer.admit(&parts, &mut body).await {
                Ok(admitted) => admitted,
                Err(answer) => return Ok(answer),
            };
            parts.extensions.insert(head);
            let body = VerifiedBody::received(machine, whole, body).hold(layer.hold);
            let body = match layer.max_held {
                None => body,
                Some(len) => body.max_held(len),
            };
            inner.call(http::Request::from_parts(parts, body)).await
        })
    }
}

/// A head that is verified, the machine for its body, and the body if that had to be held.
type Admitted = (VerifiedHead, Box<BodyVerifier>, Option<Bytes>);

/// Why a body is not taken in, or a key not found.
enum Refusal {
    Refused(Error),
    /// A status that says it all.
    Unanswerable(u16),
}

impl Refusal {
    /// The answer, which has no body.
    fn answer<R: From<String>>(self, answers: &Answers) -> Response<R> {
        match self {
            Self::Refused(error) => answers.refusal(error, String::new()),
            Self::Unanswerable(status) => answers.respond(status, String::new()),
        }
    }
}

impl<K: KeyProvider> VerifyLayer<K> {
    fn verifier(&self) -> Verifier<'_> {
        let rules = Verifier::service(&self.service, &self.region);
        match &self.rules {
            None => rules,
            Some(change) => change(rules),
        }
    }

    fn answers(&self, rules: &Verifier<'_>, parts: &Parts) -> Answers {
        Answers {
            family: Family::of(rules.dialect()),
            bodiless: parts.method == http::Method::HEAD,
            ids: self.ids.as_ref().map(|ids| ids(parts)).unwrap_or_default(),
        }
    }

    /// All of the body, which the head cannot be verified without.
    async fn whole<B>(&self, body: &mut B) -> Result<Bytes, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.size_hint().lower() > self.max_whole as u64 {
            return Err(Refusal::Unanswerable(413));
        }
        let mut whole = BytesMut::new();
        loop {
            match core::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                None => return Ok(whole.freeze()),
                Some(Err(_)) => {
                    let error = Error::Body(BodyError::Truncated);
                    return Err(Refusal::Refused(error));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if whole.len().saturating_add(data.len()) > self.max_whole {
                        return Err(Refusal::Unanswerable(413));
                    }
                    whole.extend_from_slice(&data);
                }
            }
        }
    }

    /// Verifies the head; gives the machine for the body, and the body if that had to be held. Else the
    /// answer.
    ///
    /// Many requests can wait for keys and bodies: whatever is large is kept over as few of the waits
    /// as can be.
    async fn admit<B, R>(&self, parts: &Parts, body: &mut B) -> Result<Admitted, Response<R>>
    where
        B: Body<Data = Bytes> + Unpin,
        R: From<String>,
    {
        let now = (self.clock)();
        let head = Head::new(parts);
        let whole: Option<Bytes>;
        let (answers, read) = {
            let rules = self.verifier();
            let answers = self.answers(&rules, parts);
            let read = match rules.read(&head.request(), now) {
                Err(ReadError::ContentUnknown) => None,
                read => Some(read),
            };
            let read = match read {
                Some(read) => {
                    whole = None;
                    read
                }
                None => {
                    let body = self.whole(body).await;
                    whole = Some(body.map_err(|refusal| refusal.answer(&answers))?);
                    let body = whole.as_deref().unwrap_or_default();
                    rules.read_whole(&head.request(), body, now)
                }
            };
            (answers, read)
        };
        let refuse = |error: Error| {
            let (rules, request) = (self.verifier(), head.request());
            let hint = error.hint(answers.family);
            let hint = match &whole {
                None => hint.about(&rules, &request, now),
                Some(body) => hint.about_whole(&rules, &request, body, now),
            };
            answers.refusal(error, answers.body(&hint))
        };
        let claim = match read {
            Ok(claim) => claim,
            Err(error) => return Err(refuse(error.into())),
        };
        let wanted = Wanted {
            claimed_access_key_id: claim.claimed_access_key_id(),
            scope: KeyScope::new(
                claim.scope().date,
                Arc::clone(&self.region),
                Arc::clone(&self.service),
            ),
            session_token: claim.session_token().map(|token| ClaimedToken(token.to_vec())),
        };
        let found = self.keys.find(wanted).await;
        let found = found.map_err(|_| Refusal::Unanswerable(500).answer(&answers))?;
        let verified = match &found {
            // The same work as a wrong signature; no key is told from another by its time.
            None => Err(claim.refuse_unknown_key(&SigningKey::from_bytes(&[0; 32]))),
            Some(Found { key, session_token: None }) => claim.verify(key),
            Some(Found { key, session_token: Some(token) }) => match SessionToken::new(token) {
                Ok(token) => claim.verify_session(key, token),
                Err(_) => Err(VerifyError::SessionTokenMismatch),
            },
        };
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return Err(refuse(error.into())),
        };
        let view = VerifiedHead::of(&verified, answers.clone());
        match verified.into_checked_body() {
            Ok(machine) => Ok((view, Box::new(machine), whole)),
            Err(error) => Err(refuse(error.into())),
        }
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
            .field("service", &self.service)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl<K, S> fmt::Debug for VerifyService<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyService").finish_non_exhaustive()
    }
}
