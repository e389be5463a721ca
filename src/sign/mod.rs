//! Signing: from a request and a credential to what must be added to the request.
//!
//! The mirror of `verify/`: the same canonical request, string to sign and key. A signer never
//! edits a request and never reads a clock; it says which fields or parameters to add.
//!
//! AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference,
//! "Authenticating Requests: Using Query Parameters".

mod presigned;
mod signed;

use core::fmt;
use core::time::Duration;

use crate::canonical::{
    Authentication, CanonicalRequest, Dialect, Fields, Path, PlusSign, Query, StringToSign, Token,
};
use crate::chain::Chain;
use crate::chunked::{ChunkSigner, Framing};
use crate::content::ContentSha256;
use crate::credential::{
    AccessKeyId, CredentialError, CredentialScope, Credentials, SessionToken, SessionTokenRule,
};
use crate::request::{Header, Limits, Request, RequestError, Target, trim};
use crate::signature::{Signature, SigningKey};
use crate::time::Timestamp;

pub use presigned::Presigned;
pub use signed::Signed;

/// The longest life of a presigned URL: seven days.
const MAX_EXPIRES: u64 = 604_800;

/// Fields that are never signed, because proxies and HTTP stacks change, add or drop them.
///
/// The lists of the IAM User Guide and of botocore, and `accept-encoding`, which some front ends
/// rewrite.
const NEVER_SIGNED: [&str; 17] = [
    "accept-encoding",
    "authorization",
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Fields that the signer writes and that must not be in the request yet.
const RESERVED: [&str; 7] = [
    "authorization",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-trailer",
];

/// Signs requests with one credential, for one day, region and service.
///
/// All fields of a request are signed but for those that proxies are known to change
/// (`user-agent`, `connection`, `accept-encoding` and the like). To sign fewer, hand over a request
/// with fewer fields. `host` must be among them.
///
/// ```
/// use countersign::{
///     AccessKeyId, ContentSha256, CredentialScope, Credentials, Header, Request, SecretKey, Signer,
///     Timestamp,
/// };
///
/// let now = Timestamp::parse("20130524T000000Z")?;
/// let credentials = Credentials {
///     access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
///     secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
///     session_token: None,
/// };
/// let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
/// let signer = Signer::new(&credentials, scope)?;
///
/// let headers = [
///     Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" },
///     Header { name: "Range", value: b"bytes=0-9" },
/// ];
/// let request = Request { method: "GET", target: "/test.txt", headers: &headers };
/// let signed = signer.sign(&request, ContentSha256::EMPTY, now)?;
/// for (name, value) in signed.headers() {
///     println!("{name}: {value}");
/// }
/// assert_eq!(
///     signed.signature().to_string(),
///     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Signer<'a> {
    access_key_id: AccessKeyId,
    key: SigningKey,
    scope: CredentialScope<'a>,
    token: Option<SessionToken<'a>>,
    token_rule: SessionTokenRule,
    content_header: ContentHeader,
    limits: Limits,
}

/// Whether a signed request carries `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHeader {
    /// The field is sent and signed: what S3 demands.
    Send,
    /// The field is left out where the service computes the digest itself. A body that is not
    /// covered by a digest is announced all the same.
    Omit,
}

/// Why a request cannot be signed. Always the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The request head cannot be read.
    Request(RequestError),
    /// Region or service cannot stand in a credential scope.
    Credential(CredentialError),
    /// The time lies on another day than the signer's scope: its key is not good for that day.
    ScopeDate,
    /// The request already has a field that the signer writes, or a signature.
    ReservedField,
    /// The query already has a parameter that the signer writes, in this or another spelling, or is
    /// signed with Signature Version 2.
    ReservedParameter,
    /// A signature names its signed fields, and this name cannot stand in that list: it has a `%`, or,
    /// in a presigned URL, any character that would have to be escaped.
    FieldName,
    /// A presigned URL lives 1 to 604,800 whole seconds.
    ExpiresRange,
    /// The request announces another content than the one to be signed, or (S3) a digest that it
    /// does not announce.
    ContentConflict,
    /// A streamed body is signed with [`Signer::sign_stream`], for S3 and with no other content than
    /// the three that it names.
    StreamingUnsupported,
    /// The trailers have names that cannot be trailers, or the mode has none.
    Trailers,
}

impl<'a> Signer<'a> {
    /// A signer for one credential and one scope; the key is derived once, here.
    ///
    /// # Errors
    /// [`SignError::Credential`] if region or service is empty or has a character that cannot stand
    /// in a scope.
    pub fn new(
        credentials: &Credentials<'a>,
        scope: CredentialScope<'a>,
    ) -> Result<Self, SignError> {
        let key = SigningKey::derive(&credentials.secret_key, &scope);
        Self::with_key(credentials.access_key_id, key, credentials.session_token, scope)
    }

    /// A signer with a key that was derived before, for exactly this scope.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_key(
        access_key_id: AccessKeyId,
        key: SigningKey,
        session_token: Option<SessionToken<'a>>,
        scope: CredentialScope<'a>,
    ) -> Result<Self, SignError> {
        scope.check().map_err(SignError::Credential)?;
        Ok(Self {
            access_key_id,
            key,
            scope,
            token: session_token,
            token_rule: SessionTokenRule::of_service(scope.service),
            content_header: match Dialect::of_service(scope.service) {
                Dialect::S3 => ContentHeader::Send,
                Dialect::Standard => ContentHeader::Omit,
            },
            limits: Limits::DEFAULT,
        })
    }

    /// Sets when the session token joins the request. Default: signed, but for
    /// `iotdevicegateway`.
    #[must_use]
    pub fn session_token(mut self, rule: SessionTokenRule) -> Self {
        self.token_rule = rule;
        self
    }

    /// Sets whether requests carry `x-amz-content-sha256`. Default: sent for S3, else left out.
    #[must_use]
    pub fn content_header(mut self, rule: ContentHeader) -> Self {
        self.content_header = rule;
        self
    }

    /// Sets how much of a request head is read. Default: [`Limits::DEFAULT`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.clamped();
        self
    }

    /// Signs a whole request; the result says which fields to add.
    ///
    /// # Errors
    /// [`SignError`]; nothing that was given is changed.
    pub fn sign<'r>(
        &self,
        request: &Request<'r>,
        content: ContentSha256,
        now: Timestamp,
    ) -> Result<Signed<'r>, SignError>
    where
        'a: 'r,
    {
        let (path, query) = self.check(request, &RESERVED, now)?;
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        let announced =
            self.content_header == ContentHeader::Send || content == ContentSha256::UnsignedPayload;
        let stream = None;
        Signed::new(self, Head { request: *request, path, query }, content, announced, stream, now)
    }

    /// Signs the head of a streamed upload and hands over the chain for its body.
    ///
    /// The fields to add include `content-encoding: aws-chunked`, behind any coding that the request
    /// has already; `Content-Length`, if it is known, is [`Framing::encoded_len`] and has to be in the
    /// request.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn upload(signer: &Signer<'_>, data: &[u8], now: Timestamp) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    /// let headers = [Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" }];
    /// let request = Request { method: "PUT", target: "/key", headers: &headers };
    /// let decoded_len = data.len() as u64;
    /// let framing = Framing { content: ContentSha256::StreamingSigned, decoded_len, trailers: "" };
    /// let (signed, mut chunks) = signer.sign_stream(&request, &framing, now)?;
    /// # let _ = signed;
    /// let mut wire = Vec::new();
    /// for piece in data.chunks(64 * 1024) {
    ///     wire.extend_from_slice(chunks.chunk(piece)?.as_bytes());
    ///     wire.extend_from_slice(piece);
    ///     wire.extend_from_slice(ChunkSigner::DATA_END);
    /// }
    /// wire.extend_from_slice(chunks.finish(&[])?.as_bytes());
    /// # Ok(wire) }
    /// ```
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_stream<'r>(
        &self,
        request: &Request<'r>,
        framing: &Framing<'r>,
        now: Timestamp,
    ) -> Result<(Signed<'r>, ChunkSigner), SignError>
    where
        'a: 'r,
    {
        let (path, query) = self.check(request, &RESERVED, now)?;
        let streams = matches!(
            framing.content,
            ContentSha256::StreamingSigned
                | ContentSha256::StreamingSignedTrailer
                | ContentSha256::StreamingUnsignedTrailer
        );
        if !streams || Dialect::of_service(self.scope.service) != Dialect::S3 {
            return Err(SignError::StreamingUnsupported);
        }
        let announced = framing.announced().ok_or(SignError::Trailers)?;
        let head = Head { request: *request, path, query };
        let signed = Signed::new(self, head, framing.content, true, Some(*framing), now)?;
        let chain = Chain::new(self.key.clone(), now, &self.scope, signed.signature());
        Ok((signed, ChunkSigner::new(framing, announced, chain)))
    }

    /// Signs a URL that stands alone until it expires. For S3 the body stays uncovered, unless the
    /// request has the field `x-amz-content-sha256`; for other services the body is empty.
    ///
    /// Every field of the request but those never signed must be sent, with the same value, by
    /// whoever uses the URL; as a rule that is `host` alone.
    ///
    /// ```
    /// # use countersign::*;
    /// # use core::time::Duration;
    /// # fn presign(signer: &Signer<'_>, now: Timestamp) -> Result<String, SignError> {
    /// let headers = [Header { name: "host", value: b"examplebucket.s3.amazonaws.com" }];
    /// let request = Request { method: "GET", target: "/test.txt", headers: &headers };
    /// let presigned = signer.presign(&request, Duration::from_secs(600), now)?;
    /// let url = format!("https://examplebucket.s3.amazonaws.com{}", presigned.target());
    /// # Ok(url) }
    /// ```
    ///
    /// # Errors
    /// [`SignError`].
    pub fn presign<'r>(
        &self,
        request: &Request<'r>,
        expires: Duration,
        now: Timestamp,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        let announced = announced_content(request)?;
        let content = announced.unwrap_or(match Dialect::of_service(self.scope.service) {
            Dialect::S3 => ContentSha256::UnsignedPayload,
            Dialect::Standard => ContentSha256::EMPTY,
        });
        self.presign_with(request, content, expires, now)
    }

    /// As [`presign`](Self::presign), for a body that is known. S3 must be told of a digest by the
    /// field `x-amz-content-sha256` in the request.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn presign_with<'r>(
        &self,
        request: &Request<'r>,
        content: ContentSha256,
        expires: Duration,
        now: Timestamp,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        let reserved = RESERVED.map(|name| if name == "x-amz-content-sha256" { "" } else { name });
        let (path, query) = self.check(request, &reserved, now)?;
        if query.names_content() {
            return Err(SignError::ReservedParameter);
        }
        let unannounced = match Dialect::of_service(self.scope.service) {
            Dialect::S3 => content == ContentSha256::UnsignedPayload,
            Dialect::Standard => matches!(content, ContentSha256::Digest(_)),
        };
        match announced_content(request)? {
            Some(announced) if announced != content => return Err(SignError::ContentConflict),
            None if !unannounced => return Err(SignError::ContentConflict),
            _ => {}
        }
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        let whole = expires.subsec_nanos() == 0 && (1..=MAX_EXPIRES).contains(&expires.as_secs());
        let expires = u32::try_from(expires.as_secs()).ok().filter(|_| whole);
        let expires = expires.ok_or(SignError::ExpiresRange)?;
        Presigned::new(self, Head { request: *request, path, query }, content, expires, now)
    }

    /// What holds for every request: readable, for this day, not signed yet.
    fn check<'r>(
        &self,
        request: &Request<'r>,
        reserved: &[&str],
        now: Timestamp,
    ) -> Result<(Path<'r>, Query<'r>), SignError> {
        if now.date() != self.scope.date {
            return Err(SignError::ScopeDate);
        }
        request.check(&self.limits)?;
        if reserved.iter().any(|name| request.fields(name).next().is_some()) {
            return Err(SignError::ReservedField);
        }
        let target = Target::parse(request.target)?;
        let path = Path::parse(target.path, Dialect::of_service(self.scope.service))?;
        let query = Query::parse(target.query, PlusSign::Space, &self.limits)?;
        if query.authentication().next().is_some() || query.is_version_2() {
            return Err(SignError::ReservedParameter);
        }
        Ok((path, query))
    }

    fn string_to_sign(&self, timestamp: Timestamp, hash: [u8; 32]) -> StringToSign<'a> {
        StringToSign { timestamp, scope: self.scope, hash }
    }

    fn signature(&self, text: &StringToSign<'_>) -> Signature {
        let mut message = self.key.start();
        text.put(&mut message);
        self.key.finish(message)
    }

    /// The token as it is sent, and whether it is signed.
    fn token_parts(&self) -> Option<(Token, &'a str)> {
        let token = self.token?;
        Some((Token::of_service(self.scope.service), token.as_str()))
    }
}

/// The content that a request to be presigned announces, in its field.
fn announced_content(request: &Request<'_>) -> Result<Option<ContentSha256>, SignError> {
    let Some(value) = request.single("x-amz-content-sha256")? else { return Ok(None) };
    ContentSha256::parse(value).map(Some).ok_or(SignError::ContentConflict)
}

/// A request whose target has been read.
#[derive(Clone, Copy)]
struct Head<'r> {
    request: Request<'r>,
    path: Path<'r>,
    query: Query<'r>,
}

impl<'r> Head<'r> {
    /// The fields to sign, in canonical order.
    fn fields(&self) -> Result<Fields<'r>, RequestError> {
        let authority = Target::parse(self.request.target)?.authority;
        let mut fields = Fields::collect(self.request.headers, authority)?;
        fields.retain(|header| {
            !NEVER_SIGNED.iter().any(|name| header.name.eq_ignore_ascii_case(name))
        });
        Ok(fields)
    }
}

impl From<RequestError> for SignError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Credential(error) => error.fmt(f),
            Self::ScopeDate => f.write_str("the time is on another day than the scope"),
            Self::ReservedField => f.write_str("the request already has a field of a signature"),
            Self::ReservedParameter => {
                f.write_str("the query already has a parameter of a signature")
            }
            Self::FieldName => {
                f.write_str("a field's name cannot stand in a list of signed headers")
            }
            Self::ExpiresRange => f.write_str("a presigned URL lives 1 to 604800 whole seconds"),
            Self::ContentConflict => f.write_str("the request announces another content"),
            Self::StreamingUnsupported => f.write_str("a streamed body cannot be signed like this"),
            Self::Trailers => f.write_str("these trailers cannot follow the body"),
        }
    }
}

impl core::error::Error for SignError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Credential(error) => Some(error),
            _ => None,
        }
    }
}

/// The canonical request of a head whose fields are settled.
fn canonical<'s>(
    head: &Head<'s>,
    fields: Fields<'s>,
    authentication: Option<Authentication<'s>>,
    content: ContentSha256,
) -> CanonicalRequest<'s> {
    CanonicalRequest {
        method: head.request.method,
        path: head.path,
        query: head.query,
        authentication,
        fields,
        content: content.text(),
    }
}

/// A field that is added to a request.
fn added<'s>(name: &'static str, value: &'s [u8]) -> Header<'s> {
    Header { name, value: trim(value) }
}
