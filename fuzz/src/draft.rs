//! A request as a client might make it up.
//!
//! The bytes of an input are, one after the other (a number is one byte; a text is a number and as
//! many bytes; beyond the end all is zero or empty):
//!
//! ```text
//! flags  edit[5]  chunk  method  token:text  path:pieces  query:pieces  fields  body:text
//! pieces = number, then as many of: kind, and a text (kind 0) or a byte (kinds 4 and 5)
//! fields = number, then as many of: name, a text if the name is not of the table, value:text
//! ```

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use countersign::{
    AccessKeyId, ChunkSigner, ContentSha256, CredentialScope, Credentials, Dialect, Framing,
    SecretKey, SessionToken, SignError, Signer, UnsignedPayload, Verifier,
};

use crate::judge::now;
use crate::{Edit, Holder, ID, Message, SECRET, canonical_bytes};

const REGION: &str = "us-east-1";
const SERVICES: [&str; 4] = ["s3", "s3express", "execute-api", "iotdevicegateway"];
const METHODS: [&str; 6] = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"];
const NAMES: [&str; 13] = [
    "X-Amz-Meta-A",
    "x-amz-meta-a",
    "x-amz-acl",
    "Content-Type",
    "Range",
    "User-Agent",
    "date",
    "x_amz_meta_a",
    "cache-control",
    ":authority",
    "content-length",
    "transfer-encoding",
    "content-encoding",
];
const TRAILERS: &[(&str, &str)] = &[("x-amz-checksum-crc32", "AAAAAA==")];
const NO_TRAILERS: &[(&str, &str)] = &[];
const HOST: &str = "example.com:9000";

#[derive(Clone, Debug)]
pub struct Draft {
    pub message: Message,
    pub edit: Edit,
    service: &'static str,
    token: Option<String>,
    content: ContentSha256,
    /// How the body is streamed, and in chunks of which size.
    stream: ContentSha256,
    trailers: &'static [(&'static str, &'static str)],
    chunk: usize,
}

/// Where the signature goes.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Header,
    Query,
    Stream,
}

/// What crosses the wire, and what was signed of it.
pub struct Wire {
    pub message: Message,
    pub canonical: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Draft {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let flags: u8 = u.arbitrary()?;
        let edit = Edit::of(u.arbitrary()?);
        let has = |bit: u8| flags & 1 << bit != 0;
        let chunk = usize::from(u.arbitrary::<u8>()?) + 1;
        let service = SERVICES[usize::from(flags & 3)];
        let method = match METHODS.get(usize::from(u.arbitrary::<u8>()?)) {
            Some(method) => (*method).to_owned(),
            None => text(u)?,
        };
        let token: String = text(u)?.chars().filter(char::is_ascii_graphic).collect();
        let path = pieces(u)?;
        let query = pieces(u)?;
        let authority = if has(2) { format!("http://{HOST}") } else { String::new() };
        let target = if has(3) {
            format!("{authority}/{path}?{query}")
        } else {
            format!("{authority}/{path}")
        };
        let mut fields = vec![("Host".to_owned(), HOST.as_bytes().to_vec())];
        for _ in 0..u.arbitrary::<u8>()? {
            let name = match NAMES.get(usize::from(u.arbitrary::<u8>()?)) {
                Some(name) => (*name).to_owned(),
                None => text(u)?,
            };
            // A length is the stack's, which knows it; all else is taken as it comes.
            let value = bytes(u)?.to_vec();
            let is_number = value.trim_ascii().iter().all(u8::is_ascii_digit);
            if !(is_number && name.eq_ignore_ascii_case("content-length")) {
                fields.push((name, value));
            }
        }
        let body = bytes(u)?.to_vec();
        let digest = ContentSha256::of(&body);
        if has(4) {
            fields.push(("x-amz-content-sha256".into(), digest.to_string().into_bytes()));
        }
        let content = if has(5) { ContentSha256::UnsignedPayload } else { digest };
        let token = Some(token).filter(|token| !token.is_empty());
        let message = Message { method, target, fields, body };
        let (stream, trailers) = match flags >> 6 {
            0 => (ContentSha256::StreamingSigned, NO_TRAILERS),
            1 => (ContentSha256::StreamingSignedTrailer, TRAILERS),
            2 => (ContentSha256::StreamingUnsignedTrailer, TRAILERS),
            _ => (ContentSha256::StreamingUnsignedTrailer, NO_TRAILERS),
        };
        Ok(Self { message, edit, service, token, content, stream, trailers, chunk })
    }
}

impl Draft {
    /// An S3 request for `target` with nothing but a host.
    pub fn s3(target: &str) -> Self {
        let fields = vec![("Host".to_owned(), HOST.as_bytes().to_vec())];
        Self {
            message: Message { method: "GET".into(), target: target.into(), fields, body: vec![] },
            edit: Edit::of([0; 5]),
            service: "s3",
            token: None,
            content: ContentSha256::EMPTY,
            stream: ContentSha256::StreamingSigned,
            trailers: NO_TRAILERS,
            chunk: 1,
        }
    }

    pub fn rules(&self) -> Verifier<'static> {
        Verifier::service(self.service, REGION).unsigned_payload(UnsignedPayload::Accept)
    }

    pub fn holder(&self) -> Holder<'static> {
        let id = AccessKeyId::new(ID).expect("a name");
        Holder { id, secret: SECRET, token: self.token.clone() }
    }

    pub fn sign(&self, form: Form) -> std::result::Result<Wire, SignError> {
        let (now, token) = (now(), self.token.as_deref());
        let credentials = Credentials {
            access_key_id: AccessKeyId::new(ID).expect("a name"),
            secret_key: SecretKey::new(SECRET).expect("a secret"),
            session_token: token.map(|token| SessionToken::new(token).expect("a token")),
        };
        let scope = CredentialScope { date: now.date(), region: REGION, service: self.service };
        let signer = Signer::new(&credentials, scope)?;
        let mut message = self.message.clone();
        let canonical = self.message.with(|request| match form {
            Form::Header => {
                let signed = signer.sign(request, self.content, now)?;
                for (name, value) in signed.headers() {
                    message.fields.push((name.to_owned(), value.to_string().into_bytes()));
                }
                Ok::<_, SignError>(canonical_bytes(&signed.canonical_request()))
            }
            Form::Query => {
                let life = Duration::from_secs(600);
                let presigned = match Dialect::of_service(self.service) {
                    Dialect::S3 => signer.presign(request, life, now)?,
                    Dialect::Standard => {
                        let content = ContentSha256::of(&self.message.body);
                        signer.presign_with(request, content, life, now)?
                    }
                };
                message.target = presigned.target().to_string();
                Ok(canonical_bytes(&presigned.canonical_request()))
            }
            Form::Stream => {
                let trailers = self.trailers.first().map_or("", |(name, _)| name);
                let decoded_len = self.message.body.len() as u64;
                let framing = Framing { content: self.stream, decoded_len, trailers };
                let (signed, mut chunks) = signer.sign_stream(request, &framing, now)?;
                for (name, value) in signed.headers() {
                    message.fields.push((name.to_owned(), value.to_string().into_bytes()));
                }
                message.body.clear();
                for chunk in self.message.body.chunks(self.chunk) {
                    message
                        .body
                        .extend_from_slice(chunks.chunk(chunk).expect("a chunk").as_bytes());
                    message.body.extend_from_slice(chunk);
                    message.body.extend_from_slice(ChunkSigner::DATA_END);
                }
                let end = chunks.finish(self.trailers).expect("what was announced");
                message.body.extend_from_slice(end.as_bytes());
                let values: Vec<_> = self.trailers.iter().map(|(_, value)| value.len()).collect();
                let foretold = framing.encoded_len(self.chunk as u64, &values);
                assert_eq!(foretold, Some(message.body.len() as u64), "the foretold length");
                Ok(canonical_bytes(&signed.canonical_request()))
            }
        })?;
        Ok(Wire { message, canonical })
    }
}

pub(crate) fn bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = usize::from(u.arbitrary::<u8>()?);
    u.bytes(len.min(u.len()))
}

pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    bytes(u).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Text of a target: what is sent raw, what is escaped, what is escaped without need.
fn pieces(u: &mut Unstructured<'_>) -> Result<String> {
    let mut pieces = String::new();
    for _ in 0..u.arbitrary::<u8>()? {
        match u.arbitrary::<u8>()? % 10 {
            0 => pieces.push_str(&text(u)?),
            1 => pieces.push('/'),
            2 => pieces.push('&'),
            3 => pieces.push('='),
            4 => pieces.push_str(&format!("%{:02x}", u.arbitrary::<u8>()?)),
            5 => pieces.push_str(&format!("%{:02X}", u.arbitrary::<u8>()?)),
            6 => pieces.push_str("/./"),
            7 => pieces.push_str("/.."),
            8 => pieces.push('+'),
            _ => pieces.push('a'),
        }
    }
    Ok(pieces)
}
