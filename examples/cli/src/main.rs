//! `countersign`: verifies, signs and presigns raw HTTP requests.
//!
//! A thin shell around the library: files and arguments come in here, texts and exit codes go out.
//! What a request is worth is decided by the library alone.

mod args;
mod credentials;
mod form;
mod jsonl;
mod raw;
mod report;
mod show;
mod sign;
mod tried;
mod verify;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Cli, Command};

/// The request is valid, or the work is done.
const OK: u8 = 0;
/// The request is invalid.
const INVALID: u8 = 1;
/// The command was used badly, or its input cannot be read.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Verify(args) => match &args.jsonl {
            Some(path) => jsonl::run(path),
            None => verify::run(&args),
        },
        Command::Sign(args) => sign::sign(&args),
        Command::Presign(args) => sign::presign(&args),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        // Nothing can be done about a standard error that is closed.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        UNUSABLE
    }))
}

/// A file, or standard input for `-`.
fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}
