//! The vectors as values. Every field is taken exactly once; what is left over is an error, so that
//! no expectation can go unread.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    ChunkMinimum, Header, PlusSign, Request, SessionTokenRule, Timestamp, UnsignedPayload, Verifier,
};
use serde_json::{Map, Value};

type Read<T> = Result<T, String>;

pub(crate) struct File {
    pub(crate) form: Vec<PostForm>,
    pub(crate) verify: Vec<Verify>,
    pub(crate) sign: Vec<Sign>,
    pub(crate) keys: Vec<Key>,
}

pub(crate) struct Verify {
    pub(crate) id: u64,
    pub(crate) comment: String,
    pub(crate) at: Timestamp,
    pub(crate) rules: Rules,
    pub(crate) keys: BTreeMap<String, Secret>,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Expected,
}

pub(crate) struct Secret {
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
}

pub(crate) struct Rules {
    pub(crate) region: String,
    pub(crate) service: String,
    session_token: Option<SessionTokenRule>,
    plus: Option<PlusSign>,
    unsigned_payload: Option<UnsignedPayload>,
    chunk_minimum: Option<ChunkMinimum>,
    clock_skew: Option<u64>,
    max_expires: Option<u64>,
}

impl Rules {
    pub(crate) fn verifier(&self) -> Verifier<'_> {
        let seconds = std::time::Duration::from_secs;
        let mut rules = Verifier::service(&self.service, &self.region);
        if let Some(rule) = self.session_token {
            rules = rules.session_token(rule);
        }
        if let Some(plus) = self.plus {
            rules = rules.plus(plus);
        }
        if let Some(rule) = self.unsigned_payload {
            rules = rules.unsigned_payload(rule);
        }
        if let Some(rule) = self.chunk_minimum {
            rules = rules.chunk_minimum(rule);
        }
        if let Some(skew) = self.clock_skew {
            rules = rules.clock_skew(seconds(skew));
        }
        if let Some(max) = self.max_expires {
            rules = rules.max_expires(seconds(max));
        }
        rules
    }
}

pub(crate) enum Expected {
    Valid {
        mechanism: String,
        access_key_id: String,
        content: String,
        canonical_request: Option<Vec<u8>>,
        canonical_sha256: Option<String>,
        string_to_sign: Option<String>,
        signature: Option<String>,
        path: Option<String>,
        query: Option<Vec<(String, String)>>,
        /// Of a body in frames only.
        object: Option<Decoded>,
    },
    Invalid {
        stage: String,
        error: String,
        code: String,
        status: u16,
        /// How much of the object may be called covered before the failure.
        covered_len: u64,
    },
}

/// What frames hold.
pub(crate) struct Decoded {
    pub(crate) len: u64,
    pub(crate) sha256: String,
    pub(crate) trailers: Vec<(String, String)>,
}

pub(crate) struct Sign {
    pub(crate) id: u64,
    pub(crate) comment: String,
    pub(crate) at: Timestamp,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
    pub(crate) token_rule: Option<SessionTokenRule>,
    pub(crate) add_content_header: Option<bool>,
    pub(crate) content: Option<String>,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
    pub(crate) form: Form,
    pub(crate) stream: Option<Stream>,
}

/// How a body is framed, and what comes out.
pub(crate) struct Stream {
    pub(crate) content: String,
    pub(crate) decoded_len: u64,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) chunks: Vec<usize>,
    pub(crate) encoded: Vec<u8>,
    pub(crate) encoded_len: u64,
}

/// A form that is posted, in fields or as it crosses the wire.
pub(crate) struct PostForm {
    pub(crate) id: u64,
    pub(crate) comment: String,
    pub(crate) at: Timestamp,
    pub(crate) rules: Rules,
    pub(crate) keys: BTreeMap<String, Secret>,
    pub(crate) bucket: String,
    pub(crate) posted: Posted,
    pub(crate) expected: ExpectedForm,
}

pub(crate) enum Posted {
    Fields {
        fields: Vec<(String, String)>,
        file: Option<PostedFile>,
        /// Fields after the file.
        after: Vec<(String, String)>,
    },
    Wire {
        content_type: String,
        body: Vec<u8>,
    },
}

pub(crate) struct PostedFile {
    pub(crate) name: Option<String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) enum ExpectedForm {
    Valid {
        access_key_id: String,
        key: String,
        posted: Vec<(String, String)>,
        lengths: (u64, u64),
        success: Success,
        signature: String,
    },
    Invalid {
        stage: String,
        error: String,
        code: String,
        status: u16,
        message: String,
        elements: Vec<(String, String)>,
    },
}

/// What the page is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    Status(u16),
    Redirect(String),
}

pub(crate) enum Form {
    Header { authorization: String },
    Query { expires: u64, target: String },
}

pub(crate) struct Key {
    pub(crate) id: u64,
    pub(crate) comment: String,
    pub(crate) secret: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signing_key: String,
}

/// A request head: the request line taken apart, and the fields.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// Takes a head as it stands on the wire apart, one item a line.
    pub(crate) fn parse(lines: &[Vec<u8>]) -> Read<Self> {
        let (first, fields) = lines.split_first().ok_or("a head without lines")?;
        let first = String::from_utf8(first.clone()).map_err(|_| "a target that is no text")?;
        let (method, rest) = first.split_once(' ').ok_or("a request line without blanks")?;
        // A target may hold raw blanks; the version never does.
        let (target, _version) = rest.rsplit_once(' ').ok_or("a request line without a version")?;
        let field = |line: &Vec<u8>| {
            // HTTP/2's authority begins with a colon.
            let colon = line.iter().skip(1).position(|byte| *byte == b':');
            let colon = colon.ok_or("a field without a colon")? + 1;
            let (name, value) = line.split_at(colon);
            let name = String::from_utf8(name.to_vec()).map_err(|_| "a name that is no text")?;
            Ok((name, value.get(1..).unwrap_or_default().to_vec()))
        };
        Ok(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: fields.iter().map(field).collect::<Read<_>>()?,
        })
    }

    pub(crate) fn with<T>(&self, run: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.fields.iter().map(|(name, value)| Header { name, value }).collect();
        run(&Request { method: &self.method, target: &self.target, headers: &headers })
    }
}

/// Reasons by file and number.
pub(crate) type Exceptions = BTreeMap<String, BTreeMap<u64, String>>;

/// Reads all files of the folder; exceptions by file and number.
pub(crate) fn load(folder: &str) -> Read<(BTreeMap<String, File>, Exceptions)> {
    let mut files = BTreeMap::new();
    let mut exceptions = Exceptions::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !name.ends_with(".json") || name == "schema.json" {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let value = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        let mut object = Object::new(value)?;
        if name == "exceptions.json" {
            for exception in object.list("exceptions")? {
                let mut exception = Object::new(exception)?;
                let (file, id) = (exception.text("file")?, exception.number("tcId")?);
                exception.text("comment")?;
                let reason = exception.text("reason")?;
                exception.end()?;
                if exceptions.entry(file).or_default().insert(id, reason).is_some() {
                    return Err(format!("exceptions.json names #{id} twice"));
                }
            }
            object.end()?;
        } else {
            let file = file(object).map_err(|error| format!("{name}: {error}"))?;
            files.insert(name, file);
        }
    }
    Ok((files, exceptions))
}

fn file(mut object: Object) -> Read<File> {
    object.text("source")?;
    object.text("licence")?;
    let notes = object.object("notes")?.0;
    let mut flags = Vec::new();
    let mut each = |name: &str, read: &mut dyn FnMut(Object) -> Read<()>| -> Read<()> {
        for vector in object.optional_list(name)? {
            let mut vector = Object::new(vector)?;
            let id = vector.0.get("tcId").cloned();
            for flag in vector.optional_list("flags")? {
                flags.push(flag.as_str().unwrap_or_default().to_owned());
            }
            read(vector).map_err(|error| format!("{name} #{id:?}: {error}"))?;
        }
        Ok(())
    };
    let (mut verify, mut sign, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut form = Vec::new();
    each("form", &mut |vector| {
        form.push(form_vector(vector)?);
        Ok(())
    })?;
    each("verify", &mut |vector| {
        verify.push(verify_vector(vector)?);
        Ok(())
    })?;
    each("sign", &mut |vector| {
        sign.push(sign_vector(vector)?);
        Ok(())
    })?;
    each("keys", &mut |vector| {
        keys.push(key_vector(vector)?);
        Ok(())
    })?;
    object.end()?;
    for flag in flags {
        if !notes.contains_key(&flag) {
            return Err(format!("the flag {flag} has no note"));
        }
    }
    Ok(File { form, verify, sign, keys })
}

fn form_vector(mut vector: Object) -> Read<PostForm> {
    let posted = match vector.optional_text("contentType")? {
        Some(content_type) => Posted::Wire { content_type, body: body(vector.list("wire")?)? },
        None => Posted::Fields {
            fields: pairs(vector.take("fields")?)?,
            file: vector.optional("file").map(posted_file).transpose()?,
            after: vector.optional("after").map_or(Ok(Vec::new()), pairs)?,
        },
    };
    let expected = match vector.text("result")?.as_str() {
        "valid" => {
            let lengths = vector.take("lengths")?;
            let mut success = vector.object("success")?;
            let redirect = success.optional_text("redirect")?;
            let success_action = match redirect {
                Some(url) => Success::Redirect(url),
                None => Success::Status(status(&mut success)?),
            };
            success.end()?;
            ExpectedForm::Valid {
                access_key_id: vector.text("accessKeyId")?,
                key: vector.text("objectKey")?,
                posted: pairs(vector.take("posted")?)?,
                lengths: serde_json::from_value(lengths).map_err(|error| error.to_string())?,
                success: success_action,
                signature: vector.text("signature")?,
            }
        }
        "invalid" => ExpectedForm::Invalid {
            stage: vector.text("stage")?,
            error: vector.text("error")?,
            code: vector.text("code")?,
            status: status(&mut vector)?,
            message: vector.text("message")?,
            elements: pairs(vector.take("elements")?)?,
        },
        other => return Err(format!("the result {other}")),
    };
    let read = PostForm {
        id: vector.number("tcId")?,
        comment: vector.text("comment")?,
        at: time(&vector.text("at")?)?,
        rules: rules(vector.object("rules")?)?,
        keys: keys(vector.object("keys")?)?,
        bucket: vector.text("bucket")?,
        posted,
        expected,
    };
    vector.end()?;
    Ok(read)
}

fn posted_file(value: Value) -> Read<PostedFile> {
    let mut file = Object::new(value)?;
    let read = PostedFile { name: file.optional_text("name")?, body: body(file.list("body")?)? };
    file.end()?;
    Ok(read)
}

fn status(object: &mut Object) -> Read<u16> {
    u16::try_from(object.number("status")?).map_err(|_| "a status".into())
}

fn verify_vector(mut vector: Object) -> Read<Verify> {
    let expected = match vector.text("result")?.as_str() {
        "valid" => {
            let query = vector.optional("query").map(pairs).transpose()?;
            Expected::Valid {
                mechanism: vector.text("mechanism")?,
                access_key_id: vector.text("accessKeyId")?,
                content: vector.text("content")?,
                canonical_request: vector.optional("canonicalRequest").map(raw).transpose()?,
                canonical_sha256: vector.optional_text("canonicalSha256")?,
                string_to_sign: vector.optional_text("stringToSign")?,
                signature: vector.optional_text("signature")?,
                path: vector.optional_text("path")?,
                query,
                object: decoded(&mut vector)?,
            }
        }
        "invalid" => {
            // Says why a client's deviation is refused; for people.
            vector.optional_text("decision")?;
            Expected::Invalid {
                stage: vector.text("stage")?,
                error: vector.text("error")?,
                code: vector.text("code")?,
                status: status(&mut vector)?,
                covered_len: vector.optional("coveredLen").map_or(Ok(0), number_of)?,
            }
        }
        other => return Err(format!("the result {other}")),
    };
    // The suite's cases without normalization; they stand in the exceptions.
    vector.optional("normalize");
    let read = Verify {
        id: vector.number("tcId")?,
        comment: vector.text("comment")?,
        at: time(&vector.text("at")?)?,
        rules: rules(vector.object("rules")?)?,
        keys: keys(vector.object("keys")?)?,
        head: Head::parse(&lines(vector.list("head")?)?)?,
        body: body(vector.optional_list("body")?)?,
        expected,
    };
    vector.end()?;
    Ok(read)
}

fn decoded(vector: &mut Object) -> Read<Option<Decoded>> {
    let Some(len) = vector.optional("decodedLength") else { return Ok(None) };
    Ok(Some(Decoded {
        len: number_of(len)?,
        sha256: vector.text("decodedSha256")?,
        trailers: pairs(vector.take("trailers")?)?,
    }))
}

fn stream(vector: &mut Object) -> Read<Option<Stream>> {
    let Some(stream) = vector.optional("stream") else { return Ok(None) };
    let mut stream = Object::new(stream)?;
    let chunks = stream.take("chunks")?;
    let read = Stream {
        content: stream.text("content")?,
        decoded_len: stream.number("decodedLength")?,
        trailers: pairs(stream.take("trailers")?)?,
        chunks: serde_json::from_value(chunks).map_err(|error| error.to_string())?,
        encoded: body(vector.list("encodedBody")?)?,
        encoded_len: vector.number("encodedLength")?,
    };
    stream.end()?;
    Ok(Some(read))
}

fn sign_vector(mut vector: Object) -> Read<Sign> {
    let mut scope = vector.object("scope")?;
    let mut credentials = vector.object("credentials")?;
    let form = match vector.text("form")?.as_str() {
        "header" => Form::Header { authorization: vector.text("authorization")? },
        "query" => {
            Form::Query { expires: vector.number("expires")?, target: vector.text("target")? }
        }
        other => return Err(format!("the form {other}")),
    };
    vector.optional("normalize");
    let read = Sign {
        id: vector.number("tcId")?,
        comment: vector.text("comment")?,
        at: time(&vector.text("at")?)?,
        region: scope.text("region")?,
        service: scope.text("service")?,
        access_key_id: credentials.text("accessKeyId")?,
        secret: credentials.text("secretAccessKey")?,
        session_token: credentials.optional_text("sessionToken")?,
        token_rule: token_rule(vector.optional_text("sessionTokenRule")?)?,
        add_content_header: vector.optional("addContentHeader").and_then(|value| value.as_bool()),
        content: vector.optional_text("content")?,
        head: Head::parse(&lines(vector.list("head")?)?)?,
        body: body(vector.optional_list("body")?)?,
        canonical_request: raw(vector.take("canonicalRequest")?)?,
        string_to_sign: vector.text("stringToSign")?,
        signature: vector.text("signature")?,
        form,
        stream: stream(&mut vector)?,
    };
    scope.end()?;
    credentials.end()?;
    vector.end()?;
    Ok(read)
}

fn key_vector(mut vector: Object) -> Read<Key> {
    for step in ["dateKey", "regionKey", "serviceKey"] {
        // Steps on the way; they are not to be had from the library.
        vector.optional_text(step)?;
    }
    let read = Key {
        id: vector.number("tcId")?,
        comment: vector.text("comment")?,
        secret: vector.text("secret")?,
        date: vector.text("date")?,
        region: vector.text("region")?,
        service: vector.text("service")?,
        signing_key: vector.text("signingKey")?,
    };
    vector.end()?;
    Ok(read)
}

fn rules(mut object: Object) -> Read<Rules> {
    let word = |value: Option<String>, known: &[&str]| match value {
        Some(value) if !known.contains(&value.as_str()) => Err(format!("the rule {value}")),
        value => Ok(value),
    };
    let plus = word(object.optional_text("plus")?, &["space", "literal"])?;
    let unsigned = word(object.optional_text("unsignedPayload")?, &["accept", "refuse"])?;
    let minimum = word(object.optional_text("chunkMinimum")?, &["accept", "refuse"])?;
    let rules = Rules {
        region: object.text("region")?,
        service: object.text("service")?,
        session_token: token_rule(object.optional_text("sessionToken")?)?,
        plus: plus.map(|plus| if plus == "space" { PlusSign::Space } else { PlusSign::Literal }),
        unsigned_payload: unsigned.map(|rule| {
            if rule == "accept" { UnsignedPayload::Accept } else { UnsignedPayload::Refuse }
        }),
        chunk_minimum: minimum
            .map(|rule| if rule == "accept" { ChunkMinimum::Accept } else { ChunkMinimum::Refuse }),
        clock_skew: object.optional("clockSkew").and_then(|value| value.as_u64()),
        max_expires: object.optional("maxExpires").and_then(|value| value.as_u64()),
    };
    object.end()?;
    Ok(rules)
}

fn token_rule(text: Option<String>) -> Read<Option<SessionTokenRule>> {
    match text.as_deref() {
        None => Ok(None),
        Some("signed") => Ok(Some(SessionTokenRule::Signed)),
        Some("after_signing") => Ok(Some(SessionTokenRule::AfterSigning)),
        Some(other) => Err(format!("the session token rule {other}")),
    }
}

fn keys(object: Object) -> Read<BTreeMap<String, Secret>> {
    let key = |(name, value)| {
        let mut value = Object::new(value)?;
        let secret = Secret {
            secret: value.text("secret")?,
            session_token: value.optional_text("sessionToken")?,
        };
        value.end()?;
        Ok((name, secret))
    };
    object.0.into_iter().map(key).collect()
}

fn lines(values: Vec<Value>) -> Read<Vec<Vec<u8>>> {
    values.into_iter().map(raw).collect()
}

/// Bytes: a text, or what no text can be.
fn raw(value: Value) -> Read<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        value => {
            let mut value = Object::new(value)?;
            let bytes = value.bytes("base64")?;
            value.end()?;
            Ok(bytes)
        }
    }
}

fn body(pieces: Vec<Value>) -> Read<Vec<u8>> {
    let mut body = Vec::new();
    for piece in pieces {
        let mut piece = Object::new(piece)?;
        if let Some(text) = piece.optional_text("text")? {
            body.extend_from_slice(text.as_bytes());
        } else if let Some(text) = piece.optional_text("repeat")? {
            let count = usize::try_from(piece.number("count")?).map_err(|_| "a count")?;
            body.extend_from_slice(text.repeat(count).as_bytes());
        } else if let Some(text) = piece.optional_text("numbered")? {
            let width = usize::try_from(piece.number("width")?).map_err(|_| "a width")?;
            let (from, count) = (piece.number("from")?, piece.number("count")?);
            for number in from..from + count {
                let line = text.replace('#', &format!("{number:0width$}"));
                body.extend_from_slice(line.as_bytes());
            }
        } else {
            body.extend_from_slice(&piece.bytes("base64")?);
        }
        piece.end()?;
    }
    Ok(body)
}

fn pairs(value: Value) -> Read<Vec<(String, String)>> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn number_of(value: Value) -> Read<u64> {
    value.as_u64().ok_or_else(|| format!("{value} is no number"))
}

fn time(text: &str) -> Read<Timestamp> {
    Timestamp::parse(text).map_err(|error| format!("{text}: {error}"))
}

/// An object whose fields are taken one by one.
struct Object(Map<String, Value>);

impl Object {
    fn new(value: Value) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(format!("no object: {other}")),
        }
    }

    fn optional(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn take(&mut self, name: &str) -> Read<Value> {
        self.optional(name).ok_or_else(|| format!("no field {name}"))
    }

    fn object(&mut self, name: &str) -> Read<Self> {
        Self::new(self.take(name)?)
    }

    fn optional_text(&mut self, name: &str) -> Read<Option<String>> {
        match self.optional(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{name} is no text: {other}")),
        }
    }

    fn text(&mut self, name: &str) -> Read<String> {
        self.optional_text(name)?.ok_or_else(|| format!("no field {name}"))
    }

    fn number(&mut self, name: &str) -> Read<u64> {
        self.take(name)?.as_u64().ok_or_else(|| format!("{name} is no number"))
    }

    fn bytes(&mut self, name: &str) -> Read<Vec<u8>> {
        STANDARD.decode(self.text(name)?).map_err(|error| error.to_string())
    }

    fn optional_list(&mut self, name: &str) -> Read<Vec<Value>> {
        match self.optional(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(format!("{name} is no list: {other}")),
        }
    }

    fn list(&mut self, name: &str) -> Read<Vec<Value>> {
        match self.take(name)? {
            Value::Array(list) => Ok(list),
            other => Err(format!("{name} is no list: {other}")),
        }
    }

    /// Nothing may be left.
    fn end(self) -> Read<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("an unknown field {name}")),
        }
    }
}
