//! The S3 implementation behind the gate: `s3s` reads and writes the protocol, `s3s-fs` keeps
//! objects in a local folder, and what real clients miss there is mended here.
//!
//! Neither of the two checks a signature: `s3s` gets no auth provider and never sees a signature.
//! The only way in, [`Store::serve`], takes the proofs that head and body have been verified. How
//! that was done this module deliberately does not know: nothing here is about keys, signatures or
//! identities.
//!
//! `s3s-fs` still does the buckets, the atomic write of an object with its attributes, MD5s and
//! checksums, and reading attributes back. What it leaves open, and where that is closed:
//!
//! | gap | closed in |
//! |---|---|
//! | a key is used as a path: `..` leaves the bucket, `//` and `/.` collapse, `a` excludes `a/b`, long keys fail | `names.rs` |
//! | lists without ETags, `encoding-type` named but not applied, markers and prefixes approximate | `listing.rs` |
//! | multipart: uploads lost when completing fails, ETags unchecked, gaps in numbers refused, no listing, no order among writers, checksums unchecked | `multipart.rs`, `sums.rs` |
//! | an object and its attributes are written in two steps, and neither is synced | written aside, put in place under a lock, whole even if the gateway is stopped there: `commits.rs`, `locks.rs`, `disk.rs` |
//! | writing into a bucket that does not exist makes it | `Objects::use_bucket` |
//! | a wrong Content-MD5 or checksum is noticed after the object was replaced | the caller checks the spooled body first |
//! | deleting a bucket deletes what is in it | `delete_bucket` |
//! | making one's own bucket again is an error, no region in any answer | `create_bucket`, `head_bucket`, `get_bucket_location` |
//! | deleted objects leave their attribute files and folders | `Commits::remove` |
//! | copying writes into the live object, and a copy onto itself is accepted | `copy_object` |
//! | no conditional copies and deletes, no conditional reads, no suffix range beyond the size, 4 KiB reads | `conditions.rs`, `Objects::open_span` |
//! | ACLs, policies, versions, tags: nothing, although clients ask | `absent!` and `constant!` in `service.rs` |
//! | what is not known is taken for something else: with a parameter of a newer S3, `PUT` writes and `DELETE` deletes | `features.rs` |
//!
//! Limits: one process per data folder (a lock file sees to it), a case-sensitive file system, no
//! versions, no tags, no encryption at rest.

mod commits;
mod conditions;
mod disk;
mod features;
mod listing;
mod locks;
mod multipart;
mod names;
mod objects;
mod service;
mod sums;

use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::Range;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3ErrorCode, s3_error};

pub(crate) use self::disk::Disk;
use self::objects::Objects;
use crate::gate::Passed;
use crate::staging::Staged;

/// How much is read from a file at a time. `s3s-fs` takes 4 KiB, each a trip to a thread pool.
const BLOCK: usize = 256 * 1024;

/// The longest XML that is read: 10,000 parts with checksums fit, and it takes some times as much memory.
const XML: usize = 4 * 1024 * 1024;

/// The embedded store, ready to serve requests that have been verified.
#[derive(Clone)]
pub(crate) struct Store {
    service: S3Service,
}

/// The folders of the data area.
#[derive(Debug)]
pub(crate) struct Area {
    /// Buckets, by name.
    buckets: PathBuf,
    /// Multipart uploads that have begun.
    uploads: PathBuf,
    /// Notes of objects that are being put in place.
    commits: PathBuf,
    /// Bodies that are being verified.
    staging: PathBuf,
    disk: Disk,
    /// Held while the gateway runs, so that two do not share the area.
    _lock: std::fs::File,
}

impl Area {
    /// Opens the data folder, making it when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read, or when another gateway is using it.
    pub(crate) fn open(folder: &Path, disk: Disk) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        // Who may read the objects is the gateway's to say, not the file system's.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let folder = folder.canonicalize()?;
        folder.parent().map_or(Ok(()), |parent| disk.folder(parent))?;
        let lock = std::fs::File::create(folder.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::ResourceBusy, "another gateway is using this folder")
            }
            TryLockError::Error(error) => error,
        })?;
        let area = Area {
            buckets: folder.join("buckets"),
            uploads: folder.join("uploads"),
            commits: folder.join("commits"),
            staging: folder.join("staging"),
            disk,
            _lock: lock,
        };
        disk.make_folder(&area.buckets)?;
        Ok(area)
    }

    /// The names of the buckets are kept.
    async fn keep_buckets(&self) -> io::Result<()> {
        let (disk, buckets) = (self.disk, self.buckets.clone());
        tokio::task::spawn_blocking(move || disk.folder(&buckets)).await?
    }

    /// Where bodies wait for their verdict: on the same file system, but in no bucket.
    #[must_use]
    pub(crate) fn staging(&self) -> &Path {
        &self.staging
    }
}

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub(crate) fn open(
        area: Arc<Area>,
        region: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let objects = Objects::open(area, region)?;
        let mut service = S3ServiceBuilder::new(objects);
        let mut config = S3Config::default();
        config.xml_max_body_size = XML;
        service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Ok(Store { service: service.build() })
    }

    /// Serves a request that has been verified: the two arguments are the proofs.
    pub(crate) async fn serve(&self, head: Passed, body: Staged) -> http::Response<Body> {
        let mut head = head.into_parts();
        if let Err(error) = features::check(&head.method, &head.uri, &head.headers) {
            return answer(error);
        }
        // S3 ignores a range that makes no sense; s3s refuses it.
        if let Some(range) = head.headers.get(header::RANGE)
            && range.to_str().ok().is_none_or(|range| Range::parse(range).is_err())
        {
            head.headers.remove(header::RANGE);
        }
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let request = http::Request::from_parts(head, body.into_body());
        match self.service.call(request).await {
            Ok(mut response) => {
                // s3s does so for GET only.
                if response.status() == StatusCode::OK
                    && response.headers().contains_key(header::CONTENT_RANGE)
                {
                    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                }
                response
            }
            Err(error) => {
                tracing::error!(error = ?error, "the store failed");
                answer(s3_error!(InternalError))
            }
        }
    }
}

/// An error as an answer.
fn answer(error: S3Error) -> http::Response<Body> {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Something on our side failed: logged here, where the cause is known, and told to nobody else.
fn broken(what: &'static str, error: impl std::fmt::Display) -> S3Error {
    tracing::error!(what, %error, "the store failed");
    s3_error!(InternalError, "We encountered an internal error. Please try again.")
}

/// An error of the store underneath, logged when it is about the store.
fn passed(error: S3Error) -> S3Error {
    if *error.code() == S3ErrorCode::InternalError {
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        return broken("s3s-fs", source);
    }
    error
}

/// Whether an error means that there is nothing of that name. A file where a folder should be
/// means it too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
