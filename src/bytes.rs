//! Looking at bytes, and copying short runs of them, eight and more at a time.
//!
//! A head is many short texts. A call for each, or a step for each byte, costs more than hashing
//! them; here a text is a few words, the last of which overlaps the one before. Nothing here knows
//! what the bytes mean.

/// Eight bytes, the first one lowest.
#[derive(Clone, Copy)]
pub(crate) struct Word(u64);

/// Some of the bytes of a word: the high bit of each.
pub(crate) type Marks = u64;

const ONES: u64 = u64::from_le_bytes([1; 8]);
const LOW: u64 = 0x7f * ONES;
const HIGH: u64 = 0x80 * ONES;

// In none of these does a sum carry into the next byte: what is added up are seven bits each.
impl Word {
    #[inline(always)]
    const fn of(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// The bytes that are this one.
    #[inline(always)]
    pub(crate) const fn is(self, byte: u8) -> Marks {
        let differing = self.0 ^ (ONES * byte as u64);
        !(((differing & LOW) + LOW) | differing) & HIGH
    }

    /// The bytes from `first` to `last`, both ASCII.
    #[inline(always)]
    pub(crate) const fn is_in(self, first: u8, last: u8) -> Marks {
        let from_first = (self.0 & LOW) + (0x80 - first as u64) * ONES;
        let above_last = (self.0 & LOW) + (0x7f - last as u64) * ONES;
        from_first & !above_last & !self.0 & HIGH
    }

    /// The ASCII letters.
    #[inline(always)]
    pub(crate) const fn is_letter(self) -> Marks {
        Self(self.0 | (0x20 * ONES)).is_in(b'a', b'z')
    }

    /// The same with ASCII letters in lower case.
    #[inline(always)]
    const fn lower(self) -> Self {
        // The cases differ in one bit.
        Self(self.0 | self.is_in(b'A', b'Z') >> 2)
    }
}

/// The bytes that are not marked.
#[inline(always)]
pub(crate) const fn others(marks: Marks) -> Marks {
    !marks & HIGH
}

/// The position of the first byte that `kind` marks.
#[inline(always)]
pub(crate) fn position(bytes: &[u8], kind: impl Fn(Word) -> Marks) -> Option<usize> {
    let Some(last) = bytes.last_chunk() else {
        // The zeros behind a short text are no part of it.
        return first(kind(Word(head(bytes)))).filter(|at| *at < bytes.len());
    };
    for (nth, word) in bytes.as_chunks().0.iter().enumerate() {
        if let Some(at) = first(kind(Word::of(*word))) {
            return Some(8 * nth + at);
        }
    }
    // What the last word shares with the one before has no marks, so what it finds is the first.
    first(kind(Word::of(*last))).map(|at| bytes.len() - 8 + at)
}

/// Whether `kind` marks no byte.
#[inline(always)]
pub(crate) fn none(bytes: &[u8], kind: impl Fn(Word) -> Marks) -> bool {
    let Some(last) = bytes.last_chunk() else {
        let behind = HIGH.unbounded_shl(8 * bytes.len() as u32);
        return kind(Word(head(bytes))) & !behind == 0;
    };
    // All of them, without a look at each, so that several are worked out at once.
    let words = bytes.as_chunks().0.iter();
    let marks = words.fold(kind(Word::of(*last)), |marks, word| marks | kind(Word::of(*word)));
    marks == 0
}

/// The position of the first such byte.
#[inline]
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    position(bytes, |word| word.is(wanted))
}

/// The position of the last such byte.
#[inline]
pub(crate) fn rfind(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (rest, words) = bytes.as_rchunks();
    for (nth, word) in words.iter().enumerate().rev() {
        let marks = Word::of(*word).is(wanted);
        if marks != 0 {
            return Some(rest.len() + 8 * nth + 7 - marks.leading_zeros() as usize / 8);
        }
    }
    rest.iter().rposition(|byte| *byte == wanted)
}

#[inline(always)]
fn first(marks: Marks) -> Option<usize> {
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}

/// The first eight bytes, the first one lowest, zeros behind a shorter text.
#[inline(always)]
pub(crate) fn head(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_le_bytes(*first);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        // The two share bytes where there are fewer than eight.
        return u64::from(first) | u64::from(last) << (8 * (bytes.len() - 4));
    }
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The first eight bytes in lower case, as a number that has the order of the texts. Shorter texts
/// sort as if zeros stood behind them.
#[inline(always)]
pub(crate) fn lower_key(bytes: &[u8]) -> u64 {
    Word(head(bytes)).lower().0.swap_bytes()
}

/// Whether `text` in lower case is `lower_case`.
#[inline(always)]
pub(crate) fn lowers_to(text: &[u8], lower_case: &[u8]) -> bool {
    if text.len() != lower_case.len() || Word(head(text)).lower().0 != head(lower_case) {
        return false;
    }
    let same = |(a, b): (&[u8; 8], &[u8; 8])| Word::of(*a).lower().0 == Word::of(*b).0;
    text.as_chunks().0.iter().zip(lower_case.as_chunks().0).skip(1).all(same)
        && text.last_chunk().zip(lower_case.last_chunk()).is_none_or(same)
}

/// Copies a text to a place of its length. Short ones take no call of `memcpy`.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0 => {}
        1 => ends::<1>(to, from),
        2..=3 => ends::<2>(to, from),
        4..=7 => ends::<4>(to, from),
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        33..=64 => ends::<32>(to, from),
        _ => to.copy_from_slice(from),
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

/// Copies a text in lower case to a place of its length.
#[inline(always)]
pub(crate) fn copy_lower(to: &mut [u8], from: &[u8]) {
    let Some(last) = from.last_chunk() else {
        let lower = Word(head(from)).lower().0.to_le_bytes();
        return copy(to, lower.get(..from.len()).unwrap_or_default());
    };
    for (to, from) in to.as_chunks_mut().0.iter_mut().zip(from.as_chunks().0) {
        *to = Word::of(*from).lower().0.to_le_bytes();
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = Word::of(*last).lower().0.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{
        Word, copy, copy_lower, find, head, lower_key, lowers_to, none, others, position, rfind,
    };
    use std::vec::Vec;

    /// Every length over some words, the byte looked for at every place, and once more behind it.
    #[test]
    fn finds_the_first_and_the_last() {
        for len in 0..40 {
            let mut text: Vec<u8> = (0..len).map(|at| b'a' + at % 26).collect();
            assert_eq!((find(&text, b'#'), rfind(&text, b'#')), (None, None));
            // What fills up a word belongs to no text.
            assert!(none(&text, |word| word.is(0)));
            for at in 0..text.len() {
                let last = text.len() - 1;
                let before = (text[at], text[last]);
                (text[last], text[at]) = (b'#', b'#');
                assert_eq!((find(&text, b'#'), rfind(&text, b'#')), (Some(at), Some(last)));
                assert_eq!(rfind(&text[..last], b'#'), (at < last).then_some(at));
                assert_eq!(position(&text, |word| others(word.is_letter())), Some(at), "{len}");
                (text[at], text[last]) = before;
            }
        }
    }

    /// Each byte, at each place, among bytes that are and are not of the kind.
    #[test]
    fn kinds() {
        for byte in 0..=255 {
            for (place, other) in
                (0..8).flat_map(|place| [0, 0x7f, 0x80, 0xff, b'a'].map(|o| (place, o)))
            {
                let mut bytes = [other; 8];
                bytes[place] = byte;
                let word = Word::of(bytes);
                let check = |marks: u64, kind: &dyn Fn(u8) -> bool| {
                    let expected = bytes.map(|byte| if kind(byte) { 0x80 } else { 0 });
                    assert_eq!(marks.to_le_bytes(), expected, "{bytes:?}");
                };
                check(word.is(b'%'), &|byte| byte == b'%');
                check(word.is(0), &|byte| byte == 0);
                check(word.is(0x7f), &|byte| byte == 0x7f);
                check(word.is_in(0, b' ' - 1), &|byte| byte < b' ');
                check(word.is_in(b'!', b'~'), &|byte| byte.is_ascii_graphic());
                check(word.is_in(b'-', b'9'), &|byte| (b'-'..=b'9').contains(&byte));
                check(word.is_letter(), &|byte| byte.is_ascii_alphabetic());
                assert_eq!(word.lower().0.to_le_bytes()[..], bytes.to_ascii_lowercase());
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
            copy_lower(&mut to, from);
            assert_eq!(to, from.to_ascii_lowercase());
        }
    }

    #[test]
    fn heads() {
        let text = b"Ab[@Zz{`\x80\xc1";
        for len in 0..=text.len() {
            let mut eight = [0; 8];
            let kept = len.min(8);
            eight[..kept].copy_from_slice(&text[..kept]);
            assert_eq!(head(&text[..len]).to_le_bytes(), eight, "{len}");
        }
    }
}
