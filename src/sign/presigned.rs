//! A request signed in its query: the target to use.

use core::fmt;

use super::{Head, SignError, Signer, canonical};
use crate::canonical::{
    Authentication, AuthenticationName, CanonicalRequest, Fields, Order, Shown, Sink, StringToSign,
    Token, is_plain, put_parameter,
};
use crate::content::ContentSha256;
use crate::credential::SessionTokenRule;
use crate::signature::Signature;
use crate::time::Timestamp;

/// A URL that carries its own signature. Made by [`Signer::presign`].
#[must_use = "the signature is in the target"]
#[derive(Clone)]
pub struct Presigned<'r> {
    head: Head<'r>,
    order: Order,
    authentication: Authentication<'r>,
    /// A token that is added after signing.
    late_token: Option<(Token, &'r str)>,
    string_to_sign: StringToSign<'r>,
    content: ContentSha256,
    signature: Signature,
}

impl<'r> Presigned<'r> {
    pub(super) fn new<'a: 'r>(
        signer: &Signer<'a>,
        head: Head<'r>,
        content: ContentSha256,
        expires: u32,
        now: Timestamp,
    ) -> Result<Self, SignError> {
        let fields = head.fields()?;
        if !fields.names().all(is_plain) {
            return Err(SignError::FieldName);
        }
        let token = signer.token_parts();
        let (token, late_token) = match signer.token_rule {
            SessionTokenRule::Signed => (token, None),
            SessionTokenRule::AfterSigning => (None, token),
        };
        let mut presigned = Self {
            head,
            order: fields.order(),
            authentication: Authentication {
                access_key_id: signer.access_key_id,
                scope: signer.scope,
                timestamp: now,
                expires,
                token,
            },
            late_token,
            string_to_sign: signer.string_to_sign(now, [0; 32]),
            content,
            signature: Signature::NONE,
        };
        let hash = presigned.canonical_request().hash();
        presigned.string_to_sign = signer.string_to_sign(now, hash);
        presigned.signature = signer.signature(&presigned.string_to_sign);
        Ok(presigned)
    }

    fn fields(&self) -> Fields<'_> {
        Fields::in_order(self.head.request.headers, [], self.order)
    }

    /// The target to request: the target that was given, and the signature's parameters behind its
    /// query. It is as good as the credential until it expires; keep it out of logs.
    #[must_use]
    pub fn target(&self) -> impl fmt::Display + '_ {
        SignedTarget(self)
    }

    /// The canonical request this signature covers, for debugging.
    #[must_use]
    pub fn canonical_request(&self) -> CanonicalRequest<'_> {
        canonical(&self.head, self.fields(), Some(self.authentication), self.content)
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

    fn put_target(&self, sink: &mut impl Sink) {
        let target = self.head.request.target;
        sink.put(target.as_bytes());
        sink.put(match target.split_once('?') {
            None => b"?",
            Some((_, "")) => b"",
            Some(_) => b"&",
        });
        self.authentication.put_all(&self.fields(), sink);
        put_parameter(AuthenticationName::Signature, &self.signature.to_hex(), sink);
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

struct SignedTarget<'s>(&'s Presigned<'s>);

impl fmt::Display for SignedTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| self.0.put_target(shown))
    }
}
