//! The gate: what a request has to prove before anything else sees it.
//!
//! A claim is read, a key is found, the claim is verified; only then is there a request to pass on.
//! What is passed on is built from what was signed: the path and the query as the signature covers
//! them, no part of the signature itself, and of the headers that S3 acts on only those that the
//! signature covers (the library refuses any other). So the store cannot be told one thing while
//! the signature says another.
//!
//! This module deliberately knows nothing of sockets, files and the store.

use std::sync::Arc;
use std::time::Duration;

use countersign::http::Head;
use countersign::{
    AccessKeyId, BodyVerifier, ContentSha256, Error, Family, Mechanism, Timestamp, Verified,
    VerifiedBody, Verifier, VerifyError,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::error::{Fault, Ids, Refusal};
use crate::keys::{self, Found, Keys};

/// What stays as it is in a path: anything else is escaped, whatever the client did.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// The same for names and values of a query.
const QUERY: &AsciiSet = &PATH.add(b'/');

/// Fields that end here: the signature, and what is about this connection or this framing only.
const NOT_PASSED: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::DATE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The same among S3's own fields.
const NOT_PASSED_AMZ: [&str; 6] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-trailer",
];

/// The coding that frames are.
const AWS_CHUNKED: &str = "aws-chunked";

/// Who may come in.
#[derive(Debug)]
pub(crate) struct Gate {
    region: String,
    clock_skew: Duration,
    keys: Arc<Keys>,
}

/// A request whose head is proven. Its body is not: that is what `body` is for.
pub(crate) struct Admitted {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) body: BodyVerifier,
    pub(crate) head: Passed,
}

/// A head that is proven, made of what its signature covers. Only the gate makes one, and the store
/// takes no other.
pub(crate) struct Passed(Parts);

impl Passed {
    pub(crate) fn into_parts(self) -> Parts {
        self.0
    }

    /// Checksums that came behind the body stand in the head from here on, as if they had come with
    /// it: they have been checked.
    pub(crate) fn take_trailers(&mut self, proof: &VerifiedBody) -> Result<(), Fault> {
        for (name, value) in proof.trailers() {
            let name = HeaderName::try_from(name).map_err(|_| Fault::Header)?;
            let value = HeaderValue::try_from(value).map_err(|_| Fault::Header)?;
            self.0.headers.insert(name, value);
        }
        Ok(())
    }
}

/// Why a request does not come in.
#[derive(Debug)]
pub(crate) enum Denied {
    /// Its signature.
    Signature(Error),
    /// Something that may not be passed on, of a request by a signer we know.
    Fault(Fault),
}

impl<E: Into<Error>> From<E> for Denied {
    fn from(error: E) -> Self {
        Denied::Signature(error.into())
    }
}

impl Gate {
    pub(crate) fn new(region: &str, clock_skew: Duration, keys: Arc<Keys>) -> Self {
        Gate { region: region.to_owned(), clock_skew, keys }
    }

    fn rules(&self) -> Verifier<'_> {
        Verifier::s3(&self.region).clock_skew(self.clock_skew)
    }

    /// Proves the head of a request.
    pub(crate) fn admit(&self, parts: &Parts, now: Timestamp) -> Result<Admitted, Denied> {
        let head = Head::new(parts);
        let claim = self.rules().read(&head.request(), now)?;
        let verified = match self.keys.find(&claim) {
            Found::Known(key, None) => claim.verify(&key)?,
            Found::Known(key, Some(token)) => match keys::token(&token) {
                Some(token) => claim.verify_session(&key, token)?,
                // A token that could not be compared does not get into the table.
                None => return Err(VerifyError::SessionTokenMismatch.into()),
            },
            Found::Unknown(decoy) => return Err(claim.refuse_unknown_key(&decoy).into()),
        };
        let head = pass_on(parts, &verified).map_err(Denied::Fault)?;
        let access_key_id = verified.access_key_id();
        // Checksums of the body are checked in the same pass.
        Ok(Admitted { access_key_id, head, body: verified.into_checked_body()? })
    }

    /// What to answer when a signature, or a body under it, is refused.
    pub(crate) fn refuse(&self, error: Error, parts: &Parts, now: Timestamp, ids: &Ids) -> Refusal {
        let rules = self.rules();
        let head = Head::new(parts);
        let request = head.request();
        let hint = error.hint(Family::S3).about(&rules, &request, now);
        Refusal::hinted(&hint, ids)
    }
}

/// The head that the store gets, made of what the signature covers.
fn pass_on(parts: &Parts, verified: &Verified<'_>) -> Result<Passed, Fault> {
    let mut headers = pass_headers(parts, verified)?;
    let uri = pass_target(verified, &mut headers)?;
    let mut request = http::Request::new(());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(Passed(request.into_parts().0))
}

fn pass_headers(parts: &Parts, verified: &Verified<'_>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for name in parts.headers.keys() {
        if NOT_PASSED.contains(name) || NOT_PASSED_AMZ.contains(&name.as_str()) {
            continue;
        }
        if name.as_str().starts_with("x-amz-") {
            // Repeated fields were signed as one line, so as one line they are passed on. An
            // unsigned one does not get this far; if it did, it would end here.
            let Some(signed) = verified.header(name.as_str()) else { continue };
            let value = HeaderValue::from_bytes(&signed.joined()).map_err(|_| Fault::Header)?;
            headers.insert(name, value);
        } else {
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
    // HTTP/2 has no Host.
    if !headers.contains_key(header::HOST)
        && let Some(authority) = parts.uri.authority()
    {
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::Header)?;
        headers.insert(header::HOST, value);
    }
    strip_framing(verified, &mut headers)?;
    Ok(headers)
}

/// The framing of a streamed body ends here, and so does its name among the content codings.
fn strip_framing(verified: &Verified<'_>, headers: &mut HeaderMap) -> Result<(), Fault> {
    let codings = codings(headers);
    let named = codings.iter().any(|coding| coding.eq_ignore_ascii_case(AWS_CHUNKED));
    let framed = match verified.content() {
        ContentSha256::Digest(_) => false,
        ContentSha256::UnsignedPayload => named,
        _ => true,
    };
    let said = ["x-amz-decoded-content-length", "x-amz-trailer"];
    if !framed && (named || said.iter().any(|name| verified.covers(name))) {
        // Framing that the content mode does not announce would be stored as if it were the object.
        return Err(Fault::Framed);
    }
    if !named {
        return Ok(());
    }
    let kept: Vec<_> =
        codings.iter().filter(|coding| !coding.eq_ignore_ascii_case(AWS_CHUNKED)).collect();
    headers.remove(header::CONTENT_ENCODING);
    if !kept.is_empty() {
        let kept = kept.into_iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let value = HeaderValue::from_str(&kept).map_err(|_| Fault::Header)?;
        headers.insert(header::CONTENT_ENCODING, value);
    }
    Ok(())
}

/// All elements of all `Content-Encoding` fields.
fn codings(headers: &HeaderMap) -> Vec<String> {
    let fields = headers.get_all(header::CONTENT_ENCODING).iter();
    fields
        .map(|field| String::from_utf8_lossy(field.as_bytes()).into_owned())
        .flat_map(|field| field.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        .filter(|one| !one.is_empty())
        .collect()
}

/// Path and query as they were signed.
fn pass_target(verified: &Verified<'_>, headers: &mut HeaderMap) -> Result<Uri, Fault> {
    let mut target = percent_encode(&verified.path().to_vec(), PATH).to_string();
    let mut separator = '?';
    for parameter in verified.query() {
        let (name, value) = (parameter.name.to_vec(), parameter.value.to_vec());
        if verified.mechanism() == Mechanism::Query && hoist(&name, &value, headers)? {
            continue;
        }
        target.push(separator);
        target.extend(percent_encode(&name, QUERY));
        target.push('=');
        target.extend(percent_encode(&value, QUERY));
        separator = '&';
    }
    target.parse().map_err(|_| Fault::Uri)
}

/// Presigners move `x-amz-*` headers into the query, and S3 takes them from there as if they were
/// headers. Being part of the query they are signed.
///
/// Checksums are the exception: presigners put that of an empty body there, and S3 does not compare
/// it either.
fn hoist(name: &[u8], value: &[u8], headers: &mut HeaderMap) -> Result<bool, Fault> {
    let name = name.to_ascii_lowercase();
    if !name.starts_with(b"x-amz-") {
        return Ok(false);
    }
    let name = HeaderName::from_bytes(&name).map_err(|_| Fault::Header)?;
    let ignored = NOT_PASSED_AMZ.contains(&name.as_str())
        || name.as_str().starts_with("x-amz-checksum-")
        || name == "x-amz-sdk-checksum-algorithm";
    if !ignored && !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_bytes(value).map_err(|_| Fault::Header)?);
    }
    Ok(true)
}
