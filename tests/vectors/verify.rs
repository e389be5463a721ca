//! Runs one request through the ladder: read, key, verify, feed, finish.

use std::fmt::{Debug, Write as _};

use countersign::{
    BodyError, Claim, ContentSha256, Dialect, Error, Event, Family, Mechanism, ReadError, Request,
    SecretKey, SessionToken, SigningKey, Verified, VerifiedBody, Verifier, VerifyError,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::{Expected, Head, Verify};

/// What an application sees of an accepted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) mechanism: &'static str,
    pub(crate) access_key_id: String,
    pub(crate) content: String,
    pub(crate) method: String,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<(Vec<u8>, Vec<u8>)>,
    /// Covered fields: lower-case name and values, runs of blanks as one.
    pub(crate) fields: Vec<(String, Vec<Vec<u8>>)>,
    pub(crate) body_len: u64,
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

/// Where and why a request was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) stage: &'static str,
    pub(crate) error: Error,
}

pub(crate) fn run(vector: &Verify) -> Result<(), String> {
    let outcome = outcome(vector, &vector.head, &vector.body);
    match (&vector.expected, outcome) {
        (Expected::Valid { .. }, Ok(view)) => compare(&vector.expected, &view),
        (Expected::Valid { .. }, Err(refusal)) => Err(format!("refused: {refusal:?}")),
        (Expected::Invalid { error, .. }, Ok(_)) => Err(format!("accepted instead of {error}")),
        (Expected::Invalid { stage, error, code, status }, Err(refusal)) => {
            let family = Family::of(vector.rules.verifier().dialect());
            let found = (
                refusal.stage,
                name(&refusal.error),
                refusal.error.code(family),
                refusal.error.status(family),
            );
            let expected = (stage.as_str(), error.clone(), code.as_str(), *status);
            if found != expected {
                return Err(format!("{found:?} instead of {expected:?}"));
            }
            hints_hold(vector, &refusal.error)
        }
    }
}

/// A hint never shows a secret, nor the signature that was expected.
fn hints_hold(vector: &Verify, error: &Error) -> Result<(), String> {
    let rules = vector.rules.verifier();
    for family in [Family::S3, Family::Query, Family::Json] {
        let mut text = format!("{error} {error:?} ");
        vector.head.with(|request| {
            let hint = error.hint(family).about(&rules, request, vector.at);
            let _ = write!(text, "{} {hint:?}", hint.message());
            hint.elements(|name, value| {
                let _ = write!(text, " {name} {value}");
            });
        });
        for key in vector.keys.values().filter(|key| !key.secret.is_empty()) {
            if text.contains(&key.secret) {
                return Err(format!("the hint shows a secret: {text}"));
            }
        }
        if let Some(expected) = expected_signature(vector)
            && text.contains(&expected)
        {
            return Err(format!("the hint shows the expected signature: {text}"));
        }
    }
    Ok(())
}

/// What the signature of a request whose claim can be read has to be, by another implementation of
/// HMAC; `None` if that is what the request carries.
fn expected_signature(vector: &Verify) -> Option<String> {
    let rules = vector.rules.verifier();
    vector.head.with(|request| {
        let claim = read(&rules, request, &vector.body, vector.at).ok()?;
        let key = vector.keys.get(claim.claimed_access_key_id().as_str())?;
        let signature = reference_signature(&key.secret, &claim);
        let carries = |text: &[u8]| String::from_utf8_lossy(text).contains(&signature);
        let carried = request.headers.iter().any(|header| carries(header.value));
        (!carried && !carries(request.target.as_bytes())).then_some(signature)
    })
}

fn reference_signature(secret: &str, claim: &Claim<'_>) -> String {
    let hmac = |key: &[u8], message: &[u8]| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any length");
        mac.update(message);
        mac.finalize().into_bytes()
    };
    let scope = claim.scope();
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), scope.date.to_string().as_bytes());
    for step in [scope.region, scope.service, "aws4_request"] {
        key = hmac(&key, step.as_bytes());
    }
    let signature = hmac(&key, claim.string_to_sign().to_string().as_bytes());
    signature.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(crate) fn read<'r>(
    rules: &Verifier<'r>,
    request: &Request<'r>,
    body: &[u8],
    at: countersign::Timestamp,
) -> Result<Claim<'r>, ReadError> {
    match rules.dialect() {
        Dialect::S3 => rules.read(request, at),
        Dialect::Standard => rules.read_whole(request, body, at),
    }
}

/// The whole ladder.
pub(crate) fn outcome(vector: &Verify, head: &Head, body: &[u8]) -> Result<View, Refusal> {
    let rules = vector.rules.verifier();
    let at = |stage, error: Error| Refusal { stage, error };
    head.with(|request| {
        let claim =
            read(&rules, request, body, vector.at).map_err(|error| at("read", error.into()))?;
        let mut canonical_request = Vec::new();
        claim.canonical_request().pieces(|piece| canonical_request.extend_from_slice(piece));
        let string_to_sign = claim.string_to_sign().to_string();
        let Some(key) = vector.keys.get(claim.claimed_access_key_id().as_str()) else {
            let decoy = SecretKey::new("decoy").expect("not empty");
            let decoy = SigningKey::derive(&decoy, &claim.scope());
            return Err(at("key", claim.refuse_unknown_key(&decoy).into()));
        };
        let secret = SecretKey::new(&key.secret)
            .map_err(|_| at("key", VerifyError::UnknownAccessKey.into()))?;
        let signing = SigningKey::derive(&secret, &claim.scope());
        let signature = reference_signature(&key.secret, &claim);
        let verified = match &key.session_token {
            None => claim.verify(&signing),
            Some(token) => {
                let token = SessionToken::new(token).expect("the vector's token is well formed");
                claim.verify_session(&signing, token)
            }
        }
        .map_err(|error| at("verify", error.into()))?;
        let mut view = view(&verified);
        let proof =
            finish(&rules, verified, body).map_err(|(stage, error)| at(stage, error.into()))?;
        view.body_len = proof.len();
        view.canonical_request = canonical_request;
        view.string_to_sign = string_to_sign;
        view.signature = signature;
        Ok(view)
    })
}

fn finish(
    rules: &Verifier<'_>,
    verified: Verified<'_>,
    body: &[u8],
) -> Result<VerifiedBody, (&'static str, BodyError)> {
    let mut verifier = verified.into_body();
    if rules.dialect() == Dialect::S3 {
        let mut rest = body;
        while !rest.is_empty() {
            let fed = verifier.feed(rest).map_err(|error| ("feed", error))?;
            assert!(fed.consumed > 0, "no progress");
            match fed.event {
                Event::Data(data) => assert_eq!(data.len(), fed.consumed),
                other => panic!("{other:?} in a mode without frames"),
            }
            rest = rest.get(fed.consumed..).expect("no more is consumed than was fed");
        }
    }
    verifier.finish().map_err(|error| ("finish", error))
}

fn view(verified: &Verified<'_>) -> View {
    let mut fields = Vec::<(String, Vec<Vec<u8>>)>::new();
    for name in verified.covered() {
        let name = name.to_ascii_lowercase();
        if fields.last().is_none_or(|(last, _)| *last != name) {
            let field = verified.header(&name).expect("a covered field");
            fields.push((name.clone(), field.values().map(collapse).collect()));
        }
    }
    View {
        mechanism: match verified.mechanism() {
            Mechanism::Header => "header",
            Mechanism::Query => "query",
            _ => "another",
        },
        access_key_id: verified.access_key_id().to_string(),
        content: match verified.content() {
            ContentSha256::Digest(_) => "digest".to_owned(),
            word => word.to_string(),
        },
        method: verified.method().to_owned(),
        path: verified.path().to_vec(),
        query: verified.query().map(|p| (p.name.to_vec(), p.value.to_vec())).collect(),
        fields,
        body_len: 0,
        canonical_request: Vec::new(),
        string_to_sign: String::new(),
        signature: String::new(),
    }
}

/// Blanks, tabs and folds as one blank: what two spellings of one value have in common.
fn collapse(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

fn compare(expected: &Expected, view: &View) -> Result<(), String> {
    let Expected::Valid {
        mechanism,
        access_key_id,
        content,
        canonical_request,
        canonical_sha256,
        string_to_sign,
        signature,
        path,
        query,
    } = expected
    else {
        return Err("not a valid vector".into());
    };
    same("mechanism", mechanism.as_str(), view.mechanism)?;
    same("access key", access_key_id, &view.access_key_id)?;
    same("content", content, &view.content)?;
    if let Some(expected) = canonical_request {
        same("canonical request", expected, &view.canonical_request)?;
    }
    if let Some(expected) = canonical_sha256 {
        same("hash", expected, &ContentSha256::of(&view.canonical_request).to_string())?;
    }
    if let Some(expected) = string_to_sign {
        same("string to sign", expected, &view.string_to_sign)?;
    }
    if let Some(expected) = signature {
        same("signature", expected, &view.signature)?;
    }
    if let Some(expected) = path {
        same("path", expected.as_bytes(), view.path.as_slice())?;
    }
    if let Some(expected) = query {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()))
            .collect();
        same("query", &expected, &view.query)?;
    }
    Ok(())
}

pub(crate) fn same<T: PartialEq + Debug + ?Sized>(
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what} {found:?} instead of {expected:?}"))
    }
}

/// The innermost variant of an error, without its operands.
pub(crate) fn name(error: &Error) -> String {
    let text = match error {
        Error::Read(ReadError::Request(error)) => format!("{error:?}"),
        Error::Read(error) => format!("{error:?}"),
        Error::Verify(error) => format!("{error:?}"),
        Error::Body(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    };
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}
