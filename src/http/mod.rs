//! Conversions with the types of the `http` crate.
//!
//! A head is borrowed, its values are not copied. HTTP/2's authority becomes the field
//! `:authority`, as it stood on the wire. What a signer adds is marked sensitive where it is secret.

#[cfg(feature = "multipart")]
mod form;
#[cfg(feature = "multipart")]
mod part;
#[cfg(feature = "http-body")]
mod signed_body;
#[cfg(feature = "http-body")]
mod verified_body;

use std::vec::Vec;

use core::fmt;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use crate::request::{Header, Request};
use crate::sign::{Signed, SignedValue};

#[cfg(feature = "multipart")]
pub use form::{FormFile, FormUpload, FormUploadError};
#[cfg(feature = "http-body")]
pub use signed_body::{SignedBody, SignedBodyError, Trailing};
#[cfg(feature = "http-body")]
pub use verified_body::{Hold, VerifiedBody, VerifiedBodyError};

/// A head of the `http` crate, read as a [`Request`].
///
/// Hand it the parts as they came in: before a router has rewritten the URI, before a middleware
/// has added, dropped or decoded a field.
///
/// ```
/// use countersign::{Timestamp, Verifier, http::Head};
///
/// let (parts, ()) = http::Request::get("http://127.0.0.1:9000/bucket/key")
///     .header("host", "127.0.0.1:9000")
///     .body(())?
///     .into_parts();
/// let head = Head::new(&parts);
/// let claim = Verifier::s3("us-east-1").read(&head.request(), Timestamp::now());
/// assert_eq!(claim.err(), Some(countersign::ReadError::Anonymous));
/// # Ok::<(), http::Error>(())
/// ```
pub struct Head<'r> {
    method: &'r str,
    target: &'r str,
    headers: Vec<Header<'r>>,
}

impl<'r> Head<'r> {
    /// Reads the parts of a request.
    #[must_use]
    pub fn new(parts: &'r Parts) -> Self {
        let mut headers = Vec::with_capacity(parts.headers.len() + 1);
        if let Some(authority) = parts.uri.authority() {
            // Of HTTP/2, or of an absolute target, whose host must be that of the field as well.
            headers.push(Header { name: ":authority", value: authority.as_str().as_bytes() });
        }
        let fields = parts.headers.iter();
        headers.extend(
            fields.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() }),
        );
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        // An authority without a path is a target that cannot be signed, unless it is HTTP/2's
        // way to write `/`.
        let target =
            if target.is_empty() && parts.version >= Version::HTTP_2 { "/" } else { target };
        Self { method: parts.method.as_str(), target, headers }
    }

    /// The request, for a [`Verifier`](crate::Verifier) or a [`Signer`](crate::Signer).
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request { method: self.method, target: self.target, headers: &self.headers }
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request().fmt(f)
    }
}

/// Adds the fields of a signed request. `authorization` and session tokens are marked sensitive.
///
/// The signed request borrows the head; where both come from one `HeaderMap`, take [`fields`]
/// first.
///
/// ```
/// # use countersign::{ContentSha256, Signer, Timestamp, http::{Head, fields}};
/// # fn sign<B>(signer: &Signer<'_>, request: http::Request<B>, now: Timestamp)
/// #     -> Result<http::Request<B>, Box<dyn std::error::Error>> {
/// let (mut parts, body) = request.into_parts();
/// let added = fields(&signer.sign(&Head::new(&parts).request(), ContentSha256::EMPTY, now)?)?;
/// parts.headers.extend(added);
/// Ok(http::Request::from_parts(parts, body))
/// # }
/// ```
///
/// # Errors
/// If a session token holds what cannot stand in a field.
pub fn apply(signed: &Signed<'_>, headers: &mut HeaderMap) -> Result<(), http::Error> {
    for (name, value) in fields(signed)? {
        // A coding follows the codings that are there; nothing else is there yet.
        headers.append(name, value);
    }
    Ok(())
}

/// The fields that [`apply`] adds, free of the request they were made from.
///
/// # Errors
/// As [`apply`].
pub fn fields(signed: &Signed<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, http::Error> {
    let field = |(name, value): (&'static str, SignedValue<'_>)| {
        let mut value = HeaderValue::try_from(value.to_vec())?;
        value.set_sensitive(Signed::is_sensitive(name));
        Ok((HeaderName::from_static(name), value))
    };
    signed.headers().map(field).collect()
}
