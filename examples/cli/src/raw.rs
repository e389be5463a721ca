//! A raw HTTP/1.1 request, taken apart and left as it is.
//!
//! A signature covers bytes, so the library must see what crossed the wire. Parsers made for
//! servers (`httparse`, `hyper`) join or refuse folded fields, trim values, and stop at a target
//! with blanks or bytes that are not UTF-8, whereas those are the requests one wants to look at
//! here. This reader cuts and decides nothing; what it cannot cut is a [`Fault`] of a request that
//! is otherwise kept, so that it can still be said how the request tried to sign.
//!
//! ```text
//! head    = request-line *field line-end
//! request-line = method SP target SP version line-end   ; the first and the last SP
//! field   = name ":" value line-end *( blank text line-end )
//! line-end = [ CR ] LF
//! blank   = SP / HT
//! ```
//!
//! RFC 9112 sections 2.2 (line ends), 3 (request line), 5.2 (obsolete line folding).

use std::fmt;
use std::io::{self, BufRead, Read};
use std::str;

use bstr::ByteSlice;
use countersign::{Header, Request, RequestError};

/// The longest head that is read, in bytes: no request that the library accepts has one.
const MAX_HEAD_LEN: u64 = 64 * 1024;

/// A request head in pieces.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) version: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    /// The first thing that is wrong with it.
    fault: Option<Fault>,
}

/// A field as it came: the blanks and folds of the value are in it.
pub(crate) struct Field {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Why there is no request to speak of.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The input holds nothing.
    Empty,
    /// The input ends before the blank line that ends a head.
    Unfinished,
    /// The input gives no more.
    Io(io::Error),
}

/// Why a request is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The first line is not a method, a target and a version with blanks between them.
    RequestLine,
    /// The method is not UTF-8.
    Method,
    /// The target is not UTF-8.
    Target,
    /// A line is not a field: it has no colon or no name, or there is no field to continue.
    FieldLine,
    /// The name of a field is not UTF-8.
    FieldName,
    /// The head is longer than the limit.
    TooLong,
    /// A form is posted to something that is no bucket.
    Bucket,
}

impl Head {
    /// Reads a head and leaves the input where the body begins.
    pub(crate) fn read(input: &mut (impl BufRead + ?Sized)) -> Result<Self, Unreadable> {
        let mut input = input.take(MAX_HEAD_LEN);
        let mut head = Self::default();
        let mut line = Vec::new();
        // How the line before ended: it is part of the value when the value goes on.
        let mut line_end = Vec::new();
        for number in 0_usize.. {
            line.clear();
            input.read_until(b'\n', &mut line)?;
            let Some(text) = line.strip_suffix(b"\n") else {
                if input.limit() == 0 {
                    head.blame(Fault::TooLong);
                    break;
                }
                let empty = number == 0 && line.is_empty();
                return Err(if empty { Unreadable::Empty } else { Unreadable::Unfinished });
            };
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            match text {
                _ if number == 0 => head.request_line(text),
                [] => break,
                [b' ' | b'\t', ..] => head.fold(&line_end, text),
                _ => head.field(text),
            }
            line_end.clear();
            line_end.extend_from_slice(line.get(text.len()..).unwrap_or_default());
        }
        Ok(head)
    }

    fn request_line(&mut self, line: &[u8]) {
        let parts = line.split_once_str(b" ").and_then(|(method, rest)| {
            let (target, version) = rest.rsplit_once_str(b" ")?;
            is_version(version).then_some((method, target, version))
        });
        match parts {
            Some((method, target, version)) => {
                self.method = method.to_vec();
                self.target = target.to_vec();
                self.version = version.to_vec();
            }
            None => self.blame(Fault::RequestLine),
        }
    }

    fn field(&mut self, line: &[u8]) {
        match line.split_once_str(b":") {
            None | Some(([], _)) => self.blame(Fault::FieldLine),
            Some((name, value)) => {
                self.fields.push(Field { name: name.to_vec(), value: value.to_vec() });
            }
        }
    }

    fn fold(&mut self, line_end: &[u8], line: &[u8]) {
        match self.fields.last_mut() {
            Some(field) => {
                field.value.extend_from_slice(line_end);
                field.value.extend_from_slice(line);
            }
            None => self.blame(Fault::FieldLine),
        }
    }

    fn blame(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// The values of the fields with this name.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter();
        fields
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.trim_ascii())
    }

    /// The fields as the library takes them.
    pub(crate) fn headers(&self) -> Result<Vec<Header<'_>>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.fields.iter().map(Field::header).collect()
    }

    /// The request as the library takes it, with the fields of [`headers`](Self::headers).
    pub(crate) fn request<'h>(&'h self, headers: &'h [Header<'h>]) -> Result<Request<'h>, Fault> {
        let method = str::from_utf8(&self.method).map_err(|_| Fault::Method)?;
        let target = str::from_utf8(&self.target).map_err(|_| Fault::Target)?;
        Ok(Request { method, target, headers })
    }
}

impl Field {
    fn header(&self) -> Result<Header<'_>, Fault> {
        let name = str::from_utf8(&self.name).map_err(|_| Fault::FieldName)?;
        Ok(Header { name, value: &self.value })
    }
}

/// `HTTP-version` of RFC 9112 section 2.3, its name in any case: published test requests write it in
/// lower case.
fn is_version(text: &[u8]) -> bool {
    match text.split_at_checked(5) {
        Some((name, [major, b'.', minor])) => {
            name.eq_ignore_ascii_case(b"HTTP/") && major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

impl From<Fault> for RequestError {
    /// The library's word for it, from which the answer follows.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::RequestLine | Fault::Method => Self::MethodSyntax,
            Fault::Target | Fault::Bucket => Self::TargetSyntax,
            Fault::FieldLine | Fault::FieldName => Self::HeaderSyntax,
            Fault::TooLong => Self::HeadTooLong,
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestLine => "the first line is not a method, a target and an HTTP version",
            Self::Method => "the method is not UTF-8",
            Self::Target => "the target is not UTF-8",
            Self::FieldLine => "a line of the head is not a header field",
            Self::FieldName => "the name of a header field is not UTF-8",
            Self::TooLong => "the head is longer than 64 KiB",
            Self::Bucket => "a form is posted to a bucket, and to nothing else",
        })
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the request is empty",
            Self::Unfinished => "the request has no blank line after its head",
            Self::Io(_) => "the request cannot be read",
        })
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Head, MAX_HEAD_LEN, Unreadable};

    /// Fields in a form that compares.
    type Pairs = Vec<(String, String)>;

    /// The head, its fields, and the body.
    fn read(mut input: &[u8]) -> Result<(Head, Pairs, Vec<u8>), Unreadable> {
        let head = Head::read(&mut input)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = head.fields.iter().map(|f| (text(&f.name), text(&f.value))).collect();
        Ok((head, fields, input.to_vec()))
    }

    fn fault(input: &[u8]) -> Option<Fault> {
        let (head, ..) = read(input).expect("a head");
        let headers = match head.headers() {
            Ok(headers) => headers,
            Err(fault) => return Some(fault),
        };
        head.request(&headers).err()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn pieces_are_cut_and_kept() {
        let input = b"PUT /a?b=c HTTP/1.1\r\nHost: h\r\nX-A:\t b : c \r\n\r\nbody\r\n\r\n";
        let (head, fields, body) = read(input).expect("a head");
        assert_eq!((&head.method[..], &head.target[..]), (&b"PUT"[..], &b"/a?b=c"[..]));
        assert_eq!(head.version, b"HTTP/1.1");
        assert_eq!(fields, [pair("Host", " h"), pair("X-A", "\t b : c ")]);
        assert_eq!(body, b"body\r\n\r\n");
        assert_eq!(head.values("x-a").collect::<Vec<_>>(), [b"b : c"]);
    }

    #[test]
    fn bare_line_feeds_end_lines() {
        let (_, fields, body) = read(b"GET / HTTP/1.1\nHost: h\n\n\nbody").expect("a head");
        assert_eq!((fields, &body[..]), (vec![pair("Host", " h")], &b"\nbody"[..]));
        // A carriage return inside a line is part of it; the library refuses it.
        let (_, fields, _) = read(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n").expect("a head");
        assert_eq!(fields, [pair("A", " b\rc")]);
    }

    #[test]
    fn folds_stay_in_the_value() {
        let input = b"GET / HTTP/1.1\r\nA: b\r\n  c\n\td\r\nE: f\r\n\r\n";
        let (_, fields, _) = read(input).expect("a head");
        assert_eq!(fields, [pair("A", " b\r\n  c\n\td"), pair("E", " f")]);
        assert_eq!(fault(b"GET / HTTP/1.1\r\n a\r\n\r\n"), Some(Fault::FieldLine));
    }

    #[test]
    fn targets_hold_blanks_and_other_alphabets() {
        let (head, ..) = read("GET /a b/\u{fc}?c d HTTP/1.1\r\n\r\n".as_bytes()).expect("a head");
        assert_eq!(head.target, "/a b/\u{fc}?c d".as_bytes());
        assert_eq!(fault("GET /\u{fc} http/1.1\r\n\r\n".as_bytes()), None);
        assert_eq!(fault(b"GET /\xfc HTTP/1.1\r\n\r\n"), Some(Fault::Target));
        assert_eq!(fault(b"G\xfcT / HTTP/1.1\r\n\r\n"), Some(Fault::Method));
    }

    #[test]
    fn faults_are_kept_with_the_rest() {
        for line in [
            "",
            "GET",
            "GET /",
            "GET HTTP/1.1",
            "GET / ",
            "GET /a b",
            "GET / HTTP",
            "GET / HTTP/1.1\r",
            "GET / HTTP/1,1",
            "GET / HTTP/1.10",
        ] {
            let input = format!("{line}\r\nA: b\r\n\r\n");
            assert_eq!(fault(input.as_bytes()), Some(Fault::RequestLine), "{line}");
            let (_, fields, _) = read(input.as_bytes()).expect("a head");
            assert_eq!(fields, [pair("A", " b")]);
        }
        for line in ["A", "A b", ": b", ":authority: b"] {
            let input = format!("GET / HTTP/1.1\r\n{line}\r\nC: d\r\n\r\n");
            assert_eq!(fault(input.as_bytes()), Some(Fault::FieldLine), "{line}");
        }
        assert_eq!(fault(b"GET / HTTP/1.1\r\n\xfc: a\r\n\r\n"), Some(Fault::FieldName));
        // Names that are not tokens are the library's to refuse.
        assert_eq!(fault(b"GET / HTTP/1.1\r\nA : b\r\n\r\n"), None);
    }

    #[test]
    fn every_proper_prefix_of_a_head_is_unreadable() {
        let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert!(matches!(read(b""), Err(Unreadable::Empty)));
        for len in 1..head.len() {
            assert!(matches!(read(&head[..len]), Err(Unreadable::Unfinished)), "{len}");
        }
    }

    #[test]
    fn heads_have_a_limit() {
        let max = usize::try_from(MAX_HEAD_LEN).expect("a small number");
        let with_len = |len: usize| {
            let mut head = b"GET / HTTP/1.1\r\nA:".to_vec();
            head.resize(len - 4, b'a');
            [&head, &b"\r\n\r\n"[..]].concat()
        };
        assert_eq!(fault(&with_len(max)), None);
        assert_eq!(fault(&with_len(max + 1)), Some(Fault::TooLong));
        assert_eq!(fault(&with_len(4 * max)), Some(Fault::TooLong));
    }
}
