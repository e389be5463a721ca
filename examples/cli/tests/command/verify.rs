//! `countersign verify`.

use serde_json::json;

use super::{
    AT, GET_OBJECT, GET_OBJECT_UNSIGNED, ID, SECRET, TEMPORARY_ID, TEMPORARY_SECRET, TOKEN,
    credentials, refused, run, run_with_file, verify, verify_at,
};

const JSON: &[&str] = &["--json"];

#[test]
fn the_documented_request_is_valid() {
    let run = verify("s3", JSON, GET_OBJECT);
    assert_eq!(run.code, 0);
    assert_eq!(run.text().lines().count(), 1);
    assert_eq!(
        run.object(),
        json!({
            "verdict": "valid", "mechanism": "header", "access_key_id": ID, "content": "digest",
            "stage": null, "code": null, "status": null, "message": null, "decoded_length": 0,
        })
    );
    let run = verify("s3", &[], GET_OBJECT);
    assert_eq!(run.code, 0);
    assert!(run.text().starts_with("valid\n"), "{}", run.text());
    assert!(run.text().contains("\n  key          AKIAIOSFODNN7EXAMPLE\n"), "{}", run.text());
    // Bare line feeds are line ends, too.
    assert_eq!(verify("s3", &[], GET_OBJECT.replace('\r', "")).code, 0);
}

#[test]
fn a_tampered_request_is_not() {
    let tampered = GET_OBJECT.replace("bytes=0-9", "bytes=0-8");
    let run = verify("s3", JSON, &tampered);
    assert_eq!(run.refusal(), refused("verify", "SignatureDoesNotMatch", 403));
    let object = run.object();
    assert_eq!(object["mechanism"], "header");
    assert_eq!(object["access_key_id"], ID);
    assert_eq!(object["content"], "digest");

    let run = verify("s3", &[], &tampered);
    assert_eq!(run.code, 1);
    assert!(run.text().starts_with("invalid: the signature does not match\n"), "{}", run.text());
    assert!(run.text().contains("\n  claimed key  AKIAIOSFODNN7EXAMPLE\n"), "{}", run.text());
}

#[test]
fn each_stage_refuses() {
    let unknown = verify("s3", JSON, GET_OBJECT.replace(ID, "AKIAI44QH8DHBEXAMPLE"));
    assert_eq!(unknown.refusal(), refused("key", "InvalidAccessKeyId", 403));
    assert_eq!(unknown.object()["access_key_id"], "AKIAI44QH8DHBEXAMPLE");

    let late = verify_at("20130524T001501Z", "s3", JSON, GET_OBJECT);
    assert_eq!(late.refusal(), refused("read", "RequestTimeTooSkewed", 403));
    assert_eq!(late.object()["mechanism"], "header");

    let more = verify("s3", JSON, format!("{GET_OBJECT}more"));
    assert_eq!(more.refusal(), refused("finish", "XAmzContentSHA256Mismatch", 400));
    let announced = |body: &str| {
        GET_OBJECT.replace("\r\n\r\n", &format!("\r\nContent-Length: 3\r\n\r\n{body}"))
    };
    let long = verify("s3", JSON, announced("abcd"));
    assert_eq!(long.refusal(), refused("feed", "IncompleteBody", 400));
    let short = verify("s3", JSON, announced("ab"));
    assert_eq!(short.refusal(), refused("finish", "IncompleteBody", 400));

    let anonymous = verify("s3", JSON, GET_OBJECT_UNSIGNED);
    assert_eq!(anonymous.refusal(), refused("read", "AccessDenied", 403));
    let object = anonymous.object();
    assert_eq!(object["mechanism"], "anonymous");
    assert!(object["access_key_id"].is_null() && object["content"].is_null());
    // The same fault of another service has that service's name.
    let other = verify("sts", JSON, GET_OBJECT_UNSIGNED);
    assert_eq!(other.refusal(), refused("read", "MissingAuthenticationToken", 403));
}

#[test]
fn it_is_said_what_a_refused_request_tried() {
    let form = "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=a\r\n";
    for (head, expected) in [
        ("GET /?X-Amz-Signature=a HTTP/1.1\r\n", "query"),
        ("GET /?AWSAccessKeyId=a&Expires=1&Signature=b HTTP/1.1\r\n", "query"),
        ("GET / HTTP/1.1\r\nAuthorization: AWS a:b\r\n", "header"),
        (form, "form"),
        ("GET / HTTP/1.1\r\n", "anonymous"),
    ] {
        let run = verify("s3", JSON, format!("{head}Host: h\r\n\r\n"));
        assert_eq!((run.code, &run.object()["mechanism"]), (1, &json!(expected)), "{head}");
    }
}

#[test]
fn malformed_requests_are_refused() {
    let with_field =
        |line: &str| GET_OBJECT.replace("Range:", &format!("{line}\r\nRange:")).into_bytes();
    for line in ["no colon", "a : blank", ": no name", "a: control\x01", "a: carriage\rreturn"] {
        let run = verify("s3", JSON, with_field(line));
        assert_eq!(run.refusal(), refused("read", "BadRequest", 400), "{line:?}");
        assert_eq!(run.object()["mechanism"], "header");
    }
    let run = verify("s3", JSON, GET_OBJECT.replace("GET /test.txt HTTP/1.1", "GET"));
    assert_eq!(run.refusal(), refused("read", "BadRequest", 400));
    let not_utf8 = [b"GET /\xff", &GET_OBJECT.as_bytes()[5..]].concat();
    let run = verify("s3", JSON, not_utf8);
    assert_eq!(run.refusal(), refused("read", "InvalidURI", 400));
    let run = verify("s3", JSON, with_field(&format!("a: {}", "b".repeat(64 * 1024))));
    assert_eq!(run.refusal(), refused("read", "RequestHeaderSectionTooLarge", 400));
}

#[test]
fn bad_usage_and_unreadable_inputs() {
    for unreadable in ["", "\r\n", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        let run = verify("s3", JSON, unreadable);
        assert_eq!((run.code, run.text()), (2, ""), "{unreadable:?}");
        assert!(run.err.starts_with("error: the request "), "{}", run.err);
    }

    let code = |more: &[&str], file: &str| {
        let run = run(|command| {
            command.args(["verify", "--region", "us-east-1", "--service", "s3"]);
            command.args(more).arg(file).write_stdin(GET_OBJECT)
        });
        assert!(run.out.is_empty() && !run.err.is_empty());
        run.code
    };
    let key = ["--access-key-id", ID, "--secret-access-key", SECRET];
    assert_eq!(code(&key, "/no/such/file"), 2);
    assert_eq!(code(&[], "-"), 2, "no credentials");
    assert_eq!(code(&["--credentials", "/no/such/file"], "-"), 2);
    assert_eq!(code(&["--access-key-id", ID], "-"), 2, "no secret");
    assert_eq!(code(&["--access-key-id", ID, "--secret-access-key", ""], "-"), 2);
    assert_eq!(code(&["--secret-access-key", SECRET], "-"), 2, "no name");
    assert_eq!(code(&[&key[..], &["--at", "today"]].concat(), "-"), 2);
    assert_eq!(code(&[&key[..], &["--jsonl", "-"]].concat(), "-"), 2);
    assert_eq!(code(&["--secret-acces-key", SECRET], "-"), 2);
    assert_eq!(code(&[&format!("--secret-acces-key={SECRET}")], "-"), 2);
    assert_eq!(run(|command| command).code, 2);
    assert_eq!(run(|command| command.arg("--help")).code, 0);
}

#[test]
fn every_profile_is_a_known_key() {
    let (_directory, path) = credentials();
    let verify_with_file =
        |request: &[u8]| run_with_file(&path, &["verify", "--json", "-"], request);
    assert_eq!(verify_with_file(GET_OBJECT.as_bytes()).code, 0);

    let sign = ["sign", "--profile", "temporary", "-"];
    let signed = run_with_file(&path, &sign, GET_OBJECT_UNSIGNED);
    assert!(signed.text().contains(&format!("\r\nx-amz-security-token: {TOKEN}\r\n")));
    let run = verify_with_file(&signed.out);
    assert_eq!((run.code, &run.object()["access_key_id"]), (0, &json!(TEMPORARY_ID)));

    let other_token = signed.text().replace(TOKEN, "another");
    let run = verify_with_file(other_token.as_bytes());
    assert_eq!(run.refusal(), refused("verify", "InvalidToken", 400));
    let run = verify_with_file(&signed_without_token());
    assert_eq!(run.refusal(), refused("verify", "InvalidAccessKeyId", 403));
    // The token that came in is not said again.
    let tampered = signed.text().replace("bytes=0-9", "bytes=0-8");
    for service in ["s3", "sts"] {
        let run = verify(service, &[], &tampered);
        assert!(run.code == 1 && !run.text().contains(TOKEN), "{}", run.text());
    }
}

/// A request signed with the temporary key as if it had no token.
fn signed_without_token() -> Vec<u8> {
    let run = run(|command| {
        command.args(["sign", "--access-key-id", TEMPORARY_ID]);
        command.args(["--secret-access-key", TEMPORARY_SECRET]);
        command.args(["--region", "us-east-1", "--service", "s3", "--at", AT, "-"]);
        // A token of the environment does not go with a secret of the command line.
        command.env("AWS_SESSION_TOKEN", TOKEN).write_stdin(GET_OBJECT_UNSIGNED)
    });
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}
