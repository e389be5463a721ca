//! Browser forms: what is stored and answered, and what is refused and leaves nothing behind.
//!
//! Forms are put together byte by byte. After each one that is refused the data folder is what it was
//! before. Numbers in brackets are rows of the list of known failures of verifiers.

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{PostField, PostPolicy, SuccessStatus, Timestamp};
use gateway::Gateway;
use http::header::AUTHORIZATION;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use common::{Answer, Key, REGION, Raw, Server, ago, noise, refused, signer};

const BOUNDARY: &str = "----boundary7MA4YWxk";

/// A form as a browser would send it, before it is sent.
#[derive(Clone)]
struct Upload {
    fields: Vec<(String, String)>,
    file_name: String,
    file: Vec<u8>,
    /// What stands between the file and the last boundary.
    behind: Vec<u8>,
    target: String,
}

impl Upload {
    /// What a policy allows, signed by `key`.
    fn signed(policy: &PostPolicy<'_>, key: &Key, now: Timestamp) -> Self {
        let signer = signer(key, REGION, now);
        let form = signer.sign_form(policy, now).unwrap();
        let fields = form.fields().map(|(name, value)| (name.to_string(), value.to_string()));
        Upload {
            fields: fields.collect(),
            file_name: "a.txt".to_owned(),
            file: b"hello".to_vec(),
            behind: Vec::new(),
            target: "/bucket".to_owned(),
        }
    }

    fn of(server: &Server, policy: &PostPolicy<'_>) -> Self {
        Self::signed(policy, &server.key, Timestamp::now())
    }

    /// What most tests begin with: any key below `in/`, 2 to 1,000,000 bytes.
    fn usual(server: &Server) -> Self {
        Self::of(server, &usual())
    }

    fn file(mut self, file: &[u8]) -> Self {
        self.file = file.to_vec();
        self
    }

    fn to(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    fn behind(mut self, bytes: &str) -> Self {
        self.behind = bytes.as_bytes().to_vec();
        self
    }

    /// Sets a field, which is there or not.
    fn set(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some((_, have)) => value.clone_into(have),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        let count = self.fields.len();
        self.fields.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        assert_eq!(self.fields.len(), count - 1, "{name}");
        self
    }

    fn value(&self, name: &str) -> &str {
        &self.fields.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).unwrap().1
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            body.extend_from_slice(field(name, value).as_bytes());
        }
        body.extend_from_slice(part_of_file(&self.file_name).as_bytes());
        body.extend_from_slice(&self.file);
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&self.behind);
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    fn raw(&self, server: &Server) -> Raw {
        let media = format!("multipart/form-data; boundary={BOUNDARY}");
        server.plain("POST", &self.target, &[("content-type", &media)], &self.body())
    }

    async fn send(&self, server: &Server) -> Answer {
        server.send(self.raw(server)).await
    }

    /// Sends it; it must be refused and must change nothing.
    #[track_caller]
    fn refused(
        &self,
        server: &Server,
        status: u16,
        code: &'static str,
    ) -> impl Future<Output = Answer> {
        refused(server, self.raw(server), status, code)
    }
}

fn usual() -> PostPolicy<'static> {
    PostPolicy::new("bucket").starts_with(PostField::Key, "in/").content_length_range(2, 1_000_000)
}

fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn part_of_file(name: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/x-from-the-part\r\n\r\n"
    )
}

#[tokio::test]
async fn each_answer_to_success() {
    let server = Server::start().await;
    let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let url = format!("{}/bucket/in/a.txt", server.endpoint());

    // Nothing asked for, or nothing known.
    let strange = usual().equal(PostField::SuccessActionStatus, "299");
    for upload in [Upload::usual(&server), Upload::of(&server, &strange)] {
        let answer = upload.send(&server).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", answer.text());
        assert_eq!(answer.header("etag"), Some(tag));
        assert_eq!(answer.header("location"), Some(url.as_str()));
        assert!(answer.header("x-amz-request-id").is_some());
        assert_eq!(server.object("in/a.txt").await.unwrap(), b"hello");
    }

    for (status, number) in
        [(SuccessStatus::Ok, 200), (SuccessStatus::NoContent, 204), (SuccessStatus::Created, 201)]
    {
        let upload = Upload::of(&server, &usual().success_action_status(status));
        let answer = upload.clone().file(number.to_string().as_bytes()).send(&server).await;
        assert_eq!(answer.status, number, "{}", answer.text());
        assert_eq!(server.object("in/a.txt").await.unwrap(), number.to_string().as_bytes());
        assert_eq!(answer.body.is_empty(), number != 201);
    }
    // The names of S3's elements, and text that needs escaping.
    let mut upload = Upload::of(&server, &usual().success_action_status(SuccessStatus::Created));
    upload.file_name = "a&<b> \u{fc}.txt".to_owned();
    let answer = upload.send(&server).await;
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    let url = format!("{}/bucket/in/a%26%3Cb%3E%20%C3%BC.txt", server.endpoint());
    assert_eq!(answer.header("location"), Some(url.as_str()));
    assert_eq!(
        answer.text().replace("&quot;", "\""),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><PostResponse><Location>{url}</Location>\
             <Bucket>bucket</Bucket><Key>in/a&amp;&lt;b&gt; \u{fc}.txt</Key><ETag>{tag}</ETag>\
             </PostResponse>"
        )
    );
    let key = "in/a%26%3Cb%3E%20%C3%BC.txt";
    assert_eq!(server.object(key).await.unwrap(), b"hello");

    let query = "bucket=bucket&key=in%2Fa.txt&etag=%225d41402abc4b2a76b9719d911017c592%22";
    for (to, location) in [
        ("http://app.test/done", format!("http://app.test/done?{query}")),
        ("https://app.test/?x=1", format!("https://app.test/?x=1&{query}")),
        ("http://app.test/#part", format!("http://app.test/?{query}#part")),
    ] {
        let policy = usual()
            .equal(PostField::SuccessActionRedirect, to)
            .success_action_status(SuccessStatus::Created);
        let answer = Upload::of(&server, &policy).send(&server).await;
        assert_eq!((answer.status, answer.body.len()), (303, 0), "{}", answer.text());
        assert_eq!(answer.header("location"), Some(location.as_str()));
    }
    // Not an address that a browser may be sent to.
    let policy = usual().equal(PostField::SuccessActionRedirect, "javascript:alert(1)");
    assert_eq!(Upload::of(&server, &policy).send(&server).await.status, 204);
    server.stop().await;
}

/// What the form says of the object is kept, and nothing that its head or its part says.
#[tokio::test]
async fn fields_become_headers() {
    let server = Server::start().await;
    let policy = usual()
        .equal(PostField::ContentType, "text/x-form")
        .equal(PostField::CacheControl, "max-age=5")
        .equal(PostField::ContentDisposition, "attachment")
        .equal(PostField::ContentEncoding, "gzip")
        .equal(PostField::Acl, "private")
        .equal(PostField::Meta("Who"), "me & you")
        .equal(PostField::Other("submit"), "Go");
    // For the checksum of "hello".
    let policy = policy.equal(PostField::Checksum("crc32"), "NhCmhg==");
    let raw = Upload::of(&server, &policy).set("x-ignore-a", "b").raw(&server);
    let raw = raw.with("x-amz-meta-head", "x").with("cache-control", "no-store");
    let raw = raw.with("if-none-match", "*").with("x-amz-copy-source", "/bucket/secret");
    let raw = raw.with("x-amz-acl", "public-read");
    let answer = server.send(raw).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let mut head =
        server.plain("HEAD", "/bucket/in/a.txt", &[("x-amz-checksum-mode", "ENABLED")], b"");
    head.sign(&server.key, countersign::ContentSha256::of(b""), Timestamp::now());
    let head = server.send(head).await;
    for (name, value) in [
        ("content-type", Some("text/x-form")),
        ("cache-control", Some("max-age=5")),
        ("content-disposition", Some("attachment")),
        ("content-encoding", Some("gzip")),
        ("x-amz-meta-who", Some("me & you")),
        ("x-amz-checksum-crc32", Some("NhCmhg==")),
        ("x-amz-meta-head", None),
        ("x-amz-meta-submit", None),
        ("content-length", Some("5")),
    ] {
        assert_eq!(head.header(name), value, "{name}: {}", head.head);
    }
    assert_eq!(server.object("in/a.txt").await.unwrap(), b"hello");
    // A page that does not know the type.
    let policy = usual().starts_with(PostField::ContentType, "");
    let answer = Upload::of(&server, &policy).set("Content-Type", "").send(&server).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    server.stop().await;
}

#[tokio::test]
async fn names_of_files() {
    let server = Server::start().await;
    for (name, key) in [
        ("b.txt", "in/b.txt"),
        ("C:\\Users\\me\\c.txt", "in/c.txt"),
        ("/home/me/d.txt", "in/d.txt"),
        ("../../e.txt", "in/e.txt"),
        ("..", "in/.."),
        ("", "in/"),
    ] {
        let mut upload = Upload::usual(&server).file(name.as_bytes());
        if name.is_empty() {
            upload.file = b"no name".to_vec();
        }
        upload.file_name = name.replace('\\', "\\\\");
        let answer = upload.send(&server).await;
        assert_eq!(answer.status, 204, "{name}: {}", answer.text());
        assert_eq!(server.object(key).await.as_ref(), Some(&upload.file), "{name}");
    }
    server.stop().await;
}

/// Up to the last byte that is allowed; in memory, and in a file of its own.
#[tokio::test]
async fn sizes() {
    let server = Server::start_with(&["--max-body", "900000"]).await;
    for length in [2, 5, 262_144, 262_145, 900_000] {
        let data = noise(length);
        let answer = Upload::usual(&server).file(&data).send(&server).await;
        assert_eq!(answer.status, 204, "{length}: {}", answer.text());
        assert_eq!(server.object("in/a.txt").await.unwrap(), data);
    }
    // By the policy, which says how large.
    let policy = PostPolicy::new("bucket").starts_with(PostField::Key, "in/");
    let small = Upload::of(&server, &policy.clone().content_length_range(2, 300_000));
    let answer = small.clone().file(&noise(300_001)).refused(&server, 400, "EntityTooLarge").await;
    assert!(answer.text().contains("<MaxSizeAllowed>300000</MaxSizeAllowed>"), "{}", answer.text());
    let answer = small.clone().file(b"1").refused(&server, 400, "EntityTooSmall").await;
    assert!(answer.text().contains("<MinSizeAllowed>2</MinSizeAllowed>"), "{}", answer.text());
    small.clone().file(b"").refused(&server, 400, "EntityTooSmall").await;
    // By the gateway, whatever the policy says or does not say.
    Upload::usual(&server).file(&noise(900_001)).refused(&server, 400, "EntityTooLarge").await;
    Upload::of(&server, &policy)
        .file(&noise(900_001))
        .refused(&server, 400, "EntityTooLarge")
        .await;
    // Before the body comes, if it says so.
    let mut raw = Upload::usual(&server).raw(&server).with("expect", "100-continue");
    raw = raw.with("content-length", "2000000");
    raw.body.clear();
    let answer = server.send(raw).await;
    answer.assert_refused(400, "EntityTooLarge");
    server.stop().await;
}

#[tokio::test]
async fn who_signed() {
    let server = Server::start().await;
    let (now, key) = (Timestamp::now(), server.key.clone());
    let by = |key: &Key| Upload::signed(&usual(), key, now);
    let answer = by(&Key::new(&key.id, "wrong", None));
    let answer = answer.refused(&server, 403, "SignatureDoesNotMatch").await;
    assert!(answer.text().contains("<StringToSign>"), "{}", answer.text());
    by(&Key::new("AKIANOBODY", &key.secret, None))
        .refused(&server, 403, "InvalidAccessKeyId")
        .await;
    by(&Key::new(&key.id, &key.secret, Some("token"))).refused(&server, 400, "InvalidToken").await;

    let good = Upload::usual(&server);
    let flipped = good.value("x-amz-signature").to_owned();
    let last = if flipped.ends_with('0') { "1" } else { "0" };
    let flipped = format!("{}{last}", &flipped[..63]);
    good.clone()
        .set("x-amz-signature", &flipped)
        .refused(&server, 403, "SignatureDoesNotMatch")
        .await;
    // A policy of one's own under a signature of another (V9).
    let other = PostPolicy::new("bucket").starts_with(PostField::Key, "");
    let other = Upload::of(&server, &other);
    let forged = good.clone().set("policy", other.value("policy"));
    forged.refused(&server, 403, "SignatureDoesNotMatch").await;

    for name in ["x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date", "policy"] {
        good.clone().without(name).refused(&server, 400, "InvalidArgument").await;
    }
    let mut anonymous = good.clone();
    anonymous.fields.retain(|(name, _)| name == "key");
    anonymous.refused(&server, 403, "AccessDenied").await;

    // Signature Version 2, as some clients still sign forms.
    let mut old = good.clone();
    old.fields.retain(|(name, _)| !name.starts_with("x-amz-"));
    let old = old.set("AWSAccessKeyId", &server.key.id).set("signature", "bXkgc2lnbmF0dXJl");
    old.refused(&server, 400, "InvalidRequest").await;

    // Two claims.
    let raw = good.raw(&server).with(AUTHORIZATION.as_str(), "Basic eDp5");
    refused(&server, raw, 400, "InvalidArgument").await;
    let mut raw = good.raw(&server);
    raw.sign(&server.key, countersign::ContentSha256::of(&raw.body), now);
    let before = server.files();
    let answer = server.send(raw).await;
    assert!(answer.status >= 400, "{}", answer.text());
    assert_eq!(server.files(), before);

    assert_eq!(good.send(&server).await.status, 204);
    server.stop().await;
}

/// A temporary key brings its token, and no other; the token stands in the policy.
#[tokio::test]
async fn session_tokens() {
    let server = Server::start().await;
    let mut text = std::fs::read_to_string(server.credentials()).unwrap();
    text.push_str("\n[t]\naws_access_key_id = ASIAFORMS\naws_secret_access_key = s3cret\n");
    text.push_str("aws_session_token = the/token+==\n");
    std::fs::write(server.credentials(), text).unwrap();
    server.gateway.reload().unwrap();
    let by =
        |token| Upload::signed(&usual(), &Key::new("ASIAFORMS", "s3cret", token), Timestamp::now());
    by(None).refused(&server, 403, "InvalidAccessKeyId").await;
    by(Some("another")).refused(&server, 400, "InvalidToken").await;
    let good = by(Some("the/token+=="));
    let exchanged = good.clone().set("x-amz-security-token", "another");
    exchanged.refused(&server, 400, "InvalidToken").await;
    assert_eq!(good.send(&server).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn what_the_policy_forbids() {
    let server = Server::start().await;
    let secret = server.send(server.sign("PUT", "/bucket/secret", &[], b"secret")).await;
    assert_eq!(secret.status, 200);
    let second = server.send(server.sign("PUT", "/second", &[], b"")).await;
    assert_eq!(second.status, 200);
    let good = Upload::usual(&server);

    let expired =
        Upload::signed(&usual().expires_in(Duration::from_secs(60)), &server.key, ago(61));
    let answer = expired.refused(&server, 403, "AccessDenied").await;
    assert!(answer.text().contains("Policy expired"), "{}", answer.text());
    // Signed long ago, good until tomorrow (V112).
    let week = usual().expires_in(Duration::from_secs(7 * 86_400));
    let old = Upload::signed(&week, &server.key, ago(6 * 86_400));
    assert_eq!(old.send(&server).await.status, 204);

    for key in ["secret", "../secret", "out/a", "i", "In/a"] {
        let answer = good.clone().set("key", key).refused(&server, 403, "AccessDenied").await;
        assert!(answer.text().contains("starts-with"), "{}", answer.text());
    }
    good.clone().without("key").refused(&server, 400, "InvalidArgument").await;
    let answer = good.clone().set("x-amz-meta-a", "b").refused(&server, 403, "AccessDenied").await;
    assert!(answer.text().contains("Extra input fields: x-amz-meta-a"), "{}", answer.text());
    good.clone().set("acl", "public-read").refused(&server, 403, "AccessDenied").await;
    good.clone().set("success_action_status", "201").refused(&server, 403, "AccessDenied").await;

    // Another bucket, by the path or by a field (V100).
    good.clone().to("/second").refused(&server, 403, "AccessDenied").await;
    good.clone()
        .to("/second")
        .set("bucket", "bucket")
        .refused(&server, 400, "InvalidArgument")
        .await;
    good.clone().set("bucket", "second").refused(&server, 400, "InvalidArgument").await;
    let nowhere = PostPolicy::new("nowhere").starts_with(PostField::Key, "in/");
    Upload::of(&server, &nowhere).to("/nowhere").refused(&server, 404, "NoSuchBucket").await;

    // Allowed, and still not left out or taken for another request.
    for (field, value, status, code) in [
        (PostField::Other("x-amz-copy-source"), "/bucket/secret", 501, "NotImplemented"),
        (PostField::Other("x-amz-grant-read"), "id=1", 501, "NotImplemented"),
        (PostField::ServerSideEncryption, "AES256", 501, "NotImplemented"),
        (PostField::ObjectLockMode, "COMPLIANCE", 501, "NotImplemented"),
        (PostField::Tagging, "<Tagging/>", 501, "NotImplemented"),
        (PostField::Acl, "public-read", 400, "AccessControlListNotSupported"),
    ] {
        let upload = Upload::of(&server, &usual().equal(field, value));
        upload.refused(&server, status, code).await;
    }
    assert_eq!(server.object("secret").await.unwrap(), b"secret");
    server.stop().await;
}

#[tokio::test]
async fn checksums_of_the_file() {
    let server = Server::start().await;
    let with = |field, value| Upload::of(&server, &usual().equal(field, value));
    let (crc32, md5) = (PostField::Checksum("crc32"), PostField::Other("Content-MD5"));
    with(crc32, "AAAAAA==").refused(&server, 400, "BadDigest").await;
    with(crc32, "nonsense").refused(&server, 400, "InvalidRequest").await;
    with(md5, "XUFAKrxLKna5cZ2REBfFkg==").file(b"other").refused(&server, 400, "BadDigest").await;
    with(md5, "nonsense").refused(&server, 400, "InvalidDigest").await;
    for good in [with(crc32, "NhCmhg=="), with(md5, "XUFAKrxLKna5cZ2REBfFkg==")] {
        assert_eq!(good.send(&server).await.status, 204);
    }
    server.stop().await;
}

/// A form that is not what it has to be, around a file that is.
#[tokio::test]
async fn malformed() {
    let server = Server::start().await;
    let good = Upload::usual(&server);
    let behind = |bytes: &str| good.clone().behind(bytes);
    let malformed = "MalformedPOSTRequest";
    behind(&field("key", "in/other")).refused(&server, 400, malformed).await;
    behind(&field("submit", "Go")).refused(&server, 400, malformed).await;
    let second = format!("{}x\r\n", part_of_file("b.txt"));
    behind(&second).refused(&server, 400, "IncorrectNumberOfFilesInPostRequest").await;
    // The key is the first of two, and neither counts.
    let mut twice = good.clone();
    twice.fields.push(("Key".to_owned(), "in/b".to_owned()));
    twice.refused(&server, 400, malformed).await;
    let long = good.clone().set("x-ignore-long", &"x".repeat(21_000));
    long.refused(&server, 400, "MaxPostPreDataLengthExceeded").await;

    let mut raw = good.raw(&server);
    raw.body = good.fields.iter().map(|(n, v)| field(n, v)).collect::<String>().into_bytes();
    raw.body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    refused(&server, raw, 400, "InvalidArgument").await;
    let mut raw = good.raw(&server);
    raw.body.extend_from_slice(&noise(1_000_000));
    refused(&server, raw, 400, malformed).await;
    let mut raw = good.raw(&server);
    raw.headers.retain(|(name, _)| name != "content-type");
    let raw = raw.with("content-type", "multipart/form-data");
    refused(&server, raw, 400, malformed).await;
    let mut raw = good.raw(&server);
    raw.body.splice(0..0, *b"junk\r\n");
    refused(&server, raw, 400, malformed).await;
    server.stop().await;
}

/// Forms are posted to buckets, without a query.
#[tokio::test]
async fn where_to() {
    let server = Server::start_with(&["--domain", "s3.test"]).await;
    let good = Upload::usual(&server);
    for target in [
        "/",
        "/bucket/in/a.txt",
        "/bucket//",
        "//bucket",
        "/bucket?",
        "/bucket?delete",
        "/bucket?uploads",
        "/bucket%2Fa",
    ] {
        good.clone().to(target).refused(&server, 405, "MethodNotAllowed").await;
    }
    good.clone().to("/%ff").refused(&server, 400, "InvalidURI").await;
    for target in ["/bucket", "/bucket/", "/%62ucket"] {
        assert_eq!(good.clone().to(target).send(&server).await.status, 204, "{target}");
    }
    let hosted = |host: &str, target: &str| {
        let mut raw = good.clone().to(target).raw(&server);
        raw.headers.retain(|(name, _)| name != "host");
        raw.with("host", host)
    };
    let answer = server.send(hosted("bucket.s3.test", "/")).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("http://bucket.s3.test/in/a.txt"));
    refused(&server, hosted("other.s3.test", "/"), 403, "AccessDenied").await;
    refused(&server, hosted("bucket.s3.test", "/bucket"), 405, "MethodNotAllowed").await;
    server.stop().await;
}

/// A form that stops midway, with and without a length, and its connection with it.
#[tokio::test]
async fn cut_off() {
    let server = Server::start().await;
    let upload = Upload::usual(&server).file(&noise(600_000));
    let whole = upload.raw(&server);
    let file = whole.body.len() - 600_000;
    let before = server.files();
    for chunked in [false, true] {
        let mut raw = whole.clone();
        if chunked {
            raw.headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
        }
        let length = raw.body.len();
        for sent in
            [0, 100, file - 60, file + 1, file + 300_000, length - 60, length - 4, length - 3]
        {
            let mut bytes = raw.head();
            if chunked {
                bytes.extend_from_slice(format!("{length:x}\r\n").as_bytes());
            }
            bytes.extend_from_slice(&raw.body[..sent]);
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            if !answer.is_empty() {
                let answer = Answer::parse(&answer);
                assert!(answer.status >= 400, "{sent} of {length}: {}", answer.text());
            }
            assert_eq!(server.files(), before, "{sent} of {length}");
        }
        // The transport says that this is all.
        for sent in [file - 60, file + 300_000, length - 60, length - 4] {
            let mut raw = raw.clone();
            raw.body.truncate(sent);
            if chunked {
                raw.body.splice(0..0, format!("{sent:x}\r\n").into_bytes());
                raw.body.extend_from_slice(b"\r\n0\r\n\r\n");
            }
            refused(&server, raw, 400, "MalformedPOSTRequest").await;
        }
    }
    assert_eq!(server.object("in/a.txt").await, None);
    assert_eq!(std::fs::read_dir(server.data().join("staging")).unwrap().count(), 0);
    assert_eq!(upload.send(&server).await.status, 204);
    server.stop().await;
}

/// In pieces as small as they come.
#[tokio::test]
async fn byte_by_byte() {
    let server = Server::start().await;
    let raw = Upload::usual(&server).raw(&server);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&raw.head()).await.unwrap();
    for byte in &raw.body {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(Answer::read(&mut stream).await.status, 204);
    assert_eq!(server.object("in/a.txt").await.unwrap(), b"hello");
    server.stop().await;
}

/// A proxy has nowhere to write a file aside.
#[tokio::test]
async fn not_through_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let behind = folder.path().join("behind");
    gateway::credentials::open(&behind).unwrap();
    let options =
        ["--upstream", "http://127.0.0.1:9", "--upstream-credentials", behind.to_str().unwrap()];
    let gateway = Gateway::start(&common::config(folder.path(), &options)).await.unwrap();
    let server = Server::of(gateway, None, folder);
    let answer = Upload::usual(&server).send(&server).await;
    answer.assert_refused(501, "NotImplemented");
    server.stop().await;
}

fn preflight(server: &Server, origin: &str, method: &str) -> Raw {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "content-type,x-amz-date"),
    ];
    server.plain("OPTIONS", "/bucket", &headers, b"")
}

#[tokio::test]
async fn other_origins() {
    let allow = "access-control-allow-origin";
    let server = Server::start().await;
    let answer = server.send(preflight(&server, "https://app.test", "POST")).await;
    answer.assert_refused(403, "AccessForbidden");
    assert!(answer.text().contains("CORS is not enabled for this bucket"));
    let raw = Upload::usual(&server).raw(&server).with("origin", "https://app.test");
    let answer = server.send(raw).await;
    assert_eq!((answer.status, answer.header(allow), answer.header("vary")), (204, None, None));
    server.stop().await;

    let origins = ["--allow-origin", "https://app.test", "--allow-origin", "http://b.test:8080"];
    let server = Server::start_with(&origins).await;
    for origin in ["https://app.test", "http://b.test:8080"] {
        let answer = server.send(preflight(&server, origin, "POST")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header(allow), Some(origin));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.split(", ").any(|method| method == "POST"), "{methods}");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("content-type,x-amz-date"));
        assert!(answer.header("vary").unwrap().contains("Origin"));
    }
    for (origin, method) in [
        ("https://evil.test", "POST"),
        ("https://app.test.evil.test", "POST"),
        ("http://app.test", "POST"),
        ("null", "POST"),
        ("https://app.test", "PATCH"),
        ("https://app.test", "post"),
    ] {
        let answer = server.send(preflight(&server, origin, method)).await;
        answer.assert_refused(403, "AccessForbidden");
        assert_eq!(answer.header("access-control-allow-methods"), None);
    }
    // Refusals can be read too; and never with cookies or passwords.
    let upload = Upload::usual(&server);
    for (upload, status) in [(upload.clone(), 204), (upload.clone().set("key", "out"), 403)] {
        let raw = upload.raw(&server).with("origin", "https://app.test");
        let answer = server.send(raw).await;
        assert_eq!((answer.status, answer.header(allow)), (status, Some("https://app.test")));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("ETag"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let raw = upload.raw(&server).with("origin", "https://evil.test");
        assert_eq!(server.send(raw).await.header(allow), None);
    }
    server.stop().await;

    let server = Server::start_with(&["--allow-origin", "*"]).await;
    let answer = server.send(preflight(&server, "https://any.test", "PUT")).await;
    assert_eq!((answer.status, answer.header(allow)), (200, Some("*")));
    // What is no preflight is asked for its signature.
    let answer = server.send(server.plain("OPTIONS", "/bucket", &[], b"")).await;
    answer.assert_refused(403, "AccessDenied");
    server.stop().await;
}

fn login(server: &Server, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{secret}", server.key.id)))
}

#[tokio::test]
async fn no_page_unless_asked_for() {
    let server = Server::start().await;
    let good = login(&server, &server.key.secret);
    for (method, path) in [("GET", "/_/upload"), ("POST", "/_/form"), ("GET", "/_/list")] {
        let answer = server.send(server.plain(method, path, &[], b"")).await;
        answer.assert_refused(403, "AccessDenied");
        let answer =
            server.send(server.plain(method, path, &[("authorization", &good)], b"")).await;
        answer.assert_refused(400, "InvalidArgument");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_page() {
    let options = ["--upload-page", "bucket/in box", "--max-body", "1000", "--allow-origin", "*"];
    let server = Server::start_with(&options).await;
    let good = login(&server, &server.key.secret);
    let ask = async |method: &str, path: &str, login: &str| {
        let headers = [("authorization", login), ("origin", "https://evil.test")];
        server.send(server.plain(method, path, &headers, b"")).await
    };
    // Without a key there is nothing to see.
    for path in ["/_/upload", "/_/upload.js", "/_/upload.css", "/_/form", "/_/list", "/_/x", "/_/"]
    {
        for login in ["", "Bearer x", "Basic !", &login(&server, "wrong")] {
            for method in ["GET", "POST", "OPTIONS"] {
                let answer = ask(method, path, login).await;
                assert_eq!(answer.status, 401, "{method} {path} {login}");
                assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
                assert_eq!(answer.header("access-control-allow-origin"), None);
            }
        }
    }
    // Strict, and nobody else's to read or to show.
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let answer = ask("GET", "/_/upload", &good).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = answer.header("content-security-policy").unwrap();
        let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
        let nonce = rest[..32].to_owned();
        assert!(nonce.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.text().matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert!(!answer.text().contains("{nonce}") && !answer.text().contains("<script>"));
        nonces.push(nonce);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value));
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_ne!(nonces[0], nonces[1]);
    for (path, media) in [("/_/upload.js", "text/javascript"), ("/_/upload.css", "text/css")] {
        let answer = ask("GET", path, &good).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(media));
    }
    assert_eq!(ask("GET", "/_/form", &good).await.status, 405);
    assert_eq!(ask("POST", "/_/upload", &good).await.status, 405);
    assert_eq!(ask("GET", "/_/x", &good).await.status, 404);

    // A form of its own, which is taken like any other.
    let answer = ask("POST", "/_/form", &good).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let issued: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&issued["max"], &issued["form"]["url"]), (&1000.into(), &"/bucket".into()));
    let fields = issued["form"]["fields"].as_object().unwrap();
    assert_eq!(fields["key"], "in box/${filename}");
    let mut upload = Upload::usual(&server);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    upload.fields = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    // What the page sends itself.
    upload.refused(&server, 403, "AccessDenied").await;
    let upload = upload.set("Content-Type", "text/plain");
    assert_eq!(upload.send(&server).await.status, 201);
    assert_eq!(server.object("in%20box/a.txt").await.unwrap(), b"hello");
    upload.clone().set("key", "in boy/a").refused(&server, 403, "AccessDenied").await;
    upload.clone().file(&noise(1001)).refused(&server, 400, "EntityTooLarge").await;
    assert_eq!(upload.file(&noise(1000)).send(&server).await.status, 201);

    // A list of its folder, by a URL that lists nothing else.
    let answer = ask("GET", "/_/list", &good).await;
    let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&list["bucket"], &list["prefix"]), (&"bucket".into(), &"in box/".into()));
    let url = list["url"].as_str().unwrap();
    let secret = server.send(server.sign("PUT", "/bucket/secret", &[], b"secret")).await;
    assert_eq!(secret.status, 200);
    let answer = server.send(server.plain("GET", url, &[], b"")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("in box/a.txt") && !answer.text().contains("secret"));
    let wider = url.replace("prefix=in%20box%2F", "prefix=");
    assert_ne!(wider, url);
    refused(&server, server.plain("GET", &wider, &[], b""), 403, "SignatureDoesNotMatch").await;

    // A document that somebody stored is not the page's equal.
    let answer = server.send(server.sign("GET", "/bucket/secret", &[], b"")).await;
    assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
    server.stop().await;
}
