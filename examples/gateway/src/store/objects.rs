//! One object at a time: looking at it, opening it, writing it, removing it.
//!
//! `s3s-fs` does the writing and keeps the attributes; here a key becomes a place, a bucket has to
//! exist, and what an object leaves behind is cleared away. Who holds which lock is said at every
//! function; what the client asked for this module deliberately does not know.

use std::io::{self, ErrorKind};
use std::ops::Range as Span;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method, Uri};
use s3s::dto::{
    ETag, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::conditions::{Conditions, WriteConditions};
use super::locks::Locks;
use super::multipart::Uploads;
use super::names::Place;
use super::{Area, BLOCK, broken, passed};

/// What an object without a content type is.
const CONTENT_TYPE: &str = "binary/octet-stream";
/// Where objects are written aside: a bucket whose name no client can use.
const INCOMING: &str = ".incoming";
/// Where a multipart ETag is kept among an object's metadata. Not a header name, so no client can
/// send it.
pub(super) const ETAG_NOTE: &str = "gateway: etag";

/// The objects: `s3s-fs` with the gaps closed.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) files: FileSystem,
    pub(super) uploads: Uploads,
    pub(super) locks: Locks,
    pub(super) region: String,
    pub(super) area: Arc<Area>,
}

impl Objects {
    /// Opens the folders of the area.
    pub(super) fn open(
        area: Arc<Area>,
        region: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        sweep(&area.buckets)?;
        Ok(Objects {
            files: FileSystem::new(&area.buckets).map_err(|error| format!("{error:?}"))?,
            uploads: Uploads::open(area.uploads.clone())?,
            locks: Locks::new(),
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
        let name = Uuid::new_v4().simple().to_string();
        let aside = Aside(self.files_of(INCOMING, &name));
        input.bucket = INCOMING.to_owned();
        input.key = name;
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
        let failed = |error: io::Error| broken("commit", error);
        let _using = self.locks.use_bucket(bucket).await;
        self.use_bucket(bucket).await?;
        let _writing = self.locks.write(bucket, key).await;
        self.check_write(bucket, key, conditions).await?;
        let place = Place::of(bucket, key);
        let files = self.files_of(bucket, &place.path);
        if let Some(folder) = files.object.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        if let Some(file) = place.key_file() {
            // Before the object, so that no object is ever without its key.
            tokio::fs::write(self.folder(bucket).join(file), key).await.map_err(failed)?;
        }
        for (from, to) in prepared.aside.0.all().zip(files.all()) {
            tokio::fs::rename(from, to).await.map_err(failed)?;
        }
        Ok(prepared.output)
    }

    /// Checks the conditions of a write. `s3s-fs` has them too, but compares with an ETag of its own
    /// where the object is a multipart one. The answer lasts as long as the caller holds the lock
    /// of the object.
    pub(super) async fn check_write(
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

    /// Removes an object and everything that was kept for it. The caller holds its lock.
    pub(super) async fn remove(&self, bucket: &str, key: &str) -> S3Result<()> {
        let place = Place::of(bucket, key);
        let key_file = place.key_file().map(|file| self.folder(bucket).join(file));
        let files = self.files_of(bucket, &place.path);
        // The object first: without it, nothing of the rest means anything.
        for file in files.all().chain(key_file.as_ref()) {
            match tokio::fs::remove_file(file).await {
                Ok(()) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(broken("object", error)),
            }
        }
        Ok(())
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

    /// Where `s3s-fs` keeps what belongs to an object. Of its layout, this is all that is known.
    fn files_of(&self, bucket: &str, path: &str) -> Files {
        let base64 = |name: &str| URL_SAFE_NO_PAD.encode(name);
        let notes = format!(".bucket-{}.object-{}.", base64(bucket), base64(path));
        Files {
            object: self.folder(bucket).join(path),
            metadata: self.area.buckets.join(format!("{notes}metadata.json")),
            internal: self.area.buckets.join(format!("{notes}internal.json")),
        }
    }

    pub(super) async fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        {
            let _using = self.locks.use_bucket(bucket).await;
            self.use_bucket(bucket).await?;
            let _writing = self.locks.write(bucket, key).await;
            self.remove(bucket, key).await?;
        }
        self.tidy(bucket, key);
        Ok(())
    }
}

/// Removes what a crash left written aside.
fn sweep(buckets: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(buckets.join(INCOMING)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let notes = format!(".bucket-{}.", URL_SAFE_NO_PAD.encode(INCOMING));
    for file in std::fs::read_dir(buckets)? {
        let file = file?;
        if file.file_name().to_str().is_some_and(|name| name.starts_with(&notes)) {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// The files of one object.
#[derive(Debug)]
struct Files {
    object: PathBuf,
    /// What the client said of it.
    metadata: PathBuf,
    /// Its ETag and checksums.
    internal: PathBuf,
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.object, &self.metadata, &self.internal].into_iter()
    }
}

/// An object that is written but not in its place.
#[derive(Debug)]
pub(super) struct Prepared {
    aside: Aside,
    output: PutObjectOutput,
}

/// Files that are removed, unless they have been renamed.
#[derive(Debug)]
struct Aside(Files);

impl Drop for Aside {
    fn drop(&mut self) {
        for file in self.0.all() {
            // After a rename there is nothing of that name, and nobody to tell if it fails.
            let _ = std::fs::remove_file(file);
        }
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

/// Whether an error means that there is nothing of that name. A file where a folder should be
/// means it too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
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
