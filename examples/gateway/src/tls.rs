//! TLS: a certificate and its key, read from files, or made where that was asked for.
//!
//! What is spoken inside, HTTP/1.1 or HTTP/2, is negotiated here; by whom and about what this
//! module deliberately does not know.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::secret_file::{self, SecretFileError};

/// How long a certificate of our own making is good for.
const SELF_SIGNED: Duration = Duration::days(365);

/// Where certificate and key are kept.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The key's file cannot be read or made, or others can read it.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// The certificate's file cannot be read or made.
    #[error("{path}: {source}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file holds no private key.
    #[error("{path} holds no private key that can be read")]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// One of the two files is there and the other is not.
    #[error("{path} is missing, and the file that goes with it is there")]
    Half {
        /// The missing one.
        path: PathBuf,
    },
    /// Certificate and key cannot be used, for example because they do not belong together.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// Takes connections over from TCP.
pub(crate) struct Tls {
    files: Files,
    provider: Arc<CryptoProvider>,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When one of them cannot be read, or the two do not belong together.
    pub(crate) fn open(files: Files) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = RwLock::new(load(&files, &provider)?);
        Ok(Tls { files, provider, config })
    }

    /// Reads both files again. On an error the old certificate stays. Connections keep theirs.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let config = load(&self.files, &self.provider)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Shakes hands.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn load(files: &Files, provider: &Arc<CryptoProvider>) -> Result<Arc<ServerConfig>, TlsError> {
    let path = &files.certificate;
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| TlsError::Certificate {
        path: path.clone(),
        source,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| failed(error.into()))?;
    if chain.is_empty() {
        return Err(failed("holds no certificate".into()));
    }
    let key = secret_file::read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| TlsError::NoKey { path: files.key.clone() })?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Makes a certificate that vouches for itself, and its key, unless both are there. Clients that
/// trust the certificate's file trust the gateway.
///
/// # Errors
/// When just one of the two is there, or they cannot be made.
pub(crate) fn make(files: &Files, ip: IpAddr, domain: Option<&str>) -> Result<(), TlsError> {
    let Files { certificate, key } = files;
    match (secret_file::exists(certificate), secret_file::exists(key)) {
        (true, true) => return Ok(()),
        (true, false) => return Err(TlsError::Half { path: key.clone() }),
        (false, true) => return Err(TlsError::Half { path: certificate.clone() }),
        (false, false) => {}
    }
    let mut names: Vec<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).collect();
    let ip = ip.to_string();
    if !names.contains(&ip) {
        names.push(ip);
    }
    if let Some(domain) = domain.map(|domain| domain.trim_matches('.')) {
        names.push(domain.to_owned());
        names.push(format!("*.{domain}"));
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "gateway");
    let now = OffsetDateTime::now_utc();
    // Clocks differ.
    params.not_before = now - Duration::days(1);
    params.not_after = now + SELF_SIGNED;
    let pair = KeyPair::generate()?;
    let made = params.self_signed(&pair)?;
    secret_file::make(key, &zeroize::Zeroizing::new(pair.serialize_pem()))?;
    // Whoever is to trust it has to be able to read it.
    let failed = |source: io::Error| TlsError::Certificate {
        path: certificate.clone(),
        source: source.into(),
    };
    if let Some(folder) = certificate.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create_new(certificate).map_err(failed)?;
    file.write_all(made.pem().as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn files(folder: &std::path::Path) -> Files {
        Files { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
    }

    #[test]
    fn certificate_and_key_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        make(&files, LOOPBACK, Some("s3.localhost")).unwrap();
        let first = std::fs::read(&files.certificate).unwrap();
        make(&files, LOOPBACK, None).unwrap();
        assert_eq!(std::fs::read(&files.certificate).unwrap(), first);
        let tls = Tls::open(files.clone()).unwrap();
        tls.reload().unwrap();
        std::fs::remove_file(&files.key).unwrap();
        assert!(matches!(make(&files, LOOPBACK, None), Err(TlsError::Half { .. })));
        assert!(tls.reload().is_err());
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let one = files(folder.path());
        make(&one, LOOPBACK, None).unwrap();
        let other = files(&folder.path().join("other"));
        make(&other, LOOPBACK, None).unwrap();
        let mixed = Files { certificate: one.certificate.clone(), key: other.key };
        assert!(matches!(Tls::open(mixed), Err(TlsError::Unusable(_))));
        let swapped = Files { certificate: one.key.clone(), key: one.certificate };
        assert!(matches!(Tls::open(swapped), Err(TlsError::Certificate { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        make(&files, LOOPBACK, None).unwrap();
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Tls::open(files), Err(TlsError::Key(_))));
    }
}
