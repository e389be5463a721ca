//! Issuing: from a policy and a credential to the fields of a form.
//!
//! The mirror of reading. The policy is written by a JSON library, so that no value can add a
//! condition.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;

use super::action::SuccessStatus;
use super::checked::FILENAME;
use super::error::PolicyError;
use super::field::{META, PostField, has_stem, is_checksum, is_exact_only, is_exempt};
use super::form::{Form, Known};
use super::json::Writer;
use crate::base64::Encoder;
use crate::bytes::{self, Lanes, others};
use crate::canonical::{ALGORITHM, Dialect, Pieces, Sink};
use crate::credential::{AccessKeyId, CredentialScope, SessionToken, SessionTokenField};
use crate::sign::Signer;
use crate::signature::Signature;
use crate::time::Timestamp;

/// The longest life of a policy that is signed, in seconds: that of a presigned URL.
const MAX_LIFE: u64 = 7 * 24 * 60 * 60;

/// How long a policy is good if nothing is said, in seconds.
const DEFAULT_LIFE: u64 = 10 * 60;

/// What somebody may post to a bucket, and until when.
///
/// Something has to be said of the key. Whatever else a page may send has to be allowed here: a
/// field without a condition is refused. Bucket, credential, date and token are added where it is
/// signed.
///
/// ```
/// use countersign::{
///     AccessKeyId, CredentialScope, Credentials, PostField, PostPolicy, SecretKey, Signer, Timestamp,
/// };
///
/// let now = Timestamp::parse("20151229T000000Z")?;
/// let credentials = Credentials {
///     access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
///     secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
///     session_token: None,
/// };
/// let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
/// let signer = Signer::new(&credentials, scope)?;
///
/// let policy = PostPolicy::new("sigv4examplebucket")
///     .starts_with(PostField::Key, "user/user1/") // the page sends the name of the file behind it
///     .equal(PostField::Acl, "private")
///     .starts_with(PostField::ContentType, "image/")
///     .content_length_range(1, 10 * 1024 * 1024);
/// let form = signer.sign_form(&policy, now)?;
/// println!("POST to {}", form.path_style_url("https://s3.us-east-1.amazonaws.com"));
/// for (name, value) in form.fields() {
///     println!("{name}: {value}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a policy is nothing until it is signed"]
pub struct PostPolicy<'p> {
    bucket: &'p str,
    conditions: Vec<Condition<'p>>,
    /// What is wrong with the first of the conditions that is.
    fault: Option<PolicyError>,
    /// The condition on all metadata.
    stem: Option<Condition<'p>>,
    lengths: Option<(u64, u64)>,
    /// Whether the lengths were set more than once.
    lengths_repeated: bool,
    life: Life,
}

#[derive(Clone, Copy)]
struct Condition<'p> {
    field: PostField<'p>,
    demand: Demand<'p>,
    /// Whether the field is the key, however it is spelled.
    is_key: bool,
}

#[derive(Clone, Copy)]
enum Demand<'p> {
    Equal(&'p str),
    StartsWith(&'p str),
}

#[derive(Clone, Copy, Debug)]
enum Life {
    For(Duration),
    Until(Timestamp),
}

impl<'p> PostPolicy<'p> {
    /// A policy for one bucket, good for ten minutes from when it is signed.
    pub fn new(bucket: &'p str) -> Self {
        Self {
            bucket,
            conditions: Vec::new(),
            fault: None,
            stem: None,
            lengths: None,
            lengths_repeated: false,
            life: Life::For(Duration::from_secs(DEFAULT_LIFE)),
        }
    }

    /// Demands a value, and puts it into the form.
    pub fn equal(self, field: PostField<'p>, value: &'p str) -> Self {
        self.with(field, Demand::Equal(value))
    }

    /// Demands a beginning; the empty one allows any value. The page has to send the field, be it
    /// empty; it is one of [`SignedForm::open_fields`]. But for the key: the form has the beginning
    /// and `${filename}` for it.
    ///
    /// A prefix for all metadata: `PostField::Meta("")`. A `Content-Type` can be a list, parted by
    /// commas, whose items all have to begin so.
    pub fn starts_with(self, field: PostField<'p>, prefix: &'p str) -> Self {
        self.with(field, Demand::StartsWith(prefix))
    }

    /// Demands a length of the file in bytes, both ends included.
    pub fn content_length_range(mut self, min: u64, max: u64) -> Self {
        self.lengths_repeated = self.lengths.replace((min, max)).is_some();
        self
    }

    /// Demands a status for success, and puts it into the form.
    pub fn success_action_status(self, status: SuccessStatus) -> Self {
        self.equal(PostField::SuccessActionStatus, status.as_str())
    }

    /// Sets how long the policy is good from when it is signed; whole seconds. Default: ten minutes.
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.life = Life::For(life);
        self
    }

    /// Sets until when the policy is good.
    pub fn expires_at(mut self, end: Timestamp) -> Self {
        self.life = Life::Until(end);
        self
    }

    fn with(mut self, field: PostField<'p>, demand: Demand<'p>) -> Self {
        let condition = Condition { field, demand, is_key: field.is_same(PostField::Key) };
        if field.is_stem() {
            self.stem = Some(condition);
        }
        self.fault = self.fault.or_else(|| condition.check(&self.conditions).err());
        self.conditions.push(condition);
        self
    }

    /// What all metadata has to begin with.
    fn metadata(&self) -> &'p str {
        match self.stem.map(|stem| stem.demand) {
            Some(Demand::StartsWith(prefix)) => prefix,
            _ => "",
        }
    }

    /// Until when it is good, if that is neither past nor too far away.
    fn expiration(&self, now: Timestamp) -> Result<Timestamp, PolicyError> {
        let end = match self.life {
            Life::For(life) if life.subsec_nanos() == 0 => now.plus(life.as_secs()),
            Life::For(_) => None,
            Life::Until(end) => Some(end),
        };
        let good = |end: &Timestamp| {
            let life = end.unix().checked_sub(now.unix());
            let life = life.and_then(|life| u64::try_from(life).ok());
            life.is_some_and(|life| (1..=MAX_LIFE).contains(&life))
        };
        end.filter(good).ok_or(PolicyError::Expiration)
    }

    /// Refuses what could not be sent, or would allow what nobody means.
    fn check(&self) -> Result<(), PolicyError> {
        let forbidden = |lanes: Lanes| {
            let digit = lanes.is_in(b'0', b'9');
            others(lanes.is_letter() | digit | lanes.is_in(b'-', b'.') | lanes.is(b'_'))
        };
        if self.bucket.is_empty() || !bytes::none(self.bucket.as_bytes(), forbidden) {
            return Err(PolicyError::Bucket);
        }
        if self.lengths_repeated {
            return Err(PolicyError::Repeated);
        }
        if self.lengths.is_some_and(|(min, max)| min > max) {
            return Err(PolicyError::Range);
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let metadata = self.metadata();
        if !metadata.is_empty() && self.conditions.iter().any(|one| !one.allows(metadata)) {
            return Err(PolicyError::Metadata);
        }
        let key = self.conditions.iter().find(|condition| condition.is_key);
        match key.ok_or(PolicyError::KeyMissing)?.demand {
            Demand::Equal("") => Err(PolicyError::KeyEmpty),
            _ => Ok(()),
        }
    }
}

impl<'p> Condition<'p> {
    /// Refuses what could not be sent, or would allow what nobody means, behind those `before`.
    fn check(&self, before: &[Self]) -> Result<(), PolicyError> {
        if !self.field.is_name() {
            return Err(PolicyError::FieldName);
        }
        if self.field.is_reserved() {
            return Err(PolicyError::ReservedField);
        }
        let (Demand::Equal(text) | Demand::StartsWith(text)) = self.demand;
        if text.chars().any(char::is_control) {
            return Err(PolicyError::Value);
        }
        if text.contains(FILENAME) {
            return Err(PolicyError::Filename);
        }
        match self.demand {
            Demand::StartsWith(_) if self.field.is_exact_only() => Err(PolicyError::ExactOnly),
            Demand::StartsWith(_) if self.field.is_stem() => Ok(()),
            Demand::StartsWith(prefix) if self.field.is_same(PostField::ContentType) => {
                let in_item = !prefix.contains(',') && !prefix.starts_with(' ');
                if in_item { Ok(()) } else { Err(PolicyError::ContentType) }
            }
            _ if self.field.is_stem() => Err(PolicyError::FieldName),
            _ => Ok(()),
        }?;
        if before.iter().any(|other| other.field.is_same(self.field)) {
            return Err(PolicyError::Repeated);
        }
        if self.field.is_checksum() && before.iter().any(|other| other.field.is_checksum()) {
            return Err(PolicyError::ChecksumsMultiple);
        }
        Ok(())
    }

    /// Whether a value can meet it and begin with what all metadata has to, if it is on metadata.
    fn allows(&self, metadata: &str) -> bool {
        !self.field.is_meta()
            || match self.demand {
                Demand::Equal(value) => value.starts_with(metadata),
                Demand::StartsWith(prefix) => {
                    prefix.starts_with(metadata) || metadata.starts_with(prefix)
                }
            }
    }

    /// What the form has for the field; `None` if the page has to say.
    fn value(&self) -> Option<FormValue<'p>> {
        match self.demand {
            Demand::Equal(value) => Some(FormValue(Value::Text(value))),
            Demand::StartsWith(prefix) if self.is_key => Some(FormValue(Value::Named(prefix))),
            Demand::StartsWith(_) => None,
        }
    }
}

impl PostField<'_> {
    /// Whether these are two ways to write one name.
    #[inline(always)]
    fn is_same(self, other: PostField<'_>) -> bool {
        let same =
            || self.each_byte().zip(other.each_byte()).all(|(a, b)| a.eq_ignore_ascii_case(&b));
        self.len() == other.len() && same()
    }

    /// The name in one piece, for rules that ask for one; of a long name, its beginning: rules are
    /// about shorter names, and about beginnings.
    fn judged<T>(self, judge: impl FnOnce(&[u8]) -> T) -> T {
        let mut buffer = [0; 64];
        let len = self.len().min(buffer.len());
        self.each_byte().zip(&mut buffer).for_each(|(byte, place)| *place = byte);
        judge(buffer.get(..len).unwrap_or_default())
    }

    fn is_reserved(self) -> bool {
        self.judged(|name| {
            Known::of(name).is_some_and(|known| known != Known::Key) || is_exempt(name)
        })
    }

    fn is_exact_only(self) -> bool {
        self.judged(|name| is_exact_only(name))
    }

    fn is_checksum(self) -> bool {
        // What has a name of its own is none.
        matches!(self, Self::Checksum(_) | Self::Other(_)) && self.judged(|name| is_checksum(name))
    }

    fn is_meta(self) -> bool {
        self.judged(|name| has_stem(name, META))
    }

    /// The beginning of all metadata's names.
    fn is_stem(self) -> bool {
        self.as_str().is_some_and(|name| name.eq_ignore_ascii_case(META))
    }
}

impl<'a> Signer<'a> {
    /// Signs what may be posted; the result has the fields of the form.
    ///
    /// A policy lives up to seven days, as a presigned URL; S3 documents no limit.
    ///
    /// The form fits before its file as browsers write it, with whatever boundary they choose: with
    /// the least values that its [`open_fields`](SignedForm::open_fields) can have, a file whose name
    /// has up to 255 bytes, and nothing else. A longer one is [`PolicyError::TooLong`].
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn sign_form<'p>(
        &self,
        policy: &'p PostPolicy<'p>,
        now: Timestamp,
    ) -> Result<SignedForm<'p>, PolicyError>
    where
        'a: 'p,
    {
        if self.dialect != Dialect::S3 {
            return Err(PolicyError::Service);
        }
        if now.date() != self.scope.date {
            return Err(PolicyError::ScopeDate);
        }
        policy.check()?;
        let expiration = policy.expiration(now)?;
        let terms = Terms {
            policy,
            access_key_id: self.access_key_id,
            scope: self.scope,
            timestamp: now,
            expiration,
            token: self.token,
            token_field: self.token_field,
        };
        let len = terms.json_len();
        let mut encoder = Encoder::with_room(len);
        terms.put_json(self.credential.as_bytes(), &mut Writer(&mut encoder));
        let encoded = encoder.finish();
        let signature = self.key.sign(encoded.as_bytes());
        let form = SignedForm { terms, encoded, signature };
        if form.is_too_long(len) { Err(PolicyError::TooLong) } else { Ok(form) }
    }
}

/// A form that may be posted. Made by [`Signer::sign_form`].
#[must_use = "the page needs its fields"]
#[derive(Clone)]
pub struct SignedForm<'p> {
    terms: Terms<'p>,
    /// The policy in base64.
    encoded: String,
    signature: Signature,
}

/// All that stands in a policy.
#[derive(Clone)]
struct Terms<'p> {
    policy: &'p PostPolicy<'p>,
    access_key_id: AccessKeyId,
    scope: CredentialScope<'p>,
    timestamp: Timestamp,
    expiration: Timestamp,
    token: Option<SessionToken<'p>>,
    token_field: SessionTokenField,
}

/// The value of a field, written on demand.
#[derive(Clone, Copy)]
pub struct FormValue<'s>(Value<'s>);

#[derive(Clone, Copy)]
enum Value<'s> {
    Text(&'s str),
    /// A prefix, and the name of the file.
    Named(&'s str),
    Credential(&'s AccessKeyId, CredentialScope<'s>),
    Date(Timestamp),
    Signature(Signature),
}

/// Names of fields and texts of a form that are not in its policy: `${filename}`, the signature.
const BESIDES: usize = 200;

/// The fields that come besides those with conditions: five that prove it, and the session token.
const PROOF_FIELDS: usize = 6;

/// What a field takes in a body besides its name and its value, as browsers write it. They choose the
/// boundary, WebKit one of 38 characters and Firefox one of up to 57; here it is the longest that may
/// be.
const FIELD: usize =
    Form::MAX_BOUNDARY + "--\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n\r\n".len();

/// What the head of the file takes in a body: with a name of 255 bytes, which is what file systems
/// have room for, and a type of 80, which is more than those of office documents have.
const FILE: usize = FIELD + "file; filename=\"\"\r\nContent-Type: ".len() + 255 + 80;

// What is short enough has not too many fields.
const _: () = assert!(Form::MAX_LEN / FIELD < Form::MAX_FIELDS);

impl SignedForm<'_> {
    /// The fields to send, in order: the key, what else the policy holds to one value, and what
    /// proves it. The [`open_fields`](Self::open_fields) come besides, and the field `file` last.
    ///
    /// They are as good as the credential for what the policy allows, until it expires.
    pub fn fields(&self) -> impl Iterator<Item = (PostField<'_>, FormValue<'_>)> {
        let terms = &self.terms;
        let conditions = &terms.policy.conditions;
        let key = conditions.iter().filter(|condition| condition.is_key);
        let others = conditions.iter().filter(|condition| !condition.is_key);
        let set =
            key.chain(others).filter_map(|condition| Some((condition.field, condition.value()?)));
        let text = |text| FormValue(Value::Text(text));
        let token = terms.token.map(|token| (terms.token_field(), text(token.as_str())));
        set.chain([
            (PostField::Policy, text(&self.encoded)),
            (PostField::Algorithm, text(ALGORITHM)),
            (PostField::Credential, terms.credential()),
            (PostField::Date, FormValue(Value::Date(terms.timestamp))),
        ])
        .chain(token)
        .chain([(PostField::Signature, FormValue(Value::Signature(self.signature)))])
    }

    /// The fields that the page has to send itself, and what they have to begin with.
    pub fn open_fields(&self) -> impl Iterator<Item = (PostField<'_>, &str)> {
        let policy = self.terms.policy;
        let (conditions, metadata) = (policy.conditions.iter(), policy.metadata());
        let named = conditions.filter(|condition| !condition.is_key && !condition.field.is_stem());
        named.filter_map(move |condition| match condition.demand {
            // Of two prefixes the one begins with the other.
            Demand::StartsWith(prefix)
                if prefix.len() < metadata.len() && condition.field.is_meta() =>
            {
                Some((condition.field, metadata))
            }
            Demand::StartsWith(prefix) => Some((condition.field, prefix)),
            Demand::Equal(_) => None,
        })
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        self.terms.policy.bucket
    }

    /// Until when the form may be posted.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.terms.expiration
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Where to post to, with the bucket in the path: `endpoint` and the bucket.
    #[must_use]
    pub fn path_style_url(&self, endpoint: &str) -> String {
        alloc::format!("{}/{}", endpoint.trim_end_matches('/'), self.bucket())
    }

    /// Where to post to, with the bucket in the host: `endpoint` is a scheme and a host, perhaps with
    /// a port.
    #[must_use]
    pub fn virtual_hosted_url(&self, endpoint: &str) -> String {
        let endpoint = endpoint.trim_end_matches('/');
        let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        alloc::format!("{scheme}://{}.{host}/", self.bucket())
    }

    /// The form in JSON, for a page that builds it: `{"url": "...", "fields": {"key": "...", ...}}`.
    /// The fields stand in order.
    #[must_use]
    pub fn to_json(&self, url: &str) -> String {
        let mut bytes = Vec::new();
        let mut gathered = Pieces(|piece: &[u8]| bytes.extend_from_slice(piece));
        let mut json = Writer(&mut gathered);
        json.plain("{\"url\":\"");
        json.text(url.as_bytes());
        json.plain("\",\"fields\":{");
        for (nth, (name, value)) in self.fields().enumerate() {
            json.plain(if nth == 0 { "\"" } else { ",\"" });
            // Into memory: it does not fail.
            let _ = write!(json, "{name}");
            json.plain("\":\"");
            let _ = write!(json, "{value}");
            json.plain("\"");
        }
        json.plain("}}");
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether a server would refuse the form for what stands before the file in a body.
    fn is_too_long(&self, json_len: usize) -> bool {
        // Names and values stand in the policy, open ones as well, but for what all metadata begins
        // with. What is far from the limit need not be counted.
        let policy = self.terms.policy;
        let fields = policy.conditions.len() + PROOF_FIELDS;
        let fields = fields.saturating_mul(FIELD + policy.metadata().len());
        let most = json_len + self.encoded.len() + BESIDES + FILE;
        if most.saturating_add(fields) <= Form::MAX_LEN {
            return false;
        }
        let set = self.fields().map(|(name, value)| name.len() + value.len());
        let open = self.open_fields().map(|(name, prefix)| name.len() + prefix.len());
        let len = set.chain(open).try_fold(FILE, |len, field| {
            Some(len + FIELD + field).filter(|len| *len <= Form::MAX_LEN)
        });
        len.is_none()
    }
}

impl Terms<'_> {
    fn credential(&self) -> FormValue<'_> {
        FormValue(Value::Credential(&self.access_key_id, self.scope))
    }

    fn token_field(&self) -> PostField<'static> {
        PostField::of_token(self.token_field)
    }

    /// The policy as it is signed, but for base64, with the credential as the signer writes it.
    /// [`json_len`](Self::json_len) counts what stands here.
    #[inline]
    fn put_json<S: Sink>(&self, credential: &[u8], json: &mut Writer<'_, S>) {
        json.plain("{\"expiration\":\"");
        json.text(&self.expiration.extended_text());
        // With the fraction that the samples of the documentation have.
        json.plain(".000Z\",\"conditions\":[{\"bucket\":\"");
        json.text(self.policy.bucket.as_bytes());
        json.plain("\"}");
        PostField::Algorithm.put_equal(json, |json| json.plain(ALGORITHM));
        PostField::Credential.put_equal(json, |json| json.text(credential));
        PostField::Date.put_equal(json, |json| json.text(self.timestamp.as_bytes()));
        if let Some(token) = self.token {
            self.token_field().put_equal(json, |json| json.text(token.as_str().as_bytes()));
        }
        for condition in &self.policy.conditions {
            match condition.demand {
                Demand::Equal(value) => {
                    condition.field.put_equal(json, |json| json.text(value.as_bytes()));
                }
                Demand::StartsWith(prefix) => {
                    json.plain(",[\"starts-with\",\"$");
                    condition.field.put(json);
                    json.plain("\",\"");
                    json.text(prefix.as_bytes());
                    json.plain("\"]");
                }
            }
        }
        if let Some((min, max)) = self.policy.lengths {
            json.plain(",[\"content-length-range\",");
            json.number(min);
            json.plain(",");
            json.number(max);
            json.plain("]");
        }
        json.plain("]}");
    }

    /// How long the policy can be if nothing of it has to be escaped.
    fn json_len(&self) -> usize {
        /// What every policy has, but for texts that are counted below.
        const FIXED: usize = 200;
        /// `,["content-length-range",18446744073709551615,18446744073709551615]`
        const RANGE: usize = 67;
        let conditions: usize = self.policy.conditions.iter().map(Condition::json_len).sum();
        let texts = self.policy.bucket.len() + self.access_key_id.as_bytes().len();
        let scope = self.scope.region.len() + self.scope.service.len();
        // `,{"":""}`
        let token =
            self.token.map_or(0, |token| 8 + self.token_field().len() + token.as_str().len());
        let range = self.policy.lengths.map_or(0, |_| RANGE);
        FIXED + texts + scope + token + conditions + range
    }
}

impl Condition<'_> {
    /// How long it is if nothing of it has to be escaped.
    #[inline]
    fn json_len(&self) -> usize {
        let (fixed, text) = match self.demand {
            // `,{"":""}`
            Demand::Equal(text) => (8, text),
            // `,["starts-with","$",""]`
            Demand::StartsWith(text) => (23, text),
        };
        fixed + self.field.len() + text.len()
    }
}

impl PostField<'_> {
    /// A condition in its short form, behind another one.
    #[inline(always)]
    fn put_equal<S: Sink>(self, json: &mut Writer<'_, S>, value: impl FnOnce(&mut Writer<'_, S>)) {
        json.plain(",{\"");
        self.put(json);
        json.plain("\":\"");
        value(json);
        json.plain("\"}");
    }

    #[inline(always)]
    fn put<S: Sink>(self, json: &mut Writer<'_, S>) {
        let (stem, rest) = self.parts();
        json.plain(stem);
        if !rest.is_empty() {
            json.text(rest.as_bytes());
        }
    }
}

impl FormValue<'_> {
    /// Length of the text in bytes.
    fn len(&self) -> usize {
        match self.0 {
            Value::Text(text) => text.len(),
            Value::Named(prefix) => prefix.len() + FILENAME.len(),
            Value::Credential(name, scope) => {
                let mut len = name.as_bytes().len() + 1;
                scope.each_piece(|piece| len += piece.len());
                len
            }
            Value::Date(_) => Timestamp::LEN,
            Value::Signature(_) => Signature::HEX_LEN,
        }
    }
}

impl Sink for Encoder {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }
}

impl fmt::Display for FormValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => f.write_str(text),
            Value::Named(prefix) => write!(f, "{prefix}{FILENAME}"),
            Value::Credential(name, scope) => write!(f, "{name}/{scope}"),
            Value::Date(timestamp) => timestamp.fmt(f),
            Value::Signature(signature) => signature.fmt(f),
        }
    }
}

impl fmt::Debug for Condition<'_> {
    /// Shows the field alone: a value can be a key of the object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)
    }
}

impl fmt::Debug for FormValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormValue([redacted])")
    }
}

impl fmt::Debug for SignedForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedForm")
            .field("access_key_id", &self.terms.access_key_id)
            .field("bucket", &self.bucket())
            .field("expires_at", &self.terms.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{BESIDES, PROOF_FIELDS, PostField, PostPolicy};
    use crate::base64::decode_vec;
    use crate::credential::{AccessKeyId, CredentialScope, Credentials, SecretKey, SessionToken};
    use crate::sign::Signer;
    use crate::time::Timestamp;
    use alloc::string::ToString as _;

    /// What is said of lengths before anything is written: that of a value is its own, that of the
    /// JSON is not less than what is written.
    #[test]
    fn lengths_are_known_beforehand() {
        let now = Timestamp::parse("20130524T000000Z").expect("a time");
        let (long, region) = ("x".repeat(200), "r".repeat(64));
        for (service, token) in [("s3", None), ("s3", Some("t0ken")), ("s3express", Some("t"))] {
            let credentials = Credentials {
                access_key_id: AccessKeyId::new(&long[..128]).expect("a name"),
                secret_key: SecretKey::new("secret").expect("a secret"),
                session_token: token.map(|token| SessionToken::new(token).expect("a token")),
            };
            let scope = CredentialScope { date: now.date(), region: &region, service };
            let signer = Signer::new(&credentials, scope).expect("a scope");
            let few = PostPolicy::new("b").starts_with(PostField::Key, "");
            let many = PostPolicy::new("bucket")
                .starts_with(PostField::Key, "uploads/")
                .equal(PostField::Acl, "private")
                .equal(PostField::Meta("a"), &long)
                .equal(PostField::Other("x-other"), "")
                .starts_with(PostField::ContentType, "image/")
                .starts_with(PostField::Meta(""), "")
                .content_length_range(0, u64::MAX);
            for policy in [few, many] {
                let form = signer.sign_form(&policy, now).expect("a form");
                let (mut total, mut count) = (0, 0);
                for (name, value) in form.fields() {
                    assert_eq!(name.len(), name.to_string().len());
                    assert_eq!(value.len(), value.to_string().len(), "{name}");
                    total += name.len() + value.len();
                    count += 1;
                }
                for (name, prefix) in form.open_fields() {
                    total += name.len() + prefix.len();
                    count += 1;
                }
                assert!(count <= form.terms.policy.conditions.len() + PROOF_FIELDS);
                assert!(total <= form.terms.json_len() + form.encoded.len() + BESIDES);
                let json = decode_vec(&form.encoded).expect("base64");
                assert!(json.len() <= form.terms.json_len(), "{} bytes", json.len());
                assert!(json.len() + 100 > form.terms.json_len(), "{} bytes", json.len());
            }
        }
    }
}
