//! Signing keys and signatures.
//!
//! A key is kept as MAC state, derived once for a day, region and service. A signature has no `==`:
//! the one comparison is constant in time and happens where a claim is verified.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": derive a signing key, calculate the
//! signature.

use core::fmt;

use crate::credential::{CredentialScope, SecretKey, TERMINATOR};
use crate::crypto::{
    BegunLayout, DIGEST_LEN, Gathering, Layout, MacKey, constant_time_eq_hex, digest_to_hex,
    hex_of_digest, write_ascii,
};

/// The key that signs and verifies the requests of one access key for one day, region and service.
///
/// Deriving costs several times a signature; keep the key. A cache of keys must be looked up by
/// the secret's generation as well as by name, day, region and service, or a rotated secret stays
/// in use.
///
/// ```
/// use countersign::{CredentialScope, Date, SecretKey, SigningKey};
///
/// let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
/// let scope = CredentialScope { date: Date::parse("20130524")?, region: "us-east-1", service: "s3" };
/// let key = SigningKey::derive(&secret, &scope);
/// assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(MacKey);

/// The 32 bytes that vouch for a request; 64 lower-case hexadecimal digits on the wire, and here,
/// because no one asks for them in another form.
#[derive(Clone, Copy)]
pub struct Signature([u8; Self::HEX_LEN]);

impl SigningKey {
    /// Derives the key: `HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service),
    /// "aws4_request")`.
    #[must_use]
    pub fn derive(secret: &SecretKey<'_>, scope: &CredentialScope<'_>) -> Self {
        let steps = [
            scope.date.as_bytes(),
            scope.region.as_bytes(),
            scope.service.as_bytes(),
            TERMINATOR.as_bytes(),
        ];
        let secret = MacKey::new(&[b"AWS4", secret.as_bytes()]);
        Self(steps.into_iter().fold(secret, |key, step| key.derive(step)))
    }

    /// Takes a key that was derived elsewhere, for a party that must not know the secret.
    #[must_use]
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(MacKey::new(&[key]))
    }

    /// Starts a message, of which so many blocks are gathered before they are hashed.
    #[inline]
    pub(crate) fn start<const BLOCKS: usize>(&self) -> Gathering<BLOCKS> {
        self.0.start()
    }

    /// The signature of a text that is signed as it is: the policy of a form.
    #[cfg(feature = "post-policy")]
    pub(crate) fn sign(&self, text: &[u8]) -> Signature {
        // Room for the end of the text, and for its padding.
        let mut message = self.start::<3>();
        message.update(text);
        self.finish(&mut message)
    }

    #[inline]
    pub(crate) fn finish<const BLOCKS: usize>(&self, message: &mut Gathering<BLOCKS>) -> Signature {
        Signature(digest_to_hex(&self.0.finish(message)))
    }

    /// The signature of a message that ends in this digest.
    #[inline(always)]
    pub(crate) fn end(&self, message: &Gathering<2>, digest: &[u8; DIGEST_LEN]) -> Signature {
        Signature(digest_to_hex(&self.0.end(message, digest)))
    }

    /// The signature of a message that is laid out.
    #[inline]
    pub(crate) fn finish_layout<const BLOCKS: usize>(
        &self,
        layout: &Layout<BLOCKS>,
        begun: BegunLayout,
    ) -> Signature {
        Signature(digest_to_hex(&self.0.finish_layout(layout, begun)))
    }
}

impl Signature {
    /// Length of the wire form in bytes.
    pub(crate) const HEX_LEN: usize = 2 * DIGEST_LEN;

    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    #[inline]
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        hex_of_digest(text).copied().map(Self)
    }

    pub(crate) const fn as_hex(&self) -> &[u8; Self::HEX_LEN] {
        &self.0
    }

    /// Writes the wire form into a text that is laid out.
    #[inline]
    pub(crate) fn put_into<const BLOCKS: usize>(&self, layout: &mut Layout<BLOCKS>, at: usize) {
        layout.put(at, &self.0);
    }

    /// Whether two signatures are the same, in constant time.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        constant_time_eq_hex(&self.0, &other.0)
    }
}

/// A signature as it stands in a request, well formed and no more.
#[derive(Clone, Copy)]
pub(crate) struct PresentedSignature<'r>(&'r [u8; Signature::HEX_LEN]);

impl<'r> PresentedSignature<'r> {
    /// What stands where none has been read.
    pub(crate) const NONE: Self = Self(&[b'0'; Signature::HEX_LEN]);

    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    #[inline]
    pub(crate) fn parse(text: &'r [u8]) -> Option<Self> {
        hex_of_digest(text).map(Self)
    }

    pub(crate) const fn read(self) -> Signature {
        Signature(*self.0)
    }

    /// Whether it is this one, in constant time.
    pub(crate) fn is(self, signature: &Signature) -> bool {
        constant_time_eq_hex(self.0, &signature.0)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ascii(f, self.as_hex())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature([redacted])")
    }
}
