//! [`checksums`] The checksums that S3 keeps with objects, behind one enum.
//!
//! The only file that names their crates (base64 has its own). Values are big-endian digests in base64 with padding.
//!
//! Amazon S3 User Guide, "Checking object integrity"; RFC 1864 (`Content-MD5`).

use alloc::boxed::Box;
use core::fmt;

use crc_fast::CrcAlgorithm;
use sha2::Digest as _;

use crate::base64;
use crate::bounded::Bounded;
use crate::bytes;

/// The longest digest: SHA-512.
const MAX_LEN: usize = 64;

/// A checksum of an object.
///
/// ```
/// use countersign::{Checksum, ChecksumAlgorithm};
///
/// assert_eq!(ChecksumAlgorithm::Crc32.of(b"hello world").to_string(), "DUoRhQ==");
/// assert_eq!(ChecksumAlgorithm::Crc32.field(), "x-amz-checksum-crc32");
/// assert_eq!(
///     ChecksumAlgorithm::of_field("X-Amz-Checksum-CRC64NVME"),
///     Some(ChecksumAlgorithm::Crc64Nvme),
/// );
/// # fn whole(value: Checksum) {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-32, as in zlib.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// XXH64, seed 0.
    Xxhash64,
    /// XXH3 with 64 bits, seed 0.
    Xxhash3,
    /// XXH3 with 128 bits, seed 0.
    Xxhash128,
}

impl ChecksumAlgorithm {
    const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Xxhash64,
        Self::Xxhash3,
        Self::Xxhash128,
    ];

    /// S3's name for it, as in `x-amz-sdk-checksum-algorithm`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Xxhash64 => "XXHASH64",
            Self::Xxhash3 => "XXHASH3",
            Self::Xxhash128 => "XXHASH128",
        }
    }

    /// The field or trailer that carries it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Md5 => "x-amz-checksum-md5",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Xxhash64 => "x-amz-checksum-xxhash64",
            Self::Xxhash3 => "x-amz-checksum-xxhash3",
            Self::Xxhash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// The algorithm of a field or trailer, in any case.
    #[must_use]
    pub fn of_field(name: &str) -> Option<Self> {
        /// What all their names begin with.
        const PREFIX: &[u8] = b"x-amz-checksum-";
        let (prefix, _) = name.as_bytes().split_at_checked(PREFIX.len())?;
        if !bytes::lowers_to(prefix, PREFIX) {
            return None;
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.field().eq_ignore_ascii_case(name))
    }

    /// The algorithm of a trailer, and the trailer's name: `content-md5` is one as well.
    pub(crate) fn of_trailer(name: &str) -> Option<(Self, &'static str)> {
        const CONTENT_MD5: &str = "content-md5";
        if name.eq_ignore_ascii_case(CONTENT_MD5) {
            return Some((Self::Md5, CONTENT_MD5));
        }
        Self::of_field(name).map(|algorithm| (algorithm, algorithm.field()))
    }

    /// Length of the digest in bytes.
    const fn len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::Xxhash64 | Self::Xxhash3 => 8,
            Self::Md5 | Self::Xxhash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Length of a value in base64, as it stands in a field or trailer: what
    /// [`Framing::encoded_len`](crate::Framing::encoded_len) asks for.
    #[must_use]
    pub const fn text_len(self) -> usize {
        self.len().div_ceil(3) * 4
    }

    /// The checksum of `data`.
    #[must_use]
    pub fn of(self, data: &[u8]) -> Checksum {
        let mut running = Checksummer::new(self);
        running.update(data);
        running.finish()
    }

    /// Reads a value in base64; `None` unless it is one of this algorithm, spelled exactly.
    pub(crate) fn parse(self, value: &[u8]) -> Option<Checksum> {
        let mut buffer = [0; MAX_LEN];
        let text = core::str::from_utf8(value).ok()?;
        let bytes = base64::decode(text, &mut buffer).filter(|bytes| bytes.len() == self.len())?;
        let mut digest = Bounded::filled_with(0);
        digest.extend(bytes).ok()?;
        Some(Checksum { digest })
    }
}

/// The value of a checksum; `Display` is base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    digest: Bounded<u8, MAX_LEN>,
}

impl Checksum {
    /// The digest, big-endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.digest.as_slice()
    }
}

/// A running checksum. Those of XXH3 take memory; the others none.
///
/// ```
/// use countersign::{ChecksumAlgorithm, Checksummer};
///
/// let mut running = Checksummer::new(ChecksumAlgorithm::Crc64Nvme);
/// running.update(b"hello ");
/// running.update(b"world");
/// assert_eq!(running.finish().to_string(), "jSnVw/bqjr4=");
/// ```
#[derive(Clone)]
pub struct Checksummer {
    algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc(crc_fast::Digest),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Xxhash64(xxhash_rust::xxh64::Xxh64),
    /// In a place of its own: it takes twice what the largest of the others takes.
    Xxhash3(Box<xxhash_rust::xxh3::Xxh3>),
}

impl State {
    #[inline(never)]
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(state) => state.update(data),
            Self::Md5(state) => state.update(data),
            Self::Sha1(state) => state.update(data),
            Self::Sha256(state) => state.update(data),
            Self::Sha512(state) => state.update(data),
            Self::Xxhash64(state) => state.update(data),
            Self::Xxhash3(state) => state.update(data),
        }
    }
}

impl Checksummer {
    /// A checksum of no bytes yet.
    #[must_use]
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        use ChecksumAlgorithm as A;
        let state = match algorithm {
            A::Crc32 => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
            A::Crc32c => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            A::Crc64Nvme => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
            A::Md5 => State::Md5(md5::Md5::new()),
            A::Sha1 => State::Sha1(sha1::Sha1::new()),
            A::Sha256 => State::Sha256(sha2::Sha256::new()),
            A::Sha512 => State::Sha512(sha2::Sha512::new()),
            A::Xxhash64 => State::Xxhash64(xxhash_rust::xxh64::Xxh64::new(0)),
            A::Xxhash3 | A::Xxhash128 => State::Xxhash3(Box::new(xxhash_rust::xxh3::Xxh3::new())),
        };
        Self { algorithm, state }
    }

    /// Which checksum it is.
    #[must_use]
    pub const fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Takes more data.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            // They are fast enough for a call to be seen.
            State::Crc(state) => state.update(data),
            state => state.update(data),
        }
    }

    /// The checksum of all data taken.
    #[must_use]
    pub fn finish(self) -> Checksum {
        let mut digest = Bounded::filled_with(0);
        let mut put = |bytes: &[u8]| {
            for byte in bytes {
                // There is room for the longest digest.
                let _ = digest.push(*byte);
            }
        };
        match (self.state, self.algorithm) {
            (State::Crc(state), algorithm) => {
                let bytes = state.finalize().to_be_bytes();
                put(bytes.get(bytes.len() - algorithm.len()..).unwrap_or_default());
            }
            (State::Md5(state), _) => put(&state.finalize()),
            (State::Sha1(state), _) => put(&state.finalize()),
            (State::Sha256(state), _) => put(&state.finalize()),
            (State::Sha512(state), _) => put(&state.finalize()),
            (State::Xxhash64(state), _) => put(&state.digest().to_be_bytes()),
            (State::Xxhash3(state), ChecksumAlgorithm::Xxhash128) => {
                put(&state.digest128().to_be_bytes());
            }
            (State::Xxhash3(state), _) => put(&state.digest().to_be_bytes()),
        }
        Checksum { digest }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 64 bytes are 88 characters.
        let mut buffer = [0; 88];
        f.write_str(base64::encode(self.as_bytes(), &mut buffer).unwrap_or_default())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl fmt::Debug for Checksummer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksummer").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{ChecksumAlgorithm, Checksummer};
    use std::string::ToString;

    #[test]
    fn known_values() {
        use ChecksumAlgorithm as A;
        for (algorithm, value) in [
            (A::Crc32, "DUoRhQ=="),
            (A::Crc32c, "yZRlqg=="),
            (A::Crc64Nvme, "jSnVw/bqjr4="),
            (A::Sha1, "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
            (A::Sha256, "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
            (
                A::Sha512,
                "MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==",
            ),
            (A::Md5, "XrY7u+Ae7tCTyyK7j1rNww=="),
            (A::Xxhash64, "RatnNLIeaWg="),
            (A::Xxhash3, "1Eex6kDmmIs="),
            (A::Xxhash128, "340J6T+HSQCpm4d1zBW2xw=="),
        ] {
            let whole = algorithm.of(b"hello world");
            assert_eq!(whole.to_string(), value, "{algorithm:?}");
            assert_eq!(algorithm.parse(value.as_bytes()), Some(whole));
            let mut bytes = Checksummer::new(algorithm);
            b"hello world".iter().for_each(|byte| bytes.update(&[*byte]));
            assert_eq!(bytes.finish(), whole);
            for wrong in ["", "====", &value[1..], &value[..value.len() - 1]] {
                assert_eq!(algorithm.parse(wrong.as_bytes()), None, "{wrong}");
            }
            assert_eq!(A::of_field(&algorithm.field().to_ascii_uppercase()), Some(algorithm));
        }
        assert_eq!(A::of_field("x-amz-checksum-type"), None);
        let check = |algorithm: A| algorithm.of(b"123456789").as_bytes().to_vec();
        assert_eq!(check(A::Crc32c), [0xe3, 0x06, 0x92, 0x83]);
        assert_eq!(check(A::Crc64Nvme), 0xae8b_1486_0a79_9888_u64.to_be_bytes());
    }
}
