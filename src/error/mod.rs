//! The umbrella error, and what an AWS service answers to each fault.
//!
//! The only place that knows service codes, HTTP statuses and message texts; the errors themselves
//! know what is wrong and nothing else. `answer.rs` is the table of codes, `hint.rs` adds texts and
//! elements that need the request (`form.rs` those of forms), `render.rs` [`render`] writes bodies.
//!
//! Amazon S3 API Reference, "Error responses"; AWS IAM User Guide, "Troubleshoot Signature Version
//! 4 requests"; AWS Query API "Common errors".

mod answer;
#[cfg(feature = "post-policy")]
mod form;
mod hint;
#[cfg(feature = "render")]
mod render;

use core::fmt;

use crate::body::BodyError;
#[cfg(feature = "post-policy")]
use crate::post::{FormError, PolicyError};
use crate::sign::SignError;
use crate::verify::{ReadError, VerifyError};

pub use hint::Hint;

/// Any error of this crate, for `?`.
///
/// ```
/// use countersign::{Error, Family, ReadError};
///
/// let error = Error::from(ReadError::Anonymous);
/// assert_eq!((error.code(Family::S3), error.status(Family::S3)), ("AccessDenied", 403));
/// assert_eq!(error.code(Family::Json), "MissingAuthenticationTokenException");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No claim could be read.
    Read(ReadError),
    /// The claim is not true.
    Verify(VerifyError),
    /// The body is refused.
    Body(BodyError),
    /// A request cannot be signed.
    Sign(SignError),
    /// A form is refused.
    #[cfg(feature = "post-policy")]
    Form(FormError),
    /// A policy is not signed.
    #[cfg(feature = "post-policy")]
    Policy(PolicyError),
}

/// The families of error answers.
///
/// ```
/// use countersign::{Dialect, Family};
///
/// assert_eq!(Family::of(Dialect::S3), Family::S3);
/// assert_eq!(Family::of(Dialect::Standard), Family::Query);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// S3's XML.
    S3,
    /// The XML of the Query protocol, as IAM and STS speak it.
    Query,
    /// JSON services: `__type` and `message`.
    Json,
}

impl Family {
    /// S3 for S3, Query for all others.
    #[must_use]
    pub const fn of(dialect: crate::Dialect) -> Self {
        match dialect {
            crate::Dialect::S3 => Self::S3,
            crate::Dialect::Standard => Self::Query,
        }
    }
}

impl Error {
    /// The service's name for this fault, for example `SignatureDoesNotMatch`.
    #[must_use]
    pub fn code(self, family: Family) -> &'static str {
        answer::of(self).of(family).0
    }

    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn status(self, family: Family) -> u16 {
        answer::of(self).of(family).1
    }

    /// What to answer. [`Hint::about`] adds what only the request can tell.
    #[must_use]
    pub const fn hint(self, family: Family) -> Hint<'static> {
        Hint::new(self, family)
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

#[cfg(feature = "post-policy")]
impl From<FormError> for Error {
    /// A claim in a form that cannot be read is the fault that it is in a head.
    fn from(error: FormError) -> Self {
        match error {
            FormError::Read(error) => Self::Read(error),
            error => Self::Form(error),
        }
    }
}

#[cfg(feature = "post-policy")]
impl From<PolicyError> for Error {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Verify(error) => error.fmt(f),
            Self::Body(error) => error.fmt(f),
            Self::Sign(error) => error.fmt(f),
            #[cfg(feature = "post-policy")]
            Self::Form(error) => error.fmt(f),
            #[cfg(feature = "post-policy")]
            Self::Policy(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Read(error) => error,
            Self::Verify(error) => error,
            Self::Body(error) => error,
            Self::Sign(error) => error,
            #[cfg(feature = "post-policy")]
            Self::Form(error) => error,
            #[cfg(feature = "post-policy")]
            Self::Policy(error) => error,
        })
    }
}
