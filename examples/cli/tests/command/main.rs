//! The command from outside: arguments and files in; texts, objects and exit codes out.

mod form;
mod jsonl;
mod sign;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::Value;
use tempfile::TempDir;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TEMPORARY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
const TEMPORARY_SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
const TOKEN: &str = "AQoEXAMPLEH4aoAH0gNCAPy/+rcrjfsVi2Mcu==";
const AT: &str = "20130524T000000Z";

/// The example "GET Object" of the Amazon S3 API Reference, "Authenticating Requests: Using the
/// Authorization Header".
const GET_OBJECT: &str = "GET /test.txt HTTP/1.1\r\n\
    Host: examplebucket.s3.amazonaws.com\r\n\
    Authorization: AWS4-HMAC-SHA256 \
    Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
    SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
    Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n\
    Range: bytes=0-9\r\n\
    x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n\
    x-amz-date: 20130524T000000Z\r\n\
    \r\n";
const GET_OBJECT_UNSIGNED: &str = "GET /test.txt HTTP/1.1\r\n\
    Host: examplebucket.s3.amazonaws.com\r\n\
    Range: bytes=0-9\r\n\
    \r\n";
const GET_OBJECT_CANONICAL: &str = "GET\n\
    /test.txt\n\
    \n\
    host:examplebucket.s3.amazonaws.com\n\
    range:bytes=0-9\n\
    x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
    x-amz-date:20130524T000000Z\n\
    \n\
    host;range;x-amz-content-sha256;x-amz-date\n\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const GET_OBJECT_STRING_TO_SIGN: &str = "AWS4-HMAC-SHA256\n\
    20130524T000000Z\n\
    20130524/us-east-1/s3/aws4_request\n\
    7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972";

/// What a run left behind.
struct Run {
    code: i32,
    out: Vec<u8>,
    err: String,
}

impl Run {
    fn text(&self) -> &str {
        str::from_utf8(&self.out).expect("text")
    }

    fn object(&self) -> Value {
        serde_json::from_slice(&self.out).expect("an object")
    }

    fn objects(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
    }

    /// The exit code, and the stage, code and status of a refusal.
    fn refusal(&self) -> Refusal {
        let object = self.object();
        assert_eq!(object["verdict"], "invalid");
        assert!(object["message"].is_string() && object["decoded_length"].is_null());
        let text = |name: &str| object[name].as_str().expect("a text").to_owned();
        (self.code, text("stage"), text("code"), object["status"].as_u64().expect("a number"))
    }
}

type Refusal = (i32, String, String, u64);

/// A request that is refused, exit code 1.
fn refused(stage: &str, code: &str, status: u64) -> Refusal {
    (1, stage.to_owned(), code.to_owned(), status)
}

/// The command in an empty environment. No run may tell a secret.
fn run(configure: impl FnOnce(&mut Command) -> &mut Command) -> Run {
    let mut command = cargo_bin_cmd!("countersign");
    command.env_clear();
    let output = configure(&mut command).output().expect("the command runs");
    let run = Run {
        code: output.status.code().expect("an exit code"),
        out: output.stdout,
        err: String::from_utf8(output.stderr).expect("text"),
    };
    for secret in [SECRET, TEMPORARY_SECRET] {
        assert!(!String::from_utf8_lossy(&run.out).contains(secret));
        assert!(!run.err.contains(secret), "{}", run.err);
    }
    run
}

/// Verifies a request of standard input with the long-lived key.
fn verify(service: &str, more: &[&str], request: impl AsRef<[u8]>) -> Run {
    verify_at(AT, service, more, request)
}

fn verify_at(at: &str, service: &str, more: &[&str], request: impl AsRef<[u8]>) -> Run {
    run(|command| {
        let key = ["verify", "--access-key-id", ID, "--secret-access-key", SECRET];
        command.args(key).args(["--region", "us-east-1", "--service", service, "--at", at]);
        command.args(more).arg("-").write_stdin(request.as_ref())
    })
}

/// Signs or presigns with the long-lived key.
fn sign(command: &str, service: &str, more: &[&str], request: impl AsRef<[u8]>) -> Run {
    run(|cli| {
        cli.args([command, "--service", service, "--at", AT]).args(more);
        cli.env("AWS_ACCESS_KEY_ID", ID).env("AWS_SECRET_ACCESS_KEY", SECRET);
        cli.env("AWS_REGION", "us-east-1").write_stdin(request.as_ref())
    })
}

/// A credentials file with both keys and a profile that has none. It lives as long as its
/// directory.
fn credentials() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("credentials");
    let text = format!(
        "[default]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n\n\
         # A temporary one.\n[temporary]\naws_access_key_id={TEMPORARY_ID}\n\
         aws_secret_access_key={TEMPORARY_SECRET}\naws_session_token={TOKEN}\n\n\
         [role]\nrole_arn = arn:aws:iam::123456789012:role/a\n"
    );
    fs::write(&path, text).expect("a file");
    (directory, path)
}

/// Runs for S3 with the keys of a credentials file.
fn run_with_file(path: &Path, arguments: &[&str], request: impl AsRef<[u8]>) -> Run {
    run(|command| {
        command.args(arguments).arg("--credentials").arg(path);
        command.args(["--region", "us-east-1", "--service", "s3", "--at", AT]);
        command.write_stdin(request.as_ref())
    })
}
