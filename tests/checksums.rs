//! Checksums of fields and trailers are checked in the pass that verifies the body.

use countersign::{
    AccessKeyId, BodyError, BodyVerifier, ChecksumAlgorithm, ChunkSigner, ContentSha256,
    CredentialScope, Credentials, Framing, Header, Request, SecretKey, Signer, SigningKey,
    Timestamp, UnsignedPayload, Verifier,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const BODY: &[u8] = b"hello world";
const ALL: [ChecksumAlgorithm; 10] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Md5,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
    ChecksumAlgorithm::Sha512,
    ChecksumAlgorithm::Xxhash64,
    ChecksumAlgorithm::Xxhash3,
    ChecksumAlgorithm::Xxhash128,
];

/// The checked machine of a request whose head is good, and the body as it crosses the wire.
fn machine(
    content: ContentSha256,
    fields: &[(&str, &str)],
    trailers: &[(&str, &str)],
    target: &str,
) -> (Result<BodyVerifier, BodyError>, Vec<u8>) {
    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let mut headers = vec![Header { name: "Host", value: b"b.s3.amazonaws.com" }];
    headers.extend(fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
    let method = if target.contains("uploadId") { "POST" } else { "PUT" };
    let request = Request { method, target, headers: &headers };
    let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    let (signed, body) = match content {
        ContentSha256::Digest(_) | ContentSha256::UnsignedPayload => {
            (signer.sign(&request, content, now).expect("signed"), BODY.to_vec())
        }
        _ => {
            let framing = Framing { content, decoded_len: BODY.len() as u64, trailers: &names };
            let (signed, mut chunks) = signer.sign_stream(&request, &framing, now).expect("signed");
            let mut body = chunks.chunk(BODY).expect("a chunk").as_bytes().to_vec();
            body.extend_from_slice(BODY);
            body.extend_from_slice(ChunkSigner::DATA_END);
            body.extend_from_slice(chunks.finish(trailers).expect("an end").as_bytes());
            (signed, body)
        }
    };
    let added: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let added = added.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let all: Vec<_> = headers.iter().copied().chain(added).collect();
    let request = Request { headers: &all, ..request };
    let claim = Verifier::s3("us-east-1").read(&request, now).expect("a claim");
    let key = SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &claim.scope());
    (claim.verify(&key).expect("a good head").into_checked_body(), body)
}

fn outcome(machine: (Result<BodyVerifier, BodyError>, Vec<u8>)) -> Result<u64, BodyError> {
    let (machine, body) = machine;
    let mut machine = machine?;
    for byte in &body {
        let _ = machine.feed(std::slice::from_ref(byte))?;
    }
    machine.finish().map(|proof| proof.len())
}

fn modes() -> [ContentSha256; 4] {
    [
        ContentSha256::of(BODY),
        ContentSha256::UnsignedPayload,
        ContentSha256::StreamingSigned,
        ContentSha256::StreamingUnsignedTrailer,
    ]
}

#[test]
fn fields() {
    for algorithm in ALL {
        let field = algorithm.field();
        let (good, other) = (algorithm.of(BODY).to_string(), algorithm.of(b"other").to_string());
        for content in modes() {
            let run = |value: &str| outcome(machine(content, &[(field, value)], &[], "/k"));
            assert_eq!(run(&good), Ok(11), "{algorithm:?}");
            assert_eq!(run(&other), Err(BodyError::ChecksumMismatch { field }));
            for value in ["", "AAAA", "!", &good[1..]] {
                assert_eq!(run(value), Err(BodyError::ChecksumSyntax { field, trailer: false }));
            }
        }
    }
}

#[test]
fn trailers() {
    let modes = [ContentSha256::StreamingSignedTrailer, ContentSha256::StreamingUnsignedTrailer];
    for algorithm in ALL {
        let field = algorithm.field();
        let (good, other) = (algorithm.of(BODY).to_string(), algorithm.of(b"other").to_string());
        for content in modes {
            let run = |value: &str| outcome(machine(content, &[], &[(field, value)], "/k"));
            assert_eq!(run(&good), Ok(11), "{algorithm:?}");
            assert_eq!(run(&other), Err(BodyError::ChecksumMismatch { field }));
            assert_eq!(run("AAAA"), Err(BodyError::ChecksumSyntax { field, trailer: true }));
        }
    }
}

#[test]
fn content_md5() {
    let md5 = |data| ChecksumAlgorithm::Md5.of(data).to_string();
    for content in modes() {
        let run = |value: &str| outcome(machine(content, &[("content-md5", value)], &[], "/k"));
        assert_eq!(run(&md5(BODY)), Ok(11));
        assert_eq!(run(&md5(b"other")), Err(BodyError::ContentMd5Mismatch));
        assert_eq!(run("?"), Err(BodyError::ContentMd5Syntax));
        // A second value does not take the first one's force away.
        for second in [md5(BODY), md5(b"other")] {
            let fields = [("content-md5", &*md5(BODY)), ("Content-MD5", &*second)];
            let refused = outcome(machine(content, &fields, &[], "/k"));
            assert_eq!(refused, Err(BodyError::ContentMd5Syntax));
        }
    }
}

/// Of several faults the same one is named, in whatever order the fields came.
#[test]
fn the_first_fault_does_not_depend_on_the_order() {
    let of = |algorithm: ChecksumAlgorithm, data| algorithm.of(data).to_string();
    let (md5, crc) = (of(ChecksumAlgorithm::Md5, b"other"), of(ChecksumAlgorithm::Crc32, b"other"));
    let crc32 = "x-amz-checksum-crc32";
    for (values, expected) in [
        ([&*md5, &*crc], BodyError::ContentMd5Mismatch),
        (["?", "?"], BodyError::ChecksumSyntax { field: crc32, trailer: false }),
        (["?", &*crc], BodyError::ContentMd5Syntax),
        ([&*of(ChecksumAlgorithm::Md5, BODY), &*crc], BodyError::ChecksumMismatch { field: crc32 }),
    ] {
        let mut fields = [("content-md5", values[0]), (crc32, values[1])];
        for content in modes() {
            for _ in 0..2 {
                fields.reverse();
                let refused = outcome(machine(content, &fields, &[], "/k"));
                assert_eq!(refused, Err(expected), "{fields:?}");
            }
        }
        let content = ContentSha256::StreamingUnsignedTrailer;
        let (md5, trailer) = (fields[0], [(crc32, &*crc)]);
        if expected == BodyError::ContentMd5Mismatch {
            let refused = outcome(machine(content, &[md5], &trailer, "/k"));
            assert_eq!(refused, Err(expected));
        }
    }
    // Of several fields none is read.
    for values in [["?", "?"], ["?", &*crc], [&*crc, "?"]] {
        let mut fields = [(crc32, values[0]), ("x-amz-checksum-sha1", values[1])];
        for _ in 0..2 {
            fields.reverse();
            let refused = outcome(machine(ContentSha256::of(BODY), &fields, &[], "/k"));
            assert_eq!(refused, Err(BodyError::ChecksumsMultiple), "{fields:?}");
        }
    }
}

/// What becomes of the checksums of a body that is given whole, with its head.
fn whole(content: ContentSha256, fields: &[(&str, &str)], body: &[u8]) -> Result<u64, BodyError> {
    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "execute-api" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let mut headers = vec![Header { name: "Host", value: b"example.com" }];
    headers.extend(fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
    let request = Request { method: "PUT", target: "/", headers: &headers };
    let signed = signer.sign(&request, content, now).expect("signed");
    let added: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let added = added.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let all: Vec<_> = headers.iter().copied().chain(added).collect();
    let request = Request { headers: &all, ..request };
    let rules = Verifier::service("execute-api", "us-east-1");
    let rules = rules.unsigned_payload(UnsignedPayload::Accept);
    let claim = rules.read_whole(&request, body, now).expect("a claim");
    let key = SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &claim.scope());
    let verified = claim.verify(&key).expect("a good head");
    verified.into_checked_body()?.finish().map(|proof| proof.len())
}

/// A body that is given whole is not fed; its checksums are checked all the same.
#[test]
fn of_a_body_given_whole() {
    for content in [ContentSha256::of(BODY), ContentSha256::UnsignedPayload] {
        for algorithm in ALL {
            let field = algorithm.field();
            let run = |data| whole(content, &[(field, &*algorithm.of(data).to_string())], BODY);
            assert_eq!(run(BODY), Ok(11), "{algorithm:?}");
            for other in [&b"other"[..], b""] {
                assert_eq!(run(other), Err(BodyError::ChecksumMismatch { field }));
            }
        }
        let md5 = |data| ChecksumAlgorithm::Md5.of(data).to_string();
        let run = |data| whole(content, &[("content-md5", &*md5(data))], BODY);
        assert_eq!(run(BODY), Ok(11));
        for other in [&b"other"[..], b""] {
            assert_eq!(run(other), Err(BodyError::ContentMd5Mismatch));
        }
    }
}

#[test]
fn which_fields_count() {
    let crc = ChecksumAlgorithm::Crc32.of(BODY).to_string();
    let content = ContentSha256::of(BODY);
    let run = |fields: &[(&str, &str)], target| outcome(machine(content, fields, &[], target));
    let crc_field = ("x-amz-checksum-crc32", crc.as_str());
    let sha = ChecksumAlgorithm::Sha1.of(BODY).to_string();
    assert_eq!(
        run(&[crc_field, ("x-amz-checksum-sha1", &sha)], "/k"),
        Err(BodyError::ChecksumsMultiple),
    );
    assert_eq!(run(&[crc_field, crc_field], "/k"), Err(BodyError::ChecksumsMultiple));
    // Not values, or not known.
    assert_eq!(run(&[("x-amz-checksum-type", "FULL_OBJECT"), crc_field], "/k"), Ok(11));
    assert_eq!(run(&[("x-amz-checksum-new", "?")], "/k"), Ok(11));
    // The SDK's field demands nothing: recorded clients send it alone, or with another algorithm.
    let announced = ("x-amz-sdk-checksum-algorithm", "CRC32");
    assert_eq!(run(&[announced], "/k"), Ok(11));
    assert_eq!(run(&[announced, ("x-amz-checksum-sha1", &sha)], "/k"), Ok(11));
    // Of the whole object, not of this body; and in a query, of no bytes.
    assert_eq!(run(&[("x-amz-checksum-crc32", "AAAAAA==")], "/k?uploadId=1"), Ok(11));
    assert_eq!(run(&[], "/k?x-amz-checksum-crc32=AAAAAA%3D%3D"), Ok(11));
}
