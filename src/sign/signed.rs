//! A request signed in its header: the fields to add.

use core::fmt;

use super::value::Value;
use super::{Reading, SentToken, SignError, SignedValue, SignerAt};
use crate::canonical::{
    Additions, CanonicalRequest, Fields, Kept, Measured, Order, Separator, Sink, StringToSign,
};
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, CredentialScope};
use crate::crypto::DIGEST_LEN;
use crate::request::Header;
use crate::signature::Signature;

/// What a signer adds to a request. Made by [`Signer::sign`](super::Signer::sign).
#[must_use = "a request is signed only when the fields have been added"]
#[derive(Clone)]
pub struct Signed<'r> {
    head: Kept<'r>,
    wire: &'r [Header<'r>],
    /// The signed fields, those that are added among them.
    order: Order,
    additions: Additions<'r>,
    /// A token that is added and not signed.
    late_token: SentToken<'r>,
    access_key_id: AccessKeyId,
    scope: CredentialScope<'r>,
    /// The hash of the canonical request.
    hash: [u8; DIGEST_LEN],
    signature: Signature,
}

impl<'r> Signed<'r> {
    #[inline]
    pub(super) fn new<'a: 'r>(
        at: &SignerAt<'_, 'a>,
        reading: &Reading<'_, 'r>,
        content: ContentSha256,
        additions: Additions<'r>,
    ) -> Result<Self, SignError> {
        let signer = at.signer;
        let (_, late_token) = signer.token_parts();
        let texts = signer.token_len() + additions.trailers().len();
        let has_ample_room = reading.has_ample_room(texts);
        let mut order = Order::EMPTY;
        let fields = reading.fields_to_list(&additions, &mut order)?;
        let (hash, signature) = at.sign_hash(|| reading.parts(&fields, None, content).hash());
        if !has_ample_room {
            let mut authorization = Measured::default();
            let put_credential = |sink: &mut Measured| sink.put(signer.credential.as_bytes());
            put_authorization(put_credential, &fields, &signature, &mut authorization);
            let added = added(&additions, late_token);
            let added = added.map(|(name, value)| (name, SignedValue(value).len()));
            reading.check_with(added.chain([("authorization", authorization.len())]))?;
        }
        Ok(Self {
            head: reading.kept(content),
            wire: reading.request.headers,
            order,
            additions,
            late_token,
            access_key_id: signer.access_key_id,
            scope: signer.scope,
            hash,
            signature,
        })
    }

    /// The fields to add, `authorization` last. A session token is a secret, and so is a signature
    /// while it is fresh: mark both sensitive where the HTTP library can.
    ///
    /// A streamed body adds a field `content-encoding` behind one that may be there already: append
    /// it, do not replace.
    #[inline]
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, SignedValue<'_>)> {
        let authorization = ("authorization", Value::Authorization(self));
        let all = added(&self.additions, self.late_token).chain([authorization]);
        all.map(|(name, value)| (name, SignedValue(value)))
    }

    /// Whether a field of [`headers`](Self::headers) has to be kept out of logs.
    #[must_use]
    pub fn is_sensitive(name: &str) -> bool {
        matches!(name, "authorization" | "x-amz-security-token" | "x-amz-s3session-token")
    }

    /// The value of the `authorization` field.
    #[must_use]
    pub fn authorization(&self) -> SignedValue<'_> {
        SignedValue(Value::Authorization(self))
    }

    /// The content this signature covers.
    #[must_use]
    pub fn content(&self) -> ContentSha256 {
        self.head.content
    }

    /// The canonical request this signature covers, for debugging.
    #[must_use]
    pub fn canonical_request(&self) -> CanonicalRequest<'_> {
        self.head.canonical(None, self.wire, Some(&self.additions), self.order)
    }

    /// The string that was signed.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign<'_> {
        let timestamp = self.additions.timestamp();
        StringToSign { timestamp, scope: self.scope, hash: self.hash }
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    #[inline(always)]
    pub(super) fn put_authorization(&self, sink: &mut impl Sink) {
        let put_credential = |sink: &mut _| {
            Sink::put(sink, self.access_key_id.as_bytes());
            Sink::put(sink, b"/");
            self.scope.each_piece(|piece| Sink::put(sink, piece));
        };
        let fields = Fields::in_order(self.wire, Some(&self.additions), &self.order);
        put_authorization(put_credential, &fields, &self.signature, sink);
    }
}

/// The fields to add, but for `authorization`.
#[inline(always)]
fn added<'s>(
    additions: &'s Additions<'s>,
    late_token: SentToken<'s>,
) -> impl Iterator<Item = (&'static str, Value<'s>)> {
    let added = additions.iter().map(|added| (added.name(), Value::Added(additions, added)));
    added.chain(late_token.map(|(token, text)| (token.field(), Value::Token(text))))
}

/// Puts the value of an `authorization` field.
#[inline(always)]
fn put_authorization<S: Sink>(
    put_credential: impl FnOnce(&mut S),
    fields: &Fields<'_>,
    signature: &Signature,
    sink: &mut S,
) {
    put_before_names(put_credential, sink);
    fields.put_names(b'=', Separator::Semicolon, sink);
    put_behind_names(signature, sink);
}

/// Puts the value of an `authorization` field up to the list of names.
#[inline(always)]
pub(super) fn put_before_names<S: Sink>(put_credential: impl FnOnce(&mut S), sink: &mut S) {
    sink.put(b"AWS4-HMAC-SHA256 Credential=");
    put_credential(sink);
    sink.put(b", SignedHeaders");
}

/// Puts what follows that list.
#[inline(always)]
pub(super) fn put_behind_names(signature: &Signature, sink: &mut impl Sink) {
    sink.put(b", Signature=");
    sink.put(signature.as_hex());
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("access_key_id", &self.access_key_id)
            .field("content", &self.head.content)
            .finish_non_exhaustive()
    }
}
