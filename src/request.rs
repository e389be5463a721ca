//! A request head as it crossed the wire, its limits, and what makes it unreadable.
//!
//! The types borrow; nothing is decoded, lower-cased or re-ordered here. What a path, a query or a
//! header value means for the signature is decided in `canonical/`.
//!
//! RFC 9110 section 5 (fields), RFC 9112 section 3.2 (request targets).

use core::fmt;

use crate::bytes::{self, Lanes, others};

/// A request head, exactly as it crossed the wire.
///
/// A field that a framework folded, renamed, added or dropped makes the signature fail: hand over
/// what came in. With HTTP/2 and HTTP/3 the authority is a field named `:authority`.
///
/// ```
/// use countersign::{Header, Request};
///
/// let headers = [Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" }];
/// let request = Request { method: "GET", target: "/photos/a%20b.jpg?versionId=3", headers: &headers };
/// # let _ = request;
/// ```
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, case-sensitive.
    pub method: &'a str,
    /// The request target: origin form (`/path?query`) or absolute form (`http://host/path?query`).
    pub target: &'a str,
    /// The header fields in the order they came.
    pub headers: &'a [Header<'a>],
}

/// One header field.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The name, in any case.
    pub name: &'a str,
    /// The value as bytes; it need not be UTF-8. A value may still hold line folds.
    pub value: &'a [u8],
}

/// How much of a request head is read before it is refused.
///
/// ```
/// use countersign::{Limits, Verifier};
///
/// let rules = Verifier::s3("us-east-1").limits(Limits { head_len: 8 * 1024, ..Limits::DEFAULT });
/// # let _ = rules;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of method, target, and the names and values of all fields together.
    pub head_len: usize,
    /// Header fields; no more than [`Limits::MAX_HEADERS`].
    pub headers: usize,
    /// Query parameters; no more than [`Limits::MAX_PARAMETERS`].
    pub parameters: usize,
}

/// What makes a request head unreadable, for a signer as for a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// The method is empty or not a token.
    MethodSyntax,
    /// The target has neither origin nor absolute form, or holds a fragment, a control character, or
    /// a dot segment spelled with escapes where dot segments count.
    TargetSyntax,
    /// A `%` in path or query is not followed by two hexadecimal digits.
    EscapeSyntax,
    /// More query parameters than the limit.
    TooManyParameters,
    /// More header fields than the limit.
    TooManyHeaders,
    /// Method, target and fields together are longer than the limit.
    HeadTooLong,
    /// A field name is not a token, or a value holds a control character.
    HeaderSyntax,
    /// A field that can stand only once stands twice.
    HeaderRepeated,
    /// There is no `host` field (nor `:authority`).
    HostMissing,
    /// `host`, `:authority` and an absolute target name different hosts.
    HostConflict,
}

/// Why `Content-Length` says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LengthError {
    Request(RequestError),
    /// It is no number, or stands beside another way to say how long the body is.
    Syntax,
}

impl Limits {
    /// The most header fields that can be allowed: indices of fields are kept on the stack.
    pub const MAX_HEADERS: usize = 128;
    /// The most query parameters that can be allowed: they are sorted on the stack.
    pub const MAX_PARAMETERS: usize = 128;
    /// The longest head that can be allowed, in bytes: positions in a target are 16 bits wide.
    pub const MAX_HEAD_LEN: usize = u16::MAX as usize;

    /// 32 KiB, 128 fields, 128 parameters. S3 itself allows 8 KiB of fields and query.
    pub const DEFAULT: Self =
        Self { head_len: 32 * 1024, headers: Self::MAX_HEADERS, parameters: Self::MAX_PARAMETERS };

    /// As much as can be allowed.
    pub(crate) const WIDEST: Self = Self {
        head_len: Self::MAX_HEAD_LEN,
        headers: Self::MAX_HEADERS,
        parameters: Self::MAX_PARAMETERS,
    };

    /// Refuses a head of more fields, or of more bytes.
    #[inline(always)]
    pub(crate) const fn check(&self, headers: usize, head_len: usize) -> Result<(), RequestError> {
        if headers > self.headers {
            return Err(RequestError::TooManyHeaders);
        }
        if head_len > self.head_len {
            return Err(RequestError::HeadTooLong);
        }
        Ok(())
    }

    /// The limits, none above what can be allowed.
    pub(crate) const fn clamped(self) -> Self {
        const fn least(a: usize, b: usize) -> usize {
            if a < b { a } else { b }
        }
        Self {
            head_len: least(self.head_len, Self::MAX_HEAD_LEN),
            headers: least(self.headers, Self::MAX_HEADERS),
            parameters: least(self.parameters, Self::MAX_PARAMETERS),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<'a> Request<'a> {
    /// Checks the size of the head and the method, and gives the length of the head.
    #[inline]
    pub(crate) fn check(&self, limits: &Limits) -> Result<usize, RequestError> {
        let fields: usize = self.headers.iter().map(|h| h.name.len() + h.value.len()).sum();
        let len = self.method.len() + self.target.len() + fields;
        limits.check(self.headers.len(), len)?;
        match self.method {
            "GET" | "PUT" | "HEAD" | "POST" | "DELETE" => Ok(len),
            method if is_name(method.as_bytes()) => Ok(len),
            _ => Err(RequestError::MethodSyntax),
        }
    }

    /// Looks at the fields once, whatever their size.
    #[inline]
    pub(crate) fn look(&self) -> Wire<'a> {
        Wire::new(self.headers)
    }
}

/// Fields that this crate knows by name.
#[derive(Clone, Copy)]
pub(crate) enum Known {
    AmzContentSha256,
    AmzDate,
    AmzDecodedContentLength,
    AmzS3SessionToken,
    AmzSecurityToken,
    AmzTrailer,
    Authority,
    Authorization,
    ContentEncoding,
    ContentLength,
    ContentType,
    Date,
    Host,
    TransferEncoding,
}

impl Known {
    const COUNT: usize = Self::TransferEncoding as usize + 1;

    #[inline(always)]
    fn of(name: &str) -> Option<Self> {
        let is = |known: &str| bytes::lowers_to(name.as_bytes(), known.as_bytes());
        // Few names have the length of another.
        Some(match name.len() {
            4 if is("host") => Self::Host,
            4 if is("date") => Self::Date,
            10 if is("x-amz-date") => Self::AmzDate,
            10 if is(":authority") => Self::Authority,
            12 if is("content-type") => Self::ContentType,
            13 if is("authorization") => Self::Authorization,
            13 if is("x-amz-trailer") => Self::AmzTrailer,
            14 if is("content-length") => Self::ContentLength,
            16 if is("content-encoding") => Self::ContentEncoding,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            20 if is("x-amz-content-sha256") => Self::AmzContentSha256,
            20 if is("x-amz-security-token") => Self::AmzSecurityToken,
            21 if is("x-amz-s3session-token") => Self::AmzS3SessionToken,
            28 if is("x-amz-decoded-content-length") => Self::AmzDecodedContentLength,
            _ => return None,
        })
    }
}

/// The fields of a request, and what one look at them found.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) headers: &'a [Header<'a>],
    /// Where each known field stands first.
    first: [u8; Known::COUNT],
    /// Which of them stand again behind it, by bits.
    repeated: u32,
    /// Which of the first 64 have values that are their own canonical form, by bits.
    pub(crate) canonical: u64,
    well_formed: bool,
    /// Whether names hold letters, digits and `-` alone.
    pub(crate) usual_names: bool,
}

impl<'a> Wire<'a> {
    const NOWHERE: u8 = u8::MAX;

    /// Looks at fields whose number is that of an index; more than [`Limits::MAX_HEADERS`] are
    /// refused before.
    pub(crate) fn new(headers: &'a [Header<'a>]) -> Self {
        let mut first = [Self::NOWHERE; Known::COUNT];
        let (mut repeated, mut canonical, mut bit) = (0, 0, 1);
        let (mut well_formed, mut usual_names) = (true, true);
        for (index, header) in (0..Self::NOWHERE).zip(headers) {
            let known = Known::of(header.name);
            if let Some(known) = known {
                let first = &mut first[known as usize];
                if *first == Self::NOWHERE {
                    *first = index;
                } else {
                    repeated |= 1 << known as usize;
                }
                // Pseudo-fields are written in lower case.
                well_formed &= !matches!(known, Known::Authority) || header.name == ":authority";
            } else if !is_usual(header.name.as_bytes()) {
                usual_names = false;
                well_formed &= is_name(header.name.as_bytes());
            }
            match known {
                // Its own grammar is stricter, and is asked for by whoever reads it.
                Some(Known::Authorization) => {}
                _ if is_canonical(header.value) => canonical |= bit,
                _ => well_formed &= header.has_text(),
            }
            // From the 65th on there is none.
            bit <<= 1;
        }
        Self { headers, first, repeated, canonical, well_formed, usual_names }
    }

    /// Refuses what is no field.
    pub(crate) const fn check(&self) -> Result<(), RequestError> {
        if self.well_formed { Ok(()) } else { Err(RequestError::HeaderSyntax) }
    }

    /// The first field of this name.
    #[inline]
    pub(crate) fn first(&self, known: Known) -> Option<&'a Header<'a>> {
        self.headers.get(usize::from(self.first[known as usize]))
    }

    /// Whether no field has one of these names.
    #[inline(always)]
    pub(crate) fn has_no(&self, known: &[Known]) -> bool {
        known.iter().all(|known| self.index(*known).is_none())
    }

    /// Where the first field of this name stands.
    #[inline]
    pub(crate) fn index(&self, known: Known) -> Option<u8> {
        Some(self.first[known as usize]).filter(|index| *index != Self::NOWHERE)
    }

    /// The fields with this name, in order.
    pub(crate) fn fields<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a Header<'a>> + use<'a, 'n> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_repeated(&self, known: Known) -> bool {
        self.repeated & 1 << known as usize != 0
    }

    /// The length that the head announces. Two lengths, or a length beside `Transfer-Encoding`, are
    /// how requests are smuggled (RFC 9112 section 6.3).
    #[inline]
    pub(crate) fn content_length(&self) -> Result<Option<u64>, LengthError> {
        let value = self.single(Known::ContentLength).map_err(LengthError::Request)?;
        let Some(value) = value else { return Ok(None) };
        let length = number(value);
        if length.is_none() || self.first(Known::TransferEncoding).is_some() {
            return Err(LengthError::Syntax);
        }
        Ok(length)
    }

    /// Whether a list of `Content-Encoding` names `aws-chunked`.
    #[inline(always)]
    pub(crate) fn is_aws_chunked(&self) -> bool {
        self.first(Known::ContentEncoding).is_some() && self.names_aws_chunked()
    }

    #[cold]
    fn names_aws_chunked(&self) -> bool {
        let names = |Header { value, .. }: &Header<'_>| {
            value
                .split(|byte| *byte == b',')
                .any(|coding| trim(coding).eq_ignore_ascii_case(b"aws-chunked"))
        };
        self.fields("content-encoding").any(names)
    }

    /// The value of a field that may stand once at the most, without the blanks around it.
    #[inline(always)]
    pub(crate) fn single(&self, known: Known) -> Result<Option<&'a [u8]>, RequestError> {
        if self.is_repeated(known) {
            return Err(RequestError::HeaderRepeated);
        }
        Ok(self.first(known).map(|header| trim(header.value)))
    }
}

impl Header<'_> {
    /// Whether the value holds no control character but a tab or a line fold (a line end with a
    /// blank behind it).
    #[inline]
    pub(crate) fn has_text(&self) -> bool {
        is_text(self.value) || self.is_folded()
    }

    /// The same for values with a tab, a line fold or what is not ASCII, as few are.
    #[inline(never)]
    fn is_folded(&self) -> bool {
        let mut rest = self.value;
        loop {
            rest = match rest {
                [] => return true,
                [b'\t' | b' '..=b'~' | 0x80.., after @ ..] => after,
                [b'\r', b'\n', b' ' | b'\t', after @ ..] | [b'\n', b' ' | b'\t', after @ ..] => {
                    after
                }
                _ => return false,
            };
        }
    }
}

/// A request target, taken apart; path and query are neither checked nor decoded.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The authority of an absolute target.
    pub(crate) authority: Option<&'a str>,
    /// The path; it begins with `/` or is empty.
    pub(crate) path: &'a str,
    /// What follows the first `?`, empty if nothing does.
    pub(crate) query: &'a str,
}

impl<'a> Target<'a> {
    /// `None` if it has no form that can be signed.
    #[inline(always)]
    pub(crate) fn parse(target: &'a str) -> Option<Self> {
        let (authority, rest) = if target.starts_with('/') {
            (None, target)
        } else {
            let (scheme, rest) = target.split_once("://")?;
            if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                return None;
            }
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            let strange = |byte: u8| matches!(byte, b'@' | b'#') || byte.is_ascii_control();
            if authority.is_empty() || authority.bytes().any(strange) {
                return None;
            }
            (Some(authority), rest)
        };
        let (path, query) = split_once(rest, b'?').unwrap_or((rest, ""));
        Some(Self { authority, path, query })
    }
}

/// What stands before and behind the first `separator`, an ASCII character.
#[inline(always)]
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = bytes::find(text.as_bytes(), separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whether the value is visible ASCII, with single spaces inside at the most: neither trimming nor
/// collapsing would change it.
#[inline(always)]
fn is_canonical(value: &[u8]) -> bool {
    bytes::none(value, |lanes| others(lanes.is_in(b'!', b'~'))) || is_spaced(value)
}

/// The same for values with something else than visible ASCII.
#[inline(always)]
fn is_spaced(value: &[u8]) -> bool {
    let changes = |[byte, next, _]: [Lanes; 3]| {
        let single = byte.is(b' ') & next.is_in(b'!', b'~');
        others(byte.is_in(b'!', b'~') | single)
    };
    value.first() != Some(&b' ') && bytes::positions_ahead(value, changes).next().is_none()
}

/// Whether the value is ASCII without a control character.
#[inline]
fn is_text(value: &[u8]) -> bool {
    bytes::none(value, |lanes| others(lanes.is_in(b' ', b'~')))
}

/// Whether this is a name, of the characters that names are made of as a rule.
#[inline(always)]
fn is_usual(name: &[u8]) -> bool {
    !name.is_empty()
        && bytes::none(name, |lanes| {
            others(lanes.is_letter() | lanes.is_in(b'0', b'9') | lanes.is(b'-'))
        })
}

/// Whether this is a name: a token.
#[inline(never)]
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_token(*byte))
}

/// The same for what is a usual one as a rule.
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    is_usual(name) || is_name(name)
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A blank that may stand around a field value: SP or HT.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A number in decimal digits; `None` also if it is beyond 64 bits.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| match byte.wrapping_sub(b'0') {
        digit @ 0..10 => number.checked_mul(10)?.checked_add(u64::from(digit)),
        _ => None,
    };
    value.iter().try_fold(0, add).filter(|_| !value.is_empty())
}

/// The value without the blanks and line folds around it.
#[inline(always)]
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = value {
        value = rest;
    }
    value
}

impl fmt::Debug for Request<'_> {
    /// Shows method and path; queries and fields can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &path)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Header<'_> {
    /// Shows the name; values can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MethodSyntax => "the method is not a token",
            Self::TargetSyntax => "the request target has no form that can be signed",
            Self::EscapeSyntax => "a percent sign in the request target begins no escape",
            Self::TooManyParameters => "the query has too many parameters",
            Self::TooManyHeaders => "the request has too many header fields",
            Self::HeadTooLong => "the request head is too long",
            Self::HeaderSyntax => "a header field is not well formed",
            Self::HeaderRepeated => "a header field that stands alone is repeated",
            Self::HostMissing => "the request names no host",
            Self::HostConflict => "the request names different hosts",
        })
    }
}

impl core::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn targets() {
        let parts = |target| Target::parse(target).map(|t| (t.authority, t.path, t.query));
        assert_eq!(parts("/a?b?c"), Some((None, "/a", "b?c")));
        assert_eq!(parts("http://h:80/a?b"), Some((Some("h:80"), "/a", "b")));
        assert_eq!(parts("HTTPS://h?b"), Some((Some("h"), "", "b")));
        assert_eq!(parts("//a//b"), Some((None, "//a//b", "")));
        for target in [
            "",
            "*",
            "h:443",
            "a/b",
            "?x=y",
            "ftp://h/",
            "http:///a",
            "http://u@h/",
            "http://h#/",
            "http://h\n/",
        ] {
            assert_eq!(parts(target), None, "{target}");
        }
    }
}
