//! Multipart uploads.
//!
//! The store underneath has them, but it drops an upload before it knows whether it can be
//! completed, insists on part numbers without gaps, does not compare ETags, keeps no ETags for
//! `ListParts`, lets any upload id write to any key and cannot list uploads. So the parts are kept
//! here, one folder per upload, and the finished object goes through the store's ordinary write.
//!
//! This module knows files and parts; which object may be written, and by whom, was decided before.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, CompletedPart, ETag, Metadata, Timestamp};
use s3s::{S3Error, S3Result, StdError, s3_error};
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedMutexGuard;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::disk::Disk;
use super::locks::Named;
use super::sums::{self, sums};
use super::{BLOCK, broken};

/// What was asked for when the upload began.
const UPLOAD: &str = "upload.json";
/// Begins the name of a part that is not whole yet.
const INCOMING: &str = ".incoming-";
/// Every part but the last has at least this many bytes.
const MIN_PART: u64 = 5 * 1024 * 1024;
/// Part numbers end here.
pub(super) const MAX_PART: i32 = 10_000;

/// An upload that has begun, as it is kept on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) initiated: Timestamp,
    pub(super) attributes: Attributes,
    /// Whether its checksum is to be that of the whole object.
    #[serde(default)]
    pub(super) whole: bool,
}

/// What the finished object will carry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Attributes {
    pub(super) metadata: Option<Metadata>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) website_redirect_location: Option<String>,
}

/// A part that is whole.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) md5: [u8; 16],
    /// What else it was checked by when it came.
    pub(super) sums: Checksum,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
    pub(super) path: PathBuf,
}

/// The parts that make the object, in order.
#[derive(Debug)]
pub(super) struct Chosen {
    parts: Vec<Part>,
}

/// The folder of all uploads.
#[derive(Debug)]
pub(super) struct Uploads {
    folder: PathBuf,
    disk: Disk,
    held: Named,
}

impl Uploads {
    /// Opens the folder and removes what a crash left half written.
    pub(super) fn open(folder: PathBuf, disk: Disk) -> io::Result<Self> {
        disk.make_folder(&folder)?;
        for upload in std::fs::read_dir(&folder)? {
            let upload = upload?.path();
            if !upload.join(UPLOAD).is_file() {
                std::fs::remove_dir_all(&upload)?;
                continue;
            }
            for file in std::fs::read_dir(&upload)? {
                let file = file?;
                if file.file_name().to_str().is_some_and(|name| name.starts_with(INCOMING)) {
                    std::fs::remove_file(file.path())?;
                }
            }
        }
        Ok(Uploads { folder, disk, held: Named::default() })
    }

    pub(super) async fn begin(&self, upload: &Upload) -> S3Result<String> {
        // Later ones are greater.
        let id = Uuid::now_v7().simple().to_string();
        let text = serde_json::to_vec(upload).map_err(|error| broken("upload", error))?;
        let folder = self.folder.join(&id);
        fs::create_dir(&folder).await.map_err(|error| broken("upload", error))?;
        let incoming = folder.join(format!("{INCOMING}upload"));
        fs::write(&incoming, text).await.map_err(|error| broken("upload", error))?;
        self.settle(&incoming, &folder.join(UPLOAD))
            .await
            .map_err(|error| broken("upload", error))?;
        Ok(id)
    }

    /// Whoever holds an upload has its parts for himself: none is replaced, and it does not end.
    pub(super) async fn hold(&self, id: &str) -> OwnedMutexGuard<()> {
        self.held.hold(id).await
    }

    /// The upload with this id, if it is for this object.
    pub(super) async fn find(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let upload = self.read(id).await?;
        if upload.bucket != bucket || upload.key != key {
            return Err(no_such_upload());
        }
        Ok(upload)
    }

    /// Forgets an upload and its parts. The caller holds it, or its bucket goes as well.
    pub(super) async fn end(&self, id: &str) -> S3Result<()> {
        match fs::remove_dir_all(self.path(id)?).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(broken("upload", error)),
        }
    }

    /// Every upload into a bucket, in the order of keys and then of ids, which is that of age.
    pub(super) async fn list(&self, bucket: &str) -> S3Result<Vec<(String, Upload)>> {
        let mut uploads = Vec::new();
        let mut entries =
            fs::read_dir(&self.folder).await.map_err(|error| broken("uploads", error))?;
        while let Some(entry) =
            entries.next_entry().await.map_err(|error| broken("uploads", error))?
        {
            let name = entry.file_name();
            let Some(id) = name.to_str() else { continue };
            // One that ends while we look is simply not listed.
            if let Ok(upload) = self.read(id).await
                && upload.bucket == bucket
            {
                uploads.push((id.to_owned(), upload));
            }
        }
        uploads.sort_by(|(a, left), (b, right)| (&left.key, a).cmp(&(&right.key, b)));
        Ok(uploads)
    }

    /// Writes a part aside and puts it in place once it is whole.
    pub(super) async fn write<S>(
        &self,
        id: &str,
        number: i32,
        sums: Checksum,
        mut body: S,
    ) -> S3Result<Part>
    where
        S: Stream<Item = Result<bytes::Bytes, StdError>> + Unpin,
    {
        let folder = self.path(id)?;
        let incoming = Incoming(folder.join(format!("{INCOMING}{}", Uuid::new_v4().simple())));
        let mut file =
            fs::File::create_new(&incoming.0).await.map_err(|error| gone("part", error))?;
        let mut md5 = Md5::new();
        let mut size = 0_u64;
        while let Some(block) = body.next().await {
            let block = block.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
            md5.update(&block);
            size += block.len() as u64;
            file.write_all(&block).await.map_err(|error| broken("part", error))?;
        }
        file.flush().await.map_err(|error| broken("part", error))?;
        let md5 = md5.finalize();
        let path = folder.join(part_name(number, md5, &sums));
        let _held = self.hold(id).await;
        self.settle(&incoming.0, &path).await.map_err(|error| gone("part", error))?;
        // The last writer of a number wins, so what it replaces goes only now.
        for (other, part) in self.files(id).await? {
            if other == number && part.path != path {
                remove(&part.path).await?;
            }
        }
        Ok(Part { md5, sums, size, modified: std::time::SystemTime::now().into(), path })
    }

    /// The parts so far, by number.
    pub(super) async fn parts(&self, id: &str) -> S3Result<BTreeMap<i32, Part>> {
        Ok(self.files(id).await?.into_iter().collect())
    }

    /// Checks a list of parts against what is there, before anything is changed.
    pub(super) async fn choose(&self, id: &str, list: &[CompletedPart]) -> S3Result<Chosen> {
        let mut present = self.parts(id).await?;
        let mut parts: Vec<Part> = Vec::with_capacity(list.len());
        let mut last = 0;
        for wanted in list {
            let number = wanted.part_number.unwrap_or(0);
            if number <= last {
                return Err(s3_error!(
                    InvalidPartOrder,
                    "The list of parts was not in ascending order."
                ));
            }
            last = number;
            let part = present.remove(&number).filter(|part| {
                wanted.e_tag.as_ref().is_none_or(|etag| etag.value() == hex(part.md5))
                    && sums::has(&part.sums, &sums!(wanted.clone()))
            });
            let Some(part) = part else {
                return Err(s3_error!(
                    InvalidPart,
                    "One or more of the specified parts could not be found. The part may not have \
                     been uploaded, or the specified entity tag may not match the part's entity \
                     tag."
                ));
            };
            if parts.last().is_some_and(|before| before.size < MIN_PART) {
                return Err(s3_error!(
                    EntityTooSmall,
                    "Your proposed upload is smaller than the minimum allowed object size."
                ));
            }
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        Ok(Chosen { parts })
    }

    /// Gives a file that is whole its name, and keeps both.
    async fn settle(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (disk, all, from, to) =
            (self.disk, self.folder.clone(), from.to_owned(), to.to_owned());
        tokio::task::spawn_blocking(move || {
            disk.file(&from)?;
            std::fs::rename(&from, &to)?;
            to.parent().map_or(Ok(()), |folder| disk.folder(folder))?;
            disk.folder(&all)
        })
        .await?
    }

    async fn read(&self, id: &str) -> S3Result<Upload> {
        let text = match fs::read(self.path(id)?.join(UPLOAD)).await {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_such_upload()),
            Err(error) => return Err(broken("upload", error)),
        };
        serde_json::from_slice(&text).map_err(|error| broken("upload", error))
    }

    /// The files of whole parts.
    async fn files(&self, id: &str) -> S3Result<Vec<(i32, Part)>> {
        let mut parts = Vec::new();
        let mut entries = match fs::read_dir(self.path(id)?).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_such_upload()),
            Err(error) => return Err(broken("parts", error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(|e| broken("parts", e))? {
            let name = entry.file_name();
            let Some((number, md5, sums)) = name.to_str().and_then(read_part_name) else {
                continue;
            };
            let Ok(metadata) = entry.metadata().await else { continue };
            let modified = metadata.modified().map_err(|error| broken("parts", error))?.into();
            parts.push((
                number,
                Part { md5, sums, size: metadata.len(), modified, path: entry.path() },
            ));
        }
        // Two files of one number exist only while one replaces the other: the newer one counts.
        parts.sort_by(|(a, left), (b, right)| {
            (a, &left.modified)
                .partial_cmp(&(b, &right.modified))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        Ok(parts)
    }

    /// The folder of an upload. An id is a name we made, so whatever else is no upload.
    fn path(&self, id: &str) -> S3Result<PathBuf> {
        let ours = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if ours { Ok(self.folder.join(id)) } else { Err(no_such_upload()) }
    }
}

impl Part {
    pub(super) fn etag(&self) -> ETag {
        ETag::Strong(hex(self.md5))
    }
}

impl Chosen {
    /// The ETag of a multipart object: the MD5 of the MD5s, and how many there were.
    pub(super) fn etag(&self) -> String {
        let mut md5 = Md5::new();
        for part in &self.parts {
            md5.update(&part.md5);
        }
        format!("{}-{}", hex(md5.finalize()), self.parts.len())
    }

    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// The object's bytes, part after part.
    pub(super) fn read(self) -> impl Stream<Item = io::Result<bytes::Bytes>> + Send + Sync {
        futures_util::stream::iter(self.parts.into_iter().map(Ok))
            .and_then(|part: Part| async move {
                let file = fs::File::open(&part.path).await?;
                Ok::<_, io::Error>(ReaderStream::with_capacity(file, BLOCK))
            })
            .try_flatten()
    }

    /// Whether the checksum that is declared is made of those of the parts.
    pub(super) fn composes(&self, declared: &Checksum) -> bool {
        let parts: Vec<_> = self.parts.iter().map(|part| &part.sums).collect();
        sums::composed(declared, &parts)
    }

    /// Runs the whole object through checksums.
    pub(super) async fn checksum(&self, hasher: &mut ChecksumHasher) -> S3Result<()> {
        for part in &self.parts {
            let file = fs::File::open(&part.path).await.map_err(|error| broken("part", error))?;
            let mut blocks = ReaderStream::with_capacity(file, BLOCK);
            while let Some(block) = blocks.next().await {
                hasher.update(&block.map_err(|error| broken("part", error))?);
            }
        }
        Ok(())
    }
}

/// A file that is removed unless it has been renamed.
struct Incoming(PathBuf);

impl Drop for Incoming {
    fn drop(&mut self) {
        // After the rename there is nothing of that name, and nobody to tell if it fails.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn part_name(number: i32, md5: [u8; 16], sums: &Checksum) -> String {
    format!("{number:05}-{}{}", hex(md5), sums::name(sums))
}

fn read_part_name(name: &str) -> Option<(i32, [u8; 16], Checksum)> {
    let mut words = name.split('.');
    let (number, md5) = words.next()?.split_once('-')?;
    Some((number.parse().ok()?, unhex(md5)?, sums::read_name(words)?))
}

pub(super) fn hex(bytes: [u8; 16]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    (text.len() == 32 && text.is_ascii()).then_some(())?;
    for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

async fn remove(path: &Path) -> S3Result<()> {
    match fs::remove_file(path).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(broken("part", error)),
    }
}

/// An upload ends with its folder, and with it whatever is written there.
fn gone(what: &'static str, error: io::Error) -> S3Error {
    match error.kind() {
        ErrorKind::NotFound => no_such_upload(),
        _ => broken(what, error),
    }
}

fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist. The upload ID might be invalid, or the \
         multipart upload might have been aborted or completed."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload() -> Upload {
        Upload {
            bucket: "bucket".to_owned(),
            key: "key".to_owned(),
            initiated: std::time::SystemTime::now().into(),
            attributes: Attributes::default(),
            whole: false,
        }
    }

    fn body(bytes: &'static [u8]) -> impl Stream<Item = Result<bytes::Bytes, StdError>> + Unpin {
        futures_util::stream::iter([Ok(bytes::Bytes::from_static(bytes))])
    }

    #[tokio::test]
    async fn an_id_is_only_what_was_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap();
        for id in ["", "..", "../staging", "/etc", &"a".repeat(31), &"G".repeat(32)] {
            assert!(uploads.find(id, "bucket", "key").await.is_err(), "{id}");
            assert!(uploads.write(id, 1, Checksum::default(), body(b"x")).await.is_err(), "{id}");
        }
    }

    #[tokio::test]
    async fn an_upload_belongs_to_its_object() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap();
        let id = uploads.begin(&upload()).await.unwrap();
        assert!(uploads.find(&id, "bucket", "key").await.is_ok());
        assert!(uploads.find(&id, "bucket", "other").await.is_err());
        assert!(uploads.find(&id, "other", "key").await.is_err());
        uploads.end(&id).await.unwrap();
        assert!(uploads.find(&id, "bucket", "key").await.is_err());
    }

    #[tokio::test]
    async fn the_last_writer_of_a_number_wins() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap();
        let id = uploads.begin(&upload()).await.unwrap();
        uploads.write(&id, 3, Checksum::default(), body(b"one")).await.unwrap();
        let second = uploads.write(&id, 3, Checksum::default(), body(b"two")).await.unwrap();
        let parts = uploads.parts(&id).await.unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[&3].md5, second.md5);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_writers_at_the_same_time_one_is_last() {
        let folder = tempfile::tempdir().unwrap();
        let uploads =
            std::sync::Arc::new(Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap());
        let id = uploads.begin(&upload()).await.unwrap();
        for round in 0..100 {
            let writers = [&b"one"[..], b"two", b"three", b"four"].map(|text| {
                let (uploads, id) = (std::sync::Arc::clone(&uploads), id.clone());
                tokio::spawn(async move {
                    uploads.write(&id, 3, Checksum::default(), body(text)).await.unwrap().md5
                })
            });
            let mut written = Vec::new();
            for writer in writers {
                written.push(writer.await.unwrap());
            }
            let parts = uploads.parts(&id).await.unwrap();
            assert_eq!(parts.len(), 1, "round {round}");
            assert!(written.contains(&parts[&3].md5), "round {round}");
        }
    }

    #[tokio::test]
    async fn what_is_held_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let uploads =
            std::sync::Arc::new(Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap());
        let id = uploads.begin(&upload()).await.unwrap();
        let first = uploads.write(&id, 1, Checksum::default(), body(b"one")).await.unwrap();
        let held = uploads.hold(&id).await;
        let (other, name) = (std::sync::Arc::clone(&uploads), id.clone());
        let writer =
            tokio::spawn(
                async move { other.write(&name, 1, Checksum::default(), body(b"two")).await },
            );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(uploads.parts(&id).await.unwrap()[&1].md5, first.md5);
        uploads.end(&id).await.unwrap();
        drop(held);
        assert_eq!(writer.await.unwrap().unwrap_err().code().as_str(), "NoSuchUpload");
    }

    #[tokio::test]
    async fn nothing_is_chosen_that_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned(), Disk::new(false)).unwrap();
        let id = uploads.begin(&upload()).await.unwrap();
        let first = uploads.write(&id, 2, Checksum::default(), body(b"first")).await.unwrap();
        let second = uploads.write(&id, 7, Checksum::default(), body(b"second")).await.unwrap();
        let wanted = |number: i32, etag: &str| CompletedPart {
            part_number: Some(number),
            e_tag: Some(ETag::Strong(etag.to_owned())),
            ..CompletedPart::default()
        };
        let (first, second) = (hex(first.md5), hex(second.md5));
        let code = |result: S3Result<Chosen>| result.unwrap_err().code().as_str().to_owned();
        let choose = async |list: &[CompletedPart]| uploads.choose(&id, list).await;
        assert_eq!(code(choose(&[]).await), "MalformedXML");
        assert_eq!(code(choose(&[wanted(2, &second)]).await), "InvalidPart");
        assert_eq!(code(choose(&[wanted(1, &first)]).await), "InvalidPart");
        let backwards = [wanted(7, &second), wanted(2, &first)];
        assert_eq!(code(choose(&backwards).await), "InvalidPartOrder");
        let small = [wanted(2, &first), wanted(7, &second)];
        assert_eq!(code(choose(&small).await), "EntityTooSmall");
        let chosen = choose(&[wanted(7, &second)]).await.unwrap();
        assert!(chosen.etag().ends_with("-1"));
        assert_eq!(chosen.size(), 6);
    }
}
