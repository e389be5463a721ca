//! Verifying: from a request to a claim, and with a key to a proof.
//!
//! The mirror of `sign/`: the same canonical request, string to sign and key. One file for the
//! rules and the order in which they are asked (this one), one for each grammar in which a claim is
//! written (`authorization.rs`, `query.rs`), one for each rung of the ladder (`claim.rs`,
//! `verified.rs`), one for what can go wrong (`error.rs`).
//!
//! Everything that can be refused without a key is refused by [`Verifier::read`]. Nothing here
//! looks a key up, reads a clock, or tries a second reading when the first does not match.
//!
//! Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; AWS IAM User
//! Guide, "AWS Signature Version 4 for API requests".

mod authorization;
mod claim;
mod error;
mod query;
mod verified;

use core::time::Duration;

use crate::body::{Binding, ChunkMinimum, ChunkRules};
use crate::bytes;
use crate::canonical::{
    ClaimedString, CoverageError, Covered, Dialect, Fields, Host, Kept, Order, Parts, Path,
    PlusSign, Query, ScopeEnd, SignedHeaders, is_plain,
};
use crate::chunked::Announcement;
use crate::content::ContentSha256;
use crate::credential::{
    AccessKeyId, CredentialScope, SessionTokenField, SessionTokenRule, TERMINATOR,
};
use crate::crypto::LastBlock;
use crate::request::{Known, Limits, Request, RequestError, Target, Wire, number, trim};
use crate::signature::PresentedSignature;
use crate::time::{Date, Timestamp};

pub use claim::{Claim, ClaimedSessionToken};
pub use error::{Component, Mechanism, ReadError, VerifyError};
pub use verified::{SignedHeader, Verified};

#[cfg(feature = "post-policy")]
pub(crate) use claim::settle;
pub(crate) use query::Buffer;

use claim::{ClaimedName, Source};
use query::AuthenticationParameters;

/// The rules a request must meet before its signature is looked at. Holds no keys.
///
/// ```
/// use countersign::{
///     CredentialScope, Header, Request, SecretKey, SigningKey, Timestamp, Verifier,
/// };
///
/// let rules = Verifier::s3("us-east-1");
/// let authorization = "AWS4-HMAC-SHA256 \
///     Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
///     SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
///     Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
/// let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let headers = [
///     Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" },
///     Header { name: "Range", value: b"bytes=0-9" },
///     Header { name: "x-amz-content-sha256", value: empty.as_bytes() },
///     Header { name: "x-amz-date", value: b"20130524T000000Z" },
///     Header { name: "Authorization", value: authorization.as_bytes() },
/// ];
/// let request = Request { method: "GET", target: "/test.txt", headers: &headers };
///
/// let claim = rules.read(&request, Timestamp::parse("20130524T000500Z")?)?;
/// assert_eq!(claim.claimed_access_key_id().as_str(), "AKIAIOSFODNN7EXAMPLE");
/// let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?; // looked up by you
/// let key = SigningKey::derive(&secret, &claim.scope());
/// let who = claim.verify(&key)?;
/// assert!(who.covers("range"));
/// assert_eq!(who.path(), "/test.txt");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'p> {
    pub(crate) service: &'p str,
    pub(crate) region: &'p str,
    pub(crate) clock_skew: Duration,
    pub(crate) max_expires: Duration,
    unsigned_payload: UnsignedPayload,
    token_rule: SessionTokenRule,
    plus: PlusSign,
    chunk_minimum: ChunkMinimum,
    pub(crate) limits: Limits,
    /// That of the service, which is asked for often.
    dialect: Dialect,
    /// How the scopes of nearly all credentials end.
    scope_end: Option<ScopeEnd>,
}

/// What becomes of a request whose signature does not cover its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsignedPayload {
    /// It is accepted; only the transport protects the body.
    Accept,
    /// It is refused.
    Refuse,
}

impl<'p> Verifier<'p> {
    /// Rules for S3 and its look-alikes in `region`.
    #[must_use]
    pub const fn s3(region: &'p str) -> Self {
        Self::service("s3", region)
    }

    /// Rules for any service, by its signing name. The dialect follows from it.
    #[must_use]
    pub const fn service(service: &'p str, region: &'p str) -> Self {
        Self {
            service,
            region,
            clock_skew: Duration::from_secs(15 * 60),
            max_expires: Duration::from_secs(7 * 24 * 60 * 60),
            unsigned_payload: match (Dialect::of_service(service), service.as_bytes()) {
                (Dialect::S3, _) | (_, b"vpc-lattice-svcs" | b"aoss") => UnsignedPayload::Accept,
                _ => UnsignedPayload::Refuse,
            },
            token_rule: SessionTokenRule::of_service(service),
            plus: PlusSign::Space,
            chunk_minimum: ChunkMinimum::Accept,
            limits: Limits::DEFAULT,
            dialect: Dialect::of_service(service),
            scope_end: ScopeEnd::new(region, service),
        }
    }

    /// How far the request's time may lie from ours, either way; whole seconds. Default 15 minutes.
    #[must_use]
    pub const fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// The longest life a presigned URL may ask for; whole seconds. Default and AWS's limit: seven
    /// days; a longer one is cut to it.
    #[must_use]
    pub const fn max_expires(mut self, max: Duration) -> Self {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
        self.max_expires = if max.as_secs() > WEEK.as_secs() { WEEK } else { max };
        self
    }

    /// Whether bodies may be uncovered. Default: accepted for S3 (whose clients send them) and the
    /// two other services that document it, `vpc-lattice-svcs` and `aoss`; else refused.
    #[must_use]
    pub const fn unsigned_payload(mut self, rule: UnsignedPayload) -> Self {
        self.unsigned_payload = rule;
        self
    }

    /// Whether a session token may be left uncovered. Default: it must be signed, but for
    /// `iotdevicegateway`.
    #[must_use]
    pub const fn session_token(mut self, rule: SessionTokenRule) -> Self {
        self.token_rule = rule;
        self
    }

    /// What a bare `+` in a query means. Default: a blank.
    #[must_use]
    pub const fn plus(mut self, plus: PlusSign) -> Self {
        self.plus = plus;
        self
    }

    /// Whether streamed chunks may be smaller than S3 allows. Default: accepted.
    #[must_use]
    pub const fn chunk_minimum(mut self, rule: ChunkMinimum) -> Self {
        self.chunk_minimum = rule;
        self
    }

    /// How much of a request head is read. Default: [`Limits::DEFAULT`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.clamped();
        self
    }

    /// Which of the two ways of writing a canonical path is followed.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reads the claim a request makes, from its header or its query, never both.
    ///
    /// Costs one hash of the head and no memory; the body is not touched.
    ///
    /// # Errors
    /// [`ReadError`] for whatever can be refused without a key. [`ReadError::ContentUnknown`] if the
    /// request does not say what its body is: that service needs [`read_whole`](Self::read_whole).
    pub fn read<'r>(&self, request: &Request<'r>, now: Timestamp) -> Result<Claim<'r>, ReadError>
    where
        'p: 'r,
    {
        self.read_with(request, None, now)
    }

    /// Like [`read`](Self::read), for services that sign a body hash they do not send: the whole
    /// body comes along and is hashed here.
    ///
    /// The body has to be held before anything is known of the sender, so bound its length first.
    /// The [`BodyVerifier`](crate::BodyVerifier) of such a request is finished without being fed.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn serve(request: &Request<'_>, body: &[u8], key: &SigningKey, now: Timestamp) -> Result<(), Error> {
    /// let rules = Verifier::service("execute-api", "eu-west-1");
    /// let who = rules.read_whole(request, body, now)?.verify(key)?;
    /// let id = who.access_key_id();
    /// who.into_body().finish()?;
    /// # let _ = id; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read), but for `ContentUnknown`.
    pub fn read_whole<'r>(
        &self,
        request: &Request<'r>,
        body: &'r [u8],
        now: Timestamp,
    ) -> Result<Claim<'r>, ReadError>
    where
        'p: 'r,
    {
        self.read_with(request, Some(body), now)
    }

    fn read_with<'r>(
        &self,
        request: &Request<'r>,
        body: Option<&'r [u8]>,
        now: Timestamp,
    ) -> Result<Claim<'r>, ReadError>
    where
        'p: 'r,
    {
        request.check(&self.limits)?;
        let wire = request.look();
        let (mut path, mut query) = (Path::new(self.dialect()), Query::new(self.plus));
        let host = self.head(request, &wire, &mut path, &mut query)?;
        let announced_len = wire.content_length()?;
        let mut buffer = None;
        let mut presented = Presented::new(self, now);
        self.presented(request, &wire, &query, &mut buffer, now, &mut presented)?;
        // Nearly every list names the fields that came, which are what it is then read by.
        let mut order = Order::EMPTY;
        let must_sign = |name: &str| self.must_be_covered(name);
        let listed = Fields::listed(&wire, presented.list, must_sign, &mut order);
        if listed.is_none() {
            presented.signed_headers()?;
        }
        let timestamp = presented.timestamp(&wire, now)?;
        let expires = presented.expires(self)?;
        self.check_scope(&presented.credential, presented.mechanism, timestamp)?;
        self.check_window(presented.mechanism, timestamp, expires, now)?;
        let token = self.token(&wire, &presented)?;
        let (content, binding) = self.content(&wire, &query, presented.mechanism, body)?;
        let fields = &match listed {
            Some(fields) => fields,
            None => self.cover(&wire, host, presented.signed_headers()?, &mut order)?,
        };
        if self.token_rule == SessionTokenRule::AfterSigning {
            query.leave_tokens_out();
        }

        let method = request.method;
        let query = &query;
        let parts = Parts { method, path, query, authentication: None, fields, content };
        let scope = CredentialScope {
            date: presented.credential.date,
            region: self.region,
            service: self.service,
        };
        let mut claim = Claim {
            mechanism: presented.mechanism,
            name: presented.name,
            string_to_sign: ClaimedString { timestamp, scope, request: LastBlock::NONE },
            expires,
            token,
            signature: presented.signature,
            binding,
            announced_len,
            head: Kept { method, path, query: query.kept(), content },
            fields: Covered::new(wire.headers, presented.list, host),
        };
        // Last, so that all else has been written for a while when the claim is moved.
        claim.string_to_sign.request = parts.hash_but_last();
        Ok(claim)
    }

    /// What every reading of a request starts with.
    #[inline(always)]
    fn head<'r>(
        &self,
        request: &Request<'r>,
        wire: &Wire<'r>,
        path: &mut Path<'r>,
        query: &mut Query<'r>,
    ) -> Result<Host, RequestError> {
        let target = Target::parse(request.target).ok_or(RequestError::TargetSyntax)?;
        path.read(target.path)?;
        query.read(target.query, &self.limits)?;
        Host::settle(wire, target.authority)
    }

    /// The one place where a request says who sent it.
    #[inline(always)]
    fn presented<'r, 'b>(
        &'b self,
        request: &Request<'r>,
        wire: &Wire<'r>,
        query: &Query<'r>,
        buffer: &'b mut Option<Buffer>,
        now: Timestamp,
        presented: &mut Presented<'r, 'b>,
    ) -> Result<(), ReadError>
    where
        'r: 'b,
    {
        let mut parameters = AuthenticationParameters::default();
        parameters.find(query)?;
        let repeated = wire.is_repeated(Known::Authorization);
        match (wire.first(Known::Authorization), repeated, parameters.any()) {
            (Some(_), true, _) => Err(ReadError::AuthorizationRepeated),
            (Some(_), false, true) => Err(ReadError::TwoMechanisms),
            (Some(field), false, false) => authorization::read(field, self, now, presented),
            (None, _, true) => query::read(&parameters, query, self, buffer, now, presented),
            (None, _, false) => Err(self.without_claim(request)),
        }
    }

    fn without_claim(&self, request: &Request<'_>) -> ReadError {
        if self.is_form(request) { ReadError::FormNotSupported } else { ReadError::Anonymous }
    }

    /// Whether the request would make its claim in a POST form.
    fn is_form(&self, request: &Request<'_>) -> bool {
        let is_form = request.look().fields("content-type").any(|field| {
            let form = b"multipart/form-data";
            let media = trim(field.value).get(..form.len()).unwrap_or_default();
            media.eq_ignore_ascii_case(form)
        });
        self.dialect() == Dialect::S3 && request.method == "POST" && is_form
    }

    /// Where the request tries to say who sent it, well or not; `None` if it is anonymous. For
    /// reports: nothing is checked.
    ///
    /// ```
    /// use countersign::{Header, Mechanism, Request, Verifier};
    ///
    /// let headers = [Header { name: "authorization", value: b"nonsense" }];
    /// let request = Request { method: "GET", target: "/", headers: &headers };
    /// assert_eq!(Verifier::s3("us-east-1").attempted(&request), Some(Mechanism::Header));
    /// ```
    #[must_use]
    pub fn attempted(&self, request: &Request<'_>) -> Option<Mechanism> {
        let query = Target::parse(request.target).map_or("", |target| target.query);
        let in_query = Query::parse(query, self.plus, &self.limits).is_ok_and(|query| {
            let mut parameters = AuthenticationParameters::default();
            // What cannot be read tries, too.
            parameters.find(&query).is_err() || parameters.any()
        });
        if in_query {
            Some(Mechanism::Query)
        } else if request.look().first(Known::Authorization).is_some() {
            Some(Mechanism::Header)
        } else {
            self.is_form(request).then_some(Mechanism::Form)
        }
    }

    #[inline(always)]
    pub(crate) fn check_scope(
        &self,
        credential: &ClaimedCredential<'_>,
        mechanism: Mechanism,
        timestamp: Timestamp,
    ) -> Result<(), ReadError> {
        if credential.date != timestamp.date() {
            return Err(ReadError::ScopeDate(mechanism));
        }
        if !is_same(credential.region, self.region) {
            return Err(ReadError::ScopeRegion(mechanism));
        }
        if !is_same(credential.service, self.service) {
            return Err(ReadError::ScopeService(mechanism));
        }
        if !is_same(credential.terminator, TERMINATOR) {
            return Err(ReadError::ScopeTerminator(mechanism));
        }
        Ok(())
    }

    /// A header lives for the skew, a presigned URL until it expires; neither begins later than
    /// the skew from now.
    #[inline(always)]
    fn check_window(
        &self,
        mechanism: Mechanism,
        timestamp: Timestamp,
        expires: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), ReadError> {
        let skew = seconds(self.clock_skew);
        let age = i128::from(now.unix()) - i128::from(timestamp.unix());
        match (mechanism, expires) {
            (Mechanism::Header, _) if age.abs() > skew => Err(ReadError::ClockSkew),
            (Mechanism::Query, _) if age < -skew => Err(ReadError::NotYetValid),
            (Mechanism::Query, life) if age > life.map_or(skew, seconds) => Err(ReadError::Expired),
            _ => Ok(()),
        }
    }

    /// The one session token, from the one place where it may stand.
    #[inline(always)]
    fn token<'r>(
        &self,
        wire: &Wire<'r>,
        presented: &Presented<'r, '_>,
    ) -> Result<Option<ClaimedSessionToken<'r>>, ReadError> {
        if wire.has_no(&[Known::AmzSecurityToken, Known::AmzS3SessionToken])
            && presented.tokens.are_none()
        {
            return Ok(None);
        }
        let express = self.service == "s3express";
        let mut found = None;
        for token in [SessionTokenField::Security, SessionTokenField::S3Session] {
            let (known, parameter) = match token {
                SessionTokenField::Security => (Known::AmzSecurityToken, presented.tokens.security),
                SessionTokenField::S3Session => {
                    (Known::AmzS3SessionToken, presented.tokens.s3_session)
                }
            };
            let field = wire.single(known)?.map(ClaimedSessionToken::in_field);
            let parameter = parameter.map(|raw| ClaimedSessionToken::in_query(raw, self.plus));
            for presented in field.into_iter().chain(parameter) {
                let misplaced = token == SessionTokenField::S3Session && !express;
                if misplaced || found.replace(presented).is_some() {
                    return Err(ReadError::SessionTokenConflict);
                }
            }
        }
        Ok(found)
    }

    /// What the request says of its body, and how that will be checked.
    #[inline(always)]
    fn content<'r>(
        &self,
        wire: &Wire<'r>,
        query: &Query<'_>,
        mechanism: Mechanism,
        body: Option<&'r [u8]>,
    ) -> Result<(ContentSha256, Binding<'r>), ReadError> {
        let parse = |value| ContentSha256::parse(value).ok_or(ReadError::ContentSyntax);
        let field = wire.single(Known::AmzContentSha256)?.map(parse).transpose()?;
        let parameter = match mechanism {
            Mechanism::Header | Mechanism::Form => None,
            Mechanism::Query => {
                query.content().map_err(|_| ReadError::ParameterRepeated)?.map(parse).transpose()?
            }
        };
        if let (Some(field), Some(parameter)) = (field, parameter)
            && field != parameter
        {
            return Err(ReadError::ContentConflict);
        }
        let declared = match (field.or(parameter), self.dialect(), mechanism) {
            (Some(content), ..) => Some(content),
            (None, Dialect::S3, Mechanism::Query) => Some(ContentSha256::UnsignedPayload),
            (None, Dialect::S3, _) => return Err(ReadError::ContentMissing),
            (None, Dialect::Standard, _) => None,
        };
        let computed = body.map(|body| (crate::crypto::Sha256::digest(body), body));
        match (declared, computed) {
            (None, None) => Err(ReadError::ContentUnknown),
            (None, Some((digest, body))) => {
                let binding = Binding::Whole { declared: digest, computed: digest, body };
                Ok((ContentSha256::Digest(digest), binding))
            }
            (Some(content @ ContentSha256::Digest(declared)), None) => {
                Ok((content, Binding::Digest(declared)))
            }
            (Some(content @ ContentSha256::Digest(declared)), Some((computed, body))) => {
                Ok((content, Binding::Whole { declared, computed, body }))
            }
            (Some(content @ ContentSha256::UnsignedPayload), body) => {
                if self.unsigned_payload == UnsignedPayload::Refuse {
                    return Err(ReadError::UnsignedPayloadRefused);
                }
                // One client in use frames a body that it calls unsigned.
                if wire.is_aws_chunked() {
                    let framed = self.chunked(wire, mechanism, body.is_some(), false, true)?;
                    return Ok((content, framed));
                }
                Ok((
                    content,
                    body.map_or(Binding::Unsigned, |(_, body)| Binding::UnsignedWhole { body }),
                ))
            }
            (Some(content), body) => {
                let (signed, trailers) = match content {
                    ContentSha256::StreamingSigned => (true, false),
                    ContentSha256::StreamingSignedTrailer => (true, true),
                    ContentSha256::StreamingUnsignedTrailer => (false, true),
                    _ => return Err(ReadError::StreamingUnsupported),
                };
                if !signed && self.unsigned_payload == UnsignedPayload::Refuse {
                    return Err(ReadError::UnsignedPayloadRefused);
                }
                let framed = self.chunked(wire, mechanism, body.is_some(), signed, trailers)?;
                Ok((content, framed))
            }
        }
    }

    /// What the head says of a body in frames.
    fn chunked<'r>(
        &self,
        wire: &Wire<'r>,
        mechanism: Mechanism,
        whole: bool,
        signed: bool,
        trailers: bool,
    ) -> Result<Binding<'r>, ReadError> {
        // A presigned URL has no chain that a client could know, a body given whole no frames.
        if mechanism == Mechanism::Query || self.dialect() == Dialect::Standard || whole {
            return Err(ReadError::StreamingUnsupported);
        }
        let value = wire.single(Known::AmzDecodedContentLength)?;
        let decoded_len = number(value.ok_or(ReadError::DecodedLengthMissing)?);
        let decoded_len = decoded_len.ok_or(ReadError::DecodedLengthSyntax)?;
        let announced = match wire.single(Known::AmzTrailer)? {
            None => Announcement::NONE,
            Some(_) if !trailers => return Err(ReadError::TrailerUnexpected),
            Some(names) => Announcement::parse(names).map_err(|_| ReadError::TrailerNames)?,
        };
        let minimum = self.chunk_minimum;
        Ok(Binding::Chunked(ChunkRules { signed, trailers, announced, decoded_len, minimum }))
    }

    /// Leaves the signed fields, if they are all there and cover what arrives.
    fn cover<'r>(
        &self,
        wire: &Wire<'r>,
        host: Host,
        signed: SignedHeaders<'r>,
        order: &'r mut Order,
    ) -> Result<Fields<'r>, ReadError> {
        if !signed.names_host() {
            return Err(ReadError::HostNotSigned);
        }
        let must_sign = |name: &str| self.must_sign(name, signed);
        Fields::select(wire, host, signed, must_sign, order).map_err(|error| match error {
            CoverageError::Unsigned => ReadError::HeadersNotSigned,
            CoverageError::Missing => ReadError::SignedHeaderMissing,
        })
    }

    /// Whether a field that arrived and is not signed must have been.
    pub(crate) fn must_sign(&self, name: &str, signed: SignedHeaders<'_>) -> bool {
        self.must_be_covered(name)
            || name.contains('_')
                && signed.names().any(|other| name.bytes().map(dashed).eq(other.bytes()))
    }

    /// The same, whatever else is signed. A name with `_` may have to be for the sake of another.
    fn must_be_covered(&self, name: &str) -> bool {
        const PREFIX: &[u8] = b"x-amz-";
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let begins =
            name.len() > PREFIX.len() && name.bytes().map(dashed).zip(PREFIX).all(|(a, b)| a == *b);
        let late_token = || {
            self.token_rule == SessionTokenRule::AfterSigning
                && [SessionTokenField::Security, SessionTokenField::S3Session]
                    .iter()
                    .any(|token| is(token.field()))
        };
        begins && !is("x-amz-content-sha256") && !late_token()
    }

    /// The credential as it came, well formed or not: for an error page.
    pub(crate) fn credential_text<'b>(
        &self,
        request: &Request<'b>,
        buffer: &'b mut Buffer,
    ) -> Option<&'b str> {
        match request.look().first(Known::Authorization) {
            Some(field) => authorization::credential_text(field.value),
            None => {
                let query = Target::parse(request.target)?.query;
                let query = Query::parse(query, self.plus, &self.limits).ok()?;
                query::credential_text(&query, buffer)
            }
        }
    }

    /// Tells as much of what a request says of itself as can be read: for an error page.
    pub(crate) fn evidence<'r, T>(
        &self,
        request: &Request<'r>,
        now: Timestamp,
        tell: impl FnOnce(&Fields<'_>, &Presented<'r, '_>) -> Option<T>,
    ) -> Option<T> {
        let (mut buffer, mut order) = (None, Order::EMPTY);
        request.check(&self.limits).ok()?;
        let wire = request.look();
        let (mut path, mut query) = (Path::new(self.dialect()), Query::new(self.plus));
        self.head(request, &wire, &mut path, &mut query).ok()?;
        let authority = Target::parse(request.target)?.authority;
        let fields = Fields::collect(&wire, authority, &mut order).ok()?;
        let mut presented = Presented::new(self, now);
        self.presented(request, &wire, &query, &mut buffer, now, &mut presented).ok()?;
        tell(&fields, &presented)
    }
}

/// What a request says of its signature, in whichever grammar.
pub(crate) struct Presented<'r, 'b> {
    pub(crate) mechanism: Mechanism,
    pub(crate) credential: ClaimedCredential<'b>,
    name: ClaimedName<'r>,
    /// The list of signed headers, as it stands there.
    list: &'r [u8],
    signature: PresentedSignature<'r>,
    /// `X-Amz-Date` of a query.
    date: Option<&'r [u8]>,
    /// `X-Amz-Expires` of a query.
    expires: Option<&'r [u8]>,
    tokens: Tokens<'r>,
}

/// Session tokens of a query, still encoded.
#[derive(Clone, Copy, Default)]
struct Tokens<'r> {
    security: Option<&'r [u8]>,
    s3_session: Option<&'r [u8]>,
}

impl Tokens<'_> {
    const fn are_none(&self) -> bool {
        self.security.is_none() && self.s3_session.is_none()
    }
}

/// `name/date/region/service/terminator`, taken apart from the right.
pub(crate) struct ClaimedCredential<'b> {
    /// A good [`AccessKeyId`], but for its type.
    name: &'b [u8],
    pub(crate) date: Date,
    pub(crate) region: &'b str,
    pub(crate) service: &'b str,
    pub(crate) terminator: &'b str,
}

impl<'b> ClaimedCredential<'b> {
    #[cfg(feature = "post-policy")]
    pub(crate) fn access_key_id(&self) -> AccessKeyId {
        AccessKeyId::of_checked(self.name)
    }

    /// That of today for the service that is asked for.
    #[inline(always)]
    fn of_today(name: &'b [u8], rules: &'b Verifier<'_>, now: Timestamp) -> Self {
        let (region, service, terminator) = (rules.region, rules.service, TERMINATOR);
        Self { name, date: now.date(), region, service, terminator }
    }

    /// Reads such a credential, whose parts are separated by `slash` and whose scope ends in `end`: its
    /// name, and what stands behind it. `None` says nothing of the text.
    #[inline(always)]
    fn usual<'t>(
        text: &'t [u8],
        slash: &[u8],
        end: &[u8],
        now: Timestamp,
    ) -> Option<(&'t [u8], &'t [u8])> {
        let (name, rest) = text.split_at_checked(bytes::find(text, *slash.first()?)?)?;
        AccessKeyId::check(name).ok()?;
        let date = now.date();
        let rest = rest.strip_prefix(slash)?.strip_prefix(date.as_bytes())?.strip_prefix(end)?;
        Some((name, rest))
    }

    pub(crate) fn parse(
        text: &'b str,
        mechanism: Mechanism,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let mut rest = text;
        let mut part = || {
            let at = bytes::rfind(rest.as_bytes(), b'/')?;
            let part = rest.get(at + 1..).filter(|part| !part.is_empty())?;
            rest = rest.get(..at)?;
            Some(part)
        };
        let (Some(terminator), Some(service), Some(region), Some(date)) =
            (part(), part(), part(), part())
        else {
            return Err(ReadError::CredentialSyntax(mechanism));
        };
        let name = rest.as_bytes();
        AccessKeyId::check(name).map_err(|_| ReadError::CredentialSyntax(mechanism))?;
        let date = Date::parse_near(date.as_bytes(), now);
        let date = date.map_err(|_| ReadError::CredentialDateSyntax(mechanism))?;
        Ok(Self { name, date, region, service, terminator })
    }
}

impl<'r, 'b> Presented<'r, 'b> {
    /// Nothing yet, but for what nearly every claim says that these rules accept. It is large, and is
    /// read where it stands; after an error it is none.
    #[inline(always)]
    fn new(rules: &'b Verifier<'_>, now: Timestamp) -> Self {
        let name = &[];
        Self {
            mechanism: Mechanism::Header,
            credential: ClaimedCredential::of_today(name, rules, now),
            name: ClaimedName::new(Source::Field(name), name.len()),
            list: &[],
            signature: PresentedSignature::NONE,
            date: None,
            expires: None,
            tokens: Tokens::default(),
        }
    }

    /// What the name is read from: the credential as it stands there.
    #[inline(always)]
    fn name_in(&mut self, credential: Source<'r>) {
        self.name = ClaimedName::new(credential, self.credential.name.len());
    }
}

impl<'r> Presented<'r, '_> {
    /// The list of signed headers, if it is well formed.
    pub(crate) fn signed_headers(&self) -> Result<SignedHeaders<'r>, ReadError> {
        let list = core::str::from_utf8(self.list).ok().and_then(SignedHeaders::parse);
        let is_well_formed = |list: &SignedHeaders<'_>| match self.mechanism {
            // A name that would have to be escaped has no one way to stand in a query.
            Mechanism::Query => list.names().all(is_plain),
            // The separator of a query has no place elsewhere.
            Mechanism::Header | Mechanism::Form => !list.is_escaped(),
        };
        let list = list.filter(is_well_formed);
        list.ok_or(ReadError::SignedHeadersSyntax(self.mechanism))
    }

    #[inline(always)]
    pub(crate) fn timestamp(
        &self,
        wire: &Wire<'_>,
        now: Timestamp,
    ) -> Result<Timestamp, ReadError> {
        let syntax = |_| ReadError::DateSyntax(self.mechanism);
        if let Some(date) = self.date {
            return Timestamp::parse_near(date, now).map_err(syntax);
        }
        match wire.single(Known::AmzDate)? {
            Some(date) => Timestamp::parse_near(date, now).map_err(syntax),
            None => {
                let date = wire.single(Known::Date)?.ok_or(ReadError::DateMissing)?;
                Timestamp::parse_http_date(date).map_err(syntax)
            }
        }
    }

    /// The life of a presigned URL. Without one it lives as long as a signed header.
    #[inline(always)]
    pub(crate) fn expires(&self, rules: &Verifier<'_>) -> Result<Option<Duration>, ReadError> {
        let Some(text) = self.expires else { return Ok(None) };
        match number(text) {
            Some(0) => Err(ReadError::ExpiresZero),
            Some(life) if life <= rules.max_expires.as_secs() => {
                Ok(Some(Duration::from_secs(life)))
            }
            Some(_) => Err(ReadError::ExpiresTooLong),
            None => Err(no_life(text)),
        }
    }
}

/// What a reader takes for `-` in a name that reads `_` as `-`, as CGI does; in lower case.
fn dashed(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// Whether two texts are the same: what was recognized is the rules' own.
#[inline(always)]
fn is_same(a: &str, b: &str) -> bool {
    core::ptr::eq(a, b) || a == b
}

fn seconds(duration: Duration) -> i128 {
    i128::from(duration.as_secs())
}

/// Why a text is no life of a presigned URL.
#[cold]
fn no_life(text: &[u8]) -> ReadError {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        ReadError::ExpiresSyntax
    } else if digits.len() < text.len() {
        ReadError::ExpiresNegative
    } else {
        ReadError::ExpiresTooLong
    }
}
