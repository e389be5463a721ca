//! Which trailers may come, and what of them is signed.
//!
//! A head announces trailers in `x-amz-trailer`; exactly those come, each once. What is signed is a
//! line `name:value LF` for each, in the order of their names.

use core::fmt;

use crate::bounded::{Bounded, Full};
use crate::bytes::{self, others};
use crate::crypto::{DIGEST_LEN, Sha256};
use crate::request::{is_field_name, trim};

/// Trailers of one body. S3 takes one; there is room for a few.
const MAX_TRAILERS: usize = 8;

/// Bytes of all names, values and line ends.
const MAX_LEN: usize = 1024;

/// Trailers begin with this on S3, which refuses all others ...
const PREFIX: &[u8] = b"x-amz-checksum-";

/// ... but for this one, which one SDK sends when it is asked for MD5.
const CONTENT_MD5: &[u8] = b"content-md5";

/// The value of `x-amz-trailer`, checked; or of no such field.
#[derive(Clone, Copy)]
pub(crate) struct Announcement<'r>(&'r [u8]);

impl<'r> Announcement<'r> {
    pub(crate) const NONE: Self = Self(b"");

    /// Checks the value of `x-amz-trailer`.
    pub(crate) fn parse(value: &'r [u8]) -> Result<Self, AnnounceError> {
        Announced::parse(value).map(|_| Self(value))
    }

    /// The names it gives, free of the head.
    pub(crate) fn names(self) -> Announced {
        // What was checked has names; no field, none.
        Announced::parse(self.0).unwrap_or(Announced::NONE)
    }
}

/// The names of `x-amz-trailer`, lower case, each followed by a comma.
#[derive(Clone, Copy)]
pub(crate) struct Announced {
    names: Bounded<u8, 256>,
    count: usize,
}

/// `x-amz-trailer` names what is no checksum, a name twice, or nothing where one must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnnounceError;

impl Announced {
    pub(crate) const NONE: Self = Self { names: Bounded::filled_with(0), count: 0 };

    /// Reads the value of `x-amz-trailer`. Commas at its end are tolerated, as S3 does.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, AnnounceError> {
        let mut announced = Self::NONE;
        let mut value = trim(value);
        while let [rest @ .., b','] = value {
            value = rest;
        }
        let value = trim(value);
        if value.is_empty() {
            return Err(AnnounceError);
        }
        for name in value.split(|byte| *byte == b',').map(trim) {
            let checksum = name.split_at_checked(PREFIX.len()).is_some_and(|(prefix, rest)| {
                prefix.eq_ignore_ascii_case(PREFIX) && is_field_name(rest)
            });
            let known = checksum || name.eq_ignore_ascii_case(CONTENT_MD5);
            if !known || announced.contains(name) || announced.count == MAX_TRAILERS {
                return Err(AnnounceError);
            }
            let names = &mut announced.names;
            names.extend_lower(name).and_then(|()| names.push(b',')).map_err(|_| AnnounceError)?;
            announced.count += 1;
        }
        Ok(announced)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.as_slice().split(|byte| *byte == b',').filter(|name| !name.is_empty())
    }

    fn contains(&self, name: &[u8]) -> bool {
        self.names().any(|announced| announced.eq_ignore_ascii_case(name))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Why a trailer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrailerError {
    /// The line is no `name:value`, or there is too much.
    Syntax,
    /// It was not announced.
    Unannounced,
    /// It came before.
    Repeated,
}

/// The trailers that came: their lines as they are signed.
#[derive(Clone, Copy)]
pub(crate) struct Received {
    lines: Bounded<u8, MAX_LEN>,
    count: usize,
}

impl Received {
    pub(crate) const NONE: Self = Self { lines: Bounded::filled_with(0), count: 0 };

    /// Takes a line without its end; gives the value if it is the one named `signature`.
    pub(crate) fn take<'l>(
        &mut self,
        line: &'l [u8],
        announced: &Announced,
        signature: Option<&str>,
    ) -> Result<Option<&'l [u8]>, TrailerError> {
        let (name, value) = split_line(line).ok_or(TrailerError::Syntax)?;
        let value = trim(value);
        if !is_field_name(name) || !bytes::none(value, |lanes| others(lanes.is_in(b' ', b'~'))) {
            return Err(TrailerError::Syntax);
        }
        if signature.is_some_and(|signature| name.eq_ignore_ascii_case(signature.as_bytes())) {
            return Ok(Some(value));
        }
        if !announced.contains(name) {
            return Err(TrailerError::Unannounced);
        }
        if self.lines().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(TrailerError::Repeated);
        }
        self.put(name, value).map_err(|_| TrailerError::Syntax)?;
        self.count += 1;
        Ok(None)
    }

    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), Full> {
        self.lines.extend_lower(name)?;
        self.lines.push(b':')?;
        self.lines.extend(value)?;
        self.lines.push(b'\n')
    }

    /// Whether all that were announced came. None came that was not.
    pub(crate) const fn are_all(&self, announced: &Announced) -> bool {
        self.count == announced.count
    }

    /// Names and values in the order they came.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut rest = self.lines.as_slice();
        core::iter::from_fn(move || {
            let line;
            (line, rest) = rest.split_at_checked(bytes::find(rest, b'\n')?)?;
            rest = rest.get(1..)?;
            split_line(line)
        })
    }

    /// The hash of the lines in the order of their names.
    pub(crate) fn hash(&self) -> [u8; DIGEST_LEN] {
        let mut hash = Sha256::new();
        let mut after: Option<&[u8]> = None;
        // There are few: each turn takes the least name above the last.
        while let Some((name, value)) = self
            .lines()
            .filter(|(name, _)| after.is_none_or(|after| *name > after))
            .min_by_key(|(name, _)| *name)
        {
            for piece in [name, b":", value, b"\n"] {
                hash.update(piece);
            }
            after = Some(name);
        }
        hash.finish()
    }
}

/// Name and value of a line.
fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(bytes::find(line, b':')?)?;
    Some((name, value.get(1..)?))
}

/// The trailers of a verified body.
///
/// ```
/// # use countersign::*;
/// # fn look(body: &VerifiedBody) {
/// for (name, value) in body.trailers() {
///     println!("{name}: {value}");
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Trailers<'v>(pub(crate) &'v Received, pub(crate) usize);

impl<'v> Iterator for Trailers<'v> {
    type Item = (&'v str, &'v str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.lines().nth(self.1)?;
        self.1 += 1;
        // Names are tokens, values visible ASCII.
        Some((core::str::from_utf8(name).ok()?, core::str::from_utf8(value).ok()?))
    }
}

impl fmt::Debug for Trailers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Announced, Received, TrailerError};
    use crate::crypto::{Sha256, digest_to_hex};
    use std::vec::Vec;

    #[test]
    fn announcements() {
        for (value, count) in [
            ("x-amz-checksum-crc32", 1),
            ("X-Amz-Checksum-CRC32C", 1),
            ("x-amz-checksum-crc32, x-amz-checksum-sha1", 2),
            ("x-amz-checksum-crc32,", 1),
            (" x-amz-checksum-crc32 ,, ", 1),
            ("Content-MD5", 1),
        ] {
            let announced = Announced::parse(value.as_bytes()).expect(value);
            assert_eq!(announced.names().count(), count, "{value}");
        }
        for value in [
            "",
            " ",
            ",",
            ",x-amz-checksum-crc32",
            "x-amz-checksum-crc32,,x-amz-checksum-sha1",
            "x-amz-checksum-",
            "x-amz-meta-a",
            "content-length",
            "x-amz-checksum-crc32, ,",
            "x-amz-checksum-a b",
            "x-amz-checksum-a,X-Amz-Checksum-A",
            "x-amz-trailer-signature",
        ] {
            assert!(Announced::parse(value.as_bytes()).is_err(), "{value}");
        }
        let many: Vec<_> = (0..9).map(|n| std::format!("x-amz-checksum-{n}")).collect();
        assert!(Announced::parse(many[..8].join(",").as_bytes()).is_ok());
        assert!(Announced::parse(many.join(",").as_bytes()).is_err());
    }

    #[test]
    fn lines() {
        let announced = Announced::parse(b"x-amz-checksum-b,x-amz-checksum-a").expect("names");
        let mut received = Received::NONE;
        let take = |received: &mut Received, line: &[u8]| {
            received.take(line, &announced, Some("x-amz-trailer-signature")).map(|v| v.is_some())
        };
        assert!(!received.are_all(&announced));
        assert_eq!(take(&mut received, b"X-Amz-Checksum-B: 2 \n"), Ok(false));
        assert_eq!(take(&mut received, b"x-amz-checksum-b:2"), Err(TrailerError::Repeated));
        assert_eq!(take(&mut received, b"x-amz-checksum-c:2"), Err(TrailerError::Unannounced));
        assert_eq!(take(&mut received, b"x-amz-trailer-signature:00"), Ok(true));
        for line in
            [&b"x-amz-checksum-a"[..], b":1", b"x-amz-checksum-a :1", b"x-amz-checksum-a:\xff"]
        {
            assert_eq!(take(&mut received, line), Err(TrailerError::Syntax), "{line:?}");
        }
        assert_eq!(take(&mut received, b"x-amz-checksum-a:1"), Ok(false));
        assert!(received.are_all(&announced));
        let sorted = Sha256::digest(b"x-amz-checksum-a:1\nx-amz-checksum-b:2\n");
        assert_eq!(digest_to_hex(&received.hash()), digest_to_hex(&sorted));
    }
}
