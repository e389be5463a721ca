//! The grammar of the `Authorization` field.
//!
//! ```text
//! authorization = "AWS4-HMAC-SHA256" SP component 2( OWS "," OWS component )
//! component     = "Credential=" credential / "SignedHeaders=" list / "Signature=" 64HEXDIG
//! ```
//!
//! One blank after the algorithm; the three components in any order, each once. Amazon S3 API
//! Reference, "Authenticating Requests: Using the Authorization Header".

use super::claim::Source;
use super::{ClaimedCredential, Component, Mechanism, Presented, ReadError, Verifier};
use crate::bytes::{self, Lanes, others};
use crate::canonical::ALGORITHM;
use crate::request::{Header, RequestError, is_blank, split_once, trim};
use crate::signature::{PresentedSignature, Signature};
use crate::time::Timestamp;

const MECHANISM: Mechanism = Mechanism::Header;

/// Reads the one `Authorization` field.
#[inline(always)]
pub(super) fn read<'r: 'b, 'b>(
    field: &'r Header<'r>,
    rules: &'b Verifier<'_>,
    now: Timestamp,
    presented: &mut Presented<'r, 'b>,
) -> Result<(), ReadError> {
    presented.mechanism = MECHANISM;
    let value = trim(field.value);
    // What is cut off might be an end of line.
    let whole = value.len() == field.value.len();
    if whole && usual(value, rules, now, presented).is_some() {
        return Ok(());
    }
    // What is usual is text; of what is not, nobody has looked at the value yet.
    if !field.has_text() {
        return Err(RequestError::HeaderSyntax.into());
    }
    read_value(value, now, presented)
}

/// Reads the form in which nearly every signer writes a claim of today for this service. `None` says
/// nothing of the value: the grammar decides.
#[inline(always)]
fn usual<'r: 'b, 'b>(
    value: &'r [u8],
    rules: &'b Verifier<'_>,
    now: Timestamp,
    presented: &mut Presented<'r, 'b>,
) -> Option<()> {
    let text = value.strip_prefix(b"AWS4-HMAC-SHA256 Credential=")?;
    let end = rules.scope_end.as_ref()?.as_bytes();
    let (name, rest) = ClaimedCredential::usual(text, b"/", end, now)?;
    let rest = rest.strip_prefix(b",")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"SignedHeaders=")?;
    let (rest, signature) = rest.split_at_checked(rest.len().checked_sub(Signature::HEX_LEN)?)?;
    let rest = rest.strip_suffix(b"Signature=")?;
    let list = rest.strip_suffix(b" ").unwrap_or(rest).strip_suffix(b",")?;
    let strange = |lanes: Lanes| others(lanes.is_in(b'!', b'~')) | lanes.is(b',');
    if !bytes::none(list, strange) {
        return None;
    }
    presented.signature = PresentedSignature::parse(signature)?;
    presented.list = list;
    presented.credential.name = name;
    presented.name_in(Source::Field(text));
    Some(())
}

#[inline(never)]
fn read_value<'r: 'b, 'b>(
    value: &'r [u8],
    now: Timestamp,
    presented: &mut Presented<'r, 'b>,
) -> Result<(), ReadError> {
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
    let text = Source::Field(credential.as_bytes());
    presented.credential = ClaimedCredential::parse(credential, MECHANISM, now)?;
    let signature = PresentedSignature::parse(signature.as_bytes());
    presented.signature = signature.ok_or(ReadError::SignatureSyntax)?;
    presented.list = signed_headers.as_bytes();
    presented.name_in(text);
    Ok(())
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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Header, Presented, RequestError, Verifier, read, read_value, usual};
    use crate::time::Timestamp;
    use std::string::ToString as _;
    use std::vec::Vec;

    const VALUE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20130524/r-1/s3/aws4_request, \
        SignedHeaders=a;host, \
        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

    /// What is recognized at a look is what the grammar reads: each byte changed, taken out, or
    /// another put before it.
    #[test]
    fn what_is_usual_is_read_alike() {
        let now = Timestamp::parse("20130524T080910Z").expect("a time");
        let rules = Verifier::s3("r-1");
        for region in ["", "a/r-1", "a,r-1"] {
            let (value, rules) = (VALUE.replace("r-1", region), Verifier::s3(region));
            let mut presented = Presented::new(&rules, now);
            assert!(usual(value.as_bytes(), &rules, now, &mut presented).is_none(), "{region}");
        }
        let (mut recognized, mut read) = (0, 0);
        let mut check = |value: &[u8]| {
            let (mut grammar, mut at_sight) = [(); 2].map(|()| Presented::new(&rules, now)).into();
            let is_read = read_value(value, now, &mut grammar);
            read += usize::from(is_read.is_ok());
            if usual(value, &rules, now, &mut at_sight).is_none() {
                return;
            }
            recognized += 1;
            let parts = |presented: &Presented<'_, '_>| {
                let credential = &presented.credential;
                assert!(presented.date.is_none() && presented.expires.is_none());
                // The name is read where it stands, and nothing of it is decoded.
                assert_eq!(presented.name.read().as_str().as_bytes(), credential.name);
                (
                    (
                        presented.mechanism,
                        presented.list.to_vec(),
                        presented.signature.read().to_string(),
                    ),
                    (credential.name.to_vec(), credential.date, credential.region.to_string()),
                    (credential.service.to_string(), credential.terminator.to_string()),
                )
            };
            let text = std::string::String::from_utf8_lossy(value);
            assert_eq!(is_read, Ok(()), "{text}");
            assert_eq!(parts(&at_sight), parts(&grammar), "{text}");
        };
        check(VALUE.as_bytes());
        check(VALUE.replace(", ", ",").as_bytes());
        let others = *b"0a /,;=%+A\t\0\xe9";
        for at in 0..VALUE.len() {
            let (before, behind) = VALUE.as_bytes().split_at(at);
            check(&[before, &behind[1..]].concat());
            for other in others {
                let whole: Vec<_> = [before, &[other], &behind[1..]].concat();
                check(&whole);
                check(&[before, &[other], behind].concat());
            }
        }
        // Most of those that are read at all are recognized, among them all with another name,
        // list or signature.
        assert!(recognized > 400 && recognized <= read, "{recognized} of {read}");
    }

    /// Blanks around the value are nothing, an end of line is no part of a field.
    #[test]
    fn what_stands_around_is_text() {
        let now = Timestamp::parse("20130524T080910Z").expect("a time");
        let rules = Verifier::s3("r-1");
        let read_with = |before: &str, behind: &str| {
            let value = [before, VALUE, behind].concat();
            let field = Header { name: "authorization", value: value.as_bytes() };
            read(&field, &rules, now, &mut Presented::new(&rules, now)).err()
        };
        for blanks in ["", " ", "\t", " \t "] {
            assert_eq!(read_with(blanks, blanks), None);
        }
        for strange in ["\r", "\n", "\r\n", " \r", "\0"] {
            let error = Some(RequestError::HeaderSyntax.into());
            assert_eq!((read_with(strange, ""), read_with("", strange)), (error, error));
        }
    }
}
