//! What must not get in, and that it leaves nothing behind.
//!
//! Every request here is written byte by byte and all but right. After each of them the data folder
//! is what it was before. Numbers in brackets are rows of the list of known failures of verifiers.

mod common;

use std::time::Duration;

use countersign::{ChecksumAlgorithm, ContentSha256, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use common::{Answer, BUCKET, Key, Raw, Server, ago, noise, refused};

#[tokio::test]
async fn anonymous_and_unreadable() {
    let server = Server::start().await;
    for method in ["GET", "PUT", "DELETE", "POST", "OPTIONS"] {
        let raw = server.plain(method, "/bucket/k", &[], b"");
        refused(&server, raw, 403, "AccessDenied").await;
    }
    let basic = [("authorization", "Basic eDp5")];
    let raw = server.plain("GET", "/", &basic, b"");
    refused(&server, raw, 400, "InvalidArgument").await;
    // Presented in two places: refused, not ranked.
    let target = server.presign("GET", "/bucket/k", &[]);
    let raw = Raw { target, ..server.sign("GET", "/bucket/k", &[], b"") };
    refused(&server, raw, 400, "InvalidArgument").await;
    // A HEAD is answered with the status alone.
    let answer = server.send(server.plain("HEAD", "/bucket/k", &[], b"")).await;
    assert_eq!((answer.status, answer.body.len()), (403, 0));
    assert_eq!(answer.header("content-type"), None);
    server.stop().await;
}

#[tokio::test]
async fn wrong_secret_unknown_key_wrong_token() {
    let server = Server::start().await;
    let now = Timestamp::now();
    let body = noise(300_000);
    let key = server.key.clone();
    for (key, status, code) in [
        (Key::new(&key.id, "wrong", None), 403, "SignatureDoesNotMatch"),
        (Key::new("AKIANOBODY", &key.secret, None), 403, "InvalidAccessKeyId"),
        (Key::new(&key.id, &key.secret, Some("token")), 400, "InvalidToken"),
    ] {
        let mut raw = server.plain("PUT", "/bucket/k", &[], &body);
        raw.sign(&key, ContentSha256::of(&body), now);
        let answer = refused(&server, raw, status, code).await;
        assert!(!answer.text().contains(&server.key.secret));
        let target = server.plain("PUT", "/bucket/k", &[], b"");
        let target = target.presign(&key, now, Duration::from_secs(60));
        refused(&server, server.plain("PUT", &target, &[], &body), status, code).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn temporary_credentials_need_their_token() {
    let mut server = Server::start().await;
    let text = "[temporary]\naws_access_key_id = ASIATEST\naws_secret_access_key = secret\n\
                aws_session_token = the/token+=\n";
    std::fs::write(server.credentials(), text).unwrap();
    server.gateway.reload().unwrap();
    server.key = Key::new("ASIATEST", "secret", Some("the/token+="));
    let target = server.presign("PUT", "/bucket/k", &[]);
    assert_eq!(server.send(server.plain("PUT", &target, &[], b"body")).await.status, 200);
    for (token, code) in [(None, "AccessDenied"), (Some("other"), "InvalidToken")] {
        let key = Key { token: token.map(str::to_owned), ..server.key.clone() };
        let mut raw = server.plain("PUT", "/bucket/k", &[], b"x");
        raw.sign(&key, ContentSha256::of(b"x"), Timestamp::now());
        let answer = server.send(raw).await;
        assert!(answer.status >= 400, "{code}: {}", answer.text());
    }
    assert_eq!(server.object("k").await.unwrap(), b"body");
    server.stop().await;
}

/// The body is not the one that was signed (V40, V56): in memory, in a file, longer, shorter, empty.
#[tokio::test]
async fn tampered_body() {
    let server = Server::start().await;
    for length in [1, 1000, 256 * 1024, 400_000] {
        let body = noise(length);
        let mut flipped = body.clone();
        flipped[length / 2] ^= 1;
        let longer = [body.as_slice(), b"x"].concat();
        for sent in [flipped, longer, body[..length - 1].to_vec(), vec![]] {
            let mut raw = server.sign("PUT", "/bucket/k", &[], &body);
            raw.body = sent;
            let answer = refused(&server, raw, 400, "XAmzContentSHA256Mismatch").await;
            assert!(answer.text().contains("<ClientComputedContentSHA256>"));
        }
    }
    // The digest of nothing is a digest like any other.
    let mut raw = server.sign("PUT", "/bucket/k", &[], b"");
    raw.body = noise(10);
    refused(&server, raw, 400, "XAmzContentSHA256Mismatch").await;
    // Nor does an object that is there change.
    let first = server.send(server.sign("PUT", "/bucket/k", &[], b"first")).await;
    assert_eq!(first.status, 200);
    let mut raw = server.sign("PUT", "/bucket/k", &[], b"second");
    raw.body = b"sec0nd".to_vec();
    refused(&server, raw, 400, "XAmzContentSHA256Mismatch").await;
    assert_eq!(server.object("k").await.unwrap(), b"first");
    // Nor does anything happen that a body would ask for.
    let delete = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let mut raw = server.sign("POST", "/bucket?delete", &[], b"<Delete></Delete>");
    raw.body = delete.to_vec();
    refused(&server, raw, 400, "XAmzContentSHA256Mismatch").await;
    assert_eq!(server.object("k").await.unwrap(), b"first");
    server.stop().await;
}

#[tokio::test]
async fn tampered_head() {
    let server = Server::start().await;
    let signed = |method: &str| server.sign(method, "/bucket/k", &[("x-amz-meta-a", "1")], b"b");
    let code = "SignatureDoesNotMatch";
    let answer = refused(&server, Raw { method: "POST".into(), ..signed("PUT") }, 403, code).await;
    assert!(answer.text().contains("<StringToSign>"));
    for target in ["/bucket/other", "/bucket/k?acl", "/bucket/k/", "/bucket//k", "/bucket/./k"] {
        let raw = Raw { target: target.into(), ..signed("PUT") };
        refused(&server, raw, 403, code).await;
    }
    let mut raw = signed("PUT");
    raw.headers.iter_mut().find(|(name, _)| name == "x-amz-meta-a").unwrap().1 = "2".into();
    refused(&server, raw, 403, code).await;
    // A second value of a signed field (V26).
    refused(&server, signed("PUT").with("x-amz-meta-a", "2"), 403, code).await;
    let mut raw = signed("PUT");
    raw.headers[0].1 = "elsewhere".into();
    refused(&server, raw, 403, code).await;
    server.stop().await;
}

#[tokio::test]
async fn clocks_and_scopes() {
    let server = Server::start().await;
    let sign = |region: &str, now: Timestamp| {
        let mut raw = server.plain("PUT", "/bucket/k", &[], b"b");
        raw.sign_for(&server.key, region, ContentSha256::of(b"b"), now);
        raw
    };
    for skew in [-901 - 60, 901 + 60, 86_400] {
        let raw = sign(common::REGION, ago(skew));
        refused(&server, raw, 403, "RequestTimeTooSkewed").await;
    }
    let answer =
        refused(&server, sign("other-1", ago(0)), 400, "AuthorizationHeaderMalformed").await;
    assert!(answer.text().contains("<Region>eu-test-1</Region>"), "{}", answer.text());
    for seconds in [61, 3600] {
        let raw = server.plain("PUT", "/bucket/k", &[], b"");
        let target = raw.presign(&server.key, ago(seconds), Duration::from_secs(60));
        let answer =
            refused(&server, server.plain("PUT", &target, &[], b"b"), 403, "AccessDenied").await;
        assert!(answer.text().contains("Request has expired"));
    }
    // Just inside.
    assert_eq!(server.send(sign(common::REGION, ago(800))).await.status, 200);
    server.stop().await;
}

/// S3 acts on a header that nobody signed (V20): a presigned PUT becomes a copy as the signer.
#[tokio::test]
async fn unsigned_headers() {
    let server = Server::start().await;
    let secret = server.send(server.sign("PUT", "/bucket/secret", &[], b"secret")).await;
    assert_eq!(secret.status, 200);
    let target = server.presign("PUT", "/bucket/k", &[]);
    for (name, value) in [
        ("x-amz-copy-source", "/bucket/secret"),
        ("X-Amz-Copy-Source", "/bucket/secret"),
        ("x-amz-meta-a", "b"),
        ("x-amz-acl", "private"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-security-token", "t"),
        ("x_amz_copy_source", "/bucket/secret"),
    ] {
        let raw = server.plain("PUT", &target, &[(name, value)], b"");
        refused(&server, raw, 403, "AccessDenied").await;
        let raw = server.sign("PUT", "/bucket/k", &[], b"").with(name, value);
        let before = server.files();
        let answer = server.send(raw).await;
        assert!(answer.status == 403 || answer.status == 400, "{name}: {}", answer.text());
        assert_eq!(server.files(), before);
    }
    let raw = server.plain("PUT", &target, &[("x-amz-copy-source", "/bucket/secret")], b"");
    let answer = server.send(raw).await;
    assert!(answer.text().contains("<HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>"));
    assert_eq!(server.object("k").await, None);
    server.stop().await;
}

/// Presigners move headers into the query, where they are signed, and S3 takes them from there.
#[tokio::test]
async fn hoisted_headers() {
    let server = Server::start().await;
    let target = "/bucket/k?x-amz-meta-a=b%20c&x-amz-checksum-crc32=AAAAAA%3D%3D&x-id=PutObject";
    let target = server.presign("PUT", target, &[]);
    let answer = server.send(server.plain("PUT", &target, &[], b"body")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let head = server.send(server.sign("HEAD", "/bucket/k", &[], b"")).await;
    assert_eq!(head.header("x-amz-meta-a"), Some("b c"));
    // In the query too it has to be signed.
    let changed = target.replace("x-amz-meta-a=b", "x-amz-meta-a=x");
    refused(&server, server.plain("PUT", &changed, &[], b"x"), 403, "SignatureDoesNotMatch").await;
    let added = format!("{target}&x-amz-copy-source=%2Fbucket%2Fk");
    refused(&server, server.plain("PUT", &added, &[], b"x"), 403, "SignatureDoesNotMatch").await;
    let sse = server.presign("PUT", "/bucket/k?x-amz-server-side-encryption=AES256", &[]);
    refused(&server, server.plain("PUT", &sse, &[], b"x"), 501, "NotImplemented").await;
    server.stop().await;
}

/// A body that stops midway, signed and presigned, with and without a length.
#[tokio::test]
async fn truncated_body() {
    let server = Server::start().await;
    let before = server.files();
    let body = noise(600_000);
    let target = server.presign("PUT", "/bucket/k", &[]);
    let chunked = [("transfer-encoding", "chunked")];
    for raw in [
        server.sign("PUT", "/bucket/k", &[], &body),
        server.plain("PUT", &target, &[], &body),
        server.sign("PUT", "/bucket/k", &chunked, &body),
        server.plain("PUT", &target, &chunked, &body),
    ] {
        for sent in [0, 1, 200_000, 599_999] {
            let mut bytes = raw.head();
            if raw.headers.iter().any(|(name, _)| name == "transfer-encoding") {
                bytes.extend_from_slice(b"927c0\r\n");
            }
            bytes.extend_from_slice(&body[..sent]);
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            // Whether there is an answer to a peer that has gone away is up to the connection.
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            if !answer.is_empty() {
                let answer = Answer::parse(&answer);
                assert!(answer.status >= 400, "{}", answer.text());
            }
            assert_eq!(server.files(), before);
        }
    }
    assert_eq!(server.object("k").await, None);
    assert_eq!(std::fs::read_dir(server.data().join("staging")).unwrap().count(), 0);
    server.stop().await;
}

/// Nobody is asked for a body before the head is proven.
#[tokio::test]
async fn continue_only_after_the_head_is_verified() {
    let server = Server::start().await;
    let expect = |raw: Raw| raw.with("expect", "100-continue");
    let body = noise(100_000);

    let bad = expect(server.sign("PUT", "/bucket/k", &[], &body)).with("x-amz-acl", "private");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&bad.head()).await.unwrap();
    let answer = Answer::read(&mut stream).await;
    answer.assert_refused(403, "AccessDenied");

    // A client that keeps its connection is told not to: a body may still be on its way.
    let head = String::from_utf8(bad.head()).unwrap().replace("connection: close\r\n", "");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = Answer::read(&mut stream).await;
    assert_eq!((answer.status, answer.header("connection")), (403, Some("close")));

    let good = expect(server.sign("PUT", "/bucket/k", &[], &body));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&good.head()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(server.object("k").await, None);
    stream.write_all(&body).await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.status, 200);
    assert_eq!(server.object("k").await.unwrap(), body);
    server.stop().await;
}

/// Streamed bodies: stored without their framing, chunk by chunk verified, or not stored at all.
#[tokio::test]
async fn framed_bodies() {
    let server = Server::start().await;
    let data = noise(30_000);
    let crc = ChecksumAlgorithm::Crc32c.of(&data).to_string();
    let trailer = [("x-amz-checksum-crc32c", crc.as_str())];
    let put = |content, trailers: &[(&str, &str)]| {
        let coding = [("content-encoding", "gzip")];
        let mut raw = server.plain("PUT", "/bucket/k", &coding, &data);
        raw.sign_stream(&server.key, content, 8192, trailers);
        raw
    };
    for (content, trailers) in [
        (ContentSha256::StreamingSigned, &[][..]),
        (ContentSha256::StreamingSignedTrailer, &trailer),
        (ContentSha256::StreamingUnsignedTrailer, &trailer),
    ] {
        let answer = server.send(put(content, trailers)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(server.object("k").await.unwrap(), data);
        let head = server.send(server.sign("HEAD", "/bucket/k", &[], b"")).await;
        assert_eq!(head.header("content-encoding"), Some("gzip"));
    }

    let old = server.sign("PUT", "/bucket/k", &[], b"old");
    assert_eq!(server.send(old).await.status, 200);
    // A byte of a chunk, a digit of a signature, and the last frame.
    let good = put(ContentSha256::StreamingSigned, &[]);
    for at in [9_000, 30] {
        let mut raw = good.clone();
        raw.body[at] = if raw.body[at] == b'0' { b'1' } else { b'0' };
        refused(&server, raw, 403, "SignatureDoesNotMatch").await;
    }
    let mut raw = good.clone();
    raw.body.truncate(raw.body.len() - 2 - 2 - 64 - 17 - 1);
    refused(&server, raw, 400, "IncompleteBody").await;
    let wrong = [("x-amz-checksum-crc32c", "AAAAAA==")];
    refused(&server, put(ContentSha256::StreamingSignedTrailer, &wrong), 400, "BadDigest").await;
    refused(&server, put(ContentSha256::StreamingUnsignedTrailer, &wrong), 400, "BadDigest").await;
    // Labelled as signed and not signed (PITFALLS V43), under a good signature of the head.
    let mut raw = good.clone();
    raw.body = b"4\r\nbody\r\n0\r\n\r\n".to_vec();
    refused(&server, raw, 400, "IncompleteBody").await;

    let framed = b"4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    // Framing that the mode does not announce is never stored, whether its coding is signed or not.
    for coding in ["aws-chunked", "gzip, AWS-Chunked"] {
        let mut raw = server.plain("PUT", "/bucket/k", &[], framed);
        raw.sign(&server.key, ContentSha256::UnsignedPayload, Timestamp::now());
        refused(&server, raw.with("content-encoding", coding), 411, "MissingContentLength").await;
        let mut digest = server.plain("PUT", "/bucket/k", &[("content-encoding", coding)], framed);
        digest.sign(&server.key, ContentSha256::of(framed), Timestamp::now());
        refused(&server, digest, 501, "NotImplemented").await;
    }
    assert_eq!(server.object("k").await.unwrap(), b"old");
    server.stop().await;
}

/// A good signature over a body that is not what else was said of it.
#[tokio::test]
async fn announced_sums() {
    let server = Server::start().await;
    let first = server.send(server.sign("PUT", "/bucket/k", &[], b"first")).await;
    assert_eq!(first.status, 200);
    for (name, value, code) in [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==", "BadDigest"),
        ("content-md5", "nonsense", "InvalidDigest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BadDigest"),
    ] {
        let raw = server.sign("PUT", "/bucket/k", &[(name, value)], b"second");
        refused(&server, raw, 400, code).await;
    }
    assert_eq!(server.object("k").await.unwrap(), b"first");
    server.stop().await;
}

#[tokio::test]
async fn large_bodies() {
    let server = Server::start_with(&["--max-body", "1000"]).await;
    refused(&server, server.sign("PUT", "/bucket/k", &[], &noise(1001)), 400, "EntityTooLarge")
        .await;
    // Also when it does not say how large it is.
    let mut raw = server.plain("PUT", "/bucket/k", &[("transfer-encoding", "chunked")], b"");
    raw.sign(&server.key, ContentSha256::UnsignedPayload, Timestamp::now());
    raw.body = [b"3e9\r\n".as_slice(), &noise(1001), b"\r\n0\r\n\r\n"].concat();
    refused(&server, raw, 400, "EntityTooLarge").await;
    let good = server.send(server.sign("PUT", "/bucket/k", &[], &noise(1000))).await;
    assert_eq!(good.status, 200);
    server.stop().await;
}

/// Paths as an attacker would write them, with a good signature.
#[tokio::test]
async fn nothing_escapes_the_bucket() {
    let server = Server::start().await;
    let outside = |server: &Server| {
        let bucket = server.data().join("buckets").join(BUCKET);
        let mut files = server.files();
        files.retain(|path, _| !path.starts_with(&bucket));
        files
            .retain(|path, _| !path.file_name().unwrap().to_string_lossy().starts_with(".bucket-"));
        files
    };
    let (before, beside) = (outside(&server), server.beside());
    for target in [
        "/bucket/../../escape",
        "/bucket/..%2f..%2fescape",
        "/bucket/%2e%2e/%2e%2e/escape",
        "/bucket//etc/passwd",
        "/bucket/%2Fetc%2Fpasswd",
        "/bucket/a/../../../staging/x",
        "/bucket/%00",
        "/bucket/a%00b",
        "/bucket/..%5c..%5cescape",
        "/bucket/+/x",
        "/bucket/.",
        "/bucket/..",
    ] {
        let put = server.send(server.sign("PUT", target, &[], target.as_bytes())).await;
        assert_eq!(put.status, 200, "{target}: {}", put.text());
        let got = server.send(server.sign("GET", target, &[], b"")).await;
        assert_eq!(got.text(), target);
        assert_eq!(outside(&server), before, "{target}");
    }
    assert_eq!(server.beside(), beside);
    // Bucket names never become other paths.
    for target in ["/..", "/../x", "/.staging/x", "/%2e%2e/x", "/a%2fb/x", "/.bucket-x/y", "//x"] {
        let answer = server.send(server.sign("PUT", target, &[], b"x")).await;
        assert!(answer.status >= 400, "{target}: {}", answer.text());
        assert_eq!(outside(&server), before, "{target}");
    }
    let copy = [("x-amz-copy-source", "../credentials/x")];
    let answer = server.send(server.sign("PUT", "/bucket/k", &copy, b"")).await;
    assert!(answer.status >= 400, "{}", answer.text());
    // Not every path is text.
    let answer = server.send(server.sign("PUT", "/bucket/%ff", &[], b"x")).await;
    answer.assert_refused(400, "InvalidURI");
    server.stop().await;
}

/// What would silently be left out is refused.
#[tokio::test]
async fn unsupported_features() {
    let server = Server::start().await;
    for (name, value, status, code) in [
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-object-lock-mode", "COMPLIANCE", 501, "NotImplemented"),
        ("x-amz-tagging", "a=b", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
    ] {
        let raw = server.sign("PUT", "/bucket/k", &[(name, value)], b"b");
        refused(&server, raw, status, code).await;
    }
    // A form has a signature of its own, which nobody would check.
    let form = b"--b\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
                 --b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    refused(&server, server.sign("POST", "/bucket", &headers, form), 501, "NotImplemented").await;
    // What is asked of an object or a bucket is not done to it.
    let stored = server.send(server.sign("PUT", "/bucket/k", &[], b"kept")).await;
    assert_eq!(stored.status, 200);
    for (method, target) in [
        ("PUT", "/bucket?versioning"),
        ("PUT", "/bucket?policy"),
        ("PUT", "/bucket/k?acl"),
        ("PUT", "/bucket?cors"),
        ("PUT", "/bucket/k?encryption"),
        ("PUT", "/bucket/k?annotation&annotationName=a"),
        ("DELETE", "/bucket/k?annotation&annotationName=a"),
        ("PUT", "/bucket/new?renameObject"),
        ("DELETE", "/bucket?metadataConfiguration"),
    ] {
        refused(&server, server.sign(method, target, &[], b"<x/>"), 501, "NotImplemented").await;
    }
    for target in ["/bucket/k?partNumber=1", "/bucket/k?uploadId=u"] {
        refused(&server, server.sign("PUT", target, &[], b"part"), 400, "InvalidArgument").await;
    }
    assert_eq!(server.object("k").await.unwrap(), b"kept");
    server.stop().await;
}
