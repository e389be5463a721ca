//! Lending out covered bytes only, from a buffer of the caller's.

use core::fmt;

use super::{BodyError, BodyVerifier, Event, VerifiedBody};

/// A body whose bytes are held back until a signature covers them.
///
/// What a [`BodyVerifier`] calls pending goes into the buffer; what comes out may be used. The
/// buffer's length bounds a chunk, or the whole body where nothing is covered before the end (a
/// digest, or no signature at all).
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
    /// Whether they have been lent and make room for others.
    lent: bool,
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
        Self { body, buffer, held: 0, lent: false }
    }

    /// Takes a prefix of `input`; lends out what is covered now.
    ///
    /// # Errors
    /// [`EscrowError`]; every later call fails as well.
    pub fn feed(&mut self, input: &[u8]) -> Result<Lent<'_>, EscrowError> {
        if core::mem::take(&mut self.lent) {
            self.held = 0;
        }
        let mut consumed = 0;
        while let Some(rest) = input.get(consumed..).filter(|rest| !rest.is_empty()) {
            let fed = self.body.feed(rest)?;
            consumed += fed.consumed;
            match fed.event {
                Event::NeedMore => {}
                Event::Data(data) => self.hold(data.into_unverified())?,
                Event::Covered { .. } => {
                    self.lent = true;
                    return Ok(Lent { consumed, covered: self.held() });
                }
            }
        }
        Ok(Lent { consumed, covered: &[] })
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

    /// The peer has finished: the proof, and the bytes that nothing covered before.
    ///
    /// # Errors
    /// [`EscrowError::Body`].
    pub fn finish(self) -> Result<(VerifiedBody, Remainder<B>), EscrowError> {
        let held = if self.lent { 0 } else { self.held };
        let proof = self.body.finish()?;
        Ok((proof, Remainder { buffer: self.buffer, held }))
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
