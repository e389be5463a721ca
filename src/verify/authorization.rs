//! The grammar of the `Authorization` field.
//!
//! ```text
//! authorization = "AWS4-HMAC-SHA256" SP component 2( OWS "," OWS component )
//! component     = "Credential=" credential / "SignedHeaders=" list / "Signature=" 64HEXDIG
//! ```
//!
//! One blank after the algorithm; the three components in any order, each once. Amazon S3 API
//! Reference, "Authenticating Requests: Using the Authorization Header".

use super::{ClaimedCredential, Component, Mechanism, Presented, ReadError, Tokens};
use crate::canonical::{ALGORITHM, SignedHeaders};
use crate::request::is_blank;
use crate::signature::Signature;

const MECHANISM: Mechanism = Mechanism::Header;

/// Reads the value of the one `Authorization` field, without blanks around it.
pub(super) fn read<'r: 'b, 'b>(value: &'r [u8]) -> Result<Presented<'r, 'b>, ReadError> {
    let value = core::str::from_utf8(value).map_err(|_| ReadError::AuthorizationSpace)?;
    let (scheme, rest) = value.split_once(' ').ok_or(ReadError::AuthorizationSpace)?;
    match scheme {
        ALGORITHM if rest.starts_with(is_ascii_blank) => return Err(ReadError::AuthorizationSpace),
        ALGORITHM => {}
        "AWS4-ECDSA-P256-SHA256" => return Err(ReadError::SignatureV4a(MECHANISM)),
        "AWS" => return Err(ReadError::SignatureV2),
        _ => return Err(ReadError::AuthorizationType),
    }
    let components = || rest.split(',').map(|part| part.trim_matches(is_ascii_blank));
    if components().count() != 3 {
        return Err(ReadError::AuthorizationComponents);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in components() {
        let (name, value) =
            component.split_once('=').ok_or(ReadError::AuthorizationComponentSyntax)?;
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            // Three components, one of them strange: one of the right ones is missing.
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(ReadError::AuthorizationComponentRepeated);
        }
    }
    let missing = ReadError::AuthorizationComponentMissing;
    let credential = credential.ok_or(missing(Component::Credential))?;
    let signed_headers = signed_headers.ok_or(missing(Component::SignedHeaders))?;
    let signature = signature.ok_or(missing(Component::Signature))?;
    // The separator of a query has no place here.
    let list = SignedHeaders::parse(signed_headers).filter(|_| !signed_headers.contains('%'));
    Ok(Presented {
        mechanism: MECHANISM,
        credential: ClaimedCredential::parse(credential, MECHANISM)?,
        signed_headers: list.ok_or(ReadError::SignedHeadersSyntax(MECHANISM))?,
        signature: Signature::parse(signature.as_bytes()).ok_or(ReadError::SignatureSyntax)?,
        date: None,
        expires: None,
        tokens: Tokens::default(),
    })
}

fn is_ascii_blank(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_blank)
}

/// The credential of an `Authorization` field, well formed or not.
pub(super) fn credential_text(value: &[u8]) -> Option<&str> {
    let (_, rest) = core::str::from_utf8(value).ok()?.split_once("Credential=")?;
    rest.split(',').next()
}
