//! A head whose signature is good, and what of it may be trusted.

use core::fmt;

use super::{Claim, Mechanism};
use crate::body::BodyVerifier;
use crate::canonical::{
    AuthenticationName, ClaimedString, SignedParameter, SignedPath, SignedText, canonical_name,
};
use crate::chain::Chain;
use crate::content::ContentSha256;
use crate::credential::{AccessKeyId, CredentialScope};
use crate::request::trim;
use crate::signature::SigningKey;
use crate::time::Timestamp;

#[cfg(feature = "checksums")]
use crate::body::Checks;
#[cfg(feature = "checksums")]
use crate::checksum::ChecksumAlgorithm;
#[cfg(feature = "checksums")]
use crate::request::Header;

/// A head whose signature is good.
///
/// It shows only what the signature covers, as it was covered. An application that decides by this
/// view and by nothing else cannot be told one thing and verify another.
///
/// It is made by [`Claim::verify`] and [`Claim::verify_session`] alone:
///
/// ```compile_fail,E0451
/// fn forge(claim: countersign::Claim<'_>) -> countersign::Verified<'_> {
///     countersign::Verified { claim, key: None }
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn forge(claim: countersign::Claim<'_>) -> countersign::Verified<'_> { claim.into() }
/// ```
///
/// Its body is verified once:
///
/// ```compile_fail,E0382
/// fn twice(verified: countersign::Verified<'_>) {
///     let first = verified.into_body();
///     let second = verified.into_body();
/// }
/// ```
#[must_use = "the body is still unverified"]
pub struct Verified<'r> {
    claim: Claim<'r>,
    /// The key of the chunks, if those of a streamed body are signed.
    key: Option<SigningKey>,
}

impl<'r> Verified<'r> {
    /// The proof's only constructor; its only caller is `Claim`.
    #[inline(always)]
    pub(super) const fn new(claim: Claim<'r>, key: Option<SigningKey>) -> Self {
        Self { claim, key }
    }

    /// Who signed.
    #[must_use]
    pub fn access_key_id(&self) -> AccessKeyId {
        self.claim.claimed_access_key_id()
    }

    /// For which day, region and service.
    #[must_use]
    pub fn scope(&self) -> CredentialScope<'r> {
        self.claim.scope()
    }

    /// When, by the signer's clock.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.claim.timestamp()
    }

    /// Where the signature stood.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.claim.mechanism
    }

    /// What the signature says of the body.
    #[must_use]
    pub fn content(&self) -> ContentSha256 {
        self.claim.content()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'r str {
        self.claim.head.method
    }

    /// The path, decoded as it was signed.
    #[must_use]
    pub fn path(&self) -> SignedPath<'r> {
        SignedPath(self.claim.head.path)
    }

    /// The parameters of the query, decoded as they were signed, in canonical order: sorted by
    /// name, then by value. No other order is covered. The parameters of the signature itself are
    /// left out.
    pub fn query(&self) -> impl Iterator<Item = SignedParameter<'r>> + '_ {
        let query = &self.claim.head.query;
        query
            .covered()
            .filter(|parameter| {
                !AuthenticationName::ALL
                    .iter()
                    .any(|name| parameter.name == name.as_str().as_bytes())
            })
            .map(|parameter| SignedParameter {
                name: SignedText::new(parameter.name, query.plus()),
                value: SignedText::new(parameter.value, query.plus()),
            })
    }

    /// Whether anything stands in the query.
    #[cfg(feature = "tower")]
    pub(crate) const fn has_query(&self) -> bool {
        !self.claim.head.query.is_empty()
    }

    /// Whether the signature covers this field; trust no other.
    #[must_use]
    pub fn covers(&self, header: &str) -> bool {
        self.claim.fields.fields(header).next().is_some()
    }

    /// A field that the signature covers, with all its values; `None` if it does not cover it.
    #[must_use]
    pub fn header<'s>(&'s self, name: &'s str) -> Option<SignedHeader<'s>> {
        self.covers(name).then_some(SignedHeader { verified: &self.claim, name })
    }

    /// The names of the covered fields, in canonical order; a repeated field is named as often as
    /// it came, and HTTP/2's authority is `host`.
    pub fn covered(&self) -> impl Iterator<Item = &'r str> + '_ {
        self.claim.fields.iter().map(|header| canonical_name(header.name))
    }

    /// The covered fields as they came, in the order of [`covered`](Self::covered).
    #[cfg(feature = "tower")]
    pub(crate) fn covered_fields(&self) -> impl Iterator<Item = (&'r str, &'r [u8])> + '_ {
        let fields = self.claim.fields.iter();
        fields.map(|header| (canonical_name(header.name), trim(header.value)))
    }

    /// The machine that verifies the body, whatever its mode, and the checksums that came with it:
    /// the one `x-amz-checksum-*` field, the trailer, and `Content-MD5`.
    ///
    /// Only fields that the signature covers count, but for `Content-MD5`, which S3 lets unsigned. A
    /// checksum in a query (presigned URLs of one SDK carry that of no bytes) is no statement on
    /// the body, nor is a field of `CompleteMultipartUpload`, which speaks of the whole object.
    /// Algorithms that are not known are passed over. `x-amz-sdk-checksum-algorithm` demands nothing:
    /// clients in use send it without a checksum.
    ///
    /// # Errors
    /// [`BodyError`](crate::BodyError) if a checksum is malformed, or there are several.
    #[cfg(feature = "checksums")]
    #[inline]
    pub fn into_checked_body(self) -> Result<BodyVerifier, crate::BodyError> {
        self.checked_body()
    }

    #[cfg(feature = "checksums")]
    fn checked_body(&self) -> Result<BodyVerifier, crate::BodyError> {
        let completes = self.method() == "POST" && self.query().any(|p| p.name == "uploadId");
        let mut body = self.body();
        if !completes {
            self.demand_checksums(body.checks())?;
        }
        body.demand_trailers()?;
        body.check_whole(self.claim.binding);
        Ok(body)
    }

    /// Demands what the fields of the head say: the covered checksum, and `Content-MD5` even if it is
    /// not covered.
    #[cfg(feature = "checksums")]
    fn demand_checksums(&self, checks: &mut Checks) -> Result<(), crate::BodyError> {
        let fields = &self.claim.fields;
        // That there are several is said before any is read: the order in which they came says nothing.
        let mut named = None;
        for header in fields.all() {
            if let Some(algorithm) = ChecksumAlgorithm::of_field(header.name)
                && fields.covers(header)
                && named.replace((algorithm, header)).is_some()
            {
                return Err(crate::BodyError::ChecksumsMultiple);
            }
        }
        if let Some((algorithm, header)) = named {
            checks.field(algorithm, trim(header.value))?;
        }
        let is_md5 = |header: &&Header<'_>| header.name.eq_ignore_ascii_case("content-md5");
        let mut md5 = fields.all().iter().filter(is_md5);
        md5.try_for_each(|header| checks.content_md5(trim(header.value)))
    }

    /// The machine that verifies the body, whatever its mode. Checksums are not its business; with
    /// the feature `checksums`, `into_checked_body` checks them as well.
    #[inline]
    pub fn into_body(self) -> BodyVerifier {
        self.body()
    }

    fn body(&self) -> BodyVerifier {
        let ClaimedString { timestamp, scope, .. } = self.claim.string_to_sign;
        // Begun with the signature that was found good: a chain has no other seed.
        let seed = self.claim.presented_signature();
        let key = self.key.as_ref();
        let chain = key.map(|key| Chain::new(key.clone(), timestamp, &scope, seed));
        BodyVerifier::new(self.claim.binding, self.claim.announced_len, chain)
    }
}

/// A field that a signature covers.
///
/// ```
/// # use countersign::*;
/// # fn look(verified: &Verified<'_>) {
/// if let Some(range) = verified.header("range").and_then(|field| field.single()) {
///     println!("{} bytes of range", range.len());
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct SignedHeader<'s> {
    verified: &'s Claim<'s>,
    name: &'s str,
}

impl<'s> SignedHeader<'s> {
    /// The values in the order they came, without the blanks around them. They were signed as one
    /// line, joined with commas.
    pub fn values(&self) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let Self { verified, name } = *self;
        verified.fields.fields(name).map(|header| trim(header.value))
    }

    /// The value, if the field came once.
    #[must_use]
    pub fn single(&self) -> Option<&'s [u8]> {
        let mut values = self.values();
        let first = values.next();
        first.filter(|_| values.next().is_none())
    }

    /// The values joined with commas, as they were signed but for runs of spaces.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn joined(&self) -> alloc::vec::Vec<u8> {
        let mut joined = alloc::vec::Vec::new();
        for (nth, value) in self.values().enumerate() {
            if nth > 0 {
                joined.push(b',');
            }
            joined.extend_from_slice(value);
        }
        joined
    }
}

impl fmt::Debug for SignedHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("access_key_id", &self.access_key_id())
            .field("mechanism", &self.claim.mechanism)
            .field("content", &self.claim.content())
            .finish_non_exhaustive()
    }
}
