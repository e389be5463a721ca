//! Looking at bytes, and copying short runs of them, sixteen at a time.
//!
//! A head is many short texts. A call for each, or a step for each byte, costs more than hashing
//! them; here a text is a few vectors, the last of which overlaps the one before. Nothing here knows
//! what the bytes mean.

use core::ops::{BitAnd, BitOr};

use wide::u8x16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Lanes(u8x16);

/// Some of sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Marks(u8x16);

const LANES: usize = 16;

impl Lanes {
    #[inline(always)]
    const fn of(bytes: [u8; LANES]) -> Self {
        Self(u8x16::new(bytes))
    }

    /// The bytes of a text of at most sixteen, zeros behind it.
    #[inline(always)]
    fn of_short(text: &[u8]) -> Self {
        let (low, high) = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                // The two share bytes where there are fewer than sixteen.
                let shared = 8 * (LANES - text.len()) as u32;
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last).unbounded_shr(shared))
            }
            _ => (head(text), 0),
        };
        Self::of((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
    }

    /// The bytes that are this one.
    #[inline(always)]
    pub(crate) fn is(self, byte: u8) -> Marks {
        Marks(self.0.simd_eq(u8x16::splat(byte)))
    }

    /// The bytes from `first` to `last`.
    #[inline(always)]
    pub(crate) fn is_in(self, first: u8, last: u8) -> Marks {
        let from_first = self.0 - u8x16::splat(first);
        Marks(from_first.min(u8x16::splat(last - first)).simd_eq(from_first))
    }

    /// The ASCII letters.
    #[inline(always)]
    pub(crate) fn is_letter(self) -> Marks {
        Self(self.0 | u8x16::splat(0x20)).is_in(b'a', b'z')
    }

    /// The same with ASCII letters in lower case.
    #[inline(always)]
    fn lower(self) -> Self {
        // The cases differ in one bit.
        Self(self.0 | self.is_in(b'A', b'Z').0 & u8x16::splat(0x20))
    }

    #[inline(always)]
    fn to_array(self) -> [u8; LANES] {
        self.0.to_array()
    }
}

impl Marks {
    pub(crate) const NONE: Self = Self(u8x16::ZERO);

    /// One bit for each byte, that of the first lowest.
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0.to_bitmask()
    }
}

impl BitOr for Marks {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Marks {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The bytes that are not marked.
#[inline(always)]
pub(crate) fn others(marks: Marks) -> Marks {
    Marks(!marks.0)
}

/// Which bytes of the sixteen from `at` on are marked by `kind`, by bits; none behind the end.
#[inline(always)]
fn marked(text: &[u8], at: usize, kind: impl Fn(Lanes) -> Marks) -> u32 {
    let Some((_, rest)) = text.split_at_checked(at) else { return 0 };
    match (rest.first_chunk(), text.last_chunk()) {
        (Some(whole), _) => kind(Lanes::of(*whole)).bits(),
        // Those before `at` are shifted out.
        (None, Some(last)) => kind(Lanes::of(*last)).bits() >> (LANES - rest.len()),
        // The zeros behind a short text are no part of it.
        (None, None) => kind(Lanes::of_short(rest)).bits() & !(u32::MAX << rest.len()),
    }
}

/// The same for a kind that depends on the two bytes behind each as well, zeros behind the end.
#[inline(always)]
fn marked_ahead(text: &[u8], at: usize, kind: impl Fn([Lanes; 3]) -> Marks) -> u32 {
    let Some((_, rest)) = text.split_at_checked(at) else { return 0 };
    let behind = |count: usize| rest.get(count..).unwrap_or_default();
    if let Some(third) = behind(2).first_chunk()
        && let Some(second) = behind(1).first_chunk()
        && let Some(first) = rest.first_chunk()
    {
        return kind([Lanes::of(*first), Lanes::of(*second), Lanes::of(*third)]).bits();
    }
    marked_ahead_of_end(rest, kind)
}

/// The same for the last few bytes.
#[inline(never)]
fn marked_ahead_of_end(rest: &[u8], kind: impl Fn([Lanes; 3]) -> Marks) -> u32 {
    let lanes = [0, 1, 2].map(|behind| {
        let rest = rest.get(behind..).unwrap_or_default();
        Lanes::of_short(rest.get(..LANES).unwrap_or(rest))
    });
    kind(lanes).bits() & !u32::MAX.unbounded_shl(rest.len() as u32)
}

/// The positions of some of the bytes of a text.
pub(crate) struct Positions<'a, F> {
    text: &'a [u8],
    /// Which of the sixteen from a position on, by bits.
    marked: F,
    /// Where the sixteen begin that are looked at, and which of them are still to come.
    at: usize,
    bits: u32,
}

/// The positions of all bytes that `kind` marks: the text is read once, however many there are.
#[inline(always)]
pub(crate) fn positions(
    text: &[u8],
    kind: impl Fn(Lanes) -> Marks,
) -> Positions<'_, impl Fn(&[u8], usize) -> u32> {
    let bits = marked(text, 0, &kind);
    Positions { text, marked: move |text: &[u8], at| marked(text, at, &kind), at: 0, bits }
}

/// The same for a kind that depends on the two bytes behind each as well, zeros behind the end.
#[inline(always)]
pub(crate) fn positions_ahead(
    text: &[u8],
    kind: impl Fn([Lanes; 3]) -> Marks,
) -> Positions<'_, impl Fn(&[u8], usize) -> u32> {
    let bits = marked_ahead(text, 0, &kind);
    Positions { text, marked: move |text: &[u8], at| marked_ahead(text, at, &kind), at: 0, bits }
}

impl<F: Fn(&[u8], usize) -> u32> Iterator for Positions<'_, F> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.at += LANES;
            if self.at >= self.text.len() {
                return None;
            }
            self.bits = (self.marked)(self.text, self.at);
        }
        let position = self.at + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(position)
    }
}

/// The position of the first byte that `kind` marks.
#[inline(always)]
pub(crate) fn position(text: &[u8], kind: impl Fn(Lanes) -> Marks) -> Option<usize> {
    let Some(last) = text.last_chunk() else {
        let bits = marked(text, 0, kind);
        return (bits != 0).then_some(bits.trailing_zeros() as usize);
    };
    for (nth, lanes) in text.as_chunks().0.iter().enumerate() {
        let bits = kind(Lanes::of(*lanes)).bits();
        if bits != 0 {
            return Some(LANES * nth + bits.trailing_zeros() as usize);
        }
    }
    // What the last sixteen share with those before has no marks, so what is found is the first.
    let bits = kind(Lanes::of(*last)).bits();
    (bits != 0).then(|| text.len() - LANES + bits.trailing_zeros() as usize)
}

/// Whether `kind` marks no byte.
#[inline(always)]
pub(crate) fn none(text: &[u8], kind: impl Fn(Lanes) -> Marks) -> bool {
    // It does not matter which bytes are looked at twice.
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        return match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => kind(both(*first, *last)).bits() == 0,
            _ => marked(text, 0, kind) == 0,
        };
    };
    let mut marks = kind(Lanes::of(*first)) | kind(Lanes::of(*last));
    if text.len() > 2 * LANES && marks.bits() == 0 {
        for lanes in text.as_chunks().0.iter().skip(1) {
            marks = marks | kind(Lanes::of(*lanes));
        }
    }
    marks.bits() == 0
}

/// The position of the first such byte.
#[inline]
pub(crate) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    position(text, |lanes| lanes.is(wanted))
}

/// The position of the last such byte.
#[inline]
pub(crate) fn rfind(text: &[u8], wanted: u8) -> Option<usize> {
    let last = |bits: u32| (u32::BITS - 1 - bits.leading_zeros()) as usize;
    let (rest, lanes) = text.as_rchunks();
    for (nth, lanes) in lanes.iter().enumerate().rev() {
        let bits = Lanes::of(*lanes).is(wanted).bits();
        if bits != 0 {
            return Some(rest.len() + LANES * nth + last(bits));
        }
    }
    let bits = marked(rest, 0, |lanes| lanes.is(wanted));
    (bits != 0).then(|| last(bits))
}

/// The first eight bytes, the first one lowest, zeros behind a shorter text.
#[inline(always)]
pub(crate) fn head(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk() {
        return u64::from_le_bytes(*first);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        // The two share bytes where there are fewer than eight.
        return u64::from(first) | u64::from(last) << (8 * (text.len() - 4));
    }
    text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The first eight bytes as a number that has the order of the texts. Shorter texts sort as if
/// zeros stood behind them.
#[inline(always)]
pub(crate) fn key(text: &[u8]) -> u64 {
    head(text).swap_bytes()
}

/// The same in lower case.
#[inline(always)]
pub(crate) fn lower_key(text: &[u8]) -> u64 {
    lower_word(key(text))
}

/// The first sixteen bytes in lower case, as a number that has the order of the texts. Shorter texts
/// sort as if zeros stood behind them.
#[inline(always)]
pub(crate) fn long_lower_key(text: &[u8]) -> u128 {
    let lanes = text.first_chunk().map_or_else(|| Lanes::of_short(text), |first| Lanes::of(*first));
    u128::from_be_bytes(lanes.lower().to_array())
}

/// Eight bytes with ASCII letters in lower case.
#[inline(always)]
const fn lower_word(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Neither sum carries into the next byte: what is added up are seven bits each.
    let low = word & (0x7f * ONES);
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let above_z = low + (0x7f - b'Z' as u64) * ONES;
    word | (from_a & !above_z & !word & (0x80 * ONES)) >> 2
}

/// Whether `text` in lower case is `lower_case`.
#[inline(always)]
pub(crate) fn lowers_to(text: &[u8], lower_case: &[u8]) -> bool {
    if text.len() != lower_case.len() {
        return false;
    }
    let (Some(last), Some(lower_last)) = (text.last_chunk(), lower_case.last_chunk()) else {
        return ends_of(text).lower().to_array() == ends_of(lower_case).to_array();
    };
    let same = |text: &[u8; LANES], lower_case: &[u8; LANES]| {
        Lanes::of(*text).lower().to_array() == *lower_case
    };
    let (Some(first), Some(lower_first)) = (text.first_chunk(), lower_case.first_chunk()) else {
        return false;
    };
    let mut all = text.as_chunks().0.iter().zip(lower_case.as_chunks().0);
    same(first, lower_first)
        && same(last, lower_last)
        && (text.len() <= 2 * LANES || all.all(|(text, lower_case)| same(text, lower_case)))
}

/// A text that is copied in another form than it came in, or in the same.
pub(crate) trait Text {
    /// How many bytes it has, in either form.
    fn len(&self) -> usize;

    /// Writes the text to the front of a place that is at least as long. What stands behind it there
    /// may be overwritten.
    fn write(&self, to: &mut [u8]);

    /// Hands over the text, piece by piece.
    fn each_piece(&self, each: impl FnMut(&[u8]));
}

impl Text for &[u8] {
    #[inline(always)]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    #[inline(always)]
    fn write(&self, to: &mut [u8]) {
        copy(to, self);
    }

    #[inline(always)]
    fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        each(self);
    }
}

/// A text in lower case, made so once, however often it is written.
#[derive(Clone, Copy)]
pub(crate) struct Lowered<'a> {
    /// The first sixteen bytes in lower case, zeros behind a shorter text.
    head: [u8; LANES],
    /// In the case it came in.
    text: &'a [u8],
}

impl<'a> Lowered<'a> {
    #[inline(always)]
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let lanes = text.first_chunk().map(|first| Lanes::of(*first));
        let lanes = lanes.unwrap_or_else(|| Lanes::of_short(text));
        Self { head: lanes.lower().to_array(), text }
    }

    /// Writes what follows the first sixteen bytes.
    #[inline(always)]
    fn write_behind(&self, to: &mut [u8]) {
        let Some(to) = to.get_mut(..self.len()) else { return };
        if self.len() > 2 * LANES {
            for (to, from) in to.as_chunks_mut().0.iter_mut().zip(self.text.as_chunks().0) {
                *to = Lanes::of(*from).lower().to_array();
            }
        }
        // What it shares with those before is written twice.
        if let (Some(place), Some(last)) = (to.last_chunk_mut(), self.text.last_chunk()) {
            *place = Lanes::of(*last).lower().to_array();
        }
    }
}

impl Text for Lowered<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.text.len()
    }

    #[inline(always)]
    fn write(&self, to: &mut [u8]) {
        match to.first_chunk_mut() {
            Some(place) => *place = self.head,
            None => copy(to, self.head.get(..to.len()).unwrap_or_default()),
        }
        if self.len() > LANES {
            self.write_behind(to);
        }
    }

    fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        for piece in self.text.chunks(LANES) {
            let lower = Lanes::of_short(piece).lower().to_array();
            each(lower.get(..piece.len()).unwrap_or_default());
        }
    }
}

/// Copies a text to a place of its length. Short ones take no call of `memcpy`.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    // Both have this length, which spares asking again.
    let Some(to) = to.get_mut(..from.len()) else { return };
    // Most are between 8 and 32: those are asked for first.
    let len = from.len();
    if len >= 8 {
        if len <= 16 {
            ends::<8>(to, from);
        } else if len <= 32 {
            ends::<16>(to, from);
        } else if len <= 64 {
            ends::<32>(to, from);
        } else {
            to.copy_from_slice(from);
        }
    } else if len >= 4 {
        ends::<4>(to, from);
    } else if len >= 2 {
        ends::<2>(to, from);
    } else {
        ends::<1>(to, from);
    }
}

/// Two words at once.
#[inline(always)]
fn both(first: [u8; 8], last: [u8; 8]) -> Lanes {
    let [first, last] = [first, last].map(|word| u128::from(u64::from_le_bytes(word)));
    Lanes::of((last << 64 | first).to_le_bytes())
}

/// All bytes of a text of at most sixteen, some perhaps twice: where they stand follows from its
/// length.
#[inline(always)]
fn ends_of(text: &[u8]) -> Lanes {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => both(*first, *last),
        _ => both(head(text).to_le_bytes(), [0; 8]),
    }
}

/// Copies the first and the last `N` bytes, which overlap or meet.
#[inline(always)]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{
        LANES, Lanes, Lowered, Text, copy, find, head, key, lower_key, lowers_to, none, others,
        position, positions, positions_ahead, rfind,
    };
    use std::vec::Vec;

    /// Every length over some words, the byte looked for at every place, and once more behind it.
    #[test]
    fn finds_the_first_and_the_last() {
        for len in 0..70 {
            let mut text: Vec<u8> = (0..len).map(|at| b'a' + at % 26).collect();
            assert_eq!((find(&text, b'#'), rfind(&text, b'#')), (None, None));
            // What fills up a word belongs to no text.
            assert!(none(&text, |lanes| lanes.is(0)));
            assert_eq!(positions(&text, |lanes| lanes.is(0)).count(), 0);
            for at in 0..text.len() {
                let last = text.len() - 1;
                let before = (text[at], text[last]);
                text[at] = b'#';
                assert!(!none(&text, |lanes| lanes.is(b'#')), "{len} at {at}");
                text[last] = b'#';
                assert_eq!((find(&text, b'#'), rfind(&text, b'#')), (Some(at), Some(last)));
                assert_eq!(rfind(&text[..last], b'#'), (at < last).then_some(at));
                let all: Vec<_> = positions(&text, |lanes| lanes.is(b'#')).collect();
                assert_eq!(all, if at < last { std::vec![at, last] } else { std::vec![at] });
                assert_eq!(position(&text, |lanes| others(lanes.is_letter())), Some(at), "{len}");
                (text[at], text[last]) = before;
            }
        }
    }

    /// Every length over some vectors, what is looked for at every place, and cut off by the end.
    #[test]
    fn looks_ahead() {
        for len in 0..70 {
            let mut text = std::vec![b'.'; len];
            let all = |text: &[u8]| -> Vec<_> {
                let kind = |[a, b, c]: [Lanes; 3]| a.is(b'1') & b.is(b'2') & c.is(b'3');
                positions_ahead(text, kind).collect()
            };
            for at in 0..len {
                let whole = text[at..].first_chunk_mut::<3>().map(|place| *place = *b"123");
                assert_eq!(all(&text), if whole.is_some() { std::vec![at] } else { std::vec![] });
                assert!(all(&text[..text.len().min(at + 2)]).is_empty());
                text.fill(b'.');
            }
            text.fill(0);
            let zeros = |[a, b, c]: [Lanes; 3]| a.is(0) & b.is(0) & c.is(0);
            assert_eq!(positions_ahead(&text, zeros).count(), len);
        }
    }

    /// Each byte, at each place, among bytes that are and are not of the kind.
    #[test]
    fn kinds() {
        for byte in 0..=255 {
            for (place, other) in
                (0..LANES).flat_map(|place| [0, 0x7f, 0x80, 0xff, b'a'].map(|o| (place, o)))
            {
                let mut bytes = [other; LANES];
                bytes[place] = byte;
                let lanes = Lanes::of(bytes);
                let check = |marks: super::Marks, kind: &dyn Fn(u8) -> bool| {
                    for (at, byte) in bytes.iter().enumerate() {
                        assert_eq!(marks.bits() >> at & 1 == 1, kind(*byte), "{bytes:?}");
                    }
                    assert_eq!(marks.bits() ^ others(marks).bits(), 0xffff);
                };
                check(lanes.is(b'%'), &|byte| byte == b'%');
                check(lanes.is(0), &|byte| byte == 0);
                check(lanes.is(0x7f), &|byte| byte == 0x7f);
                check(lanes.is_in(0, b' ' - 1), &|byte| byte < b' ');
                check(lanes.is_in(b'!', b'~'), &|byte| byte.is_ascii_graphic());
                check(lanes.is_in(b'-', b'9'), &|byte| (b'-'..=b'9').contains(&byte));
                check(lanes.is_letter(), &|byte| byte.is_ascii_alphabetic());
                check(lanes.is(0) | lanes.is(b'a'), &|byte| byte == 0 || byte == b'a');
                check(lanes.is_letter() & lanes.is_in(0, b'Z'), &|b| b.is_ascii_uppercase());
                assert_eq!(lanes.lower().to_array()[..], bytes.to_ascii_lowercase());
                let word = &bytes[place & 8..][..8];
                assert_eq!(lower_key(word), key(&word.to_ascii_lowercase()));
            }
        }
    }

    #[test]
    fn lower_case() {
        let text = b"X-Amz-Meta-Reviewed-By: Ada @ [Z]";
        for len in 0..=text.len() {
            let (text, lower) = (&text[..len], text[..len].to_ascii_lowercase());
            assert!(lowers_to(text, &lower) && lowers_to(&lower, &lower));
            for at in 0..len {
                let mut other = lower.clone();
                other[at] = b'#';
                assert!(!lowers_to(text, &other), "{at}");
            }
            assert_eq!(lowers_to(text, text), text == lower);
        }
        assert!(lower_key(b"Ab") < lower_key(b"abc") && lower_key(b"B") > lower_key(b"abc"));
    }

    #[test]
    fn copies_the_whole() {
        let text: Vec<u8> = (0..=255).collect();
        for len in 0..text.len() {
            let (from, mut to) = (&text[..len], std::vec![7; len]);
            copy(&mut to, from);
            assert_eq!(to, from);
        }
    }

    /// To a place of the text's length, and to longer ones.
    #[test]
    fn writes_the_whole() {
        let text: Vec<u8> = (0..=255).cycle().skip(b'8'.into()).take(80).collect();
        for len in 0..=text.len() {
            let text = &text[..len];
            let (lowered, lower) = (Lowered::new(text), text.to_ascii_lowercase());
            for room in 0..40 {
                let mut to = std::vec![7; len + room];
                lowered.write(&mut to);
                assert_eq!(to[..len], lower, "{len} with {room}");
                text.write(&mut to);
                assert_eq!(to[..len], *text, "{len} with {room}");
            }
            let (mut pieces, mut piece) = (Vec::new(), Vec::new());
            lowered.each_piece(|piece| pieces.extend_from_slice(piece));
            text.each_piece(|all| piece.extend_from_slice(all));
            assert_eq!((pieces, piece), (lower, text.to_vec()));
            assert_eq!((Text::len(&lowered), Text::len(&text)), (len, len));
        }
    }

    #[test]
    fn heads() {
        let text = b"Ab[@Zz{`\x80\xc1#;:+.,z";
        for len in 0..=text.len() {
            if len <= LANES {
                let mut sixteen = [0; LANES];
                sixteen[..len].copy_from_slice(&text[..len]);
                assert_eq!(Lanes::of_short(&text[..len]).to_array(), sixteen, "{len}");
            }
            let mut eight = [0; 8];
            let kept = len.min(8);
            eight[..kept].copy_from_slice(&text[..kept]);
            assert_eq!(head(&text[..len]).to_le_bytes(), eight, "{len}");
        }
    }
}
