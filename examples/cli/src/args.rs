//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use countersign::{Timestamp, TimestampError};
use secrecy::SecretString;

/// Verifies, signs and presigns HTTP requests with AWS Signature Version 4.
#[derive(Debug, Parser)]
#[command(name = "countersign", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Verify(Verify),
    Sign(Sign),
    Presign(Presign),
}

/// Verifies a raw request, or many: exit code 0 if it is valid, 1 if not, 2 if it cannot be read.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The request as on the wire, transfer chunking removed; `-` is standard input.
    #[arg(value_name = "REQUEST.http", required_unless_present = "jsonl")]
    pub(crate) request: Option<PathBuf>,

    /// Verify the request of each line of this file, and print an object for each; `-` is standard
    /// input. A line is {"id", "at", "region", "service", "credentials": [{"access_key_id",
    /// "secret_access_key", "session_token"?}], "request": the raw request in base64}.
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub(crate) jsonl: Option<PathBuf>,

    /// The region that requests must be signed for [env: AWS_REGION, AWS_DEFAULT_REGION].
    #[arg(long)]
    pub(crate) region: Option<String>,

    /// The signing name of the service; the dialect follows from it.
    #[arg(long, required_unless_present = "jsonl")]
    pub(crate) service: Option<String>,

    /// The time to verify at, instead of now.
    #[arg(long, value_name = "20130524T000000Z", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print how the request was read, and the verdict on standard error.
    #[arg(long, conflicts_with = "json")]
    pub(crate) show: Option<Show>,

    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

/// Signs a raw request in its header and prints it.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The request as on the wire; `-` is standard input.
    #[arg(value_name = "REQUEST.http")]
    pub(crate) request: PathBuf,

    /// Leave the body uncovered by the signature.
    #[arg(long)]
    pub(crate) unsigned_payload: bool,

    #[command(flatten)]
    pub(crate) signer: SignerArgs,
}

/// Signs a URL that stands alone until it expires, and prints it.
#[derive(Debug, Args)]
pub(crate) struct Presign {
    /// The method the URL is good for.
    pub(crate) method: String,

    /// The URL, its path and query encoded.
    pub(crate) url: String,

    /// How long the URL lives.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) expires: u64,

    /// A header to sign; whoever uses the URL must send it.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    #[command(flatten)]
    pub(crate) signer: SignerArgs,
}

/// What signing takes, in a header as in a query.
#[derive(Debug, Args)]
pub(crate) struct SignerArgs {
    /// The profile of the credentials file to sign with [env: AWS_PROFILE] [default: default].
    #[arg(long, conflicts_with = "access_key_id")]
    pub(crate) profile: Option<String>,

    /// The region to sign for [env: AWS_REGION, AWS_DEFAULT_REGION].
    #[arg(long)]
    pub(crate) region: Option<String>,

    /// The signing name of the service to sign for.
    #[arg(long)]
    pub(crate) service: String,

    /// The time to sign at, instead of now.
    #[arg(long, value_name = "20130524T000000Z", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,

    /// Print an intermediate text instead.
    #[arg(long)]
    pub(crate) show: Option<Show>,

    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

/// Where keys come from: these options, else the environment, else the shared credentials file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct CredentialArgs {
    /// A file in the format of AWS's shared credentials file; to verify, every profile in it is a
    /// known key [env: AWS_SHARED_CREDENTIALS_FILE].
    #[arg(long, value_name = "FILE", conflicts_with = "access_key_id")]
    pub(crate) credentials: Option<PathBuf>,

    /// The name of the one key [env: AWS_ACCESS_KEY_ID].
    #[arg(long, value_name = "ID")]
    pub(crate) access_key_id: Option<String>,

    /// Its secret; other users may see it here, and not in the environment
    /// [env: AWS_SECRET_ACCESS_KEY].
    #[arg(long, value_name = "KEY", requires = "access_key_id")]
    pub(crate) secret_access_key: Option<SecretString>,

    /// Its session token, if it is a temporary one [env: AWS_SESSION_TOKEN].
    #[arg(long, value_name = "TOKEN", requires = "access_key_id")]
    pub(crate) session_token: Option<SecretString>,
}

/// The texts on the way to a signature.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Show {
    /// The canonical request.
    Canonical,
    /// The string to sign.
    Sts,
}

fn timestamp(text: &str) -> Result<Timestamp, TimestampError> {
    Timestamp::parse(text)
}
