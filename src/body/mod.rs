//! The machine that verifies a body, whatever its mode.
//!
//! It is made by `Verified::into_body` alone, owns all it needs and is fed slices as they arrive.
//! It does no I/O and keeps no data. What has been fed is not proven before the machine says so:
//! with a digest nothing is proven before [`finish`](BodyVerifier::finish).
//!
//! Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header":
//! `x-amz-content-sha256`; "Transferring Payload in Multiple Chunks".

mod ahead;
#[cfg(feature = "checksums")]
mod checks;
mod chunked;
mod escrow;

use core::fmt;

use crate::chain::Chain;
use crate::chunked::{Announcement, FrameError, Received, TrailerError, Trailers};
use crate::crypto::{self, DIGEST_LEN, LANES, Sha256};

pub(crate) use ahead::Ahead;
pub use chunked::ChunkMinimum;
pub(crate) use chunked::ChunkRules;
use chunked::Chunked;
pub use escrow::{Escrow, EscrowError, Lent, Remainder};

#[cfg(feature = "checksums")]
pub(crate) use checks::Checks;

/// Verifies a body while it arrives.
///
/// Feed it every byte of the body, write what comes out aside, and commit on the
/// [`VerifiedBody`] that `finish` gives. A machine that has failed stays failed.
///
/// There is no other way to one than a verified head:
///
/// ```compile_fail,E0451
/// let body = countersign::BodyVerifier { mode: unreachable!() };
/// ```
///
/// ```
/// # use countersign::*;
/// # fn store(head: Verified<'_>, chunks: &[&[u8]], file: &mut Vec<u8>) -> Result<VerifiedBody, BodyError> {
/// let mut body = head.into_body();
/// for mut input in chunks.iter().copied() {
///     while !input.is_empty() {
///         let fed = body.feed(input)?;
///         if let Event::Data(data) = fed.event {
///             file.extend_from_slice(data.into_unverified()); // written aside ...
///         }
///         input = &input[fed.consumed..];
///     }
/// }
/// body.finish() // ... and committed only now
/// # }
/// ```
#[must_use = "a body is verified only when `finish` says so"]
pub struct BodyVerifier {
    mode: Mode,
    /// What `Content-Length` announced, if it did.
    announced: Option<u64>,
    /// Bytes taken so far.
    len: u64,
    failed: Option<BodyError>,
    #[cfg(feature = "checksums")]
    checks: Checks,
}

/// How the body is bound to the signature.
enum Mode {
    /// The signature covers the digest.
    Digest { declared: [u8; DIGEST_LEN], hash: Sha256 },
    /// The signature covers the digest, and the body has been hashed before the head was verified.
    Whole { declared: [u8; DIGEST_LEN], computed: [u8; DIGEST_LEN] },
    /// Nothing covers the body, which came before the head was verified.
    UnsignedWhole,
    /// Nothing covers the body.
    Unsigned,
    /// Nothing covers the file of a form, but the policy says how long it may be.
    #[cfg(feature = "post-policy")]
    File { min: u64, max: u64 },
    /// The body comes in frames.
    Chunked(Chunked),
}

/// What the body is bound by, as the claim says.
#[derive(Clone, Copy)]
pub(crate) enum Binding<'r> {
    Digest([u8; DIGEST_LEN]),
    Whole { declared: [u8; DIGEST_LEN], computed: [u8; DIGEST_LEN], body: &'r [u8] },
    UnsignedWhole { body: &'r [u8] },
    Unsigned,
    Chunked(ChunkRules<Announcement<'r>>),
}

/// How much of the input was taken, and what it was.
#[must_use = "the rest of the input has to be fed again"]
#[derive(Debug)]
pub struct Fed<'i> {
    /// Bytes taken from the front of the input; at least one, unless the input was empty.
    pub consumed: usize,
    /// What they were.
    pub event: Event<'i>,
}

/// A step of a body.
#[must_use = "data that is dropped is lost"]
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'i> {
    /// Nothing to hand on yet.
    NeedMore,
    /// Data of the object, not covered by any signature yet.
    Data(Pending<'i>),
    /// All data before this position of the object is covered by a good signature.
    Covered {
        /// Bytes of the object from its start.
        through: u64,
    },
}

/// Data that no signature covers yet.
///
/// Its bytes come out by one name, which says the price:
///
/// ```compile_fail,E0599
/// fn take(pending: countersign::Pending<'_>) -> usize { pending.bytes().len() }
/// ```
#[must_use = "data that is dropped is lost"]
pub struct Pending<'i>(&'i [u8]);

/// The proof that a whole body has arrived and holds what its head said of it.
///
/// It is made by [`BodyVerifier::finish`] alone.
///
/// ```compile_fail,E0451
/// let proof = countersign::VerifiedBody { len: 0, signed: true, trailers: unreachable!() };
/// ```
#[must_use = "commit what was written aside"]
pub struct VerifiedBody {
    len: u64,
    signed: bool,
    trailers: Received,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is not the one whose digest was signed. Both digests are known to the peer.
    DigestMismatch {
        /// The digest in `x-amz-content-sha256`.
        declared: [u8; DIGEST_LEN],
        /// The digest of what came.
        computed: [u8; DIGEST_LEN],
    },
    /// More or fewer bytes came than `Content-Length` or `x-amz-decoded-content-length` announced.
    Length {
        /// Bytes announced.
        expected: u64,
        /// Bytes that came; where too many came, one more than were announced.
        provided: u64,
    },
    /// The body's frames are not well formed.
    FrameSyntax,
    /// The body ended before its last frame.
    Truncated,
    /// There is more behind the body's end.
    AfterEnd,
    /// The file of a form is longer than its policy allows.
    FileTooLarge {
        /// Bytes that came: one more than are allowed.
        proposed: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// The file of a form is shorter than its policy allows.
    FileTooSmall {
        /// Bytes that came.
        proposed: u64,
        /// Bytes demanded.
        min: u64,
    },
    /// A chunk is smaller than the rules allow.
    ChunkSize {
        /// The number of the chunk after it, from 1.
        chunk: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// A chunk's signature is not the one of its data at its place.
    ChunkSignature,
    /// The trailers' signature is not the one of what came.
    TrailerSignature,
    /// The trailers' signature is missing.
    TrailerSignatureMissing,
    /// A trailer is not well formed, or there is too much of them.
    TrailerSyntax,
    /// A trailer came that was not announced.
    TrailerUnannounced,
    /// A trailer came twice.
    TrailerRepeated,
    /// A trailer that was announced did not come.
    TrailerMissing,
    /// More than one `x-amz-checksum-*` field, or trailers that are checksums of several kinds.
    ChecksumsMultiple,
    /// A checksum's value is not one of its algorithm in base64.
    ChecksumSyntax {
        /// The field or trailer.
        field: &'static str,
        /// Whether it is a trailer.
        trailer: bool,
    },
    /// The object does not have the checksum that came with it.
    ChecksumMismatch {
        /// The field or trailer.
        field: &'static str,
    },
    /// `Content-MD5` is not an MD5 in base64.
    ContentMd5Syntax,
    /// The object does not have the MD5 of `Content-MD5`.
    ContentMd5Mismatch,
    /// What came before could not be held: the machine was given up.
    Abandoned,
    /// Data was fed to a body that was given whole when its head was read: the caller's mistake.
    AlreadyWhole,
}

impl BodyVerifier {
    /// `chain` begins at the head's signature; it is there where chunks are signed.
    pub(crate) fn new(binding: Binding<'_>, announced: Option<u64>, chain: Option<Chain>) -> Self {
        let (mode, len) = match binding {
            Binding::Digest(declared) => (Mode::Digest { declared, hash: Sha256::new() }, 0),
            Binding::Whole { declared, computed, body } => {
                (Mode::Whole { declared, computed }, body.len() as u64)
            }
            Binding::UnsignedWhole { body } => (Mode::UnsignedWhole, body.len() as u64),
            Binding::Unsigned => (Mode::Unsigned, 0),
            Binding::Chunked(rules) => (Mode::Chunked(Chunked::new(rules, chain)), 0),
        };
        Self {
            mode,
            announced,
            len,
            failed: None,
            #[cfg(feature = "checksums")]
            checks: Checks::NONE,
        }
    }

    /// For the file of a form that holds to its policy.
    #[cfg(feature = "post-policy")]
    pub(crate) fn of_file(lengths: core::ops::RangeInclusive<u64>) -> Self {
        let (min, max) = lengths.into_inner();
        Self { mode: Mode::File { min, max }, ..Self::new(Binding::Unsigned, None, None) }
    }

    /// Refuses all that follows: whoever drives the machine could not hold what came.
    fn fail(&mut self) {
        self.failed.get_or_insert(BodyError::Abandoned);
    }

    /// The checksums that are checked in the same pass.
    #[cfg(feature = "checksums")]
    pub(crate) fn checks(&mut self) -> &mut Checks {
        &mut self.checks
    }

    /// Demands the checksums that are announced as trailers.
    #[cfg(feature = "checksums")]
    pub(crate) fn demand_trailers(&mut self) -> Result<(), BodyError> {
        match &self.mode {
            Mode::Chunked(chunked) => {
                chunked.announced().try_for_each(|name| self.checks.trailer(name))
            }
            _ => Ok(()),
        }
    }

    /// Sums a body that came before its head was verified, once all is demanded: it is not fed.
    #[cfg(feature = "checksums")]
    pub(crate) fn check_whole(&mut self, binding: Binding<'_>) {
        if let Binding::Whole { body, .. } | Binding::UnsignedWhole { body } = binding {
            self.checks.update_beside(None, body);
        }
    }

    /// Whether data is covered chunk by chunk: [`Event::Covered`] will come. Otherwise only the end
    /// covers anything.
    #[must_use]
    pub const fn covers_chunks(&self) -> bool {
        match &self.mode {
            Mode::Chunked(chunked) => chunked.is_signed(),
            Mode::Digest { .. } | Mode::Whole { .. } | Mode::UnsignedWhole | Mode::Unsigned => {
                false
            }
            #[cfg(feature = "post-policy")]
            Mode::File { .. } => false,
        }
    }

    /// Length of the object in bytes, if the head announced it: `x-amz-decoded-content-length` of a
    /// body in frames, else `Content-Length`. Nothing else is accepted.
    #[must_use]
    pub const fn announced_len(&self) -> Option<u64> {
        match &self.mode {
            Mode::Chunked(chunked) => Some(chunked.decoded_len()),
            Mode::Whole { .. } | Mode::UnsignedWhole => Some(self.len),
            Mode::Digest { .. } | Mode::Unsigned => self.announced,
            #[cfg(feature = "post-policy")]
            Mode::File { .. } => None,
        }
    }

    /// Takes a prefix of `input` and says how much, and what it was.
    ///
    /// # Errors
    /// [`BodyError`]; every later call gives the same one.
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> Result<Fed<'i>, BodyError> {
        self.feed_hashed(input, &Ahead::NONE)
    }

    /// How many chunks end in the input, one behind the other and of `room` bytes at most, as many
    /// as are worth being hashed at once. It does not depend on whether they are: if so, `ahead` has
    /// their hashes. `held` is what is held of the first one's data, if it is in one place.
    pub(crate) fn look_ahead<'i>(
        &self,
        held: Option<&[u8]>,
        room: usize,
        input: &'i [u8],
        ahead: &mut Ahead<'i>,
    ) -> usize {
        let Mode::Chunked(chunked) = &self.mode else { return 1 };
        let Some(left) = chunked.left_of_chunk() else { return 1 };
        if !chunked.is_signed() || self.failed.is_some() {
            return 1;
        }
        let in_lanes = crypto::lanes() > 1;
        if in_lanes && held.is_some() {
            // With half of the room, a chunk is held while others come to hand.
            ahead.holds = (room / 2) as u64;
        }
        let begun = usize::try_from(left).ok().and_then(|left| input.split_at_checked(left));
        let Some((last, behind)) = begun else { return 1 };
        let (last, behind) = match last {
            [] => (None, behind),
            _ => (Some(last), behind.strip_prefix(b"\r\n").unwrap_or_default()),
        };
        let held = held.unwrap_or_default();
        let mut room = room.saturating_sub(held.len());
        let fits = |chunk: &&[u8]| {
            let left = room.checked_sub(chunk.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        let chunks = || last.into_iter().chain(chunked.whole_chunks(behind));
        let count = chunks().take(LANES).take_while(fits).count().max(1);
        if chunked.is_hashed_elsewhere() {
            ahead.hash(held, chunks().take(count));
        } else if in_lanes && count > 1 {
            // What was begun here is ended here.
            ahead.hash(&[], chunks().take(count).skip(usize::from(last.is_some())));
        }
        count
    }

    /// As [`feed`](Self::feed), where some chunks have been hashed already.
    #[inline]
    pub(crate) fn feed_hashed<'i>(
        &mut self,
        input: &'i [u8],
        ahead: &Ahead<'_>,
    ) -> Result<Fed<'i>, BodyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if input.is_empty() {
            return Ok(Fed { consumed: 0, event: Event::NeedMore });
        }
        match self.take(input, ahead) {
            Ok(fed) => {
                if let Event::Data(data) = &fed.event {
                    self.absorb(data.0);
                }
                self.len = self.len.saturating_add(fed.consumed as u64);
                Ok(fed)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    #[inline]
    fn take<'i>(&mut self, input: &'i [u8], ahead: &Ahead<'_>) -> Result<Fed<'i>, BodyError> {
        // What was announced is taken to its last byte, so that the outcome does not depend on the
        // pieces; a byte more is refused.
        let input = match (&self.mode, self.announced) {
            (Mode::Whole { .. } | Mode::UnsignedWhole, _) => return Err(BodyError::AlreadyWhole),
            (_, None) => input,
            (_, Some(expected)) => {
                let room = expected.saturating_sub(self.len);
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(input.len());
                if room == 0 {
                    return Err(BodyError::Length { expected, provided: self.len + 1 });
                }
                input.split_at(room).0
            }
        };
        match &mut self.mode {
            Mode::Chunked(chunked) => chunked.take(input, ahead),
            #[cfg(feature = "post-policy")]
            Mode::File { max, .. } => {
                let room = max.saturating_sub(self.len);
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(input.len());
                if room == 0 {
                    let proposed = self.len.saturating_add(1);
                    return Err(BodyError::FileTooLarge { proposed, max: *max });
                }
                let (input, _) = input.split_at(room);
                Ok(Fed { consumed: input.len(), event: Event::Data(Pending(input)) })
            }
            _ => Ok(Fed { consumed: input.len(), event: Event::Data(Pending(input)) }),
        }
    }

    /// Hashes data, and whatever else is to be taken of it while it is in the nearest memory.
    #[inline]
    fn absorb(&mut self, data: &[u8]) {
        let hash = match &mut self.mode {
            Mode::Chunked(chunked) => chunked.hash(),
            Mode::Digest { hash, .. } => Some(hash),
            _ => None,
        };
        #[cfg(feature = "checksums")]
        if !self.checks.is_empty() {
            return self.checks.update_beside(hash, data);
        }
        if let Some(hash) = hash {
            hash.update(data);
        }
    }

    /// The peer has finished. Only here is the body whole.
    ///
    /// # Errors
    /// [`BodyError`] if it is not what the head said, or if the machine has failed before.
    #[inline]
    pub fn finish(mut self) -> Result<VerifiedBody, BodyError> {
        // A body is large: it is not moved.
        self.conclude()
    }

    /// As [`finish`](Self::finish), for whoever owns the machine. It gives one answer: whatever that
    /// is, all that is asked of the machine behind it fails.
    pub(crate) fn conclude(&mut self) -> Result<VerifiedBody, BodyError> {
        let outcome = self.decide();
        self.failed = Some(outcome.as_ref().err().copied().unwrap_or(BodyError::Abandoned));
        outcome
    }

    fn decide(&mut self) -> Result<VerifiedBody, BodyError> {
        let signed = self.settle()?;
        let (len, received) = match &self.mode {
            Mode::Chunked(chunked) => (chunked.decoded(), chunked.received()),
            _ => (self.len, &Received::NONE),
        };
        #[cfg(feature = "checksums")]
        self.checks.finish(received)?;
        Ok(VerifiedBody { len, signed, trailers: *received })
    }

    /// Whether the signature covers what came, if that is what the head said of it.
    fn settle(&mut self) -> Result<bool, BodyError> {
        let len = self.len;
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(expected) = self.announced.filter(|expected| len != *expected) {
            return Err(BodyError::Length { expected, provided: len });
        }
        let (declared, computed) = match &mut self.mode {
            Mode::Digest { declared, hash } => (*declared, hash.end()),
            Mode::Whole { declared, computed } => (*declared, *computed),
            Mode::Unsigned | Mode::UnsignedWhole => return Ok(false),
            #[cfg(feature = "post-policy")]
            Mode::File { min, .. } if len < *min => {
                return Err(BodyError::FileTooSmall { proposed: len, min: *min });
            }
            #[cfg(feature = "post-policy")]
            Mode::File { .. } => return Ok(false),
            Mode::Chunked(chunked) => {
                chunked.settle()?;
                return Ok(chunked.is_signed());
            }
        };
        // Both digests are public; the signature was compared before.
        if declared == computed {
            Ok(true)
        } else {
            Err(BodyError::DigestMismatch { declared, computed })
        }
    }
}

impl<'i> Pending<'i> {
    /// How many bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, which no signature covers yet: write them aside and act on none of them.
    #[must_use]
    pub const fn into_unverified(self) -> &'i [u8] {
        self.0
    }
}

impl VerifiedBody {
    /// Length of the object in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether the object is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the signature covers the body. If not, only its length has been checked, and only if
    /// the head announced one.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// The trailers, in the order they came. They are covered by the signature if the body is.
    #[must_use]
    pub const fn trailers(&self) -> Trailers<'_> {
        Trailers(&self.trailers, 0)
    }
}

impl From<FrameError> for BodyError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Syntax => Self::FrameSyntax,
            FrameError::AfterEnd => Self::AfterEnd,
        }
    }
}

impl From<TrailerError> for BodyError {
    fn from(error: TrailerError) -> Self {
        match error {
            TrailerError::Syntax => Self::TrailerSyntax,
            TrailerError::Unannounced => Self::TrailerUnannounced,
            TrailerError::Repeated => Self::TrailerRepeated,
        }
    }
}

impl fmt::Debug for VerifiedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedBody")
            .field("len", &self.len)
            .field("signed", &self.signed)
            .field("trailers", &self.trailers())
            .finish()
    }
}

impl fmt::Debug for BodyVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyVerifier")
            .field("len", &self.len)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("len", &self.len()).finish()
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DigestMismatch { .. } => f.write_str("the body is not the one that was signed"),
            Self::Length { expected, provided } => {
                write!(f, "the body has {provided} bytes instead of {expected}")
            }
            Self::FrameSyntax => f.write_str("the body's frames are not well formed"),
            Self::Truncated => f.write_str("the body ends too early"),
            Self::AfterEnd => f.write_str("there is more behind the body's end"),
            Self::FileTooLarge { max, .. } => write!(f, "the file has more than {max} bytes"),
            Self::FileTooSmall { proposed, min } => {
                write!(f, "the file has {proposed} bytes instead of at least {min}")
            }
            Self::ChunkSize { size, .. } => write!(f, "a chunk of {size} bytes is too small"),
            Self::ChunkSignature => f.write_str("a chunk's signature does not match"),
            Self::TrailerSignature => f.write_str("the trailers' signature does not match"),
            Self::TrailerSignatureMissing => f.write_str("the trailers' signature is missing"),
            Self::TrailerSyntax => f.write_str("a trailer is not well formed"),
            Self::TrailerUnannounced => f.write_str("a trailer was not announced"),
            Self::TrailerRepeated => f.write_str("a trailer is repeated"),
            Self::TrailerMissing => f.write_str("a trailer that was announced is missing"),
            Self::ChecksumsMultiple => f.write_str("there are several checksums"),
            Self::ChecksumSyntax { field, .. } => write!(f, "{field} is not well formed"),
            Self::ChecksumMismatch { field } => write!(f, "{field} is not the object's"),
            Self::ContentMd5Syntax => f.write_str("content-md5 is not well formed"),
            Self::ContentMd5Mismatch => f.write_str("content-md5 is not the object's"),
            Self::Abandoned => f.write_str("the body was given up"),
            Self::AlreadyWhole => f.write_str("the body was given whole before"),
        }
    }
}

impl core::error::Error for BodyError {}

#[cfg(test)]
mod tests {
    use super::{Binding, BodyError, BodyVerifier, Event, Fed};
    use crate::crypto::Sha256;

    const BODY: &[u8] = b"Welcome to Amazon S3.";

    fn run<'a>(
        binding: Binding<'_>,
        announced: Option<u64>,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(u64, bool), BodyError> {
        let mut body = BodyVerifier::new(binding, announced, None);
        for piece in pieces {
            match body.feed(piece)? {
                Fed { consumed: 0, event: Event::NeedMore } => assert!(piece.is_empty()),
                Fed { consumed, event: Event::Data(data) } => {
                    assert_eq!((consumed, data.into_unverified()), (piece.len(), piece));
                }
                other => panic!("{other:?}"),
            }
        }
        body.finish().map(|proof| (proof.len(), proof.is_signed()))
    }

    #[test]
    fn whole_byte_by_byte_and_at_every_split() {
        let digest = Binding::Digest(Sha256::digest(BODY));
        let good = Ok((BODY.len() as u64, true));
        assert_eq!(run(digest, None, [BODY]), good);
        assert_eq!(run(digest, Some(BODY.len() as u64), BODY.chunks(1)), good);
        for split in 0..=BODY.len() {
            let (head, tail) = BODY.split_at(split);
            assert_eq!(run(digest, None, [head, tail]), good);
        }
    }

    #[test]
    fn every_proper_prefix_and_every_flipped_bit_is_refused() {
        let declared = Sha256::digest(BODY);
        for len in 0..BODY.len() {
            let prefix = BODY.get(..len).expect("a prefix");
            let computed = Sha256::digest(prefix);
            let error = Err(BodyError::DigestMismatch { declared, computed });
            assert_eq!(run(Binding::Digest(declared), None, [prefix]), error);
            let expected = BODY.len() as u64;
            let error = Err(BodyError::Length { expected, provided: len as u64 });
            assert_eq!(run(Binding::Digest(declared), Some(expected), [prefix]), error);
            assert_eq!(run(Binding::Unsigned, Some(expected), [prefix]), error);
        }
        for bit in 0..8 * BODY.len() {
            let mut body = [0; 21];
            body.copy_from_slice(BODY);
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(run(Binding::Digest(declared), None, [&body[..]]).is_err());
        }
    }

    #[test]
    fn a_failed_machine_stays_failed() {
        let mut body = BodyVerifier::new(Binding::Unsigned, Some(3), None);
        let error = BodyError::Length { expected: 3, provided: 4 };
        assert_eq!(body.feed(b"abcd").ok().map(|fed| fed.consumed), Some(3));
        assert_eq!(body.feed(b"d").err(), Some(error));
        assert_eq!(body.feed(b"abc").err(), Some(error));
        assert_eq!(body.feed(b"").err(), Some(error));
        assert_eq!(body.finish().err(), Some(error));
    }

    /// Whoever has the verdict cannot have another one of the same machine.
    #[test]
    fn a_machine_decides_once() {
        let mut good = BodyVerifier::new(Binding::Unsigned, None, None);
        assert_eq!(good.feed(BODY).ok().map(|fed| fed.consumed), Some(21));
        assert_eq!(good.conclude().map(|proof| proof.len()).ok(), Some(21));
        assert_eq!(good.conclude().err(), Some(BodyError::Abandoned));
        assert_eq!(good.feed(b"more").err(), Some(BodyError::Abandoned));

        let mut short = BodyVerifier::new(Binding::Unsigned, Some(1), None);
        let error = BodyError::Length { expected: 1, provided: 0 };
        assert_eq!(short.conclude().err(), Some(error));
        assert_eq!(short.feed(b"a").err(), Some(error));
        assert_eq!(short.conclude().err(), Some(error));
    }

    /// Checks that were made are not forgotten: a body that failed one does not pass without it.
    #[cfg(feature = "checksums")]
    #[test]
    fn a_check_that_failed_stays_failed() {
        let mut body = BodyVerifier::new(Binding::Unsigned, None, None);
        assert_eq!(body.checks.content_md5(b"1B2M2Y8AsgTpgAmY7PhCfg=="), Ok(()));
        assert_eq!(body.feed(BODY).ok().map(|fed| fed.consumed), Some(21));
        assert_eq!(body.conclude().err(), Some(BodyError::ContentMd5Mismatch));
        assert_eq!(body.conclude().err(), Some(BodyError::ContentMd5Mismatch));
    }

    #[test]
    fn a_body_given_whole_takes_no_data() {
        let computed = Sha256::digest(BODY);
        let whole = |declared| Binding::Whole { declared, computed, body: BODY };
        assert_eq!(run(whole(computed), None, []), Ok((BODY.len() as u64, true)));
        assert_eq!(run(whole(computed), None, [BODY]), Err(BodyError::AlreadyWhole));
        let unsigned = Binding::UnsignedWhole { body: BODY };
        assert_eq!(run(unsigned, Some(21), []), Ok((21, false)));
        assert_eq!(run(unsigned, None, [BODY]), Err(BodyError::AlreadyWhole));
        let declared = [0; 32];
        assert_eq!(
            run(whole(declared), None, []),
            Err(BodyError::DigestMismatch { declared, computed })
        );
        assert_eq!(
            run(whole(computed), Some(1), []),
            Err(BodyError::Length { expected: 1, provided: 21 })
        );
    }

    #[cfg(feature = "post-policy")]
    #[test]
    fn a_file_is_as_long_as_the_policy_says() {
        let run = |lengths, pieces: &mut dyn Iterator<Item = &'static [u8]>| {
            let mut body = BodyVerifier::of_file(lengths);
            let mut taken = 0;
            for mut piece in pieces {
                while !piece.is_empty() {
                    let fed = body.feed(piece).map_err(|error| (taken, error))?;
                    taken += fed.consumed;
                    piece = piece.get(fed.consumed..).expect("no more than was fed");
                }
            }
            body.finish().map(|proof| (proof.len(), proof.is_signed())).map_err(|e| (taken, e))
        };
        for size in [1, 2, 7, 21, 64] {
            let pieces = || BODY.chunks(size);
            assert_eq!(run(0..=u64::MAX, &mut pieces()), Ok((21, false)));
            assert_eq!(run(21..=21, &mut pieces()), Ok((21, false)));
            let large = BodyError::FileTooLarge { proposed: 21, max: 20 };
            assert_eq!(run(0..=20, &mut pieces()), Err((20, large)), "all but the last byte");
            let small = BodyError::FileTooSmall { proposed: 21, min: 22 };
            assert_eq!(run(22..=30, &mut pieces()), Err((21, small)));
            let large = BodyError::FileTooLarge { proposed: 1, max: 0 };
            assert_eq!(run(0..=0, &mut pieces()), Err((0, large)));
        }
        assert_eq!(run(0..=0, &mut core::iter::empty()), Ok((0, false)));
        let small = BodyError::FileTooSmall { proposed: 0, min: 1 };
        assert_eq!(run(1..=9, &mut core::iter::empty()), Err((0, small)));
    }

    #[test]
    fn machines_move_between_threads() {
        fn sends<T: Send + 'static>() {}
        sends::<BodyVerifier>();
    }
}
