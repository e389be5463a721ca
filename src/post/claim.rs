//! What a form says of itself, and with a key what of it is proven: that somebody signed its policy.

use core::fmt;

use super::checked::CheckedForm;
use super::error::FormError;
use super::field::PostField;
use super::form::{Form, Known};
use crate::canonical::{ALGORITHM, Dialect};
use crate::credential::{AccessKeyId, CredentialScope, SessionToken, SessionTokenField};
use crate::signature::{Signature, SigningKey};
use crate::time::Timestamp;
use crate::verify::{
    ClaimedCredential, ClaimedSessionToken, Mechanism, ReadError, Verifier, VerifyError, settle,
};

const MECHANISM: Mechanism = Mechanism::Form;

/// What a form says about itself; nothing here is proven, and the policy has not been looked into.
///
/// It is made by [`Verifier::read_form`] alone, and it shows nothing that was posted:
///
/// ```compile_fail,E0599
/// fn who(claim: countersign::FormClaim<'_>) -> countersign::AccessKeyId { claim.access_key_id() }
/// ```
///
/// ```compile_fail,E0599
/// fn skip(claim: countersign::FormClaim<'_>, now: countersign::Timestamp) { claim.check(now); }
/// ```
///
/// ```compile_fail,E0277
/// fn forge() -> countersign::FormClaim<'static> { Default::default() }
/// ```
///
/// It is used up by verifying it, well or not:
///
/// ```compile_fail,E0382
/// fn twice(claim: countersign::FormClaim<'_>, a: &countersign::SigningKey) {
///     let _ = claim.verify(a);
///     let _ = claim.verify(a);
/// }
/// ```
#[must_use = "a claim proves nothing until it is verified"]
pub struct FormClaim<'f> {
    form: &'f Form,
    access_key_id: AccessKeyId,
    timestamp: Timestamp,
    scope: CredentialScope<'f>,
    token: Option<ClaimedSessionToken<'f>>,
    signature: Signature,
    policy: &'f str,
}

/// A form whose policy is signed by the key's holder. Whether the form holds to it is not known yet.
///
/// It is made by [`FormClaim::verify`] and [`FormClaim::verify_session`] alone, and shows nothing of
/// what was posted before [`check`](Self::check):
///
/// ```compile_fail,E0451
/// fn forge(claim: countersign::FormClaim<'_>) -> countersign::VerifiedForm<'_> {
///     countersign::VerifiedForm { claim }
/// }
/// ```
///
/// ```compile_fail,E0599
/// fn key<'f>(form: countersign::VerifiedForm<'f>) -> &'f str { form.key() }
/// ```
///
/// ```compile_fail,E0599
/// fn body(form: countersign::VerifiedForm<'_>) -> countersign::BodyVerifier { form.into_body() }
/// ```
#[must_use = "the policy's conditions have not been asked yet"]
pub struct VerifiedForm<'f> {
    claim: FormClaim<'f>,
}

impl<'p> Verifier<'p> {
    /// Reads the claim that a form makes.
    ///
    /// The request that the form came with may make no other claim:
    /// [`attempted`](Verifier::attempted) gives [`Mechanism::Form`] for such a one. The time is not
    /// asked before [`VerifiedForm::check`]: a form is good until its policy expires, however long ago
    /// it was signed.
    ///
    /// ```
    /// # use countersign::*;
    /// # fn serve(form: &Form, key: &SigningKey, now: Timestamp) -> Result<(), Error> {
    /// let claim = Verifier::s3("us-east-1").read_form(form)?;        // nothing proven yet
    /// let name = claim.claimed_access_key_id();                      // to look a key up by
    /// # let _ = name;
    /// let checked = claim.verify(key)?.check(now)?;                  // signed, and held to
    /// println!("{} posts {}", checked.access_key_id(), checked.key());
    /// let machine = checked.into_body();                             // for the file
    /// # let _ = machine; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`FormError`] for whatever can be refused without a key; `Read(ReadError::Anonymous)` if the
    /// form makes no claim.
    pub fn read_form<'f>(&self, form: &'f Form) -> Result<FormClaim<'f>, FormError>
    where
        'p: 'f,
    {
        if self.dialect() != Dialect::S3 {
            return Err(ReadError::FormNotSupported.into());
        }
        self.check_claims(form)?;
        if form.known(Known::Bucket).is_some_and(|bucket| bucket != form.bucket()) {
            return Err(FormError::BucketConflict);
        }
        let find = |known, field| form.known(known).ok_or(FormError::FieldMissing(field));
        find(Known::Key, PostField::Key)?;
        let policy = find(Known::Policy, PostField::Policy)?;
        let algorithm = find(Known::Algorithm, PostField::Algorithm)?;
        let credential = find(Known::Credential, PostField::Credential)?;
        let date = find(Known::Date, PostField::Date)?;
        let signature = find(Known::Signature, PostField::Signature)?;
        if !form.has_file() {
            return Err(FormError::FileMissing);
        }
        match algorithm {
            ALGORITHM => {}
            "AWS4-ECDSA-P256-SHA256" => return Err(ReadError::SignatureV4a(MECHANISM).into()),
            _ => return Err(FormError::AlgorithmUnsupported),
        }
        let timestamp = Timestamp::parse(date).map_err(|_| ReadError::DateSyntax(MECHANISM))?;
        let credential = ClaimedCredential::parse(credential, MECHANISM, timestamp)?;
        self.check_scope(&credential, MECHANISM, timestamp)?;
        let signature = Signature::parse(signature.as_bytes());
        let signature = signature.ok_or(ReadError::SignatureSyntax)?;
        let token = self.form_token(form)?;
        let access_key_id = credential.access_key_id();
        let scope =
            CredentialScope { date: credential.date, region: self.region, service: self.service };
        Ok(FormClaim { form, access_key_id, timestamp, scope, token, signature, policy })
    }

    /// One claim, of the version that is understood. A lone name of Signature Version 2 claims
    /// nothing.
    fn check_claims(&self, form: &Form) -> Result<(), ReadError> {
        let has = |known: &Known| form.known(*known).is_some();
        let ours = [Known::Algorithm, Known::Credential, Known::Date, Known::Signature];
        let ours = ours.iter().any(has);
        // A policy or a token alone may belong to either version.
        let either = [Known::Policy, Known::SecurityToken, Known::S3SessionToken];
        let any = ours || either.iter().any(has);
        let signature = form.known(Known::Version2Signature);
        let name = form.known(Known::Version2Name);
        match (ours, any, name.or(signature), signature) {
            (true, _, _, Some(_)) => Err(ReadError::TwoMechanisms),
            (true, ..) => Ok(()),
            (false, _, Some(_), _) => Err(ReadError::SignatureV2),
            (false, true, None, _) => Ok(()),
            (false, false, None, _) => Err(ReadError::Anonymous),
        }
    }

    fn form_token<'f>(&self, form: &'f Form) -> Result<Option<ClaimedSessionToken<'f>>, ReadError> {
        let express = SessionTokenField::of_service(self.service) == SessionTokenField::S3Session;
        let security = form.known(Known::SecurityToken);
        let s3_session = form.known(Known::S3SessionToken);
        match (security, s3_session) {
            (None, None) => Ok(None),
            (Some(token), None) => Ok(Some(ClaimedSessionToken::in_field(token.as_bytes()))),
            (None, Some(token)) if express => {
                Ok(Some(ClaimedSessionToken::in_field(token.as_bytes())))
            }
            _ => Err(ReadError::SessionTokenConflict),
        }
    }
}

impl<'f> FormClaim<'f> {
    /// The name to look a key up by, and nothing more.
    #[must_use]
    pub fn claimed_access_key_id(&self) -> AccessKeyId {
        self.access_key_id
    }

    /// The scope to derive that key for.
    #[must_use]
    pub fn scope(&self) -> CredentialScope<'f> {
        self.scope
    }

    /// The session token that came along. A key found by it must be checked with
    /// [`verify_session`](Self::verify_session).
    #[must_use]
    pub fn session_token(&self) -> Option<ClaimedSessionToken<'f>> {
        self.token
    }

    /// When the form says that its policy was signed.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// What should have been signed, for an error page: the policy as it came.
    #[must_use]
    pub fn string_to_sign(&self) -> &'f str {
        self.policy
    }

    /// The signature that came along.
    pub(crate) fn presented_signature(&self) -> Signature {
        self.signature
    }

    /// Checks the signature in constant time with the key of a long-lived credential. The only way
    /// to a [`VerifiedForm`], with [`verify_session`](Self::verify_session).
    ///
    /// # Errors
    /// [`VerifyError::SessionTokenUnexpected`] if a session token came along; else
    /// [`VerifyError::SignatureMismatch`].
    pub fn verify(self, key: &SigningKey) -> Result<VerifiedForm<'f>, VerifyError> {
        settle(self.matches(key), self.token, None)?;
        Ok(VerifiedForm { claim: self })
    }

    /// Checks the signature in constant time with the key of a temporary credential, and that its
    /// session token came along.
    ///
    /// # Errors
    /// [`VerifyError::SessionTokenMissing`] or [`VerifyError::SessionTokenMismatch`]; else
    /// [`VerifyError::SignatureMismatch`].
    pub fn verify_session(
        self,
        key: &SigningKey,
        expected: SessionToken<'_>,
    ) -> Result<VerifiedForm<'f>, VerifyError> {
        settle(self.matches(key), self.token, Some(expected))?;
        Ok(VerifiedForm { claim: self })
    }

    /// Refuses a form for whose name there is no key, after the work that a wrong signature takes.
    /// See [`Claim::refuse_unknown_key`](crate::Claim::refuse_unknown_key).
    #[must_use = "the form is refused only when this is answered"]
    pub fn refuse_unknown_key(self, decoy: &SigningKey) -> VerifyError {
        let _ = core::hint::black_box(self.matches(decoy));
        VerifyError::UnknownAccessKey
    }

    fn matches(&self, key: &SigningKey) -> bool {
        key.sign(self.policy.as_bytes()).matches(&self.signature)
    }
}

impl<'f> VerifiedForm<'f> {
    /// Who signed the policy.
    #[must_use]
    pub fn access_key_id(&self) -> AccessKeyId {
        self.claim.access_key_id
    }

    /// For which day, region and service.
    #[must_use]
    pub fn scope(&self) -> CredentialScope<'f> {
        self.claim.scope
    }

    /// When, by the signer's clock.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.claim.timestamp
    }

    /// Decodes the policy, and asks whether it is still good and the form holds to it: each
    /// condition, and that there is one for each field. The only way to a [`CheckedForm`].
    ///
    /// `${filename}` is put in before. What the policy says of the length of the file is kept for
    /// the machine that takes it.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn check(self, now: Timestamp) -> Result<CheckedForm<'f>, FormError> {
        let FormClaim { form, policy, .. } = self.claim;
        CheckedForm::new(self, form, policy, now)
    }
}

impl fmt::Debug for FormClaim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormClaim")
            .field("claimed_access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedForm")
            .field("access_key_id", &self.claim.access_key_id)
            .finish_non_exhaustive()
    }
}
