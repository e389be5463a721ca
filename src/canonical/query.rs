//! The canonical query string, and the parameters that a presigned URL adds to it.
//!
//! The raw query is cut at `&`, empty pieces fall away, a piece is cut at its first `=`; names and
//! values are decoded and encoded once and sorted by encoded name, then by encoded value. All
//! parameters stay, repeated ones too.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": canonical query string; Amazon S3 API
//! Reference, "Authenticating Requests: Using Query Parameters".

use core::fmt;

use super::encode::{Decoded, Part, PlusSign, check_escapes, compare, encode, recode};
use super::headers::{Fields, Separator};
use super::uri::show_decoded;
use super::{ALGORITHM, Shown, Sink};
use crate::bounded::Bounded;
use crate::credential::{AccessKeyId, CredentialScope};
use crate::request::{Limits, RequestError};
use crate::time::Timestamp;

/// The parameters of a query, in canonical order.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    raw: &'a str,
    plus: PlusSign,
    /// Where in `raw` each parameter begins.
    starts: Bounded<u16, { Limits::MAX_PARAMETERS }>,
}

/// One parameter, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Query<'a> {
    /// Cuts, checks and sorts the query of a target.
    pub(crate) fn parse(
        raw: &'a str,
        plus: PlusSign,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        check_escapes(raw)?;
        let mut query = Self { raw, plus, starts: Bounded::filled_with(0) };
        let mut start = 0;
        for piece in raw.split('&') {
            if !piece.is_empty() {
                if query.starts.as_slice().len() >= limits.parameters {
                    return Err(RequestError::TooManyParameters);
                }
                let at = u16::try_from(start).map_err(|_| RequestError::HeadTooLong)?;
                query.starts.push(at).map_err(|_| RequestError::TooManyParameters)?;
            }
            start += piece.len() + 1;
        }
        let order = |a: &u16, b: &u16| {
            let (a, b) = (parameter_at(raw, *a), parameter_at(raw, *b));
            let part = |text| Decoded::of_query(text, plus);
            compare(part(a.name), part(b.name)).then_with(|| compare(part(a.value), part(b.value)))
        };
        let starts = query.starts.as_mut_slice();
        if !starts.is_sorted_by(|a, b| order(a, b).is_le()) {
            starts.sort_unstable_by(order);
        }
        Ok(query)
    }

    /// The parameters in canonical order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + '_ {
        self.starts.as_slice().iter().map(|start| parameter_at(self.raw, *start))
    }

    /// The decoded bytes of a name or value of this query.
    pub(crate) const fn decoded(&self, text: &'a str) -> Decoded<'a> {
        Decoded::of_query(text, self.plus)
    }

    /// The parameters that belong to a signature by their name, in whatever spelling.
    pub(crate) fn authentication(
        &self,
    ) -> impl Iterator<Item = (AuthenticationName, Spelling, Parameter<'a>)> + '_ {
        self.parameters().filter_map(|parameter| {
            // Cheap: every spelling of these names begins with one of three bytes.
            if !parameter.name.starts_with(['X', 'x', '%']) {
                return None;
            }
            let decoded = self.decoded(parameter.name);
            let is_name = |name: &AuthenticationName| {
                let name = name.as_str().bytes().map(|byte| byte.to_ascii_lowercase());
                decoded.clone().map(|byte| byte.to_ascii_lowercase()).eq(name)
            };
            let name = AuthenticationName::ALL.into_iter().find(is_name)?;
            let literal = parameter.name == name.as_str();
            Some((name, if literal { Spelling::Literal } else { Spelling::Alias }, parameter))
        })
    }

    /// The value of the parameter with this literal name, if there is one.
    ///
    /// # Errors
    /// If it stands there more than once.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&'a str>, Repeated> {
        let mut values = self.parameters().filter(|parameter| parameter.name == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first.map(|parameter| parameter.value)),
        }
    }

    /// Whether the query makes a claim of Signature Version 2.
    pub(crate) fn is_version_2(&self) -> bool {
        let has = |name| self.parameters().any(|parameter| parameter.name == name);
        has("AWSAccessKeyId") && has("Signature")
    }

    /// Whether a parameter, in whatever spelling, says what the body is.
    pub(crate) fn names_content(&self) -> bool {
        self.parameters().any(|parameter| {
            let name = self.decoded(parameter.name).map(|byte| byte.to_ascii_lowercase());
            name.eq(*b"x-amz-content-sha256")
        })
    }

    /// What a `+` means in this query.
    pub(crate) const fn plus(&self) -> PlusSign {
        self.plus
    }

    /// Takes parameters out of what is signed.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Parameter<'a>) -> bool) {
        let mut kept = Bounded::filled_with(0);
        for start in self.starts.as_slice() {
            if !gone(&parameter_at(self.raw, *start)) {
                // There is room: no more are kept than were there.
                let _ = kept.push(*start);
            }
        }
        self.starts = kept;
    }

    /// Puts the canonical query: these parameters and, at their places among them, those of
    /// `authentication`.
    pub(super) fn put(
        &self,
        authentication: Option<&Authentication<'_>>,
        fields: &Fields<'_>,
        sink: &mut impl Sink,
    ) {
        let part = Part::Query(self.plus);
        let mut separator: &[u8] = b"";
        let mut added = authentication.into_iter().flat_map(Authentication::sorted).peekable();
        let put_added = |name: AuthenticationName, separator: &mut &[u8], sink: &mut _| {
            if let Some(authentication) = authentication {
                Sink::put(sink, separator);
                authentication.put(name, fields, sink);
                *separator = b"&";
            }
        };
        for parameter in self.parameters() {
            while let Some(name) = added.next_if(|name| {
                let added = Decoded::of_query(name.as_str(), PlusSign::Literal);
                compare(added, self.decoded(parameter.name)).is_lt()
            }) {
                put_added(name, &mut separator, sink);
            }
            sink.put(separator);
            recode(parameter.name.as_bytes(), part, sink);
            sink.put(b"=");
            recode(parameter.value.as_bytes(), part, sink);
            separator = b"&";
        }
        for name in added {
            put_added(name, &mut separator, sink);
        }
    }
}

fn parameter_at(raw: &str, start: u16) -> Parameter<'_> {
    let rest = raw.get(usize::from(start)..).unwrap_or_default();
    let piece = rest.split('&').next().unwrap_or_default();
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    Parameter { name, value }
}

/// Names of the parameters that a presigned URL carries, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticationName {
    Algorithm,
    Credential,
    Date,
    Expires,
    SignedHeaders,
    SecurityToken,
    S3SessionToken,
    Signature,
}

impl AuthenticationName {
    pub(crate) const ALL: [Self; 8] = [
        Self::Algorithm,
        Self::Credential,
        Self::Date,
        Self::Expires,
        Self::SignedHeaders,
        Self::SecurityToken,
        Self::S3SessionToken,
        Self::Signature,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Algorithm => "X-Amz-Algorithm",
            Self::Credential => "X-Amz-Credential",
            Self::Date => "X-Amz-Date",
            Self::Expires => "X-Amz-Expires",
            Self::SignedHeaders => "X-Amz-SignedHeaders",
            Self::SecurityToken => "X-Amz-Security-Token",
            Self::S3SessionToken => "X-Amz-S3session-Token",
            Self::Signature => "X-Amz-Signature",
        }
    }
}

/// How the name of a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As the protocol writes it.
    Literal,
    /// In another case or with escapes: a second reader might take it for another parameter.
    Alias,
}

/// A parameter stands more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeated;

/// Which pair of field and parameter carries the session token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `x-amz-security-token`, everywhere but for S3 Express.
    Security,
    /// `x-amz-s3session-token`, for S3 Express's session credentials.
    S3Session,
}

impl Token {
    pub(crate) fn of_service(service: &str) -> Self {
        if service == "s3express" { Self::S3Session } else { Self::Security }
    }

    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Security => "x-amz-security-token",
            Self::S3Session => "x-amz-s3session-token",
        }
    }

    pub(crate) const fn parameter(self) -> AuthenticationName {
        match self {
            Self::Security => AuthenticationName::SecurityToken,
            Self::S3Session => AuthenticationName::S3SessionToken,
        }
    }
}

/// What presigning adds to a query, but for the signature.
#[derive(Clone, Copy)]
pub(crate) struct Authentication<'a> {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) scope: CredentialScope<'a>,
    pub(crate) timestamp: Timestamp,
    pub(crate) expires: u32,
    /// The token, if it is signed.
    pub(crate) token: Option<(Token, &'a str)>,
}

impl Authentication<'_> {
    /// The names in the order of their bytes, which is their canonical order.
    fn sorted(&self) -> impl Iterator<Item = AuthenticationName> + use<> {
        use AuthenticationName::{Algorithm, Credential, Date, Expires, SignedHeaders};
        let token = self.token.map(|(token, _)| token.parameter());
        [Algorithm, Credential, Date, Expires].into_iter().chain(token).chain([SignedHeaders])
    }

    /// The names in the order in which they stand in a URL.
    fn written(&self) -> impl Iterator<Item = AuthenticationName> + use<> {
        use AuthenticationName::{Algorithm, Credential, Date, Expires, SignedHeaders};
        let token = self.token.map(|(token, _)| token.parameter());
        [Algorithm, Credential, Date, Expires, SignedHeaders].into_iter().chain(token)
    }

    /// Puts the parameters as they stand in a URL, without the signature.
    pub(crate) fn put_all(&self, fields: &Fields<'_>, sink: &mut impl Sink) {
        let mut separator: &[u8] = b"";
        for name in self.written() {
            sink.put(separator);
            self.put(name, fields, sink);
            separator = b"&";
        }
    }

    fn put(&self, name: AuthenticationName, fields: &Fields<'_>, sink: &mut impl Sink) {
        let encoded = |bytes: &[u8], sink: &mut _| encode(bytes, VALUE, sink);
        sink.put(name.as_str().as_bytes());
        sink.put(b"=");
        match name {
            AuthenticationName::Algorithm => sink.put(ALGORITHM.as_bytes()),
            AuthenticationName::Credential => {
                encoded(self.access_key_id.as_str().as_bytes(), sink);
                encoded(b"/", sink);
                self.scope.pieces().into_iter().for_each(|piece| encoded(piece, sink));
            }
            AuthenticationName::Date => sink.put(self.timestamp.as_bytes()),
            AuthenticationName::Expires => put_decimal(self.expires, sink),
            AuthenticationName::SignedHeaders => fields.put_names(Separator::Escaped, sink),
            AuthenticationName::SecurityToken | AuthenticationName::S3SessionToken => {
                if let Some((_, token)) = self.token {
                    encoded(token.as_bytes(), sink);
                }
            }
            // Never part of what is signed.
            AuthenticationName::Signature => {}
        }
    }
}

/// Values that we write ourselves are not encoded yet.
const VALUE: Part = Part::Query(PlusSign::Literal);

/// Puts a parameter that follows others: `&name=value`.
pub(crate) fn put_parameter(name: AuthenticationName, value: &[u8], sink: &mut impl Sink) {
    sink.put(b"&");
    sink.put(name.as_str().as_bytes());
    sink.put(b"=");
    encode(value, VALUE, sink);
}

fn put_decimal(number: u32, sink: &mut impl Sink) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    sink.put(digits.get(first..).unwrap_or_default());
}

/// A parameter of the query that a signature covers, decoded.
///
/// ```
/// # use countersign::*;
/// # fn look(verified: &Verified<'_>) {
/// for parameter in verified.query() {
///     if parameter.name == "versionId" {
///         println!("version {}", parameter.value);
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SignedParameter<'r> {
    /// The name.
    pub name: SignedText<'r>,
    /// The value; empty if there was none.
    pub value: SignedText<'r>,
}

/// A piece of a signed query, decoded while it is read.
///
/// `Display` shows bytes that are not UTF-8 as U+FFFD.
#[derive(Clone, Copy)]
pub struct SignedText<'r> {
    raw: &'r str,
    plus: PlusSign,
}

impl<'r> SignedText<'r> {
    pub(crate) const fn new(raw: &'r str, plus: PlusSign) -> Self {
        Self { raw, plus }
    }

    const fn decoded(&self) -> Decoded<'r> {
        Decoded::of_query(self.raw, self.plus)
    }

    /// The decoded bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'r> {
        self.decoded()
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The decoded bytes.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        self.bytes().collect()
    }
}

impl PartialEq<str> for SignedText<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq<&str> for SignedText<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| show_decoded(self.decoded(), shown))
    }
}

impl fmt::Debug for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedText({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Fields, PlusSign, Query, put_decimal};
    use crate::request::{Limits, RequestError};
    use std::string::String;

    struct Text(String);

    impl super::Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.push_str(core::str::from_utf8(bytes).expect("canonical forms are ASCII"));
        }
    }

    fn canonical(raw: &str, plus: PlusSign) -> Result<String, RequestError> {
        let mut text = Text(String::new());
        Query::parse(raw, plus, &Limits::DEFAULT)?.put(None, &Fields::EMPTY, &mut text);
        Ok(text.0)
    }

    #[test]
    fn canonical_queries() {
        for (raw, expected) in [
            ("", ""),
            ("&&", ""),
            ("acl", "acl="),
            ("delete=", "delete="),
            ("=x", "=x"),
            ("a==b", "a=%3Db"),
            ("b=1&a=2&&a=1", "a=1&a=2&b=1"),
            ("Param-3=3&Param=2&%E1%88%B4=1", "%E1%88%B4=1&Param=2&Param-3=3"),
            ("prefix=a+b%2B&x=%7e%2f/?", "prefix=a%20b%2B&x=~%2F%2F%3F"),
            ("a=~&a=%2F&a=A&a=a&a=", "a=&a=%2F&a=A&a=a&a=~"),
            ("ab=1&a=2", "a=2&ab=1"),
        ] {
            assert_eq!(canonical(raw, PlusSign::Space).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(canonical("a=b+c", PlusSign::Literal).as_deref(), Ok("a=b%2Bc"));
        assert_eq!(canonical("a=%", PlusSign::Space), Err(RequestError::EscapeSyntax));
        assert_eq!(canonical("%4=", PlusSign::Space), Err(RequestError::EscapeSyntax));
    }

    #[test]
    fn parameters_are_counted() {
        let most = "a&".repeat(Limits::MAX_PARAMETERS);
        assert!(canonical(&most, PlusSign::Space).is_ok());
        let more = most + "b";
        assert_eq!(canonical(&more, PlusSign::Space), Err(RequestError::TooManyParameters));
    }

    #[test]
    fn decimals() {
        for number in [0, 1, 10, 604_800, u32::MAX] {
            let mut text = Text(String::new());
            put_decimal(number, &mut text);
            assert_eq!(text.0.parse(), Ok(number));
        }
    }
}
