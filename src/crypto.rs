//! SHA-256, HMAC-SHA-256, hexadecimal digests and the one comparison of secrets.
//!
//! The only file that names the hash backend. It works on the backend's block function instead of
//! its `Digest` wrapper, which costs a third of a compression for each of the three short messages
//! of a signature: the block buffer and the padding are ours, the compression is not.
//!
//! FIPS 180-4 (SHA-256), RFC 2104 (HMAC).

use core::fmt;

use sha2::block_api::compress256;
use zeroize::Zeroize;
/// What is wiped when it is dropped.
#[cfg(feature = "tower")]
pub(crate) use zeroize::Zeroizing as Wiped;

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

/// A running SHA-256.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: [u32; 8],
    /// The bytes of the block that is not yet full.
    block: [u8; BLOCK_LEN],
    /// Bytes taken so far, those of `block` included.
    len: u64,
}

impl Sha256 {
    pub(crate) const fn new() -> Self {
        Self { state: INITIAL, block: [0; BLOCK_LEN], len: 0 }
    }

    /// A hash that has already taken one block, whose result is `state`.
    const fn after_block(state: [u32; 8]) -> Self {
        Self { state, block: [0; BLOCK_LEN], len: BLOCK_LEN as u64 }
    }

    pub(crate) fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = Self::new();
        hash.update(data);
        hash.finish()
    }

    #[inline]
    fn filled(&self) -> usize {
        (self.len % BLOCK_LEN as u64) as usize
    }

    #[inline]
    pub(crate) fn update(&mut self, mut data: &[u8]) {
        let filled = self.filled();
        self.len = self.len.wrapping_add(data.len() as u64);
        let room = BLOCK_LEN - filled;
        if data.len() < room {
            self.block[filled..filled + data.len()].copy_from_slice(data);
            return;
        }
        if filled != 0 {
            let (head, rest) = data.split_at(room);
            self.block[filled..].copy_from_slice(head);
            compress256(&mut self.state, core::slice::from_ref(&self.block));
            data = rest;
        }
        let (blocks, rest) = data.as_chunks::<BLOCK_LEN>();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
        }
        self.block[..rest.len()].copy_from_slice(rest);
    }

    fn finish_words(mut self) -> [u32; 8] {
        let filled = self.filled();
        let bits = self.len.wrapping_mul(8).to_be_bytes();
        self.block[filled] = 0x80;
        self.block[filled + 1..].fill(0);
        if filled + 1 + bits.len() > BLOCK_LEN {
            compress256(&mut self.state, core::slice::from_ref(&self.block));
            self.block.fill(0);
        }
        self.block[BLOCK_LEN - bits.len()..].copy_from_slice(&bits);
        compress256(&mut self.state, core::slice::from_ref(&self.block));
        self.state
    }

    pub(crate) fn finish(self) -> [u8; DIGEST_LEN] {
        bytes_of(&self.finish_words())
    }
}

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
            hash.block.zeroize();
        }
        let key = Self { inner: Self::pad(&block, 0x36), outer: Self::pad(&block, 0x5c) };
        block.zeroize();
        key
    }

    fn pad(key: &[u8; BLOCK_LEN], with: u8) -> [u32; 8] {
        let mut block = key.map(|byte| byte ^ with);
        let mut state = INITIAL;
        compress256(&mut state, core::slice::from_ref(&block));
        block.zeroize();
        state
    }

    /// Starts a message.
    #[inline]
    pub(crate) fn start(&self) -> Sha256 {
        Sha256::after_block(self.inner)
    }

    /// The code of the message that `message`, begun with [`start`](Self::start), has taken.
    #[inline]
    pub(crate) fn finish(&self, message: Sha256) -> [u8; DIGEST_LEN] {
        let mut outer = Sha256::after_block(self.outer);
        outer.update(&message.finish());
        outer.finish()
    }

    /// The code of one short message.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = self.start();
        hash.update(message);
        self.finish(hash)
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
#[inline]
pub(crate) fn constant_time_eq(a: &[u8; DIGEST_LEN], b: &[u8; DIGEST_LEN]) -> bool {
    constant_time_eq::constant_time_eq_32(a, b)
}

/// Lower-case hexadecimal of a digest.
pub(crate) fn digest_to_hex(digest: &[u8; DIGEST_LEN]) -> [u8; 2 * DIGEST_LEN] {
    let mut hex = [b'0'; 2 * DIGEST_LEN];
    // Cannot fail: the output is exactly twice as long.
    let _ = const_hex::encode_to_slice(digest, &mut hex);
    hex
}

/// Reads 64 lower-case hexadecimal digits; the upper-case ones are another text, not signed by any
/// known client.
pub(crate) fn digest_from_hex(text: &[u8]) -> Option<[u8; DIGEST_LEN]> {
    if text.len() != 2 * DIGEST_LEN || text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    // The decoder would take a prefix `0x`; 64 digits that begin so are 62 and too few for it.
    const_hex::decode_to_array(text).ok()
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
                hash.update(&data[..split]);
                hash.update(&data[split..len]);
                assert_eq!(hash.finish()[..], whole[..], "{len} bytes split at {split}");
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
