//! A credential and its scope as they are written, for whoever writes them often.

use super::Filled;
use super::encode::encode;
use super::query::VALUE;
use crate::bounded::{Bounded, Full};
use crate::credential::{AccessKeyId, CredentialError, CredentialScope, TERMINATOR};
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
        let text = Self::write(access_key_id, scope).map_err(|Full| CredentialError::TooLong)?;
        let mut room = [0; Self::MAX_LEN + 2 * SLASHES];
        let mut escaped = Filled::new(&mut room);
        encode(text.as_slice(), VALUE, &mut escaped);
        let escaped = escaped.written().and_then(|escaped| Bounded::copy_of(escaped).ok());
        Ok(Self { text, scope_at: access_key_id.as_bytes().len() + 1, escaped })
    }

    fn write(
        access_key_id: &AccessKeyId,
        scope: &CredentialScope<'_>,
    ) -> Result<Bounded<u8, { Self::MAX_LEN }>, Full> {
        let mut text = Bounded::filled_with(0);
        text.extend(access_key_id.as_bytes())?;
        text.extend(b"/")?;
        let mut written = Ok(());
        scope.each_piece(|piece| written = written.and_then(|()| text.extend(piece)));
        written.map(|()| text)
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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::CredentialText;
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
}
