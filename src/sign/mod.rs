//! Signing: from a request and a credential to what must be added to the request.
//!
//! The mirror of `verify/`: the same canonical request, string to sign and key. A signer never
//! edits a request and never reads a clock; it says which fields or parameters to add.
//!
//! AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference,
//! "Authenticating Requests: Using Query Parameters".

mod at;
mod presigned;
mod signed;
mod value;
mod written;

use core::fmt;
use core::time::Duration;

use crate::bytes;
use crate::canonical::{
    Added, Additions, Authentication, Begun, CredentialText, Dialect, Fields, Host, Kept, Order,
    Parts, Path, PlusSign, Query, is_plain,
};
use crate::chunked::{ChunkSigner, Framing};
use crate::content::ContentSha256;
use crate::credential::{
    AccessKeyId, CredentialError, CredentialScope, Credentials, SessionToken, SessionTokenField,
    SessionTokenRule,
};
use crate::request::{Known, LengthError, Limits, Request, RequestError, Target, Wire};
use crate::signature::SigningKey;
use crate::time::Timestamp;

pub use at::SignerAt;
pub use presigned::Presigned;
pub use signed::Signed;
pub use value::SignedValue;
pub use written::WrittenHeaders;

/// Whether a field is never signed, because proxies and HTTP stacks change, add or drop it.
///
/// The lists of the IAM User Guide and of botocore, and `accept-encoding`, which some front ends
/// rewrite.
fn is_never_signed(name: &str) -> bool {
    let Some(first) = name.as_bytes().first() else { return false };
    // Few names have the length and the first letter of one of these.
    let candidate = match (name.len(), first | 0x20) {
        (2, b't') => "te",
        (6, b'e') => "expect",
        (7, b'b') => "baggage",
        (7, b't') => "trailer",
        (7, b'u') => "upgrade",
        (10, b'c') => "connection",
        (10, b'k') => "keep-alive",
        (10, b't') => "tracestate",
        (10, b'u') => "user-agent",
        (11, b't') => "traceparent",
        (13, b'a') => "authorization",
        (15, b'a') => "accept-encoding",
        (15, b'x') => "x-amzn-trace-id",
        (16, b'p') => "proxy-connection",
        (17, b't') => "transfer-encoding",
        (18, b'p') => "proxy-authenticate",
        (19, b'p') => "proxy-authorization",
        _ => return false,
    };
    bytes::lowers_to(name.as_bytes(), candidate.as_bytes())
}

/// Fields that the signer writes and that must not be in the request yet.
const RESERVED: [Known; 6] = [
    Known::Authorization,
    Known::AmzDate,
    Known::AmzDecodedContentLength,
    Known::AmzS3SessionToken,
    Known::AmzSecurityToken,
    Known::AmzTrailer,
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
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) key: SigningKey,
    pub(crate) scope: CredentialScope<'a>,
    /// The two, as they are written.
    pub(crate) credential: CredentialText,
    pub(crate) token: Option<SessionToken<'a>>,
    pub(crate) token_field: SessionTokenField,
    token_rule: SessionTokenRule,
    /// That of the service, which is asked for often.
    pub(crate) dialect: Dialect,
    content_header: ContentHeader,
    limits: Limits,
}

/// Whether a signed request carries `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHeader {
    /// The field is sent and signed: what S3 demands.
    Send,
    /// The field is left out where the service computes the digest itself. A body that is not
    /// covered by a digest is announced all the same. S3 refuses requests without the field, and so
    /// does a [`Verifier`](crate::Verifier) for S3.
    Omit,
}

/// Why a request cannot be signed. Always the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The request head cannot be read, or would be larger than the [limits](Signer::limits) with
    /// what is added.
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
    /// `Content-Length` is no number, or stands beside `Transfer-Encoding`.
    ContentLengthSyntax,
    /// A signature names its signed fields, and this name cannot stand in that list: it has a `%`, or,
    /// in a presigned URL, any character that would have to be escaped.
    FieldName,
    /// A presigned URL lives 1 to 604,800 whole seconds.
    ExpiresRange,
    /// The request announces another content than the one to be signed (`aws-chunked` frames for a
    /// body that is no stream, or a length that this content cannot have), or (S3) a digest that it
    /// does not announce.
    ContentConflict,
    /// A streamed body is signed with [`Signer::sign_stream`], for S3 and with no other content than
    /// the three that it names.
    StreamingUnsupported,
    /// The trailers have names that cannot be trailers, or the mode has none.
    Trailers,
    /// The caller's buffer has no room for what is to be written.
    BufferTooSmall,
}

impl<'a> Signer<'a> {
    /// A signer for one credential and one scope; the key is derived once, here.
    ///
    /// # Errors
    /// [`SignError::Credential`] if region or service is empty, longer than 64 bytes, or has a
    /// character that cannot stand in a scope.
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
        let credential =
            CredentialText::new(&access_key_id, &scope).map_err(SignError::Credential)?;
        let dialect = Dialect::of_service(scope.service);
        Ok(Self {
            access_key_id,
            key,
            scope,
            credential,
            token: session_token,
            token_field: SessionTokenField::of_service(scope.service),
            token_rule: SessionTokenRule::of_service(scope.service),
            dialect,
            content_header: match dialect {
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

    /// Sets which field carries the session token. Default: `x-amz-s3session-token` for the service
    /// `s3express`, else `x-amz-security-token`. S3 Express wants the latter, too, where a request is
    /// signed with credentials of IAM: `CreateSession` above all, `CopyObject`, and what is asked of
    /// buckets.
    #[must_use]
    pub fn session_token_field(mut self, field: SessionTokenField) -> Self {
        self.token_field = field;
        self
    }

    /// Sets whether requests carry `x-amz-content-sha256`. Default: sent for S3, else left out.
    #[must_use]
    pub fn content_header(mut self, rule: ContentHeader) -> Self {
        self.content_header = rule;
        self
    }

    /// Sets how large a request head may be, with what is added. Default: [`Limits::DEFAULT`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.clamped();
        self
    }

    /// What signs the requests of one second: it has hashed what they have in common.
    ///
    /// A service that signs many requests keeps one until its clock has moved on.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn sign<'r>(signer: &Signer<'r>, requests: &[Request<'r>], now: Timestamp) -> Result<(), SignError> {
    /// let this_second = signer.at(now)?;
    /// for request in requests {
    ///     let signed = this_second.sign(request, ContentSha256::UnsignedPayload)?;
    ///     # let _ = signed;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`SignError::ScopeDate`].
    #[inline(always)]
    pub fn at(&self, now: Timestamp) -> Result<SignerAt<'_, 'a>, SignError> {
        self.check_day(now)?;
        let begun = Begun::new(&self.key, &now, &self.credential).hashed();
        Ok(SignerAt { signer: self, now, begun: Some(begun) })
    }

    #[inline(always)]
    fn check_day(&self, now: Timestamp) -> Result<(), SignError> {
        if now.date() == self.scope.date { Ok(()) } else { Err(SignError::ScopeDate) }
    }

    /// For one request, at a time of the right day.
    #[inline(always)]
    fn once(&self, now: Timestamp) -> SignerAt<'_, 'a> {
        SignerAt { signer: self, now, begun: None }
    }

    /// Signs a whole request; the result says which fields to add.
    ///
    /// A body may stay uncovered ([`ContentSha256::UnsignedPayload`]) for S3 and a few services more;
    /// others refuse it, and so does a [`Verifier`](crate::Verifier) that is not told otherwise.
    ///
    /// # Errors
    /// [`SignError`]; nothing that was given is changed.
    #[inline]
    pub fn sign<'r>(
        &self,
        request: &Request<'r>,
        content: ContentSha256,
        now: Timestamp,
    ) -> Result<Signed<'r>, SignError>
    where
        'a: 'r,
    {
        self.check_day(now)?;
        self.once(now).sign(request, content)
    }

    /// Signs a whole request and writes the values of the fields to add into `buffer`: the fastest
    /// way to sign. [`sign`](Self::sign) gives the same values, written on demand, and shows what was
    /// signed.
    ///
    /// They take at most 400 bytes, and as many more as the names of the signed fields (with a
    /// separator each), the session token and the access key id are long. After an error the buffer
    /// holds nothing of use.
    ///
    /// # Errors
    /// [`SignError`], with [`SignError::BufferTooSmall`] among them.
    #[inline]
    pub fn sign_to<'b>(
        &self,
        request: &Request<'_>,
        content: ContentSha256,
        now: Timestamp,
        buffer: &'b mut [u8],
    ) -> Result<WrittenHeaders<'b>, SignError> {
        self.check_day(now)?;
        self.once(now).sign_to(request, content, buffer)
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
        self.check_day(now)?;
        self.once(now).sign_stream(request, framing)
    }

    /// Signs a URL that stands alone until it expires. For S3 the body stays uncovered, unless the
    /// request has the field `x-amz-content-sha256`, or the parameter `X-Amz-Content-Sha256`, by which
    /// the URL itself says which body it is for; for other services the body is empty.
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
    #[inline]
    pub fn presign<'r>(
        &self,
        request: &Request<'r>,
        expires: Duration,
        now: Timestamp,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        self.check_day(now)?;
        self.once(now).presign(request, expires)
    }

    /// As [`presign`](Self::presign), for a body that is known. S3 must be told of a digest by the
    /// field `x-amz-content-sha256` or the parameter `X-Amz-Content-Sha256` in the request.
    ///
    /// # Errors
    /// [`SignError`].
    #[inline]
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
        self.check_day(now)?;
        self.once(now).presign_with(request, content, expires)
    }

    /// As [`presign`](Self::presign), and writes the target to request to the front of `buffer`: the
    /// fastest way to a URL.
    ///
    /// The target is as long as the one that was given, and at most 400 bytes more, and as many more
    /// as the names of the signed fields (with a separator of three bytes each), the session token and
    /// the access key id are long, escaped. Of region and service, too, escapes come on top.
    /// After an error the buffer holds nothing of use.
    ///
    /// ```
    /// # use countersign::*;
    /// # use core::time::Duration;
    /// # fn presign(signer: &Signer<'_>, now: Timestamp) -> Result<(), SignError> {
    /// let headers = [Header { name: "host", value: b"examplebucket.s3.amazonaws.com" }];
    /// let request = Request { method: "GET", target: "/test.txt", headers: &headers };
    /// let mut buffer = [0; 2048];
    /// let target = signer.presign_to(&request, Duration::from_secs(600), now, &mut buffer)?;
    /// assert!(target.starts_with(b"/test.txt?X-Amz-Algorithm="));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`SignError`], with [`SignError::BufferTooSmall`] among them.
    #[inline]
    pub fn presign_to<'b>(
        &self,
        request: &Request<'_>,
        expires: Duration,
        now: Timestamp,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], SignError> {
        self.check_day(now)?;
        self.once(now).presign_to(request, expires, buffer)
    }

    /// As [`presign_to`](Self::presign_to), for a body that is known, as with
    /// [`presign_with`](Self::presign_with).
    ///
    /// # Errors
    /// [`SignError`], with [`SignError::BufferTooSmall`] among them.
    #[inline]
    pub fn presign_with_to<'b>(
        &self,
        request: &Request<'_>,
        content: ContentSha256,
        expires: Duration,
        now: Timestamp,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], SignError> {
        self.check_day(now)?;
        self.once(now).presign_with_to(request, content, expires, buffer)
    }

    /// Checks what holds for every request, readable and not signed yet, and signs what was read:
    /// by `sign`, so that nothing of it is moved.
    #[inline(always)]
    fn read<'r, T>(
        &self,
        request: &Request<'r>,
        sign: impl FnOnce(&Reading<'_, 'r>) -> Result<T, SignError>,
    ) -> Result<T, SignError> {
        let limits = &self.limits;
        let len = request.check(limits)?;
        let wire = request.look();
        if !wire.has_no(&RESERVED) {
            return Err(SignError::ReservedField);
        }
        let target = Target::parse(request.target).ok_or(RequestError::TargetSyntax)?;
        let mut path = Path::new(self.dialect);
        path.read(target.path)?;
        let mut query = Query::new(PlusSign::Space);
        query.read(target.query, limits)?;
        let signed =
            query.may_authenticate() && query.authentication(query.parameters()).next().is_some();
        if signed || query.is_version_2() {
            return Err(SignError::ReservedParameter);
        }
        let announced_len = match wire.content_length() {
            Ok(len) => len,
            Err(error) => {
                // What a verifier asks first is named first.
                Host::settle(&wire, target.authority)?;
                return Err(error.into());
            }
        };
        let (query, wire, authority) = (&query, &wire, target.authority);
        sign(&Reading { request, path, query, wire, authority, announced_len, len, limits })
    }

    #[inline(always)]
    fn token_len(&self) -> usize {
        self.token.map_or(0, |token| token.as_str().len())
    }

    /// The token as it is sent: signed, or added after signing.
    #[inline(always)]
    fn token_parts(&self) -> (SentToken<'a>, SentToken<'a>) {
        let Some(token) = self.token else { return (None, None) };
        let token = (self.token_field, token.as_str());
        match self.token_rule {
            SessionTokenRule::Signed => (Some(token), None),
            SessionTokenRule::AfterSigning => (None, Some(token)),
        }
    }
}

/// A session token and where it is sent.
type SentToken<'a> = Option<(SessionTokenField, &'a str)>;

/// A request that has been read, and what was found on the way.
struct Reading<'q, 'r> {
    request: &'q Request<'r>,
    path: Path<'r>,
    query: &'q Query<'r>,
    wire: &'q Wire<'r>,
    /// The authority of an absolute target.
    authority: Option<&'r str>,
    /// What `Content-Length` announces.
    announced_len: Option<u64>,
    /// Length of the head.
    len: usize,
    limits: &'q Limits,
}

impl<'r> Reading<'_, 'r> {
    /// Refuses a request that grows beyond the limits by the fields that are added, given by the name and
    /// the length of the value: no verifier with these limits would read it.
    #[cold]
    fn check_with<'n>(
        &self,
        added: impl Iterator<Item = (&'n str, usize)>,
    ) -> Result<(), RequestError> {
        let size = (self.wire.headers.len(), self.len);
        let (headers, len) =
            added.fold(size, |(count, len), (name, value)| (count + 1, len + name.len() + value));
        self.limits.check(headers, len)
    }

    /// Refuses one that does so by a target of this length.
    #[cold]
    fn check_with_target(&self, len: usize) -> Result<(), RequestError> {
        self.limits.check(self.wire.headers.len(), self.len - self.request.target.len() + len)
    }

    /// Whether the limits are further away than whatever may be added, so that it need not be written
    /// to be measured: the names of the fields once more, texts of this length (a token, trailers), at
    /// most thrice as long where they are escaped, and of all else (the parts of the credential, names
    /// and separators) less than 2 KiB.
    #[inline(always)]
    fn has_ample_room(&self, texts: usize) -> bool {
        /// With the one that holds the signature.
        const ADDED: usize = Added::COUNT + 1;
        let len = texts.saturating_mul(3).saturating_add(2 * self.len + 2048);
        len <= self.limits.head_len && self.limits.headers - self.wire.headers.len() >= ADDED
    }

    /// Refuses one that does so by so many parameters more.
    #[inline(always)]
    fn check_with_parameters(&self, added: usize) -> Result<(), RequestError> {
        if self.query.count() + added > self.limits.parameters {
            return Err(RequestError::TooManyParameters);
        }
        Ok(())
    }

    /// The fields to sign, with those that will be added; their names can stand in a list.
    #[inline(always)]
    fn fields_to_list<'s>(
        &self,
        added: &'s Additions<'s>,
        order: &'s mut Order,
    ) -> Result<Fields<'s>, SignError>
    where
        'r: 's,
    {
        let fields = self.fields(Some(added), order)?;
        if !self.wire.usual_names && fields.names().any(|name| name.contains('%')) {
            return Err(SignError::FieldName);
        }
        Ok(fields)
    }

    /// The fields to sign; their names can stand in a list in a query.
    #[inline(always)]
    fn fields_to_escape<'s>(&self, order: &'s mut Order) -> Result<Fields<'s>, SignError>
    where
        'r: 's,
    {
        let fields = self.fields(None, order)?;
        if !self.wire.usual_names && !fields.names().all(is_plain) {
            return Err(SignError::FieldName);
        }
        Ok(fields)
    }

    /// The fields to sign, with those that will be added, in canonical order.
    #[inline(always)]
    fn fields<'s>(
        &self,
        added: Option<&'s Additions<'s>>,
        order: &'s mut Order,
    ) -> Result<Fields<'s>, RequestError>
    where
        'r: 's,
    {
        let is_signed = |name: &str| !is_never_signed(name);
        Fields::collect_some(self.wire, self.authority, is_signed, added, order)
    }

    /// The canonical request, when the fields are settled.
    #[inline(always)]
    fn parts<'s>(
        &'s self,
        fields: &'s Fields<'s>,
        authentication: Option<&'s Authentication<'s>>,
        content: ContentSha256,
    ) -> Parts<'s> {
        let Self { request: Request { method, .. }, path, query, .. } = self;
        Parts { method, path: *path, query, authentication, fields, content }
    }

    /// What is kept to show the canonical request.
    #[inline(always)]
    const fn kept(&self, content: ContentSha256) -> Kept<'r> {
        let (method, query) = (self.request.method, self.query.kept());
        Kept { method, path: self.path, query, content }
    }
}

impl From<RequestError> for SignError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<LengthError> for SignError {
    fn from(error: LengthError) -> Self {
        match error {
            LengthError::Request(error) => Self::Request(error),
            LengthError::Syntax => Self::ContentLengthSyntax,
        }
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
            Self::ContentLengthSyntax => f.write_str("the length of the body is not clear"),
            Self::FieldName => {
                f.write_str("a field's name cannot stand in a list of signed headers")
            }
            Self::ExpiresRange => f.write_str("a presigned URL lives 1 to 604800 whole seconds"),
            Self::ContentConflict => f.write_str("the request announces another content"),
            Self::StreamingUnsupported => f.write_str("a streamed body cannot be signed like this"),
            Self::Trailers => f.write_str("these trailers cannot follow the body"),
            Self::BufferTooSmall => f.write_str("the buffer has no room for the signature"),
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
