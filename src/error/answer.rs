//! The table: fault, S3's code and status, the Query protocol's code and status.
//!
//! Where AWS documents no answer of its own the closest code is chosen.

use super::{Error, Family};
use crate::body::BodyError;
#[cfg(feature = "post-policy")]
use crate::post::FormError;
use crate::request::RequestError;
use crate::verify::{Mechanism, ReadError, VerifyError};

type Answer = (&'static str, u16);

pub(super) struct Answers {
    s3: Answer,
    query: Answer,
}

impl Answers {
    pub(super) fn of(&self, family: Family) -> Answer {
        match family {
            Family::S3 => self.s3,
            Family::Query => self.query,
            Family::Json => json(self.query),
        }
    }
}

const fn answers(s3: Answer, query: Answer) -> Answers {
    Answers { s3, query }
}

// S3, REST XML.
const ACCESS_DENIED: Answer = ("AccessDenied", 403);
const BAD_REQUEST: Answer = ("BadRequest", 400);
const HEADER_MALFORMED: Answer = ("AuthorizationHeaderMalformed", 400);
const INCOMPLETE_BODY: Answer = ("IncompleteBody", 400);
const INTERNAL_ERROR: Answer = ("InternalError", 500);
const INVALID_ACCESS_KEY: Answer = ("InvalidAccessKeyId", 403);
const INVALID_ARGUMENT: Answer = ("InvalidArgument", 400);
#[cfg(feature = "post-policy")]
const INVALID_POLICY: Answer = ("InvalidPolicyDocument", 400);
const INVALID_REQUEST: Answer = ("InvalidRequest", 400);
const INVALID_TOKEN: Answer = ("InvalidToken", 400);
const INVALID_URI: Answer = ("InvalidURI", 400);
const BAD_DIGEST: Answer = ("BadDigest", 400);
const ENTITY_TOO_LARGE: Answer = ("EntityTooLarge", 400);
const ENTITY_TOO_SMALL: Answer = ("EntityTooSmall", 400);
const INVALID_DIGEST: Answer = ("InvalidDigest", 400);
const CHUNK_SIZE: Answer = ("InvalidChunkSizeError", 403);
#[cfg(feature = "post-policy")]
const KEY_MISSING: Answer = ("UserKeyMustBeSpecified", 400);
#[cfg(feature = "post-policy")]
const MALFORMED_POST: Answer = ("MalformedPOSTRequest", 400);
const MALFORMED_TRAILER: Answer = ("MalformedTrailerError", 400);
const MISSING_LENGTH: Answer = ("MissingContentLength", 411);
#[cfg(feature = "post-policy")]
const NOT_A_FORM: Answer = ("PreconditionFailed", 412);
const NOT_IMPLEMENTED: Answer = ("NotImplemented", 501);
#[cfg(feature = "post-policy")]
const PRE_DATA_TOO_LONG: Answer = ("MaxPostPreDataLengthExceeded", 400);
const QUERY_PARAMETERS: Answer = ("AuthorizationQueryParametersError", 400);
const SECTION_TOO_LARGE: Answer = ("RequestHeaderSectionTooLarge", 400);
#[cfg(feature = "post-policy")]
const SEVERAL_FILES: Answer = ("IncorrectNumberOfFilesInPostRequest", 400);
const TOO_SKEWED: Answer = ("RequestTimeTooSkewed", 403);
const CONTENT_MISMATCH: Answer = ("XAmzContentSHA256Mismatch", 400);
// Both families.
const MISMATCH: Answer = ("SignatureDoesNotMatch", 403);
// The Query protocol.
const INCOMPLETE: Answer = ("IncompleteSignature", 400);
const INTERNAL_FAILURE: Answer = ("InternalFailure", 500);
const INVALID_CLIENT_TOKEN: Answer = ("InvalidClientTokenId", 403);
const MALFORMED_HTTP: Answer = ("MalformedHttpRequest", 400);
const MALFORMED_QUERY: Answer = ("MalformedQueryString", 400);
const MISSING_TOKEN: Answer = ("MissingAuthenticationToken", 403);

/// The JSON services' form of a Query answer.
fn json(query: Answer) -> Answer {
    let code = match query {
        INCOMPLETE => "IncompleteSignatureException",
        INVALID_CLIENT_TOKEN => "UnrecognizedClientException",
        MALFORMED_HTTP => "MalformedHttpRequestException",
        MALFORMED_QUERY => "MalformedQueryStringException",
        MISMATCH => "InvalidSignatureException",
        MISSING_TOKEN => "MissingAuthenticationTokenException",
        (code, _) => code,
    };
    (code, query.1)
}

pub(super) fn of(error: Error) -> Answers {
    match error {
        Error::Read(error) => read(error),
        Error::Verify(error) => verify(error),
        Error::Body(error) => body(error),
        #[cfg(feature = "post-policy")]
        Error::Form(error) => form(error),
        // The caller's own fault.
        Error::Sign(_) => answers(INTERNAL_ERROR, INTERNAL_FAILURE),
        #[cfg(feature = "post-policy")]
        Error::Policy(_) => answers(INTERNAL_ERROR, INTERNAL_FAILURE),
    }
}

fn read(error: ReadError) -> Answers {
    use ReadError as E;
    // The same fault has one name in a header and another in a query.
    let by = |mechanism| match mechanism {
        Mechanism::Header => HEADER_MALFORMED,
        Mechanism::Query => QUERY_PARAMETERS,
        Mechanism::Form => INVALID_ARGUMENT,
    };
    match error {
        E::Request(error) => request(error),
        E::ContentLengthSyntax => answers(BAD_REQUEST, MALFORMED_HTTP),
        E::Anonymous => answers(ACCESS_DENIED, MISSING_TOKEN),
        E::TwoMechanisms | E::AuthorizationRepeated => answers(INVALID_ARGUMENT, MISMATCH),
        E::SignatureV2 => answers(INVALID_REQUEST, INCOMPLETE),
        E::SignatureV4a(_) => answers(NOT_IMPLEMENTED, INCOMPLETE),
        E::FormNotSupported => answers(NOT_IMPLEMENTED, MISSING_TOKEN),
        E::AuthorizationSpace | E::AuthorizationType => answers(INVALID_ARGUMENT, INCOMPLETE),
        E::AuthorizationComponents
        | E::AuthorizationComponentSyntax
        | E::AuthorizationComponentMissing(_)
        | E::AuthorizationComponentRepeated => answers(HEADER_MALFORMED, INCOMPLETE),
        E::ParameterMissing | E::ParameterRepeated | E::ParameterAlias => {
            answers(QUERY_PARAMETERS, INCOMPLETE)
        }
        E::AlgorithmUnsupported => answers(QUERY_PARAMETERS, MISSING_TOKEN),
        E::CredentialSyntax(mechanism) | E::SignedHeadersSyntax(mechanism) => {
            answers(by(mechanism), INCOMPLETE)
        }
        E::CredentialDateSyntax(mechanism)
        | E::ScopeDate(mechanism)
        | E::ScopeRegion(mechanism)
        | E::ScopeService(mechanism)
        | E::ScopeTerminator(mechanism) => answers(by(mechanism), MISMATCH),
        E::SignatureSyntax | E::SignedHeaderMissing => answers(MISMATCH, MISMATCH),
        E::DateSyntax(Mechanism::Form) => answers(INVALID_ARGUMENT, INCOMPLETE),
        E::DateMissing | E::DateSyntax(Mechanism::Header) => answers(ACCESS_DENIED, INCOMPLETE),
        E::DateSyntax(Mechanism::Query)
        | E::ExpiresSyntax
        | E::ExpiresNegative
        | E::ExpiresZero
        | E::ExpiresTooLong => answers(QUERY_PARAMETERS, INCOMPLETE),
        E::ClockSkew => answers(TOO_SKEWED, MISMATCH),
        E::Expired
        | E::NotYetValid
        | E::HostNotSigned
        | E::HeadersNotSigned
        | E::UnsignedPayloadRefused => answers(ACCESS_DENIED, MISMATCH),
        E::SessionTokenConflict => answers(INVALID_REQUEST, INVALID_CLIENT_TOKEN),
        E::ContentMissing | E::ContentConflict | E::TrailerNames | E::TrailerUnexpected => {
            answers(INVALID_REQUEST, INCOMPLETE)
        }
        E::DecodedLengthMissing | E::DecodedLengthSyntax => answers(MISSING_LENGTH, MALFORMED_HTTP),
        E::ContentSyntax => answers(INVALID_ARGUMENT, INCOMPLETE),
        E::ContentUnknown => answers(INTERNAL_ERROR, INTERNAL_FAILURE),
        E::StreamingUnsupported => answers(NOT_IMPLEMENTED, INCOMPLETE),
    }
}

fn request(error: RequestError) -> Answers {
    use RequestError as E;
    match error {
        E::TargetSyntax => answers(INVALID_URI, MALFORMED_HTTP),
        E::EscapeSyntax => answers(INVALID_URI, MALFORMED_QUERY),
        E::TooManyParameters | E::TooManyHeaders | E::HeadTooLong => {
            answers(SECTION_TOO_LARGE, MALFORMED_HTTP)
        }
        E::MethodSyntax
        | E::HeaderSyntax
        | E::HeaderRepeated
        | E::HostMissing
        | E::HostConflict => answers(BAD_REQUEST, MALFORMED_HTTP),
    }
}

fn verify(error: VerifyError) -> Answers {
    use VerifyError as E;
    match error {
        E::SignatureMismatch => answers(MISMATCH, MISMATCH),
        E::SessionTokenMissing | E::UnknownAccessKey => {
            answers(INVALID_ACCESS_KEY, INVALID_CLIENT_TOKEN)
        }
        E::SessionTokenUnexpected | E::SessionTokenMismatch => {
            answers(INVALID_TOKEN, INVALID_CLIENT_TOKEN)
        }
    }
}

/// Forms are S3's alone.
#[cfg(feature = "post-policy")]
fn form(error: FormError) -> Answers {
    use FormError as E;
    let s3 = match error {
        E::Read(error) => return read(error),
        E::NotMultipart => NOT_A_FORM,
        E::Malformed | E::FieldName | E::FieldText | E::FieldRepeated | E::FieldAfterFile => {
            MALFORMED_POST
        }
        E::TooManyFields | E::TooLong => PRE_DATA_TOO_LONG,
        E::FilesMultiple => SEVERAL_FILES,
        E::FileMissing | E::FieldMissing(_) | E::BucketConflict | E::AlgorithmUnsupported => {
            INVALID_ARGUMENT
        }
        E::PolicyBase64
        | E::PolicyJson
        | E::PolicyMember
        | E::ExpirationMissing
        | E::ExpirationSyntax
        | E::ConditionsMissing
        | E::ConditionsSyntax
        | E::ConditionSyntax
        | E::ConditionMembers
        | E::ConditionValue
        | E::ConditionOperatorMissing
        | E::ConditionOperatorUnknown
        | E::ConditionOperands(_) => INVALID_POLICY,
        E::Expired | E::ConditionFailed { .. } | E::BucketUncovered | E::FieldUncovered { .. } => {
            ACCESS_DENIED
        }
        E::KeyEmpty => KEY_MISSING,
    };
    answers(s3, MALFORMED_HTTP)
}

fn body(error: BodyError) -> Answers {
    match error {
        BodyError::DigestMismatch { .. } => answers(CONTENT_MISMATCH, MISMATCH),
        BodyError::Length { .. }
        | BodyError::FrameSyntax
        | BodyError::Truncated
        | BodyError::AfterEnd
        | BodyError::TrailerSignatureMissing => answers(INCOMPLETE_BODY, MALFORMED_HTTP),
        BodyError::ChunkSize { .. } => answers(CHUNK_SIZE, MALFORMED_HTTP),
        BodyError::ChunkSignature | BodyError::TrailerSignature => answers(MISMATCH, MISMATCH),
        BodyError::TrailerSyntax
        | BodyError::TrailerUnannounced
        | BodyError::TrailerRepeated
        | BodyError::TrailerMissing => answers(MALFORMED_TRAILER, MALFORMED_HTTP),
        BodyError::ChecksumsMultiple | BodyError::ChecksumSyntax { .. } => {
            answers(INVALID_REQUEST, MALFORMED_HTTP)
        }
        BodyError::ChecksumMismatch { .. } | BodyError::ContentMd5Mismatch => {
            answers(BAD_DIGEST, MALFORMED_HTTP)
        }
        BodyError::ContentMd5Syntax => answers(INVALID_DIGEST, MALFORMED_HTTP),
        BodyError::FileTooLarge { .. } => answers(ENTITY_TOO_LARGE, MALFORMED_HTTP),
        BodyError::FileTooSmall { .. } => answers(ENTITY_TOO_SMALL, MALFORMED_HTTP),
        BodyError::Abandoned => answers(ENTITY_TOO_LARGE, MALFORMED_HTTP),
        BodyError::AlreadyWhole => answers(INTERNAL_ERROR, INTERNAL_FAILURE),
    }
}
