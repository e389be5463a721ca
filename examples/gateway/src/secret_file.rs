//! Files that hold secrets: made for the owner alone, refused if anybody else can read them, as
//! `ssh` does with keys.
//!
//! What the secrets are this module deliberately does not know.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No such file is larger; a mistaken path may be.
const MAX_FILE: u64 = 1024 * 1024;

/// Why a file with secrets cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// It cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Others could read the secrets.
    #[error(
        "{path} can be read by group or others (mode {mode:03o}); \
         protect the secrets in it: chmod 600 {path}"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl SecretFileError {
    fn file(path: &Path, source: io::Error) -> Self {
        SecretFileError::File { path: path.to_owned(), source }
    }
}

/// Whether there is something at this path.
pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Makes a file, and the folders it is in. Fails if there is one already.
pub(crate) fn make(path: &Path, text: &str) -> Result<(), SecretFileError> {
    let failed = |source| SecretFileError::file(path, source);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Reads a file, if it is the owner's alone.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let failed = |source| SecretFileError::file(path, source);
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, not of the name: the name may mean another file by then.
    check_permissions(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(unix)]
fn check_permissions(path: &Path, file: &File) -> Result<(), SecretFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|source| SecretFileError::file(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Elsewhere permissions are not bits; the folder's protection has to do.
#[cfg(not(unix))]
fn check_permissions(_: &Path, _: &File) -> Result<(), SecretFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/secret");
        make(&path, "one").unwrap();
        assert!(make(&path, "two").is_err());
        assert_eq!(*read(&path).unwrap(), "one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        make(&path, "one").unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, SecretFileError::Exposed { .. }), "{error}");
        }
    }
}
