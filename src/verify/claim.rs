//! A claim: what a request says of itself before a key has spoken.

use core::fmt;
use core::time::Duration;

use super::{Mechanism, Verified, VerifyError};
use crate::body::{Binding, ChunkRules};
use crate::bytes::{self, Lanes};
use crate::canonical::{
    CanonicalRequest, ClaimedString, Covered, Decoded, Kept, PlusSign, StringToSign,
};
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, CredentialScope, SessionToken};
use crate::signature::{PresentedSignature, Signature, SigningKey};
use crate::time::Timestamp;

/// What a request says about itself; nothing here is proven.
///
/// It is made by [`Verifier::read`](crate::Verifier::read) alone, and it has no name to trust:
///
/// ```compile_fail,E0599
/// fn who(claim: countersign::Claim<'_>) -> countersign::AccessKeyId { claim.access_key_id() }
/// ```
///
/// ```compile_fail,E0599
/// fn body(claim: countersign::Claim<'_>) -> countersign::BodyVerifier { claim.into_body() }
/// ```
///
/// ```compile_fail,E0277
/// fn forge() -> countersign::Claim<'static> { Default::default() }
/// ```
///
/// A claim is used up by verifying it, well or not:
///
/// ```compile_fail,E0382
/// fn twice(claim: countersign::Claim<'_>, a: &countersign::SigningKey, b: &countersign::SigningKey) {
///     let _ = claim.verify(a);
///     let _ = claim.verify(b);
/// }
/// ```
#[must_use = "a claim proves nothing until it is verified"]
// On cache lines, for it is moved: into the hands of the caller, and on into the proof.
#[repr(align(64))]
pub struct Claim<'r> {
    pub(super) mechanism: Mechanism,
    pub(super) name: ClaimedName<'r>,
    pub(super) string_to_sign: ClaimedString<'r>,
    pub(super) expires: Option<Duration>,
    pub(super) token: Option<ClaimedSessionToken<'r>>,
    pub(super) signature: PresentedSignature<'r>,
    pub(super) binding: Binding<'r>,
    /// What `Content-Length` announces.
    pub(super) announced_len: Option<u64>,
    pub(super) head: Kept<'r>,
    pub(super) fields: Covered<'r>,
}

impl<'r> Claim<'r> {
    /// The name to look a key up by, and nothing more.
    #[must_use]
    pub fn claimed_access_key_id(&self) -> AccessKeyId {
        self.name.read()
    }

    /// The scope to derive that key for.
    #[must_use]
    pub fn scope(&self) -> CredentialScope<'r> {
        self.string_to_sign.scope
    }

    /// The session token that came along. A key found by it must be checked with
    /// [`verify_session`](Self::verify_session).
    #[must_use]
    pub fn session_token(&self) -> Option<ClaimedSessionToken<'r>> {
        self.token
    }

    /// Where the claim stands.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What the claim says of the body.
    #[must_use]
    pub fn content(&self) -> ContentSha256 {
        self.head.content
    }

    /// When the request says that it was signed.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.string_to_sign.timestamp
    }

    /// How long a presigned request asks to live.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        self.expires
    }

    /// What should have been signed, for an error page. Not secret; never the signature we expected.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign<'r> {
        self.string_to_sign.read()
    }

    /// Our reading of the request, for an error page. It repeats signed fields, a session token
    /// among them, to the one who sent them.
    #[must_use]
    pub fn canonical_request(&self) -> CanonicalRequest<'r> {
        self.head.canonical(None, self.fields.all(), None, self.fields.order())
    }

    /// The signature that came along.
    pub(crate) fn presented_signature(&self) -> Signature {
        self.signature.read()
    }

    /// Checks the signature in constant time with the key of a long-lived credential. The only way
    /// to a [`Verified`], with [`verify_session`](Self::verify_session).
    ///
    /// # Errors
    /// [`VerifyError::SessionTokenUnexpected`] if a session token came along; else
    /// [`VerifyError::SignatureMismatch`].
    #[inline]
    pub fn verify(self, key: &SigningKey) -> Result<Verified<'r>, VerifyError> {
        let matches = self.matches(key);
        settle(matches, self.token, None)?;
        Ok(self.proven(key))
    }

    /// Checks the signature in constant time with the key of a temporary credential, and that its
    /// session token came along.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn check<'r>(claim: Claim<'r>, key: &SigningKey) -> Result<Verified<'r>, Error> {
    /// let expected = SessionToken::new("FwoGZXIvYXdzEJr").expect("the token that was issued");
    /// Ok(claim.verify_session(key, expected)?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`VerifyError::SessionTokenMissing`] or [`VerifyError::SessionTokenMismatch`]; else
    /// [`VerifyError::SignatureMismatch`].
    #[inline]
    pub fn verify_session(
        self,
        key: &SigningKey,
        expected: SessionToken<'_>,
    ) -> Result<Verified<'r>, VerifyError> {
        let matches = self.matches(key);
        settle(matches, self.token, Some(expected))?;
        Ok(self.proven(key))
    }

    /// Refuses a claim for whose name there is no key, after the work that a wrong signature takes.
    ///
    /// A server that answers unknown names faster than wrong signatures tells which names exist.
    /// Keep a secret of your own for this, and where keys are derived for each request, derive the
    /// decoy's too. The answer still differs ([`VerifyError::UnknownAccessKey`]); a server that
    /// hides names altogether sends the hint of [`VerifyError::SignatureMismatch`] in its place.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn find(_: AccessKeyId) -> Option<String> { None }
    /// # fn check<'r>(claim: Claim<'r>, decoy: &SecretKey<'_>) -> Result<Verified<'r>, VerifyError> {
    /// match find(claim.claimed_access_key_id()) {
    ///     Some(secret) => {
    ///         let secret = SecretKey::new(&secret).expect("stored secrets are not empty");
    ///         let key = SigningKey::derive(&secret, &claim.scope());
    ///         claim.verify(&key)
    ///     }
    ///     None => {
    ///         let key = SigningKey::derive(decoy, &claim.scope());
    ///         Err(claim.refuse_unknown_key(&key))
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use = "the request is refused only when this is answered"]
    pub fn refuse_unknown_key(self, decoy: &SigningKey) -> VerifyError {
        let _ = core::hint::black_box(self.matches(decoy));
        VerifyError::UnknownAccessKey
    }

    fn matches(&self, key: &SigningKey) -> bool {
        self.signature.is(&self.string_to_sign.signature(key))
    }

    /// To be called when all has been settled.
    #[inline(always)]
    fn proven(self, key: &SigningKey) -> Verified<'r> {
        let signed = matches!(self.binding, Binding::Chunked(ChunkRules { signed: true, .. }));
        Verified::new(self, signed.then(|| key.clone()))
    }
}

/// Whether a claim is true: its signature matches, and it has the session token that goes with the
/// key, or none.
#[inline]
pub(crate) fn settle(
    matches: bool,
    presented: Option<ClaimedSessionToken<'_>>,
    expected: Option<SessionToken<'_>>,
) -> Result<(), VerifyError> {
    match (presented, expected) {
        (Some(_), None) => Err(VerifyError::SessionTokenUnexpected),
        (None, Some(_)) => Err(VerifyError::SessionTokenMissing),
        (Some(token), Some(expected)) if !expected.matches(token.bytes()) => {
            Err(VerifyError::SessionTokenMismatch)
        }
        _ if !matches => Err(VerifyError::SignatureMismatch),
        _ => Ok(()),
    }
}

/// A text of a claim, where it stands.
#[derive(Clone, Copy)]
pub(crate) enum Source<'r> {
    Field(&'r [u8]),
    Query(&'r [u8], PlusSign),
}

impl<'r> Source<'r> {
    /// The text's bytes, decoded.
    fn bytes(self) -> impl Iterator<Item = u8> + Clone + use<'r> {
        let (field, query) = match self {
            Self::Field(value) => (value, Decoded::of_query(&[], PlusSign::Literal)),
            Self::Query(raw, plus) => (&[][..], Decoded::of_query(raw, plus)),
        };
        field.iter().copied().chain(query)
    }
}

/// The name that a request claims, where it stands: it is read when it is asked for.
#[derive(Clone, Copy)]
pub(crate) struct ClaimedName<'r> {
    credential: Source<'r>,
    /// Length of the name, with which the credential begins, once it is decoded.
    len: usize,
}

impl<'r> ClaimedName<'r> {
    /// The first `len` bytes of a credential, which are a good name once they are decoded.
    #[inline(always)]
    pub(super) const fn new(credential: Source<'r>, len: usize) -> Self {
        Self { credential, len }
    }

    #[inline(always)]
    pub(super) fn read(&self) -> AccessKeyId {
        let (Source::Field(text) | Source::Query(text, _)) = self.credential;
        let name = text.get(..self.len).unwrap_or_default();
        let escapes = |lanes: Lanes| lanes.is(b'%') | lanes.is(b'+');
        match self.credential {
            Source::Query(..) if !bytes::none(name, escapes) => {
                AccessKeyId::of_checked_bytes(self.credential.bytes().take(self.len))
            }
            _ => AccessKeyId::of_checked(name),
        }
    }
}

/// A session token as a request carries it, not checked yet.
#[derive(Clone, Copy)]
pub struct ClaimedSessionToken<'r>(Source<'r>);

impl<'r> ClaimedSessionToken<'r> {
    pub(crate) const fn in_field(value: &'r [u8]) -> Self {
        Self(Source::Field(value))
    }

    pub(super) const fn in_query(raw: &'r [u8], plus: PlusSign) -> Self {
        Self(Source::Query(raw, plus))
    }

    /// The token's bytes, decoded.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'r> {
        self.0.bytes()
    }

    /// The token's bytes, decoded.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        self.bytes().collect()
    }
}

impl fmt::Debug for ClaimedSessionToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimedSessionToken([redacted])")
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("mechanism", &self.mechanism)
            .field("claimed_access_key_id", &self.claimed_access_key_id())
            .field("content", &self.content())
            .finish_non_exhaustive()
    }
}
