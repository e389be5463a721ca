//! Verifying a body in frames: grammar from `chunked/`, signatures from the chain, and what the head
//! said of lengths and trailers.

use super::{BodyError, Event, Fed, Pending, VerifiedBody};
use crate::chain::Chain;
use crate::chunked::{
    Announced, Announcement, Deframer, Frame, MIN_CHUNK, Received, Signatures, TRAILER_SIGNATURE,
};
use crate::crypto::Sha256;
use crate::signature::Signature;

/// A body in frames: where it stands.
pub(super) struct Chunked {
    frames: Deframer,
    /// `None` where chunks are not signed.
    chain: Option<Chain>,
    /// The signature that the chunk being read has to have.
    signature: Option<Signature>,
    hash: Sha256,
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

    /// Takes frames up to one that says something.
    pub(super) fn take<'i>(&mut self, input: &'i [u8]) -> Result<Fed<'i>, BodyError> {
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
                        self.hash.update(data);
                    }
                    Event::Data(Pending(data))
                }
                Frame::DataEnd => {
                    self.link()?;
                    if !self.rules.signed {
                        continue;
                    }
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
        if size == 0 { self.link() } else { Ok(()) }
    }

    /// Checks the signature of the chunk that has ended.
    fn link(&mut self) -> Result<(), BodyError> {
        let hash = core::mem::replace(&mut self.hash, Sha256::new());
        let good = match (&mut self.chain, self.signature.take()) {
            (None, None) => !self.rules.signed,
            (Some(chain), Some(signature)) => chain.chunk(&hash.finish()).matches(&signature),
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

    pub(super) fn finish(self) -> Result<VerifiedBody, BodyError> {
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
        Ok(VerifiedBody { len: self.decoded, signed: self.rules.signed, trailers: self.received })
    }
}
