//! A form as it crossed the wire: its fields, and whether a file follows.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::FormError;
use super::field::is_name;
use crate::bytes;

/// The fields of a form, in the order they came, and the bucket that the request addresses.
///
/// ```
/// use countersign::{Form, FormError};
///
/// let mut form = Form::new("examplebucket"); // of the request's host or path, never of a field
/// form.push("key", "user/user1/${filename}")?;
/// assert_eq!(form.push("Key", "other"), Err(FormError::FieldRepeated));
/// form.file(Some("photo.jpg"))?;
/// assert_eq!(form.push("acl", "public-read"), Err(FormError::FieldAfterFile));
/// # Ok::<(), FormError>(())
/// ```
#[derive(Clone)]
pub struct Form {
    bucket: String,
    fields: Vec<FormField>,
    /// Bytes of names and values so far.
    len: usize,
    /// Places of the fields that every reading asks for.
    known: [Option<u16>; Known::COUNT],
    file: Option<File>,
}

/// The fields that every reading asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Key,
    Bucket,
    Policy,
    Algorithm,
    Credential,
    Date,
    Signature,
    SecurityToken,
    S3SessionToken,
    /// `AWSAccessKeyId` of Signature Version 2.
    Version2Name,
    /// `signature` of the same.
    Version2Signature,
}

impl Known {
    const COUNT: usize = Self::Version2Signature as usize + 1;

    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let is = |other: &str| bytes::lowers_to(name, other.as_bytes());
        // By length: no two of most have the same.
        match name.len() {
            3 if is("key") => Some(Self::Key),
            6 if is("bucket") => Some(Self::Bucket),
            6 if is("policy") => Some(Self::Policy),
            9 if is("signature") => Some(Self::Version2Signature),
            10 if is("x-amz-date") => Some(Self::Date),
            14 if is("awsaccesskeyid") => Some(Self::Version2Name),
            15 if is("x-amz-algorithm") => Some(Self::Algorithm),
            15 if is("x-amz-signature") => Some(Self::Signature),
            16 if is("x-amz-credential") => Some(Self::Credential),
            20 if is("x-amz-security-token") => Some(Self::SecurityToken),
            21 if is("x-amz-s3session-token") => Some(Self::S3SessionToken),
            _ => None,
        }
    }
}

/// A field of a form. Nothing is proven of it.
#[derive(Clone)]
pub struct FormField {
    name: String,
    value: String,
}

#[derive(Clone)]
struct File {
    name: Option<String>,
}

impl Form {
    /// How much may stand before the content of the file, in bytes: S3's limit.
    pub const MAX_LEN: usize = 20_480;

    /// How many fields a form may have. A field takes some fifty bytes of a body, so that more do
    /// not fit, or nearly so.
    pub const MAX_FIELDS: usize = 256;

    /// The longest boundary of a body, RFC 2046 section 5.1.1.
    pub(crate) const MAX_BOUNDARY: usize = 70;

    /// A form without fields, for the bucket that the request addresses: by its host or its path.
    /// A field `bucket` is no address. Taking it for one lets whoever fills the form in choose.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            fields: Vec::new(),
            len: 0,
            known: [None; Known::COUNT],
            file: None,
        }
    }

    /// Takes the next field.
    ///
    /// # Errors
    /// [`FormError`] if its name is none, was there before in any case, or follows the file; if there
    /// are too many, or they are too long.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), FormError> {
        let field = FormField { name: name.into(), value: value.into() };
        if self.file.is_some() {
            return Err(FormError::FieldAfterFile);
        }
        if !is_name(&field.name) || field.name.eq_ignore_ascii_case("file") {
            return Err(FormError::FieldName);
        }
        if self.get(&field.name).is_some() {
            return Err(FormError::FieldRepeated);
        }
        if self.fields.len() == Self::MAX_FIELDS {
            return Err(FormError::TooManyFields);
        }
        self.grow(field.name.len().saturating_add(field.value.len()))?;
        if let Some(known) = Known::of(field.name.as_bytes()) {
            // There are fewer than that.
            self.known[known as usize] = u16::try_from(self.fields.len()).ok();
        }
        self.fields.push(field);
        Ok(())
    }

    /// The file begins, under the name that its part has, if it has one. Nothing may follow it.
    ///
    /// # Errors
    /// [`FormError`] if there was one before, or its name is too long.
    pub fn file(&mut self, name: Option<&str>) -> Result<(), FormError> {
        if self.file.is_some() {
            return Err(FormError::FilesMultiple);
        }
        self.grow(name.map_or(0, str::len))?;
        self.file = Some(File { name: name.map(String::from) });
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), FormError> {
        let len = self.len.saturating_add(by);
        if len > Self::MAX_LEN {
            return Err(FormError::TooLong);
        }
        self.len = len;
        Ok(())
    }

    /// The bucket that the request addresses.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The fields, in the order they came.
    #[must_use]
    pub fn fields(&self) -> &[FormField] {
        &self.fields
    }

    /// The value of a field, under this name in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.as_str())
    }

    /// The name of the file, as its part has it: perhaps with a path.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_ref()?.name.as_deref()
    }

    /// Whether the file has begun.
    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The value of a field that every reading asks for.
    #[inline]
    pub(super) fn known(&self, known: Known) -> Option<&str> {
        let place = self.known[known as usize]?;
        self.fields.get(usize::from(place)).map(|field| field.value.as_str())
    }
}

impl FormField {
    /// The name, as it was spelled.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form")
            .field("bucket", &self.bucket)
            .field("fields", &self.fields)
            .field("file", &self.file_name())
            .finish()
    }
}

impl fmt::Debug for FormField {
    /// Shows the name alone: a value can be a session token, or a key of the object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormField").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::PostField;
    use super::{Form, Known};
    use alloc::string::ToString as _;

    #[test]
    fn known_fields_are_found_by_their_names() {
        let fields = [
            (PostField::Key, Known::Key),
            (PostField::Other("bucket"), Known::Bucket),
            (PostField::Policy, Known::Policy),
            (PostField::Algorithm, Known::Algorithm),
            (PostField::Credential, Known::Credential),
            (PostField::Date, Known::Date),
            (PostField::Signature, Known::Signature),
            (PostField::SecurityToken, Known::SecurityToken),
            (PostField::S3SessionToken, Known::S3SessionToken),
            (PostField::Other("AWSAccessKeyId"), Known::Version2Name),
            (PostField::Other("signature"), Known::Version2Signature),
        ];
        assert_eq!(fields.len(), Known::COUNT);
        let mut form = Form::new("b");
        form.push("acl", "private").expect("a field");
        for (field, known) in fields {
            let name = field.to_string().to_ascii_uppercase();
            assert_eq!(form.known(known), None);
            form.push(name, field.to_string()).expect("a field");
        }
        for (field, known) in fields {
            assert_eq!(form.known(known), Some(field.to_string().as_str()));
        }
    }
}
