//! A streamed upload as a client might make it up: a head whose signature is good, and a body whose
//! signatures are good as well but for what is spelled otherwise.
//!
//! The bytes of an input are (as in `draft.rs`; numbers of two bytes are little-endian):
//!
//! ```text
//! ask      = flags  more  off[2]  checksum  pieces[3]  room[2]  edit[5]  announced:text[2]
//! stream   = ask  frames
//! trailers = ask  object:text  tail:rest
//! frames   = as many as there are of: kind, and
//!            0 data:text  1 fill len[2]  2 spelling data:text     a chunk
//!            3 spelling                                           the last chunk
//!            4 name (8 and more: text)  value (0, 1: -; else: text)  spelling    a trailer
//!            5 spelling                                           the trailers' signature
//!            6                                                    the empty line
//!            7 text                                               as it is
//!            8 number  9 number  10                               again, swapped, taken away
//! ```
//!
//! In `tail`, which follows the last chunk's head, `{signature}` and the name of a checksum in braces
//! stand for what is right at that place.

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};
use countersign::{
    AccessKeyId, BodyVerifier, ChunkError, ChunkMinimum, ChunkSigner, ContentSha256,
    CredentialScope, Credentials, Error, Framing, SecretKey, SignError, Signer, SigningKey,
    UnsignedPayload, Verifier,
};

use crate::draft::{bytes, text};
use crate::judge::now;
use crate::reference::{CHECKSUMS, Chain, Content, Framed, Head, checksum_text};
use crate::{AT, Edit, Holder, ID, Message, SECRET};

const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
/// More than this an object does not have: two chunks that are large enough, and a bit.
const MAX_OBJECT: usize = 20 * 1024;
/// Above this no frame is repeated.
const MAX_BODY: usize = 3 * MAX_OBJECT;

pub struct Upload {
    /// What the head says of the body.
    pub head: Head,
    pub body: Vec<u8>,
    /// The most bytes that the machine is given at a time, in turn.
    pub pieces: [usize; 3],
    /// How much an escrow can hold.
    pub room: usize,
    /// Nothing is spelled otherwise: it has to be accepted.
    pub honest: bool,
    message: Message,
    key: SigningKey,
}

/// An [`Upload`] with the weight on its chunks.
#[derive(Debug)]
pub struct Stream(pub Upload);

/// An [`Upload`] with the weight on its trailers.
#[derive(Debug)]
pub struct Trailers(pub Upload);

/// What an input asks for but for the frames.
struct Ask {
    flags: u8,
    more: u8,
    off: i16,
    checksum: u8,
    pieces: [usize; 3],
    room: usize,
    edit: Edit,
    announced: String,
}

enum Frame {
    /// A chunk; the last one has no data.
    Chunk {
        data: Vec<u8>,
        spelling: u8,
    },
    Trailer {
        name: String,
        value: Option<Value>,
        spelling: u8,
    },
    Signature {
        spelling: u8,
    },
    EmptyLine,
    Text(Vec<u8>),
    Tail(String),
    Again(usize),
    Swapped(usize),
    TakenAway,
}

/// What a trailer says that does not say what is right.
enum Value {
    OfOtherData,
    Text(String),
}

impl<'a> Arbitrary<'a> for Stream {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let ask = Ask::arbitrary(u)?;
        let (mut frames, mut room) = (vec![], MAX_OBJECT);
        let mut chunk = |mut data: Vec<u8>, spelling| {
            data.truncate(room);
            room -= data.len();
            Frame::Chunk { data, spelling }
        };
        while !u.is_empty() && frames.len() < 64 {
            frames.push(match u.arbitrary::<u8>()? % 11 {
                0 => chunk(bytes(u)?.to_vec(), 0),
                1 => {
                    let fill = u.arbitrary()?;
                    chunk(vec![fill; usize::from(u.arbitrary::<u16>()?)], 0)
                }
                2 => {
                    let spelling = u.arbitrary()?;
                    chunk(bytes(u)?.to_vec(), spelling)
                }
                3 => Frame::Chunk { data: vec![], spelling: u.arbitrary()? },
                4 => {
                    let names: Vec<_> = ask.announced.split(',').collect();
                    let name = match usize::from(u.arbitrary::<u8>()?) {
                        nth @ ..8 => names[nth % names.len()].trim().to_owned(),
                        _ => text(u)?,
                    };
                    let value = match u.arbitrary::<u8>()? {
                        0 => None,
                        1 => Some(Value::OfOtherData),
                        _ => Some(Value::Text(text(u)?)),
                    };
                    Frame::Trailer { name, value, spelling: u.arbitrary()? }
                }
                5 => Frame::Signature { spelling: u.arbitrary()? },
                6 => Frame::EmptyLine,
                7 => Frame::Text(bytes(u)?.to_vec()),
                8 => Frame::Again(u.arbitrary::<u8>()?.into()),
                9 => Frame::Swapped(u.arbitrary::<u8>()?.into()),
                _ => Frame::TakenAway,
            });
        }
        let is_honest = |frame: &Frame| match frame {
            Frame::Chunk { data, spelling } => !data.is_empty() && *spelling == 0,
            _ => false,
        };
        let honest = ask.ends() && frames.iter().all(is_honest);
        if ask.ends() {
            ask.end(&mut frames);
        }
        Upload::new(&ask, &frames, honest).map(Self)
    }
}

impl<'a> Arbitrary<'a> for Trailers {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut ask = Ask::arbitrary(u)?;
        // What is not framed has no trailers.
        ask.flags &= !4;
        let data = bytes(u)?.to_vec();
        let mut frames = vec![];
        if !data.is_empty() {
            frames.push(Frame::Chunk { data, spelling: 0 });
        }
        frames.push(Frame::Chunk { data: vec![], spelling: 0 });
        let rest = u.len();
        frames.push(Frame::Tail(String::from_utf8_lossy(u.bytes(rest)?).into_owned()));
        Upload::new(&ask, &frames, false).map(Self)
    }
}

impl<'a> Arbitrary<'a> for Ask {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            flags: u.arbitrary()?,
            more: u.arbitrary()?,
            off: u.arbitrary()?,
            checksum: u.arbitrary()?,
            pieces: u.arbitrary::<[u8; 3]>()?.map(|piece| usize::from(piece) + 1),
            room: u.arbitrary::<u16>()?.into(),
            edit: Edit::of(u.arbitrary()?),
            // A control character cannot cross the wire in a field.
            announced: (text(u)? + &text(u)?)
                .chars()
                .filter(|c| *c == '\t' || !c.is_control())
                .collect(),
        })
    }
}

impl Ask {
    fn content(&self, digest: ContentSha256) -> ContentSha256 {
        match self.flags & 7 {
            0 | 6 => ContentSha256::StreamingSigned,
            1 | 7 => ContentSha256::StreamingSignedTrailer,
            2 => ContentSha256::StreamingUnsignedTrailer,
            3 | 4 => ContentSha256::UnsignedPayload,
            _ => digest,
        }
    }

    /// One client frames a body that it calls unsigned.
    fn is_framed(&self) -> bool {
        !matches!(self.flags & 7, 4 | 5)
    }

    fn has(&self, bit: u8) -> bool {
        self.flags & 1 << bit != 0
    }

    fn also(&self, bit: u8) -> bool {
        self.more & 1 << bit != 0
    }

    fn minimum(&self) -> ChunkMinimum {
        if self.has(3) { ChunkMinimum::Refuse } else { ChunkMinimum::Accept }
    }

    fn is_checked(&self) -> bool {
        self.has(4)
    }

    fn has_content_length(&self) -> bool {
        self.has(5)
    }

    /// Whether the library's signer writes the head.
    fn by_signer(&self) -> bool {
        self.has(6)
    }

    /// Whether the frames are ended as they should be.
    fn ends(&self) -> bool {
        !self.has(7)
    }

    fn is_edited(&self) -> bool {
        self.also(0)
    }

    fn decoded_len(&self, len: usize) -> u64 {
        (len as u64).saturating_add_signed(if self.also(1) { self.off.into() } else { 0 })
    }

    fn content_length(&self, len: usize) -> u64 {
        (len as u64).saturating_add_signed(if self.also(2) { self.off.into() } else { 0 })
    }

    fn is_spoiled(&self) -> bool {
        self.also(3)
    }

    /// Fields with checksums of `data`: none, one that is right, one that may be wrong, or two; and
    /// likewise `content-md5`.
    fn checksums(&self, data: &[u8]) -> Vec<(String, Vec<u8>)> {
        let (kinds, nth) = (CHECKSUMS.len() - 1, usize::from(self.checksum));
        let mut fields = vec![];
        for (asked, (name, _), (other, _)) in [
            (self.more >> 4, CHECKSUMS[nth % kinds], CHECKSUMS[nth / kinds % kinds]),
            (self.more >> 6, CHECKSUMS[kinds], CHECKSUMS[kinds]),
        ] {
            let right = |name| checksum_text(name, data).unwrap_or_default().into_bytes();
            match asked & 3 {
                0 => {}
                1 => fields.push((name.to_owned(), right(name))),
                2 => {
                    let mut wrong = self.edit.apply(&right(name));
                    wrong.retain(u8::is_ascii_graphic);
                    fields.push((name.to_owned(), wrong));
                }
                _ => {
                    fields
                        .extend([(name.to_owned(), right(name)), (other.to_owned(), right(other))]);
                }
            }
        }
        fields
    }

    /// Ends the frames as the head announces.
    fn end(&self, frames: &mut Vec<Frame>) {
        frames.push(Frame::Chunk { data: vec![], spelling: 0 });
        for (name, _) in right_trailers(&self.announced, b"") {
            frames.push(Frame::Trailer { name: name.into(), value: None, spelling: 0 });
        }
        if self.content(ContentSha256::EMPTY) == ContentSha256::StreamingSignedTrailer {
            frames.push(Frame::Signature { spelling: 0 });
        }
        frames.push(Frame::EmptyLine);
    }
}

impl Upload {
    fn new(ask: &Ask, frames: &[Frame], honest: bool) -> Result<Self> {
        let mut object = vec![];
        for frame in frames {
            if let Frame::Chunk { data, .. } = frame {
                object.extend_from_slice(data);
            }
        }
        let declared = if ask.is_spoiled() { b"other" } else { object.as_slice() };
        let content = ask.content(ContentSha256::of(declared));
        let decoded_len = ask.decoded_len(object.len());
        let checksums = ask.checksums(&object);
        let announced = Some(&ask.announced).filter(|names| ask.is_framed() && !names.is_empty());

        let (mut message, chunks) =
            head(ask, content, decoded_len, announced.map(String::as_str), &checksums);
        let holder = holder();
        let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3" };
        let chain = Chain {
            key: holder.key_bytes(&scope),
            time: AT.into(),
            scope: SCOPE.into(),
            signature: signature(&message).to_owned(),
        };
        let signed = matches!(
            content,
            ContentSha256::StreamingSigned | ContentSha256::StreamingSignedTrailer
        );
        let framed = Framed {
            chain: signed.then(|| chain.clone()),
            trailers: content != ContentSha256::StreamingSigned,
            announced: announced.map(|names| names.clone().into_bytes()),
            decoded_len,
            minimum: ask.minimum(),
        };
        let (mut body, content) = match content {
            _ if ask.is_framed() => {
                let written = Writer::new(framed.chain.clone(), &object).write(frames);
                (written.concat(), Content::Framed(framed))
            }
            ContentSha256::Digest(digest) => (object.clone(), Content::Digest(digest)),
            _ => (object.clone(), Content::Unsigned),
        };
        // A line that is too long to be read is not written either.
        let lines = announced.map_or(vec![], |names| right_trailers(names, &object));
        let fits = lines.iter().all(|(name, value)| name.len() + 1 + value.len() <= 256);
        let mut honest = honest
            && ask.is_framed()
            && decoded_len == object.len() as u64
            && ask.minimum() == ChunkMinimum::Accept
            && !ask.is_checked();
        if honest && let Some(chunks) = chunks {
            let framed = by_chunk_signer(chunks, frames, &lines);
            assert_eq!(framed, fits.then(|| body.clone()).ok_or(ChunkError::Trailers));
        }
        honest &= fits;
        if ask.is_edited() {
            honest = false;
            body = ask.edit.apply(&body);
        }
        let content_length = ask.has_content_length().then(|| ask.content_length(body.len()));
        honest &= content_length.is_none_or(|len| len == body.len() as u64);
        if let Some(len) = content_length {
            message.fields.push(("content-length".into(), len.to_string().into_bytes()));
        }
        let checksums = ask.is_checked().then_some(checksums);
        let head = Head { content, content_length, checksums };
        honest &= head.announced().is_ok();
        Ok(Self {
            head,
            body,
            pieces: ask.pieces,
            room: ask.room,
            honest,
            message,
            key: holder.key(&scope),
        })
    }

    /// The same without `Content-Length`, which no signature covers here.
    pub fn without_content_length(self) -> Self {
        let Self { mut message, mut head, .. } = self;
        message.fields.retain(|(name, _)| name != "content-length");
        head.content_length = None;
        Self { message, head, ..self }
    }

    /// The machine for the body.
    pub fn machine(&self) -> std::result::Result<BodyVerifier, Error> {
        let minimum = match &self.head.content {
            Content::Framed(framed) => framed.minimum,
            _ => ChunkMinimum::Accept,
        };
        let rules = rules().chunk_minimum(minimum);
        self.message.with(|request| {
            let verified = rules.read(request, now())?.verify(&self.key)?;
            match self.head.checksums {
                Some(_) => Ok(verified.into_checked_body()?),
                None => Ok(verified.into_body()),
            }
        })
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, body, pieces, room, .. } = self;
        write!(f, "{head:?}, body {}, pieces {pieces:?}, room {room}", body.escape_ascii())
    }
}

fn rules() -> Verifier<'static> {
    Verifier::s3("us-east-1").unsigned_payload(UnsignedPayload::Accept)
}

fn holder() -> Holder<'static> {
    Holder { id: AccessKeyId::new(ID).expect("a name"), secret: SECRET, token: None }
}

/// The signature that a message carries.
fn signature(message: &Message) -> &str {
    let (_, field) = message.fields.iter().find(|(name, _)| name == "authorization").expect("one");
    let text = str::from_utf8(field).expect("text");
    text.rsplit_once("Signature=").expect("a signature").1
}

/// A signed head: by the signer, with what frames its body, if it signs such heads; else by hand.
fn head(
    ask: &Ask,
    content: ContentSha256,
    decoded_len: u64,
    announced: Option<&str>,
    checksums: &[(String, Vec<u8>)],
) -> (Message, Option<ChunkSigner>) {
    let mut fields = vec![("host".to_owned(), b"example.com".to_vec())];
    fields.extend(checksums.to_vec());
    let mut message = Message { method: "PUT".into(), target: "/b/k".into(), fields, body: vec![] };
    let framing = Framing { content, decoded_len, trailers: announced.unwrap_or_default() };
    if ask.by_signer()
        && let Some((message, chunks)) = by_signer(&message, &framing)
    {
        return (message, Some(chunks));
    }
    let mut field = |name: &str, value: &dyn ToString| {
        message.fields.push((name.to_owned(), value.to_string().into_bytes()));
    };
    field("x-amz-content-sha256", &content);
    field("x-amz-date", &AT);
    if ask.is_framed() {
        field("content-encoding", &"aws-chunked");
        field("x-amz-decoded-content-length", &decoded_len);
    }
    if let Some(announced) = announced {
        field("x-amz-trailer", &announced);
    }
    let mut names: Vec<_> = message.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(";");
    let credential = format!("AWS4-HMAC-SHA256 Credential={ID}/{SCOPE}");
    let unsigned =
        format!("{credential}, SignedHeaders={names}, Signature={}", "0".repeat(64)).into_bytes();
    message.fields.push(("authorization".into(), unsigned));
    let read = message
        .with(|request| rules().read(request, now()).map(|claim| holder().signature(&claim)).ok());
    match read {
        Some(signature) => (message.with_signature(&signature), None),
        None => (message, None),
    }
}

fn by_signer(message: &Message, framing: &Framing<'_>) -> Option<(Message, ChunkSigner)> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(ID).expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3" };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    message.with(|request| match signer.sign_stream(request, framing, now()) {
        Ok((signed, chunks)) => {
            let mut message = message.clone();
            for (name, value) in signed.headers() {
                let name = name.to_ascii_lowercase();
                message.fields.push((name, value.to_string().into_bytes()));
            }
            Some((message, chunks))
        }
        Err(SignError::StreamingUnsupported | SignError::Trailers) => None,
        Err(error) => panic!("{error:?}"),
    })
}

/// An honest body as the library frames it.
fn by_chunk_signer(
    mut chunks: ChunkSigner,
    frames: &[Frame],
    trailers: &[(&str, String)],
) -> std::result::Result<Vec<u8>, ChunkError> {
    let mut body = vec![];
    for frame in frames {
        if let Frame::Chunk { data, .. } = frame
            && !data.is_empty()
        {
            body.extend_from_slice(chunks.chunk(data)?.as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(ChunkSigner::DATA_END);
        }
    }
    let trailers: Vec<_> = trailers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    body.extend_from_slice(chunks.finish(&trailers)?.as_bytes());
    Ok(body)
}

/// The trailers of an honest client that announces these names.
fn right_trailers<'n>(names: &'n str, object: &[u8]) -> Vec<(&'n str, String)> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| (name, right_value(name, object))).collect()
}

/// What an honest client says in a trailer.
fn right_value(name: &str, object: &[u8]) -> String {
    checksum_text(&name.to_ascii_lowercase(), object).unwrap_or_else(|| "value".into())
}

/// Writes frames. Not the library's.
struct Writer<'o> {
    chain: Option<Chain>,
    object: &'o [u8],
    /// The trailers so far, as they are signed.
    trailers: Vec<(String, String)>,
}

impl<'o> Writer<'o> {
    fn new(chain: Option<Chain>, object: &'o [u8]) -> Self {
        Self { chain, object, trailers: vec![] }
    }

    /// The frames, each by itself.
    fn write(mut self, frames: &[Frame]) -> Vec<Vec<u8>> {
        let mut written = Vec::<Vec<u8>>::new();
        for frame in frames {
            match frame {
                Frame::Chunk { data, spelling } => written.push(self.chunk(data, *spelling)),
                Frame::Trailer { name, value, spelling } => {
                    written.push(self.trailer(name, value.as_ref(), *spelling));
                }
                Frame::Signature { spelling } => written.push(self.signature(*spelling)),
                Frame::EmptyLine => written.push(b"\r\n".to_vec()),
                Frame::Text(text) => written.push(text.clone()),
                Frame::Tail(text) => written.push(self.tail(text).into_bytes()),
                Frame::Again(nth) => {
                    let len: usize = written.iter().map(Vec::len).sum();
                    let again = written.get(nth % written.len().max(1)).cloned();
                    written.extend(again.filter(|again| len + again.len() <= MAX_BODY));
                }
                Frame::Swapped(nth) => {
                    if let Some(last) = written.len().checked_sub(1) {
                        written.swap(nth % (last + 1), last);
                    }
                }
                Frame::TakenAway => drop(written.pop()),
            }
        }
        written
    }

    fn chunk(&mut self, data: &[u8], spelling: u8) -> Vec<u8> {
        let (kind, more) = (spelling % 16, usize::from(spelling / 16));
        let len = data.len();
        let size = match kind {
            1 => format!("{len:X}"),
            2 => format!("{}{len:x}", "0".repeat(more + 1)),
            3 => format!("{:x}", len + more + 1),
            4 => format!("{:x}", len.saturating_sub(more + 1)),
            5 => format!("{}{len:x}", ["0x", "+", "-", " ", "_", "\t", "g", ""][more % 8]),
            6 => ["", "ffffffffffffffff", "10000000000000000", "8000000000000000"][more % 4].into(),
            _ => format!("{len:x}"),
        };
        let signature = self.chain.as_mut().map(|chain| chain.chunk(data));
        let signature = signature.map_or_else(
            || if kind == 7 { format!(";chunk-signature={}", "0".repeat(64)) } else { "".into() },
            |signature| match kind {
                7 => String::new(),
                8 => format!(";a=b;chunk-signature={signature}"),
                9 => format!(";chunk-signature={signature};a=b"),
                10 => format!(" ; chunk-signature = {signature}"),
                11 => format!(";chunk-signature={}", other_digit(&signature, more)),
                12 => format!(";chunk-signature={}", signature.to_uppercase()),
                _ => format!(";chunk-signature={signature}"),
            },
        );
        let end = if kind == 13 { ["\n", "\r", " \r\n", "\n\r\n"][more % 4] } else { "\r\n" };
        let data_end = match kind {
            _ if data.is_empty() => "",
            14 => ["\n", "\r", "", "\r\n\r\n"][more % 4],
            _ => "\r\n",
        };
        [size.as_bytes(), signature.as_bytes(), end.as_bytes(), data, data_end.as_bytes()].concat()
    }

    fn trailer(&mut self, name: &str, value: Option<&Value>, spelling: u8) -> Vec<u8> {
        let (kind, more) = (spelling % 8, usize::from(spelling / 8));
        let value = match value {
            None => right_value(name, self.object),
            Some(Value::OfOtherData) => right_value(name, b"other"),
            Some(Value::Text(text)) => text.repeat(more + 1),
        };
        self.trailers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        let line = match kind {
            1 => format!("{}:{value}\r\n", name.to_uppercase()),
            2 => format!("{name}: \t{value} \r\n"),
            3 => format!("{name}:{value}\n\r\n"),
            4 => format!("{name}:{value}{}", ["\n", "\r", "\n\n\r\n", "\r\r\n"][more % 4]),
            5 => format!("{name} :{value}\r\n"),
            6 => format!("{name}{value}\r\n"),
            _ => format!("{}:{value}\r\n", name.to_ascii_lowercase()),
        };
        line.into_bytes()
    }

    /// The signature of the trailers so far; in unsigned bodies one that says nothing.
    fn signature(&self, spelling: u8) -> Vec<u8> {
        let (kind, more) = (spelling % 8, usize::from(spelling / 8));
        let right = self.chain.as_ref().map(|chain| chain.trailers(&self.trailers));
        let right = right.unwrap_or_else(|| "0".repeat(64));
        let name = "x-amz-trailer-signature";
        let line = match kind {
            1 => format!("{name}:{}\r\n", other_digit(&right, more)),
            2 => format!("{name}:{}\r\n", right.to_uppercase()),
            3 => format!("{}: {right} \r\n", name.to_uppercase()),
            4 => format!("{name}:{right}\n\r\n"),
            5 => format!("{name}:\r\n"),
            6 => format!("{name}:{}\r\n", self.chain.as_ref().map_or("", |chain| &chain.signature)),
            _ => format!("{name}:{right}\r\n"),
        };
        line.into_bytes()
    }

    /// Puts what is right in the place of the names in braces.
    fn tail(&self, text: &str) -> String {
        let mut pieces = text.split('{');
        let mut tail = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let value = piece.split_once('}').and_then(|(name, rest)| {
                let value = match name {
                    "signature" => self.chain.as_ref()?.trailers(&trailers(&tail)),
                    name => checksum_text(name, self.object).or_else(|| {
                        checksum_text(&format!("x-amz-checksum-{name}"), self.object)
                    })?,
                };
                Some(value + rest)
            });
            tail += &value.unwrap_or_else(|| format!("{{{piece}"));
        }
        tail
    }
}

/// The trailers in lines that are whole.
fn trailers(lines: &str) -> Vec<(String, String)> {
    let whole = lines.rsplit_once("\r\n").map_or("", |(whole, _)| whole);
    let trailers = whole.split("\r\n").filter_map(|line| line.split_once(':'));
    trailers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn other_digit(signature: &str, at: usize) -> String {
    let mut digits = signature.as_bytes().to_vec();
    digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(digits).expect("digits")
}
