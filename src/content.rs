//! What a request says of its body: the last line of the canonical request.
//!
//! Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header":
//! `x-amz-content-sha256`.

use core::fmt;

use crate::crypto::{DIGEST_LEN, Sha256, digest_from_hex, digest_to_hex, write_ascii};

/// The value of `x-amz-content-sha256`: a digest of the body, or one of the words that stand for
/// another way to bind it, or for none.
///
/// ```
/// use countersign::ContentSha256;
///
/// let content = ContentSha256::of(b"Welcome to Amazon S3.");
/// assert_eq!(
///     content.to_string(),
///     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
/// );
/// assert_eq!(ContentSha256::parse("UNSIGNED-PAYLOAD"), Some(ContentSha256::UnsignedPayload));
/// assert_eq!(ContentSha256::parse("unsigned-payload"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentSha256 {
    /// The SHA-256 of the body as sent.
    Digest([u8; DIGEST_LEN]),
    /// `UNSIGNED-PAYLOAD`: the signature does not cover the body.
    UnsignedPayload,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: aws-chunked, each chunk signed.
    StreamingSigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: the same, with signed trailers.
    StreamingSignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: aws-chunked, neither chunks nor trailers signed.
    StreamingUnsignedTrailer,
    /// `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD`: SigV4a's signed chunks.
    StreamingEcdsa,
    /// `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER`: the same, with signed trailers.
    StreamingEcdsaTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-EVENTS`: signed event-stream messages.
    StreamingEvents,
}

impl ContentSha256 {
    /// The digest of no bytes.
    pub const EMPTY: Self = Self::Digest([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    const WORDS: [(Self, &'static str); 7] = [
        (Self::UnsignedPayload, "UNSIGNED-PAYLOAD"),
        (Self::StreamingSigned, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        (Self::StreamingSignedTrailer, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        (Self::StreamingUnsignedTrailer, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        (Self::StreamingEcdsa, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
        (Self::StreamingEcdsaTrailer, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"),
        (Self::StreamingEvents, "STREAMING-AWS4-HMAC-SHA256-EVENTS"),
    ];

    /// The digest of `body`.
    #[must_use]
    pub fn of(body: impl AsRef<[u8]>) -> Self {
        Self::Digest(Sha256::digest(body.as_ref()))
    }

    /// Reads the value of the header: 64 lower-case hexadecimal digits or one of the words, exactly.
    #[must_use]
    pub fn parse(value: impl AsRef<[u8]>) -> Option<Self> {
        let value = value.as_ref();
        let word = Self::WORDS.iter().find(|(_, word)| word.as_bytes() == value);
        word.map(|(content, _)| *content).or_else(|| digest_from_hex(value).map(Self::Digest))
    }

    /// The text that stands in the header and in the canonical request.
    #[inline(always)]
    pub(crate) fn text(self) -> Text {
        match self {
            Self::Digest(digest) => Text::Hex(digest_to_hex(&digest)),
            Self::UnsignedPayload => Text::Word(Self::WORDS[0].1),
            Self::StreamingSigned => Text::Word(Self::WORDS[1].1),
            Self::StreamingSignedTrailer => Text::Word(Self::WORDS[2].1),
            Self::StreamingUnsignedTrailer => Text::Word(Self::WORDS[3].1),
            Self::StreamingEcdsa => Text::Word(Self::WORDS[4].1),
            Self::StreamingEcdsaTrailer => Text::Word(Self::WORDS[5].1),
            Self::StreamingEvents => Text::Word(Self::WORDS[6].1),
        }
    }
}

/// The wire form of a [`ContentSha256`].
#[derive(Clone, Copy)]
pub(crate) enum Text {
    Hex([u8; 2 * DIGEST_LEN]),
    Word(&'static str),
}

impl Text {
    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Hex(hex) => hex,
            Self::Word(word) => word.as_bytes(),
        }
    }
}

impl fmt::Display for ContentSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ascii(f, self.text().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::ContentSha256;

    #[test]
    fn every_word_reads_as_it_writes() {
        assert_eq!(ContentSha256::EMPTY, ContentSha256::of(b""));
        for (content, word) in ContentSha256::WORDS {
            assert_eq!(content.text().as_bytes(), word.as_bytes());
            assert_eq!(ContentSha256::parse(word), Some(content));
            assert_eq!(ContentSha256::parse(word.to_ascii_lowercase()), None);
        }
    }
}
