//! What holds for every request, not only for the ones somebody thought of.

use std::time::Duration;

use countersign::{
    AccessKeyId, CanonicalRequest, ContentSha256, CredentialScope, Credentials, Dialect, Header,
    Request, SecretKey, SessionToken, SignError, Signer, SigningKey, Timestamp, Verifier,
    VerifyError,
};
use proptest::prelude::*;

const AT: &str = "20130524T000000Z";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request as a client might make it up.
#[derive(Clone, Debug)]
struct Draft {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    service: &'static str,
    token: Option<String>,
}

impl Draft {
    fn target(&self) -> String {
        match &self.query {
            None => self.path.clone(),
            Some(query) => format!("{}?{query}", self.path),
        }
    }

    fn signer(&self) -> Signer<'_> {
        let now = Timestamp::parse(AT).expect("a time");
        let credentials = Credentials {
            access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
            secret_key: SecretKey::new(SECRET).expect("a secret"),
            session_token: self
                .token
                .as_deref()
                .map(|token| SessionToken::new(token).expect("a token")),
        };
        let scope =
            CredentialScope { date: now.date(), region: "eu-west-1", service: self.service };
        Signer::new(&credentials, scope).expect("a scope")
    }
}

/// Path text: what is sent raw, what is escaped, what is escaped without need.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9._~-]{1,6}",
        2 => Just("/".to_owned()),
        1 => "[!$&'()*+,;=:@ ]",
        1 => any::<u8>().prop_map(|byte| format!("%{byte:02X}")),
        1 => any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
        1 => "[ሴéß]",
        1 => Just("/./".to_owned()),
        1 => Just("/..".to_owned()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn query() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-zA-Z0-9._~-]{0,6}",
        "[!$'()*+,;:@/? ]{1,2}",
        any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
        any::<u8>().prop_map(|byte| format!("%{byte:02X}")),
    ];
    let text = prop::collection::vec(text, 0..3).prop_map(|pieces| pieces.concat());
    let piece = prop_oneof![
        4 => (text.clone(), text.clone()).prop_map(|(name, value)| format!("{name}={value}")),
        1 => text,
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.join("&"))
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        "X-Amz-Meta-[A-Za-z0-9-]{1,6}",
        "x-amz-meta-a",
        "Content-Type",
        "[a-z][a-zA-Z0-9-]{0,8}",
    ];
    let value = prop_oneof![
        "[ -~\t]{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(0x80u8.., 0..8),
        Just(b"folded\r\n   line".to_vec()),
    ];
    (name, value)
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        prop_oneof!["GET", "PUT", "POST", "DELETE"],
        path(),
        prop::option::of(query()),
        prop::collection::vec(header(), 0..8),
        prop::collection::vec(any::<u8>(), 0..64),
        prop_oneof![Just("s3"), Just("s3express"), Just("execute-api")],
        prop::option::of("[A-Za-z0-9/+=]{1,40}"),
    )
        .prop_map(|(method, path, query, mut headers, body, service, token)| {
            // Lengths and framing are the stack's; the rest of the names is taken as it comes.
            let odd = ["host", "content-length", "transfer-encoding", "date", "content-encoding"];
            headers.retain(|(name, _)| !odd.contains(&name.to_ascii_lowercase().as_str()));
            headers.push(("Host".into(), b"example.com:9000".to_vec()));
            Draft { method, path, query, headers, body, service, token }
        })
}

fn headers(fields: &[(String, Vec<u8>)]) -> Vec<Header<'_>> {
    fields.iter().map(|(name, value)| Header { name, value }).collect()
}

fn bytes_of(canonical: &CanonicalRequest<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    canonical.pieces(|piece| bytes.extend_from_slice(piece));
    bytes
}

/// A signed request: what crosses the wire, and what was signed.
struct Wire {
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    canonical: Vec<u8>,
}

fn sign(draft: &Draft) -> Result<Wire, SignError> {
    let (target, now) = (draft.target(), Timestamp::parse(AT).expect("a time"));
    let signer = draft.signer();
    let wire = headers(&draft.headers);
    let request = Request { method: &draft.method, target: &target, headers: &wire };
    let content = ContentSha256::of(&draft.body);
    let mut buffer = vec![0; 64 * 1024];
    let written = signer.sign_to(&request, content, now, &mut buffer);
    let signed = match signer.sign(&request, content, now) {
        Ok(signed) => signed,
        Err(error) => {
            assert_eq!(written.err(), Some(error));
            return Err(error);
        }
    };
    let canonical = bytes_of(&signed.canonical_request());
    let added: Vec<_> = signed
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_string().into_bytes()))
        .collect();
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    assert!(written.expect("signed").headers().map(owned).eq(added.iter().cloned()));
    let fields = draft.headers.iter().cloned().chain(added).collect();
    Ok(Wire { fields, canonical, target: target.clone() })
}

fn presign(draft: &Draft) -> Result<Wire, SignError> {
    let (target, now) = (draft.target(), Timestamp::parse(AT).expect("a time"));
    let signer = draft.signer();
    let wire = headers(&draft.headers);
    let request = Request { method: &draft.method, target: &target, headers: &wire };
    let (life, content) = (Duration::from_secs(600), ContentSha256::of(&draft.body));
    let mut buffer = vec![0; 64 * 1024];
    let (presigned, written) = match Dialect::of_service(draft.service) {
        Dialect::S3 => {
            let written = signer.presign_to(&request, life, now, &mut buffer);
            (signer.presign(&request, life, now), written)
        }
        Dialect::Standard => {
            let written = signer.presign_with_to(&request, content, life, now, &mut buffer);
            (signer.presign_with(&request, content, life, now), written)
        }
    };
    let presigned = match presigned {
        Ok(presigned) => presigned,
        Err(error) => {
            assert_eq!(written.err(), Some(error));
            return Err(error);
        }
    };
    let target = presigned.target().to_string();
    assert_eq!(written.as_deref(), Ok(target.as_bytes()));
    let canonical = bytes_of(&presigned.canonical_request());
    Ok(Wire { target, fields: draft.headers.clone(), canonical })
}

/// Path, query and canonical request as the verifying side sees them, if it accepts.
type Seen = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

fn verify(draft: &Draft, wire: &Wire, secret: &str) -> Result<Seen, countersign::Error> {
    let now = Timestamp::parse(AT).expect("a time");
    let fields = headers(&wire.fields);
    let request = Request { method: &draft.method, target: &wire.target, headers: &fields };
    let rules = Verifier::service(draft.service, "eu-west-1");
    let claim = match rules.dialect() {
        Dialect::S3 => rules.read(&request, now)?,
        Dialect::Standard => rules.read_whole(&request, &draft.body, now)?,
    };
    let canonical = bytes_of(&claim.canonical_request());
    let key = SigningKey::derive(&SecretKey::new(secret).expect("a secret"), &claim.scope());
    let verified = match draft.token.as_deref() {
        None => claim.verify(&key)?,
        Some(token) => claim.verify_session(&key, SessionToken::new(token).expect("a token"))?,
    };
    let query = verified.query().map(|p| (p.name.to_vec(), p.value.to_vec())).collect();
    let seen = (verified.path().to_vec(), query, canonical);
    let mut body = verified.into_body();
    if rules.dialect() == Dialect::S3 {
        let fed = body.feed(&draft.body)?;
        prop_assume_consumed(fed.consumed, draft.body.len());
    }
    let _ = body.finish()?;
    Ok(seen)
}

fn prop_assume_consumed(consumed: usize, len: usize) {
    assert_eq!(consumed, len, "a mode without frames takes all it is given");
}

/// Found by fuzzing: what would be refused when it is verified is not signed.
#[test]
fn what_would_be_refused_is_not_signed() {
    let draft = Draft {
        method: "GET".into(),
        path: "/b".into(),
        query: None,
        headers: vec![("Host".into(), b"h".to_vec())],
        body: vec![],
        service: "s3",
        token: None,
    };
    let query = Some("AWSAccessKeyId=a&Signature=b".to_owned());
    let version_2 = Draft { query, ..draft.clone() };
    assert_eq!(sign(&version_2).err(), Some(SignError::ReservedParameter));
    assert_eq!(presign(&version_2).err(), Some(SignError::ReservedParameter));
    let query = Some("x-amz-Content-SHA256=a".to_owned());
    let content = Draft { query, ..draft.clone() };
    assert_eq!(presign(&content).err(), Some(SignError::ReservedParameter));
    for name in ["a#", "a+", "a'", "a&b", "a%20"] {
        let mut odd = draft.clone();
        odd.headers.push((name.into(), b"1".to_vec()));
        match sign(&odd) {
            Ok(wire) => assert!(verify(&odd, &wire, SECRET).is_ok(), "{name}"),
            Err(error) => assert_eq!((name, error), ("a%20", SignError::FieldName)),
        }
        assert_eq!(presign(&odd).err(), Some(SignError::FieldName), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Whatever we sign we verify, in both forms, and both sides write the same canonical request.
    #[test]
    fn signed_verifies(draft in draft()) {
        for made in [sign(&draft), presign(&draft)] {
            let Ok(wire) = made else { continue };
            let (.., canonical) = verify(&draft, &wire, SECRET).expect("our own request");
            prop_assert_eq!(&canonical, &wire.canonical);
            let another = verify(&draft, &wire, "another secret");
            prop_assert_eq!(another.err(), Some(VerifyError::SignatureMismatch.into()));
        }
    }

    /// What cannot be signed is a fault that a verifier names as well: nothing is signed that would
    /// be refused unread.
    #[test]
    fn what_is_refused_unsigned_is_refused_unread(draft in draft()) {
        if let Err(SignError::Request(error)) = sign(&draft) {
            let wire = Wire { target: draft.target(), fields: draft.headers.clone(), canonical: vec![] };
            let refused = verify(&draft, &wire, SECRET).err();
            prop_assert_eq!(refused, Some(countersign::ReadError::Request(error).into()));
        }
    }

    /// A change of method, path, query, covered field or digest never passes.
    #[test]
    fn a_changed_request_fails(draft in draft(), other in draft(), which in 0..4usize) {
        let Ok(wire) = sign(&draft) else { return Ok(()) };
        let original = verify(&draft, &wire, SECRET).expect("our own request");
        let mut changed = draft.clone();
        let mut sent = Wire { target: wire.target.clone(), fields: wire.fields.clone(), canonical: vec![] };
        match which {
            0 => changed.method = other.method,
            1 => sent.target = Draft { path: other.path, ..draft.clone() }.target(),
            2 => sent.target = Draft { query: other.query, ..draft.clone() }.target(),
            _ => changed.body = other.body,
        }
        if let Ok(seen) = verify(&changed, &sent, SECRET) {
            // The change was one of spelling: what is seen is what was signed.
            prop_assert_eq!(seen, original);
            prop_assert_eq!(&changed.method, &draft.method);
            prop_assert_eq!(&changed.body, &draft.body);
        }
    }

    /// For S3, two requests with one canonical form mean the same path and the same query.
    #[test]
    fn equal_forms_mean_the_same(path_a in path(), path_b in path(), query_a in query(), query_b in query()) {
        let mut forms = Vec::new();
        for (path, query) in [(path_a, query_a), (path_b, query_b)] {
            let draft = Draft {
                method: "GET".into(), path, query: Some(query), body: vec![], service: "s3", token: None,
                headers: vec![("Host".into(), b"h".to_vec())],
            };
            let Ok(wire) = sign(&draft) else { return Ok(()) };
            let (path, query, canonical) = verify(&draft, &wire, SECRET).expect("our own request");
            forms.push((canonical, (path, query)));
        }
        prop_assert_eq!(forms[0].0 == forms[1].0, forms[0].1 == forms[1].1);
    }

    /// Signing the canonical target again changes nothing: the canonical form is a fixed point.
    #[test]
    fn canonical_is_a_fixed_point(mut draft in draft()) {
        draft.service = "s3";
        let Ok(wire) = sign(&draft) else { return Ok(()) };
        let text = String::from_utf8_lossy(&wire.canonical).into_owned();
        let mut lines = text.lines();
        let (path, query) = (lines.nth(1).expect("a path"), lines.next().expect("a query"));
        let again = Draft { path: path.into(), query: Some(query.into()), ..draft.clone() };
        let again = sign(&again).expect("a canonical target can be signed");
        prop_assert_eq!(again.canonical, wire.canonical);
    }

    /// Nothing a peer sends makes the reader panic, whatever its rules.
    #[test]
    fn reading_never_panics(
        method in ".{0,6}", target in ".{0,80}",
        fields in prop::collection::vec((".{0,24}", prop::collection::vec(any::<u8>(), 0..80)), 0..8),
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=[a-zA-Z0-9/]{0,40}[, ]{0,2}|SignedHeaders=[a-z;]{0,10}[, ]{0,2}|Signature=[0-9a-f]{0,65}[, ]{0,2}){0,4}",
        query in "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[a-zA-Z0-9%/-]{0,20}&?){0,7}",
    ) {
        let now = Timestamp::parse(AT).expect("a time");
        let mut all = fields.clone();
        all.push(("host".into(), b"h".to_vec()));
        all.push(("authorization".into(), authorization.into_bytes()));
        let (plain, signed) = (headers(&fields), headers(&all));
        let presigned = format!("/?{query}");
        for request in [
            Request { method: &method, target: &target, headers: &plain },
            Request { method: "GET", target: &target, headers: &signed },
            Request { method: "GET", target: &presigned, headers: &signed[..signed.len() - 1] },
        ] {
            for rules in [Verifier::s3("eu-west-1"), Verifier::service("sts", "eu-west-1")] {
                if let Err(error) = rules.read_whole(&request, b"", now) {
                    let hint = countersign::Error::from(error).hint(countersign::Family::S3);
                    let hint = hint.about(&rules, &request, now);
                    let _ = hint.message().to_string();
                    hint.elements(|_, value| drop(value.to_string()));
                }
            }
        }
    }
}
