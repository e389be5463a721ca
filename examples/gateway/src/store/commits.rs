//! The files of an object: written aside, put in place, removed.
//!
//! An object is three files of `s3s-fs`, and one that holds its key where the path does not tell it.
//! Files are renamed one by one, so before the first of them is a note is written that says which are
//! to go where: whoever stops the gateway then, or takes its power, has the rest of them renamed when
//! it starts again ([`Commits::open`]). Until the note is there, nothing has happened. So an object is
//! always one that somebody wrote, with its own attributes.
//!
//! A note has the name of its object, and takes the place of one that is left of it: what could not be
//! finished is never finished over something newer.
//!
//! Nothing here takes a lock; every caller says which it holds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::names::Place;
use super::{Area, is_absent};

/// Where objects are written aside: a bucket whose name no client can use.
pub(super) const ASIDE: &str = ".incoming";
/// Begins the name of a file that is not whole yet.
const INCOMING: &str = ".incoming-";

/// The way of objects to their places.
#[derive(Clone, Debug)]
pub(super) struct Commits {
    area: Arc<Area>,
    /// Held while folders are made.
    making: Arc<Mutex<()>>,
}

/// An object that is written but not in its place: its files are removed unless they have been renamed.
#[derive(Debug)]
pub(super) struct Aside {
    /// Its key in the bucket [`ASIDE`].
    pub(super) name: String,
    files: Files,
    kept: bool,
}

/// The files of one object, as `s3s-fs` lays them out. Of its layout, this is all that is known.
#[derive(Debug)]
struct Files {
    object: PathBuf,
    /// What the client said of it.
    metadata: PathBuf,
    /// Its ETag and checksums.
    internal: PathBuf,
}

/// That an object is to be put in place.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// What it was written aside as.
    aside: String,
    bucket: String,
    /// Where it goes, as `s3s-fs` has it.
    path: String,
}

impl Commits {
    /// Opens the area: finishes what was begun, and removes what was only written aside.
    pub(super) fn open(area: Arc<Area>) -> io::Result<Self> {
        let commits = Commits { area, making: Arc::default() };
        commits.area.disk.make_folder(&commits.area.commits)?;
        for note in std::fs::read_dir(&commits.area.commits)? {
            commits.recover(&note?.path())?;
        }
        commits.sweep()?;
        Ok(commits)
    }

    /// A name to write an object aside by.
    pub(super) fn aside(&self) -> Aside {
        let name = Uuid::new_v4().simple().to_string();
        let files = self.files(ASIDE, &name);
        Aside { name, files, kept: false }
    }

    /// Puts an object in its place, whole or not at all. The caller holds its lock for writing, and
    /// knows that its bucket is there.
    pub(super) async fn put(&self, aside: Aside, bucket: &str, key: &str) -> io::Result<()> {
        let (place, key, bucket) = (Place::of(bucket, key), key.to_owned(), bucket.to_owned());
        self.wait_for(move |commits| {
            commits.make_room(&bucket, &place, &key)?;
            commits.begin(&aside, &bucket, &place.path)?;
            commits.finish(aside, &bucket, &place.path)
        })
        .await
    }

    /// Removes an object and everything that was kept for it. The caller holds its lock for writing.
    pub(super) async fn remove(&self, bucket: &str, key: &str) -> io::Result<()> {
        let (place, bucket) = (Place::of(bucket, key), bucket.to_owned());
        self.wait_for(move |commits| {
            let files = commits.files(&bucket, &place.path);
            // What is left of a commit must not come back.
            remove(&commits.note(&bucket, &place.path))?;
            // The object first: without it, nothing of the rest means anything.
            files.all().into_iter().try_for_each(|file| remove(file))?;
            if let Some(file) = place.key_file() {
                remove(&commits.folder(&bucket).join(file))?;
            }
            match files.object.parent() {
                Some(folder) if folder.is_dir() => commits.area.disk.folder(folder),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Makes the folders that an object goes to, and the file of its key: before the object, so that none
    /// is ever without its key.
    fn make_room(&self, bucket: &str, place: &Place, key: &str) -> io::Result<()> {
        let disk = self.area.disk;
        let object = self.folder(bucket).join(&place.path);
        let Some(folder) = object.parent() else { return Ok(()) };
        {
            // Whoever finds a folder made finds it kept.
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            disk.make_folder(folder)?;
        }
        let Some(file) = place.key_file() else { return Ok(()) };
        let file = self.folder(bucket).join(file);
        // It is never written anew: whoever lists the bucket reads it, and an object that has one must
        // not lose it to a full disk.
        if std::fs::read(&file).is_ok_and(|text| text == key.as_bytes()) {
            return Ok(());
        }
        self.settle(&file, key.as_bytes())
    }

    /// Writes the note. When it is there, the object is as good as in its place.
    fn begin(&self, aside: &Aside, bucket: &str, path: &str) -> io::Result<()> {
        let (area, disk) = (&self.area, self.area.disk);
        for file in aside.files.all() {
            // What is missing here would be taken for renamed there.
            file.symlink_metadata()?;
            disk.file(file)?;
        }
        disk.folder(&self.folder(ASIDE))?;
        disk.folder(&area.buckets)?;
        let note =
            Note { aside: aside.name.clone(), bucket: bucket.to_owned(), path: path.to_owned() };
        self.settle(&self.note(bucket, path), &serde_json::to_vec(&note)?)
    }

    /// Writes a small file, whole or not at all.
    fn settle(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let disk = self.area.disk;
        let incoming = self.area.commits.join(format!("{INCOMING}{}", Uuid::new_v4().simple()));
        let written = disk.write(&incoming, bytes).and_then(|()| std::fs::rename(&incoming, file));
        if written.is_err() {
            // There is nobody to tell if it fails, and it is removed at the next start.
            let _ = std::fs::remove_file(&incoming);
        }
        written?;
        file.parent().map_or(Ok(()), |folder| disk.folder(folder))
    }

    /// Does what the note says, and takes it away.
    fn finish(&self, aside: Aside, bucket: &str, path: &str) -> io::Result<()> {
        let (to, note) = (self.files(bucket, path), self.note(bucket, path));
        match rename(aside.files.all().into_iter().zip(to.all())) {
            Ok(()) => self.keep(&to)?,
            // Nothing has been renamed: nothing has happened.
            Err(error) if aside.files.object.exists() => {
                remove(&note)?;
                return Err(error);
            }
            // The rest is renamed at the next start.
            Err(error) => {
                aside.keep();
                return Err(error);
            }
        }
        // The object is in its place, and a note that asks for nothing more does no harm.
        if let Err(error) = remove(&note) {
            tracing::warn!(%error, "the note of a commit could not be removed");
        }
        Ok(())
    }

    /// Does what is left of what a note says.
    fn recover(&self, note: &Path) -> io::Result<()> {
        let whole = note.file_name().and_then(|name| name.to_str());
        if whole.is_none_or(|name| name.starts_with(INCOMING)) {
            return remove(note);
        }
        match serde_json::from_slice::<Note>(&std::fs::read(note)?) {
            // A bucket that somebody took away takes its objects along.
            Ok(Note { aside, bucket, path }) if self.folder(&bucket).is_dir() => {
                let (from, to) = (self.files(ASIDE, &aside), self.files(&bucket, &path));
                rename(from.all().into_iter().zip(to.all()).filter(|(from, _)| from.exists()))?;
                self.keep(&to)?;
                tracing::info!(bucket, path, "a commit that was begun is finished");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a note of a commit that nobody was answered"),
        }
        remove(note)
    }

    /// The names of an object's files are kept.
    fn keep(&self, files: &Files) -> io::Result<()> {
        let disk = self.area.disk;
        files.object.parent().map_or(Ok(()), |folder| disk.folder(folder))?;
        disk.folder(&self.area.buckets)
    }

    /// Removes what nobody put in place.
    fn sweep(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.folder(ASIDE)) {
            Err(error) if is_absent(&error) => {}
            removed => removed?,
        }
        let notes = format!(".bucket-{}.", URL_SAFE_NO_PAD.encode(ASIDE));
        for file in std::fs::read_dir(&self.area.buckets)? {
            let file = file?;
            if file.file_name().to_str().is_some_and(|name| name.starts_with(&notes)) {
                std::fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    fn folder(&self, bucket: &str) -> PathBuf {
        self.area.buckets.join(bucket)
    }

    fn files(&self, bucket: &str, path: &str) -> Files {
        let about = about(bucket, path);
        Files {
            object: self.folder(bucket).join(path),
            metadata: self.area.buckets.join(format!("{about}metadata.json")),
            internal: self.area.buckets.join(format!("{about}internal.json")),
        }
    }

    fn note(&self, bucket: &str, path: &str) -> PathBuf {
        self.area.commits.join(format!("{}json", about(bucket, path)))
    }

    /// Runs what waits for the disk where it may. It runs to its end, whoever is still waiting for it.
    async fn wait_for(
        &self,
        work: impl FnOnce(&Commits) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let commits = self.clone();
        tokio::task::spawn_blocking(move || work(&commits)).await?
    }
}

impl Files {
    /// The object first: with it, the new one begins.
    fn all(&self) -> [&PathBuf; 3] {
        [&self.object, &self.metadata, &self.internal]
    }
}

impl Aside {
    /// When its bytes were written.
    pub(super) async fn modified(&self) -> io::Result<Timestamp> {
        Ok(tokio::fs::metadata(&self.files.object).await?.modified()?.into())
    }

    /// Leaves the files where they are.
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in self.files.all() {
            // After a rename there is nothing of that name, and nobody to tell if it fails.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Begins the names of all that is kept about an object.
fn about(bucket: &str, path: &str) -> String {
    let base64 = |name: &str| URL_SAFE_NO_PAD.encode(name);
    format!(".bucket-{}.object-{}.", base64(bucket), base64(path))
}

/// Renames files in order.
fn rename<'p>(files: impl Iterator<Item = (&'p PathBuf, &'p PathBuf)>) -> io::Result<()> {
    files.into_iter().try_for_each(|(from, to)| std::fs::rename(from, to))
}

/// Removes a file, if it is there.
fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if is_absent(&error) => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Disk;

    const KEY: &str = "photos/cat.jpg";
    /// Not a path, so its key is kept beside it.
    const ODD: &str = "photos//cat.jpg";

    /// Opens the area, as the gateway does when it starts.
    fn open(folder: &Path) -> Commits {
        let area = Area::open(folder, Disk::new(true)).unwrap();
        std::fs::create_dir_all(area.buckets.join("bucket")).unwrap();
        Commits::open(Arc::new(area)).unwrap()
    }

    impl Commits {
        /// Writes an object aside, each of its files saying `text`.
        fn written(&self, text: &str) -> Aside {
            let aside = self.aside();
            std::fs::create_dir_all(self.folder(ASIDE)).unwrap();
            aside.files.all().into_iter().for_each(|file| std::fs::write(file, text).unwrap());
            aside
        }

        /// Gets as far as a gateway that is stopped after `renamed` files.
        fn stopped(&self, key: &str, text: &str, renamed: usize) {
            let (aside, place) = (self.written(text), Place::of("bucket", key));
            self.make_room("bucket", &place, key).unwrap();
            self.begin(&aside, "bucket", &place.path).unwrap();
            let to = self.files("bucket", &place.path);
            rename(aside.files.all().into_iter().zip(to.all()).take(renamed)).unwrap();
            aside.keep();
        }

        /// What the files of an object say.
        fn texts(&self, key: &str) -> Vec<Option<String>> {
            let files = self.files("bucket", &Place::of("bucket", key).path);
            files.all().into_iter().map(|file| std::fs::read_to_string(file).ok()).collect()
        }

        /// Each of its files says `text`, or none is there; and nothing is left of how that came.
        #[track_caller]
        fn assert_whole(&self, key: &str, text: Option<&str>, what: &str) {
            assert_eq!(self.texts(key), vec![text.map(str::to_owned); 3], "{key}: {what}");
            let notes: Vec<_> = std::fs::read_dir(&self.area.commits).unwrap().collect();
            assert!(notes.is_empty(), "{what}: {notes:?}");
            let aside = format!(".bucket-{}.", URL_SAFE_NO_PAD.encode(ASIDE));
            for file in std::fs::read_dir(&self.area.buckets).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with(&aside) && name != ASIDE, "{what}: {name}");
            }
        }
    }

    #[tokio::test]
    async fn an_object_is_whole_wherever_the_gateway_stops() {
        for key in [KEY, ODD] {
            for before in [None, Some("old")] {
                for renamed in 0..=3 {
                    let folder = tempfile::tempdir().unwrap();
                    let commits = open(folder.path());
                    if let Some(text) = before {
                        commits.put(commits.written(text), "bucket", key).await.unwrap();
                    }
                    commits.stopped(key, "new", renamed);
                    drop(commits);
                    let commits = open(folder.path());
                    commits.assert_whole(key, Some("new"), &format!("{before:?}, {renamed}"));
                    let place = Place::of("bucket", key);
                    let kept = place.key_file().map(|file| commits.folder("bucket").join(file));
                    assert!(kept.is_none_or(|file| std::fs::read(file).unwrap() == key.as_bytes()));
                }
            }
        }
    }

    #[tokio::test]
    async fn before_there_is_a_note_nothing_has_happened() {
        let folder = tempfile::tempdir().unwrap();
        let commits = open(folder.path());
        commits.put(commits.written("old"), "bucket", KEY).await.unwrap();
        commits.stopped(KEY, "new", 0);
        let note = commits.note("bucket", &Place::of("bucket", KEY).path);
        let text = std::fs::read(&note).unwrap();
        drop(commits);
        // One that is not whole is none, under whatever name.
        let incoming = note.with_file_name(format!("{INCOMING}x"));
        std::fs::rename(&note, &incoming).unwrap();
        open(folder.path()).assert_whole(KEY, Some("old"), "incoming");
        for length in 0..text.len() {
            let commits = open(folder.path());
            commits.written("new").keep();
            drop(commits);
            std::fs::write(&note, &text[..length]).unwrap();
            open(folder.path()).assert_whole(KEY, Some("old"), &format!("{length} bytes of it"));
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_commit_is_not_finished_over_something_newer() {
        for renamed in 0..=3 {
            let folder = tempfile::tempdir().unwrap();
            let commits = open(folder.path());
            commits.stopped(KEY, "stuck", renamed);
            commits.put(commits.written("newer"), "bucket", KEY).await.unwrap();
            drop(commits);
            open(folder.path()).assert_whole(KEY, Some("newer"), &format!("{renamed}, written"));

            let commits = open(folder.path());
            commits.stopped(KEY, "stuck", renamed);
            commits.remove("bucket", KEY).await.unwrap();
            drop(commits);
            open(folder.path()).assert_whole(KEY, None, &format!("{renamed}, removed"));
        }
    }

    #[tokio::test]
    async fn what_cannot_begin_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let commits = open(folder.path());
        let path = commits.folder("bucket").join(Place::of("bucket", KEY).path);
        std::fs::create_dir_all(path.join("made by hand")).unwrap();
        commits.put(commits.written("new"), "bucket", KEY).await.unwrap_err();
        drop(commits);
        open(folder.path()).assert_whole(KEY, None, "a folder is in the way");
        assert!(path.join("made by hand").is_dir());

        for missing in 0..3 {
            let commits = open(folder.path());
            commits.put(commits.written("old"), "bucket", KEY).await.unwrap_err();
            commits.put(commits.written("old"), "bucket", "other").await.unwrap();
            let aside = commits.written("new");
            std::fs::remove_file(aside.files.all()[missing]).unwrap();
            commits.put(aside, "bucket", "other").await.unwrap_err();
            drop(commits);
            let what = format!("file {missing} was not written aside");
            open(folder.path()).assert_whole("other", Some("old"), &what);
        }
    }

    #[tokio::test]
    async fn a_bucket_that_was_taken_away_stays_away() {
        let folder = tempfile::tempdir().unwrap();
        let commits = open(folder.path());
        commits.stopped(KEY, "new", 0);
        std::fs::remove_dir_all(commits.folder("bucket")).unwrap();
        let area = Arc::clone(&commits.area);
        drop(commits);
        let commits = Commits::open(area).unwrap();
        assert!(!commits.folder("bucket").exists());
        commits.assert_whole(KEY, None, "no bucket");
    }
}
