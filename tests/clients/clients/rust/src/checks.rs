//! What both clients share: the environment that `run` gives (see `../../checks.py`), result lines,
//! and a plain HTTP client for presigned URLs. It knows nothing of S3 but error codes.

use std::error::Error;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use reqwest::Method;

pub(crate) const UNKNOWN_KEY_ID: &str = "AKIAUNKNOWNEXAMPLE00";
pub(crate) const PART: usize = 5 << 20;
pub(crate) const TREE: [&str; 5] = ["tree/a/1", "tree/a/2", "tree/b/3", "tree/c", "tree/d e+f"];

/// Why an operation is not `ok`.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server refused; the words are status and error code.
    Refused(String),
    /// The server's answer was wrong, or there was none.
    Failure(String),
}

pub(crate) type Result<T = ()> = std::result::Result<T, Trouble>;

/// A failure, with everything that caused it.
pub(crate) fn failure(error: &dyn Error) -> Trouble {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Trouble::Failure(text)
}

/// Credentials, as they are tried.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// A checksum of `200k.bin`.
pub(crate) struct Checksum {
    pub(crate) operation: String,
    pub(crate) algorithm: String,
    pub(crate) value: String,
    /// What the server answers: not every server keeps what it has checked.
    pub(crate) kept: Option<String>,
}

/// What `run` gives.
pub(crate) struct Given {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) key: Key,
    /// Temporary credentials, if there are any.
    pub(crate) temporary: Option<Key>,
    /// Operation and key.
    pub(crate) odd_keys: Vec<(String, String)>,
    pub(crate) checksums: Vec<Checksum>,
    /// Certificate authority (PEM), only for https.
    pub(crate) ca: Option<Vec<u8>>,
    files: PathBuf,
    http: reqwest::Client,
}

impl Given {
    pub(crate) fn read() -> Given {
        let given = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not in the environment"))
        };
        let table = |name: &str| -> Vec<Vec<String>> {
            let text = std::fs::read_to_string(given(name)).expect(name);
            text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
        };
        let ca = std::env::var_os("S3_CA").map(|file| std::fs::read(file).expect("S3_CA"));
        let mut http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
        if let Some(pem) = &ca {
            http = http.tls_certs_only([reqwest::Certificate::from_pem(pem).expect("S3_CA")]);
        }
        let temporary = std::env::var("S3_TEMPORARY").ok().map(|text| {
            let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            let [id, secret, token] = words.try_into().expect("S3_TEMPORARY has three words");
            Key { id, secret, token: Some(token) }
        });
        Given {
            endpoint: given("S3_ENDPOINT"),
            bucket: given("S3_BUCKET"),
            region: given("AWS_REGION"),
            key: Key {
                id: given("AWS_ACCESS_KEY_ID"),
                secret: given("AWS_SECRET_ACCESS_KEY"),
                token: None,
            },
            temporary,
            odd_keys: table("S3_KEYS")
                .into_iter()
                .map(|line| <[String; 2]>::try_from(line).expect("S3_KEYS").into())
                .collect(),
            checksums: table("S3_CHECKSUMS")
                .into_iter()
                .map(|line| {
                    let [operation, algorithm, value, kept] =
                        line.try_into().expect("S3_CHECKSUMS");
                    let kept = (kept != "-").then_some(kept);
                    Checksum { operation, algorithm, value, kept }
                })
                .collect(),
            ca,
            files: given("S3_FILES").into(),
            http: http.build().expect("HTTP client"),
        }
    }

    /// One of the files to upload.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// Its bytes.
    pub(crate) fn content(&self, name: &str) -> Bytes {
        std::fs::read(self.file(name)).expect(name).into()
    }

    pub(crate) fn wrong_secret(&self) -> Key {
        let secret = format!("not{}", &self.key.secret[3..]);
        Key { secret, ..self.key.clone() }
    }

    pub(crate) fn unknown_key(&self) -> Key {
        Key { id: UNKNOWN_KEY_ID.to_owned(), ..self.key.clone() }
    }

    pub(crate) async fn fetch(&self, url: &str) -> Result<Bytes> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// Sends one plain request; gives the body of the answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Bytes> {
        let answer = self.ask(method, url, headers, body).await?;
        answer.bytes().await.map_err(|error| failure(&error))
    }

    /// Sends one plain request without a body; gives one header of the answer.
    pub(crate) async fn header(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        name: &str,
    ) -> Result<Option<String>> {
        let answer = self.ask(method, url, headers, Bytes::new()).await?;
        let value = answer.headers().get(name).map(|value| value.as_bytes());
        Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<reqwest::Response> {
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| failure(&error))?;
        Err(Trouble::Refused(format!("{status} {}", code(&text).unwrap_or(&text))))
    }

    /// Uses a presigned GET URL that lives for one second.
    pub(crate) async fn expired(&self, url: &str) -> Result {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut refusals = Refusals::default();
        refusals.add(self.fetch(url).await)?;
        refusals.end()
    }

    /// Uses the presigned GET URL of `key`, changed in one place at a time. `other` is there too.
    pub(crate) async fn tampered(&self, url: &str, key: &str, other: &str) -> Result {
        let signature = url.split_once("X-Amz-Signature=").map(|(head, tail)| {
            let (hex, rest) = tail.split_at(64);
            let last = if hex.ends_with('0') { '1' } else { '0' };
            format!("{head}X-Amz-Signature={}{last}{rest}", &hex[..63])
        });
        let signature = signature.ok_or_else(|| Trouble::Failure(format!("unsigned: {url}")))?;
        let longer = url.replace("X-Amz-Expires=", "X-Amz-Expires=1");
        let mut refusals = Refusals::default();
        refusals.add(self.fetch(&url.replace(&format!("/{key}?"), &format!("/{other}?"))).await)?;
        refusals.add(self.fetch(&signature).await)?;
        refusals.add(self.fetch(&longer).await)?;
        refusals.add(self.fetch(&format!("{url}&response-content-type=text%2Fhtml")).await)?;
        refusals.add(self.send(Method::DELETE, url, &[], Bytes::new()).await)?;
        refusals.end()
    }
}

/// What an XML error says.
pub(crate) fn code(text: &str) -> Option<&str> {
    Some(text.split_once("<Code>")?.1.split_once("</Code>")?.0)
}

pub(crate) fn etag(data: &[u8]) -> String {
    let hex: String = Md5::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Runs one operation and prints its result line.
pub(crate) async fn attempt(operation: &str, run: impl Future<Output = Result>) {
    let (outcome, detail) = match run.await {
        Ok(()) => ("ok", String::new()),
        Err(Trouble::Refused(code)) => ("refused", code),
        Err(Trouble::Failure(words)) => ("fail", words),
    };
    if outcome != "ok" {
        eprintln!("==== {operation}\n{detail}");
    }
    let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    println!("{operation}\t{outcome}\t{detail}");
}

pub(crate) fn equal<T: PartialEq + Debug + ?Sized>(what: &str, actual: &T, wanted: &T) -> Result {
    if actual == wanted {
        return Ok(());
    }
    let show = |value: &T| {
        let text = format!("{value:?}");
        if text.len() < 300 { text } else { format!("{} bytes as text", text.len()) }
    };
    Err(Trouble::Failure(format!("{what} is {}, not {}", show(actual), show(wanted))))
}

/// What must be refused, one after the other.
#[derive(Default)]
pub(crate) struct Refusals(Vec<String>);

impl Refusals {
    pub(crate) fn add<T>(&mut self, answer: Result<T>) -> Result {
        match answer {
            Err(Trouble::Refused(code)) => self.0.push(code),
            Err(failure) => return Err(failure),
            Ok(_) => {
                let words = format!("attempt {} was not refused", self.0.len() + 1);
                return Err(Trouble::Failure(words));
            }
        }
        Ok(())
    }

    /// Ends the operation as refused.
    pub(crate) fn end(self) -> Result {
        Err(Trouble::Refused(self.0.join(" ")))
    }
}
