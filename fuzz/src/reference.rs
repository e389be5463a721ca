//! What has to come of a body: the reference that the machine is held against.
//!
//! All of the body is there at once and is read from front to back, one rule after the other; memory
//! and speed do not matter. Nothing is shared with the library but the names of faults, and the
//! hashes that are named at [`checksum`].
//!
//! ```text
//! signed    1*16HEXDIG ";chunk-signature=" 64lhex CRLF  size*OCTET CRLF     each chunk
//!           "0;chunk-signature=" 64lhex CRLF
//!           [ trailers "x-amz-trailer-signature:" 64lhex CRLF ]  CRLF
//! unsigned  1*16HEXDIG CRLF  size*OCTET CRLF                                each chunk
//!           "0" CRLF  trailers  CRLF
//! trailers  *( name ":" value [LF] CRLF )
//! ```
//!
//! Amazon S3 API Reference, "Transferring Payload in Multiple Chunks", "... Including Trailing
//! Headers"; "Checking object integrity".

use base64ct::Base64;
use base64ct::Encoding as _;
use countersign::{BodyError, ChecksumAlgorithm, ChunkMinimum, ReadError};
use sha2::{Digest as _, Sha256, Sha512};

use crate::judge::{hex, hmac};

/// A line with its end has no more bytes than this.
const MAX_LINE: usize = 258;
const MAX_TRAILERS: usize = 8;
/// Of all names of trailers, each with a comma behind it.
const MAX_NAMES: usize = 256;
/// Of all trailers, each as it is signed.
const MAX_TRAILERS_LEN: usize = 1024;
const MIN_CHUNK: usize = 8192;

/// What a head says of its body.
#[derive(Clone, Debug)]
pub struct Head {
    pub content: Content,
    pub content_length: Option<u64>,
    /// The fields that carry a checksum; `None` if checksums are not looked at.
    pub checksums: Option<Vec<(String, Vec<u8>)>>,
}

#[derive(Clone, Debug)]
pub enum Content {
    Digest([u8; 32]),
    Unsigned,
    Framed(Framed),
}

#[derive(Clone, Debug)]
pub struct Framed {
    /// `None` where chunks are not signed.
    pub chain: Option<Chain>,
    /// Whether trailers can come. Where chunks are signed, trailers are.
    pub trailers: bool,
    /// The value of `x-amz-trailer`.
    pub announced: Option<Vec<u8>>,
    pub decoded_len: u64,
    pub minimum: ChunkMinimum,
}

/// What came of a body.
#[derive(Debug)]
pub struct Reading {
    /// The object, up to the fault if there is one.
    pub data: Vec<u8>,
    /// How much of it chunks cover whose signatures are good.
    pub covered: usize,
    /// The most data that waits for a signature at a time.
    pub waiting: usize,
    /// The trailers, in the order they came.
    pub end: Result<Vec<(String, String)>, BodyError>,
}

/// Signatures of chunks, each of which covers the one before.
#[derive(Clone, Debug)]
pub struct Chain {
    pub key: [u8; 32],
    pub time: String,
    pub scope: String,
    /// The last one; at first the head's.
    pub signature: String,
}

impl Chain {
    /// The signature of the next chunk.
    pub fn chunk(&mut self, data: &[u8]) -> String {
        let Self { time, scope, signature, .. } = self;
        let (nothing, hash) = (hex(&Sha256::digest(b"")), hex(&Sha256::digest(data)));
        let text =
            format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{signature}\n{nothing}\n{hash}");
        self.signature = hex(&hmac(&self.key, text.as_bytes()));
        self.signature.clone()
    }

    /// The signature of the trailers, behind the last chunk's.
    pub fn trailers(&self, trailers: &[(String, String)]) -> String {
        let mut sorted = trailers.to_vec();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let lines = sorted.iter().map(|(name, value)| format!("{name}:{value}\n"));
        let Self { time, scope, signature, .. } = self;
        let hash = hex(&Sha256::digest(lines.collect::<String>()));
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{signature}\n{hash}");
        hex(&hmac(&self.key, text.as_bytes()))
    }
}

/// Why reading stops before the end.
enum Stop {
    /// What is there is wrong, whatever follows.
    Fault(BodyError),
    /// More has to follow.
    Short,
}

impl From<BodyError> for Stop {
    fn from(fault: BodyError) -> Self {
        Self::Fault(fault)
    }
}

impl Head {
    /// Reads a body, if the head can have one.
    pub fn read(&self, body: &[u8]) -> Result<Reading, countersign::Error> {
        let announced = self.announced()?;
        let checks = self.checks(&announced)?;
        // Not a byte behind the announced length is looked at.
        let counted = self.content_length.and_then(|len| usize::try_from(len).ok());
        let counted = counted.map_or(body.len(), |len| len.min(body.len()));
        let mut reader = Reader {
            rest: &body[..counted],
            data: vec![],
            covered: 0,
            waiting: 0,
            trailers: vec![],
            trailers_signed: false,
        };
        let stopped = match &self.content {
            Content::Framed(framed) => reader.frames(framed, &announced),
            Content::Digest(_) | Content::Unsigned => {
                reader.data = reader.rest.to_vec();
                reader.waiting = reader.data.len();
                Ok(())
            }
        };
        let came = body.len() as u64;
        let end = match (stopped, self.content_length) {
            (Err(Stop::Fault(fault)), _) => Err(fault),
            (_, Some(expected)) if expected != came => {
                Err(BodyError::Length { expected, provided: came.min(expected.saturating_add(1)) })
            }
            (Err(Stop::Short), _) => Err(BodyError::Truncated),
            (Ok(()), _) => {
                reader.complete(&self.content, &announced).and_then(|()| reader.check(&checks))
            }
        };
        let Reader { data, covered, waiting, trailers, .. } = reader;
        Ok(Reading { data, covered, waiting, end: end.map(|()| trailers) })
    }

    /// The names of `x-amz-trailer`, in lower case: a list of names of checksums, none of them twice.
    /// Commas at its end are tolerated.
    pub fn announced(&self) -> Result<Vec<String>, ReadError> {
        let Content::Framed(framed) = &self.content else { return Ok(vec![]) };
        let Some(value) = &framed.announced else { return Ok(vec![]) };
        if !framed.trailers {
            return Err(ReadError::TrailerUnexpected);
        }
        let value = str::from_utf8(value).map_err(|_| ReadError::TrailerNames)?;
        let mut names = Vec::<String>::new();
        for name in blankless(blankless(value).trim_end_matches(',')).split(',') {
            let name = blankless(name).to_ascii_lowercase();
            let known = name.strip_prefix("x-amz-checksum-").is_some_and(|kind| !kind.is_empty());
            if !(known && is_token(&name) || name == "content-md5") || names.contains(&name) {
                return Err(ReadError::TrailerNames);
            }
            names.push(name);
        }
        let len: usize = names.iter().map(|name| name.len() + 1).sum();
        if names.len() > MAX_TRAILERS || len > MAX_NAMES {
            return Err(ReadError::TrailerNames);
        }
        Ok(names)
    }

    /// The checksums that the object has to have: one at most in a field, one at most in a trailer,
    /// and `Content-MD5`.
    fn checks(&self, announced: &[String]) -> Result<Vec<Check>, BodyError> {
        let Some(fields) = &self.checksums else { return Ok(vec![]) };
        let mut sorted = fields.clone();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut in_field = None;
        for (name, value) in &sorted {
            let Some(field) = known(name).filter(|field| *field != "content-md5") else { continue };
            let syntax = BodyError::ChecksumSyntax { field, trailer: false };
            let digest = digest(field, value).ok_or(syntax)?;
            if in_field.replace(Check::Field(field, digest)).is_some() {
                return Err(BodyError::ChecksumsMultiple);
            }
        }
        let md5 = fields.iter().filter(|(name, _)| name == "content-md5").map(|(_, value)| value);
        let in_md5 = match md5.collect::<Vec<_>>()[..] {
            [] => None,
            [value] => {
                let digest = digest("content-md5", value).ok_or(BodyError::ContentMd5Syntax)?;
                Some(Check::ContentMd5(digest))
            }
            // A list is no MD5.
            _ => return Err(BodyError::ContentMd5Syntax),
        };
        let mut in_trailer = None;
        for field in announced.iter().filter_map(|name| known(name)) {
            if in_trailer.replace(Check::Trailer(field)).is_some() {
                return Err(BodyError::ChecksumsMultiple);
            }
        }
        Ok([in_md5, in_field, in_trailer].into_iter().flatten().collect())
    }
}

/// A checksum that the object has to have.
enum Check {
    ContentMd5(Vec<u8>),
    Field(&'static str, Vec<u8>),
    /// Its value comes in the trailer of this name.
    Trailer(&'static str),
}

struct Reader<'b> {
    rest: &'b [u8],
    data: Vec<u8>,
    covered: usize,
    waiting: usize,
    trailers: Vec<(String, String)>,
    trailers_signed: bool,
}

impl<'b> Reader<'b> {
    /// Chunks, trailers, an empty line, and not a byte behind it.
    fn frames(&mut self, framed: &Framed, announced: &[String]) -> Result<(), Stop> {
        let mut chain = framed.chain.clone();
        let mut sizes = Vec::<usize>::new();
        loop {
            let line = self.line(false)?;
            let (size, signature) = chunk_head(line, chain.is_some())?;
            let (expected, before) = (framed.decoded_len, self.data.len() as u64);
            let provided = before.saturating_add(size);
            if provided > expected || size == 0 && before < expected {
                return Err(BodyError::Length { expected, provided }.into());
            }
            if let Some(last) = sizes.last().filter(|last| **last < MIN_CHUNK)
                && size > 0
                && framed.minimum == ChunkMinimum::Refuse
            {
                let chunk = sizes.len() as u64 + 1;
                return Err(BodyError::ChunkSize { chunk, size: *last as u64 }.into());
            }
            let data = self.data(usize::try_from(size).unwrap_or(usize::MAX), chain.is_some())?;
            if size > 0 {
                self.data_end()?;
            }
            if let Some(chain) = &mut chain {
                if chain.chunk(data).as_bytes() != signature {
                    return Err(BodyError::ChunkSignature.into());
                }
                self.covered = self.data.len();
            }
            if size == 0 {
                break;
            }
            sizes.push(data.len());
        }
        // One client sends nothing more where nothing has to come.
        if chain.is_none() && announced.is_empty() && self.rest.is_empty() {
            return Ok(());
        }
        loop {
            let line = self.line(true)?;
            if line.is_empty() {
                break;
            }
            self.trailer(line, framed, chain.as_ref(), announced)?;
        }
        if self.rest.is_empty() { Ok(()) } else { Err(BodyError::AfterEnd.into()) }
    }

    /// A line without its end: CRLF, or LF CRLF for a trailer. Neither CR nor LF stands elsewhere.
    fn line(&mut self, is_trailer: bool) -> Result<&'b [u8], Stop> {
        let len = self.rest.iter().take_while(|byte| !b"\r\n".contains(byte)).count();
        let (line, behind) = self.rest.split_at(len);
        let end: &[u8] = match behind {
            [b'\n', ..] if is_trailer && !line.is_empty() => b"\n\r\n",
            _ => b"\r\n",
        };
        if behind.starts_with(end) && len + end.len() <= MAX_LINE {
            self.rest = &behind[end.len()..];
            return Ok(line);
        }
        if end.starts_with(behind) && self.rest.len() <= MAX_LINE {
            return Err(Stop::Short);
        }
        Err(BodyError::FrameSyntax.into())
    }

    /// As many bytes of data. Unsigned data waits for the end of the body.
    fn data(&mut self, size: usize, signed: bool) -> Result<&'b [u8], Stop> {
        let (data, rest) = self.rest.split_at(size.min(self.rest.len()));
        self.rest = rest;
        self.data.extend_from_slice(data);
        let waits = if signed { data.len() } else { self.data.len() };
        self.waiting = self.waiting.max(waits);
        if data.len() < size { Err(Stop::Short) } else { Ok(data) }
    }

    fn data_end(&mut self) -> Result<(), Stop> {
        match self.rest {
            [b'\r', b'\n', rest @ ..] => self.rest = rest,
            [] | [b'\r'] => return Err(Stop::Short),
            _ => return Err(BodyError::FrameSyntax.into()),
        }
        Ok(())
    }

    /// A trailer that was announced, once; or the signature of those before it, behind which nothing
    /// comes.
    fn trailer(
        &mut self,
        line: &[u8],
        framed: &Framed,
        chain: Option<&Chain>,
        announced: &[String],
    ) -> Result<(), BodyError> {
        if self.trailers_signed {
            return Err(BodyError::TrailerSyntax);
        }
        let line = str::from_utf8(line).map_err(|_| BodyError::TrailerSyntax)?;
        let (name, value) = line.split_once(':').ok_or(BodyError::TrailerSyntax)?;
        let (name, value) = (name.to_ascii_lowercase(), blankless(value).to_owned());
        if !is_token(&name) || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(BodyError::TrailerSyntax);
        }
        if let Some(chain) = chain.filter(|_| framed.trailers)
            && name == "x-amz-trailer-signature"
        {
            if value != chain.trailers(&self.trailers) {
                return Err(BodyError::TrailerSignature);
            }
            self.trailers_signed = true;
            return Ok(());
        }
        if !announced.contains(&name) {
            return Err(BodyError::TrailerUnannounced);
        }
        if self.trailers.iter().any(|(earlier, _)| *earlier == name) {
            return Err(BodyError::TrailerRepeated);
        }
        self.trailers.push((name, value));
        let lens = self.trailers.iter().map(|(name, value)| name.len() + 1 + value.len() + 1);
        if lens.sum::<usize>() > MAX_TRAILERS_LEN {
            return Err(BodyError::TrailerSyntax);
        }
        Ok(())
    }

    /// What has to be there at the end.
    fn complete(&self, content: &Content, announced: &[String]) -> Result<(), BodyError> {
        match content {
            Content::Unsigned => {}
            Content::Digest(declared) => {
                let (declared, computed) = (*declared, Sha256::digest(&self.data).into());
                if declared != computed {
                    return Err(BodyError::DigestMismatch { declared, computed });
                }
            }
            Content::Framed(framed) => {
                if self.trailers.len() < announced.len() {
                    return Err(BodyError::TrailerMissing);
                }
                if framed.chain.is_some() && framed.trailers && !self.trailers_signed {
                    return Err(BodyError::TrailerSignatureMissing);
                }
            }
        }
        Ok(())
    }

    fn check(&self, checks: &[Check]) -> Result<(), BodyError> {
        let has = |name, demanded: &Vec<u8>| checksum(name, &self.data).as_ref() == Some(demanded);
        for check in checks {
            match check {
                Check::ContentMd5(demanded) if !has("content-md5", demanded) => {
                    return Err(BodyError::ContentMd5Mismatch);
                }
                Check::Field(field, demanded) if !has(field, demanded) => {
                    return Err(BodyError::ChecksumMismatch { field });
                }
                Check::Trailer(field) => {
                    let trailer = self.trailers.iter().find(|(name, _)| name == field);
                    let demanded = trailer.and_then(|(_, value)| digest(field, value.as_bytes()));
                    let syntax = BodyError::ChecksumSyntax { field, trailer: true };
                    if !has(field, &demanded.ok_or(syntax)?) {
                        return Err(BodyError::ChecksumMismatch { field });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Size and signature.
fn chunk_head(line: &[u8], signed: bool) -> Result<(u64, &[u8]), BodyError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    let size = str::from_utf8(digits).ok().filter(|digits| digits.len() <= 16);
    let size = size.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let signature = match signed {
        true => extension.strip_prefix(b";chunk-signature=").filter(|hex| is_signature(hex)),
        false => extension.is_empty().then_some(extension),
    };
    size.zip(signature).ok_or(BodyError::FrameSyntax)
}

fn is_signature(text: &[u8]) -> bool {
    text.len() == 64 && text.iter().all(|byte| b"0123456789abcdef".contains(byte))
}

fn is_token(name: &str) -> bool {
    let others = "!#$%&'*+-.^_`|~";
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn blankless(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Names of checksums, and how many bytes they have.
pub const CHECKSUMS: [(&str, usize); 11] = [
    ("x-amz-checksum-crc32", 4),
    ("x-amz-checksum-crc32c", 4),
    ("x-amz-checksum-crc64nvme", 8),
    ("x-amz-checksum-sha1", 20),
    ("x-amz-checksum-sha256", 32),
    ("x-amz-checksum-sha512", 64),
    ("x-amz-checksum-md5", 16),
    ("x-amz-checksum-xxhash64", 8),
    ("x-amz-checksum-xxhash3", 8),
    ("x-amz-checksum-xxhash128", 16),
    ("content-md5", 16),
];

/// The checksum of this name.
fn known(name: &str) -> Option<&'static str> {
    CHECKSUMS.iter().map(|(known, _)| *known).find(|known| *known == name)
}

/// A digest in base64, with padding and without a bit too many.
fn digest(name: &str, value: &[u8]) -> Option<Vec<u8>> {
    let (_, len) = CHECKSUMS.iter().find(|(known, _)| *known == name)?;
    let value = core::str::from_utf8(value).ok()?;
    Base64::decode_vec(value).ok().filter(|digest| digest.len() == *len)
}

/// The checksum of `data` by its name: the CRCs bit by bit, the others by the crates that the library
/// uses, or by the library itself. Published values hold those in its tests.
pub fn checksum(name: &str, data: &[u8]) -> Option<Vec<u8>> {
    Some(match known(name)? {
        "x-amz-checksum-crc32" => crc(0xEDB8_8320, 4, data),
        "x-amz-checksum-crc32c" => crc(0x82F6_3B78, 4, data),
        "x-amz-checksum-crc64nvme" => crc(0x9A6C_9329_AC4B_C9B5, 8, data),
        "x-amz-checksum-sha256" => Sha256::digest(data).to_vec(),
        "x-amz-checksum-sha512" => Sha512::digest(data).to_vec(),
        "content-md5" => ChecksumAlgorithm::Md5.of(data).as_bytes().to_vec(),
        other => ChecksumAlgorithm::of_field(other)?.of(data).as_bytes().to_vec(),
    })
}

/// A checksum as a field or trailer carries it.
pub fn checksum_text(name: &str, data: &[u8]) -> Option<String> {
    checksum(name, data).map(|digest| Base64::encode_string(&digest))
}

/// A reflected CRC of `len` bytes, bit by bit.
fn crc(polynomial: u64, len: usize, data: &[u8]) -> Vec<u8> {
    let ones = u64::MAX >> (64 - 8 * len);
    let mut crc = ones;
    for byte in data {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (polynomial * (crc & 1));
        }
    }
    (crc ^ ones).to_be_bytes()[8 - len..].to_vec()
}
