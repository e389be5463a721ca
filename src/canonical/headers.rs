//! Canonical headers and the list of signed headers.
//!
//! Names are compared and written in lower case; repeated fields make one line, joined with `,` in
//! the order they came. Values lose the blanks around them, runs of spaces become one, and a line
//! fold becomes one space. Tabs inside a value stay, as does every other byte.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": canonical headers, signed headers; RFC
//! 9112 section 5.2 (line folding); RFC 9113 section 8.3.1 (`:authority`).

use core::cmp::Ordering;

use super::Sink;
use crate::bounded::Bounded;
use crate::request::{Header, Limits, RequestError, is_token, trim};

/// The most fields that a signer adds: date, digest, token, and of a streamed body its coding, length
/// and trailers.
const MAX_ADDED: usize = 6;

const MAX_FIELDS: usize = Limits::MAX_HEADERS + MAX_ADDED;

/// Fields in canonical order: by name, those of one name as they came.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    wire: &'a [Header<'a>],
    /// Fields that are signed with those of the wire but do not stand there yet.
    added: Bounded<Header<'a>, MAX_ADDED>,
    /// Indices of `wire`, followed by those of `added`.
    order: Bounded<u8, MAX_FIELDS>,
}

/// An order of fields, without the fields.
#[derive(Clone, Copy)]
pub(crate) struct Order(Bounded<u8, MAX_FIELDS>);

impl Order {
    pub(crate) const EMPTY: Self = Self(Bounded::filled_with(0));
}

/// The name under which a field is signed: HTTP/2's authority is the host.
pub(crate) fn canonical_name(name: &str) -> &str {
    if name == ":authority" { "host" } else { name }
}

/// Why the signed headers of a request do not cover what they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoverageError {
    /// A name of the list has no field.
    Missing,
    /// A field that must be signed is not.
    Unsigned,
}

impl<'a> Fields<'a> {
    const NOTHING: Header<'static> = Header { name: "", value: b"" };

    /// No fields.
    pub(crate) const EMPTY: Self = Self {
        wire: &[],
        added: Bounded::filled_with(Self::NOTHING),
        order: Bounded::filled_with(0),
    };

    /// Checks and sorts the fields of a request, and finds the one host.
    pub(crate) fn collect(
        wire: &'a [Header<'a>],
        authority: Option<&str>,
    ) -> Result<Self, RequestError> {
        let mut fields = Self { wire, ..Self::EMPTY };
        for (index, header) in wire.iter().enumerate() {
            check(header)?;
            let index = u8::try_from(index).map_err(|_| RequestError::TooManyHeaders)?;
            fields.order.push(index).map_err(|_| RequestError::TooManyHeaders)?;
        }
        fields.sort();
        fields.settle_host(authority)?;
        Ok(fields)
    }

    /// Fields that were collected before, in the order found then.
    pub(crate) fn in_order(
        wire: &'a [Header<'a>],
        added: impl IntoIterator<Item = Header<'a>>,
        order: Order,
    ) -> Self {
        let mut fields = Self { wire, order: order.0, ..Self::EMPTY };
        for header in added {
            // There is room: as many were added when the order was made.
            let _ = fields.added.push(header);
        }
        fields
    }

    pub(crate) const fn order(&self) -> Order {
        Order(self.order)
    }

    /// Adds a field that the request will carry.
    pub(crate) fn add(&mut self, header: Header<'a>) -> Result<(), RequestError> {
        let index = self.wire.len() + self.added.as_slice().len();
        let index = u8::try_from(index).map_err(|_| RequestError::TooManyHeaders)?;
        self.added.push(header).map_err(|_| RequestError::TooManyHeaders)?;
        self.order.push(index).map_err(|_| RequestError::TooManyHeaders)?;
        self.sort();
        Ok(())
    }

    fn sort(&mut self) {
        let (wire, added) = (self.wire, self.added);
        let order = |a: &u8, b: &u8| {
            let name = |index| field(wire, added.as_slice(), index).name;
            compare_names(name(*a), name(*b)).then(a.cmp(b))
        };
        let indices = self.order.as_mut_slice();
        if !indices.is_sorted_by(|a, b| order(a, b).is_lt()) {
            indices.sort_unstable_by(order);
        }
    }

    /// One `host`, given by one field or by a field and `:authority` alike, is kept.
    fn settle_host(&mut self, authority: Option<&str>) -> Result<(), RequestError> {
        let mut hosts = self.fields("host").map(|header| (header.name, trim(header.value)));
        let (first, second, third) = (hosts.next(), hosts.next(), hosts.next());
        drop(hosts);
        if third.is_some() {
            return Err(RequestError::HeaderRepeated);
        }
        let Some((name, host)) = first else { return Err(RequestError::HostMissing) };
        if let Some((other_name, other)) = second {
            if (name == ":authority") == (other_name == ":authority") {
                return Err(RequestError::HeaderRepeated);
            }
            if !host.eq_ignore_ascii_case(other) {
                return Err(RequestError::HostConflict);
            }
            self.retain(|header| header.name != ":authority");
        }
        match authority {
            Some(authority) if !authority.as_bytes().eq_ignore_ascii_case(host) => {
                Err(RequestError::HostConflict)
            }
            _ => Ok(()),
        }
    }

    /// Drops the fields that are not signed.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Header<'a>) -> bool) {
        let mut kept = Bounded::filled_with(0);
        for index in self.order.as_slice() {
            if keep(&self.field(*index)) {
                // There is room: no more are kept than were there.
                let _ = kept.push(*index);
            }
        }
        self.order = kept;
    }

    /// Leaves the fields that `signed` names, if they cover what must be covered: every name has
    /// its field, and no field that `must_sign` is left out.
    ///
    /// Both sides are sorted, so one walk over both answers all three questions.
    pub(crate) fn select(
        &mut self,
        signed: SignedHeaders<'_>,
        must_sign: impl Fn(&str) -> bool,
    ) -> Result<(), CoverageError> {
        let mut kept = Bounded::filled_with(0);
        let mut left_out = Ok(());
        let mut indices = self.order.as_slice().iter().copied().peekable();
        let mut leave_out = |index| {
            if must_sign(canonical_name(field(self.wire, self.added.as_slice(), index).name)) {
                left_out = Err(CoverageError::Unsigned);
            }
        };
        for name in signed.names() {
            let compared = |index: &u8| {
                compare_names(field(self.wire, self.added.as_slice(), *index).name, name)
            };
            while let Some(index) = indices.next_if(|index| compared(index).is_lt()) {
                leave_out(index);
            }
            let before = kept.as_slice().len();
            while let Some(index) = indices.next_if(|index| compared(index).is_eq()) {
                // There is room: no more are kept than were there.
                let _ = kept.push(index);
            }
            if kept.as_slice().len() == before {
                return Err(CoverageError::Missing);
            }
        }
        indices.for_each(leave_out);
        left_out?;
        self.order = kept;
        Ok(())
    }

    fn field(&self, index: u8) -> Header<'a> {
        field(self.wire, self.added.as_slice(), index)
    }

    /// All fields in canonical order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Header<'a>> + '_ {
        self.order.as_slice().iter().map(|index| self.field(*index))
    }

    /// The fields of one name, in the order they came.
    pub(crate) fn fields<'s>(
        &'s self,
        name: &'s str,
    ) -> impl Iterator<Item = Header<'a>> + use<'s, 'a> {
        self.iter().filter(move |header| canonical_name(header.name).eq_ignore_ascii_case(name))
    }

    /// The fields, one group for each name.
    fn groups(&self) -> impl Iterator<Item = &[u8]> {
        self.order
            .as_slice()
            .chunk_by(|a, b| compare_names(self.field(*a).name, self.field(*b).name).is_eq())
    }

    /// The names in canonical order, each once, in the case they came in.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        let first =
            |group: &[u8]| group.first().map(|index| canonical_name(self.field(*index).name));
        self.groups().filter_map(first)
    }

    /// Puts a line for each name.
    pub(super) fn put_lines(&self, sink: &mut impl Sink) {
        for group in self.groups() {
            for (nth, index) in group.iter().enumerate() {
                let header = self.field(*index);
                if nth == 0 {
                    put_name(header.name, sink);
                    sink.put(b":");
                } else {
                    sink.put(b",");
                }
                put_value(header.value, sink);
            }
            sink.put(b"\n");
        }
    }

    /// Puts the list of names.
    pub(crate) fn put_names(&self, separator: Separator, sink: &mut impl Sink) {
        let mut between: &[u8] = b"";
        for group in self.groups() {
            if let [first, ..] = group {
                sink.put(between);
                put_name(self.field(*first).name, sink);
                between = separator.as_bytes();
            }
        }
    }
}

fn field<'a>(wire: &[Header<'a>], added: &[Header<'a>], index: u8) -> Header<'a> {
    let index = usize::from(index);
    let header = wire.get(index).or_else(|| added.get(index.checked_sub(wire.len())?));
    header.copied().unwrap_or(Fields::NOTHING)
}

/// Names are tokens, or HTTP/2's authority; values hold no control character but a tab or a line
/// fold (a line end with a blank behind it).
fn check(header: &Header<'_>) -> Result<(), RequestError> {
    let named = !header.name.is_empty() && header.name.bytes().all(is_token);
    if !named && header.name != ":authority" {
        return Err(RequestError::HeaderSyntax);
    }
    let mut rest = header.value;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'\t' | b' '..=b'~' | 0x80.., after @ ..] => after,
            [b'\r', b'\n', b' ' | b'\t', after @ ..] | [b'\n', b' ' | b'\t', after @ ..] => after,
            _ => return Err(RequestError::HeaderSyntax),
        };
    }
}

fn compare_names(a: &str, b: &str) -> Ordering {
    fn lower(name: &str) -> impl Iterator<Item = u8> {
        canonical_name(name).bytes().map(|byte| byte.to_ascii_lowercase())
    }
    lower(a).cmp(lower(b))
}

fn put_name(name: &str, sink: &mut impl Sink) {
    let name = canonical_name(name).as_bytes();
    if !name.iter().any(u8::is_ascii_uppercase) {
        return sink.put(name);
    }
    for piece in name.chunks(32) {
        let mut lower = [0; 32];
        if let Some(lower) = lower.get_mut(..piece.len()) {
            lower.copy_from_slice(piece);
            lower.make_ascii_lowercase();
            sink.put(lower);
        }
    }
}

fn put_value(value: &[u8], sink: &mut impl Sink) {
    let mut rest = trim(value);
    while !rest.is_empty() {
        // Up to and with the next single space, or up to a longer run or a fold.
        let blank = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n');
        let mut run = 0;
        while let Some(at) = rest.get(run..).and_then(|tail| tail.iter().position(blank)) {
            run += at;
            match rest.get(run..) {
                Some([b' ', next, ..]) if !blank(next) => run += 1,
                _ => break,
            }
        }
        let at_blank = rest.get(run).is_some_and(blank);
        let (text, blanks) = rest.split_at(if at_blank { run } else { rest.len() });
        sink.put(text);
        rest = after_blanks(blanks);
        if !blanks.is_empty() {
            sink.put(b" ");
        }
    }
}

/// What follows a run of spaces and line folds; a fold takes the blanks behind it along.
fn after_blanks(mut rest: &[u8]) -> &[u8] {
    let mut folded = false;
    while let [byte, after @ ..] = rest {
        match byte {
            b'\r' | b'\n' => folded = true,
            b' ' => {}
            b'\t' if folded => {}
            _ => break,
        }
        rest = after;
    }
    rest
}

/// What stands between the names of a list.
#[derive(Clone, Copy)]
pub(crate) enum Separator {
    /// `;`, in the canonical request and in a header.
    Semicolon,
    /// `%3B`, in a URL.
    Escaped,
}

impl Separator {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Semicolon => b";",
            Self::Escaped => b"%3B",
        }
    }
}

/// A list of signed headers as a request carries it: lower case, sorted, each name once.
#[derive(Clone, Copy)]
pub(crate) struct SignedHeaders<'a>(&'a str);

impl<'a> SignedHeaders<'a> {
    /// Reads a list whose separators are `;` or, in a query, `%3B`; `None` if it is not sorted and
    /// unique or holds anything but lower-case names.
    pub(crate) fn parse(list: &'a str) -> Option<Self> {
        let list = Self(list);
        let well_formed = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| is_token(byte) && byte != b'%' && !byte.is_ascii_uppercase())
        };
        (list.names().all(well_formed) && list.names().is_sorted_by(|a, b| a < b)).then_some(list)
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> + Clone {
        let mut rest = Some(self.0);
        core::iter::from_fn(move || {
            let list = rest?;
            let end = list.bytes().position(|byte| matches!(byte, b';' | b'%'));
            let (name, tail) = list.split_at(end.unwrap_or(list.len()));
            rest = match tail.as_bytes() {
                [] => None,
                [b'%', b'3', b'B' | b'b', ..] => tail.get(3..),
                [b';', ..] => tail.get(1..),
                // Another escape: part of no name, so the list is not well formed.
                _ => {
                    rest = None;
                    return Some("%");
                }
            };
            Some(name)
        })
    }

    pub(crate) fn contains(self, name: &str) -> bool {
        self.names().any(|listed| listed.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{CoverageError, Fields, SignedHeaders};
    use crate::request::{Header, RequestError};
    use std::string::String;
    use std::vec::Vec;

    struct Text(Vec<u8>);

    impl super::Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn lines(headers: &[(&str, &[u8])]) -> Result<String, RequestError> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| Header { name, value }).collect();
        let mut text = Text(Vec::new());
        Fields::collect(&headers, None)?.put_lines(&mut text);
        Ok(String::from_utf8_lossy(&text.0).into_owned())
    }

    const HOST: (&str, &[u8]) = ("Host", b"h");

    #[test]
    fn values() {
        for (value, expected) in [
            (&b""[..], ""),
            (b"  \t ", ""),
            (b" a  b   c ", "a b c"),
            (b"\"a   b   c\"", "\"a b c\""),
            (b"a\tb", "a\tb"),
            (b"a \t b", "a \t b"),
            (b"value1\r\n  value2\n\t value3", "value1 value2 value3"),
            (b"a  \r\n b", "a b"),
            (b"a\r\n \r\n b", "a b"),
            (b"caf\xc3\xa9\xff", "caf\u{e9}\u{fffd}"),
        ] {
            assert_eq!(lines(&[HOST, ("X", value)]), Ok(std::format!("host:h\nx:{expected}\n")));
        }
        for value in [&b"a\nb"[..], b"a\r\nb", b"a\r b", b"a\0", b"\x7f", b"a\n", b"a\r\n"] {
            assert_eq!(lines(&[HOST, ("X", value)]), Err(RequestError::HeaderSyntax), "{value:?}");
        }
    }

    #[test]
    fn names() {
        let long = "X-".repeat(40);
        let all = [("b", &b"1"[..]), HOST, ("A", b"2"), ("B", b" 0 "), (&long, b"3")];
        let expected = std::format!("a:2\nb:1,0\nhost:h\n{}:3\n", long.to_ascii_lowercase());
        assert_eq!(lines(&all), Ok(expected));
        for name in ["", "a b", "a:", ":path", "a\u{e9}", "a\n"] {
            assert_eq!(lines(&[HOST, (name, b"")]), Err(RequestError::HeaderSyntax), "{name}");
        }
    }

    #[test]
    fn hosts() {
        let authority = (":authority", &b"H"[..]);
        assert_eq!(lines(&[]), Err(RequestError::HostMissing));
        assert_eq!(lines(&[HOST, HOST]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[authority, authority]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[authority, HOST, HOST]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[(":authority", b"i"), HOST]), Err(RequestError::HostConflict));
        assert_eq!(lines(&[authority]).as_deref(), Ok("host:H\n"));
        assert_eq!(lines(&[authority, HOST]).as_deref(), Ok("host:h\n"));
        let headers = [Header { name: "host", value: b"h:80" }];
        assert!(Fields::collect(&headers, Some("H:80")).is_ok());
        assert_eq!(Fields::collect(&headers, Some("h")).err(), Some(RequestError::HostConflict));
    }

    #[test]
    fn lists() {
        for list in ["host", "host;range", "a;b%3Bc%3bd", "x-amz-meta-a_b;x-amz-meta-b"] {
            assert!(SignedHeaders::parse(list).is_some(), "{list}");
        }
        for list in [
            "", ";", "host;", "host;;x", ";host", "Host", "b;a", "a;a", "a b", "a%3b", "a%20",
            "a%", "a%3", "%68ost", "a;\u{e9}",
        ] {
            assert!(SignedHeaders::parse(list).is_none(), "{list}");
        }
    }

    #[test]
    fn coverage() {
        let headers = [
            Header { name: "X-Amz-A", value: b"1" },
            Header { name: "host", value: b"h" },
            Header { name: "x-amz-a", value: b"2" },
            Header { name: "accept", value: b"*" },
        ];
        let select = |list| {
            let mut fields = Fields::collect(&headers, None).expect("fields");
            let list = SignedHeaders::parse(list).expect("a list");
            fields.select(list, |name| {
                name == "host" || name.starts_with("x-amz-") || name.starts_with("X-Amz-")
            })?;
            Ok(fields.iter().map(|header| header.value).collect::<Vec<_>>())
        };
        assert_eq!(select("host;x-amz-a"), Ok(std::vec![&b"h"[..], b"1", b"2"]));
        assert_eq!(select("host"), Err(CoverageError::Unsigned));
        assert_eq!(select("x-amz-a"), Err(CoverageError::Unsigned));
        assert_eq!(select("host;range;x-amz-a"), Err(CoverageError::Missing));
        assert_eq!(select("host;x-amz-a;z"), Err(CoverageError::Missing));
    }
}
