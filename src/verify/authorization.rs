//! The grammar of the `Authorization` field.
//!
//! ```text
//! authorization = "AWS4-HMAC-SHA256" SP component 2( OWS "," OWS component )
//! component     = "Credential=" credential / "SignedHeaders=" list / "Signature=" 64HEXDIG
//! ```
//!
//! One blank after the algorithm; the three components in any order, each once. Amazon S3 API
//! Reference, "Authenticating Requests: Using the Authorization Header".

use super::{ClaimedCredential, Component, Mechanism, Presented, ReadError, Tokens, Verifier};
use crate::bytes;
use crate::canonical::ALGORITHM;
use crate::request::{Header, RequestError, is_blank, split_once, trim};
use crate::signature::Signature;
use crate::time::Timestamp;

const MECHANISM: Mechanism = Mechanism::Header;

/// Reads the one `Authorization` field.
#[inline(always)]
pub(super) fn read<'r: 'b, 'b>(
    field: &'r Header<'r>,
    rules: &'b Verifier<'_>,
    now: Timestamp,
) -> Result<Presented<'r, 'b>, ReadError> {
    let value = trim(field.value);
    match usual(value, rules, now) {
        Some(presented) => Ok(presented),
        None => read_value(value, now).map_err(|error| match field.has_text() {
            true => error,
            // What this grammar takes is text; what it does not take may be no value of a field.
            false => RequestError::HeaderSyntax.into(),
        }),
    }
}

/// Reads the form in which nearly every signer writes a claim of today for this service. `None` says
/// nothing of the value: the grammar decides.
#[inline(always)]
fn usual<'r: 'b, 'b>(
    value: &'r [u8],
    rules: &'b Verifier<'_>,
    now: Timestamp,
) -> Option<Presented<'r, 'b>> {
    let rest = value.strip_prefix(b"AWS4-HMAC-SHA256 Credential=")?;
    let (credential, rest) = ClaimedCredential::usual(rest, b"/", rules, now)?;
    let rest = rest.strip_prefix(b",")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"SignedHeaders=")?;
    let (rest, signature) = rest.split_at_checked(rest.len().checked_sub(Signature::HEX_LEN)?)?;
    let rest = rest.strip_suffix(b"Signature=")?;
    let list = rest.strip_suffix(b" ").unwrap_or(rest).strip_suffix(b",")?;
    if bytes::find(list, b',').is_some() {
        return None;
    }
    Some(Presented {
        mechanism: MECHANISM,
        credential,
        list,
        signature: Signature::parse(signature)?,
        date: None,
        expires: None,
        tokens: Tokens::default(),
    })
}

#[inline(never)]
fn read_value<'r: 'b, 'b>(value: &'r [u8], now: Timestamp) -> Result<Presented<'r, 'b>, ReadError> {
    let value = core::str::from_utf8(value).map_err(|_| ReadError::AuthorizationSpace)?;
    let components = value.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
    let components = components.ok_or_else(|| other_scheme(value))?;
    if components.bytes().next().is_some_and(is_blank) {
        return Err(ReadError::AuthorizationSpace);
    }
    let split = |list| split_once(list, b',').ok_or(ReadError::AuthorizationComponents);
    let (first, rest) = split(components)?;
    let (second, third) = split(rest)?;
    if split_once(third, b',').is_some() {
        return Err(ReadError::AuthorizationComponents);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in [first, second, third].map(trim_blanks) {
        let (place, value) = if let Some(value) = component.strip_prefix("Credential=") {
            (&mut credential, value)
        } else if let Some(value) = component.strip_prefix("SignedHeaders=") {
            (&mut signed_headers, value)
        } else if let Some(value) = component.strip_prefix("Signature=") {
            (&mut signature, value)
        } else if component.contains('=') {
            // Three components, one of them strange: one of the right ones is missing.
            continue;
        } else {
            return Err(ReadError::AuthorizationComponentSyntax);
        };
        if place.replace(value).is_some() {
            return Err(ReadError::AuthorizationComponentRepeated);
        }
    }
    let missing = ReadError::AuthorizationComponentMissing;
    let credential = credential.ok_or(missing(Component::Credential))?;
    let signed_headers = signed_headers.ok_or(missing(Component::SignedHeaders))?;
    let signature = signature.ok_or(missing(Component::Signature))?;
    Ok(Presented {
        mechanism: MECHANISM,
        credential: ClaimedCredential::parse(credential, MECHANISM, now)?,
        list: signed_headers.as_bytes(),
        signature: Signature::parse(signature.as_bytes()).ok_or(ReadError::SignatureSyntax)?,
        date: None,
        expires: None,
        tokens: Tokens::default(),
    })
}

/// Why a value that does not begin with the algorithm and a blank is refused.
#[cold]
fn other_scheme(value: &str) -> ReadError {
    match value.split_once(' ') {
        None => ReadError::AuthorizationSpace,
        Some(("AWS4-ECDSA-P256-SHA256", _)) => ReadError::SignatureV4a(MECHANISM),
        Some(("AWS", _)) => ReadError::SignatureV2,
        Some(_) => ReadError::AuthorizationType,
    }
}

fn trim_blanks(mut text: &str) -> &str {
    while let Some(rest) = text.strip_prefix([' ', '\t']) {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix([' ', '\t']) {
        text = rest;
    }
    text
}

/// The credential of an `Authorization` field, well formed or not.
pub(super) fn credential_text(value: &[u8]) -> Option<&str> {
    let (_, rest) = core::str::from_utf8(value).ok()?.split_once("Credential=")?;
    rest.split(',').next()
}
