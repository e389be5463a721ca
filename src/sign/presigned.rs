//! A request signed in its query: the target to use.

use core::fmt;

use super::value::Value;
use super::{Reading, SignError, SignedValue, SignerAt};
use crate::bytes;
use crate::canonical::{
    Authentication, AuthenticationName, CanonicalRequest, Fields, Kept, Order, Sink, StringToSign,
    Token, is_plain, put_parameter,
};
use crate::content::ContentSha256;
use crate::crypto::DIGEST_LEN;
use crate::request::Request;
use crate::signature::Signature;
use crate::time::Timestamp;

/// A URL that carries its own signature. Made by [`Signer::presign`](super::Signer::presign).
#[must_use = "the signature is in the target"]
#[derive(Clone)]
pub struct Presigned<'r> {
    head: Kept<'r>,
    request: Request<'r>,
    order: Order,
    authentication: Authentication<'r>,
    /// A token that is added after signing.
    late_token: Option<(Token, &'r str)>,
    /// The hash of the canonical request.
    hash: [u8; DIGEST_LEN],
    signature: Signature,
}

impl<'r> Presigned<'r> {
    #[inline]
    pub(super) fn new<'a: 'r>(
        at: &SignerAt<'_, 'a>,
        reading: &Reading<'_, 'r>,
        content: ContentSha256,
        expires: u32,
    ) -> Result<Self, SignError> {
        let SignerAt { signer, now, begun } = at;
        let mut order = Order::EMPTY;
        let fields = reading.fields(None, &mut order)?;
        if !reading.wire.usual_names && !fields.names().all(is_plain) {
            return Err(SignError::FieldName);
        }
        let (token, late_token) = signer.token_parts();
        let authentication = Authentication {
            access_key_id: signer.access_key_id,
            scope: signer.scope,
            timestamp: *now,
            expires,
            token,
        };
        let hash = reading.hash(&fields, Some(&authentication), content);
        let signature = begun.signature(&signer.key, &hash);
        let (head, request) = (reading.kept(content), reading.request);
        Ok(Self { head, request, order, authentication, late_token, hash, signature })
    }

    /// The target to request: the target that was given, and the signature's parameters behind its
    /// query. It is as good as the credential until it expires; keep it out of logs.
    #[must_use]
    pub fn target(&self) -> SignedValue<'_> {
        SignedValue(Value::Target(self))
    }

    /// The canonical request this signature covers, for debugging.
    #[must_use]
    pub fn canonical_request(&self) -> CanonicalRequest<'_> {
        self.head.canonical(Some(&self.authentication), self.request.headers, None, self.order)
    }

    /// The string that was signed.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign<'_> {
        let Authentication { timestamp, scope, .. } = self.authentication;
        StringToSign { timestamp, scope, hash: self.hash }
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    #[inline(always)]
    pub(super) fn put_target(&self, sink: &mut impl Sink) {
        let target = self.request.target.as_bytes();
        sink.put(target);
        sink.put(match bytes::find(target, b'?') {
            None => b"?",
            Some(at) if at + 1 == target.len() => b"",
            Some(_) => b"&",
        });
        let fields = Fields::in_order(self.request.headers, None, &self.order);
        self.authentication.put_all(&fields, sink);
        put_parameter(AuthenticationName::Signature, self.signature.as_hex(), sink);
        if let Some((token, value)) = self.late_token {
            put_parameter(token.parameter(), value.as_bytes(), sink);
        }
    }
}

impl Presigned<'_> {
    /// Until when the URL is good.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.authentication.timestamp.plus(u64::from(self.authentication.expires))
    }
}

impl fmt::Debug for Presigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned")
            .field("access_key_id", &self.authentication.access_key_id)
            .field("expires", &self.authentication.expires)
            .finish_non_exhaustive()
    }
}
