//! Reading a policy: JSON, its members, its conditions. Called for policies whose signature is good,
//! and for error pages.
//!
//! ```text
//! policy    = { "expiration": time, "conditions": [ condition, ... ] }     each member once, no other
//! condition = { "field": "value" }                                         exactly one member
//!           / [ "eq", "$field", "value" ] / [ "starts-with", "$field", "prefix" ]
//!           / [ "content-length-range", min, max ]
//! ```
//!
//! Amazon S3 API Reference, "Creating a POST Policy". Beyond JSON's escapes strings may have `\$`
//! and `\v`.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use super::error::{ConditionOperator, FormError};
use super::json::{Node, put_string};
use crate::base64;
use crate::time::Timestamp;

/// The text of a policy, with no escapes but JSON's. What is read of it borrows from it.
pub(crate) struct PolicyText(String);

/// A policy that could be read.
pub(crate) struct Policy<'j> {
    pub(super) expiration: Timestamp,
    pub(super) conditions: Vec<Condition<'j>>,
}

/// Why a policy could not be read, and what of it is to blame.
pub(crate) struct Fault {
    pub(crate) error: FormError,
    /// The member, operator or time that is wrong, where it has a text.
    pub(crate) text: String,
}

/// What a policy demands.
pub(super) enum Condition<'j> {
    /// A field has this value.
    Equal { field: Field<'j>, value: Cow<'j, str> },
    /// A field begins with this.
    StartsWith { field: Field<'j>, prefix: Cow<'j, str> },
    /// The file has so many bytes.
    ContentLengthRange { min: Node<'j>, max: Node<'j> },
}

/// The field that a condition speaks of.
pub(super) enum Field<'j> {
    /// In the short form, by its name.
    Member(Cow<'j, str>),
    /// In the long form, by its name with a `$`, which may be missing.
    Operand(Cow<'j, str>),
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Self {
        Self { error, text: String::new() }
    }
}

impl PolicyText {
    /// Decodes the field `policy`.
    pub(crate) fn of(field: &str) -> Result<Self, FormError> {
        let text = base64::decode_vec(field).ok_or(FormError::PolicyBase64)?;
        let text = String::from_utf8(text).map_err(|_| FormError::PolicyJson)?;
        Ok(Self(plain_escapes(text)))
    }

    /// Reads the policy.
    pub(crate) fn read(&self) -> Result<Policy<'_>, Fault> {
        let node = Node::read(&self.0);
        let Some(Node::Object(members)) = node else { return Err(FormError::PolicyJson.into()) };
        let (mut expiration, mut conditions) = (None, None);
        for (name, value) in members {
            let place = match name.as_ref() {
                "expiration" => &mut expiration,
                "conditions" => &mut conditions,
                _ => return Err(Fault { error: FormError::PolicyMember, text: name.into() }),
            };
            if place.replace(value).is_some() {
                return Err(FormError::PolicyJson.into());
            }
        }
        let expiration = expiration.ok_or(FormError::ExpirationMissing)?;
        let expiration = match &expiration {
            Node::Text(text) => Timestamp::parse_extended(text).ok(),
            _ => None,
        }
        .ok_or_else(|| Fault {
            error: FormError::ExpirationSyntax,
            text: match expiration {
                Node::Text(text) => text.into(),
                other => other.to_string(),
            },
        })?;
        let Node::List(conditions) = conditions.ok_or(FormError::ConditionsMissing)? else {
            return Err(FormError::ConditionsSyntax.into());
        };
        let conditions = conditions.into_iter().map(Condition::read).collect::<Result<_, _>>()?;
        Ok(Policy { expiration, conditions })
    }
}

impl Policy<'_> {
    /// A condition, by its place, as it is shown where it fails.
    pub(crate) fn condition(&self, nth: usize) -> Option<impl fmt::Display + '_> {
        self.conditions.get(nth)
    }
}

impl<'j> Condition<'j> {
    fn read(node: Node<'j>) -> Result<Self, Fault> {
        match node {
            Node::Object(members) => {
                let mut members = members.into_iter();
                let (Some((name, value)), None) = (members.next(), members.next()) else {
                    return Err(FormError::ConditionMembers.into());
                };
                let Node::Text(value) = value else {
                    return Err(FormError::ConditionValue.into());
                };
                Ok(Self::Equal { field: Field::Member(name), value })
            }
            Node::List(items) => Self::read_list(items),
            _ => Err(FormError::ConditionSyntax.into()),
        }
    }

    fn read_list(items: Vec<Node<'j>>) -> Result<Self, Fault> {
        let mut items = items.into_iter();
        let Some(Node::Text(name)) = items.next() else {
            return Err(FormError::ConditionOperatorMissing.into());
        };
        let known = [
            ConditionOperator::Equal,
            ConditionOperator::StartsWith,
            ConditionOperator::ContentLengthRange,
        ];
        let Some(operator) = known.into_iter().find(|operator| operator.as_str() == name) else {
            return Err(Fault { error: FormError::ConditionOperatorUnknown, text: name.into() });
        };
        let (Some(first), Some(second), None) = (items.next(), items.next(), items.next()) else {
            return Err(FormError::ConditionOperands(operator).into());
        };
        match (operator, first, second) {
            (ConditionOperator::ContentLengthRange, min, max) => {
                Ok(Self::ContentLengthRange { min, max })
            }
            (ConditionOperator::Equal, Node::Text(field), Node::Text(value)) => {
                Ok(Self::Equal { field: Field::Operand(field), value })
            }
            (ConditionOperator::StartsWith, Node::Text(field), Node::Text(prefix)) => {
                Ok(Self::StartsWith { field: Field::Operand(field), prefix })
            }
            _ => Err(FormError::ConditionValue.into()),
        }
    }

    /// The name of the field that is meant; `None` if it has no `$`, and of lengths.
    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Equal { field, .. } | Self::StartsWith { field, .. } => field.name(),
            Self::ContentLengthRange { .. } => None,
        }
    }
}

impl Field<'_> {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Member(name) => Some(name),
            Self::Operand(name) => name.strip_prefix('$'),
        }
    }

    /// As the long form has it.
    fn operand(&self) -> Cow<'_, str> {
        match self {
            Self::Member(name) => Cow::Owned(alloc::format!("${name}")),
            Self::Operand(name) => Cow::Borrowed(name),
        }
    }
}

/// The same with no escapes but JSON's. A backslash outside of a string is no JSON, before and after.
fn plain_escapes(text: String) -> String {
    if !text.contains("\\$") && !text.contains("\\v") {
        return text;
    }
    let mut plain = String::with_capacity(text.len() + 8);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, if character == '\\' { characters.next() } else { None }) {
            ('\\', Some('$')) => plain.push('$'),
            ('\\', Some('v')) => plain.push_str("\\u000b"),
            (character, next) => plain.extend([Some(character), next].into_iter().flatten()),
        }
    }
    plain
}

impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, field, value) = match self {
            Self::Equal { field, value } => (ConditionOperator::Equal, field, value),
            Self::StartsWith { field, prefix } => (ConditionOperator::StartsWith, field, prefix),
            Self::ContentLengthRange { min, max } => {
                return write!(f, "[\"content-length-range\", {min}, {max}]");
            }
        };
        write!(f, "[\"{}\", ", operator.as_str())?;
        put_string(&field.operand(), f)?;
        f.write_str(", ")?;
        put_string(value, f)?;
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Fault, FormError, PolicyText, plain_escapes};
    use crate::base64::Encoder;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn decode(text: &str) -> Result<PolicyText, FormError> {
        let mut encoder = Encoder::with_room(text.len());
        encoder.write(text.as_bytes());
        PolicyText::of(&encoder.finish())
    }

    /// What is wrong with it.
    fn read(text: &str) -> Option<(FormError, String)> {
        let blamed = |fault: Fault| (fault.error, fault.text);
        decode(text).expect("a text").read().err().map(blamed)
    }

    fn refused(text: &str) -> FormError {
        read(text).expect(text).0
    }

    fn with(conditions: &str) -> String {
        alloc::format!("{{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": {conditions}}}")
    }

    #[test]
    fn conditions_are_shown_in_their_long_form() {
        let text = decode(&with(
            r#"[{"Key": "a\"b\$"}, ["eq", "acl", "x"], ["starts-with", "$k", "\v"],
                ["content-length-range", "5", 10], ["content-length-range", -1, [1.5, null]]]"#,
        ))
        .expect("a text");
        let policy = text.read().ok().expect("a policy");
        let shown: Vec<_> = policy.conditions.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                r#"["eq", "$Key", "a\"b$"]"#,
                r#"["eq", "acl", "x"]"#,
                r#"["starts-with", "$k", "\u000b"]"#,
                r#"["content-length-range", "5", 10]"#,
                r#"["content-length-range", -1, [1.5, null]]"#,
            ]
        );
        assert_eq!(policy.conditions[1].field(), None, "it has no dollar sign");
        let Condition::ContentLengthRange { min, max } = &policy.conditions[3] else {
            panic!("another condition");
        };
        assert_eq!((min.number(), max.number()), (Some(5), Some(10)));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        use FormError as E;
        for text in [
            "",
            "{",
            "null",
            "[]",
            "{}x",
            "\u{feff}{}",
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"a": "b"},]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "expiration": "2040-01-01T00:00:00Z", "conditions": []}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "conditions": []}"#,
            r#"{\$"expiration": "2030-01-01T00:00:00Z", "conditions": []}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"a": "\q"}]}"#,
        ] {
            assert_eq!(refused(text), E::PolicyJson, "{text}");
        }
        let deep = with(&("[".repeat(5000) + &"]".repeat(5000)));
        assert_eq!(refused(&deep), E::PolicyJson);
        assert_eq!(refused("{}"), E::ExpirationMissing);
        assert_eq!(refused(r#"{"Expiration": "", "conditions": []}"#), E::PolicyMember);
        assert_eq!(
            read(r#"{"expiration": "2030-01-01", "conditions": []}"#),
            Some((E::ExpirationSyntax, "2030-01-01".into()))
        );
        assert_eq!(refused(r#"{"expiration": 5, "conditions": []}"#), E::ExpirationSyntax);
        assert_eq!(refused(r#"{"expiration": "2030-01-01T00:00:00Z"}"#), E::ConditionsMissing);
        for (conditions, error) in [
            ("{}", E::ConditionsSyntax),
            ("[5]", E::ConditionSyntax),
            ("[{}]", E::ConditionMembers),
            (r#"[{"a": "b", "c": "d"}]"#, E::ConditionMembers),
            (r#"[{"a": "b", "a": "b"}]"#, E::ConditionMembers),
            (r#"[{"a": 5}]"#, E::ConditionValue),
            (r#"[["eq", "$a", 5]]"#, E::ConditionValue),
            ("[[]]", E::ConditionOperatorMissing),
            ("[[5]]", E::ConditionOperatorMissing),
            (r#"[["Eq", "$a", "b"]]"#, E::ConditionOperatorUnknown),
            (r#"[["eq", "$a"]]"#, E::ConditionOperands(super::ConditionOperator::Equal)),
            (
                r#"[["starts-with", "$a", "b", "c"]]"#,
                E::ConditionOperands(super::ConditionOperator::StartsWith),
            ),
        ] {
            assert_eq!(refused(&with(conditions)), error, "{conditions}");
        }
        assert_eq!(PolicyText::of("e30").err(), Some(E::PolicyBase64));
        assert_eq!(PolicyText::of("/w==").err(), Some(E::PolicyJson));
    }

    #[test]
    fn escapes_beyond_json() {
        assert_eq!(plain_escapes(r#"a\\$b\$\v\n\\\v"#.into()), r#"a\\$b$\u000b\n\\\u000b"#);
        assert_eq!(plain_escapes("\\$\\".into()), "$\\");
    }
}
