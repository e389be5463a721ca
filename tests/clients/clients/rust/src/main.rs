//! Two S3 clients of Rust: `rust-clients aws-sdk` and `rust-clients object-store`.
//!
//! Each works in a bucket of its own and prints a line for each operation; see `../../../README.md`.

mod aws_sdk;
mod checks;
mod object_store;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("rust-clients: TLS has another provider already");
        return ExitCode::FAILURE;
    }
    let Some(client) = std::env::args().nth(1) else {
        eprintln!("usage: rust-clients aws-sdk|object-store");
        return ExitCode::from(2);
    };
    match client.as_str() {
        "aws-sdk" => aws_sdk::run().await,
        "object-store" => object_store::run().await,
        _ => {
            eprintln!("rust-clients: unknown client {client}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
