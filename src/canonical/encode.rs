//! UriEncode and its inverse, over bytes.
//!
//! Unreserved bytes stay (`A-Z a-z 0-9 - . _ ~`), every other byte becomes `%XX` with upper-case
//! digits. Wire text is decoded once and encoded once; a run that is canonical already is passed on
//! as it stands.
//!
//! Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header": UriEncode.
//! RFC 3986 sections 2.1 and 2.3.

use super::Sink;
use crate::bounded::Bounded;
use crate::bytes::{self, Lanes, Marks, others};
use crate::request::RequestError;

/// What a bare `+` in a query means. Clients disagree; S3 and most of its look-alikes read a blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PlusSign {
    /// `+` is a blank, as in an HTML form: `%20` in the canonical query.
    #[default]
    Space,
    /// `+` is itself: `%2B` in the canonical query.
    Literal,
}

/// The part of a target that is being encoded.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// A path: `/` stays, `+` is itself.
    Path,
    /// A name or value of a query.
    Query(PlusSign),
}

impl Part {
    #[inline(always)]
    const fn keeps(self, byte: u8) -> bool {
        is_unreserved(byte) | (matches!(self, Self::Path) & (byte == b'/'))
    }

    /// The bytes that do not stay.
    #[inline(always)]
    fn changes(self, lanes: Lanes) -> Marks {
        // `-`, `.`, `/` and the digits follow each other.
        let kept = lanes.is_letter() | lanes.is_in(b'-', b'9') | lanes.is(b'_') | lanes.is(b'~');
        match self {
            Self::Path => others(kept),
            Self::Query(_) => others(kept) | lanes.is(b'/'),
        }
    }

    /// Where the bytes stand that do not stay.
    #[inline(always)]
    pub(super) fn changed(self, text: &[u8]) -> impl Iterator<Item = usize> {
        bytes::positions(text, move |lanes| self.changes(lanes))
    }

    /// The same but for the escapes of bytes beyond ASCII, which are left alone in every part.
    #[inline(always)]
    fn changed_ascii(self, text: &[u8]) -> impl Iterator<Item = usize> {
        bytes::positions_ahead(text, move |[byte, high, low]| {
            let high = high.is_in(b'8', b'9') | high.is_in(b'A', b'F');
            let low = low.is_in(b'0', b'9') | low.is_in(b'A', b'F');
            self.changes(byte) & others(byte.is(b'%') & high & low)
        })
    }

    /// How many bytes at the front stay.
    #[inline(always)]
    fn kept(self, text: &[u8]) -> usize {
        bytes::position(text, |lanes| self.changes(lanes)).unwrap_or(text.len())
    }

    const fn plus(self) -> PlusSign {
        match self {
            Self::Path => PlusSign::Literal,
            Self::Query(plus) => plus,
        }
    }
}

/// Unreserved characters of RFC 3986 section 2.3, by byte.
static UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

/// Values of upper-case hexadecimal digits, by byte; of all others a value that is none.
static DIGITS: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        table[UPPER[value] as usize] = value as u8;
        value += 1;
    }
    table
};

const UPPER: &[u8; 16] = b"0123456789ABCDEF";

pub(super) const fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[byte as usize]
}

/// Whether encoding would change nothing: a text of unreserved characters.
pub(crate) fn is_plain(text: &str) -> bool {
    Part::Query(PlusSign::Literal).kept(text.as_bytes()) == text.len()
}

/// Whether decoding and encoding would change nothing.
#[inline]
pub(super) fn is_canonical(raw: &[u8], part: Part) -> bool {
    bytes::none(raw, |lanes| part.changes(lanes))
        || part.changed_ascii(raw).all(|at| Escape::at(raw, at, part) == Some(Escape::Canonical))
}

/// What can stand in a target for a byte that does not stay as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// The escape that encoding writes.
    Canonical,
    /// Another escape, or a byte that has to be escaped.
    Odd,
}

impl Escape {
    /// What stands at this place; `None` if it is a `%` without two hexadecimal digits.
    #[inline(always)]
    pub(super) fn at(raw: &[u8], at: usize, part: Part) -> Option<Self> {
        match raw.get(at..) {
            Some([b'%', high, low, ..]) if needs_escape(*high, *low, part) => Some(Self::Canonical),
            Some([b'%', high, low, ..]) => value_of(*high, *low).map(|_| Self::Odd),
            Some([b'%', ..]) => None,
            _ => Some(Self::Odd),
        }
    }
}

/// Whether this can stand in no target.
pub(super) const fn is_strange(byte: u8) -> bool {
    byte == b'#' || byte.is_ascii_control()
}

/// Refuses a `%` without two hexadecimal digits, and what can stand in no target.
pub(super) fn check(raw: &[u8]) -> Result<(), RequestError> {
    if raw.iter().any(|byte| is_strange(*byte)) {
        return Err(RequestError::TargetSyntax);
    }
    let mut escapes = bytes::positions(raw, |lanes| lanes.is(b'%'));
    // What stands inside an escape is no digit.
    match escapes.all(|at| Escape::at(raw, at, Part::Path).is_some()) {
        true => Ok(()),
        false => Err(RequestError::EscapeSyntax),
    }
}

/// Decodes `raw` and encodes it again.
pub(super) fn recode(raw: &[u8], part: Part, sink: &mut impl Sink) {
    let mut rest = raw;
    loop {
        let (canonical, tail) = rest.split_at(canonical_run(rest, part));
        if !canonical.is_empty() {
            sink.put(canonical);
        }
        let mut decoded = Decoded { rest: tail, plus: part.plus() };
        let Some(byte) = decoded.next() else { return };
        if part.keeps(byte) {
            sink.put(&[byte]);
        } else {
            put_escaped(byte, sink);
        }
        rest = decoded.rest;
    }
}

/// Encodes `raw` as it stands, its `%` included.
pub(super) fn encode(raw: &[u8], part: Part, sink: &mut impl Sink) {
    let mut rest = raw;
    loop {
        let (kept, tail) = rest.split_at(part.kept(rest));
        if !kept.is_empty() {
            sink.put(kept);
        }
        let [byte, after @ ..] = tail else { return };
        put_escaped(*byte, sink);
        rest = after;
    }
}

/// Length of the prefix that decoding and encoding would not change.
fn canonical_run(raw: &[u8], part: Part) -> usize {
    let (_, mut rest) = raw.split_at(part.kept(raw));
    loop {
        rest = match rest {
            [byte, after @ ..] if part.keeps(*byte) => after,
            [b'%', high, low, after @ ..] if needs_escape(*high, *low, part) => after,
            _ => return raw.len() - rest.len(),
        };
    }
}

/// Whether these are upper-case digits of a byte that has to be escaped.
#[inline(always)]
fn needs_escape(high: u8, low: u8, part: Part) -> bool {
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    (high | low) < 16 && !part.keeps(high << 4 | low)
}

fn put_escaped(byte: u8, sink: &mut impl Sink) {
    sink.put(&[b'%', UPPER[usize::from(byte >> 4)], UPPER[usize::from(byte & 15)]]);
}

fn value_of(high: u8, low: u8) -> Option<u8> {
    const fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            b'A'..=b'F' => Some(byte - b'A' + 10),
            _ => None,
        }
    }
    Some(digit(high)? << 4 | digit(low)?)
}

/// The bytes that a piece of a target stands for.
///
/// Only pieces that passed [`check`] come here; a stray `%` would stand for itself.
#[derive(Clone)]
pub(crate) struct Decoded<'a> {
    rest: &'a [u8],
    plus: PlusSign,
}

impl<'a> Decoded<'a> {
    pub(crate) const fn of_path(raw: &'a str) -> Self {
        Self { rest: raw.as_bytes(), plus: PlusSign::Literal }
    }

    pub(crate) const fn of_query(raw: &'a [u8], plus: PlusSign) -> Self {
        Self { rest: raw, plus }
    }
}

impl<'a> Decoded<'a> {
    /// The bytes at the front that stand for themselves.
    pub(crate) fn literal(&mut self) -> &'a [u8] {
        let end = bytes::position(self.rest, |lanes| lanes.is(b'%') | lanes.is(b'+'));
        let (literal, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        literal
    }

    /// Hands over all bytes, piece by piece: what stands for itself as it stands.
    pub(crate) fn each_piece(mut self, mut each: impl FnMut(&[u8])) {
        while !self.rest.is_empty() {
            let literal = self.literal();
            if !literal.is_empty() {
                each(literal);
            }
            let mut escaped = Bounded::<u8, 32>::filled_with(0);
            while let [b'%' | b'+', ..] = self.rest
                && let Some(byte) = self.next()
            {
                if escaped.push(byte).is_err() {
                    each(escaped.as_slice());
                    escaped.clear();
                    let _ = escaped.push(byte);
                }
            }
            if !escaped.as_slice().is_empty() {
                each(escaped.as_slice());
            }
        }
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if let [b'%', high, low, after @ ..] = self.rest
            && let Some(byte) = value_of(*high, *low)
        {
            self.rest = after;
            return Some(byte);
        }
        let (byte, after) = self.rest.split_first()?;
        self.rest = after;
        Some(if *byte == b'+' && self.plus == PlusSign::Space { b' ' } else { *byte })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len().div_ceil(3), Some(self.rest.len()))
    }
}

/// Orders two pieces as their encoded forms are ordered, without writing them: an escape begins
/// with `%`, which sorts before every unreserved byte, and escapes sort by the byte they stand for.
pub(super) fn compare(a: Decoded<'_>, b: Decoded<'_>) -> core::cmp::Ordering {
    let rank = |byte: u8| (is_unreserved(byte), byte);
    a.map(rank).cmp(b.map(rank))
}
