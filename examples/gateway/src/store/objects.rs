//! One object at a time: looking at it, opening it, writing it, removing it.
//!
//! `s3s-fs` does the writing and keeps the attributes, `commits.rs` puts in place; here a bucket has to
//! exist, conditions have to hold, and a folder that an object leaves empty is cleared away. Who holds which lock is said at every
//! function; what the client asked for this module deliberately does not know.

use std::io::{self, ErrorKind};
use std::ops::Range as Span;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use s3s::dto::{
    ETag, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
    Timestamp,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::commits::{ASIDE, Aside, Commits};
use super::conditions::{Conditions, WriteConditions};
use super::locks::Locks;
use super::multipart::Uploads;
use super::names::Place;
use super::{Area, BLOCK, broken, is_absent, passed};

/// What an object without a content type is.
const CONTENT_TYPE: &str = "binary/octet-stream";
/// Where a multipart ETag is kept among an object's metadata. Not a header name, so no client can
/// send it.
pub(super) const ETAG_NOTE: &str = "gateway: etag";

/// The objects: `s3s-fs` with the gaps closed.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) files: FileSystem,
    pub(super) uploads: Uploads,
    pub(super) locks: Locks,
    commits: Commits,
    pub(super) region: String,
    pub(super) area: Arc<Area>,
}

impl Objects {
    /// Opens the folders of the area.
    pub(super) fn open(
        area: Arc<Area>,
        region: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let commits = Commits::open(Arc::clone(&area))?;
        Ok(Objects {
            files: FileSystem::new(&area.buckets).map_err(|error| format!("{error:?}"))?,
            uploads: Uploads::open(area.uploads.clone(), area.disk)?,
            locks: Locks::new(),
            commits,
            region: region.to_owned(),
            area,
        })
    }

    pub(super) fn folder(&self, bucket: &str) -> PathBuf {
        self.area.buckets.join(bucket)
    }

    /// The bucket must exist. Names were checked by s3s, so this is a folder below ours.
    pub(super) async fn use_bucket(&self, bucket: &str) -> S3Result<()> {
        if !s3s::path::check_bucket_name(bucket) {
            return Err(s3_error!(InvalidBucketName, "The specified bucket is not valid."));
        }
        match tokio::fs::metadata(self.folder(bucket)).await {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(no_such_bucket()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(no_such_bucket()),
            Err(error) => Err(broken("bucket", error)),
        }
    }

    /// The attributes of an object. The caller holds its lock.
    pub(super) async fn look(&self, bucket: &str, key: &str) -> S3Result<HeadObjectOutput> {
        self.use_bucket(bucket).await?;
        let place = Place::of(bucket, key);
        // Whatever is not a file is a folder somebody made by hand.
        match tokio::fs::metadata(self.folder(bucket).join(&place.path)).await {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(no_such_key()),
            Err(error) if is_absent(&error) => return Err(no_such_key()),
            Err(error) => return Err(broken("object", error)),
        }
        let input = HeadObjectInput {
            bucket: bucket.to_owned(),
            key: place.path,
            ..HeadObjectInput::default()
        };
        let mut head = self.files.head_object(ask(input)).await.map_err(passed)?.output;
        if let Some(etag) = head.metadata.as_mut().and_then(|notes| notes.remove(ETAG_NOTE)) {
            head.e_tag = Some(ETag::Strong(etag));
        }
        head.metadata = head.metadata.filter(|metadata| !metadata.is_empty());
        head.content_type.get_or_insert_with(|| CONTENT_TYPE.to_owned());
        head.accept_ranges = Some("bytes".to_owned());
        Ok(head)
    }

    /// Opens the bytes of an object. The caller holds its lock, for as long as this call takes: an
    /// open file stays whole whatever is written later.
    pub(super) async fn open_span(
        &self,
        bucket: &str,
        key: &str,
        span: Span<u64>,
    ) -> S3Result<StreamingBlob> {
        let path = self.folder(bucket).join(Place::of(bucket, key).path);
        let mut file = match File::open(path).await {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Err(no_such_key()),
            Err(error) => return Err(broken("object", error)),
        };
        file.seek(io::SeekFrom::Start(span.start)).await.map_err(|e| broken("object", e))?;
        let bytes = file.take(span.end.saturating_sub(span.start));
        Ok(StreamingBlob::wrap(ReaderStream::with_capacity(bytes, BLOCK)))
    }

    /// Writes an object aside. No lock is needed, and until [`Objects::commit`] nobody sees it.
    pub(super) async fn prepare(&self, mut input: PutObjectInput) -> S3Result<Prepared> {
        let aside = self.commits.aside();
        input.bucket = ASIDE.to_owned();
        input.key = aside.name.clone();
        // Conditions are about the place the object goes to, and are checked there.
        input.if_match = None;
        input.if_none_match = None;
        // s3s-fs takes an algorithm without a value for a checksum that does not match.
        input.checksum_algorithm = None;
        let output = self.files.put_object(ask(input)).await.map_err(passed)?.output;
        Ok(Prepared { aside, output })
    }

    /// Puts an object that was written aside in its place, if the conditions hold. Takes the locks.
    pub(super) async fn commit(
        &self,
        prepared: Prepared,
        bucket: &str,
        key: &str,
        conditions: &WriteConditions,
    ) -> S3Result<PutObjectOutput> {
        let _using = self.locks.use_bucket(bucket).await;
        self.use_bucket(bucket).await?;
        let _writing = self.locks.write(bucket, key).await;
        self.check_write(bucket, key, conditions).await?;
        let put = self.commits.put(prepared.aside, bucket, key).await;
        put.map_err(|error| broken("commit", error))?;
        Ok(prepared.output)
    }

    /// Checks the conditions of a write before anything is copied for it. The answer lasts for a moment;
    /// it is asked for again when it counts.
    pub(super) async fn may_write(
        &self,
        bucket: &str,
        key: &str,
        conditions: &WriteConditions,
    ) -> S3Result<()> {
        self.use_bucket(bucket).await?;
        let _reading = self.locks.read(bucket, key).await;
        self.check_write(bucket, key, conditions).await
    }

    /// Checks the conditions of a write. `s3s-fs` has them too, but compares with an ETag of its own
    /// where the object is a multipart one. The answer lasts as long as the caller holds the lock
    /// of the object.
    async fn check_write(
        &self,
        bucket: &str,
        key: &str,
        conditions: &WriteConditions,
    ) -> S3Result<()> {
        let WriteConditions { matches, none_match } = conditions;
        if matches.is_none() && none_match.is_none() {
            return Ok(());
        }
        if none_match.as_ref().is_some_and(|condition| !condition.is_any()) {
            return Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: \
                 If-None-Match"
            ));
        }
        let head = match self.look(bucket, key).await {
            Ok(head) => head,
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey && matches.is_none() => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        Conditions {
            matches: matches.as_ref(),
            none_match: none_match.as_ref(),
            ..Conditions::default()
        }
        .check_change(&head)
    }

    /// Removes the folders an object leaves empty, if nobody is using the bucket: a writer may be
    /// about to put something into them.
    pub(super) fn tidy(&self, bucket: &str, key: &str) {
        let Some(_owned) = self.locks.try_own_bucket(bucket) else { return };
        let folder = self.folder(bucket);
        let place = Place::of(bucket, key);
        for parent in Path::new(&place.path).ancestors().skip(1) {
            // Fails, as it should, on the first folder that is not empty.
            if parent.as_os_str().is_empty() || std::fs::remove_dir(folder.join(parent)).is_err() {
                return;
            }
        }
    }

    /// Removes an object, if the conditions hold. Takes the locks.
    pub(super) async fn delete(
        &self,
        bucket: &str,
        key: &str,
        conditions: &WriteConditions,
    ) -> S3Result<()> {
        {
            let _using = self.locks.use_bucket(bucket).await;
            self.use_bucket(bucket).await?;
            let _writing = self.locks.write(bucket, key).await;
            self.check_write(bucket, key, conditions).await?;
            let removed = self.commits.remove(bucket, key).await;
            removed.map_err(|error| broken("object", error))?;
        }
        self.tidy(bucket, key);
        Ok(())
    }
}

/// An object that is written but not in its place.
#[derive(Debug)]
pub(super) struct Prepared {
    aside: Aside,
    output: PutObjectOutput,
}

impl Prepared {
    /// When it was written, which stays so when it is put in place.
    pub(super) async fn modified(&self) -> S3Result<Timestamp> {
        self.aside.modified().await.map_err(|error| broken("object", error))
    }
}

/// A request to the store underneath: it has an input and nothing else.
pub(super) fn ask<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Method::default(),
        uri: Uri::default(),
        headers: HeaderMap::default(),
        extensions: http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(super) fn size(head: &HeadObjectOutput) -> u64 {
    head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}
