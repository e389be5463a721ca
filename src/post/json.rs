//! JSON, read and written. The only file that names its crates.
//!
//! What is read keeps what other readers drop: members that stand twice, and the kind of a number.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_core::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// JSON as it stands: nothing is merged or rounded.
pub(super) enum Node {
    Text(String),
    Number(u64),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// Whatever no policy has use for, as it is shown.
    Other(String),
}

/// JSON to be written, without a copy of what goes into it.
#[derive(Clone, Copy)]
pub(super) enum Json<'j> {
    Text(&'j str),
    /// A text that is written on demand.
    Shown(&'j dyn Display),
    Number(u64),
    List(&'j Items<'j>),
    Object(&'j Members<'j>),
}

/// Hands over the items of a list, one after the other.
pub(super) type Items<'j> = dyn Fn(&mut dyn FnMut(Json<'_>)) + 'j;

/// Hands over the members of an object, one after the other: a text, and what it names.
pub(super) type Members<'j> = dyn Fn(&mut dyn FnMut(Json<'_>, Json<'_>)) + 'j;

impl Node {
    /// Reads a whole text; `None` if it is not JSON.
    pub(super) fn read(text: &str) -> Option<Self> {
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

impl Json<'_> {
    /// Writes the JSON, without blanks, behind what is in `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Into memory, with texts for names: nothing of it can fail.
        let _ = self.serialize(&mut serde_json::Serializer::new(out));
    }
}

/// Writes a text as JSON does, with its quotes.
pub(super) fn put_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Shown(text) => serializer.collect_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(None)?;
                let mut result = Ok(());
                items(&mut |item| {
                    if result.is_ok() {
                        result = list.serialize_element(&item);
                    }
                });
                result?;
                list.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(None)?;
                let mut result = Ok(());
                members(&mut |name, value| {
                    if result.is_ok() {
                        result = object.serialize_entry(&name, &value);
                    }
                });
                result?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(u64::try_from(number).map_or_else(|_| Node::Other(number.to_string()), Node::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Other(number.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Other(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other("null".into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}

impl fmt::Display for Node {
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
    use super::{Json, Node};
    use alloc::vec::Vec;

    #[test]
    fn numbers_are_whole() {
        let number = |text: &str| Node::Text(text.into()).number();
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1.0", "1e3", " 1", "18446744073709551616", "\u{661}"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_compact_and_escaped() {
        let mut out = Vec::new();
        Json::Object(&|each| {
            each(Json::Text("a\""), Json::Number(5));
            each(Json::Shown(&"b"), Json::List(&|each| each(Json::Shown(&"\\\n"))));
        })
        .write(&mut out);
        assert_eq!(out, br#"{"a\"":5,"b":["\\\n"]}"#);
    }
}
