//! Signing, presigning, reading and verifying take no memory from the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Event, Family, Header, Request,
    SecretKey, SessionToken, Signer, SigningKey, Timestamp, Verifier,
};

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = ASKED.with(Cell::get);
    let result = run();
    (ASKED.with(Cell::get) - before, result)
}

/// A buffer of the caller's, as an embedded one would be.
struct Buffer {
    bytes: [u8; 4096],
    len: usize,
}

impl std::fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Buffer {
    fn of(text: impl std::fmt::Display) -> Self {
        let mut buffer = Self { bytes: [0; 4096], len: 0 };
        write!(buffer, "{text}").expect("the text fits");
        buffer
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("a text")
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(7)).0, 1);
}

#[test]
fn nothing_is_allocated() {
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").expect("a secret");
    let token = SessionToken::new("IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==")
        .expect("a token");
    for service in ["s3", "s3express", "execute-api"] {
        for token in [None, Some(token)] {
            let (count, ()) = allocations(|| journey(service, secret, token));
            assert_eq!(count, 0, "{service}, token: {}", token.is_some());
        }
    }
}

/// Signing and verifying a streamed body, and the one checksum of it: nothing for a chunk, however
/// many there are.
#[test]
fn streams_allocate_nothing() {
    use countersign::{ChunkSigner, Framing};

    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").expect("a secret");
    let access_key_id = AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name");
    let credentials = Credentials { access_key_id, secret_key: secret, session_token: None };
    let wire = [Header { name: "host", value: b"h" }];
    let request = Request { method: "PUT", target: "/k", headers: &wire };
    let data = [b'a'; 8192];
    let (count, ()) = allocations(|| {
        let content = ContentSha256::StreamingSignedTrailer;
        let trailers = "x-amz-checksum-crc32";
        let framing = Framing { content, decoded_len: 64 * 8192, trailers };
        let signer = Signer::new(&credentials, scope).expect("a scope");
        let (signed, mut chunks) = signer.sign_stream(&request, &framing, now).expect("signed");
        let mut values: [Option<(&str, Buffer)>; 6] = [const { None }; 6];
        for (place, (name, value)) in values.iter_mut().zip(signed.headers()) {
            *place = Some((name, Buffer::of(value)));
        }
        let mut headers = [wire[0]; 7];
        for (place, value) in headers[1..].iter_mut().zip(values.iter().flatten()) {
            *place = Header { name: value.0, value: value.1.as_str().as_bytes() };
        }
        let claim = Verifier::s3("us-east-1").read(&Request { headers: &headers, ..request }, now);
        let claim = claim.expect("a claim");
        let key = SigningKey::derive(&secret, &claim.scope());
        let verified = claim.verify(&key).expect("a good head");
        #[cfg(feature = "checksums")]
        let (mut machine, checksum) = {
            let mut running = countersign::Checksummer::new(countersign::ChecksumAlgorithm::Crc32);
            (0..64).for_each(|_| running.update(&data));
            (verified.into_checked_body().expect("one checksum"), Buffer::of(running.finish()))
        };
        #[cfg(not(feature = "checksums"))]
        let (mut machine, checksum) = (verified.into_body(), Buffer::of("AAAAAA=="));
        let mut feed = |mut input: &[u8]| {
            while !input.is_empty() {
                let fed = machine.feed(input).expect("a good body");
                input = &input[fed.consumed..];
            }
        };
        for _ in 0..64 {
            feed(chunks.chunk(&data).expect("a chunk").as_bytes());
            feed(&data);
            feed(ChunkSigner::DATA_END);
        }
        feed(chunks.finish(&[(trailers, checksum.as_str())]).expect("an end").as_bytes());
        assert_eq!(machine.finish().expect("the whole body").len(), 64 * 8192);
    });
    assert_eq!(count, 0);
}

/// Signs, presigns and verifies both, an error page included.
fn journey(
    service: &'static str,
    secret: SecretKey<'static>,
    token: Option<SessionToken<'static>>,
) {
    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service };
    let access_key_id = AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name");
    let credentials = Credentials { access_key_id, secret_key: secret, session_token: token };
    let signer = Signer::new(&credentials, scope).expect("a scope");
    let body = b"Welcome to Amazon S3.";
    let wire = [
        Header { name: "X-Amz-Meta-B", value: b"  two   words " },
        Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" },
        Header { name: "content-type", value: b"text/plain" },
        Header { name: "x-amz-meta-a", value: b"1" },
        Header { name: "X-Amz-Meta-A", value: b"2" },
    ];
    let target = "/photos/%e1%88%b4 +/a.jpg?versionId=3&b=%2f&a+b=c&acl";
    let request = Request { method: "PUT", target, headers: &wire };

    let content = ContentSha256::of(body);
    let mut room = [0; 2048];
    let written = signer.sign_to(&request, content, now, &mut room).expect("signed");
    assert!(written.headers().count() >= 2);

    let signed = signer.sign(&request, content, now).expect("signed");
    let added = signed.headers().map(|(name, value)| (name, Buffer::of(value)));
    let mut values: [Option<(&str, Buffer)>; 4] = [None, None, None, None];
    for (place, value) in values.iter_mut().zip(added) {
        *place = Some(value);
    }
    let mut headers = [Header { name: "accept", value: b"*/*" }; 9];
    headers[..5].copy_from_slice(&wire);
    for (place, value) in headers[5..].iter_mut().zip(values.iter().flatten()) {
        *place = Header { name: value.0, value: value.1.as_str().as_bytes() };
    }
    verify(&Request { headers: &headers, ..request }, service, secret, token, body, now);

    let request = Request { headers: &wire[1..2], ..request };
    let life = Duration::from_secs(60);
    assert!(signer.presign_to(&request, life, now, &mut room).is_ok());
    let presigned = signer.presign(&request, life, now).expect("presigned");
    let target = Buffer::of(presigned.target());
    verify(&Request { target: target.as_str(), ..request }, service, secret, token, b"", now);
}

fn verify(
    request: &Request<'_>,
    service: &str,
    secret: SecretKey<'_>,
    token: Option<SessionToken<'_>>,
    body: &[u8],
    now: Timestamp,
) {
    let rules = Verifier::service(service, "us-east-1");
    let whole = service == "execute-api";
    let claim = if whole { rules.read_whole(request, body, now) } else { rules.read(request, now) };
    let claim = claim.expect("a claim");
    let key = SigningKey::derive(&secret, &claim.scope());
    let verified = match token {
        None => claim.verify(&key),
        Some(token) => claim.verify_session(&key, token),
    };
    let verified = verified.expect("a good signature");
    assert!(verified.covers("host"));
    assert!(verified.query().all(|parameter| parameter.name.bytes().count() > 0));
    verified.path().pieces(|piece| assert!(!piece.is_empty()));
    let mut machine = verified.into_body();
    if !whole {
        let fed = machine.feed(body).expect("the body");
        assert!(body.is_empty() || matches!(fed.event, Event::Data(_)));
    }
    assert_eq!(machine.finish().expect("the whole body").len(), body.len() as u64);

    // A refusal, with its page.
    let claim = if whole { rules.read_whole(request, body, now) } else { rules.read(request, now) };
    let wrong = SigningKey::from_bytes(&[7; 32]);
    let error = claim.expect("a claim").refuse_unknown_key(&wrong);
    let hint = countersign::Error::from(error).hint(Family::S3).about(&rules, request, now);
    let mut elements = 0;
    hint.elements(|_, value| elements += Buffer::of(value).len);
    assert!(Buffer::of(hint.message()).len > 0);
}

/// A form that has been read costs nothing to verify; one that is signed, the text of its policy.
#[cfg(feature = "post-policy")]
#[test]
fn forms_take_what_is_told() {
    use countersign::{Form, PostField, PostPolicy};

    let now = Timestamp::parse("20130524T000000Z").expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let secret_key = SecretKey::new("secret").expect("a secret");
    let access_key_id = AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name");
    let credentials = Credentials { access_key_id, secret_key, session_token: None };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let policy = PostPolicy::new("examplebucket")
        .starts_with(PostField::Key, "user/user1/")
        .equal(PostField::Acl, "private")
        .content_length_range(0, 10_000);
    let (asked, signed) = allocations(|| signer.sign_form(&policy, now).expect("a policy"));
    assert_eq!(asked, 1);
    let mut form = Form::new(signed.bucket());
    for (name, value) in signed.fields() {
        form.push(name.to_string(), value.to_string()).expect("a field");
    }
    form.file(None).expect("a file");
    let rules = Verifier::s3("us-east-1");
    let key = SigningKey::derive(&secret_key, &scope);
    let (asked, verified) = allocations(|| {
        let claim = rules.read_form(&form).expect("a claim");
        claim.verify(&key).expect("the key")
    });
    assert_eq!(asked, 0);
    let mut body = verified.check(now).expect("held to").into_body();
    let (asked, ()) = allocations(|| {
        let _ = body.feed(b"content").expect("data");
        let _ = body.finish().expect("whole");
    });
    assert_eq!(asked, 0);
}
