//! `countersign verify --jsonl`: many requests, line by line.
//!
//! One line is held at a time. A line that is no request is answered like one that is refused, and
//! the run goes on.

use std::io::{self, BufRead, Cursor, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use countersign::{Timestamp, Verifier};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use crate::credentials::Key;
use crate::raw::{Head, Unreadable};
use crate::report::Report;
use crate::verify::Rules;
use crate::{OK, UNUSABLE, open};

#[derive(Deserialize)]
struct Line {
    at: String,
    region: String,
    service: String,
    credentials: Vec<Key>,
    request: String,
}

/// As much of a line as is needed to answer it.
#[derive(Default, Deserialize)]
struct Name {
    #[serde(default)]
    id: Value,
}

#[derive(Serialize)]
struct Answer {
    id: Value,
    #[serde(flatten)]
    report: Report,
}

/// Verifies the requests of a file.
pub(crate) fn run(path: &Path) -> anyhow::Result<u8> {
    let mut input = open(path)?;
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    let mut code = OK;
    while input.read_until(b'\n', &mut line)? > 0 {
        if !line.trim_ascii().is_empty() {
            let report = verify(&line).unwrap_or_else(|reason| {
                code = UNUSABLE;
                Report::unreadable(reason)
            });
            let Name { id } = serde_json::from_slice(&line).unwrap_or_default();
            // Standard output is flushed at the end of each line.
            writeln!(out, "{}", serde_json::to_string(&Answer { id, report })?)?;
        }
        line.clear();
    }
    Ok(code)
}

/// Verifies the request of a line; what is wrong with the line otherwise.
fn verify(line: &[u8]) -> Result<Report, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| reason(&error))?;
    let now = Timestamp::parse(&line.at).map_err(|error| format!("at: {error}"))?;
    let request =
        BASE64_STANDARD.decode(&line.request).map_err(|_| "request: not base64".to_owned())?;
    let mut input = Cursor::new(request);
    let head = Head::read(&mut input).map_err(|error: Unreadable| error.to_string())?;
    let verifier = Verifier::service(&line.service, &line.region);
    let rules = Rules { verifier, now, keys: &line.credentials, show: None };
    let outcome = rules.verify(&head, Box::new(input)).map_err(|error| error.to_string())?;
    Ok(outcome.report)
}

/// What is wrong with a line of JSON, without the values that the parser would repeat.
fn reason(error: &serde_json::Error) -> String {
    let column = error.column();
    match error.classify() {
        Category::Data => {
            format!(
                "the line lacks a field, or one is not what it should be, before column {column}"
            )
        }
        _ => format!("the line is not JSON at column {column}"),
    }
}
