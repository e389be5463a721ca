//! POST forms: what is signed verifies, and nothing else; what a policy says holds.

use std::time::Duration;

use countersign::{
    AccessKeyId, CheckedForm, ConditionOperator, CredentialError, CredentialScope, Credentials,
    Error, Event, Family, Form, FormError, Mechanism, PolicyError, PostField, PostPolicy,
    ReadError, SecretKey, SessionToken, SignedForm, Signer, SigningKey, SuccessAction,
    SuccessStatus, Timestamp, Verifier, VerifyError,
};

const NOW: &str = "20151229T000000Z";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const BUCKET: &str = "sigv4examplebucket";

fn now() -> Timestamp {
    Timestamp::parse(NOW).expect("a time")
}

fn scope(service: &'static str) -> CredentialScope<'static> {
    CredentialScope { date: now().date(), region: "us-east-1", service }
}

fn key() -> SigningKey {
    SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &scope("s3"))
}

fn signer(token: Option<&'static str>, service: &'static str) -> Signer<'static> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: token.map(|token| SessionToken::new(token).expect("a token")),
    };
    Signer::new(&credentials, scope(service)).expect("a scope")
}

/// The form as a page posts it: with the fields that are left open, and a file.
fn posted(signed: &SignedForm<'_>, open: &[(&str, &str)], file: Option<&str>) -> Form {
    let mut form = Form::new(signed.bucket());
    for (name, value) in signed.fields() {
        form.push(name.to_string(), value.to_string()).expect("a field");
    }
    for (name, value) in open {
        form.push(*name, *value).expect("a field");
    }
    form.file(file).expect("a file");
    form
}

fn rules() -> Verifier<'static> {
    Verifier::s3("us-east-1")
}

fn check(form: &Form, at: Timestamp) -> Result<CheckedForm<'_>, Error> {
    Ok(rules().read_form(form)?.verify(&key())?.check(at)?)
}

/// The message of an answer, and its elements.
fn answer(error: Error, form: &Form) -> (u16, &'static str, String, Vec<(String, String)>) {
    let rules = rules();
    let hint = error.hint(Family::S3).about_form(&rules, form);
    let mut elements = Vec::new();
    hint.elements(|name, value| elements.push((name.to_owned(), value.to_string())));
    (hint.status(), hint.code(), hint.message().to_string(), elements)
}

fn usual() -> PostPolicy<'static> {
    PostPolicy::new(BUCKET)
        .starts_with(PostField::Key, "user/user1/")
        .equal(PostField::Acl, "public-read")
        .starts_with(PostField::ContentType, "image/")
        .starts_with(PostField::Meta("tag"), "")
        .equal(PostField::Meta("uuid"), "14365123651274")
        .content_length_range(1, 1024)
        .success_action_status(SuccessStatus::Created)
}

const OPEN: [(&str, &str); 2] = [("content-type", "image/png"), ("X-Amz-Meta-Tag", "")];

#[test]
fn what_is_signed_verifies() {
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let names: Vec<_> = signed.fields().map(|(name, _)| name.to_string()).collect();
    assert_eq!(
        names,
        [
            "key",
            "acl",
            "x-amz-meta-uuid",
            "success_action_status",
            "policy",
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-signature"
        ]
    );
    let open: Vec<_> = signed.open_fields().map(|(name, p)| (name.to_string(), p)).collect();
    assert_eq!(open, [("Content-Type".into(), "image/"), ("x-amz-meta-tag".into(), "")]);
    let form = posted(&signed, &OPEN, Some("C:\\pictures\\a b.png"));
    let claim = rules().read_form(&form).expect("a claim");
    assert_eq!(claim.claimed_access_key_id().as_str(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!((claim.scope(), claim.timestamp()), (scope("s3"), now()));
    assert!(claim.session_token().is_none());
    assert_eq!(claim.string_to_sign(), form.get("policy").expect("a policy"));
    let checked = claim.verify(&key()).expect("the key").check(now()).expect("held to");
    assert_eq!(checked.key(), "user/user1/a b.png");
    assert_eq!(checked.bucket(), BUCKET);
    assert_eq!(checked.get(PostField::ContentType), Some("image/png"));
    assert_eq!(checked.get(PostField::Policy), None, "no condition covers it");
    let metadata: Vec<_> = checked.metadata().collect();
    assert_eq!(metadata, [("uuid", "14365123651274"), ("Tag", "")]);
    assert_eq!(checked.content_length_range(), 1..=1024);
    assert_eq!(checked.success_action(), SuccessAction::Status(SuccessStatus::Created));
    assert_eq!(checked.expiration(), Timestamp::parse("20151229T001000Z").expect("a time"));
    let mut body = checked.into_body();
    let Event::Data(data) = body.feed(b"png").expect("data").event else { panic!("no data") };
    assert_eq!(data.into_unverified(), b"png");
    assert!(!body.finish().expect("whole").is_signed());
}

#[test]
fn the_clock_is_the_policys() {
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let form = posted(&signed, &OPEN, None);
    let at = |text: &str| check(&form, Timestamp::parse(text).expect("a time")).map(|_| ());
    for good in ["20151229T000959Z", "20151228T000000Z", "20151229T000000Z"] {
        assert_eq!(at(good), Ok(()), "{good}");
    }
    for late in ["20151229T001000Z", "20161229T000000Z"] {
        assert_eq!(at(late), Err(FormError::Expired.into()), "{late}");
    }
}

#[test]
fn every_byte_of_the_policy_and_every_covered_field_counts() {
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let good = posted(&signed, &OPEN, Some("a.png"));
    assert!(check(&good, now()).is_ok());
    let free = ["content-type", "X-Amz-Meta-Tag", "key"];
    for field in good.fields() {
        for at in 0..field.value().len() {
            for bit in 0..8 {
                let mut value = field.value().as_bytes().to_vec();
                value[at] ^= 1 << bit;
                let Ok(value) = String::from_utf8(value) else { continue };
                let mut form = Form::new(BUCKET);
                for other in good.fields() {
                    let same = other.name() == field.name();
                    form.push(other.name(), if same { &value } else { other.value() })
                        .expect("a field");
                }
                form.file(Some("a.png")).expect("a file");
                let Ok(checked) = check(&form, now()) else { continue };
                // The page may choose what stands behind a prefix.
                assert!(free.contains(&field.name()), "{} {value}", field.name());
                assert!(checked.key().starts_with("user/user1/"));
                assert!(checked.get(PostField::ContentType).expect("one").starts_with("image/"));
            }
        }
        let mut form = Form::new(BUCKET);
        for other in good.fields().iter().filter(|other| other.name() != field.name()) {
            form.push(other.name(), other.value()).expect("a field");
        }
        form.file(Some("a.png")).expect("a file");
        assert!(check(&form, now()).is_err(), "without {}", field.name());
    }
    let other = SigningKey::from_bytes(&[7; 32]);
    let error = rules().read_form(&good).expect("a claim").verify(&other).err();
    assert_eq!(error, Some(VerifyError::SignatureMismatch));
    let (status, code, _, elements) = answer(VerifyError::SignatureMismatch.into(), &good);
    assert_eq!((status, code), (403, "SignatureDoesNotMatch"));
    let names: Vec<_> = elements.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes"]);
    assert_eq!(elements[1].1, good.get("policy").expect("a policy"));
}

#[test]
fn session_tokens_are_covered() {
    for (service, field) in [("s3", "x-amz-security-token"), ("s3express", "x-amz-s3session-token")]
    {
        let (signer, policy) = (signer(Some("token/+="), service), usual());
        let signed = signer.sign_form(&policy, now()).expect("a policy");
        let form = posted(&signed, &OPEN, None);
        assert_eq!(form.get(field), Some("token/+="));
        let rules = Verifier::service(service, "us-east-1");
        let secret = SecretKey::new(SECRET).expect("a secret");
        let key = SigningKey::derive(&secret, &scope(service));
        let claim = || rules.read_form(&form).expect("a claim");
        assert_eq!(claim().session_token().expect("a token").to_vec(), b"token/+=");
        let token = |text| SessionToken::new(text).expect("a token");
        let checked = claim().verify_session(&key, token("token/+=")).expect("the token");
        assert!(checked.check(now()).is_ok());
        let unexpected = claim().verify(&key).err();
        assert_eq!(unexpected, Some(VerifyError::SessionTokenUnexpected));
        let other = claim().verify_session(&key, token("other")).err();
        assert_eq!(other, Some(VerifyError::SessionTokenMismatch));
        assert_eq!(claim().refuse_unknown_key(&key), VerifyError::UnknownAccessKey);
    }
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let token = SessionToken::new("token").expect("a token");
    let form = posted(&signed, &OPEN, None);
    let claim = rules().read_form(&form).expect("a claim");
    let missing = claim.verify_session(&key(), token).err();
    assert_eq!(missing, Some(VerifyError::SessionTokenMissing));
    // One that nobody signed needs a condition like all fields, and a key that has one.
    let open = [OPEN[0], OPEN[1], ("x-amz-security-token", "token")];
    let form = posted(&signed, &open, None);
    let claim = rules().read_form(&form).expect("a claim");
    let verified = claim.verify_session(&key(), token).expect("the token");
    assert!(matches!(verified.check(now()).err(), Some(FormError::FieldUncovered { .. })));
}

#[test]
fn nonsense_is_not_signed() {
    use PolicyError as E;
    let signer = signer(None, "s3");
    let refused = |policy: PostPolicy<'_>| signer.sign_form(&policy, now()).map(|_| ()).err();
    let key = || PostPolicy::new(BUCKET).equal(PostField::Key, "k");
    let all = |prefix| key().starts_with(PostField::Meta(""), prefix);
    let sum = |name| key().equal(PostField::Checksum(name), "AAAAAA==");
    let seconds = Duration::from_secs;
    let week = 7 * 24 * 60 * 60;
    for good in [
        key(),
        key().expires_in(seconds(1)),
        key().expires_in(seconds(week)),
        key().expires_at(Timestamp::parse("20160105T000000Z").expect("a time")),
        key().content_length_range(0, u64::MAX),
        key().starts_with(PostField::Meta(""), ""),
        key().equal(PostField::Meta("a"), "\u{e9} \"$<\\"),
        key().equal(PostField::ContentType, " a/b, a/c"),
        sum("crc32").equal(PostField::ChecksumAlgorithm, "CRC32"),
        sum("crc32").starts_with(PostField::Other("Content-MD5"), ""),
        key().equal(PostField::Acl, "private").starts_with(PostField::Meta(""), "x"),
    ] {
        assert_eq!(refused(good.clone()), None, "{good:?}");
    }
    let long = "a".repeat(20_480);
    let names: Vec<_> = (0..255).map(|nth| nth.to_string()).collect();
    let many = names.iter().map(|name| PostField::Meta(name));
    for (policy, error) in [
        (PostPolicy::new(BUCKET), E::KeyMissing),
        (PostPolicy::new(BUCKET).equal(PostField::Acl, "private"), E::KeyMissing),
        (PostPolicy::new(BUCKET).equal(PostField::Key, ""), E::KeyEmpty),
        (PostPolicy::new("").equal(PostField::Key, "k"), E::Bucket),
        (PostPolicy::new("a/b").equal(PostField::Key, "k"), E::Bucket),
        (PostPolicy::new("a?b").equal(PostField::Key, "k"), E::Bucket),
        (key().content_length_range(2, 1), E::Range),
        (sum("crc32").equal(PostField::Checksum("sha256"), "a"), E::ChecksumsMultiple),
        (sum("CRC32").equal(PostField::Other("x-amz-checksum-SHA1"), "a"), E::ChecksumsMultiple),
        (sum("md5").equal(PostField::Checksum("CRC64NVME"), "a"), E::ChecksumsMultiple),
        (key().content_length_range(1, 2).content_length_range(1, 2), E::Repeated),
        (key().starts_with(PostField::Key, ""), E::Repeated),
        (key().equal(PostField::Other("KEY"), "k"), E::Repeated),
        (key().equal(PostField::Acl, "a").equal(PostField::Other("acl"), "a"), E::Repeated),
        (key().expires_in(Duration::ZERO), E::Expiration),
        (key().expires_in(Duration::from_millis(1500)), E::Expiration),
        (key().expires_in(seconds(week + 1)), E::Expiration),
        (key().expires_in(Duration::MAX), E::Expiration),
        (key().expires_at(now()), E::Expiration),
        (key().expires_at(Timestamp::parse("20151228T235959Z").expect("a time")), E::Expiration),
        (key().equal(PostField::Other(""), "a"), E::FieldName),
        (key().equal(PostField::Meta(""), "a"), E::FieldName),
        (key().equal(PostField::Meta("a b"), "a"), E::FieldName),
        (key().equal(PostField::Other("a\"b"), "a"), E::FieldName),
        (key().equal(PostField::Other("bucket"), "a"), E::ReservedField),
        (key().equal(PostField::Date, "a"), E::ReservedField),
        (key().equal(PostField::SecurityToken, "a"), E::ReservedField),
        (key().equal(PostField::Other("X-Amz-Signature"), "a"), E::ReservedField),
        (key().equal(PostField::Other("file"), "a"), E::ReservedField),
        (key().equal(PostField::Other("x-ignore-a"), "a"), E::ReservedField),
        (key().equal(PostField::Meta("a"), "a\r\nb"), E::Value),
        (PostPolicy::new(BUCKET).equal(PostField::Key, "a/${filename}"), E::Filename),
        (PostPolicy::new(BUCKET).starts_with(PostField::Key, "${filename}"), E::Filename),
        (key().starts_with(PostField::StorageClass, ""), E::ExactOnly),
        (key().starts_with(PostField::SuccessActionStatus, "20"), E::ExactOnly),
        (key().starts_with(PostField::ContentType, "image/png,"), E::ContentType),
        (key().starts_with(PostField::ContentType, "a/b, a/c"), E::ContentType),
        (key().starts_with(PostField::Other("content-type"), " image/"), E::ContentType),
        (all("x").equal(PostField::Meta("a"), "1"), E::Metadata),
        (all("x").equal(PostField::Meta("a"), ""), E::Metadata),
        (all("x").starts_with(PostField::Other("X-Amz-Meta-A"), "y"), E::Metadata),
        (key().equal(PostField::Meta("a"), "1").starts_with(PostField::Meta(""), "x"), E::Metadata),
        (key().equal(PostField::Meta("a"), &long), E::TooLong),
        // With what carries it: the value is in the policy once more, in base64.
        (key().equal(PostField::Meta("a"), &long[..8400]), E::TooLong),
        (key().starts_with(PostField::Meta("a"), &long[..8400]), E::TooLong),
        (many.clone().fold(key(), |policy, field| policy.equal(field, "")), E::TooLong),
        (many.fold(key(), |policy, field| policy.starts_with(field, "")), E::TooLong),
    ] {
        assert_eq!(refused(policy.clone()), Some(error), "{policy:?}");
    }
    let tomorrow = Timestamp::parse("20151230T000000Z").expect("a time");
    assert_eq!(signer.sign_form(&key(), tomorrow).err(), Some(E::ScopeDate));
    let elsewhere = self::signer(None, "iam");
    assert_eq!(elsewhere.sign_form(&key(), now()).err(), Some(E::Service));
    let error = Error::from(E::KeyMissing);
    assert_eq!((error.status(Family::S3), error.code(Family::S3)), (500, "InternalError"));
    assert_ne!(E::Token(CredentialError::Empty), E::Service);
}

/// What is signed can be met by a page that sends what open fields have to begin with, whichever
/// condition says so.
#[test]
fn what_is_open_says_how_it_begins() {
    let signer = signer(None, "s3");
    let all = |prefix| {
        PostPolicy::new(BUCKET)
            .equal(PostField::Key, "k")
            .equal(PostField::Meta("a"), "x-1")
            .starts_with(PostField::Meta(""), prefix)
            .starts_with(PostField::ContentType, "text/plain; charset=utf-8")
    };
    for (policy, begins) in [
        (all("x-").starts_with(PostField::Meta("b"), ""), "x-"),
        (all("x-").starts_with(PostField::Meta("b"), "x"), "x-"),
        (all("x-").starts_with(PostField::Other("X-Amz-Meta-B"), "x-y"), "x-y"),
        (all("").starts_with(PostField::Meta("b"), "y"), "y"),
    ] {
        let signed = signer.sign_form(&policy, now()).expect("a policy");
        let open: Vec<_> = signed.open_fields().map(|(name, p)| (name.to_string(), p)).collect();
        assert_eq!(open[0], ("Content-Type".into(), "text/plain; charset=utf-8"));
        assert_eq!(open[1].1, begins);
        let open: Vec<_> = open.iter().map(|(name, prefix)| (name.as_str(), *prefix)).collect();
        assert!(check(&posted(&signed, &open, None), now()).is_ok(), "{policy:?}");
    }
    // So much do the open fields have, and so they are measured.
    let names: Vec<_> = (0..20).map(|nth| nth.to_string()).collect();
    let long = "x".repeat(1000);
    let many = |prefix| {
        let policy = PostPolicy::new(BUCKET).equal(PostField::Key, "k");
        let policy = policy.starts_with(PostField::Meta(""), prefix);
        let names = names.iter();
        names.fold(policy, |policy, name| policy.starts_with(PostField::Meta(name), ""))
    };
    assert_eq!(signer.sign_form(&many(&long[..100]), now()).err(), None);
    assert_eq!(signer.sign_form(&many(&long), now()).err(), Some(PolicyError::TooLong));
}

#[test]
fn a_value_cannot_add_a_condition() {
    let signer = signer(None, "s3");
    let name = "a\"}, [\"starts-with\", \"$key\", \"\"], {\"b\": \"";
    let policy = PostPolicy::new(BUCKET).equal(PostField::Key, name);
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let form = posted(&signed, &[], None);
    assert_eq!(check(&form, now()).expect("held to").key(), name);
    let mut other = Form::new(BUCKET);
    for (field, value) in signed.fields() {
        let value = if field == PostField::Key { "other".into() } else { value.to_string() };
        other.push(field.to_string(), value).expect("a field");
    }
    other.file(None).expect("a file");
    assert!(matches!(
        check(&other, now()).err(),
        Some(Error::Form(FormError::ConditionFailed { .. }))
    ));
}

#[test]
fn json_and_addresses_for_a_page() {
    let signer = signer(None, "s3");
    let policy = PostPolicy::new(BUCKET).starts_with(PostField::Key, "a \"b\"/");
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let url = signed.path_style_url("http://127.0.0.1:9000/");
    assert_eq!(url, "http://127.0.0.1:9000/sigv4examplebucket");
    let hosted = signed.virtual_hosted_url("https://s3.us-east-1.amazonaws.com");
    assert_eq!(hosted, "https://sigv4examplebucket.s3.us-east-1.amazonaws.com/");
    let json = signed.to_json(&url);
    assert!(json.starts_with(r#"{"url":"http://127.0.0.1:9000/sigv4examplebucket","fields":{"key":"a \"b\"/${filename}","policy":""#));
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let fields = value["fields"].as_object().expect("fields");
    assert_eq!(fields.len(), signed.fields().count());
    for (name, value) in signed.fields() {
        assert_eq!(fields[&name.to_string()], value.to_string());
    }
}

#[test]
fn the_bucket_is_the_requests() {
    let (signer, policy) =
        (signer(None, "s3"), PostPolicy::new("other").equal(PostField::Key, "k"));
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let form = |bucket: &str, field: Option<&str>| {
        let mut form = Form::new(bucket);
        for (name, value) in signed.fields() {
            form.push(name.to_string(), value.to_string()).expect("a field");
        }
        if let Some(field) = field {
            form.push("bucket", field).expect("a field");
        }
        form.file(None).expect("a file");
        form
    };
    assert!(check(&form("other", None), now()).is_ok());
    assert!(check(&form("other", Some("other")), now()).is_ok());
    let failed = form(BUCKET, None);
    let error = check(&failed, now()).expect_err("another bucket");
    assert_eq!(error, FormError::ConditionFailed { nth: 0 }.into());
    assert_eq!(
        answer(error, &failed).2,
        "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"other\"]"
    );
    let conflict = Some(Error::from(FormError::BucketConflict));
    assert_eq!(check(&form(BUCKET, Some("other")), now()).err(), conflict);
}

#[test]
fn a_form_has_one_claim() {
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let with = |open: &[(&str, &str)]| {
        let open: Vec<_> = OPEN.iter().chain(open).copied().collect();
        rules().read_form(&posted(&signed, &open, None)).map(|_| ()).err()
    };
    assert_eq!(with(&[("signature", "a")]), Some(ReadError::TwoMechanisms.into()));
    let both = [("AWSAccessKeyId", "a"), ("signature", "b")];
    assert_eq!(with(&both), Some(ReadError::TwoMechanisms.into()));
    assert_eq!(with(&[("AWSAccessKeyId", "a")]), None);
    let form = posted(&signed, &[OPEN[0], OPEN[1], ("AWSAccessKeyId", "a")], None);
    assert!(check(&form, now()).is_ok(), "it claims nothing, and needs no condition");

    let of = |fields: &[(&str, &str)]| {
        let mut form = Form::new(BUCKET);
        fields.iter().for_each(|(name, value)| form.push(*name, *value).expect("a field"));
        form.file(None).expect("a file");
        rules().read_form(&form).map(|_| ()).err()
    };
    assert_eq!(of(&[("key", "k")]), Some(ReadError::Anonymous.into()));
    let v2 = [("key", "k"), ("policy", "p"), ("AWSAccessKeyId", "a"), ("signature", "b")];
    assert_eq!(of(&v2), Some(ReadError::SignatureV2.into()));
    let some = of(&[("key", "k"), ("policy", "p")]);
    assert_eq!(some, Some(FormError::FieldMissing(PostField::Algorithm)));
    let token = of(&[("key", "k"), ("x-amz-security-token", "t")]);
    assert_eq!(token, Some(FormError::FieldMissing(PostField::Policy)));
    let elsewhere = Verifier::service("iam", "us-east-1");
    let form = posted(&signed, &OPEN, None);
    let error = elsewhere.read_form(&form).err();
    assert_eq!(error, Some(FormError::Read(ReadError::FormNotSupported)));
    assert_eq!(Error::from(FormError::Read(ReadError::Anonymous)), ReadError::Anonymous.into());
    assert_eq!(
        of(&[
            ("policy", "p"),
            ("key", "k"),
            ("x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"),
            ("x-amz-credential", "c"),
            ("x-amz-date", "d"),
            ("x-amz-signature", "s")
        ]),
        Some(ReadError::SignatureV4a(Mechanism::Form).into())
    );
    assert_eq!(ConditionOperator::ContentLengthRange.as_str(), "content-length-range");
}

#[test]
fn what_a_form_holds_is_bounded() {
    let mut form = Form::new(BUCKET);
    for nth in 0..Form::MAX_FIELDS {
        form.push(format!("x-ignore-{nth}"), "").expect("a field");
    }
    assert_eq!(form.push("x-ignore-last", ""), Err(FormError::TooManyFields));
    let mut form = Form::new(BUCKET);
    form.push("x-ignore-a", "a".repeat(Form::MAX_LEN - 10)).expect("just so long");
    assert_eq!(form.push("b", ""), Err(FormError::TooLong));
    assert_eq!(form.file(Some("a")), Err(FormError::TooLong));
    assert_eq!(form.file(None), Ok(()));
    assert_eq!(form.file(None), Err(FormError::FilesMultiple));
    assert_eq!(form.push("", ""), Err(FormError::FieldAfterFile));
    let mut form = Form::new(BUCKET);
    for name in ["", "a b", "a\n", "\u{e9}", "file", "FILE", "a\"b"] {
        assert_eq!(form.push(name, ""), Err(FormError::FieldName), "{name:?}");
    }
    assert_eq!(form.push("Key", ""), Ok(()));
    assert_eq!(form.push("kEY", ""), Err(FormError::FieldRepeated));
    assert!(!format!("{form:?}").contains("secret"));

    // A short value can ask for a long name many times.
    let (signer, policy) = (signer(None, "s3"), usual());
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    let many = "${filename}".repeat(100);
    let form = posted(&signed, &[OPEN[0], ("x-amz-meta-tag", &many)], Some(&"a".repeat(300)));
    assert_eq!(check(&form, now()).err(), Some(FormError::TooLong.into()));
}
