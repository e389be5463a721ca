//! A request signed in its query: the target to use.

use core::fmt;

use super::value::Value;
use super::{Reading, SentToken, SignError, SignedValue, SignerAt};
use crate::bytes;
use crate::canonical::{
    Authentication, CanonicalRequest, Fields, Filled, Hashing, Kept, Measured, Order, Sink,
    StringToSign, put_signature, put_token,
};
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, CredentialScope};
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
    access_key_id: AccessKeyId,
    scope: CredentialScope<'r>,
    timestamp: Timestamp,
    expires: u32,
    /// A token that is signed, and one that is added after signing.
    tokens: (SentToken<'r>, SentToken<'r>),
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
        let SignerAt { signer, now, .. } = at;
        let has_ample_room = reading.has_ample_room(signer.token_len());
        let mut order = Order::EMPTY;
        let fields = reading.fields_to_escape(&mut order)?;
        let authentication = at.authentication(expires);
        let parts = reading.parts(&fields, Some(&authentication), content);
        let (hash, signature) = at.sign_hash(|| parts.hash());
        let tokens = signer.token_parts();
        if !has_ample_room {
            let mut target = Measured::default();
            put_all(reading.request.target, &authentication, &fields, &mut target);
            put_unsigned(&signature, tokens.1, &mut target);
            reading.check_with_target(target.len())?;
        }
        Ok(Self {
            head: reading.kept(content),
            request: *reading.request,
            order,
            access_key_id: signer.access_key_id,
            scope: signer.scope,
            timestamp: *now,
            expires,
            tokens,
            hash,
            signature,
        })
    }

    fn authentication(&self) -> Authentication<'_> {
        let Self { access_key_id, scope, timestamp, expires, tokens: (token, _), .. } = self;
        Authentication {
            access_key_id,
            scope: *scope,
            credential: None,
            timestamp: *timestamp,
            expires: *expires,
            token: *token,
            written: None,
        }
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
        self.head.canonical(Some(self.authentication()), self.request.headers, None, self.order)
    }

    /// The string that was signed.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign<'_> {
        StringToSign { timestamp: self.timestamp, scope: self.scope, hash: self.hash }
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    #[inline(always)]
    pub(super) fn put_target(&self, sink: &mut impl Sink) {
        let fields = Fields::in_order(self.request.headers, None, &self.order);
        put_all(self.request.target, &self.authentication(), &fields, sink);
        put_unsigned(&self.signature, self.tokens.1, sink);
    }
}

/// Signs a request in its query, and writes the target to use.
#[inline(always)]
pub(super) fn presign_to<'b>(
    at: &SignerAt<'_, '_>,
    reading: &Reading<'_, '_>,
    content: ContentSha256,
    expires: u32,
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], SignError> {
    let signer = at.signer;
    let has_ample_room = reading.has_ample_room(signer.token_len());
    let mut order = Order::EMPTY;
    let fields = reading.fields_to_escape(&mut order)?;
    let authentication = at.authentication(expires);

    let mut target = Filled::new(buffer);
    put_target(reading.request.target, &mut target);
    let start = target.len();
    authentication.put_all(&fields, &mut target);

    // What is signed is read from where it has been written.
    let written = target.written().and_then(|target| target.get(start..));
    let written = Some(written.ok_or(SignError::BufferTooSmall)?);
    let authentication = Authentication { written, ..authentication };
    let parts = reading.parts(&fields, Some(&authentication), content);
    let mut hash = Hashing::new();
    parts.hash_to_fields(&mut hash);
    let (_, signature) = at.sign_hash(|| parts.hash_from_fields(&mut hash));
    put_unsigned(&signature, signer.token_parts().1, &mut target);
    let target = target.finish().ok_or(SignError::BufferTooSmall)?;
    if !has_ample_room {
        reading.check_with_target(target.len())?;
    }
    Ok(target)
}

/// Puts the target that was given, and what separates it from the parameters to come.
#[inline(always)]
fn put_target(target: &str, sink: &mut impl Sink) {
    let target = target.as_bytes();
    sink.put(target);
    sink.put(match bytes::find(target, b'?') {
        None => b"?",
        Some(at) if at + 1 == target.len() => b"",
        Some(_) => b"&",
    });
}

/// Puts the target that was given and the parameters that are signed.
#[inline(always)]
fn put_all(
    target: &str,
    authentication: &Authentication<'_>,
    fields: &Fields<'_>,
    sink: &mut impl Sink,
) {
    put_target(target, sink);
    authentication.put_all(fields, sink);
}

/// Puts the parameters that are not signed.
#[inline(always)]
fn put_unsigned(signature: &Signature, late_token: SentToken<'_>, sink: &mut impl Sink) {
    put_signature(signature, sink);
    if let Some((token, value)) = late_token {
        put_token(token, value, sink);
    }
}

impl Presigned<'_> {
    /// Until when the URL is good.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.timestamp.plus(u64::from(self.expires))
    }
}

impl fmt::Debug for Presigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
