//! A gateway in this process, on a port of its own, and requests written byte by byte.

// Every test binary uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;
use countersign::{
    AccessKeyId, ChunkSigner, ContentSha256, CredentialScope, Credentials, Framing, Header,
    Request, SecretKey, SessionToken, Signer, Timestamp,
};
use gateway::{Config, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const REGION: &str = "eu-test-1";
pub const BUCKET: &str = "bucket";

/// A key of the credentials file, or one that is made up.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Key {
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Self {
        Key { id: id.to_owned(), secret: secret.to_owned(), token: token.map(str::to_owned) }
    }
}

/// Whether these tests drive a gateway in front of a gateway: those of `proxied.rs` do.
fn proxied() -> bool {
    module_path!().starts_with("proxied::")
}

/// A running gateway over a folder that goes away with it.
pub struct Server {
    pub gateway: Gateway,
    /// The one behind it, if it is a proxy.
    pub behind: Option<Gateway>,
    pub address: SocketAddr,
    pub key: Key,
    pub folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, with one bucket.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with more options.
    pub async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = if proxied() {
            Self::in_front(folder, options).await
        } else {
            let gateway = Gateway::start(&config(folder.path(), options)).await.unwrap();
            Self::of(gateway, None, folder)
        };
        let made = server.send(server.sign("PUT", "/bucket", &[], b"")).await;
        assert_eq!(made.status, 200, "{}", made.text());
        server
    }

    /// Starts one that is a proxy in front of another, which has a key of its own. Both listen.
    async fn in_front(folder: tempfile::TempDir, options: &[&str]) -> Self {
        let mut behind = config(folder.path(), &[]);
        behind.credentials = folder.path().join("credentials-behind");
        let behind = Gateway::start(&behind).await.unwrap();
        let url = format!("http://{}", behind.address());
        let credentials = folder.path().join("credentials-behind");
        let mut all = vec!["--upstream", &url];
        all.extend(["--upstream-credentials", credentials.to_str().unwrap()]);
        all.extend(options);
        let gateway = Gateway::start(&config(folder.path(), &all)).await.unwrap();
        Self::of(gateway, Some(behind), folder)
    }

    /// What has been started over this folder.
    pub fn of(gateway: Gateway, behind: Option<Gateway>, folder: tempfile::TempDir) -> Self {
        let key = read_key(&folder.path().join("credentials"));
        Server { address: gateway.address(), key, gateway, behind, folder }
    }

    pub async fn stop(self) {
        self.gateway.stop().await;
        if let Some(behind) = self.behind {
            behind.stop().await;
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Every file below the data folder, with its content: what has been stored.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.data(), &mut files);
        files
    }

    /// A request that is signed as it should be.
    pub fn sign(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
        let content = ContentSha256::of(body);
        let mut raw = Raw::new(self.address, method, target, headers, body);
        raw.sign(&self.key, content, Timestamp::now());
        raw
    }

    /// A presigned URL's target, for a request with these headers.
    pub fn presign(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> String {
        let raw = Raw::new(self.address, method, target, headers, b"");
        raw.presign(&self.key, Timestamp::now(), Duration::from_secs(60))
    }

    /// A request that is not signed, or signed in its target.
    pub fn plain(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
        Raw::new(self.address, method, target, headers, body)
    }

    pub async fn send(&self, raw: Raw) -> Answer {
        self.send_bytes(&raw.bytes()).await
    }

    pub async fn send_bytes(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        Answer::read(&mut stream).await
    }

    /// What lies beside the data folder.
    pub fn beside(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The object as anybody with the key would get it.
    pub async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let target = format!("/{BUCKET}/{key}");
        let answer = self.send(self.sign("GET", &target, &[], b"")).await;
        match answer.status {
            200 => Some(answer.body),
            404 => None,
            _ => panic!("{} {}", answer.status, answer.text()),
        }
    }
}

pub fn config(folder: &Path, options: &[&str]) -> Config {
    let data = folder.join("data");
    let credentials = folder.join("credentials");
    let mut arguments = vec![
        "gateway",
        "--listen",
        "127.0.0.1:0",
        "--region",
        REGION,
        "--data",
        data.to_str().unwrap(),
        "--credentials",
        credentials.to_str().unwrap(),
    ];
    arguments.extend(options);
    Config::parse_from(arguments)
}

/// The first key of a credentials file.
fn read_key(path: &Path) -> Key {
    let text = std::fs::read_to_string(path).unwrap();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    Key { id: value("aws_access_key_id"), secret: value("aws_secret_access_key"), token: None }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
}

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Raw {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn new(
        address: SocketAddr,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Self {
        let mut all = vec![];
        if !headers.iter().any(|(name, _)| *name == "host") {
            all.push(("host".to_owned(), address.to_string()));
        }
        all.extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        Raw {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: all,
            body: body.to_owned(),
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signs what is there; what is added later is not signed.
    pub fn sign(&mut self, key: &Key, content: ContentSha256, now: Timestamp) {
        self.sign_for(key, REGION, content, now);
    }

    pub fn sign_for(&mut self, key: &Key, region: &str, content: ContentSha256, now: Timestamp) {
        let added: Vec<(String, String)> = {
            let signer = signer(key, region, now);
            let headers = self.wire_headers();
            let request = Request { method: &self.method, target: &self.target, headers: &headers };
            let signed = signer.sign(&request, content, now).unwrap();
            signed.headers().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
        };
        self.headers.extend(added);
    }

    /// Signs a streamed body: frames what is there, in chunks.
    pub fn sign_stream(
        &mut self,
        key: &Key,
        content: ContentSha256,
        chunk: usize,
        trailers: &[(&str, &str)],
    ) {
        let data = std::mem::take(&mut self.body);
        let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let (added, framed) = {
            let now = Timestamp::now();
            let signer = signer(key, REGION, now);
            let headers = self.wire_headers();
            let request = Request { method: &self.method, target: &self.target, headers: &headers };
            let framing = Framing { content, decoded_len: data.len() as u64, trailers: &names };
            let (signed, mut chunks) = signer.sign_stream(&request, &framing, now).unwrap();
            let mut framed = Vec::new();
            for piece in data.chunks(chunk) {
                framed.extend_from_slice(chunks.chunk(piece).unwrap().as_bytes());
                framed.extend_from_slice(piece);
                framed.extend_from_slice(ChunkSigner::DATA_END);
            }
            framed.extend_from_slice(chunks.finish(trailers).unwrap().as_bytes());
            let added: Vec<(String, String)> = signed
                .headers()
                .map(|(name, value)| (name.to_owned(), value.to_string()))
                .collect();
            (added, framed)
        };
        self.headers.extend(added);
        self.body = framed;
    }

    pub fn presign(&self, key: &Key, now: Timestamp, expires: Duration) -> String {
        let signer = signer(key, REGION, now);
        let headers = self.wire_headers();
        let request = Request { method: &self.method, target: &self.target, headers: &headers };
        signer.presign(&request, expires, now).unwrap().target().to_string()
    }

    fn wire_headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect()
    }

    /// The head, with a blank line at its end.
    pub fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = |name: &str| self.headers.iter().any(|(have, _)| have == name);
        if !framed("content-length") && !framed("transfer-encoding") {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("connection: close\r\n\r\n");
        text.into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

pub fn signer<'k>(key: &'k Key, region: &'k str, now: Timestamp) -> Signer<'k> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(&key.id).unwrap(),
        secret_key: SecretKey::new(&key.secret).unwrap(),
        session_token: key.token.as_deref().map(|token| SessionToken::new(token).unwrap()),
    };
    let scope = CredentialScope { date: now.date(), region, service: "s3" };
    Signer::new(&credentials, scope).unwrap()
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads until the server closes the connection.
    pub async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A reset after the answer is still an answer.
        let _ = stream.read_to_end(&mut bytes).await;
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer: {:?}", String::from_utf8_lossy(bytes));
        });
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let body = bytes[end + 4..].to_vec();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Answer { status, head, body: if chunked { dechunk(&body) } else { body } }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The code of an error.
    pub fn code(&self) -> String {
        let text = self.text();
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map(|(code, _)| code.to_owned()).unwrap_or_default()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        assert!(self.header("x-amz-request-id").is_some());
        assert!(self.text().contains("<RequestId>"), "{}", self.text());
    }
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
    whole
}

/// Sends a request that must be refused and must change nothing.
pub async fn refused(server: &Server, raw: Raw, status: u16, code: &str) -> Answer {
    let before = server.files();
    let answer = server.send(raw).await;
    answer.assert_refused(status, code);
    assert_eq!(server.files(), before);
    answer
}

pub fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_unix(Timestamp::now().unix() - seconds).unwrap()
}

/// Bytes that are not all alike.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Keys that are hard on clients, servers and file systems.
pub const ODD_KEYS: [&str; 26] = [
    "plain.txt",
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "100%",
    "dir",
    "dir/",
    "dir/a",
    "dir//a",
    "//",
    "/leading",
    "ü/ö/ß",
    "日本語",
    "emoji 😀",
    "q?x=1&y=2#z",
    "<xml>&\"quotes\"'",
    "semi;colon,comma:at@eq=",
    "(paren)!*~'",
    "c++",
    "..",
    "../../escape",
    "a/../../b",
    "./dot/.",
    "back\\slash",
    ".hidden",
];
