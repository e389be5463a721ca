//! What a signer gives out, a verifier with the same limits reads; what none would take is not signed.

use std::time::Duration;

use countersign::{
    AccessKeyId, ChunkError, ContentSha256, CredentialScope, Credentials, Framing, Header, Limits,
    ReadError, Request, RequestError, SecretKey, SessionToken, SessionTokenRule, SignError, Signer,
    Timestamp, Verifier,
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

/// The signer does not measure what it adds where the limits are far away: further than twice the head,
/// three times the token and the trailers, and 2 KiB. No more is added, however long its parts are and
/// however they are escaped.
#[test]
fn what_is_added_has_a_bound() {
    let (id, part, token) = ("=".repeat(128), "=".repeat(64), "=".repeat(300));
    let trailers = "x-amz-checksum-crc32";
    for service in ["s3", "s3express", part.as_str()] {
        let credentials = Credentials {
            access_key_id: AccessKeyId::new(&id).expect("a name"),
            secret_key: SecretKey::new("secret").expect("a secret"),
            session_token: Some(SessionToken::new(&token).expect("a token")),
        };
        let scope = CredentialScope { date: now().date(), region: &part, service };
        let signer = Signer::new(&credentials, scope).expect("a scope");
        // Short names: what stands between them in a list is longer than they are.
        let names: Vec<_> = (0..115).map(|nth| format!("x{nth}")).collect();
        let names = names.iter().map(|name| Header { name, value: b"" });
        let headers: Vec<_> =
            [Header { name: "host", value: b"h" }].into_iter().chain(names).collect();
        let request = Request { method: "PUT", target: "/", headers: &headers };
        let size = |target: &str, fields: &[(String, Vec<u8>)]| {
            let fields: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
            "PUT".len() + target.len() + fields
        };
        let came: usize = headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        let came = "PUT/".len() + came;
        for rule in [SessionTokenRule::Signed, SessionTokenRule::AfterSigning] {
            let signer = signer.clone().session_token(rule);
            for way in WAYS {
                let (target, fields) = match sign(way, &signer, &request) {
                    Ok(sent) => sent,
                    Err(SignError::StreamingUnsupported) => continue,
                    Err(error) => panic!("{way:?}: {error}"),
                };
                let most = 2 * came + 3 * (token.len() + trailers.len()) + 2048;
                assert!(size(&target, &fields) <= most, "{way:?}, {service}");
                assert!(fields.len() <= headers.len() + 8, "{way:?}, {service}");
            }
        }
    }
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

/// How long a body is has one answer: what is no number, or stands twice or beside a transfer coding, is
/// not signed, as it would not be read: requests are smuggled so (RFC 9112 section 6.3).
#[test]
fn a_length_that_is_not_clear_is_not_signed() {
    let signer = signer(Limits::DEFAULT, None);
    let length = |value| Header { name: "Content-Length", value };
    let coding = Header { name: "Transfer-Encoding", value: b"chunked" };
    let host = Header { name: "Host", value: b"h" };
    let malformed = Header { name: "a b", value: b"" };
    let repeated = SignError::Request(RequestError::HeaderRepeated);
    let unclear = SignError::ContentLengthSyntax;
    for (fields, error) in [
        (vec![length(b"abc")], unclear),
        (vec![length(b"")], unclear),
        (vec![length(b"+5")], unclear),
        (vec![length(b"5, 5")], unclear),
        (vec![length(b"18446744073709551616")], unclear),
        (vec![length(b"70000"), coding], unclear),
        (vec![coding, length(b"70000")], unclear),
        (vec![length(b"70000"), length(b"70000")], repeated),
        // Of several faults the one that is met first where the request is read.
        (
            vec![length(b"1"), length(b"1"), malformed],
            SignError::Request(RequestError::HeaderSyntax),
        ),
    ] {
        let headers: Vec<_> = [host].into_iter().chain(fields).collect();
        let request = Request { method: "PUT", target: "/a", headers: &headers };
        for way in WAYS {
            assert_eq!(sign(way, &signer, &request), Err(error), "{way:?}, {headers:?}");
        }
    }
    let headers = [host, coding];
    let request = Request { method: "PUT", target: "/a", headers: &headers };
    for way in WAYS {
        let sent = sign(way, &signer, &request).expect("no length is a length that is not known");
        assert_eq!(read(&sent, Limits::DEFAULT, None), Ok(()), "{way:?}");
    }
}

/// A body has the length that the head announces (V56, V57): with the digest of none it has no bytes,
/// and in frames more than without them.
#[test]
fn a_length_that_the_content_cannot_have_is_not_signed() {
    let signer = signer(Limits::DEFAULT, None);
    let of = |len: &'static str| {
        [
            Header { name: "Host", value: b"h" },
            Header { name: "Content-Length", value: len.as_bytes() },
        ]
    };
    let conflict = Some(SignError::ContentConflict);
    for (len, refused) in [("0", None), ("1", conflict), ("00", None), ("01", conflict)] {
        let headers = of(len);
        let request = Request { method: "PUT", target: "/a", headers: &headers };
        assert_eq!(signer.sign(&request, ContentSha256::EMPTY, now()).err(), refused, "{len}");
        let content = ContentSha256::of(b"1");
        assert_eq!(signer.sign(&request, content, now()).err(), None, "{len}");
    }
    for (len, refused) in
        [("0", conflict), ("69999", conflict), ("70000", conflict), ("70001", None)]
    {
        let headers = of(len);
        let request = Request { method: "PUT", target: "/a", headers: &headers };
        assert_eq!(sign(Way::SignStream, &signer, &request).err(), refused, "{len}");
    }
}

/// The names of trailers are the value of a field, which has a place on one line and in the head's length.
#[test]
fn names_of_trailers_are_the_value_of_a_field() {
    let signer = signer(Limits::DEFAULT, None);
    let headers = [Header { name: "Host", value: b"h" }];
    let request = Request { method: "PUT", target: "/a", headers: &headers };
    let outcome = |trailers: &str| {
        let content = ContentSha256::StreamingSignedTrailer;
        let framing = Framing { content, decoded_len: 1, trailers };
        signer.sign_stream(&request, &framing, now()).map(|(signed, _)| {
            let mut fields = vec![("Host".to_owned(), b"h".to_vec())];
            fields.extend(signed.headers().map(|(name, value)| (name.to_owned(), value.to_vec())));
            read(&("/a".to_owned(), fields), Limits::DEFAULT, None)
        })
    };
    let name = "x-amz-checksum-crc32";
    for good in
        [name.to_owned(), format!(" {name}\t"), format!("{name},,"), format!("{name} , {name}c")]
    {
        assert_eq!(outcome(&good), Ok(Ok(())), "{good:?}");
    }
    for bad in [
        format!("{name}\n"),
        format!("{name}\r\n"),
        format!("\r\n{name}"),
        format!("{name}\r\n ,x-amz-checksum-crc32c"),
        format!("{name}\0"),
    ] {
        assert_eq!(outcome(&bad), Err(SignError::Trailers), "{bad:?}");
    }
    // A value is written as it is counted.
    let content = ContentSha256::StreamingUnsignedTrailer;
    let framing = Framing { content, decoded_len: 0, trailers: name };
    for (value, end) in [("AAAAAA==", None), (" AAAAAA==", Some(())), ("AAAAAA==\t", Some(()))] {
        let (_, chunks) = signer.sign_stream(&request, &framing, now()).expect("a stream");
        match chunks.finish(&[(name, value)]) {
            Ok(written) => {
                let len = framing.encoded_len(1, &[value.len()]);
                assert_eq!(Some(written.as_bytes().len() as u64), len);
                assert_eq!(end, None, "{value:?}");
            }
            Err(error) => assert_eq!((error, end), (ChunkError::Trailers, Some(())), "{value:?}"),
        }
    }
    for long in [format!("{name}{}", ",".repeat(40_000)), format!("{name}{}", " ".repeat(40_000))] {
        let error = SignError::Request(RequestError::HeadTooLong);
        assert_eq!(outcome(&long), Err(error), "{} bytes", long.len());
    }
}

/// S3 Express issues its sessions to credentials of IAM, whose token has the field that it has everywhere.
#[test]
fn the_field_of_a_token_is_that_of_its_issuer() {
    use countersign::{SessionTokenField, SigningKey};

    let secret_key = SecretKey::new("secret").expect("a secret");
    let token = SessionToken::new("token/+=").expect("a token");
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key,
        session_token: Some(token),
    };
    let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3express" };
    let default = Signer::new(&credentials, scope).expect("a scope");
    let iam = default.clone().session_token_field(SessionTokenField::Security);
    let headers = [Header { name: "Host", value: b"h" }];
    let request = Request { method: "GET", target: "/?session", headers: &headers };
    for way in WAYS {
        for (signer, name, parameter) in [
            (&default, "x-amz-s3session-token", "X-Amz-S3session-Token="),
            (&iam, "x-amz-security-token", "X-Amz-Security-Token="),
        ] {
            let (target, fields) = sign(way, signer, &request).expect("signed");
            let in_field = fields.iter().any(|(field, _)| field == name);
            assert!(in_field != target.contains(parameter), "{way:?}, {name}: {target}");
            let headers: Vec<_> = fields
                .iter()
                .map(|(name, value)| Header { name, value: value.as_slice() })
                .collect();
            let request = Request { method: "GET", target: &target, headers: &headers };
            let rules = Verifier::service("s3express", "us-east-1");
            let claim = rules.read(&request, now()).expect("a claim");
            let key = SigningKey::derive(&secret_key, &claim.scope());
            assert!(claim.verify_session(&key, token).is_ok(), "{way:?}, {name}");
        }
    }
}

/// A presigned URL says by a parameter of its own which body it is for, as it does by a field.
#[test]
fn a_url_says_which_body_it_is_for() {
    let signer = signer(Limits::DEFAULT, None);
    let digest = ContentSha256::of(b"hello");
    let other = ContentSha256::of(b"other");
    let unsigned = ContentSha256::UnsignedPayload;
    let conflict = Err(SignError::ContentConflict);
    let reserved = Err(SignError::ReservedParameter);
    let parameter = |content: ContentSha256| format!("X-Amz-Content-Sha256={content}");
    for (query, field, given, expected) in [
        (parameter(unsigned), None, None, Ok(unsigned)),
        (parameter(digest), None, None, Ok(digest)),
        (format!("a=b&{}&x-id=PutObject", parameter(digest)), None, None, Ok(digest)),
        (parameter(digest), None, Some(digest), Ok(digest)),
        (parameter(digest), Some(digest), None, Ok(digest)),
        (parameter(digest), None, Some(other), conflict),
        (parameter(digest), Some(other), None, conflict),
        (parameter(unsigned), Some(digest), Some(digest), conflict),
        ("X-Amz-Content-Sha256=nonsense".to_owned(), None, None, conflict),
        (
            parameter(ContentSha256::StreamingSigned),
            None,
            None,
            Err(SignError::StreamingUnsupported),
        ),
        ("X-Amz-Content-Sha256".to_owned(), None, None, conflict),
        (format!("{0}&{0}", parameter(digest)), None, None, reserved),
        (parameter(digest).to_ascii_lowercase(), None, None, reserved),
        (format!("X%2DAmz-Content-Sha256={digest}"), None, None, reserved),
    ] {
        let (target, field) = (format!("/a?{query}"), field.map(|content| content.to_string()));
        let mut headers = vec![Header { name: "Host", value: b"h" }];
        headers.extend(
            field
                .as_ref()
                .map(|value| Header { name: "x-amz-content-sha256", value: value.as_bytes() }),
        );
        let request = Request { method: "PUT", target: &target, headers: &headers };
        let presigned = match given {
            None => signer.presign(&request, LIFE, now()),
            Some(content) => signer.presign_with(&request, content, LIFE, now()),
        };
        let seen = presigned.map(|presigned| {
            let target = presigned.target().to_string();
            let claim =
                Verifier::s3("us-east-1").read(&Request { target: &target, ..request }, now());
            let claim = claim.expect("a claim");
            assert_eq!(
                claim.canonical_request().to_string(),
                presigned.canonical_request().to_string()
            );
            claim.content()
        });
        assert_eq!(seen, expected, "{target}, {field:?}, {given:?}");
    }
}

/// A request that has its host and nothing else is signed as the same with fields that are not signed.
#[test]
fn a_host_that_stands_alone() {
    let tokens = [None, Some(SessionTokenRule::Signed), Some(SessionTokenRule::AfterSigning)];
    for (way, token) in
        [Way::Presign, Way::PresignTo].into_iter().flat_map(|way| tokens.map(|token| (way, token)))
    {
        let signer = signer(Limits::DEFAULT, token);
        let url = |headers: &[Header<'_>]| {
            let request = Request { method: "PUT", target: "/a?b=c", headers };
            let sent = sign(way, &signer, &request).expect("signed");
            assert_eq!(read(&sent, Limits::DEFAULT, token), Ok(()), "{headers:?}");
            sent.0
        };
        let unsigned = Header { name: "User-Agent", value: b"a" };
        for name in ["host", "Host", "HOST", ":authority"] {
            for value in [&b"h"[..], b"h:9000", b" \th "] {
                let host = Header { name, value };
                let alone = url(&[host]);
                assert!(alone.contains("&X-Amz-SignedHeaders=host"), "{alone}");
                assert_eq!(alone, url(&[host, unsigned]), "{way:?}, {token:?}, {host:?}");
                assert_eq!(alone, url(&[unsigned, host]), "{way:?}, {token:?}, {host:?}");
            }
        }
        let none = Request { method: "PUT", target: "/a", headers: &[unsigned] };
        let missing = Err(SignError::Request(RequestError::HostMissing));
        assert_eq!(sign(way, &signer, &none), missing);
    }
}
