//! Secrets, tokens, keys and signatures do not show themselves (PITFALLS V123).

use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Header, Request, SecretKey,
    SessionToken, Signer, SigningKey, Timestamp, Verifier,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==";

#[test]
fn nothing_secret_is_shown_by_debug() {
    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let secret_key = SecretKey::new(SECRET).expect("a secret");
    let token = SessionToken::new(TOKEN).expect("a token");
    let access_key_id = AccessKeyId::new("ASIAIOSFODNN7EXAMPLE").expect("a name");
    let credentials = Credentials { access_key_id, secret_key, session_token: Some(token) };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let wire = [Header { name: "host", value: b"h" }];
    let target = format!("/k?a={TOKEN}");
    let request = Request { method: "GET", target: &target, headers: &wire };
    let signed = signer.sign(&request, ContentSha256::EMPTY, now).expect("signed");
    let mut buffer = [0; 1024];
    let written = signer.sign_to(&request, ContentSha256::EMPTY, now, &mut buffer).expect("signed");
    let signature = signed.signature().to_string();
    let values: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let mut headers = wire.to_vec();
    headers.extend(values.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
    let request = Request { headers: &headers, ..request };
    let rules = Verifier::s3("us-east-1");
    let read = || rules.read(&request, now).expect("a claim");
    let key = SigningKey::derive(&secret_key, &scope);
    let verified = read().verify_session(&key, token).expect("verified");
    let claim = read();
    let presigned = signer
        .presign(&Request { headers: &wire, ..request }, std::time::Duration::from_secs(9), now)
        .expect("presigned");
    let refusal = read().verify(&SigningKey::from_bytes(&[1; 32])).err();

    let shown = [
        format!("{credentials:?} {signer:?} {key:?}"),
        format!("{signed:?} {:?} {:?}", signed.signature(), signed.headers().collect::<Vec<_>>()),
        format!("{:?} {presigned:?} {written:?}", signed.canonical_request()),
        format!("{request:?} {headers:?} {claim:?} {:?}", claim.session_token()),
        format!("{:?} {verified:?} {refusal:?} {rules:?}", claim.canonical_request()),
        format!("{:?}", verified.into_body()),
    ];
    for text in shown {
        for secret in [SECRET, TOKEN, &signature] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[cfg(feature = "post-policy")]
#[test]
fn nothing_secret_is_shown_of_forms() {
    use countersign::{Form, PostField, PostPolicy};

    const CUSTOMER_KEY: &str = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=";
    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let secret_key = SecretKey::new(SECRET).expect("a secret");
    let token = SessionToken::new(TOKEN).expect("a token");
    let access_key_id = AccessKeyId::new("ASIAIOSFODNN7EXAMPLE").expect("a name");
    let credentials = Credentials { access_key_id, secret_key, session_token: Some(token) };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let policy =
        PostPolicy::new("b").equal(PostField::Key, "k").equal(PostField::CustomerKey, CUSTOMER_KEY);
    let signed = signer.sign_form(&policy, now).expect("a policy");
    let signature = signed.signature().to_string();
    let mut form = Form::new("b");
    for (name, value) in signed.fields() {
        form.push(name.to_string(), value.to_string()).expect("a field");
    }
    form.file(None).expect("a file");
    let rules = Verifier::s3("us-east-1");
    let key = SigningKey::derive(&secret_key, &scope);
    let claim = || rules.read_form(&form).expect("a claim");
    let verified = claim().verify_session(&key, token).expect("the key");
    let shown = [
        format!("{policy:?} {signed:?} {:?}", signed.fields().map(|(_, v)| v).collect::<Vec<_>>()),
        format!("{form:?} {:?} {:?}", claim(), claim().session_token()),
        format!("{verified:?}"),
        format!("{:?}", verified.check(now).expect("held to")),
    ];
    for text in shown {
        for secret in [SECRET, TOKEN, CUSTOMER_KEY, &signature] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
