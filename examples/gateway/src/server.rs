//! The gateway: how it is put together, started and stopped.
//!
//! What becomes of a request this module deliberately leaves to `front.rs`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::AccessKeyId;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::connections;
use crate::cors::Cors;
use crate::credentials::{self, CredentialsError};
use crate::forms::Forms;
use crate::front::{self, Backend, Rules, Shared};
use crate::gate::Domain;
use crate::keys::Keys;
use crate::page::Page;
use crate::staging::Staging;
use crate::store::{Area, Disk, Store};
use crate::tls::{self, Tls, TlsError};
use crate::upstream::{Upstream, UpstreamError};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// Which keys are in the file, by profile.
    names: Vec<(String, AccessKeyId)>,
    credentials: PathBuf,
    certificate: Option<PathBuf>,
    keys: Arc<Keys>,
    tls: Option<Arc<Tls>>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The credentials file is missing, unsafe or unusable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The other server cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The data folder cannot be used.
    #[error("{path}: {source}")]
    Data {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

/// Why the files were not read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificate and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Gateway {
    /// Starts listening. Dropping the gateway does not stop it; [`Gateway::stop`] does.
    ///
    /// # Errors
    /// When credentials, data folder or address cannot be used.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let profiles = credentials::open(&config.credentials)?;
        let names =
            profiles.iter().map(|profile| (profile.name.clone(), profile.access_key_id)).collect();
        let keys = Arc::new(Keys::new(profiles));
        let files = config.tls_files();
        if let Some(files) = files.as_ref().filter(|_| config.tls_self_signed) {
            tls::make(files, config.listen.ip(), config.domain.as_deref())?;
        }
        let certificate = files.as_ref().map(|files| files.certificate.clone());
        let tls = files.map(Tls::open).transpose()?.map(Arc::new);
        let working = TaskTracker::new();
        let domain = config.domain.as_deref().map(Domain::new);
        let (region, max_body) = (config.region.as_str(), config.max_body);
        // A proxy has no place to write a form's file aside: it would pass on what is not proven.
        let forms = config.upstream.is_none();
        let forms = forms.then(|| Forms::new(region, Arc::clone(&keys), domain.clone(), max_body));
        let page = config
            .upload_page
            .clone()
            .map(|place| Page::new(region, Arc::clone(&keys), domain.clone(), max_body, place));
        let shared = Shared {
            backend: backend(config)?,
            domain,
            max_body,
            forms,
            cors: Cors::new(&config.allow_origin),
            page,
            working: working.clone(),
        };
        let rules = Rules {
            region: &config.region,
            clock_skew: Duration::from_secs(config.clock_skew),
            keys: Arc::clone(&keys),
        };
        let service = front::service(rules, shared);
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = oneshot::channel();
        let serving = connections::serve(listener, tls.clone(), service, stopped);
        let running = tokio::spawn(async move {
            serving.await;
            working.close();
            working.wait().await;
        });
        let credentials = config.credentials.clone();
        Ok(Gateway { address, names, credentials, certificate, keys, tls, stop, running })
    }

    /// Where it listens; with the real port, if it was asked to choose one.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate's file, if TLS is spoken.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// The profiles of the credentials file when the gateway started.
    #[must_use]
    pub fn profiles(&self) -> &[(String, AccessKeyId)] {
        &self.names
    }

    /// Reads the credentials file again, and certificate and key. What cannot be read stays as it
    /// was.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let credentials = credentials::read(&self.credentials).map(|new| self.keys.replace(new));
        let tls = self.tls.as_ref().map_or(Ok(()), |tls| tls.reload());
        credentials?;
        Ok(tls?)
    }

    /// Stops accepting, lets requests finish for a while, and returns when all is done.
    pub async fn stop(self) {
        // If the receiver is gone, it has stopped already.
        let _ = self.stop.send(());
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the gateway broke down");
        }
    }
}

/// What stands behind the gate: another server, if one was named, else the data folder.
fn backend(config: &Config) -> Result<Backend, StartError> {
    if let Some(settings) = config.upstream() {
        return Ok(Backend::Upstream(Box::new(Upstream::open(&settings)?)));
    }
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| StartError::Data {
        path: config.data.clone(),
        source,
    };
    let area = Area::open(&config.data, Disk::new(!config.no_sync));
    let area = Arc::new(area.map_err(|error| failed(error.into()))?);
    let staging =
        Staging::open(area.staging(), config.max_body).map_err(|error| failed(error.into()))?;
    let store = Store::open(area, &config.region).map_err(failed)?;
    Ok(Backend::Store(staging, store))
}
