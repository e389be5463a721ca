//! The layer: what gets through, what a handler sees, and what is answered without it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use countersign::http::VerifiedBody;
use countersign::tower::{Found, KeyProvider, VerifiedHead, VerifyLayer, Wanted};
use countersign::{
    AccessKeyId, ChunkSigner, ContentSha256, CredentialScope, Credentials, Framing, Header,
    Request, SecretKey, SessionToken, Signer, SigningKey, Timestamp,
};
use http_body::{Body, Frame};
use tower_layer::Layer;
use tower_service::Service;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr";

fn clock() -> Timestamp {
    Timestamp::parse("20130524T000000Z").expect("a time")
}

struct Keys;

impl KeyProvider for Keys {
    async fn find(
        &self,
        wanted: Wanted,
    ) -> Result<Option<Found>, Box<dyn std::error::Error + Send + Sync>> {
        let session_token = match wanted.claimed_access_key_id.as_str() {
            ID => None,
            "ASIATEMPORARY" => {
                assert_eq!(
                    wanted.session_token.as_ref().map(|t| t.as_bytes()),
                    Some(TOKEN.as_bytes())
                );
                Some(TOKEN.to_owned())
            }
            "BROKEN" => return Err("the database is down".into()),
            _ => return Ok(None),
        };
        let scope =
            CredentialScope { date: wanted.date, region: &wanted.region, service: &wanted.service };
        let key = SigningKey::derive(&SecretKey::new(SECRET)?, &scope);
        Ok(Some(Found { key, session_token }))
    }
}

/// A body that counts how often it is asked.
struct Pieces(VecDeque<Bytes>, Arc<AtomicUsize>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
    }
}

/// A handler that answers with what it was told, and with the body it got.
#[derive(Clone)]
struct Handler;

impl Service<http::Request<VerifiedBody<Pieces>>> for Handler {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<VerifiedBody<Pieces>>) -> Self::Future {
        Box::pin(async move {
            let head = request.extensions().get::<VerifiedHead>().expect("a verified head").clone();
            let mut data = Vec::new();
            let body = request.body_mut();
            loop {
                match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                    Some(Ok(frame)) => {
                        data.extend_from_slice(&frame.into_data().unwrap_or_default())
                    }
                    Some(Err(error)) => {
                        return Ok(http::Response::builder()
                            .status(400)
                            .body(error.to_string())
                            .expect("a response"));
                    }
                    None => break,
                }
            }
            assert!(body.proof().is_some());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let query: Vec<_> =
                head.query().map(|(n, v)| format!("{}={}", text(n), text(v))).collect();
            Ok(http::Response::new(format!(
                "{} {} {} {:?} {}",
                head.access_key_id(),
                text(head.path()),
                query.join("&"),
                head.header("x-amz-meta-a").map(text),
                text(&data),
            )))
        })
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Status, body, and how often the request's body was asked for data.
fn call(service: &str, parts: http::request::Parts, body: &[u8]) -> (u16, String, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let pieces = body.chunks(100).map(Bytes::copy_from_slice).collect();
    let request = http::Request::from_parts(parts, Pieces(pieces, Arc::clone(&asked)));
    let layer = VerifyLayer::new(service, "us-east-1", Keys)
        .clock(clock)
        .max_whole(1000)
        .rules(|rules| rules.clock_skew(Duration::from_secs(60)));
    let response = block_on(layer.layer(Handler).call(request)).expect("an answer");
    let status = response.status().as_u16();
    (status, response.into_body(), asked.load(Ordering::Relaxed))
}

struct Signed {
    parts: http::request::Parts,
    chunks: Option<ChunkSigner>,
}

fn sign(service: &str, id: &str, token: Option<&str>, content: ContentSha256, len: u64) -> Signed {
    let now = clock();
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(id).expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: token.map(|token| SessionToken::new(token).expect("a token")),
    };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let headers = [
        Header { name: "host", value: b"localhost" },
        Header { name: "x-amz-meta-a", value: b"1" },
        Header { name: "x-amz-meta-a", value: b"2" },
    ];
    let request = Request { method: "PUT", target: "/b/a%20b?x=2&x=1", headers: &headers };
    let (signed, chunks) = match content {
        ContentSha256::Digest(_) => (signer.sign(&request, content, now).expect("signed"), None),
        _ => {
            let framing = Framing { content, decoded_len: len, trailers: "" };
            let (signed, chunks) = signer.sign_stream(&request, &framing, now).expect("signed");
            (signed, Some(chunks))
        }
    };
    let mut builder = http::Request::put(request.target);
    for header in headers {
        builder = builder.header(header.name, header.value);
    }
    let (mut parts, ()) = builder.body(()).expect("a request").into_parts();
    countersign::http::apply(&signed, &mut parts.headers).expect("fields");
    Signed { parts, chunks }
}

#[test]
fn handlers_see_what_was_signed() {
    let digest = ContentSha256::of(b"hello");
    let expected = format!("{ID} /b/a b x=1&x=2 Some(\"1,2\") hello");
    let signed = sign("s3", ID, None, digest, 5);
    assert_eq!(call("s3", signed.parts, b"hello"), (200, expected.clone(), 2));

    let mut signed = sign("s3", ID, None, ContentSha256::StreamingSigned, 5);
    let mut chunks = signed.chunks.take().expect("chunks");
    let mut wire = chunks.chunk(b"hello").expect("a chunk").as_bytes().to_vec();
    wire.extend_from_slice(b"hello\r\n");
    wire.extend_from_slice(chunks.finish(&[]).expect("an end").as_bytes());
    let (status, body, _) = call("s3", signed.parts, &wire);
    assert_eq!((status, body), (200, expected.clone()));

    // Outside S3 the body is held first.
    let signed = sign("execute-api", ID, None, digest, 5);
    assert_eq!(call("execute-api", signed.parts, b"hello"), (200, expected, 2));

    let signed = sign("s3", "ASIATEMPORARY", Some(TOKEN), digest, 5);
    assert_eq!(call("s3", signed.parts, b"hello").0, 200);
}

#[test]
fn refusals_do_not_touch_the_body() {
    let digest = ContentSha256::of(b"hello");
    let refused = |parts: http::request::Parts, status: u16, code: &str| {
        let (found, body, asked) = call("s3", parts, b"hello");
        assert_eq!((found, asked), (status, 0), "{body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    };
    let mut parts = sign("s3", ID, None, digest, 5).parts;
    parts.headers.insert("x-amz-acl", http::HeaderValue::from_static("public-read"));
    refused(parts, 403, "AccessDenied");
    let mut parts = sign("s3", ID, None, digest, 5).parts;
    parts.method = http::Method::POST;
    refused(parts, 403, "SignatureDoesNotMatch");
    refused(sign("s3", "AKIANOBODY", None, digest, 5).parts, 403, "InvalidAccessKeyId");
    let mut parts = sign("s3", ID, None, digest, 5).parts;
    parts.headers.remove("authorization");
    refused(parts, 403, "AccessDenied");

    let (status, body, asked) = call("s3", sign("s3", "BROKEN", None, digest, 5).parts, b"hello");
    assert_eq!((status, body.as_str(), asked), (500, "", 0));
}

#[test]
fn bodies_are_refused_at_their_end_and_when_too_long() {
    let digest = ContentSha256::of(b"hello");
    let (status, body, _) = call("s3", sign("s3", ID, None, digest, 5).parts, b"hullo");
    assert_eq!((status, body.as_str()), (400, "the body is not the one that was signed"));
    let parts = sign("execute-api", ID, None, ContentSha256::of([0; 1001]), 1001).parts;
    assert_eq!(call("execute-api", parts, &[0; 1001]).0, 413);
    let parts = sign("execute-api", ID, None, digest, 5).parts;
    let (status, body, _) = call("execute-api", parts, b"hullo");
    assert!(status == 403 && body.contains("should have been"), "{body}");
}
