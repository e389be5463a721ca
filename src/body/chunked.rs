//! Verifying a body in frames: grammar from `chunked/`, signatures from the chain, and what the head
//! said of lengths and trailers.

use super::ahead::Ahead;
use super::{BodyError, Event, Fed, Pending};
use crate::chain::Chain;
use crate::chunked::{
    Announced, Announcement, Deframer, Frame, MIN_CHUNK, Received, Signatures, TRAILER_SIGNATURE,
};
use crate::crypto::{DIGEST_LEN, Sha256};
use crate::signature::Signature;

/// A body in frames: where it stands.
pub(super) struct Chunked {
    frames: Deframer,
    /// `None` where chunks are not signed.
    chain: Option<Chain>,
    /// The signature that the chunk being read has to have.
    signature: Option<Signature>,
    hash: Sha256,
    /// How the chunk being read is hashed.
    hashed: Hashed,
    rules: ChunkRules<Announced>,
    /// Data of the object so far, and how much of it is covered.
    decoded: u64,
    /// Chunks so far, and the size of the last one.
    chunks: u64,
    last_size: u64,
    received: Received,
    /// Signed trailers end with their signature.
    trailers_signed: bool,
}

/// Who hashes a chunk.
#[derive(Clone, Copy)]
enum Hashed {
    /// We do, piece by piece.
    AsItComes,
    /// Whoever holds its data does, before the last piece is read.
    Elsewhere,
    /// It has been hashed.
    Already([u8; DIGEST_LEN]),
}

/// What a head says of a body in frames. `A` holds the trailers that it announces.
#[derive(Clone, Copy)]
pub(crate) struct ChunkRules<A> {
    pub(crate) signed: bool,
    /// Whether trailers come, and are signed where chunks are.
    pub(crate) trailers: bool,
    pub(crate) announced: A,
    pub(crate) decoded_len: u64,
    pub(crate) minimum: ChunkMinimum,
}

/// What becomes of a chunk of fewer than 8,192 bytes that is not the last one with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChunkMinimum {
    /// It is accepted: clients that stream send what they have.
    #[default]
    Accept,
    /// It is refused, as S3 does.
    Refuse,
}

impl Chunked {
    pub(super) fn new(rules: ChunkRules<Announcement<'_>>, chain: Option<Chain>) -> Self {
        let ChunkRules { signed, trailers, announced, decoded_len, minimum } = rules;
        let announced = announced.names();
        let rules = ChunkRules { signed, trailers, announced, decoded_len, minimum };
        let signatures = if rules.signed { Signatures::Demanded } else { Signatures::Refused };
        Self {
            frames: Deframer::new(signatures),
            chain,
            signature: None,
            hash: Sha256::new(),
            hashed: Hashed::AsItComes,
            rules,
            decoded: 0,
            chunks: 0,
            last_size: u64::MAX,
            received: Received::NONE,
            trailers_signed: false,
        }
    }

    pub(super) const fn is_signed(&self) -> bool {
        self.rules.signed
    }

    /// Length of the object, as the head announced it.
    pub(super) const fn decoded_len(&self) -> u64 {
        self.rules.decoded_len
    }

    /// Names of the trailers that the head announced.
    #[cfg(feature = "checksums")]
    pub(super) fn announced(&self) -> impl Iterator<Item = &[u8]> {
        self.rules.announced.names()
    }

    /// What takes the data that comes out of [`take`](Self::take), where chunks are signed.
    #[inline]
    pub(super) fn hash(&mut self) -> Option<&mut Sha256> {
        let here = self.rules.signed && matches!(self.hashed, Hashed::AsItComes);
        here.then_some(&mut self.hash)
    }

    /// How much data of a chunk is still to come; none if its head is what comes next.
    #[inline]
    pub(super) fn left_of_chunk(&self) -> Option<u64> {
        self.frames.left_of_chunk()
    }

    /// Whether whoever holds the data of the chunk being read has to hash it.
    pub(super) const fn is_hashed_elsewhere(&self) -> bool {
        matches!(self.hashed, Hashed::Elsewhere)
    }

    /// Chunks that lie whole at the front of the input, one behind the other.
    pub(super) fn whole_chunks<'i>(&self, mut rest: &'i [u8]) -> impl Iterator<Item = &'i [u8]> {
        core::iter::from_fn(move || {
            let data;
            (data, rest) = self.frames.whole_chunk(rest)?;
            Some(data)
        })
    }

    /// Takes frames up to one that says something. Chunks that `ahead` knows are not hashed again.
    #[inline]
    pub(super) fn take<'i>(
        &mut self,
        input: &'i [u8],
        ahead: &Ahead<'_>,
    ) -> Result<Fed<'i>, BodyError> {
        let mut consumed = 0;
        while let Some(rest) = input.get(consumed..).filter(|rest| !rest.is_empty()) {
            let (taken, frame) = self.frames.next(rest)?;
            consumed += taken;
            let event = match frame {
                Frame::Nothing | Frame::End => continue,
                Frame::Head { size, signature } => {
                    self.begin(size, signature)?;
                    continue;
                }
                Frame::Data(data) => {
                    self.decoded += data.len() as u64;
                    if self.rules.signed {
                        self.choose_hashing(data, ahead);
                    }
                    Event::Data(Pending(data))
                }
                Frame::DataEnd => {
                    if !self.rules.signed {
                        self.link(None)?;
                        continue;
                    }
                    let data = self.end_hash()?;
                    self.link(Some(data))?;
                    Event::Covered { through: self.decoded }
                }
                Frame::Trailer => {
                    let line = self.frames.trailer();
                    self.trailer(line.as_slice())?;
                    continue;
                }
            };
            return Ok(Fed { consumed, event });
        }
        Ok(Fed { consumed, event: Event::NeedMore })
    }

    /// Before data of a chunk is hashed, or is not.
    #[inline]
    fn choose_hashing(&mut self, data: &[u8], ahead: &Ahead<'_>) {
        let left = self.frames.left_of_chunk().unwrap_or(0);
        let is_first = data.len() as u64 + left == self.last_size;
        if left > 0 {
            if is_first && self.last_size <= ahead.holds {
                self.hashed = Hashed::Elsewhere;
            }
        } else if (is_first || self.is_hashed_elsewhere())
            && let Some(digest) = ahead.digest_of(data)
        {
            self.hashed = Hashed::Already(digest);
        }
    }

    fn begin(&mut self, size: u64, signature: Option<Signature>) -> Result<(), BodyError> {
        let expected = self.rules.decoded_len;
        let provided = self.decoded.saturating_add(size);
        if provided > expected || (size == 0 && provided != expected) {
            return Err(BodyError::Length { expected, provided });
        }
        let small = self.last_size < MIN_CHUNK && size > 0;
        if small && self.rules.minimum == ChunkMinimum::Refuse {
            return Err(BodyError::ChunkSize { chunk: self.chunks + 1, size: self.last_size });
        }
        self.chunks += 1;
        self.last_size = size;
        self.signature = signature;
        // The last chunk has no data and no end of it.
        if size == 0 { self.link(None) } else { Ok(()) }
    }

    /// The hash of the chunk that has ended.
    #[inline]
    fn end_hash(&mut self) -> Result<[u8; DIGEST_LEN], BodyError> {
        match core::mem::replace(&mut self.hashed, Hashed::AsItComes) {
            Hashed::AsItComes => Ok(self.hash.end()),
            Hashed::Already(digest) => Ok(digest),
            Hashed::Elsewhere => Err(BodyError::Abandoned),
        }
    }

    /// Checks the signature of the chunk that has ended, by the hash of its data; the last one has
    /// none.
    #[inline]
    fn link(&mut self, data: Option<[u8; DIGEST_LEN]>) -> Result<(), BodyError> {
        let good = match (&mut self.chain, self.signature.take(), data) {
            (None, None, _) => !self.rules.signed,
            (Some(chain), Some(signature), Some(data)) => chain.chunk(&data).matches(&signature),
            (Some(chain), Some(signature), None) => chain.last_chunk().matches(&signature),
            _ => false,
        };
        if good { Ok(()) } else { Err(BodyError::ChunkSignature) }
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), BodyError> {
        if self.trailers_signed {
            // Nothing comes behind the signature but the empty line.
            return Err(BodyError::TrailerSyntax);
        }
        let signature = (self.rules.signed && self.rules.trailers).then_some(TRAILER_SIGNATURE);
        let Some(value) = self.received.take(line, &self.rules.announced, signature)? else {
            return Ok(());
        };
        let signature = Signature::parse(value).ok_or(BodyError::TrailerSignature)?;
        let chain = self.chain.take().ok_or(BodyError::TrailerSignature)?;
        if !chain.trailers(&self.received.hash()).matches(&signature) {
            return Err(BodyError::TrailerSignature);
        }
        self.trailers_signed = true;
        Ok(())
    }

    /// Bytes of the object so far.
    pub(super) const fn decoded(&self) -> u64 {
        self.decoded
    }

    /// The trailers so far.
    pub(super) const fn received(&self) -> &Received {
        &self.received
    }

    /// Refuses a body that has not ended, or not as it was announced.
    pub(super) fn settle(&self) -> Result<(), BodyError> {
        // Where nothing is to come behind the last chunk's head, a client in use sends no empty
        // line either, and S3 takes it.
        let ended = !self.rules.signed
            && self.rules.announced.is_empty()
            && self.frames.is_after_last_head();
        if !self.frames.is_whole() && !ended {
            return Err(BodyError::Truncated);
        }
        if !self.received.are_all(&self.rules.announced) {
            return Err(BodyError::TrailerMissing);
        }
        if self.rules.signed && self.rules.trailers && !self.trailers_signed {
            return Err(BodyError::TrailerSignatureMissing);
        }
        Ok(())
    }
}
