//! Texts and elements of answers to forms. Operands are taken from the form, which is read again.

use core::fmt::{self, Display};

use super::hint::{Each, Hex, Hint};
use crate::post::{Form, FormError, PolicyText, PostField};
use crate::verify::{Mechanism, ReadError, Verifier, VerifyError};

/// The form that a hint speaks of.
#[derive(Clone, Copy)]
pub(super) struct AboutForm<'a> {
    pub(super) rules: &'a Verifier<'a>,
    form: &'a Form,
}

const MALFORMED: &str = "The body of your POST request is not well-formed multipart/form-data.";
const ONE_FILE: &str = "POST requires exactly one file upload per request.";
const ENCLOSURE: &str = "Bucket POST must be of the enclosure-type multipart/form-data";
const PRECONDITION: &str = "At least one of the pre-conditions you specified did not hold";
const TOO_LARGE: &str = "Your POST request fields preceding the upload file were too large.";
const NO_KEY: &str = "The bucket POST must contain the specified field name. If it is specified, \
    please check the order of the fields.";
const OTHER_BUCKET: &str = "The bucket of the form is not the bucket of the request.";
const ALGORITHMS: &str = "Only AWS4-HMAC-SHA256 is supported";
/// As S3 spells it.
pub(super) const DATE_FORM: &str = "X-Amz-Date must be formated via ISO8601 Long format";

impl<'a> Hint<'a> {
    /// The same hint with what only the form can tell: the condition that failed, the field that is
    /// not covered, the region expected, the string to sign.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn refuse(error: FormError, rules: &Verifier<'_>, form: &Form) {
    /// let hint = Error::from(error).hint(Family::S3).about_form(rules, form);
    /// println!("{} {}: {}", hint.status(), hint.code(), hint.message());
    /// # }
    /// ```
    #[must_use]
    pub fn about_form<'b>(self, rules: &'b Verifier<'b>, form: &'b Form) -> Hint<'b> {
        self.of_form(AboutForm { rules, form })
    }
}

/// The message for a form that is refused.
pub(super) fn put(
    error: FormError,
    about: Option<AboutForm<'_>>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    use FormError as E;
    let blamed = || about.and_then(|about| about.blamed()).unwrap_or_default();
    let policy = |text: &str, f: &mut fmt::Formatter<'_>| write!(f, "Invalid Policy: {text}");
    match error {
        // Turned into a `ReadError` before.
        E::Read(error) => error.fmt(f),
        E::NotMultipart => f.write_str(PRECONDITION),
        E::Malformed | E::FieldName | E::FieldText | E::FieldRepeated | E::FieldAfterFile => {
            f.write_str(MALFORMED)
        }
        E::TooManyFields | E::TooLong => f.write_str(TOO_LARGE),
        E::FileMissing | E::FilesMultiple => f.write_str(ONE_FILE),
        E::FieldMissing(field) => write!(
            f,
            "Bucket POST must contain a field named '{}'.  If it is specified, please check the \
             order of the fields.",
            Documented(field),
        ),
        E::BucketConflict => f.write_str(OTHER_BUCKET),
        E::AlgorithmUnsupported => f.write_str(ALGORITHMS),
        E::PolicyBase64 => policy("Invalid Base64 encoding.", f),
        E::PolicyJson => policy("Invalid JSON.", f),
        E::PolicyMember => write!(f, "Invalid Policy: Unexpected: \"{}\"", blamed()),
        E::ExpirationMissing => policy("Policy missing expiration.", f),
        E::ExpirationSyntax => {
            write!(f, "Invalid Policy: Invalid 'expiration' value: '{}'", blamed())
        }
        E::ConditionsMissing => policy("Policy missing conditions.", f),
        E::ConditionsSyntax => policy("Invalid 'conditions' value: must be a List.", f),
        E::ConditionSyntax => policy("Invalid condition: must be a List or Object.", f),
        E::ConditionMembers => policy(
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
            f,
        ),
        E::ConditionValue => policy("Invalid Simple-Condition: value must be a string.", f),
        E::ConditionOperatorMissing => {
            policy("Invalid Condition: missing operation identifier.", f)
        }
        E::ConditionOperatorUnknown => {
            write!(f, "Invalid Policy: Invalid Condition: unknown operation '{}'.", blamed())
        }
        E::ConditionOperands(operator) => {
            write!(f, "Invalid Policy: Invalid {}: wrong number of arguments.", operator.as_str())
        }
        E::Expired => f.write_str("Invalid according to Policy: Policy expired."),
        E::ConditionFailed { nth } => {
            f.write_str("Invalid according to Policy: Policy Condition failed")?;
            let text = about.and_then(|about| about.policy());
            let policy = text.as_ref().and_then(|text| text.read().ok());
            match policy.as_ref().and_then(|policy| policy.condition(nth)) {
                Some(condition) => write!(f, ": {condition}"),
                None => Ok(()),
            }
        }
        E::BucketUncovered => {
            f.write_str("Invalid according to Policy: Extra input fields: bucket")
        }
        E::FieldUncovered { nth } => {
            f.write_str("Invalid according to Policy: Extra input fields")?;
            match about.and_then(|about| about.form.fields().get(nth)) {
                Some(field) => write!(f, ": {}", field.name()),
                None => Ok(()),
            }
        }
        E::KeyEmpty => f.write_str(NO_KEY),
    }
}

/// The extra elements for a form that is refused.
pub(super) fn elements(error: FormError, about: Option<AboutForm<'_>>, each: Each<'_>) {
    use FormError as E;
    match error {
        E::NotMultipart => each("Condition", &ENCLOSURE),
        E::TooManyFields | E::TooLong => each("MaxPostPreDataLengthBytes", &Form::MAX_LEN),
        E::FileMissing => {
            each("ArgumentName", &"file");
            each("ArgumentValue", &0);
        }
        E::FieldMissing(field) => each("ArgumentName", &Documented(field)),
        E::AlgorithmUnsupported => argument(PostField::Algorithm, about, each),
        E::BucketConflict => argument(PostField::Other("bucket"), about, each),
        _ => {}
    }
}

fn argument(field: PostField<'static>, about: Option<AboutForm<'_>>, each: Each<'_>) {
    each("ArgumentName", &Documented(field));
    if let Some(value) = about.and_then(|about| about.value(field)) {
        each("ArgumentValue", &value);
    }
}

impl<'a> AboutForm<'a> {
    fn value(&self, field: PostField<'_>) -> Option<&'a str> {
        let field = self.form.fields().iter().find(|other| field.is(other.name()));
        field.map(|field| field.value())
    }

    fn policy(&self) -> Option<PolicyText> {
        PolicyText::of(self.value(PostField::Policy)?).ok()
    }

    /// What of the policy is to blame.
    fn blamed(&self) -> Option<alloc::string::String> {
        self.policy()?.read().err().map(|fault| fault.text)
    }

    /// The credential, well formed or not.
    pub(super) fn credential_text(&self) -> Option<&'a str> {
        self.value(PostField::Credential)
    }

    pub(super) fn read_elements(&self, error: ReadError, each: Each<'_>) {
        use ReadError as E;
        match error {
            E::CredentialSyntax(Mechanism::Form)
            | E::CredentialDateSyntax(Mechanism::Form)
            | E::ScopeDate(Mechanism::Form)
            | E::ScopeService(Mechanism::Form)
            | E::ScopeTerminator(Mechanism::Form) => {
                argument(PostField::Credential, Some(*self), each);
            }
            E::ScopeRegion(Mechanism::Form) => {
                argument(PostField::Credential, Some(*self), each);
                each("Region", &self.rules.region);
            }
            E::DateSyntax(Mechanism::Form) => argument(PostField::Date, Some(*self), each),
            _ => {}
        }
    }

    pub(super) fn verify_elements(&self, error: VerifyError, each: Each<'_>) {
        let Ok(claim) = self.rules.read_form(self.form) else { return };
        match error {
            VerifyError::SignatureMismatch => {
                let text = claim.string_to_sign();
                each("AWSAccessKeyId", &claim.claimed_access_key_id());
                each("StringToSign", &text);
                each("SignatureProvided", &claim.presented_signature());
                each("StringToSignBytes", &Hex(&|each| each(text.as_bytes())));
            }
            VerifyError::SessionTokenMissing | VerifyError::UnknownAccessKey => {
                each("AWSAccessKeyId", &claim.claimed_access_key_id());
            }
            VerifyError::SessionTokenUnexpected | VerifyError::SessionTokenMismatch => {}
        }
    }
}

/// The name of a field as answers spell it.
struct Documented(PostField<'static>);

impl Display for Documented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            PostField::Algorithm => "X-Amz-Algorithm",
            PostField::Credential => "X-Amz-Credential",
            PostField::Date => "X-Amz-Date",
            PostField::Signature => "X-Amz-Signature",
            other => return other.fmt(f),
        })
    }
}
