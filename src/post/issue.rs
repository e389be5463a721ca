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
use super::field::{PostField, is_exact_only, is_exempt, is_name};
use super::form::Form;
use super::json::Json;
use crate::base64;
use crate::canonical::{ALGORITHM, Dialect, Token};
use crate::credential::{AccessKeyId, CredentialScope, SessionToken};
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
    lengths: Option<(u64, u64)>,
    /// Whether the lengths were set more than once.
    lengths_repeated: bool,
    life: Life,
}

#[derive(Clone, Copy)]
struct Condition<'p> {
    field: PostField<'p>,
    demand: Demand<'p>,
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
            lengths: None,
            lengths_repeated: false,
            life: Life::For(Duration::from_secs(DEFAULT_LIFE)),
        }
    }

    /// Demands a value, and puts it into the form.
    pub fn equal(self, field: PostField<'p>, value: &'p str) -> Self {
        self.with(Condition { field, demand: Demand::Equal(value) })
    }

    /// Demands a beginning; the empty one allows any value. The page has to send the field, be it
    /// empty; it is one of [`SignedForm::open_fields`]. But for the key: the form has the beginning
    /// and `${filename}` for it.
    ///
    /// A prefix for all metadata: `PostField::Meta("")`.
    pub fn starts_with(self, field: PostField<'p>, prefix: &'p str) -> Self {
        self.with(Condition { field, demand: Demand::StartsWith(prefix) })
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

    fn with(mut self, condition: Condition<'p>) -> Self {
        self.conditions.push(condition);
        self
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
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if self.bucket.is_empty() || !self.bucket.bytes().all(allowed) {
            return Err(PolicyError::Bucket);
        }
        if self.lengths_repeated {
            return Err(PolicyError::Repeated);
        }
        if self.lengths.is_some_and(|(min, max)| min > max) {
            return Err(PolicyError::Range);
        }
        for (nth, condition) in self.conditions.iter().enumerate() {
            condition.check()?;
            let before = self.conditions.iter().take(nth);
            if before.into_iter().any(|other| other.field.is_same(condition.field)) {
                return Err(PolicyError::Repeated);
            }
        }
        let key = self.conditions.iter().find(|condition| condition.is_key());
        match key.ok_or(PolicyError::KeyMissing)?.demand {
            Demand::Equal("") => Err(PolicyError::KeyEmpty),
            _ => Ok(()),
        }
    }
}

impl<'p> Condition<'p> {
    fn is_key(&self) -> bool {
        self.field.is_same(PostField::Key)
    }

    fn check(&self) -> Result<(), PolicyError> {
        if !is_name(self.field.each_byte()) {
            return Err(PolicyError::FieldName);
        }
        if self.field.is_reserved() {
            return Err(PolicyError::ReservedField);
        }
        let (Demand::Equal(text) | Demand::StartsWith(text)) = self.demand;
        if text.chars().any(char::is_control) {
            return Err(PolicyError::Value);
        }
        match self.demand {
            Demand::Equal(value) if value.contains(FILENAME) => Err(PolicyError::Filename),
            Demand::StartsWith(prefix) if prefix.contains(FILENAME) => Err(PolicyError::Filename),
            Demand::StartsWith(_) if self.field.is_exact_only() => Err(PolicyError::ExactOnly),
            Demand::StartsWith(_) if self.field.is_stem() => Ok(()),
            _ if self.field.is_stem() => Err(PolicyError::FieldName),
            _ => Ok(()),
        }
    }

    /// What the form has for the field; `None` if the page has to say.
    fn value(&self) -> Option<FormValue<'p>> {
        match self.demand {
            Demand::Equal(value) => Some(FormValue(Value::Text(value))),
            Demand::StartsWith(prefix) if self.is_key() => Some(FormValue(Value::Named(prefix))),
            Demand::StartsWith(_) => None,
        }
    }
}

impl PostField<'_> {
    /// Whether these are two ways to write one name.
    fn is_same(self, other: PostField<'_>) -> bool {
        self.len() == other.len()
            && self.each_byte().zip(other.each_byte()).all(|(a, b)| a.eq_ignore_ascii_case(&b))
    }

    /// The name in one piece, for rules that ask for one; too long a name meets none of them.
    fn judged<T>(self, judge: impl FnOnce(&str) -> T) -> T {
        let mut buffer = [0; 64];
        let len = self.len().min(buffer.len());
        self.each_byte().zip(&mut buffer).for_each(|(byte, place)| *place = byte);
        let name = buffer.get(..len).and_then(|name| core::str::from_utf8(name).ok());
        judge(name.unwrap_or_default())
    }

    /// A condition in its short form.
    fn put_equal(self, value: Json<'_>, each: &mut dyn FnMut(Json<'_>)) {
        let shown = Json::Shown(&self);
        let name = self.as_str().map_or(shown, Json::Text);
        each(Json::Object(&|each| each(name, value)));
    }

    fn is_reserved(self) -> bool {
        let ours = [Self::SecurityToken, Self::S3SessionToken, Self::Other("bucket")];
        Self::CLAIM.into_iter().chain(ours).any(|field| field.is_same(self))
            || self.judged(is_exempt)
    }

    fn is_exact_only(self) -> bool {
        self.judged(is_exact_only)
    }

    /// The beginning of all metadata's names.
    fn is_stem(self) -> bool {
        self.is_same(PostField::Meta(""))
    }
}

impl<'a> Signer<'a> {
    /// Signs what may be posted; the result has the fields of the form.
    ///
    /// A policy lives up to seven days, as a presigned URL; S3 documents no limit.
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
        };
        let encoded = base64::encode_vec(terms.json());
        let signature = self.key.sign(encoded.as_bytes());
        let form = SignedForm { terms, encoded, signature };
        if form.is_too_long() { Err(PolicyError::TooLong) } else { Ok(form) }
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

impl SignedForm<'_> {
    /// The fields to send, in order: the key, what else the policy holds to one value, and what
    /// proves it. The [`open_fields`](Self::open_fields) come besides, and the field `file` last.
    ///
    /// They are as good as the credential for what the policy allows, until it expires.
    pub fn fields(&self) -> impl Iterator<Item = (PostField<'_>, FormValue<'_>)> {
        let terms = &self.terms;
        let conditions = &terms.policy.conditions;
        let key = conditions.iter().filter(|condition| condition.is_key());
        let others = conditions.iter().filter(|condition| !condition.is_key());
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
        let conditions = self.terms.policy.conditions.iter();
        let named =
            conditions.filter(|condition| !condition.is_key() && !condition.field.is_stem());
        named.filter_map(|condition| match condition.demand {
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
        let mut json = Vec::new();
        Json::Object(&|each| {
            each(Json::Text("url"), Json::Text(url));
            let fields = |each: &mut dyn FnMut(Json<'_>, Json<'_>)| {
                self.fields()
                    .for_each(|(name, value)| each(Json::Shown(&name), Json::Shown(&value)));
            };
            each(Json::Text("fields"), Json::Object(&fields));
        })
        .write(&mut json);
        String::from_utf8(json).unwrap_or_default()
    }

    /// Whether a server would refuse the form for its length.
    fn is_too_long(&self) -> bool {
        let mut len = Counted(0);
        let mut count = 0;
        for (name, value) in self.fields() {
            count += 1;
            // Counting does not fail.
            let _ = write!(len, "{name}{value}");
        }
        count > Form::MAX_FIELDS || len.0 > Form::MAX_LEN
    }
}

impl Terms<'_> {
    fn credential(&self) -> FormValue<'_> {
        FormValue(Value::Credential(&self.access_key_id, self.scope))
    }

    fn token_field(&self) -> PostField<'static> {
        PostField::of_token(Token::of_service(self.scope.service))
    }

    /// The policy as it is signed, but for base64.
    fn json(&self) -> Vec<u8> {
        // Names, brackets, the scope. What has to be escaped takes more and costs another allocation.
        let texts: usize = self.policy.conditions.iter().map(Condition::room).sum();
        let token = self.token.map_or(0, |token| token.as_str().len());
        let room = 512 + texts + token + self.policy.bucket.len() + 2 * AccessKeyId::MAX_LEN;
        let mut json = Vec::with_capacity(room / 3 * 4);
        Json::Object(&|each| {
            each(Json::Text("expiration"), Json::Shown(&Expiration(self.expiration)));
            each(Json::Text("conditions"), Json::List(&|each| self.put_conditions(each)));
        })
        .write(&mut json);
        json
    }

    fn put_conditions(&self, each: &mut dyn FnMut(Json<'_>)) {
        PostField::Other("bucket").put_equal(Json::Text(self.policy.bucket), each);
        PostField::Algorithm.put_equal(Json::Text(ALGORITHM), each);
        PostField::Credential.put_equal(Json::Shown(&self.credential()), each);
        PostField::Date.put_equal(Json::Shown(&self.timestamp), each);
        if let Some(token) = self.token {
            self.token_field().put_equal(Json::Text(token.as_str()), each);
        }
        for condition in &self.policy.conditions {
            match condition.demand {
                Demand::Equal(value) => condition.field.put_equal(Json::Text(value), each),
                Demand::StartsWith(prefix) => each(Json::List(&|each| {
                    each(Json::Text("starts-with"));
                    each(Json::Shown(&Dollar(condition.field)));
                    each(Json::Text(prefix));
                })),
            }
        }
        if let Some((min, max)) = self.policy.lengths {
            each(Json::List(&|each| {
                each(Json::Text("content-length-range"));
                each(Json::Number(min));
                each(Json::Number(max));
            }));
        }
    }
}

impl Condition<'_> {
    fn room(&self) -> usize {
        let (Demand::Equal(text) | Demand::StartsWith(text)) = self.demand;
        24 + self.field.len() + text.len()
    }
}

/// Counts what is written.
struct Counted(usize);

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// With the fraction that the samples of the documentation have.
struct Expiration(Timestamp);

impl fmt::Display for Expiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.put_extended(".000Z", f)
    }
}

/// A field as conditions name it.
struct Dollar<'p>(PostField<'p>);

impl fmt::Display for Dollar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
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
