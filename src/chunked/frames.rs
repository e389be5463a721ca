//! Reads frames, whatever the pieces they arrive in. No cryptography, no buffer but for a line.
//!
//! ```text
//!        +----------------------------- CR LF <-------------------------+
//!        v                                                              |
//!   +--------+ size > 0  +--------+ size bytes  +---------+             |
//!   |  Head  |---------->|  Data  |------------>| DataEnd |-------------+
//!   +--------+           +--------+             +---------+
//!        | size = 0                                  (else: error)
//!        v
//!   +----------+ empty line   +-------+ any byte
//!   | Trailers |------------->|  End  |----------> error
//!   +----------+              +-------+
//!     ^      | line
//!     +------+
//! ```

use crate::bounded::Bounded;
use crate::bytes;
use crate::signature::Signature;

use super::SIGNATURE_EXTENSION;

/// The longest line without its end: 64 KiB would be a denial of service, the longest true one is
/// the trailer of a SHA-512 (112 bytes) or a chunk's head (97).
pub(crate) const MAX_LINE: usize = 256;

/// Hexadecimal digits of a size: as many as 64 bits have.
const MAX_SIZE_DIGITS: usize = 16;

/// Whether chunks carry signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signatures {
    Demanded,
    Refused,
}

/// Cuts a body into frames.
#[derive(Clone)]
pub(crate) struct Deframer {
    signatures: Signatures,
    state: State,
    /// Bytes of the chunk that are still to come.
    left: u64,
    line: Line,
}

/// A line and its end.
type Line = Bounded<u8, { MAX_LINE + 2 }>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Head,
    Data,
    DataEnd,
    Trailers,
    End,
}

/// A piece of a body.
pub(crate) enum Frame<'i> {
    /// The input ends inside a line.
    Nothing,
    /// A chunk begins; zero is the last one's size.
    Head { size: u64, signature: Option<Signature> },
    /// Data of the chunk.
    Data(&'i [u8]),
    /// The chunk has ended.
    DataEnd,
    /// A line of the trailers, which [`Deframer::trailer`] gives.
    Trailer,
    /// The empty line after the trailers: the body is whole.
    End,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The grammar is broken.
    Syntax,
    /// There is more behind the end.
    AfterEnd,
}

impl Deframer {
    pub(crate) const fn new(signatures: Signatures) -> Self {
        Self { signatures, state: State::Head, left: 0, line: Bounded::filled_with(0) }
    }

    /// Takes the next frame, or a part of its data, from the front of a non-empty input.
    #[inline]
    pub(crate) fn next<'i>(&mut self, input: &'i [u8]) -> Result<(usize, Frame<'i>), FrameError> {
        match self.state {
            State::Head => {
                let at_hand = if self.line.as_slice().is_empty() { self.head(input) } else { None };
                let (taken, size, signature) = match at_hand {
                    Some(head) => head,
                    None => {
                        let (taken, whole) = self.take_line(input)?;
                        if !whole {
                            return Ok((taken, Frame::Nothing));
                        }
                        let line = self.line.as_slice();
                        let head = self.head(line).filter(|(len, ..)| *len == line.len());
                        self.line.clear();
                        let (_, size, signature) = head.ok_or(FrameError::Syntax)?;
                        (taken, size, signature)
                    }
                };
                self.left = size;
                self.state = if size == 0 { State::Trailers } else { State::Data };
                Ok((taken, Frame::Head { size, signature }))
            }
            State::Data => {
                let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                let (data, _) = input.split_at(len);
                self.left -= len as u64;
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
                Ok((len, Frame::Data(data)))
            }
            State::DataEnd => {
                if self.line.as_slice().is_empty() && input.starts_with(b"\r\n") {
                    self.state = State::Head;
                    return Ok((2, Frame::DataEnd));
                }
                let mut taken = 0;
                for byte in input {
                    let expected = if self.line.as_slice().is_empty() { b'\r' } else { b'\n' };
                    if *byte != expected {
                        return Err(FrameError::Syntax);
                    }
                    taken += 1;
                    if expected == b'\n' {
                        self.line.clear();
                        self.state = State::Head;
                        return Ok((taken, Frame::DataEnd));
                    }
                    self.line.push(*byte).map_err(|_| FrameError::Syntax)?;
                }
                Ok((taken, Frame::Nothing))
            }
            State::Trailers => {
                let (taken, whole) = self.take_line(input)?;
                if !whole {
                    return Ok((taken, Frame::Nothing));
                }
                if self.line.as_slice() == b"\r\n" {
                    self.state = State::End;
                    return Ok((taken, Frame::End));
                }
                Ok((taken, Frame::Trailer))
            }
            State::End => Err(FrameError::AfterEnd),
        }
    }

    /// Collects a line up to its CRLF. A CR stands nowhere else; an LF alone may stand before the
    /// CRLF of a trailer, as one well-known client writes it.
    fn take_line(&mut self, input: &[u8]) -> Result<(usize, bool), FrameError> {
        let mut begin = 0;
        if !matches!(self.line.as_slice().last(), Some(b'\r' | b'\n')) {
            // Up to its end a line is taken as it is. A longer one is refused with what is here.
            let (seen, _) = input.split_at(input.len().min(MAX_LINE + 3));
            let end = bytes::position(seen, |lanes| lanes.is(b'\r') | lanes.is(b'\n'));
            begin = end.unwrap_or(seen.len());
            self.line.extend(seen.split_at(begin).0).map_err(|_| FrameError::Syntax)?;
        }
        for (at, byte) in input.iter().enumerate().skip(begin) {
            let previous = self.line.as_slice().last().copied();
            self.line.push(*byte).map_err(|_| FrameError::Syntax)?;
            match (previous, byte) {
                (Some(b'\r'), b'\n') => return Ok((at + 1, true)),
                (Some(b'\r'), _) => return Err(FrameError::Syntax),
                (Some(b'\n'), b'\r') => {}
                (Some(b'\n'), _) => return Err(FrameError::Syntax),
                (None, b'\n') => return Err(FrameError::Syntax),
                (_, b'\n') if self.state == State::Head => return Err(FrameError::Syntax),
                _ => {}
            }
        }
        Ok((input.len(), false))
    }

    /// The head of a chunk at the front of `text`, if it is there whole and well formed: its length
    /// with the end of the line, the size and the signature.
    #[inline]
    fn head(&self, text: &[u8]) -> Option<(usize, u64, Option<Signature>)> {
        let (mut size, mut digits) = (0, 0);
        for byte in text {
            let Some(digit) = char::from(*byte).to_digit(16) else { break };
            if digits == MAX_SIZE_DIGITS {
                return None;
            }
            digits += 1;
            size = size << 4 | u64::from(digit);
        }
        if digits == 0 {
            return None;
        }
        let rest = text.get(digits..)?;
        let (signature, rest) = match self.signatures {
            Signatures::Demanded => {
                let rest = rest.strip_prefix(SIGNATURE_EXTENSION)?;
                let (signature, rest) = rest.split_at_checked(Signature::HEX_LEN)?;
                (Some(Signature::parse(signature)?), rest)
            }
            Signatures::Refused => (None, rest),
        };
        let rest = rest.strip_prefix(b"\r\n")?;
        Some((text.len() - rest.len(), size, signature))
    }

    /// How much data of a chunk is still to come; none if its head is what comes next. `None` within
    /// lines, and behind the last chunk.
    #[inline]
    pub(crate) fn left_of_chunk(&self) -> Option<u64> {
        match self.state {
            State::Head if self.line.as_slice().is_empty() => Some(0),
            State::Data => Some(self.left),
            _ => None,
        }
    }

    /// The data of a chunk that lies whole at the front of `input`, with its frame, and what comes
    /// behind it. Nothing is taken.
    pub(crate) fn whole_chunk<'i>(&self, input: &'i [u8]) -> Option<(&'i [u8], &'i [u8])> {
        let (head, size, _) = self.head(input)?;
        let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
        let (data, rest) = input.get(head..)?.split_at_checked(size)?;
        Some((data, rest.strip_prefix(b"\r\n")?))
    }

    /// The line of the trailers that has just been read, without its end.
    pub(crate) fn trailer(&mut self) -> Line {
        let mut line = self.line;
        self.line.clear();
        line.pop();
        line.pop();
        line
    }

    /// Whether the empty line has been read.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// Whether the last chunk's head has been read and not a byte behind it.
    pub(crate) fn is_after_last_head(&self) -> bool {
        self.state == State::Trailers && self.line.as_slice().is_empty()
    }
}
