//! Where a body waits until it is verified.
//!
//! A signature covers the digest of a body, and the digest is known at the end: until then every
//! byte is written aside, small bodies in memory, larger ones in a file that has no name, on the
//! file system of the data but outside every bucket. Only a body that is whole, signed and what it
//! was announced to be comes out again.
//!
//! This module deliberately knows nothing of keys and heads: it is handed a body that decides.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign::http::{FormUploadError, VerifiedBody as Verifying, VerifiedBodyError};
use countersign::{BodyError, FormError, VerifiedBody};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use s3s::Body;
use s3s::dto::StreamingBlob;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use crate::arriving::BrokenOff;
use crate::error::Fault;

/// Up to here a body stays in memory.
const IN_MEMORY: usize = 256 * 1024;
/// The folder, and the largest body.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    max_body: u64,
}

/// A body that is verified, and the proof. Only the staging makes one, and the store takes no other.
pub(crate) struct Staged {
    aside: Aside,
    proof: VerifiedBody,
}

/// Why a body did not come out.
#[derive(Debug)]
pub(crate) enum NotStaged {
    /// It is not what was signed.
    Body(BodyError),
    /// The form that it came in does not end as it must.
    Form(FormError),
    /// It is not what it was announced to be, or did not come at all.
    Fault(Fault),
    /// It could not be kept.
    Storage(io::Error),
}

/// Bytes nobody may act on yet.
enum Aside {
    Memory(Vec<u8>),
    File(File),
}

impl Staging {
    /// Opens the folder and empties it: whatever is there belongs to a run that is over.
    pub(crate) fn open(folder: &Path, max_body: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Staging { folder: folder.to_owned(), max_body })
    }

    /// Takes a body in and lets it out again once all of it is verified. The body holds nothing
    /// back: what is written here is taken back unless there is a proof.
    pub(crate) async fn receive<B>(&self, mut body: Verifying<B>) -> Result<Staged, NotStaged>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        NotStaged: From<VerifiedBodyError<B::Error>>,
    {
        let mut aside = Aside::Memory(Vec::new());
        let mut length = 0_u64;
        while let Some(frame) = body.frame().await {
            // Trailers come with the proof.
            let Ok(data) = frame?.into_data() else { continue };
            length += data.len() as u64;
            if length > self.max_body {
                return Err(NotStaged::Fault(Fault::TooLarge));
            }
            aside.write(&data, &self.folder).await?;
        }
        // A body that ended well is proven.
        let proof = body.into_proof().ok_or(NotStaged::Fault(Fault::Internal))?;
        aside.rewind().await?;
        Ok(Staged { aside, proof })
    }
}

impl Staged {
    /// What says that it is the body that was signed.
    pub(crate) fn proof(&self) -> &VerifiedBody {
        &self.proof
    }

    /// How many bytes the object has.
    pub(crate) fn len(&self) -> u64 {
        self.proof.len()
    }

    /// The verified bytes.
    pub(crate) fn into_body(self) -> Body {
        match self.aside {
            Aside::Memory(bytes) => Body::from(bytes),
            Aside::File(file) => {
                StreamingBlob::wrap(ReaderStream::with_capacity(file, IN_MEMORY)).into()
            }
        }
    }
}

impl Aside {
    async fn write(&mut self, bytes: &[u8], folder: &Path) -> io::Result<()> {
        match self {
            Aside::Memory(memory) if memory.len() + bytes.len() <= IN_MEMORY => {
                memory.extend_from_slice(bytes);
            }
            Aside::Memory(memory) => {
                let mut file = unnamed(folder.to_owned()).await?;
                file.write_all(memory).await?;
                file.write_all(bytes).await?;
                *self = Aside::File(file);
            }
            Aside::File(file) => file.write_all(bytes).await?,
        }
        Ok(())
    }

    /// Makes what was written ready to be read from its start.
    async fn rewind(&mut self) -> io::Result<()> {
        if let Aside::File(file) = self {
            file.flush().await?;
            file.rewind().await?;
        }
        Ok(())
    }
}

/// A file that is gone with its last handle, however the process ends.
async fn unnamed(folder: PathBuf) -> io::Result<File> {
    let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await??;
    Ok(File::from_std(file))
}

impl From<VerifiedBodyError<BrokenOff>> for NotStaged {
    fn from(error: VerifiedBodyError<BrokenOff>) -> Self {
        match error {
            VerifiedBodyError::Refused(error) => NotStaged::Body(error),
            error => NotStaged::Fault(Fault::of_broken(&error)),
        }
    }
}

impl From<VerifiedBodyError<FormUploadError>> for NotStaged {
    fn from(error: VerifiedBodyError<FormUploadError>) -> Self {
        match error {
            VerifiedBodyError::Refused(error) => NotStaged::Body(error),
            VerifiedBodyError::Inner(FormUploadError::Refused(error)) => NotStaged::Form(error),
            VerifiedBodyError::Inner(error) => NotStaged::Fault(Fault::of_form(&error)),
            _ => NotStaged::Fault(Fault::Internal),
        }
    }
}

impl From<io::Error> for NotStaged {
    fn from(error: io::Error) -> Self {
        NotStaged::Storage(error)
    }
}
