//! What a signer gives out, a verifier with the same limits reads; what none would read is not signed.

use std::time::Duration;

use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Framing, Header, Limits, ReadError,
    Request, SecretKey, SessionToken, SessionTokenRule, SignError, Signer, Timestamp, Verifier,
};

const LIFE: Duration = Duration::from_secs(60);

fn now() -> Timestamp {
    Timestamp::parse("20130524T000000Z").expect("a time")
}

fn signer(limits: Limits, token: Option<SessionTokenRule>) -> Signer<'static> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new("secret").expect("a secret"),
        session_token: token.map(|_| SessionToken::new("token/+=").expect("a token")),
    };
    let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3" };
    let signer = Signer::new(&credentials, scope).expect("a scope").limits(limits);
    signer.session_token(token.unwrap_or(SessionTokenRule::Signed))
}

/// The ways to sign a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Sign,
    SignTo,
    SignStream,
    Presign,
    PresignTo,
}

const WAYS: [Way; 5] = [Way::Sign, Way::SignTo, Way::SignStream, Way::Presign, Way::PresignTo];

/// What is sent: target and fields.
type Sent = (String, Vec<(String, Vec<u8>)>);

fn sign(way: Way, signer: &Signer<'_>, request: &Request<'_>) -> Result<Sent, SignError> {
    let mut target = request.target.to_owned();
    let mut fields: Vec<_> =
        request.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect();
    let mut buffer = vec![0; 64 * 1024];
    match way {
        Way::Sign => {
            let signed = signer.sign(request, ContentSha256::UnsignedPayload, now())?;
            fields.extend(signed.headers().map(|(name, value)| (name.to_owned(), value.to_vec())));
        }
        Way::SignTo => {
            let content = ContentSha256::UnsignedPayload;
            let written = signer.sign_to(request, content, now(), &mut buffer)?;
            fields.extend(written.headers().map(|(name, value)| (name.to_owned(), value.to_vec())));
        }
        Way::SignStream => {
            let content = ContentSha256::StreamingSignedTrailer;
            let framing =
                Framing { content, decoded_len: 70_000, trailers: "x-amz-checksum-crc32" };
            let (signed, _) = signer.sign_stream(request, &framing, now())?;
            fields.extend(signed.headers().map(|(name, value)| (name.to_owned(), value.to_vec())));
        }
        Way::Presign => target = signer.presign(request, LIFE, now())?.target().to_string(),
        Way::PresignTo => {
            let presigned = signer.presign_to(request, LIFE, now(), &mut buffer)?;
            target = String::from_utf8(presigned.to_vec()).expect("a target");
        }
    }
    Ok((target, fields))
}

fn read(sent: &Sent, limits: Limits, token: Option<SessionTokenRule>) -> Result<(), ReadError> {
    let headers: Vec<_> =
        sent.1.iter().map(|(name, value)| Header { name, value: value.as_slice() }).collect();
    let request = Request { method: "PUT", target: &sent.0, headers: &headers };
    let rules = Verifier::s3("us-east-1").limits(limits);
    let rules = rules.session_token(token.unwrap_or(SessionTokenRule::Signed));
    rules.read(&request, now()).map(|_| ())
}

/// A request that grows by a byte, a field or a parameter at a time is signed up to the last size at
/// which it is read once it is signed, and refused from the next on, for the reason for which it would
/// not be read.
fn grows(limits: Limits, sizes: core::ops::Range<usize>, draft: impl Fn(usize) -> Sent) {
    let tokens = [None, Some(SessionTokenRule::Signed), Some(SessionTokenRule::AfterSigning)];
    for (way, token) in WAYS.into_iter().flat_map(|way| tokens.map(|token| (way, token))) {
        let (mut signed, mut refused) = (0, 0);
        for size in sizes.clone() {
            let (target, fields) = draft(size);
            let headers: Vec<_> = fields
                .iter()
                .map(|(name, value)| Header { name, value: value.as_slice() })
                .collect();
            let request = Request { method: "PUT", target: &target, headers: &headers };
            let wide =
                sign(way, &signer(Limits::DEFAULT, token), &request).expect("no limit is near");
            let expected = read(&wide, limits, token);
            match sign(way, &signer(limits, token), &request) {
                Ok(sent) => {
                    assert_eq!(expected, Ok(()), "{way:?}, {size}");
                    assert_eq!(sent, wide);
                    signed += 1;
                }
                Err(SignError::Request(error)) => {
                    assert_eq!(expected, Err(ReadError::Request(error)), "{way:?}, {size}");
                    refused += 1;
                }
                Err(error) => panic!("{way:?}, {size}: {error}"),
            }
        }
        assert!(signed > 0 && refused > 0, "{way:?}: {signed} signed, {refused} refused");
    }
}

fn host() -> (String, Vec<u8>) {
    ("Host".to_owned(), b"h".to_vec())
}

#[test]
fn what_is_added_counts_as_bytes() {
    let limits = Limits { head_len: 1024, ..Limits::DEFAULT };
    grows(limits, 0..800, |size| {
        ("/a?b=c".to_owned(), vec![host(), ("x-amz-meta-a".to_owned(), vec![b'a'; size])])
    });
}

#[test]
fn what_is_added_counts_as_fields() {
    let limits = Limits { headers: 12, ..Limits::DEFAULT };
    grows(limits, 0..14, |size| {
        let more = (0..size).map(|nth| (format!("x-amz-meta-{nth}"), b"a".to_vec()));
        ("/a".to_owned(), [host()].into_iter().chain(more).collect())
    });
}

#[test]
fn what_is_added_counts_as_parameters() {
    let limits = Limits { parameters: 12, ..Limits::DEFAULT };
    grows(limits, 0..14, |size| {
        let query: Vec<_> = (0..size).map(|nth| format!("p{nth}={nth}")).collect();
        (format!("/a?{}", query.join("&")), vec![host()])
    });
}

/// A body that is called unsigned is read as one in frames if its coding is `aws-chunked`: nothing else
/// of it is signed, in a presigned URL or in fields, than what [`Signer::sign_stream`] makes.
#[test]
fn frames_are_signed_as_a_stream_alone() {
    let signer = signer(Limits::DEFAULT, None);
    for coding in ["aws-chunked", "AWS-Chunked", "gzip, aws-chunked", "aws-chunked,gzip"] {
        let headers = [
            Header { name: "Host", value: b"h" },
            Header { name: "Content-Encoding", value: coding.as_bytes() },
        ];
        let request = Request { method: "PUT", target: "/a", headers: &headers };
        for way in WAYS {
            let sent = sign(way, &signer, &request);
            match way {
                Way::SignStream => {
                    assert_eq!(read(&sent.expect("a stream"), Limits::DEFAULT, None), Ok(()))
                }
                _ => assert_eq!(sent, Err(SignError::ContentConflict), "{way:?}, {coding}"),
            }
        }
        // A digest is that of the bytes that are sent, frames or not.
        assert!(signer.sign(&request, ContentSha256::of(b"0\r\n\r\n"), now()).is_ok());
    }
}
