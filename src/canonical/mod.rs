//! The canonical request and the string to sign: what a signature covers, byte for byte.
//!
//! One writer serves signing, verifying and showing: it puts pieces into a [`Sink`], which is a
//! hash or a formatter. There is no text of the whole anywhere.
//!
//! One file for each step of the specification: `encode.rs` (UriEncode), `uri.rs` (canonical URI),
//! `query.rs` (canonical query string), `headers.rs` (canonical and signed headers).
//!
//! AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference,
//! "Authenticating Requests: Using the Authorization Header".

mod encode;
mod headers;
mod query;
mod uri;

use core::fmt;

use crate::content;
use crate::credential::CredentialScope;
use crate::crypto::{DIGEST_LEN, Sha256, digest_to_hex};
use crate::time::Timestamp;

pub(crate) use encode::{Decoded, is_plain};
pub(crate) use headers::{CoverageError, Fields, Order, Separator, SignedHeaders, canonical_name};
pub(crate) use query::{Authentication, AuthenticationName, Query, Spelling, Token, put_parameter};
pub(crate) use uri::Path;

pub use encode::PlusSign;
pub use query::{SignedParameter, SignedText};
pub use uri::{Dialect, SignedPath};

/// The only algorithm that is signed and verified.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A place that canonical bytes flow into.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Sha256 {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
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

/// A sink that hands each piece to a function.
struct Pieces<F>(F);

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
    pub(crate) method: &'a str,
    pub(crate) path: Path<'a>,
    pub(crate) query: Query<'a>,
    /// What a presigned URL adds to the query of the caller.
    pub(crate) authentication: Option<Authentication<'a>>,
    pub(crate) fields: Fields<'a>,
    pub(crate) content: content::Text,
}

impl CanonicalRequest<'_> {
    fn put(&self, sink: &mut impl Sink) {
        sink.put(self.method.as_bytes());
        sink.put(b"\n");
        self.path.put(sink);
        sink.put(b"\n");
        self.query.put(self.authentication.as_ref(), &self.fields, sink);
        sink.put(b"\n");
        self.fields.put_lines(sink);
        sink.put(b"\n");
        self.fields.put_names(Separator::Semicolon, sink);
        sink.put(b"\n");
        sink.put(self.content.as_bytes());
    }

    /// Hands over the exact bytes, piece by piece.
    pub fn pieces(&self, each: impl FnMut(&[u8])) {
        self.put(&mut Pieces(each));
    }

    pub(crate) fn hash(&self) -> [u8; DIGEST_LEN] {
        let mut hash = Sha256::new();
        self.put(&mut hash);
        hash.finish()
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
        f.debug_struct("CanonicalRequest").field("method", &self.method).finish_non_exhaustive()
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

    pub(crate) fn put(&self, sink: &mut impl Sink) {
        sink.put(ALGORITHM.as_bytes());
        sink.put(b"\n");
        sink.put(self.timestamp.as_bytes());
        sink.put(b"\n");
        self.scope.pieces().into_iter().for_each(|piece| sink.put(piece));
        sink.put(b"\n");
        sink.put(&digest_to_hex(&self.hash));
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
