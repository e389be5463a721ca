//! SHA-256, HMAC-SHA-256, hexadecimal digests and the one comparison of secrets.
//!
//! The only file that names the hash backend. It works on the backend's block function instead of
//! its `Digest` wrapper, which costs a third of a compression for each of the three short messages
//! of a signature: the block buffer and the padding are ours, the compression is not.
//!
//! FIPS 180-4 (SHA-256), RFC 2104 (HMAC).

use core::fmt;

use sha2::block_api::compress256;
/// What is wiped when it is dropped.
#[cfg(feature = "tower")]
pub(crate) use zeroize::Zeroizing as Wiped;
use zeroize::optimization_barrier;

use crate::bytes::{self, Lanes, others};

/// Length of a SHA-256 digest in bytes.
pub(crate) const DIGEST_LEN: usize = 32;

const BLOCK_LEN: usize = 64;

/// The initial hash value, FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The longest padding but for the length: a bit, and zeros over the rest of a block in which the
/// length has no room, and over the next up to the length.
const PADDING: [u8; BLOCK_LEN + 8] = {
    let mut padding = [0; BLOCK_LEN + 8];
    padding[0] = 0x80;
    padding
};

/// A running SHA-256, for data in large pieces.
pub(crate) type Sha256 = Gathering<1>;

/// A running SHA-256 that gathers small pieces to `BLOCKS` blocks before it hashes them.
#[derive(Clone)]
pub(crate) struct Gathering<const BLOCKS: usize> {
    state: [u32; 8],
    /// What is not hashed yet, `filled` bytes of it; all may be.
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    filled: usize,
    /// Bytes hashed so far.
    hashed: u64,
}

impl Sha256 {
    pub(crate) fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = Self::new();
        hash.update(data);
        hash.finish()
    }

    /// Ends a message; the next one can begin.
    pub(crate) fn end(&mut self) -> [u8; DIGEST_LEN] {
        let mut blocks = [self.blocks[0], [0; BLOCK_LEN]];
        let rest = &mut blocks.as_flattened_mut()[self.filled..];
        rest[..BLOCK_LEN].copy_from_slice(&PADDING[..BLOCK_LEN]);
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        blocks[count - 1][BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, &blocks[..count]);
        let digest = bytes_of(&self.state);
        (self.state, self.filled, self.hashed) = (INITIAL, 0, 0);
        digest
    }
}

/// Messages that [`digest_each`] takes at a time. With more of them it gains nothing.
pub(crate) const LANES: usize = 16;

/// How many messages are hashed side by side: with 1, nothing is gained by [`digest_each`].
#[inline]
pub(crate) fn lanes() -> usize {
    #[cfg(feature = "lanes")]
    return countersign_multihash::lanes().min(LANES);
    #[cfg(not(feature = "lanes"))]
    1
}

/// The digests of messages, each in pieces, in their order.
pub(crate) fn digest_each(messages: &[&[&[u8]]], digests: &mut [[u8; DIGEST_LEN]]) {
    #[cfg(feature = "lanes")]
    if messages.len() > 1 && messages.len() == digests.len() {
        return countersign_multihash::sha256_each_of(messages, digests);
    }
    for (pieces, digest) in messages.iter().zip(digests) {
        let mut hash = Sha256::new();
        pieces.iter().for_each(|piece| hash.update(piece));
        *digest = hash.end();
    }
}

impl<const BLOCKS: usize> Gathering<BLOCKS> {
    pub(crate) const fn new() -> Self {
        Self { state: INITIAL, blocks: [[0; BLOCK_LEN]; BLOCKS], filled: 0, hashed: 0 }
    }

    /// A hash that has already taken one block, whose result is `state`.
    const fn after_block(state: [u32; 8]) -> Self {
        let blocks = [[0; BLOCK_LEN]; BLOCKS];
        Self { state, blocks, filled: 0, hashed: BLOCK_LEN as u64 }
    }

    #[inline(always)]
    pub(crate) fn update(&mut self, data: &[u8]) {
        match self.place(data.len()) {
            Some(place) => bytes::copy(place, data),
            None => self.overflow(data),
        }
    }

    /// The next `len` bytes, to be written by the caller; `None` if there is no room.
    #[inline(always)]
    pub(crate) fn place(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.filled + len;
        let place = self.blocks.as_flattened_mut().get_mut(self.filled..end)?;
        self.filled = end;
        Some(place)
    }

    /// Takes data for which there is no room.
    #[inline(never)]
    fn overflow(&mut self, mut data: &[u8]) {
        if self.filled != 0 {
            let (_, room) = self.blocks.as_flattened_mut().split_at_mut(self.filled);
            let (head, rest) = data.split_at(room.len());
            room.copy_from_slice(head);
            compress256(&mut self.state, &self.blocks);
            self.hashed = self.hashed.wrapping_add((BLOCKS * BLOCK_LEN) as u64);
            data = rest;
        }
        let (blocks, rest) = data.as_chunks::<BLOCK_LEN>();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
            self.hashed = self.hashed.wrapping_add((blocks.len() * BLOCK_LEN) as u64);
        }
        self.blocks.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// Hashes the blocks that are full. What follows is written while they are worked on.
    #[inline]
    pub(crate) fn flush(&mut self) {
        let full = self.filled / BLOCK_LEN;
        if let Some(blocks) = self.blocks.get(..full).filter(|blocks| !blocks.is_empty()) {
            compress256(&mut self.state, blocks);
            self.hashed = self.hashed.wrapping_add((full * BLOCK_LEN) as u64);
            self.filled %= BLOCK_LEN;
            if let Some(rest) = self.blocks.get(full) {
                self.blocks[0] = *rest;
            }
        }
    }

    #[inline]
    fn finish_words(&mut self) -> [u32; 8] {
        let rest = self.blocks.as_flattened_mut().get_mut(self.filled..);
        let Some(padding) = rest.and_then(<[u8]>::first_chunk_mut) else {
            return self.finish_full();
        };
        *padding = PADDING;
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        let blocks = &mut self.blocks[..count];
        if let Some(last) = blocks.last_mut() {
            last[BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        }
        compress256(&mut self.state, blocks);
        self.state
    }

    /// Finishes where there is no room for the longest padding.
    #[inline(never)]
    fn finish_full(&mut self) -> [u32; 8] {
        self.flush();
        let mut last = Gathering::<3> {
            state: self.state,
            blocks: [[0; BLOCK_LEN]; 3],
            // Less than a block.
            filled: self.filled,
            hashed: self.hashed,
        };
        last.blocks[0] = self.blocks[0];
        last.finish_words()
    }

    #[inline(always)]
    pub(crate) fn finish(mut self) -> [u8; DIGEST_LEN] {
        self.finish_in_place()
    }

    /// As [`finish`](Self::finish), without moving the blocks. Nothing can follow.
    #[inline(always)]
    pub(crate) fn finish_in_place(&mut self) -> [u8; DIGEST_LEN] {
        bytes_of(&self.finish_words())
    }
}

/// The end of a message of which little changes from one to the next, laid out with its padding.
///
/// What changes is written in place.
#[derive(Clone)]
pub(crate) struct Layout<const BLOCKS: usize> {
    /// The hash of all that comes before.
    state: [u32; 8],
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    count: usize,
}

impl<const BLOCKS: usize> Gathering<BLOCKS> {
    /// Bytes that are not hashed yet: where the next ones will stand in the layout.
    pub(crate) const fn waiting(&self) -> usize {
        self.filled
    }

    /// Pads what is not hashed yet, for which there has to be room.
    pub(crate) fn lay_out(mut self) -> Layout<BLOCKS> {
        let rest = &mut self.blocks.as_flattened_mut()[self.filled..];
        rest.fill(0);
        rest[0] = PADDING[0];
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        self.blocks[count - 1][BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        Layout { state: self.state, blocks: self.blocks, count }
    }
}

impl<const BLOCKS: usize> Layout<BLOCKS> {
    /// Writes the hexadecimal digits of a digest.
    #[inline(always)]
    pub(crate) fn put(&mut self, at: usize, hex: &[u8; 2 * DIGEST_LEN]) {
        if let Some(place) = self.blocks.as_flattened_mut().get_mut(at..at + hex.len()) {
            place.copy_from_slice(hex);
        }
    }

    /// Writes a digest as hexadecimal digits.
    #[inline(always)]
    pub(crate) fn put_hex(&mut self, at: usize, digest: &[u8; DIGEST_LEN]) {
        if let Some(place) = self.blocks.as_flattened_mut().get_mut(at..at + 2 * DIGEST_LEN) {
            // Cannot fail: the place is exactly twice as long.
            let _ = const_hex::encode_to_slice(digest, place);
        }
    }

    /// Hashes the blocks that end before a position.
    #[inline(always)]
    pub(crate) fn hash_before(&self, at: usize) -> Begun {
        let (mut state, done) = (self.state, (at / BLOCK_LEN).min(self.count));
        compress256(&mut state, &self.blocks[..done]);
        Begun { state, done }
    }
}

/// A layout whose first blocks are hashed.
pub(crate) struct Begun {
    state: [u32; 8],
    done: usize,
}

#[inline(always)]
fn bytes_of(words: &[u32; 8]) -> [u8; DIGEST_LEN] {
    let mut bytes = [0; DIGEST_LEN];
    for (out, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *out = word.to_be_bytes();
    }
    bytes
}

/// An HMAC-SHA-256 key, kept as the two hash states that follow its pads.
///
/// Keeping the states instead of the key saves two compressions for each message.
#[derive(Clone)]
pub(crate) struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl MacKey {
    /// The key that is the concatenation of `parts`.
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut block = [0; BLOCK_LEN];
        if len <= BLOCK_LEN {
            let mut at = 0;
            for part in parts {
                block[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        } else {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part);
            }
            block[..DIGEST_LEN].copy_from_slice(&hash.clone().finish());
            wipe(&mut hash.blocks[0]);
        }
        Self::of_block(&mut block)
    }

    /// The key whose bytes, filled up with zeros, are this block. The block is wiped.
    fn of_block(block: &mut [u8; BLOCK_LEN]) -> Self {
        const INNER: u8 = 0x36;
        const OUTER: u8 = 0x5c;
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        *block = block.map(|byte| byte ^ INNER);
        compress256(&mut inner, core::slice::from_ref(block));
        *block = block.map(|byte| byte ^ INNER ^ OUTER);
        compress256(&mut outer, core::slice::from_ref(block));
        wipe(block);
        Self { inner, outer }
    }

    /// The key that is the code of `message` under this key.
    pub(crate) fn derive(self, message: &[u8]) -> Self {
        let mut block = [0; BLOCK_LEN];
        block[..DIGEST_LEN].copy_from_slice(&self.mac(message));
        Self::of_block(&mut block)
    }

    /// Starts a message.
    #[inline]
    pub(crate) fn start<const BLOCKS: usize>(&self) -> Gathering<BLOCKS> {
        Gathering::after_block(self.inner)
    }

    /// The code of the message that `message`, begun with [`start`](Self::start), has taken.
    #[inline]
    pub(crate) fn finish<const BLOCKS: usize>(
        &self,
        message: &mut Gathering<BLOCKS>,
    ) -> [u8; DIGEST_LEN] {
        self.finish_outer(&message.finish_words())
    }

    /// The code of the message that is laid out, begun with [`start`](Self::start).
    #[inline]
    pub(crate) fn finish_layout<const BLOCKS: usize>(
        &self,
        layout: &Layout<BLOCKS>,
        begun: Begun,
    ) -> [u8; DIGEST_LEN] {
        let mut state = begun.state;
        compress256(&mut state, &layout.blocks[begun.done..layout.count]);
        self.finish_outer(&state)
    }

    /// The outer hash over the inner one.
    #[inline(always)]
    fn finish_outer(&self, inner: &[u32; 8]) -> [u8; DIGEST_LEN] {
        /// The block behind the outer pad, without the digest that begins it.
        const BLOCK: [u8; BLOCK_LEN] = {
            let mut block = [0; BLOCK_LEN];
            block[DIGEST_LEN] = 0x80;
            let bits = (8 * (BLOCK_LEN + DIGEST_LEN) as u16).to_be_bytes();
            block[BLOCK_LEN - 2] = bits[0];
            block[BLOCK_LEN - 1] = bits[1];
            block
        };
        let mut block = BLOCK;
        block[..DIGEST_LEN].copy_from_slice(&bytes_of(inner));
        let mut state = self.outer;
        compress256(&mut state, core::slice::from_ref(&block));
        bytes_of(&state)
    }

    /// The code of one short message.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = self.start::<3>();
        hash.update(message);
        self.finish(&mut hash)
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        wipe(&mut self.inner);
        wipe(&mut self.outer);
    }
}

/// Overwrites a secret, in a way that is not optimized out.
#[inline(always)]
fn wipe<T: Copy + Default, const N: usize>(secret: &mut [T; N]) {
    *secret = [T::default(); N];
    optimization_barrier(secret);
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
#[inline]
pub(crate) fn constant_time_eq(a: &[u8; DIGEST_LEN], b: &[u8; DIGEST_LEN]) -> bool {
    constant_time_eq::constant_time_eq_32(a, b)
}

/// The same for digests in hexadecimal.
#[inline]
pub(crate) fn constant_time_eq_hex(a: &[u8; 2 * DIGEST_LEN], b: &[u8; 2 * DIGEST_LEN]) -> bool {
    constant_time_eq::constant_time_eq_64(a, b)
}

/// Lower-case hexadecimal of a digest.
#[inline]
pub(crate) fn digest_to_hex(digest: &[u8; DIGEST_LEN]) -> [u8; 2 * DIGEST_LEN] {
    let mut hex = [b'0'; 2 * DIGEST_LEN];
    // Cannot fail: the output is exactly twice as long.
    let _ = const_hex::encode_to_slice(digest, &mut hex);
    hex
}

/// The 64 lower-case hexadecimal digits of a digest, if the text is that.
#[inline]
pub(crate) fn hex_of_digest(text: &[u8]) -> Option<&[u8; 2 * DIGEST_LEN]> {
    let others = |lanes: Lanes| others(lanes.is_in(b'0', b'9') | lanes.is_in(b'a', b'f'));
    <&[u8; 2 * DIGEST_LEN]>::try_from(text).ok().filter(|text| bytes::none(*text, others))
}

/// Reads 64 lower-case hexadecimal digits; the upper-case ones are another text, not signed by any
/// known client.
pub(crate) fn digest_from_hex(text: &[u8]) -> Option<[u8; DIGEST_LEN]> {
    let text = hex_of_digest(text)?;
    let mut digest = [0; DIGEST_LEN];
    const_hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}

/// Writes bytes that are known to be ASCII.
pub(crate) fn write_ascii(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str(core::str::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{MacKey, Sha256, digest_from_hex, digest_to_hex};

    fn hex(bytes: &[u8; 32]) -> [u8; 64] {
        digest_to_hex(bytes)
    }

    /// FIPS 180-4 examples and the million letters `a`.
    #[test]
    fn digests_of_the_standard() {
        let cases: [(&[u8], &[u8; 64]); 3] = [
            (b"", b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                b"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ];
        for (data, expected) in cases {
            assert_eq!(&hex(&Sha256::digest(data)), expected);
        }
        let mut million = Sha256::new();
        for _ in 0..15_625 {
            million.update(&[b'a'; 64]);
        }
        assert_eq!(
            &hex(&million.finish()),
            b"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    /// However the data is cut, the digest is that of the whole: every length over two blocks,
    /// every split of it.
    #[test]
    fn splits_do_not_matter() {
        let data: [u8; 150] = core::array::from_fn(|i| i as u8);
        for len in 0..=data.len() {
            let whole = <sha2::Sha256 as sha2::Digest>::digest(&data[..len]);
            for split in 0..=len {
                let mut hash = Sha256::new();
                for _ in 0..2 {
                    hash.update(&data[..split]);
                    hash.update(&data[split..len]);
                    assert_eq!(hash.clone().finish()[..], whole[..], "{len} split at {split}");
                    assert_eq!(hash.end()[..], whole[..], "{len} split at {split}");
                }
            }
        }
    }

    /// RFC 4231 test cases 1, 2 and 6 (a key longer than a block, given in two parts).
    #[test]
    fn codes_of_the_standard() {
        type Case<'a> = (&'a [&'a [u8]], &'a [u8], &'a [u8; 64]);
        let cases: [Case<'_>; 3] = [
            (
                &[&[0x0b; 20]],
                b"Hi There",
                b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                &[b"Je", b"fe"],
                b"what do ya want for nothing?",
                b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[&[0xaa; 100], &[0xaa; 31]],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                b"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, message, expected) in cases {
            assert_eq!(&hex(&MacKey::new(key).mac(message)), expected);
        }
    }

    #[test]
    fn hex_is_64_lower_case_digits() {
        let good = [b'a'; 64];
        assert!(digest_from_hex(&good).is_some());
        for (at, byte) in [(0, b'A'), (63, b'F'), (5, b'g'), (7, b' '), (1, b'x'), (9, 0xff)] {
            let mut bad = good;
            bad[at] = byte;
            assert!(digest_from_hex(&bad).is_none(), "{}", char::from(byte));
        }
        let mut prefixed = [b'0'; 64];
        prefixed[1] = b'x';
        assert!(digest_from_hex(&prefixed).is_none());
        assert!(digest_from_hex(&good[1..]).is_none());
        assert!(digest_from_hex(&[b'a'; 65]).is_none());
    }
}
