//! The same requests, signed by another maintained signer: its signatures are ours, and its
//! requests pass our verifier.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as TheirCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Dialect, Header, Request, SecretKey,
    SessionToken, Signer, SigningKey, Timestamp, Verifier,
};
use proptest::prelude::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const AT: u64 = 1_369_353_600;

#[derive(Clone, Debug)]
struct Draft {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    service: &'static str,
    token: Option<String>,
    location: SignatureLocation,
}

/// What both signers agree to sign. Left out, as they are known to differ and the protocol's
/// documents decide them for us: needless escapes (decoded by us), dot segments at a path's end,
/// tabs.
fn draft() -> impl Strategy<Value = Draft> {
    let path = prop::collection::vec("[a-zA-Z0-9._~-]{1,8}|%(2[0-9A-C]|3[A-F]|40)", 0..5)
        .prop_filter("dot segments", |segments| {
            !segments.iter().any(|segment| matches!(segment.as_str(), "." | ".."))
        })
        .prop_map(|segments| format!("/{}", segments.join("/")));
    let query = prop::collection::vec(
        "[a-zA-Z0-9._~-]{1,5}=[a-zA-Z0-9._~-]{0,5}(%(2[0-9A-C]|3[A-F]|40))?",
        0..5,
    );
    let header = ("x-amz-meta-[a-z]{1,4}|content-type|range", "[!-~]{1,8}( {1,3}[!-~]{1,8})?");
    (
        prop_oneof![Just("GET"), Just("PUT"), Just("DELETE")],
        path,
        query,
        prop::collection::btree_map(header.0, header.1, 0..6),
        prop::collection::vec(any::<u8>(), 0..40),
        prop_oneof![Just("s3"), Just("execute-api")],
        prop::option::of("[A-Za-z0-9/+=]{1,40}"),
        prop_oneof![Just(SignatureLocation::Headers), Just(SignatureLocation::QueryParams)],
    )
        .prop_map(|(method, path, query, headers, body, service, token, location)| {
            let query = query.join("&");
            let target = if query.is_empty() { path } else { format!("{path}?{query}") };
            let mut headers: Vec<_> = headers.into_iter().collect();
            headers.push(("host".into(), "example.com:9000".into()));
            Draft { method, target, headers, body, service, token, location }
        })
}

/// Their signature, and the request with it: target and fields.
fn theirs(draft: &Draft) -> (String, String, Vec<(String, String)>) {
    let credentials = TheirCredentials::new(ID, SECRET, draft.token.clone(), None, "test");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = draft.location;
    if draft.location == SignatureLocation::QueryParams {
        settings.expires_in = Some(Duration::from_secs(600));
    }
    match Dialect::of_service(draft.service) {
        Dialect::S3 => {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        Dialect::Standard => {}
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(draft.service)
        .time(UNIX_EPOCH + Duration::from_secs(AT))
        .settings(settings)
        .build()
        .expect("parameters")
        .into();
    let uri = format!("http://example.com:9000{}", draft.target);
    let headers = draft.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let presigned_s3 = draft.location == SignatureLocation::QueryParams && draft.service == "s3";
    let body =
        if presigned_s3 { SignableBody::UnsignedPayload } else { SignableBody::Bytes(&draft.body) };
    let request = SignableRequest::new(draft.method, &uri, headers, body).expect("a request");
    let (instructions, signature) = sign(request, &params).expect("signed").into_parts();
    let (added, parameters) = instructions.into_parts();
    let mut fields = draft.headers.clone();
    fields.extend(
        added.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned())),
    );
    let mut target = http::Request::builder().uri(&uri).body(()).expect("a request");
    if !parameters.is_empty() {
        let separator = if draft.target.contains('?') { '&' } else { '?' };
        let encoded: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let uri = format!("{uri}{separator}{}", encoded.join("&"));
        *target.uri_mut() = uri.parse().expect("a target");
    }
    let target = target.uri().path_and_query().expect("a target").to_string();
    (signature, target, fields)
}

fn encode(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

fn headers(fields: &[(String, String)]) -> Vec<Header<'_>> {
    fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect()
}

/// Our signature of the same request.
fn ours(draft: &Draft) -> String {
    let now = Timestamp::from_unix(AT as i64).expect("a time");
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(ID).expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: draft
            .token
            .as_deref()
            .map(|token| SessionToken::new(token).expect("a token")),
    };
    let scope = CredentialScope { date: now.date(), region: "eu-west-1", service: draft.service };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let wire = headers(&draft.headers);
    let request = Request { method: draft.method, target: &draft.target, headers: &wire };
    match draft.location {
        SignatureLocation::QueryParams => {
            let content = match Dialect::of_service(draft.service) {
                Dialect::S3 => ContentSha256::UnsignedPayload,
                Dialect::Standard => ContentSha256::of(&draft.body),
            };
            let presigned = signer.presign_with(&request, content, Duration::from_secs(600), now);
            presigned.expect("presigned").signature().to_string()
        }
        _ => {
            let signed = signer.sign(&request, ContentSha256::of(&draft.body), now);
            signed.expect("signed").signature().to_string()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn both_sign_alike_and_we_verify_theirs(draft in draft()) {
        let (signature, target, fields) = theirs(&draft);
        prop_assert_eq!(&ours(&draft), &signature);

        let now = Timestamp::from_unix(AT as i64).expect("a time");
        let wire = headers(&fields);
        let request = Request { method: draft.method, target: &target, headers: &wire };
        let rules = Verifier::service(draft.service, "eu-west-1");
        let claim = match rules.dialect() {
            Dialect::S3 => rules.read(&request, now),
            Dialect::Standard => rules.read_whole(&request, &draft.body, now),
        };
        let claim = claim.expect("their request can be read");
        let key = SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &claim.scope());
        let verified = match draft.token.as_deref() {
            None => claim.verify(&key),
            Some(token) => claim.verify_session(&key, SessionToken::new(token).expect("a token")),
        };
        prop_assert!(verified.is_ok());
    }
}
