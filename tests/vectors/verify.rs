//! Runs one request through the ladder: read, key, verify, feed, finish. A body comes in one piece,
//! byte by byte, in two pieces and in pieces of any size, through an escrow or not: the outcome is the
//! same.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};

use countersign::{
    BodyError, BodyVerifier, Claim, ContentSha256, Dialect, Error, Escrow, EscrowError, Event,
    Family, Mechanism, ReadError, Request, SecretKey, SessionToken, SigningKey, Verified, Verifier,
    VerifyError,
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
    pub(crate) body: Proof,
    /// What came out of the body.
    pub(crate) data: Vec<u8>,
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

/// What the end of a body says of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Proof {
    pub(crate) len: u64,
    pub(crate) signed: bool,
    pub(crate) trailers: Vec<(String, String)>,
}

/// Where and why a request was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) stage: &'static str,
    pub(crate) error: Error,
    /// Bytes of the object that were called covered before.
    pub(crate) covered: u64,
}

/// What came out of a body that was fed in pieces.
pub(crate) struct Passage {
    pub(crate) data: Vec<u8>,
    /// How much of the data was called covered.
    pub(crate) covered: u64,
    pub(crate) end: Result<Proof, (&'static str, BodyError)>,
}

pub(crate) fn run(vector: &Verify) -> Result<(), String> {
    let outcome = outcome(vector, &vector.head, &vector.body);
    match (&vector.expected, outcome) {
        (Expected::Valid { .. }, Ok(view)) => compare(&vector.expected, &view)?,
        (Expected::Valid { .. }, Err(refusal)) => return Err(format!("refused: {refusal:?}")),
        (Expected::Invalid { error, .. }, Ok(_)) => {
            return Err(format!("accepted instead of {error}"));
        }
        (Expected::Invalid { stage, error, code, status, covered_len }, Err(refusal)) => {
            let family = Family::of(vector.rules.verifier().dialect());
            let found = (
                refusal.stage,
                name(&refusal.error),
                refusal.error.code(family),
                refusal.error.status(family),
                refusal.covered,
            );
            let expected = (stage.as_str(), error.clone(), code.as_str(), *status, *covered_len);
            if found != expected {
                return Err(format!("{found:?} instead of {expected:?}"));
            }
            hints_hold(vector, &refusal.error)?;
        }
    }
    in_pieces(vector)?;
    if let Expected::Valid { object: Some(_), .. } = &vector.expected {
        prefixes(vector)?;
    }
    Ok(())
}

/// The body in other pieces: byte by byte, in two, in pieces of random sizes.
fn in_pieces(vector: &Verify) -> Result<(), String> {
    let body = vector.body.as_slice();
    if vector.rules.verifier().dialect() != Dialect::S3 || body.is_empty() {
        return Ok(());
    }
    // A head that is refused has no body.
    let Ok(whole) = passage(vector, [body]) else { return Ok(()) };
    let check = |what: &dyn Fn() -> String, found: &Passage| {
        let (a, b) = (ending(&whole), ending(found));
        // Where it fails, the data before the failure may come out or not.
        let (short, long) = if whole.data.len() < found.data.len() {
            (&whole.data, &found.data)
        } else {
            (&found.data, &whole.data)
        };
        if a != b || !long.starts_with(short) || (whole.end.is_ok() && long != short) {
            return Err(format!("{}: {b:?} instead of {a:?}", what()));
        }
        Ok(())
    };
    let again = |what: &dyn Fn() -> String, pieces: &[&[u8]]| {
        check(what, &passage(vector, pieces.iter().copied()).expect("as before"))?;
        let machine = machine(vector).expect("as before");
        check(&|| format!("held, {}", what()), &hold(machine, body.len(), pieces))
    };
    again(&|| "whole".into(), &[body])?;
    again(&|| "byte by byte".into(), &body.chunks(1).collect::<Vec<_>>())?;
    for at in positions(body.len(), 64, 200) {
        let (head, tail) = body.split_at(at);
        again(&|| format!("split at {at}"), &[head, tail])?;
    }
    let mut random = Random::new(vector.id);
    for _ in 0..8 {
        let most = 1 + random.below(body.len());
        let (mut rest, mut pieces) = (body, Vec::new());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at((1 + random.below(most)).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        let sizes = || pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>();
        again(&|| format!("in pieces of {:?}", sizes()), &pieces)?;
    }
    Ok(())
}

/// No beginning of a body in frames is whole.
fn prefixes(vector: &Verify) -> Result<(), String> {
    let body = vector.body.as_slice();
    let whole = passage(vector, [body]).map_err(|refusal| format!("{refusal:?}"))?;
    let proof = whole.end.map_err(|error| format!("{error:?}"))?;
    for len in positions(body.len(), 64, 300).into_iter().filter(|len| *len < body.len()) {
        let (prefix, rest) = body.split_at(len);
        let found = passage(vector, [prefix]).map_err(|refusal| format!("{refusal:?}"))?;
        let covered = usize::try_from(found.covered).map_err(|error| error.to_string())?;
        if !whole.data.starts_with(&found.data) || covered > found.data.len() {
            return Err(format!("the first {len} bytes hold other data"));
        }
        // Where neither signatures nor trailers come, the last line end may be missing.
        let bare = !proof.signed && proof.trailers.is_empty() && rest == b"\r\n";
        if found.end.is_ok() && !bare {
            return Err(format!("the first {len} of {} bytes are accepted", body.len()));
        }
    }
    let longer = [body, b"\n"].concat();
    let found = passage(vector, [longer.as_slice()]).map_err(|refusal| format!("{refusal:?}"))?;
    if found.end.is_ok() {
        return Err("a longer body is accepted".into());
    }
    Ok(())
}

/// What has to be the same, however the body is cut.
fn ending(passage: &Passage) -> (Result<&Proof, (&'static str, String)>, u64) {
    let end = passage.end.as_ref();
    (end.map_err(|(stage, error)| (*stage, name(&(*error).into()))), passage.covered)
}

/// Positions of a text: some spread over it, and all of the last ones.
fn positions(len: usize, spread: usize, last: usize) -> BTreeSet<usize> {
    let step = len.div_ceil(spread).max(1);
    (0..=len).step_by(step).chain(len.saturating_sub(last)..=len).collect()
}

/// Numbers that are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a size")
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
    body: &'r [u8],
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
    head.with(|request| {
        let claim = read(&rules, request, body, vector.at).map_err(|error| Refusal {
            stage: "read",
            error: error.into(),
            covered: 0,
        })?;
        let mut canonical_request = Vec::new();
        claim.canonical_request().pieces(|piece| canonical_request.extend_from_slice(piece));
        let string_to_sign = claim.string_to_sign().to_string();
        let secret = vector.keys.get(claim.claimed_access_key_id().as_str());
        let signature = secret.map(|key| reference_signature(&key.secret, &claim));
        let verified = prove(vector, claim)?;
        let mut view = view(&verified);
        // What was given whole is not fed again.
        let fed = (rules.dialect() == Dialect::S3).then_some(body);
        let Passage { data, covered, end } = pass(verified.into_body(), fed);
        view.body =
            end.map_err(|(stage, error)| Refusal { stage, error: error.into(), covered })?;
        view.data = data;
        view.canonical_request = canonical_request;
        view.string_to_sign = string_to_sign;
        view.signature = signature.unwrap_or_default();
        Ok(view)
    })
}

/// The vector's own head, and a body in pieces.
pub(crate) fn passage<'b>(
    vector: &Verify,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Result<Passage, Refusal> {
    Ok(pass(machine(vector)?, pieces))
}

/// A machine for the body, by the vector's own head.
pub(crate) fn machine(vector: &Verify) -> Result<BodyVerifier, Refusal> {
    let rules = vector.rules.verifier();
    vector.head.with(|request| {
        let claim = rules.read(request, vector.at).map_err(|error| Refusal {
            stage: "read",
            error: error.into(),
            covered: 0,
        })?;
        Ok(prove(vector, claim)?.into_body())
    })
}

/// Looks the key up and verifies the signature.
fn prove<'r>(vector: &Verify, claim: Claim<'r>) -> Result<Verified<'r>, Refusal> {
    let at = |stage, error: VerifyError| Refusal { stage, error: error.into(), covered: 0 };
    let Some(key) = vector.keys.get(claim.claimed_access_key_id().as_str()) else {
        let decoy = SecretKey::new("decoy").expect("not empty");
        let decoy = SigningKey::derive(&decoy, &claim.scope());
        return Err(at("key", claim.refuse_unknown_key(&decoy)));
    };
    let secret =
        SecretKey::new(&key.secret).map_err(|_| at("key", VerifyError::UnknownAccessKey))?;
    let signing = SigningKey::derive(&secret, &claim.scope());
    match &key.session_token {
        None => claim.verify(&signing),
        Some(token) => {
            let token = SessionToken::new(token).expect("the vector's token is well formed");
            claim.verify_session(&signing, token)
        }
    }
    .map_err(|error| at("verify", error))
}

/// Feeds a machine and ends it. It makes progress, covers no more than it gave, and fails for good.
pub(crate) fn pass<'b>(
    mut machine: BodyVerifier,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Passage {
    let (mut data, mut covered) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            let fed = match machine.feed(rest) {
                Ok(fed) => fed,
                Err(error) => {
                    assert_eq!(machine.feed(b"x").err(), Some(error), "it has failed before");
                    assert_eq!(machine.finish().err(), Some(error), "it has failed before");
                    return Passage { data, covered, end: Err(("feed", error)) };
                }
            };
            assert!(fed.consumed > 0, "no progress");
            match fed.event {
                Event::Data(pending) => data.extend_from_slice(pending.into_unverified()),
                Event::Covered { through } => {
                    assert!(through >= covered && through <= data.len() as u64, "{through}");
                    covered = through;
                }
                _ => {}
            }
            rest = rest.get(fed.consumed..).expect("no more is consumed than was fed");
        }
    }
    let end = machine.finish().map_err(|error| ("finish", error)).map(|proof| Proof {
        len: proof.len(),
        signed: proof.is_signed(),
        trailers: proof.trailers().map(|(name, value)| (name.into(), value.into())).collect(),
    });
    Passage { data, covered, end }
}

/// The same through an escrow with so much room. What is lent is what chunks cover, to the byte.
fn hold(machine: BodyVerifier, room: usize, pieces: &[&[u8]]) -> Passage {
    let covers_chunks = machine.covers_chunks();
    let mut escrow = Escrow::new(machine, vec![0; room]);
    let mut data = Vec::new();
    let fault = |error| match error {
        EscrowError::Body(error) => error,
        other => panic!("there is room for all of it: {other}"),
    };
    let mut fed = Ok(());
    'pieces: for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            match escrow.feed(rest) {
                Ok(lent) => {
                    assert!(lent.consumed > 0, "no progress");
                    data.extend_from_slice(lent.covered);
                    rest = rest.get(lent.consumed..).expect("no more is consumed than was fed");
                }
                Err(error) => {
                    assert_eq!(escrow.feed(b"x").err(), Some(error), "it has failed before");
                    fed = Err(("feed", fault(error)));
                    break 'pieces;
                }
            }
        }
    }
    let covered = if covers_chunks { data.len() as u64 } else { 0 };
    let end = match (fed, escrow.finish()) {
        (Err((stage, error)), again) => {
            assert_eq!(again.err(), Some(EscrowError::Body(error)), "it has failed before");
            Err((stage, error))
        }
        (Ok(()), Err(error)) => Err(("finish", fault(error))),
        (Ok(()), Ok((proof, last))) => {
            assert!(!covers_chunks || last.as_ref().is_empty(), "what chunks cover comes earlier");
            data.extend_from_slice(last.as_ref());
            Ok(Proof {
                len: proof.len(),
                signed: proof.is_signed(),
                trailers: proof
                    .trailers()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
            })
        }
    };
    Passage { data, covered, end }
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
        body: Proof::default(),
        data: Vec::new(),
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
        object,
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
    if let Some(object) = object {
        same("length", &object.len, &view.body.len)?;
        same("trailers", &object.trailers, &view.body.trailers)?;
        same("data", &object.sha256, &ContentSha256::of(&view.data).to_string())?;
        let signed = content.starts_with("STREAMING-AWS4");
        same("signed", &signed, &view.body.signed)?;
    } else if content.starts_with("STREAMING") {
        return Err("nothing is said of the object".into());
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
        #[cfg(feature = "post-policy")]
        Error::Form(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    };
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}
