//! Base64 with padding, one spelling for each value (RFC 4648 section 4).
//!
//! The only file that names its crate.

#[cfg(feature = "post-policy")]
use alloc::{string::String, vec::Vec};

use base64::Engine as _;
#[cfg(feature = "checksums")]
use base64::engine::general_purpose::STANDARD;

/// What encodes and decodes policies, which are long: many bytes at a time, where the processor can.
#[cfg(feature = "post-policy")]
mod long {
    #[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
    pub(super) fn engine() -> &'static base64::engine::Simd {
        use base64::engine::{Simd, general_purpose::PAD};
        use std::sync::LazyLock;

        static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
        &ENGINE
    }

    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon")
    )))]
    pub(super) fn engine() -> &'static base64::engine::GeneralPurpose {
        &base64::engine::general_purpose::STANDARD
    }
}

/// Decodes into `buffer`; `None` if the text is not base64, or too long.
#[cfg(feature = "checksums")]
pub(crate) fn decode<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let len = STANDARD.decode_slice(text, buffer).ok()?;
    buffer.get(..len)
}

/// Encodes into `buffer`; `None` if it is too short.
#[cfg(feature = "checksums")]
pub(crate) fn encode<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> Option<&'b str> {
    let len = STANDARD.encode_slice(bytes, buffer).ok()?;
    core::str::from_utf8(buffer.get(..len)?).ok()
}

/// Decodes; `None` if the text is not base64.
#[cfg(feature = "post-policy")]
pub(crate) fn decode_vec(text: &str) -> Option<Vec<u8>> {
    long::engine().decode(text).ok()
}

/// Makes base64 of what comes in pieces.
#[cfg(feature = "post-policy")]
pub(crate) struct Encoder {
    text: Vec<u8>,
    /// Bytes that are not encoded yet, `filled` of them.
    waiting: [u8; Self::STEP],
    filled: usize,
}

#[cfg(feature = "post-policy")]
impl Encoder {
    /// Bytes that are encoded at a time: whole groups of three, so that no padding stands between.
    const STEP: usize = 3 * 256;

    /// With room for what so many bytes become.
    pub(crate) fn with_room(len: usize) -> Self {
        let text = Vec::with_capacity(len.div_ceil(3) * 4);
        Self { text, waiting: [0; Self::STEP], filled: 0 }
    }

    #[inline(always)]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match self.waiting.get_mut(self.filled..self.filled + bytes.len()) {
            Some(place) => {
                crate::bytes::copy(place, bytes);
                self.filled += bytes.len();
            }
            None => self.write_over(bytes),
        }
    }

    /// Takes bytes for which there is no room.
    #[inline(never)]
    fn write_over(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (_, room) = self.waiting.split_at_mut(self.filled);
            let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
            room[..taken.len()].copy_from_slice(taken);
            self.filled += taken.len();
            if self.filled == Self::STEP {
                self.encode();
            }
            bytes = rest;
        }
    }

    /// Encodes what waits.
    fn encode(&mut self) {
        let (begin, len) = (self.text.len(), self.filled.div_ceil(3) * 4);
        self.text.resize(begin + len, 0);
        // There is room for it.
        let _ = long::engine().encode_slice(&self.waiting[..self.filled], &mut self.text[begin..]);
        self.filled = 0;
    }

    pub(crate) fn finish(mut self) -> String {
        self.encode();
        // Base64 is ASCII.
        String::from_utf8(self.text).unwrap_or_default()
    }
}

#[cfg(all(test, feature = "post-policy"))]
mod tests {
    use super::{Encoder, decode_vec};
    use alloc::vec::Vec;
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    /// However it is cut, the text is that of the whole, and nothing is moved.
    #[test]
    fn what_is_encoded_decodes() {
        let bytes: Vec<u8> = (0..3 * Encoder::STEP).map(|n| (n * 7 + 3) as u8).collect();
        for len in (0..80).chain(Encoder::STEP - 4..Encoder::STEP + 4).chain([bytes.len()]) {
            for cut in [1, 2, 3, 47, 64, 767, 768, 769, 2000] {
                let mut encoder = Encoder::with_room(len);
                let place = encoder.text.as_ptr();
                bytes[..len].chunks(cut).for_each(|piece| encoder.write(piece));
                let text = encoder.finish();
                assert!(len == 0 || text.as_ptr() == place, "it was moved");
                assert_eq!(text, STANDARD.encode(&bytes[..len]), "{len} by {cut}");
                assert_eq!(decode_vec(&text).as_deref(), Some(&bytes[..len]), "{len} by {cut}");
            }
        }
    }

    #[test]
    fn one_spelling_is_read() {
        assert_eq!(decode_vec("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        for wrong in ["aGVsbG8", "aGVsbG8==", "aGVsbG9=", "aGVs bG8=", "aGVsbG8=\n", "aGVs-_8="] {
            assert_eq!(decode_vec(wrong), None, "{wrong}");
        }
    }

    /// Each byte at each place of a text that is long enough to be taken many bytes at a time.
    #[test]
    fn long_texts_are_read_alike() {
        let bytes: Vec<u8> = (0..130).map(|n| (n * 5 + 1) as u8).collect();
        let whole = STANDARD.encode(&bytes).into_bytes();
        for at in 0..whole.len() {
            for byte in 0..=0x7f {
                let mut text = whole.clone();
                text[at] = byte;
                let text = core::str::from_utf8(&text).expect("ASCII");
                assert_eq!(decode_vec(text), STANDARD.decode(text).ok(), "{byte:#x} at {at}");
            }
        }
    }
}
