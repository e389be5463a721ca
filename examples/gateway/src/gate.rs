//! The gate: what a request has to prove before anything else sees it, and what it is afterwards.
//!
//! The library's layer reads the claim, finds the key and verifies; only then is there a request to
//! pass on. What is passed on is built from what was signed: the path and the query as the signature
//! covers them, no part of the signature itself, and of the headers that S3 acts on only those that
//! the signature covers (the library refuses any other). So the store cannot be told one thing while
//! the signature says another.
//!
//! This module deliberately knows nothing of sockets, files and stores.

use std::sync::Arc;
use std::time::Duration;

use countersign::http::Hold;
use countersign::tower::{RequestIds, VerifiedHead, VerifyLayer};
use countersign::{CheckedForm, ContentSha256, Mechanism, VerifiedBody};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::error::{Fault, Ids};
use crate::keys::Keys;

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

/// Beginnings of form fields that are headers of the same name.
const FORM_STEMS: [&str; 4] =
    ["x-amz-checksum-", "x-amz-meta-", "x-amz-object-lock-", "x-amz-server-side-encryption"];

/// The coding that frames are.
const AWS_CHUNKED: &str = "aws-chunked";

/// The layer that every request passes.
pub(crate) fn layer(
    region: &str,
    clock_skew: Duration,
    hold: Hold,
    keys: Arc<Keys>,
) -> VerifyLayer<Arc<Keys>> {
    VerifyLayer::new("s3", region, keys)
        .rules(move |rules| rules.clock_skew(clock_skew))
        .hold(hold)
        .ids(|parts| match parts.extensions.get::<Ids>() {
            Some(ids) => RequestIds::new(&*ids.request, &*ids.host),
            None => RequestIds::default(),
        })
}

/// A domain whose subdomains are buckets.
#[derive(Clone, Debug)]
pub(crate) struct Domain(String);

impl Domain {
    pub(crate) fn new(name: &str) -> Self {
        Domain(name.trim_matches('.').to_ascii_lowercase())
    }

    /// The bucket that a host names. Any other host is path style, so that the address itself keeps
    /// working.
    pub(crate) fn bucket(&self, host: &str) -> Option<String> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        let bucket = name.strip_suffix(&self.0)?.strip_suffix('.')?;
        Some(bucket.to_owned())
    }
}

/// A head that is proven, made of what its signature covers, in path style. It is made of a
/// [`VerifiedHead`] or a [`CheckedForm`] alone, and no store takes any other.
pub(crate) struct Passed(Parts);

impl Passed {
    pub(crate) fn new(
        parts: &Parts,
        verified: &VerifiedHead,
        domain: Option<&Domain>,
    ) -> Result<Self, Fault> {
        let mut headers = pass_headers(parts, verified)?;
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let bucket = domain.zip(host).and_then(|(domain, host)| domain.bucket(host));
        let uri = pass_target(verified, bucket.as_deref(), &mut headers)?;
        let mut request = http::Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(Passed(request.into_parts().0))
    }

    /// What a form asks for, as a PUT. Nothing of the head that it came with: no signature covers
    /// that, and of the form only the fields that a condition covers.
    pub(crate) fn of_form(form: &CheckedForm<'_>) -> Result<Self, Fault> {
        let mut headers = HeaderMap::new();
        for (name, value) in form.fields() {
            let name = name.to_ascii_lowercase();
            if let Some(name) = header_of(&name)? {
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Fault::Header)?;
                headers.insert(name, value);
            }
        }
        let mut request = http::Request::new(());
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = path(&[form.bucket(), form.key()])?;
        *request.headers_mut() = headers;
        Ok(Passed(request.into_parts().0))
    }

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

fn pass_headers(parts: &Parts, verified: &VerifiedHead) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    let hops = of_connection(&parts.headers);
    for name in parts.headers.keys() {
        // Whatever is signed stays: `Connection` need not be, so anybody on the way can write it.
        if hops.contains(name) && verified.header(name.as_str()).is_none() {
            continue;
        }
        if NOT_PASSED.contains(name) || NOT_PASSED_AMZ.contains(&name.as_str()) {
            continue;
        }
        if name.as_str().starts_with("x-amz-") {
            // Repeated fields were signed as one line, so as one line they are passed on. An
            // unsigned one does not get this far; if it did, it would end here.
            let Some(signed) = verified.header(name.as_str()) else { continue };
            let value = HeaderValue::from_bytes(signed).map_err(|_| Fault::Header)?;
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

/// The header that a form's field stands for, if it stands for one; names are in lower case. A field
/// of S3's that is not known here is refused: as a header it might be another request (a copy), and
/// left out it would be missing.
fn header_of(field: &str) -> Result<Option<HeaderName>, Fault> {
    let name = match field {
        "acl" => "x-amz-acl",
        // Refused by the store; its header has another syntax.
        "tagging" => "x-amz-tagging",
        "cache-control"
        | "content-disposition"
        | "content-encoding"
        | "content-md5"
        | "content-type"
        | "expires"
        | "x-amz-storage-class"
        | "x-amz-website-redirect-location" => field,
        "x-amz-algorithm"
        | "x-amz-credential"
        | "x-amz-date"
        | "x-amz-security-token"
        | "x-amz-checksum-algorithm" => return Ok(None),
        _ if FORM_STEMS.iter().any(|stem| field.starts_with(stem)) => field,
        _ if field.starts_with("x-amz-") => return Err(Fault::Field),
        _ => return Ok(None),
    };
    Ok(Some(HeaderName::from_bytes(name.as_bytes()).map_err(|_| Fault::Header)?))
}

/// A path of these segments; a slash within one stays.
pub(crate) fn path(segments: &[&str]) -> Result<Uri, Fault> {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.extend(percent_encode(segment.as_bytes(), PATH));
    }
    path.parse().map_err(|_| Fault::Uri)
}

/// The fields that `Connection` says are about this connection only.
pub(crate) fn of_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let fields = headers.get_all(header::CONNECTION).iter();
    fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// The framing of a streamed body ends here, and so does its name among the content codings.
fn strip_framing(verified: &VerifiedHead, headers: &mut HeaderMap) -> Result<(), Fault> {
    let codings = codings(headers);
    let named = codings.iter().any(|coding| coding.eq_ignore_ascii_case(AWS_CHUNKED));
    let framed = match verified.content() {
        ContentSha256::Digest(_) => false,
        ContentSha256::UnsignedPayload => named,
        _ => true,
    };
    let said = ["x-amz-decoded-content-length", "x-amz-trailer"];
    if !framed && (named || said.iter().any(|name| verified.header(name).is_some())) {
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
fn pass_target(
    verified: &VerifiedHead,
    bucket: Option<&str>,
    headers: &mut HeaderMap,
) -> Result<Uri, Fault> {
    let mut target = String::new();
    if let Some(bucket) = bucket {
        target.push('/');
        target.extend(percent_encode(bucket.as_bytes(), PATH));
    }
    target.extend(percent_encode(verified.path(), PATH));
    let mut separator = '?';
    for (name, value) in verified.query() {
        if verified.mechanism() == Mechanism::Query && hoist(name, value, headers)? {
            continue;
        }
        target.push(separator);
        target.extend(percent_encode(name, QUERY));
        target.push('=');
        target.extend(percent_encode(value, QUERY));
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
