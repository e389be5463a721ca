//! `countersign verify` of forms, as browsers post them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use countersign::{
    AccessKeyId, ChecksumAlgorithm, CredentialScope, Credentials, PostField, PostPolicy, SecretKey,
    SessionToken, Signer, Timestamp,
};
use serde_json::{Value, json};

use super::{
    AT, ID, Refusal, Run, SECRET, TEMPORARY_ID, TEMPORARY_SECRET, TOKEN, credentials, refused, run,
    run_with_file, verify, verify_at,
};

const JSON: &[&str] = &["--json"];
const FILE: &str = "the bytes of the file";

/// The fields of a form for the bucket `b`, and for [`FILE`].
fn fields(id: &str, secret: &str, token: Option<&str>) -> Vec<(String, String)> {
    let now = Timestamp::parse(AT).expect("a time");
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(id).expect("a name"),
        secret_key: SecretKey::new(secret).expect("a secret"),
        session_token: token.map(|token| SessionToken::new(token).expect("a token")),
    };
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let signer = Signer::new(&credentials, scope).expect("a scope");
    let checksum = ChecksumAlgorithm::Crc32c.of(FILE.as_bytes()).to_string();
    let policy = PostPolicy::new("b")
        .starts_with(PostField::Key, "up/")
        .equal(PostField::Acl, "private")
        .equal(PostField::Other("x-amz-checksum-crc32c"), &checksum)
        .content_length_range(1, 30);
    let form = signer.sign_form(&policy, now).expect("a policy");
    form.fields().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn part(name: &str, value: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn posted(target: &str, host: &str, fields: &[(String, String)], file: &str) -> String {
    let fields: String = fields.iter().map(|(name, value)| part(name, value)).collect();
    format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\n\
         Content-Type: multipart/form-data; boundary=edge\r\n\r\n{fields}\
         --edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{file}\r\n--edge--\r\n"
    )
}

/// A form that is good.
fn good() -> String {
    posted("/b", "localhost:9000", &fields(ID, SECRET, None), FILE)
}

#[test]
fn a_signed_form_is_valid() {
    let run = verify("s3", JSON, good());
    assert_eq!(run.code, 0);
    assert_eq!(
        run.object(),
        json!({
            "verdict": "valid", "mechanism": "form", "access_key_id": ID, "content": null,
            "stage": null, "code": null, "status": null, "message": null,
            "decoded_length": FILE.len(),
        })
    );
    let run = verify("s3", &[], good());
    let remark = "valid: the signature does not cover the body\n";
    assert!(run.text().starts_with(remark), "{}", run.text());
    // A form is good until its policy expires, ten minutes later here.
    assert_eq!(verify_at("20130524T000959Z", "s3", JSON, good()).code, 0);
}

#[test]
fn the_bucket_is_that_of_path_or_host() {
    let fields = fields(ID, SECRET, None);
    for (target, host) in [
        ("/b/", "localhost"),
        ("/%62", "127.0.0.1:9000"),
        ("/", "b.s3.us-east-1.amazonaws.com"),
        ("/", "b.localhost:9000"),
        ("http://b.localhost/", "b.localhost"),
    ] {
        let run = verify("s3", JSON, posted(target, host, &fields, FILE));
        assert_eq!(run.code, 0, "{target} of {host}: {}", run.text());
    }
    let other = verify("s3", JSON, posted("/c", "b.s3.amazonaws.com", &fields, FILE));
    assert_eq!(other.refusal(), refused("verify", "AccessDenied", 403));
    for (target, host) in
        [("/", "localhost"), ("/", "127.0.0.1"), ("/b/key", "h"), ("/b?acl", "h"), ("/%ff", "h")]
    {
        let run = verify("s3", JSON, posted(target, host, &fields, FILE));
        assert_eq!(run.refusal(), refused("read", "InvalidURI", 400), "{target} of {host}");
    }
}

#[test]
fn temporary_keys_come_with_their_token() {
    let (_directory, path) = credentials();
    let form = |token| {
        let fields = fields(TEMPORARY_ID, TEMPORARY_SECRET, token);
        run_with_file(&path, &["verify", "--json", "-"], posted("/b", "h", &fields, FILE))
    };
    assert_eq!(form(Some(TOKEN)).code, 0);
    assert_eq!(form(Some("another")).refusal(), refused("verify", "InvalidToken", 400));
    assert_eq!(form(None).refusal(), refused("verify", "InvalidAccessKeyId", 403));
}

/// One fault, and where it has to be seen.
#[test]
fn each_stage_refuses() {
    let with = |from: &str, to: &str| {
        let form = good();
        assert!(form.contains(from), "{from}");
        verify("s3", JSON, form.replace(from, to)).refusal()
    };
    let last = "--edge--\r\n";
    let field = part("more", "value");
    let second = field.replace("more\"", "file\"; filename=\"b\"");
    let (long, short) = ("l".repeat(31), String::new());
    let malformed = |stage| refused(stage, "MalformedPOSTRequest", 400);
    let denied = refused("verify", "AccessDenied", 403);
    let cases: [(&str, &str, Refusal); 15] = [
        ("name=\"x-amz-date\"", "name=\"acl\"", malformed("read")),
        ("name=\"x-amz-date\"", "name=\"x\"", refused("read", "InvalidArgument", 400)),
        ("name=\"file\"", "name=\"f\"", malformed("read")),
        ("boundary=edge", "boundary=hedge", malformed("read")),
        ("Content-Type: multi", "Authorization: a\r\nContent-Type: multi", {
            refused("read", "InvalidArgument", 400)
        }),
        ("/us-east-1/", "/us-east-2/", refused("read", "InvalidArgument", 400)),
        (ID, "AKIAI44QH8DHBEXAMPLE", refused("key", "InvalidAccessKeyId", 403)),
        ("\r\n\r\nprivate", "\r\n\r\npublic-read", denied.clone()),
        ("name=\"acl\"", "name=\"Tagging\"", denied.clone()),
        ("\r\n\r\nup/", "\r\n\r\nother/", denied),
        (FILE, &long, refused("feed", "EntityTooLarge", 400)),
        (FILE, &short, refused("finish", "EntityTooSmall", 400)),
        (FILE, "the bytes of another", refused("finish", "BadDigest", 400)),
        (last, &format!("{field}{last}"), malformed("feed")),
        (last, &format!("{second}{last}"), {
            refused("feed", "IncorrectNumberOfFilesInPostRequest", 400)
        }),
    ];
    for (from, to, expected) in cases {
        assert_eq!(with(from, to), expected, "{from} for {to}");
    }
    let late = verify_at("20130524T001000Z", "s3", JSON, good());
    assert_eq!(late.refusal(), refused("verify", "AccessDenied", 403));
    let bare = posted("/b", "h", &[("key".into(), "up/a".into())], FILE);
    assert_eq!(verify("s3", JSON, bare).refusal(), refused("read", "AccessDenied", 403));
    let old = [("key", "up/a"), ("AWSAccessKeyId", ID), ("signature", "c2ln"), ("policy", "e30=")];
    let old = old.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let old = verify("s3", JSON, posted("/b", "h", &old, FILE));
    assert_eq!(old.refusal(), refused("read", "InvalidRequest", 400));
}

#[test]
fn the_policy_is_what_was_signed() {
    let form = good();
    let sts = verify("s3", &["--show", "sts"], &form);
    let policy = BASE64_STANDARD.decode(&sts.out).expect("base64");
    let policy: Value = serde_json::from_slice(&policy).expect("JSON");
    assert_eq!(policy["conditions"][0], json!({"bucket": "b"}));
    assert!(sts.code == 0 && sts.err.starts_with("valid"), "{}", sts.err);
    // A form has no canonical request.
    let canonical = verify("s3", &["--show", "canonical"], &form);
    assert_eq!((canonical.code, canonical.text()), (0, ""));
}

/// What is missing at the end is missed; the line end behind the last boundary is no part of a form.
#[test]
fn every_proper_prefix_is_refused() {
    let form = good();
    let head = form.find("\r\n\r\n").expect("a head") + 4;
    let lines: String = (head..=form.len())
        .map(|len| {
            let line = json!({
                "id": len, "at": AT, "region": "us-east-1", "service": "s3",
                "credentials": [{"access_key_id": ID, "secret_access_key": SECRET}],
                "request": BASE64_STANDARD.encode(&form[..len]),
            });
            format!("{line}\n")
        })
        .collect();
    let run: Run = run(|command| command.args(["verify", "--jsonl", "-"]).write_stdin(lines));
    assert_eq!(run.code, 0);
    let end = u64::try_from(form.len()).expect("a number") - 2;
    for object in run.objects() {
        let whole = object["id"].as_u64().expect("a number") >= end;
        assert_eq!(object["verdict"] == "valid", whole, "{object}");
    }
}
