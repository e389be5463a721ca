//! A gateway in front of another server: all that holds for a gateway over a folder holds for this
//! one, and the server behind it never takes what was not verified.

// Each of them brings its own copy of what they share.
#![allow(clippy::duplicate_mod)]

mod common;
#[path = "object_store.rs"]
mod object_store;
#[path = "refusals.rs"]
mod refusals;
#[path = "sdk.rs"]
mod sdk;

use std::time::Duration;

use clap::Parser as _;
use countersign::{ContentSha256, Timestamp};
use gateway::{Config, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use common::{Answer, Raw, Server, noise};

/// A server that keeps what it is sent, and answers when told to.
struct Listener {
    listener: TcpListener,
    front: Server,
}

impl Listener {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("behind");
        gateway::credentials::open(&credentials).unwrap();
        let mut options = vec!["--upstream", &url, "--upstream-region", "behind-1"];
        options.extend(["--upstream-credentials", credentials.to_str().unwrap()]);
        options.extend(more);
        let front = Gateway::start(&common::config(folder.path(), &options)).await.unwrap();
        Listener { listener, front: Server::of(front, None, folder) }
    }

    /// Sends a request; gives what arrived behind the gateway until nothing more came, and the
    /// answer, once the server behind has said `says`.
    async fn exchange(&self, raw: &[u8], says: &str) -> (Arrived, Answer) {
        let address = self.front.address;
        let raw = raw.to_vec();
        let client = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be refused before it has sent everything.
            let _ = stream.write_all(&raw).await;
            Answer::read(&mut stream).await
        });
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut arrived = Vec::new();
        let mut piece = vec![0; 65536];
        let quiet = Duration::from_millis(300);
        while let Ok(Ok(1..)) = {
            let read = tokio::time::timeout(quiet, stream.read(&mut piece)).await;
            if let Ok(Ok(read)) = read {
                arrived.extend_from_slice(&piece[..read]);
            }
            read
        } {}
        stream.write_all(says.as_bytes()).await.ok();
        drop(stream);
        let answer = client.await.unwrap();
        let end = arrived.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&arrived[..end]).into_owned();
        (Arrived { head, body: arrived[end + 4..].to_vec() }, answer)
    }
}

/// What a server was sent.
struct Arrived {
    head: String,
    body: Vec<u8>,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close, x-hop\r\n\
    x-hop: 1\r\nkeep-alive: timeout=5\r\nx-kept: 1\r\n\r\nok";

#[tokio::test]
async fn what_arrives_is_signed_anew() {
    let behind = Listener::start().await;
    let front = &behind.front;
    let headers = [("x-amz-meta-a", "b"), ("x-signed", "1")];
    let raw = front.sign("PUT", "/bucket/a%20b+c?x-id=PutObject&b=%2f", &headers, b"hello");
    // Added on the way: a field of this hop, and the claim that a signed one is.
    let raw = raw.with("connection", "x-mine, x-signed").with("x-mine", "1");
    let (arrived, answer) = behind.exchange(&raw.bytes(), OK).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
    assert_eq!(answer.header("x-kept"), Some("1"));
    assert!(answer.header("x-hop").is_none() && answer.header("keep-alive").is_none());

    let head = arrived.head.to_ascii_lowercase();
    assert_eq!(arrived.body, b"hello");
    assert!(head.starts_with("put /bucket/a%20b%2bc?b=%2f&x-id=putobject http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-amz-meta-a: b\r\n"), "{head}");
    assert!(head.contains("\r\nx-signed: 1\r\n") && !head.contains("x-mine"), "{head}");
    assert!(head.contains("\r\ncontent-length: 5"), "{head}");
    let host = behind.listener.local_addr().unwrap();
    assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
    // One signature, of another key, for another region.
    assert!(head.contains("/behind-1/s3/aws4_request, "), "{head}");
    assert_eq!(head.matches("\r\nauthorization: ").count(), 1);
    assert_eq!(head.matches("\r\nx-amz-date: ").count(), 1);
    assert!(!head.contains(&front.key.id.to_ascii_lowercase()), "{head}");
    behind.front.stop().await;
}

#[tokio::test]
async fn a_presigned_url_is_no_password_behind() {
    let behind = Listener::start().await;
    let target = behind.front.presign("GET", "/bucket/k?versionId=1&x-amz-meta-a=b", &[]);
    let raw = behind.front.plain("GET", &target, &[], b"");
    let (arrived, answer) = behind.exchange(&raw.bytes(), OK).await;
    assert_eq!(answer.status, 200);
    let Arrived { head, body } = arrived;
    assert!(head.starts_with("GET /bucket/k?versionId=1 HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert!(body.is_empty());
    behind.front.stop().await;
}

#[tokio::test]
async fn the_end_of_a_bad_body_stays_here() {
    let behind = Listener::start().await;
    let front = &behind.front;
    let body = noise(1_000_000);
    let mut other = body.clone();
    *other.last_mut().unwrap() ^= 1;

    // Another body than the one that was signed.
    let mut digest = front.sign("PUT", "/bucket/k", &[], &body);
    digest.body = other.clone();
    // A change in the last chunk; a wrong checksum behind the data; the last frame missing.
    let stream = |content, trailers: &[(&str, &str)]| {
        let mut raw = Raw::new(front.address, "PUT", "/bucket/k", &[], &body);
        raw.sign_stream(&front.key, content, 64 * 1024, trailers);
        raw
    };
    let mut chunk = stream(ContentSha256::StreamingSigned, &[]);
    let last = chunk.body.len() - 200;
    chunk.body[last] ^= 1;
    let crc = [("x-amz-checksum-crc32", "AAAAAA==")];
    let checksum = stream(ContentSha256::StreamingSignedTrailer, &crc);
    let unsigned = stream(ContentSha256::StreamingUnsignedTrailer, &crc);
    let mut cut = stream(ContentSha256::StreamingUnsignedTrailer, &[]);
    cut.body.truncate(cut.body.len() - 5);
    // Whatever mode, a checksum in the head.
    let mut sum = Raw::new(front.address, "PUT", "/bucket/k", &crc, &body);
    sum.sign(&front.key, ContentSha256::UnsignedPayload, Timestamp::now());

    for (raw, code) in [
        (digest, "XAmzContentSHA256Mismatch"),
        (chunk, "SignatureDoesNotMatch"),
        (checksum, "BadDigest"),
        (unsigned, "BadDigest"),
        (cut, "IncompleteBody"),
        (sum, "BadDigest"),
    ] {
        let (arrived, answer) = behind.exchange(&raw.bytes(), OK).await;
        assert_eq!(answer.code(), code, "{}", answer.text());
        let Arrived { head, body } = arrived;
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let announced: usize = announced.unwrap().parse().unwrap();
        // Some of it, so that it was streamed, and not all of it. How much is up to the buffers
        // on the way, which are lost when a request is cut off.
        assert!(announced >= 1_000_000, "{head}");
        assert!((1..announced).contains(&body.len()), "{code}: {} arrived", body.len());
    }
    behind.front.stop().await;
}

#[tokio::test]
async fn a_small_bad_body_does_not_even_begin() {
    let behind = Listener::start().await;
    let front = &behind.front;
    let mut raw = front.sign("PUT", "/bucket/k", &[], b"hello");
    raw.body = b"hullo".to_vec();
    let mut empty = front.sign("PUT", "/bucket/k", &[], b"hello");
    empty.body.clear();
    for (raw, code) in [(raw, "XAmzContentSHA256Mismatch"), (empty, "XAmzContentSHA256Mismatch")] {
        front.send(raw).await.assert_refused(400, code);
    }
    let connected = tokio::time::timeout(Duration::from_millis(100), behind.listener.accept());
    assert!(connected.await.is_err(), "the server behind was asked");
    behind.front.stop().await;
}

#[tokio::test]
async fn a_server_that_misbehaves() {
    let behind = Listener::start().await;
    let front = &behind.front;
    // It says yes before it can know.
    let raw = front.sign("PUT", "/bucket/k", &[], &noise(1_000_000));
    let bytes = raw.bytes();
    let half = bytes.len() / 2;
    let address = front.address;
    let client = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes[..half]).await.unwrap();
        Answer::read(&mut stream).await
    });
    let (mut stream, _) = behind.listener.accept().await.unwrap();
    let mut piece = [0; 1024];
    assert!(stream.read(&mut piece).await.unwrap() > 0);
    stream.write_all(OK.as_bytes()).await.unwrap();
    client.await.unwrap().assert_refused(503, "ServiceUnavailable");
    drop(stream);

    // It refuses before the end: that is passed back.
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 34\r\nconnection: close\r\n\r\n\
        <Error><Code>Theirs</Code></Error>";
    let raw = front.sign("PUT", "/bucket/k", &[], b"hello");
    let (_, answer) = behind.exchange(&raw.bytes(), refusal).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "Theirs"));

    // It hangs up, or is not there.
    let raw = front.sign("GET", "/bucket/k", &[], b"");
    let (_, answer) = behind.exchange(&raw.bytes(), "").await;
    answer.assert_refused(503, "ServiceUnavailable");
    let Listener { listener, front } = behind;
    drop(listener);
    let raw = front.sign("GET", "/bucket/k", &[], b"");
    front.send(raw).await.assert_refused(503, "ServiceUnavailable");
    front.stop().await;
}

/// What it says before an upload has ended is passed back whole, though the connection that it says it on
/// waits for the rest of the upload.
#[tokio::test]
async fn an_early_refusal_arrives_whole() {
    let behind = Listener::start().await;
    let front = &behind.front;
    for length in [5, 1_000_000, 7_000_000] {
        let raw = front.sign("PUT", "/bucket/k", &[], &noise(length)).bytes();
        let address = front.address;
        let client = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&raw).await.unwrap();
            Answer::read(&mut stream).await
        });
        let (mut stream, _) = behind.listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 34\r\n\r\n").await.unwrap();
        for piece in ["<Error><Code>", "Theirs</Code></Error>"] {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(piece.as_bytes()).await.unwrap();
        }
        let answer = client.await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (403, "Theirs"), "{length}");
        // The rest of an upload does not come: its connection is closed, and not used again.
        let mut rest = Vec::new();
        if length > 5 {
            let _ = stream.read_to_end(&mut rest).await;
        }
        assert!(rest.len() < length, "{}", rest.len());
    }
    behind.front.stop().await;
}

/// S3 insists on the length of what is written.
#[tokio::test]
async fn nothing_has_a_length() {
    let behind = Listener::start().await;
    let front = &behind.front;
    for (method, target, expected) in [
        ("PUT", "/bucket/empty", 1),
        ("PUT", "/bucket", 1),
        ("POST", "/bucket/k?uploads", 1),
        ("GET", "/bucket/k", 0),
        ("DELETE", "/bucket/k", 0),
    ] {
        let raw = front.sign(method, target, &[], b"").bytes();
        let (arrived, answer) = behind.exchange(&raw, OK).await;
        assert_eq!(answer.status, 200);
        let head = arrived.head.to_ascii_lowercase();
        assert_eq!(head.matches("content-length: 0").count(), expected, "{method}: {head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
    }
    behind.front.stop().await;
}

/// Whatever it leaves out, it is waited for as long as it was told, and no longer.
#[tokio::test]
async fn a_server_that_hangs() {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, hangs()).await.expect("whoever waits for it is answered");
}

async fn hangs() {
    let behind = Listener::start_with(&["--upstream-timeout", "1"]).await;
    let front = &behind.front;
    let mut piece = vec![0; 65536];

    // It answers nothing at all. (The connection is closed, so that it will not.)
    let raw = front.sign("PUT", "/bucket/k", &[], b"hello");
    let (answer, (mut stream, _)) =
        tokio::try_join!(async { Ok(front.send(raw).await) }, behind.listener.accept()).unwrap();
    answer.assert_refused(503, "ServiceUnavailable");
    while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}

    // It takes nothing of an upload. (What is left is too much to be read for the sake of the answer,
    // which may be lost; the client is not kept.)
    let raw = front.sign("PUT", "/bucket/k", &[], &noise(32_000_000)).bytes();
    let mut client = TcpStream::connect(front.address).await.unwrap();
    let send = async {
        let _ = client.write_all(&raw).await;
        let _ = client.read_to_end(&mut Vec::new()).await;
        Ok(())
    };
    let ((), (stream, _)) = tokio::try_join!(send, behind.listener.accept()).unwrap();
    drop(stream);

    // It stops in the middle of its answer, which is then seen to be cut off.
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(&front.sign("GET", "/bucket/k", &[], b"").bytes()).await.unwrap();
    let (mut stream, _) = behind.listener.accept().await.unwrap();
    assert!(stream.read(&mut piece).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    let mut all = Vec::new();
    let _ = client.read_to_end(&mut all).await;
    assert!(all.starts_with(b"HTTP/1.1 200 ") && all.ends_with(b"half"), "{all:?}");

    // A client that takes its time is no fault of the server's.
    let raw = front.sign("PUT", "/bucket/k", &[], &noise(1_000_000)).bytes();
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(&raw[..raw.len() / 2]).await.unwrap();
    let (mut stream, _) = behind.listener.accept().await.unwrap();
    let slow = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        client.write_all(&raw[raw.len() / 2..]).await.unwrap();
        Answer::read(&mut client).await
    };
    let serve = async {
        let mut left = 1_000_000;
        while left > 0 {
            left = usize::saturating_sub(left, stream.read(&mut piece).await.unwrap());
        }
        stream.write_all(OK.as_bytes()).await.unwrap();
    };
    let (answer, ()) = tokio::join!(slow, serve);
    assert_eq!(answer.status, 200, "{}", answer.text());
    behind.front.stop().await;
}

#[tokio::test]
async fn over_tls_to_whom_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let tls = ["--tls-self-signed", "--tls-cert", &certificate, "--tls-key", &key];
    let mut options = common::config(folder.path(), &tls);
    options.credentials = file("behind").into();
    let behind = Gateway::start(&options).await.unwrap();
    let url = format!("https://{}", behind.address());
    let to = ["--upstream", &url, "--upstream-credentials", &file("behind")];
    let start = async |more: &[&str]| {
        let options = [&to[..], more].concat();
        let folder = tempfile::tempdir().unwrap();
        let front = Gateway::start(&common::config(folder.path(), &options)).await.unwrap();
        Server::of(front, None, folder)
    };
    let trusting = start(&["--upstream-ca", &certificate]).await;
    let put = trusting.send(trusting.sign("PUT", "/bucket", &[], b"")).await;
    assert_eq!(put.status, 200, "{}", put.text());
    trusting.stop().await;

    // Signed by nobody this one knows.
    let other = tempfile::tempdir().unwrap();
    let other_file = |name: &str| other.path().join(name).to_str().unwrap().to_owned();
    let (stranger, stranger_key) = (other_file("cert.pem"), other_file("key.pem"));
    let tls = ["--tls-self-signed", "--tls-cert", &stranger, "--tls-key", &stranger_key];
    let third = Gateway::start(&common::config(other.path(), &tls)).await.unwrap();
    let wary = start(&["--upstream-ca", &stranger]).await;
    let refused = wary.send(wary.sign("GET", "/", &[], b"")).await;
    refused.assert_refused(503, "ServiceUnavailable");
    wary.stop().await;
    third.stop().await;
    behind.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("behind");
    gateway::credentials::open(&credentials).unwrap();
    let start = async |url: &str, file: &str| {
        let credentials = folder.path().join(file);
        let options = ["--upstream", url, "--upstream-credentials", credentials.to_str().unwrap()];
        Gateway::start(&common::config(folder.path(), &options)).await
    };
    for url in ["http://localhost/path", "http://user@localhost", "ftp://localhost", "/only/path"] {
        assert!(start(url, "behind").await.is_err(), "{url}");
    }
    assert!(start("http://localhost", "missing").await.is_err());
    assert!(Config::try_parse_from(["gateway", "--upstream", "http://localhost"]).is_err());
}
