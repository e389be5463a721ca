//! What the gateway is told when it starts.
//!
//! Options and their defaults, nothing else: this module deliberately opens no file and no socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use http::Uri;

use crate::{tls, upstream};

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

    /// Answer writes before they are on the disk: faster, but a loss of power may take some of them.
    #[arg(long, conflicts_with = "upstream")]
    pub no_sync: bool,

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

    /// Certificate chain to speak TLS with (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key (PEM). Must be readable by its owner alone.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Speak TLS with a certificate that vouches for itself. It is made, with its key, when the two
    /// files are not there; unless they are named: gateway-cert.pem and gateway-key.pem.
    #[arg(long)]
    pub tls_self_signed: bool,

    /// Another S3 server to pass verified requests on to, signed anew, in place of the data folder.
    #[arg(long, value_name = "URL", requires = "upstream_credentials")]
    pub upstream: Option<Uri>,

    /// Credentials file with the key that the other server knows: its profile default, or its first.
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub upstream_credentials: Option<PathBuf>,

    /// Region of the other server; --region unless it is named.
    #[arg(long, value_name = "REGION", value_parser = region, requires = "upstream")]
    pub upstream_region: Option<String>,

    /// Certificates to trust the other server by (PEM), in place of the system's.
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub upstream_ca: Option<PathBuf>,

    /// How many seconds the other server may take: for a piece of an upload, from the end of a request to
    /// its answer, for a piece of that.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "upstream",
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub upstream_timeout: u64,

    /// Origin whose web pages may read answers, as browsers write it (scheme, host, port unless it is
    /// the usual one), or * for any. Can be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub allow_origin: Vec<String>,

    /// Bucket, and folder in it, that the upload page at /_/upload posts files to. It asks for an
    /// access key id and its secret, over TLS or on this machine only. Without this option there is
    /// no page.
    #[arg(long, value_name = "BUCKET[/FOLDER]", conflicts_with = "upstream")]
    pub upload_page: Option<UploadPage>,

    /// What is logged, as a tracing filter.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// Where the files of the upload page go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPage {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with: nothing, or a folder and its slash.
    pub prefix: String,
}

impl std::str::FromStr for UploadPage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bucket, folder) = text.split_once('/').unwrap_or((text, ""));
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(good) {
            return Err("a bucket has 3 to 63 lower-case letters, digits, hyphens and dots");
        }
        let folder = folder.trim_end_matches('/');
        if folder.len() > 512 || folder.contains("${") || folder.chars().any(char::is_control) {
            return Err("a folder has up to 512 bytes, no ${ and no control characters");
        }
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(UploadPage { bucket: bucket.to_owned(), prefix })
    }
}

impl Config {
    /// What there is to know of the other server, if there is one.
    pub(crate) fn upstream(&self) -> Option<upstream::Settings<'_>> {
        Some(upstream::Settings {
            url: self.upstream.as_ref()?,
            credentials: self.upstream_credentials.as_deref()?,
            region: self.upstream_region.as_deref().unwrap_or(&self.region),
            ca: self.upstream_ca.as_deref(),
            max_body: self.max_body,
            timeout: Duration::from_secs(self.upstream_timeout),
        })
    }

    /// Certificate and key, if TLS is to be spoken.
    pub(crate) fn tls_files(&self) -> Option<tls::Files> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(tls::Files { certificate: certificate.clone(), key: key.clone() })
            }
            _ if self.tls_self_signed => Some(tls::Files {
                certificate: "gateway-cert.pem".into(),
                key: "gateway-key.pem".into(),
            }),
            _ => None,
        }
    }
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

/// An origin as browsers write it: scheme and host, perhaps a port, nothing behind it.
fn origin(text: &str) -> Result<String, String> {
    let parsed = text.parse::<Uri>().ok();
    let written = parsed.as_ref().and_then(|uri| {
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        Some(format!("{scheme}://{}", uri.authority()?.as_str().to_ascii_lowercase()))
    });
    if text == "*" || written.as_deref() == Some(text) && !text.contains('@') {
        Ok(text.to_owned())
    } else {
        Err("an origin is http:// or https://, a host in lower case, perhaps a port; or *"
            .to_owned())
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
        assert!(config.tls_files().is_none());
        assert!(Config::try_parse_from(["gateway", "--region", "eu/west"]).is_err());
        assert!(Config::try_parse_from(["gateway", "--tls-cert", "cert.pem"]).is_err());
        assert!(config.upstream().is_none());
        assert!(Config::try_parse_from(["gateway", "--upstream", "http://localhost"]).is_err());
        assert!(Config::parse_from(["gateway", "--tls-self-signed"]).tls_files().is_some());
        assert!(config.upload_page.is_none() && config.allow_origin.is_empty());
        let behind = ["--upstream", "http://localhost", "--upstream-credentials", "c"];
        let page = ["--upload-page", "bucket"];
        assert!(Config::try_parse_from(["gateway"].iter().chain(&behind).chain(&page)).is_err());
        let timeout = |seconds: &'static str| {
            let timeout = ["--upstream-timeout", seconds];
            let config = Config::try_parse_from(["gateway"].iter().chain(&behind).chain(&timeout));
            config.ok()?.upstream().map(|upstream| upstream.timeout)
        };
        assert_eq!(timeout("2"), Some(Duration::from_secs(2)));
        assert_eq!(timeout("0"), None);
    }

    #[test]
    fn places_of_the_upload_page() {
        let place = |text: &str| text.parse::<UploadPage>().map(|to| (to.bucket, to.prefix));
        let is = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(place("demo"), is("demo", ""));
        assert_eq!(place("demo/"), is("demo", ""));
        assert_eq!(place("demo/in/box"), is("demo", "in/box/"));
        assert_eq!(place("demo/in/"), is("demo", "in/"));
        for bad in ["", "de", "/in", "De-mo", "demo/${filename}", "demo/a\nb", "_"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins() {
        for good in ["*", "https://app.example", "http://localhost:8080", "http://[::1]:80"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "null",
            "app.example",
            "https://app.example/",
            "https://App.example",
            "ftp://app.example",
            "https://u@app.example",
            "https://app.example/a?b",
            "**",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
