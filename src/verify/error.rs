//! What can be wrong with a claim. What a service answers to it is in `error.rs` of the crate.

use core::fmt;

use crate::request::{LengthError, RequestError};

/// Where a request carries its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// In the `Authorization` field.
    Header,
    /// In the query: a presigned URL.
    Query,
    /// In the fields of a POST form.
    Form,
}

/// A part of the `Authorization` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Component {
    /// `Credential=`
    Credential,
    /// `SignedHeaders=`
    SignedHeaders,
    /// `Signature=`
    Signature,
}

/// Why no claim could be read. Always the peer's fault, but for
/// [`ContentUnknown`](Self::ContentUnknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadError {
    /// The request head cannot be read.
    Request(RequestError),
    /// `Content-Length` is no number, or stands beside `Transfer-Encoding`.
    ContentLengthSyntax,

    /// The request makes no claim: it is anonymous.
    Anonymous,
    /// Both the `Authorization` field and the query make a claim.
    TwoMechanisms,
    /// There are several `Authorization` fields.
    AuthorizationRepeated,
    /// The request is signed with Signature Version 2.
    SignatureV2,
    /// The request is signed with Signature Version 4a (ECDSA).
    SignatureV4a(Mechanism),
    /// The request makes its claim in a POST form, which `Verifier::read_form` reads (feature
    /// `post-policy`); or a form is read for a service that takes none.
    FormNotSupported,

    /// `Authorization` is not an algorithm and, after one blank, its components.
    AuthorizationSpace,
    /// `Authorization` has a scheme that is not `AWS4-HMAC-SHA256`.
    AuthorizationType,
    /// `Authorization` has not three components.
    AuthorizationComponents,
    /// A component of `Authorization` has no `=`.
    AuthorizationComponentSyntax,
    /// A component of `Authorization` is missing.
    AuthorizationComponentMissing(Component),
    /// A component of `Authorization` stands twice.
    AuthorizationComponentRepeated,

    /// The query makes a claim, but a parameter of it is missing.
    ParameterMissing,
    /// A parameter of the claim stands twice.
    ParameterRepeated,
    /// A parameter of the claim is spelled in another case or with escapes.
    ParameterAlias,
    /// `X-Amz-Algorithm` is not `AWS4-HMAC-SHA256`.
    AlgorithmUnsupported,

    /// The credential is not `name/date/region/service/aws4_request`.
    CredentialSyntax(Mechanism),
    /// The credential's date is not a day written `YYYYMMDD`.
    CredentialDateSyntax(Mechanism),
    /// The signed headers are not lower-case names, sorted, each once.
    SignedHeadersSyntax(Mechanism),
    /// The signature is not 64 lower-case hexadecimal digits.
    SignatureSyntax,

    /// The request has no date.
    DateMissing,
    /// The request's date is not a time in the form the protocol asks for.
    DateSyntax(Mechanism),
    /// `X-Amz-Expires` is not a whole number.
    ExpiresSyntax,
    /// `X-Amz-Expires` is negative.
    ExpiresNegative,
    /// `X-Amz-Expires` is zero.
    ExpiresZero,
    /// `X-Amz-Expires` is longer than allowed.
    ExpiresTooLong,

    /// The credential is for another day than the request.
    ScopeDate(Mechanism),
    /// The credential is for another region.
    ScopeRegion(Mechanism),
    /// The credential is for another service.
    ScopeService(Mechanism),
    /// The credential does not end in `aws4_request`.
    ScopeTerminator(Mechanism),

    /// The request's time is further from ours than allowed.
    ClockSkew,
    /// The presigned URL has expired.
    Expired,
    /// The presigned URL lies further in the future than clocks may differ.
    NotYetValid,

    /// There are several session tokens, or one where none belongs.
    SessionTokenConflict,

    /// The request does not say what its body is, and must.
    ContentMissing,
    /// `x-amz-content-sha256` is neither a digest nor one of the words.
    ContentSyntax,
    /// Field and parameter say different things of the body.
    ContentConflict,
    /// The body's digest is signed but not sent: [`read_whole`](crate::Verifier::read_whole) has to
    /// be used. The caller's mistake.
    ContentUnknown,
    /// The body is streamed in a way that is not verified: with SigV4a, as events, behind a presigned
    /// URL, or outside S3.
    StreamingUnsupported,
    /// The body is streamed, and `x-amz-decoded-content-length` is missing.
    DecodedLengthMissing,
    /// `x-amz-decoded-content-length` is no number.
    DecodedLengthSyntax,
    /// `x-amz-trailer` names something that cannot be a trailer.
    TrailerNames,
    /// `x-amz-trailer` stands where no trailers can come.
    TrailerUnexpected,
    /// The signature does not cover the body, and the rules ask for it.
    UnsignedPayloadRefused,

    /// `host` is not signed.
    HostNotSigned,
    /// A field that must be signed is not.
    HeadersNotSigned,
    /// A field that is said to be signed is not there.
    SignedHeaderMissing,
}

/// Why a claim is not true.
///
/// Neither the signature that was expected nor where the two differ is known to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not the key's for this request.
    SignatureMismatch,
    /// The key is a temporary one, and its session token did not come along.
    SessionTokenMissing,
    /// A session token came along, and the key is not a temporary one.
    SessionTokenUnexpected,
    /// Another session token came along than the key's.
    SessionTokenMismatch,
    /// There is no such key; the caller found none.
    UnknownAccessKey,
}

impl From<RequestError> for ReadError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<LengthError> for ReadError {
    fn from(error: LengthError) -> Self {
        match error {
            LengthError::Request(error) => Self::Request(error),
            LengthError::Syntax => Self::ContentLengthSyntax,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(error) => return error.fmt(f),
            Self::ContentLengthSyntax => "the length of the body is not clear",
            Self::Anonymous => "the request is not signed",
            Self::TwoMechanisms => "the request makes two claims",
            Self::AuthorizationRepeated => "there are several authorization fields",
            Self::SignatureV2 => "signature version 2 is not supported",
            Self::SignatureV4a(_) => "signature version 4a is not supported",
            Self::FormNotSupported => "POST forms are not read here",
            Self::AuthorizationSpace => {
                "the authorization field has not one blank after its scheme"
            }
            Self::AuthorizationType => "the authorization scheme is not supported",
            Self::AuthorizationComponents => "the authorization field has not three components",
            Self::AuthorizationComponentSyntax => "an authorization component has no equals sign",
            Self::AuthorizationComponentMissing(_) => "an authorization component is missing",
            Self::AuthorizationComponentRepeated => "an authorization component is repeated",
            Self::ParameterMissing => "a parameter of the presigned query is missing",
            Self::ParameterRepeated => "a parameter of the presigned query is repeated",
            Self::ParameterAlias => "a parameter of the presigned query is spelled in another way",
            Self::AlgorithmUnsupported => "the algorithm is not supported",
            Self::CredentialSyntax(_) => "the credential is not well formed",
            Self::CredentialDateSyntax(_) => "the credential's date is not well formed",
            Self::SignedHeadersSyntax(_) => "the list of signed headers is not well formed",
            Self::SignatureSyntax => "the signature is not well formed",
            Self::DateMissing => "the request has no date",
            Self::DateSyntax(_) => "the request's date is not well formed",
            Self::ExpiresSyntax => "the expiry is not a number",
            Self::ExpiresNegative => "the expiry is negative",
            Self::ExpiresZero => "the expiry is zero",
            Self::ExpiresTooLong => "the expiry is too long",
            Self::ScopeDate(_) => "the credential is for another day",
            Self::ScopeRegion(_) => "the credential is for another region",
            Self::ScopeService(_) => "the credential is for another service",
            Self::ScopeTerminator(_) => "the credential has a wrong terminator",
            Self::ClockSkew => "the request's time is too far from ours",
            Self::Expired => "the presigned request has expired",
            Self::NotYetValid => "the presigned request is not yet valid",
            Self::SessionTokenConflict => "there is a session token too many",
            Self::ContentMissing => "x-amz-content-sha256 is missing",
            Self::ContentSyntax => "x-amz-content-sha256 is not well formed",
            Self::ContentConflict => "x-amz-content-sha256 is given twice and differs",
            Self::ContentUnknown => "the digest of the body is not sent",
            Self::StreamingUnsupported => "this way of streaming a body is not supported",
            Self::DecodedLengthMissing => "x-amz-decoded-content-length is missing",
            Self::DecodedLengthSyntax => "x-amz-decoded-content-length is no number",
            Self::TrailerNames => "x-amz-trailer names what cannot be a trailer",
            Self::TrailerUnexpected => "x-amz-trailer stands where no trailers can come",
            Self::UnsignedPayloadRefused => "the body is not covered by the signature",
            Self::HostNotSigned => "the host is not signed",
            Self::HeadersNotSigned => "a header that must be signed is not",
            Self::SignedHeaderMissing => "a signed header is not there",
        })
    }
}

impl core::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignatureMismatch => "the signature does not match",
            Self::SessionTokenMissing => "the session token is missing",
            Self::SessionTokenUnexpected => "there is a session token, but the key has none",
            Self::SessionTokenMismatch => "the session token is not the key's",
            Self::UnknownAccessKey => "the access key is not known",
        })
    }
}

impl core::error::Error for VerifyError {}
