//! The canonical request and the string to sign: what a signature covers, byte for byte.
//!
//! One writer serves signing, verifying and showing: it puts pieces into a [`Sink`], which is a
//! hash, a formatter, or a buffer or function of the caller's. There is no text of the whole
//! anywhere.
//!
//! One file for each step of the specification: `encode.rs` (UriEncode), `uri.rs` (canonical URI),
//! `query.rs` (canonical query string), `headers.rs` (canonical and signed headers); and what a
//! signer adds: `added.rs` (fields), `credential.rs` (its name and scope).
//!
//! AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference,
//! "Authenticating Requests: Using the Authorization Header".

mod added;
mod credential;
mod encode;
mod headers;
mod query;
mod uri;

use core::fmt;

use crate::bytes::{self, Lowered, Text};
use crate::content::ContentSha256;
use crate::credential::CredentialScope;
use crate::crypto::{DIGEST_LEN, Gathering, LastBlock, digest_to_hex};
use crate::request::Header;
use crate::signature::{Signature, SigningKey};
use crate::time::Timestamp;

pub(crate) use added::{Added, Additions};
pub(crate) use credential::{CredentialText, ScopeEnd};
pub(crate) use encode::{Decoded, is_plain};
pub(crate) use headers::{
    CoverageError, Covered, Fields, Host, Order, Separator, SignedHeaders, canonical_name,
};
pub(crate) use query::{
    Authentication, AuthenticationName, KeptQuery, Parameter, Query, Spelling, put_signature,
    put_token,
};
pub(crate) use uri::Path;

pub use encode::PlusSign;
pub use query::{SignedParameter, SignedText};
pub use uri::{Dialect, SignedPath};

/// The only algorithm that is signed and verified.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A place that canonical bytes flow into.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Puts a text and an ASCII character that ends it.
    #[inline(always)]
    fn put_ended(&mut self, bytes: &[u8], end: u8) {
        self.put(bytes);
        self.put(&[end]);
    }

    /// Says that some work will pass before more is put.
    #[inline(always)]
    fn advance(&mut self) {}

    /// Puts a name.
    #[inline]
    fn put_name(&mut self, name: &impl Text) {
        name.each_piece(|piece| self.put(piece));
    }

    /// Puts an ASCII character and a name behind it.
    #[inline(always)]
    fn put_led_name(&mut self, lead: u8, name: &impl Text) {
        self.put(&[lead]);
        self.put_name(name);
    }

    /// Puts a field: the name, and a value that is canonical.
    #[inline(always)]
    fn put_line(&mut self, name: &impl Text, value: &[u8]) {
        self.put_name(name);
        self.put(b":");
        self.put(value);
        self.put(b"\n");
    }
}

/// Canonical bytes on their way into the hash: enough of them are gathered that the hash is kept
/// busy with one part while the next is written.
pub(crate) type Hashing = Gathering<8>;

impl<const BLOCKS: usize> Sink for Gathering<BLOCKS> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    #[inline(always)]
    fn put_ended(&mut self, bytes: &[u8], end: u8) {
        match self.place(bytes.len() + 1) {
            Some([place @ .., last]) => {
                bytes::copy(place, bytes);
                *last = end;
            }
            _ => Piecewise(self).put_ended(bytes, end),
        }
    }

    #[inline(always)]
    fn advance(&mut self) {
        Gathering::advance(self);
    }

    #[inline(always)]
    fn put_led_name(&mut self, lead: u8, name: &impl Text) {
        match self.room(1 + name.len()) {
            Some([first, room @ ..]) => {
                *first = lead;
                name.write(room);
            }
            _ => Piecewise(self).put_led_name(lead, name),
        }
    }

    #[inline(always)]
    fn put_line(&mut self, name: &impl Text, value: &[u8]) {
        match self.place(name.len() + value.len() + 2) {
            Some(place) => {
                name.write(place);
                if let Some([colon, place @ .., end]) = place.get_mut(name.len()..) {
                    *colon = b':';
                    bytes::copy(place, value);
                    *end = b'\n';
                }
            }
            _ => Piecewise(self).put_line(name, value),
        }
    }
}

/// Puts the way that any sink does.
struct Piecewise<'s, S>(&'s mut S);

impl<S: Sink> Sink for Piecewise<'_, S> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }
}

/// A sink that shows text; bytes that are not UTF-8 become U+FFFD.
pub(crate) struct Shown<'f, 'g> {
    formatter: &'f mut fmt::Formatter<'g>,
    result: fmt::Result,
}

impl<'f, 'g> Shown<'f, 'g> {
    /// Shows what `write` puts.
    pub(crate) fn with(
        f: &'f mut fmt::Formatter<'g>,
        write: impl FnOnce(&mut Self),
    ) -> fmt::Result {
        let mut shown = Self { formatter: f, result: Ok(()) };
        write(&mut shown);
        shown.result
    }
}

impl Sink for Shown<'_, '_> {
    fn put(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            if self.result.is_ok() {
                self.result = self.formatter.write_str(chunk.valid());
            }
            if self.result.is_ok() && !chunk.invalid().is_empty() {
                self.result = self.formatter.write_str("\u{fffd}");
            }
        }
    }
}

/// A sink that fills a buffer.
pub(crate) struct Filled<'b> {
    buffer: &'b mut [u8],
    len: usize,
    /// Whether everything had room so far.
    fits: bool,
}

impl<'b> Filled<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0, fits: true }
    }

    /// The part that was filled, if everything had room.
    #[inline(always)]
    pub(crate) fn finish(self) -> Option<&'b mut [u8]> {
        self.buffer.get_mut(..self.len).filter(|_| self.fits)
    }

    /// As much as stands there now, if everything had room.
    #[inline(always)]
    pub(crate) fn written(&self) -> Option<&[u8]> {
        self.buffer.get(..self.len).filter(|_| self.fits)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

impl Sink for Filled<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.buffer.get_mut(self.len..end) {
            Some(place) => {
                bytes::copy(place, bytes);
                self.len = end;
            }
            None => self.fits = false,
        }
    }

    #[inline(always)]
    fn put_led_name(&mut self, lead: u8, name: &impl Text) {
        // What stands behind the name is not filled yet.
        match self.buffer.get_mut(self.len..) {
            Some([first, room @ ..]) if name.len() <= room.len() => {
                *first = lead;
                name.write(room);
                self.len += 1 + name.len();
            }
            _ => self.fits = false,
        }
    }
}

/// A sink that counts.
#[derive(Default)]
pub(crate) struct Measured(usize);

impl Measured {
    pub(crate) const fn len(&self) -> usize {
        self.0
    }
}

impl Sink for Measured {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// A sink that hands each piece to a function.
pub(crate) struct Pieces<F>(pub(crate) F);

impl<F: FnMut(&[u8])> Sink for Pieces<F> {
    fn put(&mut self, bytes: &[u8]) {
        (self.0)(bytes);
    }
}

/// The canonical form of a request: a view, made while it is hashed or shown.
///
/// It holds no secret, but it does repeat signed fields, a session token among them. `Display`
/// shows bytes that are not UTF-8 as U+FFFD; [`pieces`](Self::pieces) gives them as they are.
///
/// ```
/// use countersign::{
///     AccessKeyId, ContentSha256, CredentialScope, Credentials, Header, Request, SecretKey, Signer,
///     Timestamp,
/// };
///
/// let now = Timestamp::parse("20150830T123600Z")?;
/// let credentials = Credentials {
///     access_key_id: AccessKeyId::new("AKIDEXAMPLE")?,
///     secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")?,
///     session_token: None,
/// };
/// let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "service" };
/// let headers = [Header { name: "Host", value: b"example.amazonaws.com" }];
/// let request = Request { method: "GET", target: "/?b=2&a=1", headers: &headers };
/// let signed = Signer::new(&credentials, scope)?.sign(&request, ContentSha256::EMPTY, now)?;
/// assert_eq!(
///     signed.canonical_request().to_string(),
///     "GET\n/\na=1&b=2\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\n\
///      host;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CanonicalRequest<'a> {
    head: Kept<'a>,
    query: Query<'a>,
    authentication: Option<Authentication<'a>>,
    wire: &'a [Header<'a>],
    added: Option<&'a Additions<'a>>,
    order: Order,
}

/// The parts of a canonical request, in the order in which they stand there.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'s> {
    pub(crate) method: &'s str,
    pub(crate) path: Path<'s>,
    pub(crate) query: &'s Query<'s>,
    /// What a presigned URL adds to the query of the caller.
    pub(crate) authentication: Option<&'s Authentication<'s>>,
    pub(crate) fields: &'s Fields<'s>,
    pub(crate) content: ContentSha256,
}

/// What is kept of a head that was read: with its fields, enough to write the canonical request
/// again.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: Path<'a>,
    pub(crate) query: KeptQuery<'a>,
    pub(crate) content: ContentSha256,
}

impl<'a> Kept<'a> {
    /// The canonical request, for whoever wants to see it.
    pub(crate) fn canonical(
        self,
        authentication: Option<Authentication<'a>>,
        wire: &'a [Header<'a>],
        added: Option<&'a Additions<'a>>,
        order: Order,
    ) -> CanonicalRequest<'a> {
        let query = self.query.read();
        CanonicalRequest { head: self, query, authentication, wire, added, order }
    }
}

impl Parts<'_> {
    fn put(&self, sink: &mut impl Sink) {
        self.put_to_fields(sink);
        self.put_from_fields(sink);
    }

    /// Puts all before the fields.
    #[inline(always)]
    fn put_to_fields(&self, sink: &mut impl Sink) {
        sink.put_ended(self.method.as_bytes(), b'\n');
        self.path.put_ended(b'\n', sink);
        sink.advance();
        self.query.put(self.authentication, self.fields, sink);
        sink.put(b"\n");
        sink.advance();
    }

    /// Puts the rest, the fields as they are listed.
    #[inline(always)]
    fn put_from_fields(&self, sink: &mut impl Sink) {
        self.fields.put_listed(sink);
        sink.advance();
        self.put_names_to_end(sink);
    }

    /// Puts what follows the fields.
    #[inline(always)]
    fn put_names_to_end(&self, sink: &mut impl Sink) {
        // The line before is empty.
        self.fields.put_names(b'\n', Separator::Semicolon, sink);
        sink.put(b"\n");
        sink.put(self.content.text().as_bytes());
    }

    pub(crate) fn hash(&self) -> [u8; DIGEST_LEN] {
        let mut hash = Hashing::new();
        self.hash_to_fields(&mut hash);
        self.hash_from_fields(&mut hash)
    }

    /// The same, but for the last block.
    #[inline(never)]
    pub(crate) fn hash_but_last(&self) -> LastBlock {
        let mut hash = Hashing::new();
        self.put(&mut hash);
        hash.finish_but_last()
    }

    /// Begins the hash: with all before the fields.
    #[inline(always)]
    pub(crate) fn hash_to_fields(&self, hash: &mut Hashing) {
        self.put_to_fields(hash);
    }

    /// Ends it with the rest.
    #[inline(always)]
    pub(crate) fn hash_from_fields(&self, hash: &mut Hashing) -> [u8; DIGEST_LEN] {
        self.put_from_fields(hash);
        hash.finish_in_place()
    }

    /// Or goes on with the fields, and hands over the name of each as it is put.
    #[inline(always)]
    pub(crate) fn hash_fields(&self, hash: &mut Hashing, name: impl FnMut(&Lowered<'_>)) {
        self.fields.put_lines(hash, name);
        hash.advance();
    }

    /// And ends it with what follows them; `list` are their names.
    #[inline(always)]
    pub(crate) fn hash_rest(&self, hash: &mut Hashing, list: &[u8]) -> [u8; DIGEST_LEN] {
        let fields = &self.fields.with_list(list);
        Parts { fields, ..*self }.put_names_to_end(hash);
        hash.finish_in_place()
    }
}

impl CanonicalRequest<'_> {
    /// Hands over the exact bytes, piece by piece.
    pub fn pieces(&self, each: impl FnMut(&[u8])) {
        self.put(&mut Pieces(each));
    }

    fn put(&self, sink: &mut impl Sink) {
        let Self { head: Kept { method, path, content, .. }, query, authentication, .. } = self;
        let authentication = authentication.as_ref();
        let fields = &Fields::in_order(self.wire, self.added, &self.order);
        Parts { method, path: *path, query, authentication, fields, content: *content }.put(sink);
    }
}

impl fmt::Display for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| self.put(shown))
    }
}

impl fmt::Debug for CanonicalRequest<'_> {
    /// Shows the method alone: fields and query can hold a session token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanonicalRequest")
            .field("method", &self.head.method)
            .finish_non_exhaustive()
    }
}

/// What the signing key signs: algorithm, time, scope and the hash of the canonical request.
///
/// It is not secret and may be shown to explain why two signatures differ.
#[derive(Clone, Copy)]
pub struct StringToSign<'a> {
    pub(crate) timestamp: Timestamp,
    pub(crate) scope: CredentialScope<'a>,
    pub(crate) hash: [u8; DIGEST_LEN],
}

impl StringToSign<'_> {
    pub(crate) fn pieces(&self, each: impl FnMut(&[u8])) {
        self.put(&mut Pieces(each));
    }

    fn put(&self, sink: &mut impl Sink) {
        put_head(&self.timestamp, |sink| self.scope.each_piece(|piece| sink.put(piece)), sink);
        sink.put(&digest_to_hex(&self.hash));
    }
}

/// The string to sign of a claim. The last block of its canonical request is hashed when there is a key:
/// nothing of the string's first block waits for it, and a processor that looks ahead hashes the two
/// together.
#[derive(Clone, Copy)]
pub(crate) struct ClaimedString<'a> {
    pub(crate) timestamp: Timestamp,
    pub(crate) scope: CredentialScope<'a>,
    pub(crate) request: LastBlock,
}

impl<'a> ClaimedString<'a> {
    pub(crate) fn read(&self) -> StringToSign<'a> {
        let Self { timestamp, scope, request } = *self;
        StringToSign { timestamp, scope, hash: request.digest() }
    }

    /// The signature of this string.
    #[inline]
    pub(crate) fn signature(&self, key: &SigningKey) -> Signature {
        // As a rule there is room for all of it, so that it is hashed in one go.
        let put_scope = |sink: &mut Gathering<4>| self.scope.each_piece(|piece| sink.put(piece));
        let mut message = key.start();
        put_head(&self.timestamp, put_scope, &mut message);
        message.update_hex(&self.request.digest());
        key.finish(&mut message)
    }
}

/// Puts all of a string to sign that does not depend on the request.
#[inline(always)]
fn put_head<S: Sink>(timestamp: &Timestamp, put_scope: impl FnOnce(&mut S), sink: &mut S) {
    sink.put_ended(ALGORITHM.as_bytes(), b'\n');
    sink.put_ended(timestamp.as_bytes(), b'\n');
    put_scope(sink);
    sink.put(b"\n");
}

/// A string to sign of which the hash of the canonical request is to come, on its way into the MAC.
///
/// It is written before the canonical request is hashed to its end, and hashed with its own end in one
/// go: nothing of its first block waits for the request, and a processor that looks ahead hashes it
/// together with the request's last one.
#[derive(Clone)]
pub(crate) struct Begun(Gathering<2>);

impl Begun {
    #[inline(always)]
    pub(crate) fn new(
        key: &SigningKey,
        timestamp: &Timestamp,
        credential: &CredentialText,
    ) -> Self {
        let mut message = key.start();
        put_head(timestamp, |sink| sink.put(credential.scope()), &mut message);
        Self(message)
    }

    /// For several requests: what they have in common is hashed now.
    pub(crate) fn hashed(mut self) -> Self {
        self.0.flush();
        self
    }

    /// The signature under the key that this was begun with.
    #[inline(always)]
    pub(crate) fn signature(&self, key: &SigningKey, hash: &[u8; DIGEST_LEN]) -> Signature {
        key.end(&self.0, hash)
    }
}

impl fmt::Display for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| self.put(shown))
    }
}

impl fmt::Debug for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StringToSign({self})")
    }
}
