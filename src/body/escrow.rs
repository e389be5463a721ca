//! Lending out covered bytes only, from a buffer of the caller's.

use core::fmt;

use super::ahead::Ahead;
use super::{BodyError, BodyVerifier, Event, VerifiedBody};

/// A body whose bytes are held back until a signature covers them.
///
/// What a [`BodyVerifier`] calls pending goes into the buffer; what comes out may be used. The
/// buffer's length bounds a chunk, or the whole body where nothing is covered before the end (a
/// digest, or no signature at all).
///
/// Where an input holds several chunks whole, and so does the buffer, they are lent together; with
/// the feature `lanes` they are hashed together, too. For that read 16 chunks at a time and hold as
/// many.
///
/// ```
/// # use countersign::*;
/// # fn store(head: Verified<'_>, input: &[u8], out: &mut Vec<u8>) -> Result<VerifiedBody, EscrowError> {
/// let mut buffer = [0; 64 * 1024];
/// let mut escrow = Escrow::new(head.into_body(), &mut buffer[..]);
/// let mut rest = input;
/// while !rest.is_empty() {
///     let lent = escrow.feed(rest)?;
///     out.extend_from_slice(lent.covered);
///     rest = &rest[lent.consumed..];
/// }
/// let (proof, last) = escrow.finish()?;
/// out.extend_from_slice(last.as_ref());
/// # Ok(proof) }
/// ```
#[must_use = "the last bytes are lent by `finish`"]
pub struct Escrow<B> {
    body: BodyVerifier,
    buffer: B,
    /// Bytes of the buffer that hold data.
    held: usize,
    /// How many of them have been lent and make room for others.
    lent: usize,
}

/// What an escrow gives out.
#[must_use = "bytes that are dropped are lost"]
#[derive(Debug)]
pub struct Lent<'e> {
    /// Input bytes taken; at least one, unless the input was empty.
    pub consumed: usize,
    /// Data that a good signature covers.
    pub covered: &'e [u8],
}

/// The bytes that only the end of a body covers.
#[must_use = "bytes that are dropped are lost"]
pub struct Remainder<B> {
    buffer: B,
    held: usize,
}

/// Why an escrow refuses a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EscrowError {
    /// The body is refused.
    Body(BodyError),
    /// A chunk, or a body that nothing covers before its end, is longer than the buffer.
    Full,
}

impl<B: AsMut<[u8]> + AsRef<[u8]>> Escrow<B> {
    /// An escrow that holds as much as `buffer` does.
    pub const fn new(body: BodyVerifier, buffer: B) -> Self {
        Self { body, buffer, held: 0, lent: 0 }
    }

    /// Takes a prefix of `input`; lends out what is covered now.
    ///
    /// # Errors
    /// [`EscrowError`]; every later call fails as well.
    pub fn feed(&mut self, input: &[u8]) -> Result<Lent<'_>, EscrowError> {
        self.make_room();
        // Lent together are those that are at hand whole; nothing waits for more.
        let (held, room) = (self.held(), self.buffer.as_ref().len());
        let mut ahead = Ahead::NONE;
        let together = self.body.look_ahead(Some(held), room, input, &mut ahead);
        self.take(input, together, &ahead)
    }

    /// Takes a prefix of `input`, up to the end of so many chunks.
    #[inline]
    fn take(
        &mut self,
        input: &[u8],
        mut chunks: usize,
        ahead: &Ahead<'_>,
    ) -> Result<Lent<'_>, EscrowError> {
        let (mut consumed, mut taken) = (0, 0);
        while let Some(rest) = input.get(taken..).filter(|rest| !rest.is_empty() && chunks > 0) {
            let fed = match self.body.feed_hashed(rest, ahead) {
                Ok(fed) => fed,
                // What is covered goes out first. The machine says the same when it is asked again.
                Err(_) if self.lent > 0 => return Ok(Lent { consumed, covered: self.lent() }),
                Err(error) => return Err(error.into()),
            };
            taken += fed.consumed;
            match fed.event {
                Event::NeedMore => {}
                Event::Data(data) => self.hold(data.into_unverified())?,
                Event::Covered { .. } => {
                    (self.lent, consumed) = (self.held, taken);
                    chunks -= 1;
                }
            }
        }
        Ok(Lent { consumed: taken, covered: self.lent() })
    }

    /// Forgets what has been lent.
    fn make_room(&mut self) {
        let (lent, held) = (core::mem::take(&mut self.lent), self.held);
        if lent < held {
            self.buffer.as_mut().copy_within(lent..held, 0);
        }
        self.held = held - lent;
    }

    fn hold(&mut self, data: &[u8]) -> Result<(), EscrowError> {
        let end = self.held.saturating_add(data.len());
        let Some(place) = self.buffer.as_mut().get_mut(self.held..end) else {
            self.body.fail();
            return Err(EscrowError::Full);
        };
        place.copy_from_slice(data);
        self.held = end;
        Ok(())
    }

    fn held(&self) -> &[u8] {
        self.buffer.as_ref().get(..self.held).unwrap_or_default()
    }

    fn lent(&self) -> &[u8] {
        self.buffer.as_ref().get(..self.lent).unwrap_or_default()
    }

    /// The peer has finished: the proof, and the bytes that nothing covered before.
    ///
    /// # Errors
    /// [`EscrowError::Body`].
    pub fn finish(mut self) -> Result<(VerifiedBody, Remainder<B>), EscrowError> {
        self.make_room();
        let proof = self.body.finish()?;
        Ok((proof, Remainder { buffer: self.buffer, held: self.held }))
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Remainder<B> {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_ref().get(..self.held).unwrap_or_default()
    }
}

impl From<BodyError> for EscrowError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl<B> fmt::Debug for Escrow<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Escrow")
            .field("body", &self.body)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for Remainder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remainder").field("held", &self.held).finish_non_exhaustive()
    }
}

impl fmt::Display for EscrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Full => f.write_str("more data came than can be held back"),
        }
    }
}

impl core::error::Error for EscrowError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            Self::Full => None,
        }
    }
}
