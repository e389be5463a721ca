//! The grammar of a presigned query.
//!
//! Six parameters (five outside S3, where `X-Amz-Expires` may be absent) under their literal names,
//! each once; a second spelling of one is refused, because another reader might prefer it. Amazon
//! S3 API Reference, "Authenticating Requests: Using Query Parameters".

use super::claim::Source;
use super::{ClaimedCredential, Mechanism, Presented, ReadError, Tokens, Verifier};
use crate::bounded::Bounded;
use crate::bytes;
use crate::canonical::{
    ALGORITHM, AuthenticationName, Dialect, Parameter, Query, ScopeEnd, Spelling,
};
use crate::credential::AccessKeyId;
use crate::signature::PresentedSignature;
use crate::time::Timestamp;

const MECHANISM: Mechanism = Mechanism::Query;

/// The longest credential, decoded: the name, a date, and 64 bytes each for region, service and
/// terminator.
const MAX_CREDENTIAL: usize = AccessKeyId::MAX_LEN + 8 + 3 * 64 + 4;

/// Where a credential is decoded to.
pub(crate) struct Buffer(Bounded<u8, MAX_CREDENTIAL>);

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self(Bounded::filled_with(0))
    }

    /// The decoded text, if it fits and is text.
    fn decode<'r>(&mut self, query: &Query<'r>, raw: &'r [u8]) -> Option<&str> {
        let mut decoded = query.decoded(raw);
        loop {
            self.0.extend(decoded.literal()).ok()?;
            match decoded.next() {
                Some(byte) => self.0.push(byte).ok()?,
                None => break,
            }
        }
        core::str::from_utf8(self.0.as_slice()).ok()
    }
}

/// The parameters of a query that make a claim.
#[derive(Default)]
pub(super) struct AuthenticationParameters<'r> {
    algorithm: Option<&'r [u8]>,
    credential: Option<&'r [u8]>,
    date: Option<&'r [u8]>,
    expires: Option<&'r [u8]>,
    signed_headers: Option<&'r [u8]>,
    signature: Option<&'r [u8]>,
    tokens: Tokens<'r>,
    any: bool,
    /// `AWSAccessKeyId` or `Signature`, of Signature Version 2.
    version_2: bool,
}

impl<'r> AuthenticationParameters<'r> {
    /// Finds those of a query, where there were none.
    #[inline(always)]
    pub(super) fn find(&mut self, query: &Query<'r>) -> Result<(), ReadError> {
        if query.is_empty() { Ok(()) } else { self.find_some(query) }
    }

    fn find_some(&mut self, query: &Query<'r>) -> Result<(), ReadError> {
        if query.is_ambiguous() {
            // Of several faults the first in canonical order is named.
            *self = Self::find_in(query, query.parameters())
                .or_else(|_| Self::find_in(query, query.sorted()))?;
        } else {
            self.algorithm = query.value(AuthenticationName::Algorithm);
            self.credential = query.value(AuthenticationName::Credential);
            self.date = query.value(AuthenticationName::Date);
            self.expires = query.value(AuthenticationName::Expires);
            self.signed_headers = query.value(AuthenticationName::SignedHeaders);
            self.signature = query.value(AuthenticationName::Signature);
            self.tokens.security = query.value(AuthenticationName::SecurityToken);
            self.tokens.s3_session = query.value(AuthenticationName::S3SessionToken);
            self.any = query.authenticates();
        }
        self.version_2 = !self.any && query.is_version_2();
        Ok(())
    }

    #[inline(always)]
    fn find_in(
        query: &Query<'r>,
        parameters: impl Iterator<Item = Parameter<'r>>,
    ) -> Result<Self, ReadError> {
        let mut found = Self::default();
        for (name, spelling, parameter) in query.authentication(parameters) {
            if spelling == Spelling::Alias {
                return Err(ReadError::ParameterAlias);
            }
            let place = match name {
                AuthenticationName::Algorithm => &mut found.algorithm,
                AuthenticationName::Credential => &mut found.credential,
                AuthenticationName::Date => &mut found.date,
                AuthenticationName::Expires => &mut found.expires,
                AuthenticationName::SignedHeaders => &mut found.signed_headers,
                AuthenticationName::SecurityToken => &mut found.tokens.security,
                AuthenticationName::S3SessionToken => &mut found.tokens.s3_session,
                AuthenticationName::Signature => &mut found.signature,
            };
            if place.replace(parameter.value).is_some() {
                return Err(ReadError::ParameterRepeated);
            }
            found.any = true;
        }
        Ok(found)
    }

    /// Whether the query makes a claim at all, be it one that is not understood.
    pub(super) const fn any(&self) -> bool {
        self.any || self.version_2
    }
}

pub(super) fn read<'r: 'b, 'b>(
    parameters: &AuthenticationParameters<'r>,
    query: &Query<'r>,
    rules: &'b Verifier<'_>,
    buffer: &'b mut Option<Buffer>,
    now: Timestamp,
    presented: &mut Presented<'r, 'b>,
) -> Result<(), ReadError> {
    if parameters.version_2 {
        return Err(ReadError::SignatureV2);
    }
    match parameters.algorithm {
        None => {}
        Some(algorithm) if algorithm == ALGORITHM.as_bytes() => {}
        Some(b"AWS4-ECDSA-P256-SHA256") => return Err(ReadError::SignatureV4a(MECHANISM)),
        Some(_) => return Err(ReadError::AlgorithmUnsupported),
    }
    let AuthenticationParameters {
        algorithm: Some(_),
        credential: Some(credential),
        date: Some(date),
        expires,
        signed_headers: Some(signed_headers),
        signature: Some(signature),
        tokens,
        ..
    } = *parameters
    else {
        return Err(ReadError::ParameterMissing);
    };
    if expires.is_none() && rules.dialect() == Dialect::S3 {
        return Err(ReadError::ParameterMissing);
    }
    let end = rules.scope_end.as_ref().map(ScopeEnd::escaped);
    let usual = end.and_then(|end| ClaimedCredential::usual(credential, b"%2F", end, now));
    match usual {
        // Nothing of it but its four slashes would be decoded.
        Some((name, [])) if bytes::find(name, b'+').is_none() => presented.credential.name = name,
        _ => {
            let buffer = buffer.get_or_insert_with(Buffer::new);
            let decoded = buffer.decode(query, credential);
            let decoded = decoded.ok_or(ReadError::CredentialSyntax(MECHANISM))?;
            presented.credential = ClaimedCredential::parse(decoded, MECHANISM, now)?;
        }
    }
    presented.mechanism = MECHANISM;
    presented.name_in(Source::Query(credential, rules.plus));
    presented.list = signed_headers;
    let signature = PresentedSignature::parse(signature);
    presented.signature = signature.ok_or(ReadError::SignatureSyntax)?;
    (presented.date, presented.expires, presented.tokens) = (Some(date), expires, tokens);
    Ok(())
}

/// The credential of a presigned query, well formed or not.
pub(super) fn credential_text<'b>(query: &Query<'_>, buffer: &'b mut Buffer) -> Option<&'b str> {
    let raw = query.single(AuthenticationName::Credential.as_str()).ok()??;
    buffer.decode(query, raw)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{MECHANISM, ReadError, Verifier};
    use crate::request::{Header, Request};
    use crate::time::Timestamp;
    use std::string::{String, ToString as _};

    /// The name that is read, under rules for a region.
    fn name(region: &str, credential: &str) -> Result<String, ReadError> {
        let now = Timestamp::parse("20130524T080910Z").expect("a time");
        let target = std::format!(
            "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}\
             &X-Amz-Date=20130524T080910Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let headers = [Header { name: "host", value: b"h" }];
        let request = Request { method: "GET", target: &target, headers: &headers };
        let claim = Verifier::s3(region).read(&request, now)?;
        Ok(claim.claimed_access_key_id().as_str().to_string())
    }

    /// A credential is what its text means once it is decoded, also where the text as it stands is
    /// what the rules ask for.
    #[test]
    fn what_is_usual_has_no_escapes_but_its_slashes() {
        let behind = "%2F20130524%2Fr-1%2Fs3%2Faws4_request";
        for (raw, read) in [
            ("AKID", "AKID"),
            ("AK%2BID", "AK+ID"),
            ("%41KID", "AKID"),
            // Taken apart from the right: what is left is the name.
            ("AK%2FID", "AK/ID"),
            ("A%2FK%2520ID", "A/K%20ID"),
        ] {
            let credential = [raw, behind].concat();
            assert_eq!(name("r-1", &credential).as_deref(), Ok(read), "{raw}");
            let slashes = credential.replace("%2F", "%2f");
            assert_eq!(name("r-1", &slashes).as_deref(), Ok(read), "{slashes}");
        }
        // A blank, once it is decoded.
        let error = Err(ReadError::CredentialSyntax(MECHANISM));
        assert_eq!(name("r-1", &["AK+ID", behind].concat()), error);
        for region in ["r%2B1", "r+1", "r%2D1"] {
            let credential = ["AKID", &behind.replace("r-1", region)].concat();
            let error = Err(ReadError::ScopeRegion(MECHANISM));
            assert_eq!(name(region, &credential), error, "{region}");
        }
        assert!(name("r+1", "AKID%2F20130524%2Fr%2B1%2Fs3%2Faws4_request").is_ok());
    }
}
