//! SHA-256, HMAC-SHA-256, hexadecimal digests and the one comparison of secrets.
//!
//! The only room that names the hash backend. There are two, of which nothing is seen from outside:
//! `blocks.rs`, and with the feature `aws-lc-rs` `module.rs`, for those who have to use a validated
//! module.
//!
//! FIPS 180-4 (SHA-256), RFC 2104 (HMAC).

#[cfg(not(feature = "aws-lc-rs"))]
mod blocks;
#[cfg(feature = "aws-lc-rs")]
mod module;

use core::fmt;

/// What is wiped when it is dropped.
#[cfg(feature = "tower")]
pub(crate) use zeroize::Zeroizing as Wiped;
use zeroize::optimization_barrier;

use crate::bytes::{self, Lanes, others};

#[cfg(not(feature = "aws-lc-rs"))]
use blocks as backend;
#[cfg(feature = "aws-lc-rs")]
use module as backend;

pub(crate) use backend::{BegunLayout, Gathering, LastBlock, Layout, MacKey};

/// Length of a SHA-256 digest in bytes.
pub(crate) const DIGEST_LEN: usize = 32;

/// Length of a block of SHA-256 in bytes.
const BLOCK_LEN: usize = 64;

/// A running SHA-256, for data in large pieces.
pub(crate) type Sha256 = Gathering<1>;

impl Sha256 {
    pub(crate) fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = Self::new();
        hash.update(data);
        hash.finish()
    }
}

/// Messages that [`digest_each`] takes at a time. With more of them it gains nothing.
pub(crate) const LANES: usize = 16;

/// How many messages are hashed side by side: with 1, nothing is gained by [`digest_each`].
#[inline]
pub(crate) fn lanes() -> usize {
    #[cfg(all(feature = "lanes", not(feature = "aws-lc-rs")))]
    return countersign_multihash::lanes().min(LANES);
    #[cfg(not(all(feature = "lanes", not(feature = "aws-lc-rs"))))]
    1
}

/// The digests of messages, each in pieces, in their order.
pub(crate) fn digest_each(messages: &[&[&[u8]]], digests: &mut [[u8; DIGEST_LEN]]) {
    #[cfg(all(feature = "lanes", not(feature = "aws-lc-rs")))]
    if messages.len() > 1 && messages.len() == digests.len() {
        return countersign_multihash::sha256_each_of(messages, digests);
    }
    for (pieces, digest) in messages.iter().zip(digests) {
        let mut hash = Sha256::new();
        pieces.iter().for_each(|piece| hash.update(piece));
        *digest = hash.end();
    }
}

/// What is free of a buffer behind the bytes that are filled, if it is so many; those are filled then.
#[inline(always)]
fn room<'b>(buffer: &'b mut [u8], filled: &mut usize, len: usize) -> Option<&'b mut [u8]> {
    let room = buffer.get_mut(*filled..).filter(|room| room.len() >= len)?;
    *filled += len;
    Some(room)
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
    write_hex(digest, &mut hex);
    hex
}

/// Writes it to where it is wanted.
#[inline(always)]
pub(crate) fn write_hex(digest: &[u8; DIGEST_LEN], to: &mut [u8; 2 * DIGEST_LEN]) {
    // Cannot fail: the output is exactly twice as long.
    let _ = const_hex::encode_to_slice(digest, to);
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
    use super::{DIGEST_LEN, Gathering, MacKey, Sha256, digest_from_hex, digest_to_hex};

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

    /// Nor does it matter what is hashed while the rest is written, however many blocks are gathered, and
    /// whether the last block is hashed later.
    #[test]
    fn advancing_does_not_matter() {
        fn check<const BLOCKS: usize>(data: &[u8], cut: usize, every: usize) {
            let whole = <sha2::Sha256 as sha2::Digest>::digest(data);
            let mut hash = Gathering::<BLOCKS>::new();
            for (nth, piece) in data.chunks(cut).enumerate() {
                hash.update(piece);
                if nth % every == 0 {
                    hash.advance();
                }
            }
            let later = hash.clone().finish_but_last();
            assert_eq!(hash.finish()[..], whole[..], "{} by {cut}, {every}", data.len());
            assert_eq!(later.digest()[..], whole[..], "{} by {cut}, {every}", data.len());
        }
        let data: [u8; 1100] = core::array::from_fn(|i| i as u8);
        for len in 0..=data.len() {
            for (cut, every) in [(1, 1), (7, 1), (7, 5), (63, 1), (64, 2), (65, 1), (300, 1)] {
                check::<2>(&data[..len], cut, every);
                check::<3>(&data[..len], cut, every);
                check::<8>(&data[..len], cut, every);
            }
        }
    }

    /// A message that ends in a digest is one message, however often it is ended, and whatever of it
    /// is hashed before.
    #[test]
    fn ending_does_not_matter() {
        let key = MacKey::new(&[b"key"]);
        let head: [u8; 300] = core::array::from_fn(|i| i as u8);
        for len in 0..=head.len() {
            let mut message = key.start();
            message.update(&head[..len]);
            for digest in [[0xa7; DIGEST_LEN], [0x5c; DIGEST_LEN]] {
                let mut whole = key.start::<3>();
                whole.update(&head[..len]);
                whole.update(&digest_to_hex(&digest));
                let whole = key.finish(&mut whole);
                assert_eq!(key.end(&message, &digest), whole, "{len}");
                message.flush();
                assert_eq!(key.end(&message, &digest), whole, "{len}");
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
