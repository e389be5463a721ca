//! The client's side: what a service sends is signed.
//!
//! The layer asks for the credential, signs head and body, and calls the service below, which sends
//! them. It stands closest to the network: a layer below it that changes a field breaks the
//! signature, and a layer above it that tries again gets a fresh one.

use std::borrow::ToOwned as _;
use std::boxed::Box;
use std::string::String;
use std::string::ToString as _;
use std::sync::Arc;
use std::vec::Vec;

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri, uri};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxError, KeyScope};
use crate::chunked::{ChunkSigner, Framing};
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, CredentialError, SessionToken};
use crate::http::{self as adapter, Head, SignedBody, SignedBodyError, Trailing};
use crate::sign::{SignError, Signer};
use crate::signature::SigningKey;
use crate::time::Timestamp;

/// A credential as a provider hands it out.
#[derive(Clone)]
pub struct Issued {
    /// Who signs.
    pub access_key_id: AccessKeyId,
    /// The key, derived for what was asked for.
    pub key: SigningKey,
    /// The token of a temporary credential.
    pub session_token: Option<String>,
}

/// Hands out credentials. Cache derived keys: by day, region and service.
pub trait CredentialProvider: Send + Sync + 'static {
    /// The credential to sign with, its key derived for `scope`.
    fn issue(&self, scope: KeyScope) -> impl Future<Output = Result<Issued, BoxError>> + Send;
}

impl<C: CredentialProvider> CredentialProvider for Arc<C> {
    fn issue(&self, scope: KeyScope) -> impl Future<Output = Result<Issued, BoxError>> + Send {
        C::issue(self, scope)
    }
}

/// How a body is signed. A layer has one way; a request brings another among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignBody {
    /// Not covered (`UNSIGNED-PAYLOAD`, S3): only for transports that protect it.
    Unsigned,
    /// Covered by this SHA-256 digest, which is known already. Nothing is read.
    Digest([u8; 32]),
    /// Read to its end and hashed before anything is sent.
    Whole {
        /// The longest body that is held, in bytes.
        max: usize,
    },
    /// Framed while it is sent (aws-chunked, S3), and signed chunk by chunk where `content` says so.
    /// The length of the body has to be known.
    Chunked {
        /// One of `StreamingSigned`, `StreamingSignedTrailer` and `StreamingUnsignedTrailer`.
        content: ContentSha256,
        /// Bytes of a chunk; S3 wants 8,192 at least. Whoever verifies signed chunks holds each until
        /// its signature is checked, and has a limit for that: 16 MiB unless a
        /// [`VerifyLayer`](super::VerifyLayer::max_held) is told otherwise.
        chunk_len: usize,
        /// What stands behind the data.
        trailers: SignTrailers,
    },
}

/// What stands behind the data of a body that is framed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignTrailers {
    /// Nothing.
    None,
    /// A checksum, taken while the data passes.
    Checksum(crate::checksum::ChecksumAlgorithm),
    /// Those that the body ends with, as a trailer frame: names, and how long their values will be.
    Below(Vec<(String, usize)>),
}

/// Signs requests before a service sends them.
///
/// `host` is added where it is missing, and `content-length` is set (and takes the place of
/// `transfer-encoding`) where framing changes it. The target has to be absolute, or `host` be there.
///
/// ```
/// use countersign::ContentSha256;
/// use countersign::tower::{CredentialProvider, SignBody, SignLayer, SignTrailers};
/// # use tower_layer::Layer;
/// # fn client<S>(credentials: impl CredentialProvider, service: S) {
/// // Uploads are not held: they are framed and signed chunk by chunk.
/// let layer = SignLayer::new("s3", "us-east-1", credentials).body(SignBody::Chunked {
///     content: ContentSha256::StreamingSigned,
///     chunk_len: 64 * 1024,
///     trailers: SignTrailers::None,
/// });
/// let service = layer.layer(service);
/// # let _ = service; }
/// ```
pub struct SignLayer<C> {
    service: Arc<str>,
    region: Arc<str>,
    credentials: Arc<C>,
    rules: Option<Arc<Rules>>,
    clock: fn() -> Timestamp,
    body: SignBody,
}

/// Changes the rules that a layer begins with.
type Rules = dyn for<'k> Fn(Signer<'k>) -> Signer<'k> + Send + Sync;

impl<C> SignLayer<C> {
    /// A layer for one service and region. Bodies of up to 1 MiB are held and hashed.
    pub fn new(service: impl Into<Arc<str>>, region: impl Into<Arc<str>>, credentials: C) -> Self {
        Self {
            service: service.into(),
            region: region.into(),
            credentials: Arc::new(credentials),
            rules: None,
            clock: Timestamp::now,
            body: SignBody::Whole { max: 1024 * 1024 },
        }
    }

    /// Sets how bodies are signed.
    #[must_use]
    pub fn body(mut self, body: SignBody) -> Self {
        self.body = body;
        self
    }

    /// Changes the rules, for example `|signer| signer.content_header(ContentHeader::Send)`.
    #[must_use]
    pub fn rules(
        mut self,
        rules: impl for<'k> Fn(Signer<'k>) -> Signer<'k> + Send + Sync + 'static,
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
}

impl<C> Clone for SignLayer<C> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
            region: Arc::clone(&self.region),
            credentials: Arc::clone(&self.credentials),
            rules: self.rules.clone(),
            clock: self.clock,
            body: self.body.clone(),
        }
    }
}

impl<C, S> Layer<S> for SignLayer<C> {
    type Service = SignService<C, S>;

    fn layer(&self, inner: S) -> SignService<C, S> {
        SignService { layer: Arc::new(self.clone()), inner }
    }
}

/// The service that a [`SignLayer`] makes.
pub struct SignService<C, S> {
    layer: Arc<SignLayer<C>>,
    inner: S,
}

impl<C, S: Clone> Clone for SignService<C, S> {
    fn clone(&self) -> Self {
        Self { layer: Arc::clone(&self.layer), inner: self.inner.clone() }
    }
}

impl<C, S, B> Service<http::Request<B>> for SignService<C, S>
where
    C: CredentialProvider,
    S: Service<http::Request<SigningBody<B>>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    type Response = S::Response;
    type Error = SignServiceError<S::Error, B::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(SignServiceError::Inner)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        // The clone that was asked whether it is ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = core::mem::replace(&mut self.inner, ready);
        let layer = Arc::clone(&self.layer);
        // What is taken apart here is held once.
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            let body = layer.sign(&mut parts, body).await?;
            inner
                .call(http::Request::from_parts(parts, body))
                .await
                .map_err(SignServiceError::Inner)
        })
    }
}

/// Why a request was not sent, or not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignServiceError<E, B> {
    /// The credential provider failed.
    Provider(BoxError),
    /// What it handed out cannot be part of a request.
    Credential(CredentialError),
    /// The request cannot be signed.
    Unsignable(SignError),
    /// The request cannot be represented: a session token or host that cannot stand in a field.
    Http(http::Error),
    /// The body is longer than may be held.
    TooLong,
    /// The length of a body that is to be framed is not known, or cannot be framed so.
    Framing,
    /// The body failed while it was held.
    Body(B),
    /// The service below failed.
    Inner(E),
}

impl<E, B> From<SignError> for SignServiceError<E, B> {
    fn from(error: SignError) -> Self {
        Self::Unsignable(error)
    }
}

impl<C: CredentialProvider> SignLayer<C> {
    /// Adds what has to be added to a head; gives the body to send with it.
    async fn sign<B, E>(
        &self,
        parts: &mut Parts,
        body: B,
    ) -> Result<SigningBody<B>, SignServiceError<E, B::Error>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let way = parts.extensions.remove::<SignBody>();
        let way = way.as_ref().unwrap_or(&self.body);
        let now = (self.clock)();
        let scope = KeyScope::new(now.date(), Arc::clone(&self.region), Arc::clone(&self.service));
        let issued =
            self.credentials.issue(scope.clone()).await.map_err(SignServiceError::Provider)?;
        add_host(parts).map_err(SignServiceError::Http)?;
        match way {
            SignBody::Unsigned => {
                self.head(parts, &scope, &issued, ContentSha256::UnsignedPayload, now)?;
                Ok(SigningBody(Kind::AsItIs(body)))
            }
            SignBody::Digest(digest) => {
                self.head(parts, &scope, &issued, ContentSha256::Digest(*digest), now)?;
                Ok(SigningBody(Kind::AsItIs(body)))
            }
            SignBody::Whole { max } => {
                let whole = whole(body, *max).await?;
                self.head(parts, &scope, &issued, ContentSha256::of(&whole), now)?;
                Ok(SigningBody(Kind::Whole(Some(whole).filter(|whole| !whole.is_empty()))))
            }
            SignBody::Chunked { content, chunk_len, trailers } => {
                let decoded_len = body.size_hint().exact().ok_or(SignServiceError::Framing)?;
                let names = trailers.names();
                let framing = Framing { content: *content, decoded_len, trailers: &names };
                let trailing = trailers.trailing();
                let len = framing.encoded_len(*chunk_len as u64, &trailing.lengths());
                let len = len.ok_or(SignServiceError::Framing)?;
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
                parts.headers.remove(TRANSFER_ENCODING);
                let chunks = self.stream(parts, &scope, &issued, &framing, now)?;
                let body = SignedBody::new(chunks, &framing, *chunk_len, trailing, body);
                Ok(SigningBody(Kind::Chunked(body.ok_or(SignServiceError::Framing)?)))
            }
        }
    }

    /// Signs a head.
    fn head<E, B>(
        &self,
        parts: &mut Parts,
        scope: &KeyScope,
        issued: &Issued,
        content: ContentSha256,
        now: Timestamp,
    ) -> Result<(), SignServiceError<E, B>> {
        let signer = self.signer(scope, issued)?;
        let added = at_origin(parts, |parts| {
            let head = Head::new(parts);
            let signed = signer.sign(&head.request(), content, now)?;
            adapter::fields(&signed).map_err(SignServiceError::Http)
        })?;
        append(parts, added);
        Ok(())
    }

    /// Signs the head of a body in frames.
    fn stream<E, B>(
        &self,
        parts: &mut Parts,
        scope: &KeyScope,
        issued: &Issued,
        framing: &Framing<'_>,
        now: Timestamp,
    ) -> Result<ChunkSigner, SignServiceError<E, B>> {
        let signer = self.signer(scope, issued)?;
        let (added, chunks) = at_origin(parts, |parts| {
            let head = Head::new(parts);
            let (signed, chunks) = signer.sign_stream(&head.request(), framing, now)?;
            Ok((adapter::fields(&signed).map_err(SignServiceError::Http)?, chunks))
        })?;
        append(parts, added);
        Ok(chunks)
    }

    fn signer<'k, E, B>(
        &self,
        scope: &'k KeyScope,
        issued: &'k Issued,
    ) -> Result<Signer<'k>, SignServiceError<E, B>> {
        let token = issued.session_token.as_deref().map(SessionToken::new).transpose();
        let token = token.map_err(SignServiceError::Credential)?;
        let key = issued.key.clone();
        let signer = Signer::with_key(issued.access_key_id, key, token, scope.as_scope())?;
        Ok(match &self.rules {
            None => signer,
            Some(change) => change(signer),
        })
    }
}

/// Does something with the target as it will stand on the wire: without scheme and authority.
fn at_origin<T, E, B>(
    parts: &mut Parts,
    with: impl FnOnce(&Parts) -> Result<T, SignServiceError<E, B>>,
) -> Result<T, SignServiceError<E, B>> {
    let mut target = uri::Parts::default();
    let path = parts.uri.path_and_query().cloned();
    let path = match path {
        // A client writes the slash that is left out here.
        Some(path) if path.as_str().starts_with('?') => {
            let path = PathAndQuery::try_from(std::format!("/{}", path.as_str()));
            path.map_err(|error| SignServiceError::Http(error.into()))?
        }
        Some(path) => path,
        None => PathAndQuery::from_static("/"),
    };
    target.path_and_query = Some(path);
    let target = Uri::from_parts(target).map_err(|error| SignServiceError::Http(error.into()))?;
    let absolute = core::mem::replace(&mut parts.uri, target);
    let result = with(parts);
    parts.uri = absolute;
    result
}

fn append(parts: &mut Parts, added: Vec<(HeaderName, HeaderValue)>) {
    for (name, value) in added {
        parts.headers.append(name, value);
    }
}

/// HTTP clients add `host` when they send; it has to be signed before. What they write of it into the
/// target, over HTTP/2 or to a proxy, is the same.
fn add_host(parts: &mut Parts) -> Result<(), http::Error> {
    if parts.headers.contains_key(HOST) {
        return Ok(());
    }
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    let default = match parts.uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    let port = authority.port().filter(|port| Some(port.as_u16()) != default);
    let host = match port {
        None => authority.host().to_owned(),
        Some(port) => std::format!("{}:{port}", authority.host()),
    };
    let field = HeaderValue::try_from(&*host)?;
    if authority.as_str() != host {
        let mut target = parts.uri.clone().into_parts();
        target.authority = Some(host.parse()?);
        parts.uri = Uri::from_parts(target)?;
    }
    parts.headers.insert(HOST, field);
    Ok(())
}

/// All of a body.
async fn whole<B, E>(mut body: B, max: usize) -> Result<Bytes, SignServiceError<E, B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = core::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(SignServiceError::Body)?.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > max {
            return Err(SignServiceError::TooLong);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

impl SignTrailers {
    /// As `x-amz-trailer` announces them.
    fn names(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Checksum(algorithm) => algorithm.field().to_string(),
            Self::Below(lines) => {
                lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
            }
        }
    }

    fn trailing(&self) -> Trailing {
        match self {
            Self::None => Trailing::Nothing,
            Self::Checksum(algorithm) => {
                Trailing::Checksum(crate::checksum::Checksummer::new(*algorithm))
            }
            Self::Below(lines) => Trailing::Below(lines.clone()),
        }
    }
}

/// The body that a [`SignService`] sends.
pub struct SigningBody<B>(Kind<B>);

enum Kind<B> {
    AsItIs(B),
    Whole(Option<Bytes>),
    Chunked(SignedBody<B>),
}

impl<B> Body for SigningBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = SignedBodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Kind::Whole(whole) => Poll::Ready(whole.take().map(|data| Ok(Frame::data(data)))),
            Kind::Chunked(body) => Pin::new(body).poll_frame(cx),
            Kind::AsItIs(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(SignedBodyError::Inner))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::AsItIs(body) => body.is_end_stream(),
            Kind::Whole(whole) => whole.is_none(),
            Kind::Chunked(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::AsItIs(body) => body.size_hint(),
            Kind::Whole(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Chunked(body) => body.size_hint(),
        }
    }
}

impl<E: fmt::Display, B: fmt::Display> fmt::Display for SignServiceError<E, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => write!(f, "no credential: {error}"),
            Self::Credential(error) => error.fmt(f),
            Self::Unsignable(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
            Self::TooLong => f.write_str("the body is longer than may be held to hash it"),
            Self::Framing => f.write_str("the length of a body that is to be framed is not known"),
            Self::Body(error) => error.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E, B> core::error::Error for SignServiceError<E, B>
where
    E: core::error::Error + 'static,
    B: core::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Provider(error) => Some(&**error),
            Self::Credential(error) => Some(error),
            Self::Unsignable(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::TooLong | Self::Framing => None,
            Self::Body(error) => Some(error),
            Self::Inner(error) => Some(error),
        }
    }
}

impl<B> fmt::Debug for SigningBody<B> {
    /// Shows how the body is signed, and no data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SigningBody");
        match &self.0 {
            Kind::AsItIs(_) => shown.finish_non_exhaustive(),
            Kind::Whole(whole) => {
                shown.field("whole", &whole.as_ref().map_or(0, Bytes::len)).finish_non_exhaustive()
            }
            Kind::Chunked(body) => shown.field("chunked", body).finish_non_exhaustive(),
        }
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for SignLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignLayer")
            .field("service", &self.service)
            .field("region", &self.region)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl<C, S> fmt::Debug for SignService<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignService").finish_non_exhaustive()
    }
}
