//! A credential and its scope as they are written, for whoever writes them, or looks for them, often.

use core::fmt;

use super::Pieces;
use super::encode::{encode, is_unreserved};
use super::query::VALUE;
use crate::bounded::{Bounded, Full};
use crate::credential::{AccessKeyId, CredentialError, CredentialScope, TERMINATOR};
use crate::crypto::write_ascii;
use crate::time::Date;

/// `name/date/region/service/aws4_request`: in a header, in a string to sign, and in a URL.
#[derive(Clone)]
pub(crate) struct CredentialText {
    text: Bounded<u8, { Self::MAX_LEN }>,
    /// Where the scope begins.
    scope_at: usize,
    /// The same, escaped; `None` if more than its slashes have to be.
    escaped: Option<Bounded<u8, { Self::MAX_LEN + 2 * SLASHES }>>,
}

const SLASHES: usize = 4;

impl CredentialText {
    /// The longest region and the longest service that are written, in bytes.
    const PART_LEN: usize = 64;

    const MAX_LEN: usize =
        AccessKeyId::MAX_LEN + Date::LEN + 2 * Self::PART_LEN + TERMINATOR.len() + SLASHES;

    /// # Errors
    /// [`CredentialError::TooLong`] for region and service.
    pub(crate) fn new(
        access_key_id: &AccessKeyId,
        scope: &CredentialScope<'_>,
    ) -> Result<Self, CredentialError> {
        if scope.region.len().max(scope.service.len()) > Self::PART_LEN {
            return Err(CredentialError::TooLong);
        }
        let mut written = Self {
            text: Bounded::filled_with(0),
            scope_at: access_key_id.as_bytes().len() + 1,
            escaped: None,
        };
        written.write(access_key_id, scope).map_err(|Full| CredentialError::TooLong)?;
        written.escape();
        Ok(written)
    }

    fn write(
        &mut self,
        access_key_id: &AccessKeyId,
        scope: &CredentialScope<'_>,
    ) -> Result<(), Full> {
        self.text.extend(access_key_id.as_bytes())?;
        self.text.extend(b"/")?;
        let mut written = Ok(());
        scope.each_piece(|piece| written = written.and_then(|()| self.text.extend(piece)));
        written
    }

    fn escape(&mut self) {
        let escaped = self.escaped.insert(Bounded::filled_with(0));
        let mut written = Ok(());
        let mut sink =
            Pieces(|piece: &[u8]| written = written.and_then(|()| escaped.extend(piece)));
        encode(self.text.as_slice(), VALUE, &mut sink);
        if written.is_err() {
            self.escaped = None;
        }
    }

    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_slice()
    }

    #[inline(always)]
    pub(crate) fn scope(&self) -> &[u8] {
        self.text.as_slice().get(self.scope_at..).unwrap_or_default()
    }

    /// As it stands in a URL, if that is known.
    #[inline(always)]
    pub(crate) fn escaped(&self) -> Option<&[u8]> {
        self.escaped.as_ref().map(Bounded::as_slice)
    }
}

/// `/region/service/aws4_request`, what stands behind the date of a scope: in a header and in a URL,
/// for whoever looks for it often.
#[derive(Clone, Copy)]
pub(crate) struct ScopeEnd {
    text: [u8; Self::MAX_LEN],
    len: usize,
    escaped: [u8; Self::MAX_LEN + 2 * Self::SLASHES],
}

impl ScopeEnd {
    const MAX_LEN: usize = 64;

    const SLASHES: usize = 3;

    /// `None` if that would be long, or if more than its slashes has to be escaped.
    pub(crate) const fn new(region: &str, service: &str) -> Option<Self> {
        let parts = [region.as_bytes(), service.as_bytes(), TERMINATOR.as_bytes()];
        let mut end = Self { text: [0; _], len: 0, escaped: [0; _] };
        let mut slashes = 0;
        while slashes < parts.len() {
            let part = parts[slashes];
            if part.is_empty() || end.len + 1 + part.len() > Self::MAX_LEN {
                return None;
            }
            end.text[end.len] = b'/';
            let mut at = 0;
            while at < 3 {
                end.escaped[end.len + 2 * slashes + at] = b"%2F"[at];
                at += 1;
            }
            end.len += 1;
            slashes += 1;
            let mut at = 0;
            while at < part.len() {
                if !is_unreserved(part[at]) {
                    return None;
                }
                end.text[end.len] = part[at];
                end.escaped[end.len + 2 * slashes] = part[at];
                end.len += 1;
                at += 1;
            }
        }
        Some(end)
    }

    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    /// As it stands in a URL.
    #[inline(always)]
    pub(crate) fn escaped(&self) -> &[u8] {
        self.escaped.get(..self.len + 2 * Self::SLASHES).unwrap_or_default()
    }
}

impl fmt::Debug for ScopeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ascii(f, self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{CredentialText, ScopeEnd};
    use crate::credential::{AccessKeyId, CredentialError, CredentialScope};
    use crate::time::Date;

    fn text(name: &str, region: &str, service: &str) -> Result<CredentialText, CredentialError> {
        let date = Date::parse("20130524").expect("a date");
        let name = AccessKeyId::new(name).expect("a name");
        CredentialText::new(&name, &CredentialScope { date, region, service })
    }

    #[test]
    fn the_longest_is_written() -> Result<(), CredentialError> {
        let (name, part) = ("n".repeat(AccessKeyId::MAX_LEN), "p".repeat(64));
        let longest = text(&name, &part, &part)?;
        let scope = std::format!("20130524/{part}/{part}/aws4_request");
        let whole = std::format!("{name}/{scope}");
        assert_eq!((longest.as_bytes(), longest.scope()), (whole.as_bytes(), scope.as_bytes()));
        assert_eq!(longest.as_bytes().len(), CredentialText::MAX_LEN);
        assert_eq!(longest.escaped(), Some(whole.replace('/', "%2F").as_bytes()));
        let longer = std::format!("{part}p");
        assert_eq!(text("n", &longer, "s").err(), Some(CredentialError::TooLong));
        assert_eq!(text("n", "r", &longer).err(), Some(CredentialError::TooLong));
        Ok(())
    }

    #[test]
    fn what_is_escaped_is_known_or_not() -> Result<(), CredentialError> {
        let escaped = |name| text(name, "r", "s").map(|text| text.escaped().map(<[u8]>::to_vec));
        let known = b"a%2Bb%2Fc%2F20130524%2Fr%2Fs%2Faws4_request".to_vec();
        assert_eq!(escaped("a+b/c")?, Some(known));
        assert_eq!(escaped(&"+".repeat(AccessKeyId::MAX_LEN))?, None);
        Ok(())
    }

    #[test]
    fn ends_of_scopes() {
        let end = ScopeEnd::new;
        let s3 = end("us-east-1", "s3").expect("nothing to escape");
        assert_eq!(s3.as_bytes(), b"/us-east-1/s3/aws4_request");
        assert_eq!(s3.escaped(), b"%2Fus-east-1%2Fs3%2Faws4_request");
        assert_eq!(std::format!("{s3:?}"), "/us-east-1/s3/aws4_request");
        for strange in ["", "a/b", "a,b", "a%2Fb", "a+b", "a b", "\u{e9}"] {
            assert!(end(strange, "s3").is_none() && end("r", strange).is_none(), "{strange}");
        }
        let longest = "r".repeat(64 - "//s3/aws4_request".len());
        let whole = std::format!("/{longest}/s3/aws4_request");
        let end_of_longest = end(&longest, "s3").expect("long enough");
        assert_eq!(end_of_longest.as_bytes(), whole.as_bytes());
        assert_eq!(end_of_longest.escaped(), whole.replace('/', "%2F").as_bytes());
        assert!(end(&std::format!("{longest}r"), "s3").is_none());
        assert!(end("s3", &longest).is_some() && end("s3r", &longest).is_none());
    }
}
