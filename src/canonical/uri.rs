//! The canonical URI: the path as the signature covers it.
//!
//! The two families differ here and only here. S3's paths are keys: decoded once, encoded once,
//! nothing removed. Everywhere else the path is normalized and the wire form is encoded once more,
//! its escapes included.
//!
//! Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header"; AWS IAM
//! User Guide, "Create a signed AWS API request": canonical URI. RFC 3986 section 5.2.4.

use core::fmt;

use super::encode::{Decoded, Part, check, encode, is_canonical, recode};
use super::{Shown, Sink};
use crate::bounded::Bounded;
use crate::request::RequestError;

/// Which of the two ways of writing a canonical path a service follows.
///
/// ```
/// use countersign::Dialect;
///
/// assert_eq!(Dialect::of_service("s3express"), Dialect::S3);
/// assert_eq!(Dialect::of_service("lambda"), Dialect::Standard);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// S3 and its look-alikes: the path is a key. It is decoded and encoded once and never
    /// normalized; an escaped slash is a slash.
    S3,
    /// Every other service: empty and dot segments are removed, then the wire form is encoded,
    /// so that its escapes are encoded twice.
    Standard,
}

impl Dialect {
    /// The dialect of a signing name: S3 for `s3`, `s3express`, `s3-outposts` and
    /// `s3-object-lambda`.
    #[must_use]
    pub const fn of_service(service: &str) -> Self {
        match service.as_bytes() {
            b"s3" | b"s3express" | b"s3-outposts" | b"s3-object-lambda" => Self::S3,
            _ => Self::Standard,
        }
    }
}

/// Segments of a path that has to be normalized; a longer one is refused. Paths that are normal as
/// they stand have no such limit.
const MAX_SEGMENTS: usize = 128;

type Segments = Bounded<(u16, u16), MAX_SEGMENTS>;

/// A path of a request, checked: it can be written and read without failing.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    raw: &'a str,
    dialect: Dialect,
    /// Whether it is decoded and encoded without a change, as most are.
    canonical: bool,
}

impl<'a> Path<'a> {
    /// The root; another one is to be [`read`](Self::read).
    #[inline(always)]
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self { raw: "/", dialect, canonical: true }
    }

    /// Reads and checks the path of a target. After an error it is none.
    #[inline(always)]
    pub(crate) fn read(&mut self, raw: &'a str) -> Result<(), RequestError> {
        self.raw = if raw.is_empty() { "/" } else { raw };
        self.canonical = is_canonical(raw.as_bytes(), Part::Path);
        if self.canonical && self.dialect == Dialect::S3 { Ok(()) } else { self.check() }
    }

    /// Checks what not every path has.
    #[inline(never)]
    fn check(&self) -> Result<(), RequestError> {
        if !self.canonical {
            check(self.raw.as_bytes())?;
        }
        if self.dialect == Dialect::Standard {
            // A segment that is a dot segment only after decoding stays in the canonical form and
            // would be one for whoever decodes it later: no client sends it, so it is refused.
            for segment in self.raw.split('/').filter(|segment| segment.contains('%')) {
                let decoded = Decoded::of_path(segment);
                if decoded.clone().eq(*b".") || decoded.eq(*b"..") {
                    return Err(RequestError::TargetSyntax);
                }
            }
            if !self.is_normal() {
                self.segments().ok_or(RequestError::TargetSyntax)?;
            }
        }
        Ok(())
    }

    /// Whether normalizing would change nothing: no empty segment, no dot segment.
    fn is_normal(&self) -> bool {
        self.dialect == Dialect::S3 || !(self.raw.contains("//") || self.raw.contains("/."))
    }

    /// The segments that normalizing leaves, as positions; `None` if there are too many.
    fn segments(&self) -> Option<Segments> {
        let mut kept = Segments::filled_with((0, 0));
        let mut start = 0;
        for segment in self.raw.split('/') {
            let end = start + segment.len();
            match segment {
                "" | "." => {}
                ".." => {
                    kept.pop();
                }
                _ => kept.push((u16::try_from(start).ok()?, u16::try_from(end).ok()?)).ok()?,
            }
            start = end + 1;
        }
        Some(kept)
    }

    /// Hands over the path after normalization, still in its wire form.
    fn each_normal(&self, mut each: impl FnMut(&'a str)) {
        if self.is_normal() {
            return each(self.raw);
        }
        // The same call succeeded in `check`.
        let segments = self.segments().unwrap_or(Segments::filled_with((0, 0)));
        for (start, end) in segments.as_slice() {
            each("/");
            each(self.raw.get(usize::from(*start)..usize::from(*end)).unwrap_or_default());
        }
        if segments.as_slice().is_empty() || self.raw.ends_with('/') {
            each("/");
        }
    }

    /// Puts the canonical path and an ASCII character that ends it.
    #[inline(always)]
    pub(super) fn put_ended(&self, end: u8, sink: &mut impl Sink) {
        match self.dialect {
            Dialect::S3 if self.canonical => sink.put_ended(self.raw.as_bytes(), end),
            _ => {
                self.put_encoded(sink);
                sink.put(&[end]);
            }
        }
    }

    #[inline(never)]
    fn put_encoded(&self, sink: &mut impl Sink) {
        match self.dialect {
            Dialect::S3 => recode(self.raw.as_bytes(), Part::Path, sink),
            Dialect::Standard => {
                self.each_normal(|piece| encode(piece.as_bytes(), Part::Path, sink));
            }
        }
    }
}

/// The path that a signature covers, as an application has to understand it.
///
/// For S3 this is the path with its escapes decoded, `/` at its beginning: bucket and key, or key
/// alone. For every other service it is the normalized path, decoded. Route and authorize by these
/// bytes and by no second reading of the target.
///
/// `Display` shows bytes that are not UTF-8 as U+FFFD.
#[derive(Clone, Copy)]
pub struct SignedPath<'r>(pub(crate) Path<'r>);

impl SignedPath<'_> {
    /// Hands over the decoded bytes, piece by piece.
    pub fn pieces(&self, mut each: impl FnMut(&[u8])) {
        self.0.each_normal(|raw| Decoded::of_path(raw).each_piece(&mut each));
    }

    /// The decoded bytes.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let mut bytes = alloc::vec::Vec::with_capacity(self.0.raw.len());
        self.pieces(|piece| bytes.extend_from_slice(piece));
        bytes
    }
}

impl PartialEq<[u8]> for SignedPath<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        let mut rest = Some(other);
        self.pieces(|piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
        rest.is_some_and(<[u8]>::is_empty)
    }
}

impl PartialEq<str> for SignedPath<'_> {
    fn eq(&self, other: &str) -> bool {
        *self == *other.as_bytes()
    }
}

impl PartialEq<&str> for SignedPath<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == *other.as_bytes()
    }
}

impl fmt::Display for SignedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| {
            // Pieces are decoded whole, so that a character is never cut in two.
            self.0.each_normal(|raw| show_decoded(Decoded::of_path(raw), shown));
        })
    }
}

impl fmt::Debug for SignedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedPath({self})")
    }
}

/// Puts decoded bytes, a whole UTF-8 character at a time.
pub(super) fn show_decoded(decoded: Decoded<'_>, sink: &mut impl Sink) {
    let mut character = Bounded::<u8, 4>::filled_with(0);
    for byte in decoded {
        let continues = byte & 0xc0 == 0x80;
        if (!continues || character.push(byte).is_err()) && !character.as_slice().is_empty() {
            sink.put(character.as_slice());
            character = Bounded::filled_with(0);
        }
        if !continues || character.as_slice().is_empty() {
            let _ = character.push(byte);
        }
    }
    sink.put(character.as_slice());
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Dialect, Path, SignedPath};
    use crate::request::RequestError;
    use std::string::{String, ToString};

    fn path(raw: &str, dialect: Dialect) -> Result<Path<'_>, RequestError> {
        let mut path = Path::new(dialect);
        path.read(raw).map(|()| path)
    }

    fn canonical(raw: &str, dialect: Dialect) -> Result<String, RequestError> {
        struct Text(String);
        impl super::Sink for Text {
            fn put(&mut self, bytes: &[u8]) {
                self.0.push_str(core::str::from_utf8(bytes).expect("canonical forms are ASCII"));
            }
        }
        let mut text = Text(String::new());
        path(raw, dialect)?.put_ended(b'?', &mut text);
        assert_eq!(text.0.pop(), Some('?'));
        Ok(text.0)
    }

    #[test]
    fn s3_decodes_and_encodes_once() {
        for (raw, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/a//b/../c/./", "/a//b/../c/./"),
            ("/test$file.text", "/test%24file.text"),
            ("/%7e%41%2f+%2B", "/~A/%2B%2B"),
            ("/!'()*,:;=@&", "/%21%27%28%29%2A%2C%3A%3B%3D%40%26"),
            ("/ሴ /%e1%88%B4", "/%E1%88%B4%20/%E1%88%B4"),
            ("/%ff%FE", "/%FF%FE"),
        ] {
            assert_eq!(canonical(raw, Dialect::S3).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn other_services_normalize_and_encode_the_wire_form() {
        for (raw, expected) in [
            ("", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/.", "/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a"),
            ("/../../a", "/a"),
            ("//example//", "/example/"),
            ("/.hidden/...", "/.hidden/..."),
            ("/a/../../b/./c/", "/b/c/"),
            ("/a%20b", "/a%2520b"),
            ("/@connections/x%3D", "/%40connections/x%253D"),
            ("/example space/ሴ", "/example%20space/%E1%88%B4"),
        ] {
            assert_eq!(canonical(raw, Dialect::Standard).as_deref(), Ok(expected), "{raw}");
        }
        for raw in ["/%2e%2E/a", "/a/%2e", "/.%2e"] {
            assert_eq!(canonical(raw, Dialect::Standard), Err(RequestError::TargetSyntax), "{raw}");
        }
        let deep = "/a".repeat(super::MAX_SEGMENTS + 1);
        assert!(canonical(&deep, Dialect::Standard).is_ok());
        assert!(canonical(&(deep + "//"), Dialect::Standard).is_err());
    }

    #[test]
    fn broken_escapes_are_refused() {
        for raw in ["/%", "/%2", "/%zz", "/%2g", "/a%%20", "/% 1"] {
            for dialect in [Dialect::S3, Dialect::Standard] {
                assert_eq!(canonical(raw, dialect), Err(RequestError::EscapeSyntax), "{raw}");
            }
        }
    }

    #[test]
    fn the_application_sees_what_was_signed() {
        let seen = |raw, dialect| SignedPath(path(raw, dialect).expect("a path"));
        assert_eq!(seen("/b/a%2Fb%20+", Dialect::S3), "/b/a/b +");
        assert_eq!(seen("/b//../a", Dialect::S3), "/b//../a");
        assert_eq!(seen("/b//../a%2Fc", Dialect::Standard), "/a/c");
        assert_eq!(seen("/%ff%e1%88%b4", Dialect::S3).to_string(), "/\u{fffd}ሴ");
        let long = "/é".repeat(100);
        assert_eq!(seen(&long, Dialect::S3), long.as_str());
        assert_eq!(seen(&long, Dialect::S3).to_string(), long);
    }
}
