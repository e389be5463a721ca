//! What the gateway is told when it starts.
//!
//! Options and their defaults, nothing else: this module deliberately opens no file and no socket.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// An S3 server over a local folder. Every request must be signed with AWS Signature Version 4.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Config {
    /// Address to listen on; port 0 lets the system choose one, which is then printed.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,

    /// Folder the buckets are kept in. Made when it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "gateway-data")]
    pub data: PathBuf,

    /// Credentials file in the format of the AWS tools; every profile in it is a known key. Made
    /// with one random key when it is not there.
    #[arg(long, value_name = "FILE", default_value = "gateway-credentials")]
    pub credentials: PathBuf,

    /// Region that requests must be signed for.
    #[arg(long, default_value = "us-east-1", value_parser = region)]
    pub region: String,

    /// Domain whose subdomains are buckets (virtual-hosted style), besides path style.
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,

    /// How many seconds a client's clock may be off.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub clock_skew: u64,

    /// The largest body that is accepted, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 5 * 1024 * 1024 * 1024)]
    pub max_body: u64,

    /// What is logged, as a tracing filter.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// A region is part of every signature and of some answers, so it is kept to the characters that
/// region names have.
fn region(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(good) {
        Ok(text.to_owned())
    } else {
        Err("a region has lower-case letters, digits and hyphens".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn options_are_consistent() {
        Config::command().debug_assert();
        let config = Config::parse_from(["gateway"]);
        assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
        assert!(Config::try_parse_from(["gateway", "--region", "eu/west"]).is_err());
    }
}
