//! `countersign sign` and `countersign presign`, and back through `countersign verify`.

use serde_json::json;

use super::{
    AT, GET_OBJECT, GET_OBJECT_CANONICAL, GET_OBJECT_STRING_TO_SIGN, GET_OBJECT_UNSIGNED, ID,
    SECRET, TEMPORARY_ID, TEMPORARY_SECRET, TOKEN, credentials, refused, run, run_with_file, sign,
    verify,
};

const URL: &str = "https://examplebucket.s3.amazonaws.com/test.txt";

/// The example of the Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters".
const PRESIGNED: &str = "https://examplebucket.s3.amazonaws.com/test.txt?\
    X-Amz-Algorithm=AWS4-HMAC-SHA256&\
    X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&\
    X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
    X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const PRESIGNED_STRING_TO_SIGN: &str = "AWS4-HMAC-SHA256\n\
    20130524T000000Z\n\
    20130524/us-east-1/s3/aws4_request\n\
    3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04";

const PUT: &str = "PUT /a%20b/\u{fc}?x=2&x=1&acl HTTP/1.1\r\n\
    Host: h:9000\r\n\
    X-Amz-Meta-A:  b\r\n  c\r\n\
    Content-Length: 5\r\n\
    User-Agent: a\r\n\
    \r\n\
    hello";
const POST: &str = "POST /a/../b HTTP/1.1\nHost: h\nContent-Length: 6\n\nAction";

/// The request that a client makes of a presigned URL.
fn get(url: &str, fields: &str) -> String {
    let (_, rest) = url.trim_end().split_once("://").expect("a URL");
    let (host, path) = rest.split_once('/').expect("a path");
    format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
}

#[test]
fn signed_requests_are_valid() {
    for (service, request, len) in [
        ("s3", GET_OBJECT_UNSIGNED, 0),
        ("s3", PUT, 5),
        ("sts", GET_OBJECT_UNSIGNED, 0),
        ("sts", POST, 6),
    ] {
        let signed = sign("sign", service, &["-"], request);
        assert_eq!(signed.code, 0, "{}", signed.err);
        let run = verify(service, &["--json"], &signed.out);
        assert_eq!(run.code, 0, "{}", run.text());
        let object = run.object();
        assert_eq!(object["mechanism"], "header");
        assert_eq!(object["content"], "digest");
        assert_eq!(object["decoded_length"], len);
        let longer = [&signed.out[..], b"!"].concat();
        assert_eq!(verify(service, &[], longer).code, 1);
    }
}

#[test]
fn a_body_can_be_left_uncovered() {
    let signed = sign("sign", "s3", &["--unsigned-payload", "-"], PUT);
    let run = verify("s3", &["--json"], &signed.out);
    assert_eq!((run.code, &run.object()["content"]), (0, &json!("UNSIGNED-PAYLOAD")));
    let run = verify("s3", &[], &signed.out);
    assert!(run.text().starts_with("valid: the signature does not cover the body\n"));
    // Most services do not take that.
    let signed = sign("sign", "sts", &["--unsigned-payload", "-"], POST);
    let run = verify("sts", &["--json"], &signed.out);
    assert_eq!(run.refusal(), refused("read", "SignatureDoesNotMatch", 403));
}

#[test]
fn some_requests_are_not_signed() {
    for (request, reason) in [
        (GET_OBJECT, "signed before"),
        ("GET / HTTP/1.1\r\n\r\n", "no host"),
        ("GET /\r\nHost: h\r\n\r\n", "no version"),
        ("", "empty"),
        (&format!("{PUT}\n"), "longer than it says"),
    ] {
        let run = sign("sign", "s3", &["-"], request);
        assert_eq!((run.code, run.text()), (2, ""), "{reason}");
        assert!(run.err.starts_with("error: "), "{}", run.err);
    }
}

#[test]
fn presigned_urls_are_valid() {
    let run = sign("presign", "s3", &["GET", URL, "--expires", "86400"], "");
    assert_eq!(run.text().trim_end(), PRESIGNED);
    let verified = verify("s3", &["--json"], get(run.text(), ""));
    let object = verified.object();
    assert_eq!((verified.code, &object["mechanism"]), (0, &json!("query")));
    assert_eq!(object["content"], "UNSIGNED-PAYLOAD");
    let put = get(run.text(), "").replace("GET", "PUT");
    let refusal = verify("s3", &["--json"], put).refusal();
    assert_eq!(refusal, refused("verify", "SignatureDoesNotMatch", 403));

    let arguments = ["GET", "http://h:80?a=b", "--expires", "1"];
    let fields = ["-H", "x-amz-meta-a: b", "-H", "Range:bytes=0-9"];
    for service in ["s3", "sts"] {
        let run = sign("presign", service, &[&arguments[..], &fields].concat(), "");
        let url = run.text().replace("h:80", "h");
        assert!(url.starts_with("http://h/?a=b&X-Amz-Algorithm="), "{url}");
        let all = get(&url, "X-Amz-Meta-A: b\r\nRange: bytes=0-9\r\n");
        assert_eq!(verify(service, &[], all).code, 0);
        assert_eq!(verify(service, &[], get(&url, "X-Amz-Meta-A: b\r\n")).code, 1);
    }

    for expires in ["0", "604801", "-1", "soon"] {
        assert_eq!(sign("presign", "s3", &["GET", URL, "--expires", expires], "").code, 2);
    }
    for url in ["/test.txt", "ftp://h/", "https://h/#a", PRESIGNED] {
        assert_eq!(sign("presign", "s3", &["GET", url, "--expires", "600"], "").code, 2, "{url}");
    }
}

#[test]
fn session_tokens_go_along() {
    let (_directory, path) = credentials();
    let presign = |more: &[&str], variables: &[(&str, &str)]| {
        let run = run(|command| {
            command.args(["presign", "GET", URL, "--expires", "600", "--service", "s3"]);
            command.args(["--at", AT, "--region", "us-east-1", "--access-key-id", TEMPORARY_ID]);
            command.args(more).envs(variables.iter().copied())
        });
        assert_eq!(run.code, 0, "{}", run.err);
        let verified = run_with_file(&path, &["verify", "--json", "-"], get(run.text(), ""));
        (verified.code, verified.object()["access_key_id"].clone())
    };
    let valid = (0, json!(TEMPORARY_ID));
    let secret = ["--secret-access-key", TEMPORARY_SECRET];
    let token = ["--session-token", TOKEN];
    let secret_variable = ("AWS_SECRET_ACCESS_KEY", TEMPORARY_SECRET);
    let token_variable = ("AWS_SESSION_TOKEN", TOKEN);
    assert_eq!(presign(&[secret, token].concat(), &[]), valid);
    assert_eq!(presign(&token, &[secret_variable]), valid);
    assert_eq!(presign(&[], &[secret_variable, token_variable]), valid);
    assert_eq!(presign(&secret, &[token_variable]).0, 1, "no token");
}

#[test]
fn the_environment_has_keys_too() {
    let (_directory, path) = credentials();
    let credential = |variables: &[(&str, &str)], more: &[&str]| {
        let run = run(|command| {
            command.args(["sign", "--service", "s3", "--at", AT]).args(more).arg("-");
            command.envs(variables.iter().copied()).write_stdin(GET_OBJECT_UNSIGNED)
        });
        let (_, credential) = run.text().split_once("Credential=").unwrap_or_default();
        (run.code, credential.split(',').next().unwrap_or_default().to_owned())
    };
    let of = |id: &str, region: &str| (0, format!("{id}/20130524/{region}/s3/aws4_request"));
    let nothing = (2, String::new());
    let key = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let region = ("AWS_REGION", "eu-west-1");
    let default_region = ("AWS_DEFAULT_REGION", "eu-west-2");
    let file = ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().expect("text"));
    let temporary = ("AWS_PROFILE", "temporary");

    assert_eq!(credential(&[key[0], key[1], default_region], &[]), of(ID, "eu-west-2"));
    let regions = [key[0], key[1], region, default_region];
    assert_eq!(credential(&regions, &[]), of(ID, "eu-west-1"));
    assert_eq!(credential(&regions, &["--region", "eu-west-3"]), of(ID, "eu-west-3"));
    assert_eq!(credential(&[region, file], &[]), of(ID, "eu-west-1"));
    assert_eq!(credential(&[region, file, temporary], &[]), of(TEMPORARY_ID, "eu-west-1"));
    let all = [key[0], key[1], region, file, temporary];
    assert_eq!(credential(&all, &[]), of(ID, "eu-west-1"));
    assert_eq!(credential(&all, &["--profile", "temporary"]), of(TEMPORARY_ID, "eu-west-1"));

    assert_eq!(credential(&key, &[]), nothing, "no region");
    assert_eq!(credential(&[region], &[]), nothing, "no key");
    assert_eq!(credential(&[region, key[0]], &[]), nothing, "half a key");
    assert_eq!(credential(&[region, file], &["--profile", "role"]), nothing, "no key in it");
    assert_eq!(credential(&[region, file], &["--profile", "none"]), nothing, "no such profile");
}

#[test]
fn the_intermediate_texts_are_the_documented_ones() {
    let texts = [("canonical", GET_OBJECT_CANONICAL), ("sts", GET_OBJECT_STRING_TO_SIGN)];
    for (show, expected) in texts {
        let run = sign("sign", "s3", &["--show", show, "-"], GET_OBJECT_UNSIGNED);
        assert_eq!((run.code, run.text()), (0, expected));
        let run = verify("s3", &["--show", show], GET_OBJECT);
        assert_eq!((run.code, run.text()), (0, expected));
        assert!(run.err.starts_with("valid\n"), "{}", run.err);
    }
    let run = verify("s3", &["--show", "canonical"], GET_OBJECT.replace("0-9", "0-8"));
    let expected = GET_OBJECT_CANONICAL.replace("0-9", "0-8");
    assert_eq!((run.code, run.text()), (1, &expected[..]));
    assert!(run.err.starts_with("invalid: "), "{}", run.err);

    let arguments = ["GET", URL, "--expires", "86400", "--show", "sts"];
    let run = sign("presign", "s3", &arguments, "");
    assert_eq!((run.code, run.text()), (0, PRESIGNED_STRING_TO_SIGN));
}
