//! The layer: what gets through, what a handler sees, and what is answered without it.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use countersign::http::{Head, VerifiedBody, VerifiedBodyError};
use countersign::tower::{
    BoxError, CredentialProvider, FixedCredential, Found, Issued, KeyProvider, KeyScope,
    RequestIds, SignBody, SignLayer, SignServiceError, SignTrailers, SigningBody, VerifiedHead,
    VerifyLayer, Wanted,
};
use countersign::{
    AccessKeyId, CanonicalRequest, ChecksumAlgorithm, ChunkSigner, Claim, ContentHeader,
    ContentSha256, CredentialScope, Credentials, Framing, Header, Mechanism, Request, SecretKey,
    SessionToken, SignError, Signer, SigningKey, Timestamp, Verifier,
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
    async fn find(&self, wanted: Wanted) -> Result<Option<Found>, BoxError> {
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
        let scope = wanted.scope.as_scope();
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

impl<B> Service<http::Request<VerifiedBody<B>>> for Handler
where
    B: Body<Data = Bytes, Error: std::fmt::Debug + Send> + Unpin + Send + 'static,
{
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<VerifiedBody<B>>) -> Self::Future {
        Box::pin(async move {
            let head = request.extensions().get::<VerifiedHead>().expect("a verified head").clone();
            let mut data = Vec::new();
            let body = request.body_mut();
            loop {
                match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                    Some(Ok(frame)) => {
                        data.extend_from_slice(&frame.into_data().unwrap_or_default())
                    }
                    Some(Err(VerifiedBodyError::Refused(error))) => return Ok(head.refuse(error)),
                    Some(Err(error)) => panic!("{error:?}"),
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
        .ids(|parts| RequestIds::new(format!("id of {}", parts.method), "host"))
        .rules(|rules| rules.clock_skew(Duration::from_secs(60)));
    let response = block_on(layer.layer(Handler).call(request)).expect("an answer");
    let status = response.status().as_u16();
    // Logs learn the reason without reading the answer.
    let refused = matches!(status, 400 | 403);
    assert_eq!(response.extensions().get::<countersign::Error>().is_some(), refused);
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

/// A handler that keeps the head it was called with.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Option<VerifiedHead>>>);

impl<B> Service<http::Request<B>> for Keep {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        *self.0.lock().expect("a lock") = request.extensions_mut().remove();
        std::future::ready(Ok(http::Response::new(String::new())))
    }
}

/// Names and values of fields.
type Pairs<'a> = &'a [(&'a str, &'a [u8])];

/// A request, signed in a field or in its query, to which fields are added that nobody signed.
fn half_signed(
    uri: &str,
    signed: Pairs<'_>,
    unsigned: Pairs<'_>,
    mechanism: Mechanism,
) -> http::request::Parts {
    let now = clock();
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(ID).expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let mut builder = http::Request::get(uri);
    if uri.starts_with("https:") {
        builder = builder.version(http::Version::HTTP_2);
    }
    for (name, value) in signed {
        builder = builder.header(*name, *value);
    }
    let (mut parts, ()) = builder.body(()).expect("a request").into_parts();
    if mechanism == Mechanism::Header {
        let head = Head::new(&parts);
        let signed = signer.sign(&head.request(), ContentSha256::EMPTY, now).expect("signed");
        let fields = countersign::http::fields(&signed).expect("fields");
        parts.headers.extend(fields);
    } else {
        let lifetime = Duration::from_secs(60);
        let head = Head::new(&parts);
        let target =
            signer.presign(&head.request(), lifetime, now).expect("signed").target().to_string();
        let mut changed = parts.uri.clone().into_parts();
        changed.path_and_query = Some(target.parse().expect("a target"));
        parts.uri = http::Uri::from_parts(changed).expect("a URI");
    }
    for (name, value) in unsigned {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        parts.headers.append(name, http::HeaderValue::from_bytes(value).expect("a value"));
    }
    parts
}

/// A canonical text without its escapes.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut pieces = text.split(|byte| *byte == b'%');
    let mut out = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        let digits = std::str::from_utf8(digits).expect("ASCII");
        out.push(u8::from_str_radix(digits, 16).expect("digits"));
        out.extend_from_slice(rest);
    }
    out
}

/// A name and its value.
type Owned = (Vec<u8>, Vec<u8>);

/// What a canonical request says: path, query without the signature's own parameters, fields.
fn canonical_parts(canonical: &CanonicalRequest<'_>) -> (Vec<u8>, Vec<Owned>, Vec<Owned>) {
    const OWN: [&[u8]; 5] = [
        b"X-Amz-Algorithm",
        b"X-Amz-Credential",
        b"X-Amz-Date",
        b"X-Amz-Expires",
        b"X-Amz-SignedHeaders",
    ];
    fn pair(text: &[u8], between: u8) -> (&[u8], &[u8]) {
        let at = text.iter().position(|byte| *byte == between).expect("a pair");
        (&text[..at], &text[at + 1..])
    }
    let mut text = Vec::new();
    canonical.pieces(|piece| text.extend_from_slice(piece));
    let mut lines = text.split(|byte| *byte == b'\n').skip(1);
    let path = unescaped(lines.next().expect("a path"));
    let parameters = lines.next().expect("a query").split(|byte| *byte == b'&');
    let query = parameters
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| pair(parameter, b'='))
        .filter(|(name, _)| !OWN.contains(name))
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        .collect();
    let fields = lines.by_ref().take_while(|line| !line.is_empty()).map(|line| pair(line, b':'));
    let fields: Vec<_> = fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let names: Vec<&[u8]> = fields.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(lines.next(), Some(&names.join(&b';')[..]));
    (path, query, fields)
}

/// A signature covers runs of spaces only as one.
fn squeezed(value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    value.dedup_by(|a, b| (*a, *b) == (b' ', b' '));
    value
}

/// A name, and names that nearly are it.
fn alike(name: &str) -> [String; 9] {
    [
        name.to_owned(),
        name.to_ascii_uppercase(),
        name.get(..name.len().saturating_sub(1)).unwrap_or_default().to_owned(),
        name.get(1..).unwrap_or_default().to_owned(),
        format!("{name}s"),
        format!("{name} "),
        format!("{name}:"),
        name.replace('-', "_"),
        name.replace('_', "-"),
    ]
}

#[test]
fn a_view_shows_what_was_signed_and_nothing_else() {
    const HOST: (&str, &[u8]) = ("host", b"localhost");
    let names: Vec<String> = (0..70).map(|nth| format!("x-{}-{nth}", nth % 7)).collect();
    let mut many: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    many.extend([HOST, ("x-3-3", b"again")]);
    let cases: [(&str, Pairs<'_>, Pairs<'_>); 13] = [
        ("/", &[HOST], &[]),
        // Names that are alike.
        (
            "/b/k",
            &[HOST, ("range", b"bytes=0-1")],
            &[("rang", b"1"), ("ranges", b"2"), ("hos", b"3"), ("hosts", b"4")],
        ),
        ("/b/k", &[HOST, ("rang", b"1"), ("ranges", b"2")], &[("range", b"bytes=0-1")]),
        ("/b/k", &[("ranges", b"2"), ("Range", b"bytes=0-1"), ("Host", b"localhost")], &[]),
        ("/b/k", &[HOST, ("x_custom", b"1")], &[("x-custom", b"2"), ("xcustom", b"3")]),
        ("/b/k", &[HOST, ("x-custom", b"2"), ("x_custom", b"1")], &[("x_custo", b"3")]),
        // Values that are nothing, several, or not as they are signed.
        ("/b/k", &[HOST, ("x-empty", b"")], &[("x-empt", b"1"), ("x-none", b"")]),
        (
            "/b/k",
            &[("x-a", b"2"), HOST, ("x-a", b""), ("x-a-b", b"1"), ("x-a", b"1, 3")],
            &[("x-b", b"4"), ("x-b", b"5")],
        ),
        ("/b/k", &[HOST, ("x-a", b" \ta  b\t  \"c   d\" \xff\xc3\xa9\t ")], &[("x-b", b" 1  2 ")]),
        ("/b/k", &many, &[("x-7-7", b"1"), ("x-3-33", b"2")]),
        // HTTP/2, whose authority is the host.
        ("https://b.example.com:8443/k?x=1", &[("x-a", b"1")], &[("x-b", b"2")]),
        ("https://b.example.com", &[("host", b"B.example.com"), ("x-a", b"1")], &[("x-b", b"2")]),
        // A path and parameters that are written in another way than they are signed.
        (
            "/b/a%20b/%7e%2f+%C3%A9/..?z=%7e&b=2&a%2Fb=c+d&b=1&none&=&x=%41&X=%2541&b=\
             &x-amz-acl=%3D&X-Amz-Dat=%26&X-Amz-Dates=1&%c3%a9=%e9",
            &[HOST],
            &[],
        ),
    ];
    let rules = Verifier::s3("us-east-1");
    for (uri, signed, unsigned) in cases {
        for mechanism in [Mechanism::Header, Mechanism::Query] {
            let parts = half_signed(uri, signed, unsigned, mechanism);
            let head = Head::new(&parts);
            let claim = rules.read(&head.request(), clock()).expect("a claim");
            let (path, query, fields) = canonical_parts(&claim.canonical_request());
            let secret = SecretKey::new(SECRET).expect("a secret");
            let key = SigningKey::derive(&secret, &claim.scope());
            let verified = claim.verify(&key).expect("the key");

            let keep = Keep::default();
            let pieces = Pieces(VecDeque::new(), Arc::default());
            let layer = VerifyLayer::new("s3", "us-east-1", Keys).clock(clock);
            let mut service = layer.layer(keep.clone());
            let request = http::Request::from_parts(parts.clone(), pieces);
            assert_eq!(block_on(service.call(request)).expect("an answer").status(), 200);
            let view = keep.0.lock().expect("a lock").take().expect("a verified head");

            assert_eq!(view.mechanism(), mechanism);
            assert!(verified.path() == *view.path() && view.path() == path, "{uri}");
            let owned = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
            assert_eq!(view.query().map(owned).collect::<Vec<_>>(), query);
            let parameters = verified.query().map(|p| (p.name.to_vec(), p.value.to_vec()));
            assert_eq!(parameters.collect::<Vec<_>>(), query);

            // All names that came, all that are signed or could be, and all that are nearly theirs.
            let came = head.request().headers.iter().map(|field| field.name.to_owned());
            let text = |name: &[u8]| String::from_utf8(name.to_vec()).expect("a name");
            let listed = fields.iter().map(|(name, _)| text(name));
            let known = ["", "host", "authorization", "x-amz-date", "x-amz-content-sha256"];
            let names = came.chain(listed).chain(known.map(str::to_owned));
            let mut shown = BTreeSet::new();
            for name in names.flat_map(|name| alike(&name)) {
                let lower = name.to_ascii_lowercase();
                let line = fields.iter().find(|(signed, _)| text(signed) == lower);
                let value = view.header(&name);
                assert_eq!(value.map(squeezed), line.map(|(_, value)| value.clone()), "{name}");
                let joined = verified.header(&name).map(|field| field.joined());
                assert_eq!(value.map(<[u8]>::to_vec), joined, "{name}");
                assert_eq!(value.is_some(), verified.covers(&name), "{name}");
                shown.extend(value.map(|_| lower));
            }
            assert_eq!(shown.len(), fields.len());
            for (name, _) in signed {
                assert!(view.header(name).is_some(), "{name}");
            }
            for (name, _) in unsigned {
                assert_eq!(view.header(name), None, "{name}");
            }
            for name in ["authorization", ":authority", ""] {
                assert_eq!(view.header(name), None, "{name}");
            }
            assert!(view.header("HOST").is_some());
        }
    }
}

#[test]
fn refusals_do_not_touch_the_body() {
    let digest = ContentSha256::of(b"hello");
    let refused = |parts: http::request::Parts, status: u16, code: &str| {
        let (found, body, asked) = call("s3", parts, b"hello");
        assert_eq!((found, asked), (status, 0), "{body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
        assert!(body.contains("<RequestId>id of "), "{body}");
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

    // Outside S3, where a body may have to be held, nothing is held for who cannot be let in.
    let mut parts = sign("execute-api", ID, None, digest, 5).parts;
    parts.headers.remove("authorization");
    let (status, _, asked) = call("execute-api", parts, b"hello");
    assert_eq!((status, asked), (403, 0));
    let mut parts = sign("execute-api", ID, None, digest, 5).parts;
    parts.headers.insert("x-amz-date", http::HeaderValue::from_static("20130524T010000Z"));
    let (status, _, asked) = call("execute-api", parts, b"hello");
    assert_eq!((status, asked), (403, 0));
}

/// A body is held where its head says nothing of it, and only there.
/// A server has as many of these as requests that wait for a key, for a body or for their handler.
#[test]
fn what_waits_is_small() {
    let head = sign("s3", ID, None, ContentSha256::of(b""), 0).parts;
    let body = Pieces(VecDeque::new(), Arc::default());
    let mut service = VerifyLayer::new("s3", "us-east-1", Keys).clock(clock).layer(Handler);
    let waiting = service.call(http::Request::from_parts(head, body));
    let (claim, parts) = (size_of::<Claim<'_>>(), size_of::<http::request::Parts>());
    // One claim and one head, and not much besides.
    let size = size_of_val(&*waiting);
    assert!(size < claim + parts + 700, "{size} bytes, {claim} of them a claim");
}

#[test]
fn a_body_that_its_head_speaks_of_is_not_held() {
    let body = vec![b'a'; 2000];
    let digest = ContentSha256::of(&body);
    let parts = sign("execute-api", ID, None, digest, 2000).parts;
    assert_eq!(call("execute-api", parts, &body).0, 413);
    // It is announced: by a service that streams, or a client that always sends the field.
    for service in ["aoss", "execute-api"] {
        for content in [digest, ContentSha256::UnsignedPayload] {
            if service == "execute-api" && content != digest {
                continue;
            }
            let layer = SignLayer::new(service, "us-east-1", credential(None)).clock(clock);
            let layer = layer.rules(|signer| signer.content_header(ContentHeader::Send));
            let layer = layer.body(match content {
                ContentSha256::Digest(digest) => SignBody::Digest(digest),
                _ => SignBody::Unsigned,
            });
            let wire = Wire { service: "s3", sent: Arc::default() };
            let request = request(Upload::of(&body), "http://localhost/b/k");
            let _ = block_on(layer.layer(wire.clone()).call(request)).expect("an answer");
            let (mut parts, _) = wire.sent.lock().expect("a lock").take().expect("a request");
            parts.uri = http::Uri::from_static("/b/k");
            let (status, text, asked) = call(service, parts, &body);
            assert_eq!((status, asked), (200, 21), "{service}, {content}: {text}");
        }
    }
}

/// Signed chunks are held until their signature is checked, up to a limit that a layer can be told.
#[test]
fn how_much_is_held_can_be_told() {
    let content = ContentSha256::StreamingSigned;
    let outcome = |max_held| {
        let mut signed = sign("s3", ID, None, content, 5);
        let mut chunks = signed.chunks.take().expect("chunks");
        let mut wire = chunks.chunk(b"hello").expect("a chunk").as_bytes().to_vec();
        wire.extend_from_slice(b"hello\r\n");
        wire.extend_from_slice(chunks.finish(&[]).expect("an end").as_bytes());
        // In pieces, so that the chunk has to be held.
        let pieces = wire.chunks(3).map(Bytes::copy_from_slice).collect();
        let request = http::Request::from_parts(signed.parts, Pieces(pieces, Arc::default()));
        let layer = VerifyLayer::new("s3", "us-east-1", Keys).clock(clock).max_held(max_held);
        block_on(layer.layer(Outcome).call(request)).expect("an answer").into_body()
    };
    assert_eq!(outcome(5), "Ok(5)");
    assert_eq!(outcome(4), "Err(TooLong)");
}

/// A handler that answers with how long the body was, or why it was not.
#[derive(Clone)]
struct Outcome;

impl<B> Service<http::Request<VerifiedBody<B>>> for Outcome
where
    B: Body<Data = Bytes, Error: std::fmt::Debug + Send> + Unpin + Send + 'static,
{
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<VerifiedBody<B>>) -> Self::Future {
        Box::pin(async move {
            let (mut body, mut len) = (request.into_body(), Ok(0));
            while let Some(frame) =
                std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
            {
                len = match (len, frame) {
                    (Ok(len), Ok(frame)) => Ok(len + frame.into_data().unwrap_or_default().len()),
                    (Ok(_), Err(error)) => Err(error),
                    (Err(error), _) => Err(error),
                };
            }
            Ok(http::Response::new(format!("{len:?}")))
        })
    }
}

#[test]
fn bodies_are_refused_at_their_end_and_when_too_long() {
    let digest = ContentSha256::of(b"hello");
    let (status, body, _) = call("s3", sign("s3", ID, None, digest, 5).parts, b"hullo");
    assert_eq!(status, 400);
    assert!(body.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{body}");
    assert!(body.contains("<RequestId>id of PUT</RequestId><HostId>host</HostId>"), "{body}");
    let parts = sign("execute-api", ID, None, ContentSha256::of([0; 1001]), 1001).parts;
    assert_eq!(call("execute-api", parts, &[0; 1001]).0, 413);
    let parts = sign("execute-api", ID, None, digest, 5).parts;
    let (status, body, _) = call("execute-api", parts, b"hullo");
    assert!(status == 403 && body.contains("should have been"), "{body}");
}

// ---- the client's side

/// Sends what it gets through a verifying layer to the handler: a wire between both layers.
#[derive(Clone)]
struct Wire {
    service: &'static str,
    sent: Arc<Mutex<Option<Sent>>>,
}

/// A head, and the length that its body announced.
type Sent = (http::request::Parts, Option<u64>);

impl<B> Service<http::Request<SigningBody<B>>> for Wire
where
    B: Body<Data = Bytes, Error: std::fmt::Debug + Send> + Unpin + Send + 'static,
{
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<SigningBody<B>>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let sent = (parts.clone(), body.size_hint().exact());
        *self.sent.lock().expect("a lock") = Some(sent);
        // What an HTTP/1.1 client does before it sends.
        parts.uri = parts.uri.path_and_query().expect("a path").to_string().parse().expect("a URI");
        let layer = VerifyLayer::new(self.service, "us-east-1", Keys).clock(clock);
        Box::pin(layer.layer(Handler).call(http::Request::from_parts(parts, body)))
    }
}

fn credential(token: Option<&str>) -> FixedCredential {
    FixedCredential::new(&Credentials {
        access_key_id: AccessKeyId::new(token.map_or(ID, |_| "ASIATEMPORARY")).expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: token.map(|token| SessionToken::new(token).expect("a token")),
    })
}

/// A body that knows its length and may end with trailers.
#[derive(Debug)]
struct Upload {
    pieces: VecDeque<Bytes>,
    trailers: Option<http::HeaderMap>,
}

impl Upload {
    fn of(data: &[u8]) -> Self {
        let pieces = data.chunks(7).map(Bytes::copy_from_slice).collect();
        Self { pieces, trailers: None }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.pieces.pop_front().map(Frame::data);
        Poll::Ready(frame.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}

fn request<B>(body: B, uri: &str) -> http::Request<B> {
    let builder = http::Request::put(uri).header("x-amz-meta-a", "1");
    builder.body(body).expect("a request")
}

#[test]
fn what_the_client_signs_the_server_verifies() {
    const DATA: &[u8] = b"hello, hello, hello";
    let field = ChecksumAlgorithm::Crc32.field();
    let value = ChecksumAlgorithm::Crc32.of(DATA).to_string();
    let chunked = |content, trailers| SignBody::Chunked { content, chunk_len: 8, trailers };
    let checksum = || SignTrailers::Checksum(ChecksumAlgorithm::Crc32);
    let below = || SignTrailers::Below(vec![(field.to_owned(), value.len())]);
    let digest = match ContentSha256::of(DATA) {
        ContentSha256::Digest(digest) => digest,
        _ => unreachable!("a digest"),
    };
    let ways = [
        ("s3", SignBody::Unsigned),
        ("s3", SignBody::Digest(digest)),
        ("s3", SignBody::Whole { max: DATA.len() }),
        ("s3", chunked(ContentSha256::StreamingSigned, SignTrailers::None)),
        ("s3", chunked(ContentSha256::StreamingSignedTrailer, checksum())),
        ("s3", chunked(ContentSha256::StreamingUnsignedTrailer, checksum())),
        ("s3", chunked(ContentSha256::StreamingSignedTrailer, below())),
        ("execute-api", SignBody::Whole { max: DATA.len() }),
    ];
    for (service, way) in ways {
        for token in [None, Some(TOKEN)] {
            let wire = Wire { service, sent: Arc::default() };
            let layer = SignLayer::new(service, "us-east-1", credential(token)).clock(clock);
            // Once as the layer's way, once as the request's own.
            for own in [false, true] {
                let layer = if own { layer.clone() } else { layer.clone().body(way.clone()) };
                let mut upload = Upload::of(DATA);
                let name = http::HeaderName::from_static(field);
                upload.trailers = Some(http::HeaderMap::from_iter([(
                    name,
                    http::HeaderValue::from_str(&value).expect("a value"),
                )]));
                let mut request = request(upload, "https://b.example.com:443/a%20b?x=1&x=2");
                if own {
                    request.extensions_mut().insert(way.clone());
                }
                let answer = block_on(layer.layer(wire.clone()).call(request)).expect("an answer");
                let id = token.map_or(ID, |_| "ASIATEMPORARY");
                assert_eq!(
                    answer.into_body(),
                    format!("{id} /a b x=1&x=2 Some(\"1\") hello, hello, hello"),
                    "{service} {way:?}"
                );
                let sent = wire.sent.lock().expect("a lock").take();
                let (parts, len) = sent.expect("something was sent");
                assert_eq!(parts.headers["host"], "b.example.com");
                // Over HTTP/2 it is this authority that is sent, and has to be the host's.
                assert_eq!(parts.uri, "https://b.example.com/a%20b?x=1&x=2");
                assert!(parts.headers["authorization"].is_sensitive());
                assert!(parts.extensions.get::<SignBody>().is_none());
                let announced = parts.headers.get("content-length");
                let framed = matches!(way, SignBody::Chunked { .. });
                assert_eq!(announced.is_some(), framed);
                if let Some(announced) = announced {
                    assert_eq!(
                        announced.to_str().ok().map(str::to_owned),
                        len.map(|n| n.to_string())
                    );
                }
            }
        }
    }
}

/// HTTP clients write the target in their own way: over HTTP/1.1 its path, over HTTP/2 its authority as
/// well. Whatever they write is what was signed.
#[test]
fn what_the_client_sends_is_what_was_signed() {
    for (uri, host) in [
        ("https://h/k", "h"),
        ("https://h:443/k", "h"),
        ("http://h:80/k", "h"),
        ("https://h:80/k", "h:80"),
        ("https://h:8443/k?x=1", "h:8443"),
        ("https://user@h/k", "h"),
        ("https://user:word@h:443/k", "h"),
        ("https://h", "h"),
        ("https://h?x=1", "h"),
        ("https://[::1]:443/k", "[::1]"),
    ] {
        let wire = Wire { service: "s3", sent: Arc::default() };
        let layer = SignLayer::new("s3", "us-east-1", credential(None)).clock(clock);
        let layer = layer.body(SignBody::Unsigned).layer(wire.clone());
        let answer =
            block_on({ layer }.call(request(Upload::of(b"hello"), uri))).expect("an answer");
        assert!(answer.body().ends_with(" hello"), "{uri}: {}", answer.body());
        let (mut parts, _) = wire.sent.lock().expect("a lock").take().expect("a request");
        assert_eq!(parts.headers["host"], host, "{uri}");
        assert_eq!(parts.uri.authority().map(|authority| authority.as_str()), Some(host), "{uri}");
        parts.version = http::Version::HTTP_2;
        if parts.uri.path_and_query().is_none_or(|path| path.as_str().starts_with('?')) {
            continue;
        }
        assert_eq!(call("s3", parts, b"hello").0, 200, "{uri}");
    }
}

/// Frames have a length, and a message has one way to say how long it is.
#[test]
fn frames_take_the_place_of_a_transfer_coding() {
    let wire = Wire { service: "s3", sent: Arc::default() };
    let layer = SignLayer::new("s3", "us-east-1", credential(None)).clock(clock);
    let layer = layer.body(SignBody::Chunked {
        content: ContentSha256::StreamingSigned,
        chunk_len: 8192,
        trailers: SignTrailers::None,
    });
    let mut request = request(Upload::of(b"hello"), "http://h/k");
    request.headers_mut().insert("transfer-encoding", http::HeaderValue::from_static("chunked"));
    let answer = block_on(layer.layer(wire.clone()).call(request)).expect("an answer");
    assert!(answer.body().ends_with(" hello"), "{}", answer.body());
    let (parts, _) = wire.sent.lock().expect("a lock").take().expect("a request");
    assert!(parts.headers.contains_key("content-length"));
    assert!(!parts.headers.contains_key("transfer-encoding"));
}

#[test]
fn what_cannot_be_signed_is_not_sent() {
    struct NoKeys;
    impl CredentialProvider for NoKeys {
        async fn issue(&self, _: KeyScope) -> Result<Issued, BoxError> {
            Err("expired".into())
        }
    }
    type Outcome = Result<http::Response<String>, SignServiceError<Infallible, Infallible>>;
    let sent = Arc::default();
    let wire = Wire { service: "s3", sent: Arc::clone(&sent) };
    let layer = SignLayer::new("s3", "us-east-1", credential(None)).clock(clock);
    let send = |way: SignBody, request: http::Request<Upload>| -> Outcome {
        block_on(layer.clone().body(way).layer(wire.clone()).call(request))
    };
    let uri = "http://localhost:9000/k";
    let whole = |max| SignBody::Whole { max };
    let upload = |len: usize| request(Upload::of(&vec![b'x'; len]), uri);

    assert!(matches!(send(whole(9), upload(10)), Err(SignServiceError::TooLong)));
    let mut signed = upload(1);
    signed.headers_mut().insert("authorization", http::HeaderValue::from_static("AWS4"));
    let outcome = send(whole(9), signed);
    assert!(matches!(outcome, Err(SignServiceError::Unsignable(SignError::ReservedField))));
    let outcome = send(whole(9), request(Upload::of(b""), "/no-host"));
    assert!(matches!(outcome, Err(SignServiceError::Unsignable(_))), "{outcome:?}");
    let content = ContentSha256::StreamingSigned;
    let chunked = SignBody::Chunked { content, chunk_len: 0, trailers: SignTrailers::None };
    assert!(matches!(send(chunked, upload(1)), Err(SignServiceError::Framing)));

    // The length of this one is not known.
    let pieces = Pieces(VecDeque::new(), Arc::default());
    let chunked = SignBody::Chunked { content, chunk_len: 8, trailers: SignTrailers::None };
    let framing = layer.clone().body(chunked).layer(wire.clone()).call(request(pieces, uri));
    assert!(matches!(block_on(framing), Err(SignServiceError::Framing)));
    let mut none = SignLayer::new("s3", "us-east-1", NoKeys).layer(wire.clone());
    assert!(matches!(block_on(none.call(upload(1))), Err(SignServiceError::Provider(_))));
    assert!(sent.lock().expect("a lock").is_none());
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let fixed = credential(Some(TOKEN));
    let scope = KeyScope::new(clock().date(), "us-east-1", "s3");
    let issued = block_on(fixed.issue(scope.clone())).expect("a credential");
    let name = AccessKeyId::new("ASIATEMPORARY").expect("a name");
    let claimed = countersign::tower::ClaimedToken::new(TOKEN);
    let wanted = Wanted::new(name, scope, Some(claimed));
    let found = block_on(KeyProvider::find(&fixed, wanted.clone())).expect("an answer");
    let shown = format!(
        "{fixed:?} {issued:?} {wanted:?} {found:?} {:?} {:?}",
        SignLayer::new("s3", "us-east-1", credential(Some(TOKEN))),
        VerifyLayer::new("s3", "us-east-1", credential(Some(TOKEN))),
    );
    let wire = Shown(Arc::default());
    for way in [SignBody::Unsigned, SignBody::Whole { max: 100 }] {
        let layer = SignLayer::new("s3", "us-east-1", credential(None)).clock(clock).body(way);
        let request = request(Upload::of(b"private"), "http://h/k");
        block_on(layer.layer(wire.clone()).call(request)).expect("an answer");
    }
    let shown = shown + &*wire.0.lock().expect("a lock");
    assert!(!shown.contains("private"), "{shown}");
    assert!(shown.contains("ASIATEMPORARY") && shown.contains("Found"), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
}

/// Writes down how a body that is sent is shown.
#[derive(Clone)]
struct Shown(Arc<Mutex<String>>);

impl Service<http::Request<SigningBody<Upload>>> for Shown {
    type Response = ();
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<SigningBody<Upload>>) -> Self::Future {
        self.0.lock().expect("a lock").push_str(&format!("{:?}", request.body()));
        std::future::ready(Ok(()))
    }
}
