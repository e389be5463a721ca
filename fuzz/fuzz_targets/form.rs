//! A form and a policy: nothing panics, and the answer to a fault is well formed; what is shown in the
//! end holds to the policy. What `sign_form` made of any policy fits into a body, verifies, is held to,
//! and is refused with one byte of the policy, the claim or a field that has to be equal changed.

#![no_main]

use arbitrary::Arbitrary;
use countersign::{BodyError, Error, Family, Form, PostField, PostPolicy, Signer, Verifier};
use countersign_fuzz::{Holder, ID, SECRET, form_signature, now};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    bucket: &'a str,
    /// Whatever a peer sends.
    fields: Vec<(&'a str, &'a str)>,
    file: Option<&'a str>,
    /// What the holder signed, if anything.
    policy: Option<Policy<'a>>,
    equal: Vec<(&'a str, &'a str)>,
    begin: Vec<(&'a str, &'a str)>,
    lengths: Option<(u64, u64)>,
    change: (u8, u16, u8),
}

#[derive(Arbitrary, Debug)]
enum Policy<'a> {
    Text(&'a str),
    /// Conditions besides those that a good form cannot do without.
    Conditions(&'a str),
}

impl Policy<'_> {
    fn text(&self, bucket: &str) -> String {
        let (Self::Text(text) | Self::Conditions(text)) = self;
        if let Self::Text(_) = self {
            return (*text).to_owned();
        }
        let bucket = serde_json::to_string(bucket).expect("a text");
        format!(
            "{{\"expiration\":\"2099-01-01T00:00:00Z\",\"conditions\":[{{\"bucket\":{bucket}}},\
             [\"starts-with\",\"$key\",\"\"],[\"starts-with\",\"$x-amz-credential\",\"\"],\
             [\"starts-with\",\"$x-amz-date\",\"\"],[\"starts-with\",\"$x-amz-algorithm\",\"\"]{text}]}}"
        )
    }
}

fuzz_target!(|input: Input<'_>| {
    arrives(&input);
    goes_out(&input);
});

/// A form that anybody may have made, and one whose policy the holder signed.
fn arrives(input: &Input<'_>) {
    let rules = Verifier::s3("us-east-1");
    let mut form = Form::new(input.bucket);
    for (name, value) in &input.fields {
        let _ = form.push(*name, *value);
    }
    if let Some(policy) = &input.policy {
        let _ = form.push("key", "a/${filename}");
        for (name, value) in form_signature(&policy.text(input.bucket)) {
            let _ = form.push(name, value);
        }
    }
    let _ = form.file(input.file);
    let refuse = |error: Error| {
        let hint = error.hint(Family::S3).about_form(&rules, &form);
        let body = hint.body("id", "host").to_string();
        roxmltree::Document::parse(&body).expect("well-formed XML");
        assert!(!body.contains(SECRET));
    };
    let claim = match rules.read_form(&form) {
        Ok(claim) => claim,
        Err(error) => return refuse(error.into()),
    };
    let key = Holder { id: claim.claimed_access_key_id(), secret: SECRET, token: None }
        .key(&claim.scope());
    let verified = match claim.verify(&key) {
        Ok(verified) => verified,
        Err(error) => return refuse(error.into()),
    };
    // Nobody else could have signed it.
    assert!(input.policy.is_some());
    match verified.check(now()) {
        Ok(checked) => {
            assert!(!checked.key().is_empty() && !checked.content_length_range().is_empty());
            assert_eq!(checked.bucket(), input.bucket);
            let len: usize = checked.fields().map(|(name, value)| name.len() + value.len()).sum();
            assert!(len <= Form::MAX_LEN);
            let _ = checked.success_action();
            let _ = checked.into_checked_body();
        }
        Err(error) => refuse(error.into()),
    }
}

/// A policy that anybody may ask for.
fn goes_out(input: &Input<'_>) {
    // Most texts name no bucket, and no key.
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let good = !input.bucket.is_empty() && input.bucket.bytes().all(named);
    let bucket = if good { input.bucket } else { "b" };
    let mut policy = PostPolicy::new(bucket);
    if !input.equal.iter().any(|(name, _)| name.eq_ignore_ascii_case("key")) {
        policy = policy.starts_with(PostField::Key, "");
    }
    for (name, value) in &input.equal {
        policy = policy.equal(PostField::Other(name), value);
    }
    for (name, prefix) in &input.begin {
        policy = policy.starts_with(PostField::Other(name), prefix);
    }
    if let Some((min, max)) = input.lengths {
        policy = policy.content_length_range(min, max);
    }
    let signer = Signer::new(
        &countersign::Credentials {
            access_key_id: countersign::AccessKeyId::new(ID).expect("a name"),
            secret_key: countersign::SecretKey::new(SECRET).expect("a secret"),
            session_token: None,
        },
        countersign::CredentialScope { date: now().date(), region: "us-east-1", service: "s3" },
    )
    .expect("a scope");
    let Ok(signed) = signer.sign_form(&policy, now()) else { return };
    let set: Vec<_> = signed.fields().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    // A blank at the end of a media type is not there when conditions are asked.
    let met = |name: PostField<'_>, prefix: &str| {
        let blank = name.is("Content-Type") && prefix.ends_with(' ');
        if blank { format!("{prefix}a") } else { prefix.to_owned() }
    };
    let open: Vec<_> = signed.open_fields().map(|(n, v)| (n.to_string(), met(n, v))).collect();
    let rules = Verifier::s3("us-east-1");
    let accepted = |set: &[(String, String)]| {
        let mut form = Form::new(bucket);
        for (name, value) in set.iter().chain(&open) {
            if form.push(name.as_str(), value.as_str()).is_err() {
                return None;
            }
        }
        form.file(Some("a")).ok()?;
        let claim = rules.read_form(&form).ok()?;
        let key = Holder { id: claim.claimed_access_key_id(), secret: SECRET, token: None }
            .key(&claim.scope());
        let checked = claim.verify(&key).ok()?.check(now()).ok()?;
        let lengths = checked.content_length_range();
        let refused = checked.into_checked_body().err();
        assert_ne!(refused, Some(BodyError::ChecksumsMultiple));
        Some(lengths)
    };
    let (min, max) = input.lengths.unwrap_or((0, u64::MAX));
    assert_eq!(accepted(&set), Some(min..=max));
    // As it crosses the wire, with the longest boundary.
    let part = |name: &str| {
        format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"", "b".repeat(70))
    };
    let mut body = String::new();
    for (name, value) in set.iter().chain(&open) {
        body += &format!("{}\r\n\r\n{value}\r\n", part(name));
    }
    body += &format!("{}; filename=\"{}\"\r\n", part("file"), "a".repeat(255));
    body += "Content-Type: application/octet-stream\r\n\r\n";
    assert!(body.len() <= Form::MAX_LEN, "{} bytes", body.len());
    let (field, at, change) = input.change;
    let mut changed = set;
    let count = changed.len();
    let (name, value) = &mut changed[usize::from(field) % count];
    let free = name.eq_ignore_ascii_case("key");
    let mut bytes = value.clone().into_bytes();
    if change == 0 || bytes.is_empty() || free {
        return;
    }
    let at = usize::from(at) % bytes.len();
    bytes[at] ^= change;
    if let Ok(text) = String::from_utf8(bytes) {
        *value = text;
        assert_eq!(accepted(&changed), None, "{changed:?}");
    }
}
