//! What can be wrong with a form, and with a policy that is to be signed. What a service answers is
//! in `error/` of the crate.

use core::fmt;

use super::field::PostField;
use super::form::Form;
use crate::credential::CredentialError;
use crate::verify::ReadError;

/// Why a form is refused. Always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// The claim that the form makes cannot be read, or is not for us.
    Read(ReadError),

    /// The body of the request is not `multipart/form-data`.
    NotMultipart,
    /// The body of the request is not well formed, or has no end.
    Malformed,
    /// A field has no name, or one with other characters than visible ASCII.
    FieldName,
    /// A field is no text.
    FieldText,
    /// A field stands twice.
    FieldRepeated,
    /// There are more than [`Form::MAX_FIELDS`] fields.
    TooManyFields,
    /// More than [`Form::MAX_LEN`] bytes stand before the file, or would after the name of the file
    /// has been put in.
    TooLong,
    /// There is no file.
    FileMissing,
    /// There are several files.
    FilesMultiple,
    /// There is a field after the file.
    FieldAfterFile,

    /// A field that a signed form must have is missing.
    FieldMissing(PostField<'static>),
    /// The field `bucket` names another bucket than the request.
    BucketConflict,
    /// `x-amz-algorithm` is not `AWS4-HMAC-SHA256`.
    AlgorithmUnsupported,

    /// The policy is not base64.
    PolicyBase64,
    /// The policy is not a JSON object, or one of its members stands twice.
    PolicyJson,
    /// The policy has a member that is neither `expiration` nor `conditions`.
    PolicyMember,
    /// The policy has no expiration.
    ExpirationMissing,
    /// The policy's expiration is not a time in UTC.
    ExpirationSyntax,
    /// The policy has no conditions.
    ConditionsMissing,
    /// The policy's conditions are no list.
    ConditionsSyntax,
    /// A condition is neither a list nor an object.
    ConditionSyntax,
    /// A condition that is an object has not one member.
    ConditionMembers,
    /// A condition's value is no text.
    ConditionValue,
    /// A condition that is a list does not begin with an operator.
    ConditionOperatorMissing,
    /// A condition has an operator that is not known.
    ConditionOperatorUnknown,
    /// A condition has not two operands.
    ConditionOperands(ConditionOperator),

    /// The policy has expired.
    Expired,
    /// A condition does not hold.
    ConditionFailed {
        /// Its place among the policy's conditions, from 0.
        nth: usize,
    },
    /// No condition names the bucket.
    BucketUncovered,
    /// No condition names a field that came.
    FieldUncovered {
        /// Its place among the form's fields, from 0.
        nth: usize,
    },
    /// The key is empty after the name of the file has been put in.
    KeyEmpty,
}

/// The operators of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConditionOperator {
    /// `eq`
    Equal,
    /// `starts-with`
    StartsWith,
    /// `content-length-range`
    ContentLengthRange,
}

impl ConditionOperator {
    /// The operator as a policy writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::StartsWith => "starts-with",
            Self::ContentLengthRange => "content-length-range",
        }
    }
}

/// Why a policy is not signed. Always the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The signer's service is not S3, nor one of its family.
    Service,
    /// The time lies on another day than the signer's scope.
    ScopeDate,
    /// The session token cannot stand in a form.
    Token(CredentialError),
    /// The bucket's name has characters that no bucket has, or none.
    Bucket,
    /// The policy would be over before it begins, or lives longer than seven days.
    Expiration,
    /// Nothing is said of the key: every object could be overwritten.
    KeyMissing,
    /// The key is empty.
    KeyEmpty,
    /// Two conditions are on one field, or on the length of the file.
    Repeated,
    /// The range of lengths ends before it begins.
    Range,
    /// A field's name is none.
    FieldName,
    /// A field is written by the signer, is the file, or is not looked at.
    ReservedField,
    /// A value has control characters, which a page would not send as they are.
    Value,
    /// A field is held to one value that has `${filename}` in it, which is no longer there when
    /// conditions are asked.
    Filename,
    /// Of this field AWS documents equality alone.
    ExactOnly,
    /// No item of a `Content-Type` list begins so: with a comma, which parts items, or a space before
    /// them, which is none of theirs.
    ContentType,
    /// A field of metadata cannot begin as all metadata has to.
    Metadata,
    /// Several checksums are demanded: a form with more than one is refused, as on S3.
    ChecksumsMultiple,
    /// The form could have more than [`Form::MAX_LEN`] bytes before its file, as browsers write it.
    TooLong,
}

impl From<ReadError> for FormError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(error) => return error.fmt(f),
            Self::NotMultipart => "the request is not multipart/form-data",
            Self::Malformed => "the form is not well formed",
            Self::FieldName => "a field has no good name",
            Self::FieldText => "a field is no text",
            Self::FieldRepeated => "a field is repeated",
            Self::TooManyFields => "there are too many fields",
            Self::TooLong => {
                return write!(f, "more than {} bytes stand before the file", Form::MAX_LEN);
            }
            Self::FileMissing => "there is no file",
            Self::FilesMultiple => "there are several files",
            Self::FieldAfterFile => "there is a field after the file",
            Self::FieldMissing(field) => return write!(f, "the field {field} is missing"),
            Self::BucketConflict => "the form names another bucket than the request",
            Self::AlgorithmUnsupported => "the algorithm is not supported",
            Self::PolicyBase64 => "the policy is not base64",
            Self::PolicyJson => "the policy is not the JSON of an object",
            Self::PolicyMember => "the policy has a member that is not known",
            Self::ExpirationMissing => "the policy has no expiration",
            Self::ExpirationSyntax => "the policy's expiration is not well formed",
            Self::ConditionsMissing => "the policy has no conditions",
            Self::ConditionsSyntax => "the policy's conditions are no list",
            Self::ConditionSyntax => "a condition is neither a list nor an object",
            Self::ConditionMembers => "a condition has not one member",
            Self::ConditionValue => "a condition's value is no text",
            Self::ConditionOperatorMissing => "a condition has no operator",
            Self::ConditionOperatorUnknown => "a condition's operator is not known",
            Self::ConditionOperands(operator) => {
                return write!(f, "{} has not two operands", operator.as_str());
            }
            Self::Expired => "the policy has expired",
            Self::ConditionFailed { .. } => "a condition of the policy does not hold",
            Self::BucketUncovered => "no condition names the bucket",
            Self::FieldUncovered { .. } => "no condition names a field that came",
            Self::KeyEmpty => "the key is empty",
        })
    }
}

impl core::error::Error for FormError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "the service takes no forms",
            Self::ScopeDate => "the time lies on another day than the scope",
            Self::Token(error) => return error.fmt(f),
            Self::Bucket => "the bucket's name is not one",
            Self::Expiration => "a policy lives up to seven days from now",
            Self::KeyMissing => "the policy says nothing of the key",
            Self::KeyEmpty => "the key is empty",
            Self::Repeated => "there are two conditions on one field",
            Self::Range => "the range of lengths ends before it begins",
            Self::FieldName => "a field has no good name",
            Self::ReservedField => "a field is not the issuer's to set",
            Self::Value => "a value has control characters",
            Self::Filename => "${filename} stands in a value that has to be equal",
            Self::ExactOnly => "only equality can be asked of this field",
            Self::ContentType => "no media type begins so",
            Self::Metadata => "a field of metadata cannot begin as all metadata has to",
            Self::ChecksumsMultiple => "several checksums are demanded",
            Self::TooLong => "the form is too long",
        })
    }
}

impl core::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            _ => None,
        }
    }
}
