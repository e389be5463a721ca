//! Writes frames: the mirror of reading them.

use core::fmt;

use crate::bounded::Bounded;
use crate::chain::Chain;
use crate::content::ContentSha256;
use crate::crypto::{self, DIGEST_LEN, LANES, Sha256};
use crate::request::trim;
use crate::signature::Signature;

use super::frames::MAX_LINE;
use super::trailers::{Announced, Received};
use super::{SIGNATURE_EXTENSION, TRAILER_SIGNATURE};

/// How a streamed body will be framed: its mode, its length and the trailers behind it.
///
/// ```
/// use countersign::{ContentSha256, Framing};
///
/// // The worked example of the Amazon S3 API Reference.
/// let framing = Framing { content: ContentSha256::StreamingSigned, decoded_len: 66_560, trailers: "" };
/// assert_eq!(framing.encoded_len(65_536, &[]), Some(66_824));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing<'a> {
    /// One of `StreamingSigned`, `StreamingSignedTrailer` and `StreamingUnsignedTrailer`.
    pub content: ContentSha256,
    /// Length of the object in bytes.
    pub decoded_len: u64,
    /// Names of the trailers, comma-separated, as `x-amz-trailer` announces them; empty for none. It
    /// is the value of a field, and holds no line end.
    pub trailers: &'a str,
}

/// Why a body cannot be framed. Always the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkError {
    /// A chunk without data would be the last one.
    Empty,
    /// More or less data than the length that was signed.
    Length,
    /// The trailers are not those that were announced.
    Trailers,
}

impl Framing<'_> {
    /// Length of the framed body, for `Content-Length`: chunks of `chunk_len` bytes but for the
    /// last, and trailers whose values have these lengths, in the order of `trailers`.
    ///
    /// `None` if there is no such body: a chunk length of zero, another content, another number of
    /// values than of names, a trailer longer than 256 bytes, or more than 64 bits.
    #[must_use]
    pub fn encoded_len(&self, chunk_len: u64, values: &[usize]) -> Option<u64> {
        let signed = self.is_signed()?;
        let extension =
            if signed { (SIGNATURE_EXTENSION.len() + Signature::HEX_LEN) as u64 } else { 0 };
        let head = |size: u64| {
            let digits = u64::from(u64::BITS - size.leading_zeros()).div_ceil(4).max(1);
            digits + extension + 2
        };
        let whole = self.decoded_len.checked_div(chunk_len)?;
        let rest = self.decoded_len.checked_rem(chunk_len)?;
        let mut len = head(chunk_len).checked_add(chunk_len)?.checked_add(2)?.checked_mul(whole)?;
        if rest > 0 {
            len = len.checked_add(head(rest) + rest + 2)?;
        }
        len = len.checked_add(head(0) + 2)?;
        let announced = self.announced()?;
        if announced.names().count() != values.len() {
            return None;
        }
        for (name, value) in announced.names().zip(values) {
            let line = name.len().checked_add(1)?.checked_add(*value)?;
            if line > MAX_LINE {
                return None;
            }
            len = len.checked_add((line + 2) as u64)?;
        }
        if self.content == ContentSha256::StreamingSignedTrailer {
            len = len.checked_add((TRAILER_SIGNATURE.len() + 1 + Signature::HEX_LEN + 2) as u64)?;
        }
        Some(len)
    }

    fn is_signed(&self) -> Option<bool> {
        match self.content {
            ContentSha256::StreamingSigned | ContentSha256::StreamingSignedTrailer => Some(true),
            ContentSha256::StreamingUnsignedTrailer => Some(false),
            _ => None,
        }
    }

    /// The trailers, if this is a body that can be framed.
    pub(crate) fn announced(&self) -> Option<Announced> {
        self.is_signed()?;
        if self.trailers.is_empty() {
            return Some(Announced::NONE);
        }
        if self.trailers.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return None;
        }
        let announced = Announced::parse(self.trailers.as_bytes()).ok()?;
        (self.content != ContentSha256::StreamingSigned).then_some(announced)
    }
}

/// Frames a body, chunk by chunk, and signs each where the mode says so. Made by
/// [`Signer::sign_stream`](crate::Signer::sign_stream).
///
/// Write the head, the data, then [`ChunkSigner::DATA_END`]; at last the end.
///
/// ```
/// # use countersign::{ChunkError, ChunkSigner};
/// fn frame(mut chunks: ChunkSigner, data: &[u8], crc: &str, wire: &mut Vec<u8>) -> Result<(), ChunkError> {
///     for piece in data.chunks(64 * 1024) {
///         wire.extend_from_slice(chunks.chunk(piece)?.as_bytes());
///         wire.extend_from_slice(piece);
///         wire.extend_from_slice(ChunkSigner::DATA_END);
///     }
///     wire.extend_from_slice(chunks.finish(&[("x-amz-checksum-crc32", crc)])?.as_bytes());
///     Ok(())
/// }
/// ```
#[must_use = "a streamed body is whole only with its end"]
pub struct ChunkSigner {
    /// `None` where chunks are not signed.
    chain: Option<Chain>,
    announced: Announced,
    signs_trailers: bool,
    /// Data that is still to come.
    left: u64,
}

impl ChunkSigner {
    /// What stands behind the data of each chunk.
    pub const DATA_END: &'static [u8] = b"\r\n";

    /// `chain` is asked for where chunks are signed.
    pub(crate) fn new(
        framing: &Framing<'_>,
        announced: Announced,
        chain: impl FnOnce() -> Chain,
    ) -> Self {
        Self {
            chain: framing.is_signed().unwrap_or(true).then(chain),
            announced,
            signs_trailers: framing.content == ContentSha256::StreamingSignedTrailer,
            left: framing.decoded_len,
        }
    }

    /// Links one chunk and gives the line before its data.
    ///
    /// # Errors
    /// [`ChunkError::Empty`], [`ChunkError::Length`]; the chain stays where it was.
    pub fn chunk(&mut self, data: &[u8]) -> Result<ChunkHead, ChunkError> {
        self.chunk_of([data])
    }

    /// As [`chunk`](Self::chunk), for data that lies in several places.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub fn chunk_of<'d>(
        &mut self,
        data: impl IntoIterator<Item = &'d [u8]>,
    ) -> Result<ChunkHead, ChunkError> {
        let (mut size, mut hash) = (0u64, Sha256::new());
        for piece in data {
            size = size.saturating_add(piece.len() as u64);
            if self.chain.is_some() {
                hash.update(piece);
            }
        }
        self.link(size, || hash.end())
    }

    /// Links several chunks and gives their heads one by one, as [`chunk`](Self::chunk) would.
    ///
    /// With the feature `lanes` chunks are hashed side by side, sixteen at most, where the processor
    /// can.
    ///
    /// ```
    /// # use countersign::{ChunkError, ChunkSigner};
    /// # fn frame(chunks: &mut ChunkSigner, data: &[u8], wire: &mut Vec<u8>) -> Result<(), ChunkError> {
    /// let pieces: Vec<_> = data.chunks(64 * 1024).collect();
    /// for (head, piece) in chunks.chunks(&pieces).zip(&pieces) {
    ///     wire.extend_from_slice(head?.as_bytes());
    ///     wire.extend_from_slice(piece);
    ///     wire.extend_from_slice(ChunkSigner::DATA_END);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn chunks<'s, 'd>(&'s mut self, data: &'d [&'d [u8]]) -> ChunkHeads<'s, 'd> {
        ChunkHeads::new(self, Chunks::Whole(data))
    }

    /// As [`chunks`](Self::chunks), for chunks whose data lies in several places.
    pub fn chunks_of<'s, 'd>(&'s mut self, data: &'d [&'d [&'d [u8]]]) -> ChunkHeads<'s, 'd> {
        ChunkHeads::new(self, Chunks::InPieces(data))
    }

    fn link(
        &mut self,
        size: u64,
        digest: impl FnOnce() -> [u8; DIGEST_LEN],
    ) -> Result<ChunkHead, ChunkError> {
        if size == 0 {
            return Err(ChunkError::Empty);
        }
        self.left = self.left.checked_sub(size).ok_or(ChunkError::Length)?;
        let signature = self.chain.as_mut().map(|chain| chain.chunk(&digest()));
        Ok(ChunkHead::new(size, signature))
    }

    /// Links the final empty chunk and the trailers, name and value; no chunk can follow.
    ///
    /// # Errors
    /// [`ChunkError::Length`] if data is missing, [`ChunkError::Trailers`] if the trailers are not
    /// exactly those that were announced, or a value has blanks around it, which no reader keeps.
    pub fn finish(mut self, trailers: &[(&str, &str)]) -> Result<ChunkEnd, ChunkError> {
        if self.left != 0 {
            return Err(ChunkError::Length);
        }
        let mut received = Received::NONE;
        for (name, value) in trailers {
            if trim(value.as_bytes()).len() != value.len() {
                return Err(ChunkError::Trailers);
            }
            // The reader's own rules decide what can be written.
            let line: Bounded<u8, MAX_LINE> = [name.as_bytes(), b":", value.as_bytes()]
                .into_iter()
                .flatten()
                .try_fold(Bounded::filled_with(0), |mut line, byte| line.push(*byte).map(|()| line))
                .map_err(|_| ChunkError::Trailers)?;
            received
                .take(line.as_slice(), &self.announced, None)
                .map_err(|_| ChunkError::Trailers)?;
        }
        if !received.are_all(&self.announced) {
            return Err(ChunkError::Trailers);
        }
        let signature = self.chain.as_mut().map(Chain::last_chunk);
        let mut end = ChunkEnd { text: Bounded::filled_with(0) };
        end.put(ChunkHead::new(0, signature).as_bytes())?;
        for (name, value) in received.lines() {
            for piece in [name, b":", value, b"\r\n"] {
                end.put(piece)?;
            }
        }
        if let Some(chain) = self.chain.filter(|_| self.signs_trailers) {
            let signature = chain.trailers(&received.hash());
            for piece in [TRAILER_SIGNATURE.as_bytes(), b":", signature.as_hex(), b"\r\n"] {
                end.put(piece)?;
            }
        }
        end.put(b"\r\n")?;
        Ok(end)
    }
}

/// The heads of several chunks, in order. Made by [`ChunkSigner::chunks`].
///
/// A chunk is linked when its head is taken, not before. The first error ends it: the chain stays
/// behind the last head.
#[must_use = "chunks are linked when their heads are taken"]
pub struct ChunkHeads<'s, 'd> {
    signer: &'s mut ChunkSigner,
    data: Chunks<'d>,
    /// The hashes of the next chunks, of which some have been used.
    digests: [[u8; DIGEST_LEN]; LANES],
    used: usize,
    hashed: usize,
}

/// Chunks that are still to be linked.
#[derive(Clone, Copy)]
enum Chunks<'d> {
    Whole(&'d [&'d [u8]]),
    InPieces(&'d [&'d [&'d [u8]]]),
}

impl<'d> Chunks<'d> {
    const NONE: Self = Self::Whole(&[]);

    fn len(self) -> usize {
        match self {
            Self::Whole(chunks) => chunks.len(),
            Self::InPieces(chunks) => chunks.len(),
        }
    }

    fn split_first(self) -> Option<(&'d [&'d [u8]], Self)> {
        match self {
            Self::Whole(chunks) => {
                let (first, rest) = chunks.split_first()?;
                Some((core::slice::from_ref(first), Self::Whole(rest)))
            }
            Self::InPieces(chunks) => {
                let (first, rest) = chunks.split_first()?;
                Some((*first, Self::InPieces(rest)))
            }
        }
    }
}

impl<'s, 'd> ChunkHeads<'s, 'd> {
    fn new(signer: &'s mut ChunkSigner, data: Chunks<'d>) -> Self {
        Self { signer, data, digests: [[0; DIGEST_LEN]; LANES], used: 0, hashed: 0 }
    }

    /// Hashes as many of the next chunks as there are lanes.
    fn hash_ahead(&mut self) {
        let mut messages: [&[&[u8]]; LANES] = [&[]; LANES];
        let (mut data, mut count) = (self.data, 0);
        for message in messages.iter_mut().take(crypto::lanes()) {
            let Some((pieces, rest)) = data.split_first() else { break };
            (*message, data) = (pieces, rest);
            count += 1;
        }
        crypto::digest_each(&messages[..count], &mut self.digests[..count]);
        (self.used, self.hashed) = (0, count);
    }
}

impl Iterator for ChunkHeads<'_, '_> {
    type Item = Result<ChunkHead, ChunkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.used == self.hashed && self.signer.chain.is_some() {
            self.hash_ahead();
        }
        let (pieces, rest) = self.data.split_first()?;
        let size = pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.len() as u64));
        let digest = self.digests.get(self.used).copied().unwrap_or_default();
        let head = self.signer.link(size, || digest);
        self.used = (self.used + 1).min(self.hashed);
        self.data = if head.is_ok() { rest } else { Chunks::NONE };
        Some(head)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.data.len() > 0), Some(self.data.len()))
    }
}

impl core::iter::FusedIterator for ChunkHeads<'_, '_> {}

/// The line before the data of a chunk, with its end.
#[derive(Clone, Copy)]
pub struct ChunkHead {
    /// The size stands before `SIZE_END`, as long as it is; the rest behind it.
    text: [u8; HEAD_LEN],
    begin: u8,
    end: u8,
}

/// Digits of the largest size.
const SIZE_END: usize = 16;

/// Where the signature stands.
const SIGNATURE_AT: usize = SIZE_END + SIGNATURE_EXTENSION.len();

/// Of the longest line: digits, extension, signature, end.
const HEAD_LEN: usize = SIGNATURE_AT + Signature::HEX_LEN + 2;

impl ChunkHead {
    #[inline]
    fn new(size: u64, signature: Option<Signature>) -> Self {
        /// All but the size and the signature.
        const SIGNED: [u8; HEAD_LEN] = {
            let mut text = [b'0'; HEAD_LEN];
            let (_, rest) = text.split_at_mut(SIZE_END);
            let (extension, rest) = rest.split_at_mut(SIGNATURE_EXTENSION.len());
            extension.copy_from_slice(SIGNATURE_EXTENSION);
            rest[Signature::HEX_LEN] = b'\r';
            rest[Signature::HEX_LEN + 1] = b'\n';
            text
        };
        let mut text = SIGNED;
        let end = match signature {
            Some(signature) => {
                text[SIGNATURE_AT..HEAD_LEN - 2].copy_from_slice(signature.as_hex());
                HEAD_LEN
            }
            None => {
                text[SIZE_END..SIZE_END + 2].copy_from_slice(b"\r\n");
                SIZE_END + 2
            }
        };
        let (mut begin, mut left) = (SIZE_END, size);
        while left != 0 || begin == SIZE_END {
            begin -= 1;
            text[begin] = b"0123456789abcdef"[(left & 15) as usize];
            left >>= 4;
        }
        Self { text, begin: begin as u8, end: end as u8 }
    }

    /// The bytes to write.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.begin.into()..self.end.into()).unwrap_or_default()
    }
}

/// All that stands behind the last chunk with data.
#[derive(Clone, Copy)]
pub struct ChunkEnd {
    /// The last head, the trailers with their ends, their signature, an empty line.
    text: Bounded<u8, 1280>,
}

impl ChunkEnd {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ChunkError> {
        self.text.extend(bytes).map_err(|_| ChunkError::Trailers)
    }

    /// The bytes to write.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_slice()
    }
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").field("left", &self.left).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChunkHeads<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkHeads").field("left", &self.data.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChunkHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkHead").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChunkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkEnd").finish_non_exhaustive()
    }
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a chunk holds no data",
            Self::Length => "the data is not as long as was signed",
            Self::Trailers => "the trailers are not those that were announced",
        })
    }
}

impl core::error::Error for ChunkError {}
