//! A form that holds to its policy, and what may be done with it.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use super::action::SuccessAction;
use super::claim::VerifiedForm;
use super::error::FormError;
use super::field::{META, PostField, has_stem, is_exempt};
use super::form::Form;
use super::policy::{Condition, PolicyText};
use crate::body::BodyVerifier;
use crate::credential::{AccessKeyId, CredentialScope};
use crate::time::Timestamp;

/// What stands for the name of the file.
pub(super) const FILENAME: &str = "${filename}";

/// A form whose policy is signed, still good, and held to. What it shows is covered by a condition of
/// the policy, with the name of the file put in where it was asked for.
///
/// It is made by [`VerifiedForm::check`] alone:
///
/// ```compile_fail,E0451
/// fn forge(form: countersign::VerifiedForm<'_>) -> countersign::CheckedForm<'_> {
///     countersign::CheckedForm { verified: form, values: unreachable!() }
/// }
/// ```
///
/// Its file is taken once:
///
/// ```compile_fail,E0382
/// fn twice(form: countersign::CheckedForm<'_>) {
///     let first = form.into_body();
///     let second = form.into_body();
/// }
/// ```
#[must_use = "the file is still unverified"]
pub struct CheckedForm<'f> {
    verified: VerifiedForm<'f>,
    form: &'f Form,
    /// Of each field of the form.
    values: Vec<Cow<'f, str>>,
    expiration: Timestamp,
    lengths: RangeInclusive<u64>,
}

impl<'f> CheckedForm<'f> {
    /// The proof's only constructor; its only caller is `VerifiedForm`.
    pub(super) fn new(
        verified: VerifiedForm<'f>,
        form: &'f Form,
        policy: &'f str,
        now: Timestamp,
    ) -> Result<Self, FormError> {
        let text = PolicyText::of(policy)?;
        let policy = text.read().map_err(|fault| fault.error)?;
        if policy.expiration <= now {
            return Err(FormError::Expired);
        }
        let values = expand(form)?;
        let fields = Fields { form, values: &values };
        let mut lengths = 0..=u64::MAX;
        for (nth, condition) in policy.conditions.iter().enumerate() {
            let holds = match condition {
                Condition::ContentLengthRange { min, max } => match (min.number(), max.number()) {
                    (Some(min), Some(max)) => {
                        let (low, high) = lengths.into_inner();
                        lengths = low.max(min)..=high.min(max);
                        !lengths.is_empty()
                    }
                    _ => false,
                },
                other => fields.hold(other),
            };
            if !holds {
                return Err(FormError::ConditionFailed { nth });
            }
        }
        let covered = |name: &str| {
            policy.conditions.iter().any(|condition| {
                let field = condition.field();
                field.is_some_and(|field| field.eq_ignore_ascii_case(name))
                    || is_stem(condition) && has_stem(name, META)
            })
        };
        if !covered("bucket") {
            return Err(FormError::BucketUncovered);
        }
        for (nth, field) in form.fields().iter().enumerate() {
            if !is_exempt(field.name()) && !covered(field.name()) {
                return Err(FormError::FieldUncovered { nth });
            }
        }
        let checked = Self { verified, form, values, expiration: policy.expiration, lengths };
        if checked.key().is_empty() { Err(FormError::KeyEmpty) } else { Ok(checked) }
    }

    /// Who signed the policy.
    #[must_use]
    pub fn access_key_id(&self) -> AccessKeyId {
        self.verified.access_key_id()
    }

    /// For which day, region and service.
    #[must_use]
    pub fn scope(&self) -> CredentialScope<'f> {
        self.verified.scope()
    }

    /// When, by the signer's clock.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.verified.timestamp()
    }

    /// Until when the policy is good.
    #[must_use]
    pub fn expiration(&self) -> Timestamp {
        self.expiration
    }

    /// The bucket: that of the request, and of the policy.
    #[must_use]
    pub fn bucket(&self) -> &'f str {
        self.form.bucket()
    }

    /// The key of the object. It is not empty.
    #[must_use]
    pub fn key(&self) -> &str {
        self.get(PostField::Key).unwrap_or_default()
    }

    /// The value of a field, if it came.
    #[must_use]
    pub fn get(&self, field: PostField<'_>) -> Option<&str> {
        self.fields().find(|(name, _)| field.is(name)).map(|(_, value)| value)
    }

    /// The metadata: names behind `x-amz-meta-`, as they were spelled, and values.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let meta = self.fields().filter(|(name, _)| has_stem(name, META));
        meta.map(|(name, value)| (name.get(META.len()..).unwrap_or_default(), value))
    }

    /// All fields that a condition covers, as they were spelled, and their values, in the order they
    /// came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.form.fields().iter().zip(&self.values);
        let covered = fields.filter(|(field, _)| !is_exempt(field.name()));
        covered.map(|(field, value)| (field.name(), value.as_ref()))
    }

    /// How many bytes the file may have.
    #[must_use]
    pub fn content_length_range(&self) -> RangeInclusive<u64> {
        self.lengths.clone()
    }

    /// What the page is answered when the file is stored.
    #[must_use]
    pub fn success_action(&self) -> SuccessAction {
        SuccessAction::of(self)
    }

    /// The machine that takes the file: it refuses the first byte that is too many, and an end that
    /// comes too early. Checksums are not its business; with the feature `checksums`,
    /// `into_checked_body` checks them as well.
    ///
    /// The signature covers the policy and not the file:
    /// [`VerifiedBody::is_signed`](crate::VerifiedBody::is_signed) is false.
    pub fn into_body(self) -> BodyVerifier {
        BodyVerifier::of_file(self.lengths)
    }

    /// The machine that takes the file and checks the checksums that came with it: the one
    /// `x-amz-checksum-*` field and `Content-MD5`. Algorithms that are not known are passed over.
    ///
    /// # Errors
    /// [`BodyError`](crate::BodyError) if a checksum is malformed, or there are several.
    #[cfg(feature = "checksums")]
    pub fn into_checked_body(self) -> Result<BodyVerifier, crate::BodyError> {
        let mut body = BodyVerifier::of_file(self.content_length_range());
        for (name, value) in self.fields() {
            if let Some(algorithm) = crate::checksum::ChecksumAlgorithm::of_field(name) {
                body.checks().field(algorithm, value.as_bytes())?;
            } else if name.eq_ignore_ascii_case("content-md5") {
                body.checks().content_md5(value.as_bytes())?;
            }
        }
        Ok(body)
    }
}

/// The fields of a form with their final values, for conditions to look at.
struct Fields<'c, 'f> {
    form: &'f Form,
    values: &'c [Cow<'f, str>],
}

impl Fields<'_, '_> {
    fn get(&self, name: &str) -> Option<&str> {
        if name.eq_ignore_ascii_case("bucket") {
            // Whatever a field says.
            return Some(self.form.bucket());
        }
        let mut fields = self.form.fields().iter().zip(self.values);
        let found = fields.find(|(field, _)| field.name().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// Whether a condition on a field holds. One on a field that did not come does not.
    fn hold(&self, condition: &Condition<'_>) -> bool {
        if is_stem(condition) {
            let mut meta = self.form.fields().iter().zip(self.values);
            return meta
                .all(|(field, value)| !has_stem(field.name(), META) || begins(condition, value));
        }
        let Some(name) = condition.field() else { return false };
        let Some(found) = self.get(name) else { return false };
        match condition {
            Condition::Equal { value, .. } => found == value,
            // A list of media types; each of them has to begin so.
            _ if PostField::ContentType.is(name) => {
                found.split(',').all(|item| begins(condition, item.trim_matches([' ', '\t'])))
            }
            _ => begins(condition, found),
        }
    }
}

/// Whether a condition speaks of all metadata.
fn is_stem(condition: &Condition<'_>) -> bool {
    let stem = condition.field().is_some_and(|field| field.eq_ignore_ascii_case(META));
    stem && matches!(condition, Condition::StartsWith { .. })
}

fn begins(condition: &Condition<'_>, value: &str) -> bool {
    match condition {
        Condition::StartsWith { prefix, .. } => value.starts_with(prefix.as_ref()),
        _ => false,
    }
}

/// The values, with the name of the file put in. Those of the claim stay as they were signed.
fn expand(form: &Form) -> Result<Vec<Cow<'_, str>>, FormError> {
    // A browser may send a path.
    let name = form.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default());
    let mut len = 0_usize;
    let expand = |field: &'_ super::form::FormField| {
        let claim = PostField::CLAIM.iter().any(|claim| claim.is(field.name()));
        let count = match name {
            Some(_) if !claim => field.value().matches(FILENAME).count(),
            _ => 0,
        };
        // A short field could ask for a long name many times.
        len = len
            .saturating_add(field.name().len() + field.value().len())
            .saturating_add(count.saturating_mul(name.map_or(0, str::len)));
        if len > Form::MAX_LEN {
            return Err(FormError::TooLong);
        }
        Ok(count > 0)
    };
    let asked: Vec<bool> = form.fields().iter().map(expand).collect::<Result<_, _>>()?;
    let values = form.fields().iter().zip(asked).map(|(field, asked)| match name {
        Some(name) if asked => Cow::Owned(field.value().replace(FILENAME, name)),
        _ => Cow::Borrowed(field.value()),
    });
    Ok(values.collect())
}

impl fmt::Debug for CheckedForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedForm")
            .field("access_key_id", &self.access_key_id())
            .field("bucket", &self.bucket())
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
