//! What is compared: one way of doing one piece of work.

use crate::common::floor;
use crate::common::heads::{self, Head};
use crate::common::rounds::Candidate;
use countersign::{Header, Request, Timestamp, Verifier};

/// What becomes of the signing key between two operations.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Key {
    Kept,
    Derived,
}

pub(crate) struct Contender {
    /// Name of the crate.
    pub(crate) peer: &'static str,
    pub(crate) key: Key,
    /// Compressions that the request needs with a kept key. Not every peer can do every request.
    pub(crate) blocks: usize,
    /// How its work differs from what the others do.
    pub(crate) note: &'static str,
    pub(crate) run: Candidate<'static>,
}

impl Key {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Derived => "derived",
        }
    }
}

/// Measured inputs live as long as the process.
pub(crate) fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A head, borrowed as the library takes it.
pub(crate) fn request(head: Head) -> &'static Request<'static> {
    let head = keep(head);
    let headers = keep(head.headers());
    keep(head.request(headers))
}

pub(crate) fn url(head: &Head) -> String {
    format!("https://{}{}", heads::HOST, head.target)
}

/// The same head in the types of `http`.
pub(crate) fn http_request(head: &Head) -> http::Request<()> {
    let mut builder = http::Request::builder().method(head.method).uri(url(head));
    for (name, value) in &head.fields {
        builder = builder.header(name, value);
    }
    builder.body(()).expect("a request")
}

/// What follows the last `=`.
pub(crate) fn signature_of(text: &str) -> &str {
    text.rsplit_once('=').map_or("", |(_, signature)| signature)
}

/// Whether our verifier takes a request that somebody signed a moment ago, and how many compressions
/// it needs.
pub(crate) fn verified_now(parts: &http::request::Parts) -> Option<usize> {
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
        .collect();
    let target = parts.uri.path_and_query()?.as_str();
    let request = Request { method: parts.method.as_str(), target, headers: &headers };
    let claim = Verifier::s3(heads::REGION).read(&request, Timestamp::now()).ok()?;
    let blocks = floor::of_signature(
        claim.canonical_request().to_string().len(),
        claim.string_to_sign().to_string().len(),
    );
    let key = countersign::SigningKey::derive(&heads::secret(), &claim.scope());
    let _ = claim.verify(&key).ok()?;
    Some(blocks)
}
