//! A request signed in its header: the fields to add.

use core::fmt;

use super::{Head, SignError, Signer, added, canonical};
use crate::bounded::Bounded;
use crate::canonical::{
    ALGORITHM, CanonicalRequest, Fields, Order, Separator, Shown, Sink, StringToSign, Token,
};
use crate::chunked::Framing;
use crate::content::{self, ContentSha256};
use crate::credential::{AccessKeyId, SessionTokenRule};
use crate::request::RequestError;
use crate::signature::Signature;
use crate::time::Timestamp;

/// What a signer adds to a request. Made by [`Signer::sign`].
#[must_use = "a request is signed only when the fields have been added"]
#[derive(Clone)]
pub struct Signed<'r> {
    head: Head<'r>,
    /// The signed fields, those that are added among them.
    order: Order,
    access_key_id: AccessKeyId,
    string_to_sign: StringToSign<'r>,
    content: ContentSha256,
    content_text: content::Text,
    /// Whether `x-amz-content-sha256` is sent.
    announced: bool,
    /// What is said of a body in frames: its length, and the names of its trailers.
    stream: Option<(Bounded<u8, 20>, &'r str)>,
    token: Option<(Token, &'r str)>,
    token_rule: SessionTokenRule,
    signature: Signature,
}

impl<'r> Signed<'r> {
    pub(super) fn new<'a: 'r>(
        signer: &Signer<'a>,
        head: Head<'r>,
        content: ContentSha256,
        announced: bool,
        stream: Option<Framing<'r>>,
        now: Timestamp,
    ) -> Result<Self, SignError> {
        let mut signed = Self {
            head,
            order: Order::EMPTY,
            access_key_id: signer.access_key_id,
            string_to_sign: signer.string_to_sign(now, [0; 32]),
            content,
            content_text: content.text(),
            announced,
            stream: stream.map(|framing| (decimal(framing.decoded_len), framing.trailers)),
            token: signer.token_parts(),
            token_rule: signer.token_rule,
            signature: Signature::NONE,
        };
        let fields = signed.collect()?;
        if fields.names().any(|name| name.contains('%')) {
            return Err(SignError::FieldName);
        }
        signed.order = fields.order();
        let hash = signed.canonical_request().hash();
        signed.string_to_sign = signer.string_to_sign(now, hash);
        signed.signature = signer.signature(&signed.string_to_sign);
        Ok(signed)
    }

    fn timestamp(&self) -> &Timestamp {
        &self.string_to_sign.timestamp
    }

    /// The fields that are added and signed. Their number and order depend on nothing that
    /// changes once the value exists.
    fn added(&self) -> [Option<crate::request::Header<'_>>; 6] {
        let signed = self.token.filter(|_| self.token_rule == SessionTokenRule::Signed);
        let stream = self.stream.as_ref();
        let trailers = stream.map(|(_, trailers)| *trailers).filter(|names| !names.is_empty());
        [
            stream.map(|_| added("content-encoding", AWS_CHUNKED.as_bytes())),
            stream.map(|(len, _)| added("x-amz-decoded-content-length", len.as_slice())),
            trailers.map(|names| added("x-amz-trailer", names.as_bytes())),
            Some(added("x-amz-date", self.timestamp().as_bytes())),
            self.announced.then(|| added("x-amz-content-sha256", self.content_text.as_bytes())),
            signed.map(|(token, value)| added(token.field(), value.as_bytes())),
        ]
    }

    fn collect(&self) -> Result<Fields<'_>, RequestError> {
        let mut fields = self.head.fields()?;
        for header in self.added().into_iter().flatten() {
            fields.add(header)?;
        }
        Ok(fields)
    }

    fn fields(&self) -> Fields<'_> {
        Fields::in_order(self.head.request.headers, self.added().into_iter().flatten(), self.order)
    }

    /// The fields to add, `authorization` last. A session token is a secret, and so is a signature
    /// while it is fresh: mark both sensitive where the HTTP library can.
    ///
    /// A streamed body adds a field `content-encoding` behind one that may be there already: append
    /// it, do not replace.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, SignedValue<'_>)> {
        let value = |value| Some(SignedValue(value));
        let stream = self.stream.as_ref();
        let trailers = stream.map(|(_, trailers)| *trailers).filter(|names| !names.is_empty());
        let token = self.token;
        [
            ("content-encoding", stream.and_then(|_| value(Value::Text(AWS_CHUNKED)))),
            (
                "x-amz-decoded-content-length",
                stream.and_then(|(len, _)| value(Value::Ascii(len.as_slice()))),
            ),
            ("x-amz-trailer", trailers.and_then(|names| value(Value::Text(names)))),
            ("x-amz-date", value(Value::Date(self.timestamp()))),
            (
                "x-amz-content-sha256",
                (self.announced).then_some(SignedValue(Value::Ascii(self.content_text.as_bytes()))),
            ),
            (
                token.map_or("", |(token, _)| token.field()),
                token.and_then(|(_, text)| value(Value::Text(text))),
            ),
            ("authorization", value(Value::Authorization(self))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Whether a field of [`headers`](Self::headers) has to be kept out of logs.
    #[must_use]
    pub fn is_sensitive(name: &str) -> bool {
        matches!(name, "authorization" | "x-amz-security-token" | "x-amz-s3session-token")
    }

    /// The value of the `authorization` field.
    pub fn authorization(&self) -> impl fmt::Display + '_ {
        SignedValue(Value::Authorization(self))
    }

    /// The content this signature covers.
    #[must_use]
    pub fn content(&self) -> ContentSha256 {
        self.content
    }

    /// The canonical request this signature covers, for debugging.
    #[must_use]
    pub fn canonical_request(&self) -> CanonicalRequest<'_> {
        canonical(&self.head, self.fields(), None, self.content)
    }

    /// The string that was signed.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign<'_> {
        self.string_to_sign
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    fn put_authorization(&self, sink: &mut impl Sink) {
        sink.put(ALGORITHM.as_bytes());
        sink.put(b" Credential=");
        sink.put(self.access_key_id.as_str().as_bytes());
        sink.put(b"/");
        self.string_to_sign.scope.pieces().into_iter().for_each(|piece| sink.put(piece));
        sink.put(b", SignedHeaders=");
        self.fields().put_names(Separator::Semicolon, sink);
        sink.put(b", Signature=");
        sink.put(&self.signature.to_hex());
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("access_key_id", &self.access_key_id)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// The coding that frames are.
const AWS_CHUNKED: &str = "aws-chunked";

fn decimal(number: u64) -> Bounded<u8, 20> {
    let mut digits = Bounded::filled_with(0);
    let mut power = 10u64.pow(number.checked_ilog10().unwrap_or(0));
    while power > 0 {
        // There is room for the digits of 64 bits.
        let _ = digits.push(b'0' + (number / power % 10) as u8);
        power /= 10;
    }
    digits
}

/// The value of a field that a signer adds.
#[derive(Clone, Copy)]
pub struct SignedValue<'s>(Value<'s>);

#[derive(Clone, Copy)]
enum Value<'s> {
    Date(&'s Timestamp),
    Ascii(&'s [u8]),
    Text(&'s str),
    Authorization(&'s Signed<'s>),
}

impl fmt::Display for SignedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Date(timestamp) => timestamp.fmt(f),
            Value::Ascii(text) => crate::crypto::write_ascii(f, text),
            Value::Text(text) => f.write_str(text),
            Value::Authorization(signed) => Shown::with(f, |shown| signed.put_authorization(shown)),
        }
    }
}

impl fmt::Debug for SignedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedValue([redacted])")
    }
}
