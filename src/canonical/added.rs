//! Fields that a signer adds to a request and signs.
//!
//! Each value is made where it is written; what is kept is what it is made of.

use super::Sink;
use super::query::Token;
use crate::content::ContentSha256;
use crate::time::Timestamp;

/// What a signer adds.
#[derive(Clone, Copy)]
pub(crate) struct Additions<'a> {
    /// Length and trailers of a body in frames.
    pub(crate) stream: Option<(u64, &'a str)>,
    pub(crate) timestamp: Timestamp,
    /// `x-amz-content-sha256`, if it is sent.
    pub(crate) content: Option<ContentSha256>,
    /// The token, if it is signed.
    pub(crate) token: Option<(Token, &'a str)>,
}

/// One of the fields that a signer adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    ContentEncoding,
    DecodedLength,
    Trailer,
    Date,
    ContentSha256,
    SecurityToken,
    S3SessionToken,
}

impl Added {
    pub(crate) const COUNT: usize = Self::ALL.len();

    const ALL: [Self; 7] = [
        Self::ContentEncoding,
        Self::DecodedLength,
        Self::Trailer,
        Self::Date,
        Self::ContentSha256,
        Self::SecurityToken,
        Self::S3SessionToken,
    ];

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
            Self::SecurityToken => Token::Security.field(),
            Self::S3SessionToken => Token::S3Session.field(),
        }
    }
}

impl Additions<'_> {
    /// The fields that are there, in the order in which they are added.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Added> {
        Added::ALL.into_iter().filter(|added| self.has(*added))
    }

    #[inline(always)]
    const fn has(&self, added: Added) -> bool {
        match added {
            Added::ContentEncoding | Added::DecodedLength => self.stream.is_some(),
            Added::Trailer => matches!(self.stream, Some((_, trailers)) if !trailers.is_empty()),
            Added::Date => true,
            Added::ContentSha256 => self.content.is_some(),
            Added::SecurityToken => matches!(self.token, Some((Token::Security, _))),
            Added::S3SessionToken => matches!(self.token, Some((Token::S3Session, _))),
        }
    }

    /// Puts the value of a field that is there.
    #[inline(always)]
    pub(crate) fn put(&self, added: Added, sink: &mut impl Sink) {
        match added {
            Added::ContentEncoding => sink.put(b"aws-chunked"),
            Added::DecodedLength => {
                if let Some((len, _)) = self.stream {
                    put_decimal(len, sink);
                }
            }
            Added::Trailer => {
                if let Some((_, trailers)) = self.stream {
                    super::headers::put_value(trailers.as_bytes(), sink);
                }
            }
            Added::Date => sink.put(self.timestamp.as_bytes()),
            Added::ContentSha256 => {
                if let Some(content) = self.content {
                    sink.put(content.text().as_bytes());
                }
            }
            Added::SecurityToken | Added::S3SessionToken => {
                if let Some((_, token)) = self.token {
                    sink.put(token.as_bytes());
                }
            }
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
