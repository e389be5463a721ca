//! When what was written is on the disk.
//!
//! A system keeps in memory for some time what it was told to write, and a loss of power loses it. A
//! file is safe once it was synced, and so is its name once its folder was. [`Disk`] does so, or does
//! nothing when nobody needs it; which files and folders there are it deliberately does not know. Its
//! functions wait for the disk, so they are called where a thread may wait.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Whether an answer waits for the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    synced: bool,
}

impl Disk {
    pub(crate) fn new(synced: bool) -> Self {
        Disk { synced }
    }

    /// What was written to a file is kept.
    pub(super) fn file(self, path: &Path) -> io::Result<()> {
        // Some systems sync only what can be written.
        if self.synced { OpenOptions::new().write(true).open(path)?.sync_all() } else { Ok(()) }
    }

    /// The names in a folder are kept. Only Unix can be asked for it; elsewhere, file systems that keep a
    /// journal do so in their own time.
    pub(super) fn folder(self, path: &Path) -> io::Result<()> {
        if cfg!(unix) && self.synced { std::fs::File::open(path)?.sync_all() } else { Ok(()) }
    }

    /// Makes a folder and those it is in, and keeps them.
    pub(super) fn make_folder(self, path: &Path) -> io::Result<()> {
        let missing = path.ancestors().take_while(|folder| !folder.is_dir()).count();
        std::fs::create_dir_all(path)?;
        path.ancestors().skip(1).take(missing).try_for_each(|parent| self.folder(parent))
    }

    /// Writes a small file and keeps it; its name is the caller's to keep.
    pub(super) fn write(self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        std::fs::write(path, bytes)?;
        self.file(path)
    }
}
