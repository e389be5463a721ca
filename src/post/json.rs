//! JSON, read and written. The only file that names its crates.
//!
//! What is read keeps what other readers drop: members that stand twice, and the kind of a number.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use std::io;

use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_core::ser::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::bytes::{self, Lanes};
use crate::canonical::Sink;

/// JSON as it stands: nothing is merged or rounded. Texts are those of what was read, but for such
/// as have escapes.
pub(super) enum Node<'j> {
    Text(Cow<'j, str>),
    Number(u64),
    List(Vec<Node<'j>>),
    Object(Vec<(Cow<'j, str>, Node<'j>)>),
    /// Whatever no policy has use for, as it is shown.
    Other(String),
}

/// JSON that is written into a sink, without blanks and without a copy of what goes into it.
pub(super) struct Writer<'s, S>(pub(super) &'s mut S);

impl<'j> Node<'j> {
    /// Reads a whole text; `None` if it is not JSON.
    pub(super) fn read(text: &'j str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// A whole number, perhaps as a text.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }
}

impl<S: Sink> Writer<'_, S> {
    /// Brackets, commas, quotes, and words of ours between them: JSON as it stands.
    #[inline(always)]
    pub(super) fn plain(&mut self, json: &'static str) {
        self.0.put(json.as_bytes());
    }

    /// What stands between quotes, or a part of it; UTF-8.
    #[inline]
    pub(super) fn text(&mut self, text: &[u8]) {
        let escaped = |lanes: Lanes| lanes.is_in(0, 0x1f) | lanes.is(b'"') | lanes.is(b'\\');
        if bytes::none(text, escaped) {
            self.0.put(text);
        } else {
            self.escaped(text);
        }
    }

    pub(super) fn number(&mut self, number: u64) {
        self.value(&number);
    }

    #[cold]
    fn escaped(&mut self, text: &[u8]) {
        self.value(core::str::from_utf8(text).unwrap_or_default());
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Into memory, and without members: nothing of it can fail.
        let _ = value.serialize(&mut Serializer::with_formatter(Through(self.0), Unquoted));
    }
}

/// Texts may be written part by part.
impl<S: Sink> fmt::Write for Writer<'_, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text.as_bytes());
        Ok(())
    }
}

/// Texts without their quotes.
struct Unquoted;

impl Formatter for Unquoted {
    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        Ok(())
    }
}

/// A sink as the library asks for it.
struct Through<'s, S>(&'s mut S);

impl<S: Sink> io::Write for Through<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a text as JSON does, with its quotes.
pub(super) fn put_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl<'j> Deserialize<'j> for Node<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'j> Visitor<'j> for NodeVisitor {
    type Value = Node<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Node<'j>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'j>, E> {
        Ok(Node::Text(Cow::Owned(text.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'j>, E> {
        Ok(Node::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'j>, E> {
        Ok(u64::try_from(number).map_or_else(|_| Node::Other(number.to_string()), Node::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'j>, E> {
        Ok(Node::Other(number.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'j>, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node<'j>, E> {
        Ok(Node::Other("null".into()))
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut items: A) -> Result<Node<'j>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'j>>(self, mut members: A) -> Result<Node<'j>, A::Error> {
        let mut object = Vec::new();
        while let Some((Text(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        Ok(Node::Object(object))
    }
}

/// The name of a member.
struct Text<'j>(Cow<'j, str>);

impl<'j> Deserialize<'j> for Text<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'j> Visitor<'j> for TextVisitor {
    type Value = Text<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Text<'j>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'j>, E> {
        Ok(Text(Cow::Owned(text.into())))
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => put_string(text, f),
            Self::Number(number) => number.fmt(f),
            Self::Other(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (nth, item) in items.iter().enumerate() {
                    f.write_str(if nth == 0 { "" } else { ", " })?;
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (nth, (name, value)) in members.iter().enumerate() {
                    f.write_str(if nth == 0 { "" } else { ", " })?;
                    put_string(name, f)?;
                    f.write_str(": ")?;
                    value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, Sink, Writer};
    use alloc::string::String;
    use alloc::vec::Vec;

    #[test]
    fn numbers_are_whole() {
        let number = |text: &str| Node::Text(text.into()).number();
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1.0", "1e3", " 1", "18446744073709551616", "\u{661}"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    /// Every character that is one byte, alone and behind, before and between others, as the library
    /// writes it.
    #[test]
    fn what_is_written_is_escaped() {
        let long = "0123456789abcde\u{e9}\u{20ac}";
        for byte in 0..=0x7f_u8 {
            let one = char::from(byte);
            let texts =
                [String::from(one), alloc::format!("{long}{one}"), alloc::format!("{one}{long}")];
            for text in texts.into_iter().chain([alloc::format!("{long}{one}{long}{one}")]) {
                let mut out = Out(Vec::new());
                let mut json = Writer(&mut out);
                json.plain("[");
                json.number(u64::MAX);
                json.plain(",\"");
                json.text(text.as_bytes());
                json.plain("\"]");
                let expected = serde_json::to_vec(&(u64::MAX, text)).expect("JSON");
                assert_eq!(out.0, expected);
            }
        }
    }

    struct Out(Vec<u8>);

    impl Sink for Out {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
}
