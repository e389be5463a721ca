//! The names of form fields.

use core::fmt::{self, Write as _};

use crate::bytes::{self, Lanes, others};
use crate::credential::SessionTokenField;

/// A field of a form, by its documented name. Names are compared without regard to case.
///
/// ```
/// use countersign::PostField;
///
/// assert_eq!(PostField::ContentType.to_string(), "Content-Type");
/// assert_eq!(PostField::Meta("uuid").to_string(), "x-amz-meta-uuid");
/// assert!(PostField::Meta("uuid").is("X-Amz-Meta-UUID"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostField<'a> {
    /// `key`: the name of the object.
    Key,
    /// `acl`
    Acl,
    /// `Cache-Control`
    CacheControl,
    /// `Content-Type` of the object.
    ContentType,
    /// `Content-Disposition`
    ContentDisposition,
    /// `Content-Encoding`
    ContentEncoding,
    /// `Expires`
    Expires,
    /// `success_action_redirect`: where the browser goes afterwards.
    SuccessActionRedirect,
    /// `success_action_status`: 200, 201 or 204.
    SuccessActionStatus,
    /// `tagging`: the tags of the object, in XML.
    Tagging,
    /// `x-amz-storage-class`
    StorageClass,
    /// `x-amz-website-redirect-location`
    WebsiteRedirectLocation,
    /// `x-amz-server-side-encryption`
    ServerSideEncryption,
    /// `x-amz-server-side-encryption-aws-kms-key-id`
    ServerSideEncryptionKeyId,
    /// `x-amz-server-side-encryption-context`
    ServerSideEncryptionContext,
    /// `x-amz-server-side-encryption-bucket-key-enabled`
    ServerSideEncryptionBucketKey,
    /// `x-amz-server-side-encryption-customer-algorithm`
    CustomerAlgorithm,
    /// `x-amz-server-side-encryption-customer-key`
    CustomerKey,
    /// `x-amz-server-side-encryption-customer-key-MD5`
    CustomerKeyMd5,
    /// `x-amz-checksum-algorithm`
    ChecksumAlgorithm,
    /// `x-amz-checksum-` and the algorithm, for example `crc32`.
    Checksum(&'a str),
    /// `x-amz-object-lock-mode`
    ObjectLockMode,
    /// `x-amz-object-lock-retain-until-date`
    ObjectLockRetainUntilDate,
    /// `x-amz-object-lock-legal-hold`
    ObjectLockLegalHold,
    /// `x-amz-meta-` and a name of the issuer's.
    Meta(&'a str),
    /// A field that is not listed here.
    Other(&'a str),

    /// `policy`: the policy in base64, which is what is signed.
    Policy,
    /// `x-amz-algorithm`
    Algorithm,
    /// `x-amz-credential`
    Credential,
    /// `x-amz-date`
    Date,
    /// `x-amz-security-token`
    SecurityToken,
    /// `x-amz-s3session-token`, the token of S3 Express.
    S3SessionToken,
    /// `x-amz-signature`
    Signature,
}

/// The stem of the fields for metadata.
pub(super) const META: &str = "x-amz-meta-";
/// The stem of the fields for checksums.
const CHECKSUM: &str = "x-amz-checksum-";
/// The stem of the fields that nobody looks at.
const IGNORED: &str = "x-ignore-";

impl<'a> PostField<'a> {
    /// The fields in which a form makes its claim, but for the session token.
    pub(super) const CLAIM: [Self; 5] =
        [Self::Policy, Self::Algorithm, Self::Credential, Self::Date, Self::Signature];

    /// The name in two parts, the second of which is the issuer's.
    #[inline]
    pub(super) const fn parts(self) -> (&'static str, &'a str) {
        let fixed = match self {
            Self::Key => "key",
            Self::Acl => "acl",
            Self::CacheControl => "Cache-Control",
            Self::ContentType => "Content-Type",
            Self::ContentDisposition => "Content-Disposition",
            Self::ContentEncoding => "Content-Encoding",
            Self::Expires => "Expires",
            Self::SuccessActionRedirect => "success_action_redirect",
            Self::SuccessActionStatus => "success_action_status",
            Self::Tagging => "tagging",
            Self::StorageClass => "x-amz-storage-class",
            Self::WebsiteRedirectLocation => "x-amz-website-redirect-location",
            Self::ServerSideEncryption => "x-amz-server-side-encryption",
            Self::ServerSideEncryptionKeyId => "x-amz-server-side-encryption-aws-kms-key-id",
            Self::ServerSideEncryptionContext => "x-amz-server-side-encryption-context",
            Self::ServerSideEncryptionBucketKey => {
                "x-amz-server-side-encryption-bucket-key-enabled"
            }
            Self::CustomerAlgorithm => "x-amz-server-side-encryption-customer-algorithm",
            Self::CustomerKey => "x-amz-server-side-encryption-customer-key",
            Self::CustomerKeyMd5 => "x-amz-server-side-encryption-customer-key-MD5",
            Self::ChecksumAlgorithm => "x-amz-checksum-algorithm",
            Self::Checksum(algorithm) => return (CHECKSUM, algorithm),
            Self::ObjectLockMode => "x-amz-object-lock-mode",
            Self::ObjectLockRetainUntilDate => "x-amz-object-lock-retain-until-date",
            Self::ObjectLockLegalHold => "x-amz-object-lock-legal-hold",
            Self::Meta(name) => return (META, name),
            Self::Other(name) => return ("", name),
            Self::Policy => "policy",
            Self::Algorithm => "x-amz-algorithm",
            Self::Credential => "x-amz-credential",
            Self::Date => "x-amz-date",
            Self::SecurityToken => SessionTokenField::Security.field(),
            Self::S3SessionToken => SessionTokenField::S3Session.field(),
            Self::Signature => "x-amz-signature",
        };
        (fixed, "")
    }

    /// Whether this is the field's name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let (stem, rest) = self.parts();
        let found = name.split_at_checked(stem.len());
        found.is_some_and(|(a, b)| a.eq_ignore_ascii_case(stem) && b.eq_ignore_ascii_case(rest))
    }

    /// The field that carries a service's session tokens.
    pub(super) fn of_token(token: SessionTokenField) -> Self {
        match token {
            SessionTokenField::Security => Self::SecurityToken,
            SessionTokenField::S3Session => Self::S3SessionToken,
        }
    }

    /// The name, if it is in one piece.
    pub(super) fn as_str(self) -> Option<&'a str> {
        match self.parts() {
            (stem, "") => Some(stem),
            ("", rest) => Some(rest),
            _ => None,
        }
    }

    /// Whether the name can stand in a form: what is the issuer's of it, for the rest can.
    #[inline]
    pub(super) fn is_name(self) -> bool {
        let (stem, rest) = self.parts();
        (!stem.is_empty() || !rest.is_empty()) && is_in_name(rest)
    }

    /// Length of the name in bytes.
    pub(super) const fn len(self) -> usize {
        let (stem, rest) = self.parts();
        stem.len() + rest.len()
    }

    pub(super) fn each_byte(self) -> impl Iterator<Item = u8> {
        let (stem, rest) = self.parts();
        stem.bytes().chain(rest.bytes())
    }
}

/// Whether a name begins with this stem, which is in lower case, in any case.
#[inline]
pub(super) fn has_stem(name: impl AsRef<[u8]>, stem: &str) -> bool {
    let found = name.as_ref().get(..stem.len());
    found.is_some_and(|found| bytes::lowers_to(found, stem.as_bytes()))
}

/// Whether a field needs no condition: it is the claim itself, nobody looks at it, or it belongs to
/// a claim of Signature Version 2 that is not made.
pub(super) fn is_exempt(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    let is = |exempt: &str| bytes::lowers_to(name, exempt.as_bytes());
    let exempt = ["x-amz-signature", "policy", "file", "awsaccesskeyid", "signature"];
    exempt.into_iter().any(is) || has_stem(name, IGNORED)
}

/// Whether AWS documents no other condition than equality for a field.
pub(super) fn is_exact_only(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    let exact = ["bucket", "success_action_status"];
    exact.into_iter().any(|exact| bytes::lowers_to(name, exact.as_bytes()))
        || has_stem(name, "x-amz-") && !has_stem(name, META)
}

/// Whether a field has a checksum of the file, of whatever algorithm, and is not about checksums.
pub(super) fn is_checksum(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    let about = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
    has_stem(name, CHECKSUM)
        && !about.into_iter().any(|about| bytes::lowers_to(name, about.as_bytes()))
}

/// Whether a name can stand in a form: visible ASCII, no quotes.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && is_in_name(name)
}

/// Whether a text, perhaps an empty one, can be a part of a name.
#[inline]
fn is_in_name(part: &str) -> bool {
    let quote = |lanes: Lanes| lanes.is(b'"') | lanes.is(b'\\');
    bytes::none(part.as_bytes(), |lanes| others(lanes.is_in(b'!', b'~')) | quote(lanes))
}

impl fmt::Display for PostField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stem, rest) = self.parts();
        if rest.is_empty() {
            return f.pad(stem);
        }
        f.write_str(stem)?;
        rest.chars().try_for_each(|character| f.write_char(character))
    }
}

#[cfg(test)]
mod tests {
    use super::{PostField, has_stem, is_checksum, is_exact_only, is_exempt, is_name};

    #[test]
    fn names_are_compared_without_regard_to_case() {
        assert!(PostField::ContentType.is("content-type"));
        assert!(PostField::Meta("a").is("X-AMZ-META-A"));
        for other in ["x-amz-meta-", "x-amz-meta-aa", "x-amz-meta_a", "", "\u{e9}-amz-meta-a"] {
            assert!(!PostField::Meta("a").is(other), "{other}");
        }
        assert!(!PostField::Key.is("keys") && !PostField::Key.is("ke"));
        assert!(has_stem("X-Amz-Meta-", "x-amz-meta-") && !has_stem("x-amz-meta", "x-amz-meta-"));
    }

    #[test]
    fn what_needs_no_condition() {
        for name in ["policy", "X-Amz-Signature", "x-ignore-a", "X-Ignore-", "AWSAccessKeyId"] {
            assert!(is_exempt(name), "{name}");
        }
        for name in ["x-amz-credential", "x-amz-security-token", "xignore-a", "key", "x-ignore"] {
            assert!(!is_exempt(name), "{name}");
        }
        assert!(is_exact_only("x-amz-storage-class") && is_exact_only("Bucket"));
        assert!(!is_exact_only("x-amz-meta-a") && !is_exact_only("key"));
        for name in ["x-amz-checksum-crc32", "X-Amz-Checksum-SHA256", "x-amz-checksum-types"] {
            assert!(is_checksum(name), "{name}");
        }
        for name in ["x-amz-checksum-algorithm", "X-Amz-Checksum-Type", "x-amz-meta-crc32"] {
            assert!(!is_checksum(name), "{name}");
        }
        assert!(is_name("x-amz-meta-a") && !is_name(""));
        for other in ["a b", "a\"", "a\\", "\u{e9}", "a\n", "\u{7f}"] {
            assert!(!is_name(other) && !PostField::Meta(other).is_name(), "{other:?}");
            assert!(!PostField::Other(other).is_name() && !PostField::Checksum(other).is_name());
        }
        assert!(!PostField::Other("").is_name() && PostField::Other("a").is_name());
        assert!(PostField::Meta("").is_name() && PostField::Key.is_name());
    }
}
