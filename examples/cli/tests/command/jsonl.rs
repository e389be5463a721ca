//! `countersign verify --jsonl`.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{AT, GET_OBJECT, ID, Run, SECRET, TEMPORARY_ID, TEMPORARY_SECRET, TOKEN, run};

fn line(id: impl Into<Value>, request: &str) -> Value {
    json!({
        "id": id.into(), "at": AT, "region": "us-east-1", "service": "s3",
        "credentials": [
            {
                "access_key_id": TEMPORARY_ID,
                "secret_access_key": TEMPORARY_SECRET,
                "session_token": TOKEN,
            },
            {"access_key_id": ID, "secret_access_key": SECRET},
        ],
        "request": BASE64_STANDARD.encode(request),
    })
}

fn good_lines() -> [Value; 3] {
    [
        line("valid", GET_OBJECT),
        line(2, &GET_OBJECT.replace("0-9", "0-8")),
        line("malformed", "GET / HTTP/1.1\r\nno field\r\n\r\n"),
    ]
}

/// Lines that are not understood, secrets at the wrong places among them.
fn bad_lines() -> Vec<Value> {
    let mut lines = vec![line("unfinished", "GET / HTTP/1.1\r\n"), line("empty", "")];
    for (name, value) in [
        ("at", json!("today")),
        ("at", json!(SECRET)),
        ("region", json!(null)),
        ("service", json!(1)),
        ("credentials", json!(SECRET)),
        ("credentials", json!([{"access_key_id": ID}])),
        ("credentials", json!([{"access_key_id": SECRET, "secret_access_key": 5}])),
        ("credentials", json!([{"access_key_id": ID, "secret_access_key": ""}])),
        ("request", json!(format!("{SECRET}!"))),
    ] {
        let mut line = line(name, GET_OBJECT);
        line[name] = value;
        lines.push(line);
    }
    lines
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn jsonl(input: String) -> Run {
    run(|command| command.args(["verify", "--jsonl", "-"]).write_stdin(input))
}

#[test]
fn each_line_has_its_object() {
    let run = jsonl(text(&good_lines()));
    assert_eq!(run.code, 0);
    let objects = run.objects();
    assert_eq!(objects.len(), 3);
    assert_eq!(
        objects[0],
        json!({
            "id": "valid", "verdict": "valid", "mechanism": "header", "access_key_id": ID,
            "content": "digest", "stage": null, "code": null, "status": null, "message": null,
            "decoded_length": 0,
        })
    );
    assert_eq!(objects[1]["id"], 2);
    assert_eq!(objects[1]["code"], "SignatureDoesNotMatch");
    assert_eq!(objects[2]["id"], "malformed");
    assert_eq!((&objects[2]["stage"], &objects[2]["code"]), (&json!("read"), &json!("BadRequest")));
}

#[test]
fn the_run_goes_on_after_a_bad_line() {
    let (good, bad) = (good_lines(), bad_lines());
    let run = jsonl(format!("{}not JSON {SECRET}\n\n[]\n{}", text(&bad), text(&good)));
    assert_eq!(run.code, 2);
    let objects = run.objects();
    let ids = bad.iter().map(|line| &line["id"]).chain([&Value::Null; 2]);
    let (of_bad, of_good) = objects.split_at(bad.len() + 2);
    for (object, id) in of_bad.iter().zip(ids) {
        assert_eq!(&object["id"], id);
        assert_eq!((&object["verdict"], &object["stage"]), (&json!("invalid"), &json!("read")));
        assert_eq!((&object["code"], &object["status"]), (&json!("BadRequest"), &json!(400)));
        assert!(object["message"].is_string() && object["mechanism"].is_null());
    }
    assert_eq!(of_good.len(), good.len());
    assert_eq!(of_good[0]["verdict"], "valid");
}

#[test]
fn lines_come_from_files_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("lines");
    // The last line needs no end.
    fs::write(&path, line(1, GET_OBJECT).to_string()).expect("a file");
    let run = run(|command| command.args(["verify", "--jsonl"]).arg(&path));
    assert_eq!((run.code, run.objects().len()), (0, 1));
    let run = super::run(|command| command.args(["verify", "--jsonl", "/no/such/file"]));
    assert_eq!((run.code, run.text()), (2, ""));
}
