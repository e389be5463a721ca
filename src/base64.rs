//! Base64 with padding, one spelling for each value (RFC 4648 section 4).
//!
//! The only file that names its crate.

#[cfg(feature = "post-policy")]
use alloc::{string::String, vec::Vec};

use base64ct::{Base64, Encoding as _};

/// Decodes into `buffer`; `None` if the text is not base64, or too long.
#[cfg(feature = "checksums")]
pub(crate) fn decode<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    Base64::decode(text, buffer).ok()
}

/// Encodes into `buffer`; `None` if it is too short.
#[cfg(feature = "checksums")]
pub(crate) fn encode<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> Option<&'b str> {
    Base64::encode(bytes, buffer).ok()
}

/// Decodes; `None` if the text is not base64.
#[cfg(feature = "post-policy")]
pub(crate) fn decode_vec(text: &str) -> Option<Vec<u8>> {
    let mut bytes = alloc::vec![0; text.len() / 4 * 3];
    let len = Base64::decode(text, &mut bytes).ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

/// Encodes in the memory of `bytes`, if it has room for the text.
#[cfg(feature = "post-policy")]
pub(crate) fn encode_vec(mut bytes: Vec<u8>) -> String {
    /// Whole groups of three bytes and of four letters.
    const STEP: usize = 48;
    let len = bytes.len();
    let text_len = len.div_ceil(3) * 4;
    bytes.resize(text_len, 0);
    // What is read stays ahead of what is written: the text grows by a third of what has been read,
    // and that much longer is the whole.
    bytes.copy_within(..len, text_len - len);
    let (mut from, mut to) = (text_len - len, 0);
    while from < text_len {
        let count = STEP.min(text_len - from);
        let mut piece = [0; STEP];
        piece[..count].copy_from_slice(&bytes[from..from + count]);
        let end = to + count.div_ceil(3) * 4;
        // There is room: the piece is four letters for three bytes.
        let _ = Base64::encode(&piece[..count], &mut bytes[to..end]);
        (from, to) = (from + count, end);
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(all(test, feature = "post-policy"))]
mod tests {
    use super::{decode_vec, encode_vec};
    use alloc::vec::Vec;

    #[test]
    fn what_is_encoded_in_place_decodes() {
        for len in 0..300_usize {
            let bytes: Vec<u8> = (0..len).map(|n| (n * 7 + 3) as u8).collect();
            let mut roomy = Vec::with_capacity(len.div_ceil(3) * 4);
            roomy.extend_from_slice(&bytes);
            let place = roomy.as_ptr();
            let text = encode_vec(roomy);
            assert!(len == 0 || text.as_ptr() == place, "it was moved");
            assert_eq!(decode_vec(&text), Some(bytes));
        }
        assert_eq!(encode_vec(b"hello".to_vec()), "aGVsbG8=");
        for wrong in ["aGVsbG8", "aGVsbG8==", "aGVsbG9=", "aGVs bG8=", "aGVsbG8=\n", "aGVs-_8="] {
            assert_eq!(decode_vec(wrong), None, "{wrong}");
        }
    }
}
