//! Fields that a signer adds to a request and signs.
//!
//! Each value is made once, for it is written twice.

use super::Sink;
use crate::bounded::Bounded;
use crate::content::{ContentSha256, Text};
use crate::credential::SessionTokenField;
use crate::time::Timestamp;

/// What a signer adds.
#[derive(Clone, Copy)]
pub(crate) struct Additions<'a> {
    /// Which fields, by bits.
    which: u8,
    timestamp: Timestamp,
    /// `x-amz-content-sha256`.
    content: Text,
    /// Length of a body in frames, in decimal digits.
    decoded_len: Bounded<u8, DIGITS>,
    trailers: &'a str,
    token: &'a str,
}

/// The most digits of a length.
const DIGITS: usize = 20;

/// One of the fields that a signer adds, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Added {
    ContentEncoding,
    ContentSha256,
    Date,
    DecodedLength,
    S3SessionToken,
    SecurityToken,
    Trailer,
}

impl Added {
    pub(crate) const COUNT: usize = Self::ALL.len();

    const ALL: [Self; 7] = [
        Self::ContentEncoding,
        Self::ContentSha256,
        Self::Date,
        Self::DecodedLength,
        Self::S3SessionToken,
        Self::SecurityToken,
        Self::Trailer,
    ];

    /// What each is sorted by, of those in `ALL`.
    const KEYS: [u128; Self::COUNT] = {
        let mut keys = [0; Self::COUNT];
        let mut nth = 0;
        while nth < keys.len() {
            let name = Self::ALL[nth].name().as_bytes();
            let mut at = 0;
            while at < size_of::<u128>() {
                keys[nth] = keys[nth] << 8 | if at < name.len() { name[at] as u128 } else { 0 };
                at += 1;
            }
            nth += 1;
        }
        keys
    };

    /// The first bytes of the name, as [`bytes::long_lower_key`](crate::bytes::long_lower_key).
    #[inline(always)]
    pub(super) const fn key(self) -> u128 {
        Self::KEYS[self as usize]
    }

    /// The field with an index behind those of a request's fields, of which there are `fields`.
    #[inline(always)]
    pub(super) fn of(fields: usize, index: u8) -> Self {
        let nth = usize::from(index).wrapping_sub(fields);
        Self::ALL.get(nth).copied().unwrap_or(Self::Date)
    }

    #[inline(always)]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ContentEncoding => "content-encoding",
            Self::DecodedLength => "x-amz-decoded-content-length",
            Self::Trailer => "x-amz-trailer",
            Self::Date => "x-amz-date",
            Self::ContentSha256 => "x-amz-content-sha256",
            Self::SecurityToken => SessionTokenField::Security.field(),
            Self::S3SessionToken => SessionTokenField::S3Session.field(),
        }
    }
}

impl<'a> Additions<'a> {
    /// The time, and no more.
    #[inline(always)]
    pub(crate) fn at(timestamp: Timestamp, content: ContentSha256) -> Self {
        Self {
            which: 1 << Added::Date as u8,
            timestamp,
            content: content.text(),
            decoded_len: Bounded::filled_with(0),
            trailers: "",
            token: "",
        }
    }

    /// That content is announced.
    #[inline(always)]
    pub(crate) const fn with_content(mut self) -> Self {
        self.which |= 1 << Added::ContentSha256 as u8;
        self
    }

    /// A token that is signed.
    #[inline(always)]
    pub(crate) const fn with_token(mut self, token: SessionTokenField, text: &'a str) -> Self {
        let added = match token {
            SessionTokenField::Security => Added::SecurityToken,
            SessionTokenField::S3Session => Added::S3SessionToken,
        };
        self.which |= 1 << added as u8;
        self.token = text;
        self
    }

    /// What is said of a body in frames.
    pub(crate) fn with_stream(mut self, decoded_len: u64, trailers: &'a str) -> Self {
        self.which |= 1 << Added::ContentEncoding as u8 | 1 << Added::DecodedLength as u8;
        if !trailers.is_empty() {
            self.which |= 1 << Added::Trailer as u8;
        }
        let mut digits = super::Pieces(|digits: &[u8]| {
            // There is room for the longest number.
            self.decoded_len.extend(digits).unwrap_or_default();
        });
        put_decimal(decoded_len, &mut digits);
        self.trailers = trailers;
        self
    }

    /// Names of the trailers of a body in frames.
    pub(crate) const fn trailers(&self) -> &'a str {
        self.trailers
    }

    pub(crate) const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The fields that are there, in the order in which they are added.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Added> + use<> {
        let mut left = self.which;
        core::iter::from_fn(move || {
            let added = Added::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*added)
        })
    }

    /// The value of a field, if it is there.
    #[inline(always)]
    pub(crate) fn get(&self, added: Added) -> Option<&[u8]> {
        (self.which >> added as u8 & 1 != 0).then(|| self.value(added))
    }

    /// The value of a field that is there, as it is sent.
    #[inline(always)]
    pub(crate) fn value(&self, added: Added) -> &[u8] {
        match added {
            Added::ContentEncoding => b"aws-chunked",
            Added::DecodedLength => self.decoded_len.as_slice(),
            Added::Trailer => self.trailers.as_bytes(),
            Added::Date => self.timestamp.as_bytes(),
            Added::ContentSha256 => self.content.as_bytes(),
            Added::SecurityToken | Added::S3SessionToken => self.token.as_bytes(),
        }
    }
}

/// Puts a number in decimal digits.
pub(super) fn put_decimal(number: u64, sink: &mut impl Sink) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    sink.put(digits.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::Added;
    use crate::bytes;

    /// What is added stands in the order of its names, and each is sorted by its own.
    #[test]
    fn added_fields_are_sorted_by_their_names() {
        assert!(Added::ALL.is_sorted_by(|a, b| a.name() < b.name()));
        for (nth, added) in Added::ALL.into_iter().enumerate() {
            assert_eq!(added as usize, nth);
            assert_eq!(added.key(), bytes::long_lower_key(added.name().as_bytes()), "{added:?}");
        }
    }
}
