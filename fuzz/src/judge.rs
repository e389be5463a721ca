//! Who holds which key, what an application sees of a verified request, and what the peer is told.

use std::fmt::Write as _;
use std::time::Duration;

use countersign::{
    AccessKeyId, BodyError, BodyVerifier, CanonicalRequest, Claim, ContentSha256, CredentialScope,
    Dialect, Error, Event, Family, Mechanism, ReadError, Request, SecretKey, SessionToken,
    SigningKey, Timestamp, UnsignedPayload, Verified, VerifiedBody, Verifier,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Message;
use crate::memory::without_memory;

pub const AT: &str = "20130524T000000Z";
pub const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The place and time a message was made for, by its own words.
///
/// So each message comes as far as it can, whatever region, service and day it was recorded for.
pub struct Asked {
    pub region: String,
    pub service: String,
    pub at: Timestamp,
}

impl Asked {
    pub fn by(data: &[u8]) -> Self {
        let text = String::from_utf8_lossy(data).replace("%2F", "/").replace("%2f", "/");
        let credential = text.split("Credential=").nth(1).unwrap_or_default();
        let end = credential.find([',', '&', ' ', '\r', '\n']).unwrap_or(credential.len());
        let mut parts = credential[..end].rsplit('/').skip(1);
        let mut part = |default: &str| {
            parts.next().filter(|part| !part.is_empty()).unwrap_or(default).to_owned()
        };
        let (service, region, day) = (part("s3"), part("us-east-1"), part("20130524"));
        let at = data.windows(AT.len()).find_map(|text| Timestamp::parse(text).ok());
        let at = at.or_else(|| Timestamp::parse(format!("{day}T120000Z")).ok());
        Self { region, service, at: at.unwrap_or_else(now) }
    }

    /// The default rules of the service that was asked for but for a wide clock skew, those that
    /// let most through, and S3's for whatever was asked for.
    pub fn rules(&self) -> [Verifier<'_>; 3] {
        let rules = Verifier::service(&self.service, &self.region);
        [
            rules.clock_skew(Duration::from_secs(24 * 60 * 60)),
            rules
                .unsigned_payload(UnsignedPayload::Accept)
                .session_token(countersign::SessionTokenRule::AfterSigning)
                .plus(countersign::PlusSign::Literal),
            Verifier::s3(&self.region),
        ]
    }
}

pub fn now() -> Timestamp {
    Timestamp::parse(AT).expect("a time")
}

/// The one holder of a key.
#[derive(Clone, Debug)]
pub struct Holder<'a> {
    pub id: AccessKeyId,
    pub secret: &'a str,
    pub token: Option<String>,
}

impl<'a> Holder<'a> {
    /// The one whom a claim names, with the token that the claim carries.
    pub fn claimed(claim: &Claim<'_>, secret: &'a str) -> Self {
        let token = claim.session_token();
        let token = token.map(|token| String::from_utf8_lossy(&token.to_vec()).into_owned());
        Self { id: claim.claimed_access_key_id(), secret, token }
    }

    pub fn key(&self, scope: &CredentialScope<'_>) -> SigningKey {
        SigningKey::derive(&SecretKey::new(self.secret).expect("a secret"), scope)
    }

    /// The signing key, by another implementation of HMAC.
    pub fn key_bytes(&self, scope: &CredentialScope<'_>) -> [u8; 32] {
        let secret = format!("AWS4{}", self.secret);
        let mut key = hmac(secret.as_bytes(), scope.date.to_string().as_bytes());
        for step in [scope.region, scope.service, "aws4_request"] {
            key = hmac(&key, step.as_bytes());
        }
        key
    }

    /// The signature of a claim, by the same.
    pub fn signature(&self, claim: &Claim<'_>) -> String {
        let key = self.key_bytes(&claim.scope());
        hex(&hmac(&key, claim.string_to_sign().to_string().as_bytes()))
    }
}

/// The fields in which a form makes the holder's claim for a policy, signed by the same.
pub fn form_signature(policy: &str) -> [(&'static str, String); 5] {
    use base64ct::Encoding as _;
    let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3" };
    let holder = Holder { id: AccessKeyId::new(ID).expect("a name"), secret: SECRET, token: None };
    let policy = base64ct::Base64::encode_string(policy.as_bytes());
    let signature = hex(&hmac(&holder.key_bytes(&scope), policy.as_bytes()));
    [
        ("policy", policy),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256".into()),
        ("x-amz-credential", format!("{ID}/{scope}")),
        ("x-amz-date", now().to_string()),
        ("x-amz-signature", signature),
    ]
}

/// Not the library's.
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What an application sees of an accepted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub mechanism: Mechanism,
    pub id: String,
    pub timestamp: String,
    pub content: ContentSha256,
    pub method: String,
    pub path: Vec<u8>,
    pub query: Vec<(Vec<u8>, Vec<u8>)>,
    /// Covered fields, the values of one name joined, runs of blanks as one.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Object and trailers, if the signature covers them.
    pub body: Option<Object>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub data: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// What became of a request whose head was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub canonical: Vec<u8>,
    /// All data that came out of the body, and how much of it was called covered on the way.
    pub data: Vec<u8>,
    pub covered: usize,
    /// What is seen in the end, or why the body was refused.
    pub end: Result<View, BodyError>,
}

impl Seen {
    /// A changed request is refused, or nothing that is seen has changed.
    pub fn tolerates(&self, changed: &Result<Self, Error>) {
        let (Ok(before), Ok(changed)) = (&self.end, changed) else { return };
        let covered = &changed.data[..changed.covered];
        assert!(self.data.starts_with(covered), "what is covered has changed");
        if let Ok(after) = &changed.end {
            assert_eq!(after, before);
        }
    }
}

/// How a body is given to its machine.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The most bytes at a time.
    pub piece: usize,
    /// Whether checksums are checked as well.
    pub checked: bool,
}

impl Way {
    pub const WHOLE: Self = Self { piece: usize::MAX, checked: false };
}

/// The whole ladder: read, key, verify, feed, finish.
pub fn verify(
    rules: &Verifier<'_>,
    message: &Message,
    holder: &Holder<'_>,
    at: Timestamp,
    way: Way,
) -> Result<Seen, Error> {
    message.with(|request| {
        let claim = read(rules, request, &message.body, at)?;
        let canonical = canonical_bytes(&claim.canonical_request());
        let key = holder.key(&claim.scope());
        if claim.claimed_access_key_id() != holder.id {
            return Err(claim.refuse_unknown_key(&key).into());
        }
        let verified = match holder.token.as_deref() {
            None => claim.verify(&key)?,
            Some(token) => {
                claim.verify_session(&key, SessionToken::new(token).expect("a token"))?
            }
        };
        let view = view(&verified);
        let machine =
            if way.checked { verified.into_checked_body()? } else { verified.into_body() };
        // What was given whole is not fed again.
        let whole = rules.dialect() == Dialect::Standard;
        let body = if whole { &[][..] } else { &message.body };
        let (mut data, covered, proof) = pass(machine, body.chunks(way.piece));
        let end = proof.map(|proof| {
            if whole {
                data.clone_from(&message.body);
            }
            assert_eq!(proof.len(), data.len() as u64, "the length of the object");
            let trailers = proof.trailers().map(|(name, value)| (name.into(), value.into()));
            let object = Object { data: data.clone(), trailers: trailers.collect() };
            View { body: proof.is_signed().then_some(object), ..view }
        });
        Ok(Seen { canonical, data, covered, end })
    })
}

/// Reads a claim as a server of these rules does.
pub fn read<'r>(
    rules: &Verifier<'r>,
    request: &Request<'r>,
    body: &'r [u8],
    at: Timestamp,
) -> Result<Claim<'r>, ReadError> {
    match rules.dialect() {
        Dialect::S3 => rules.read(request, at),
        Dialect::Standard => rules.read_whole(request, body, at),
    }
}

/// Feeds a machine and ends it. It makes progress, takes no memory, covers no more than it gave, and
/// fails for good.
pub fn pass<'b>(
    mut machine: BodyVerifier,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> (Vec<u8>, usize, Result<VerifiedBody, BodyError>) {
    let (mut data, mut covered) = (Vec::new(), 0);
    for mut rest in pieces {
        while !rest.is_empty() {
            let fed = match without_memory(|| machine.feed(rest)) {
                Ok(fed) => fed,
                Err(error) => {
                    assert_eq!(machine.feed(b"x").err(), Some(error), "it has failed before");
                    assert_eq!(machine.finish().err(), Some(error), "it has failed before");
                    return (data, covered, Err(error));
                }
            };
            assert!(fed.consumed > 0, "no progress");
            match fed.event {
                Event::Data(pending) => data.extend_from_slice(pending.into_unverified()),
                Event::Covered { through } => {
                    let through = usize::try_from(through).expect("no more than was fed");
                    assert!(through >= covered && through <= data.len(), "{through}");
                    covered = through;
                }
                _ => {}
            }
            rest = &rest[fed.consumed..];
        }
    }
    (data, covered, without_memory(|| machine.finish()))
}

fn view(verified: &Verified<'_>) -> View {
    let mut fields = Vec::<(String, Vec<u8>)>::new();
    for name in verified.covered() {
        let name = name.to_ascii_lowercase();
        if fields.last().is_none_or(|(last, _)| *last != name) {
            let field = verified.header(&name).expect("a covered field");
            fields.push((name.clone(), collapse(&field.joined())));
        }
    }
    assert!(verified.covers("host"), "a signature without a host");
    let query: Vec<_> = verified.query().map(|p| (p.name.to_vec(), p.value.to_vec())).collect();
    for (name, _) in &query {
        assert!(!is_of_signature(name), "a second spelling of {name:?}");
    }
    View {
        mechanism: verified.mechanism(),
        id: verified.access_key_id().to_string(),
        timestamp: verified.timestamp().to_string(),
        content: verified.content(),
        method: verified.method().to_owned(),
        path: verified.path().to_vec(),
        query,
        fields,
        body: None,
    }
}

/// Whether a name is, in any case, one of the parameters of a signature.
fn is_of_signature(name: &[u8]) -> bool {
    ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token"]
        .iter()
        .any(|of| name.eq_ignore_ascii_case(format!("X-Amz-{of}").as_bytes()))
}

/// Blanks, tabs and folds as one blank: what two spellings of one value have in common.
fn collapse(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

pub fn canonical_bytes(canonical: &CanonicalRequest<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    canonical.pieces(|piece| bytes.extend_from_slice(piece));
    bytes
}

pub const FAMILIES: [Family; 3] = [Family::S3, Family::Query, Family::Json];

/// Writes the answer to a fault; another parser must be able to read it.
pub fn answer(
    error: impl Into<Error>,
    family: Family,
    rules: &Verifier<'_>,
    request: &Request<'_>,
    at: Timestamp,
) -> String {
    let error = error.into();
    assert_ne!(error, ReadError::ContentUnknown.into(), "not the peer's fault");
    let hint = error.hint(family).about(rules, request, at);
    assert!((400..600).contains(&hint.status()));
    hint.elements(|_, value| drop(value.to_string()));
    let body = hint.body("id", "host").to_string();
    match family {
        Family::Json => drop(serde_json::from_str::<serde_json::Value>(&body).expect("JSON")),
        _ => drop(roxmltree::Document::parse(&body).expect("XML")),
    }
    body
}
