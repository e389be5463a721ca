//! Names and secrets: who signs, with what, for which day, region and service.
//!
//! Nothing here knows how a credential is written in a header or a query; the two grammars are in
//! `verify/`. Secrets print as `[redacted]` and cannot be compared.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": credential scope.

use core::fmt;
use core::str;

use crate::bounded::Bounded;
use crate::bytes::{self, Lanes, Marks, others};
use crate::crypto;
use crate::time::Date;

/// The last part of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";

/// The public name of a key, 1 to [`AccessKeyId::MAX_LEN`] visible ASCII characters.
///
/// It is a small value of its own, free of the request it was read from, so that it can be carried
/// to wherever keys are looked up.
///
/// ```
/// use countersign::AccessKeyId;
///
/// let id = AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?;
/// assert_eq!(id.as_str(), "AKIAIOSFODNN7EXAMPLE");
/// assert!(AccessKeyId::new("").is_err());
/// # Ok::<(), countersign::CredentialError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessKeyId {
    text: Bounded<u8, { Self::MAX_LEN }>,
}

/// A secret access key. It borrows: where the secret lives, and when it is wiped, is the caller's
/// to decide.
///
/// ```
/// use countersign::SecretKey;
///
/// let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
/// assert_eq!(format!("{secret:?}"), "SecretKey([redacted])");
/// # Ok::<(), countersign::CredentialError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SecretKey<'a>(&'a str);

/// The token that goes with temporary credentials; opaque, visible ASCII.
///
/// ```
/// use countersign::SessionToken;
///
/// let token = SessionToken::new("IQoJb3JpZ2luX2VjE/+8=")?;
/// assert_eq!(format!("{token:?}"), "SessionToken([redacted])");
/// # Ok::<(), countersign::CredentialError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SessionToken<'a>(&'a str);

/// When the session token joins the request.
///
/// ```
/// use countersign::{SessionTokenRule, Verifier};
///
/// let rules = Verifier::service("service", "us-east-1").session_token(SessionTokenRule::AfterSigning);
/// # let _ = rules;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTokenRule {
    /// The token is part of what is signed: S3 and nearly every other service.
    Signed,
    /// The token is added after signing and is not covered: IoT's MQTT over WebSocket and a few
    /// more.
    AfterSigning,
}

/// Which field, or parameter of a presigned URL, carries the session token.
///
/// ```
/// use countersign::{CredentialScope, Credentials, SessionTokenField, SignError, Signer};
///
/// /// What asks S3 Express for a session is signed for it, with a role's credentials.
/// fn asks_for_a_session<'a>(
///     role: &Credentials<'a>,
///     scope: CredentialScope<'a>,
/// ) -> Result<Signer<'a>, SignError> {
///     Ok(Signer::new(role, scope)?.session_token_field(SessionTokenField::Security))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTokenField {
    /// `x-amz-security-token`: all temporary credentials of IAM.
    Security,
    /// `x-amz-s3session-token`: session credentials of S3 Express, which `CreateSession` issues.
    S3Session,
}

/// What a signer needs to know of itself.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The name that goes with every signature.
    pub access_key_id: AccessKeyId,
    /// The secret that signing keys are derived from.
    pub secret_key: SecretKey<'a>,
    /// The token of temporary credentials, which is sent and, as a rule, signed.
    pub session_token: Option<SessionToken<'a>>,
}

/// The day, region and service that a signing key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CredentialScope<'a> {
    /// The day of the requests to sign, UTC.
    pub date: Date,
    /// The region as the service spells it, for example `us-east-1`.
    pub region: &'a str,
    /// The service's signing name, for example `s3`.
    pub service: &'a str,
}

/// Why a text cannot be part of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// It is empty.
    Empty,
    /// It is longer than the named limit of its type.
    TooLong,
    /// It holds a character that cannot stand at its place: a blank, a control character, a
    /// separator, or one beyond ASCII.
    Character,
}

impl AccessKeyId {
    /// The longest access key id, in bytes: the limit of AWS's IAM API.
    pub const MAX_LEN: usize = 128;

    /// Checks and copies the name.
    ///
    /// # Errors
    /// [`CredentialError`] if it is empty, too long, or has a character other than visible ASCII,
    /// or a comma.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, CredentialError> {
        let text = text.as_ref();
        Self::check(text)?;
        Ok(Self::of_checked(text))
    }

    /// Copies a name that was checked, to where the caller wants it: never inlined, lest it is moved.
    #[inline(never)]
    pub(crate) fn of_checked(text: &[u8]) -> Self {
        let mut copy = Self { text: Bounded::filled_with(0) };
        // There is room: that was checked too.
        let _ = copy.text.extend(text);
        copy
    }

    /// As [`of_checked`](Self::of_checked), byte by byte.
    pub(crate) fn of_checked_bytes(bytes: impl Iterator<Item = u8>) -> Self {
        let mut copy = Self { text: Bounded::filled_with(0) };
        for byte in bytes {
            let _ = copy.text.push(byte);
        }
        copy
    }

    /// Whether this is a name.
    #[inline]
    pub(crate) fn check(text: &[u8]) -> Result<(), CredentialError> {
        check(text, |lanes| lanes.is(b','))?;
        if text.len() > Self::MAX_LEN { Err(CredentialError::TooLong) } else { Ok(()) }
    }

    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_slice()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.text.as_slice()).unwrap_or_default()
    }
}

impl<'a> SecretKey<'a> {
    /// Takes any secret but the empty one, which would let everybody sign.
    ///
    /// # Errors
    /// [`CredentialError::Empty`].
    pub fn new(secret: &'a str) -> Result<Self, CredentialError> {
        if secret.is_empty() { Err(CredentialError::Empty) } else { Ok(Self(secret)) }
    }

    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_bytes()
    }

    #[cfg(feature = "tower")]
    pub(crate) const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> SessionToken<'a> {
    /// Takes a token as the issuer wrote it.
    ///
    /// # Errors
    /// [`CredentialError`] if it is empty or has a character other than visible ASCII.
    pub fn new(token: &'a str) -> Result<Self, CredentialError> {
        check(token.as_bytes(), |_| Marks::NONE)?;
        Ok(Self(token))
    }

    pub(crate) const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether `presented` is this token. The time depends on the two lengths alone.
    pub(crate) fn matches(&self, presented: impl Iterator<Item = u8> + Clone) -> bool {
        // Digests of equal length are compared: tokens have any length, and the one that was
        // presented may still be percent-encoded.
        let mut hash = crypto::Sha256::new();
        for byte in presented {
            hash.update(&[byte]);
        }
        crypto::constant_time_eq(&hash.finish(), &crypto::Sha256::digest(self.0.as_bytes()))
    }
}

impl SessionTokenField {
    pub(crate) fn of_service(service: &str) -> Self {
        if service == "s3express" { Self::S3Session } else { Self::Security }
    }

    #[inline(always)]
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Security => "x-amz-security-token",
            Self::S3Session => "x-amz-s3session-token",
        }
    }
}

impl SessionTokenRule {
    /// The rule of a service: after signing for `iotdevicegateway`, signed for all others.
    pub(crate) const fn of_service(service: &str) -> Self {
        match service.as_bytes() {
            b"iotdevicegateway" => Self::AfterSigning,
            _ => Self::Signed,
        }
    }
}

impl CredentialScope<'_> {
    /// Whether region and service can stand in a scope.
    pub(crate) fn check(&self) -> Result<(), CredentialError> {
        for part in [self.region, self.service] {
            check(part.as_bytes(), |lanes| lanes.is(b'/') | lanes.is(b','))?;
        }
        Ok(())
    }

    /// Hands over the scope in pieces that follow each other: `date/region/service/aws4_request`.
    #[inline(always)]
    pub(crate) fn each_piece(&self, mut each: impl FnMut(&[u8])) {
        each(self.date.as_bytes());
        each(b"/");
        each(self.region.as_bytes());
        each(b"/");
        each(self.service.as_bytes());
        each(b"/aws4_request");
    }
}

/// Whether a text holds visible ASCII characters alone, and none that is `forbidden`.
#[inline(always)]
fn check(text: &[u8], forbidden: impl Fn(Lanes) -> Marks) -> Result<(), CredentialError> {
    if text.is_empty() {
        return Err(CredentialError::Empty);
    }
    let bad = |lanes: Lanes| others(lanes.is_in(b'!', b'~')) | forbidden(lanes);
    if bytes::none(text, bad) { Ok(()) } else { Err(CredentialError::Character) }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKeyId({self})")
    }
}

impl fmt::Debug for SecretKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

impl fmt::Debug for SessionToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken([redacted])")
    }
}

impl fmt::Display for CredentialScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a part of a credential is empty",
            Self::TooLong => "a part of a credential is too long",
            Self::Character => "a part of a credential has a character that cannot stand there",
        })
    }
}

impl core::error::Error for CredentialError {}
