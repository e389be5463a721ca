//! Where a body waits until it is verified.
//!
//! A signature covers the digest of a body, and the digest is known at the end: until then every
//! byte is written aside, small bodies in memory, larger ones in a file that has no name, on the
//! file system of the data but outside every bucket. Only a body that is whole, signed and what it
//! was announced to be comes out again.
//!
//! This module deliberately knows nothing of keys and heads: it is handed the machine that decides.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use countersign::{BodyError, BodyVerifier, Event, VerifiedBody};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use s3s::Body;
use s3s::dto::StreamingBlob;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use crate::error::Fault;

/// Up to here a body stays in memory.
const IN_MEMORY: usize = 256 * 1024;
/// How long a peer may send nothing.
const IDLE: Duration = Duration::from_secs(60);
/// How much of a refused body is read, and for how long, so that the peer gets to read the answer:
/// a connection that is closed while data arrives loses what was sent on it.
const DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(2);

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

    /// Refuses a body that is announced to be too large. To be asked before the body is received: a
    /// peer that waits for 100-continue then keeps all of it.
    pub(crate) fn check_size(&self, body: &impl HttpBody) -> Result<(), Fault> {
        if body.size_hint().lower() > self.max_body { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// Takes a body in and lets it out again once all of it is verified.
    pub(crate) async fn receive<B>(
        &self,
        mut body: B,
        mut verifier: BodyVerifier,
    ) -> Result<Staged, NotStaged>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: fmt::Display,
    {
        let mut aside = Aside::Memory(Vec::new());
        let mut length = 0_u64;
        loop {
            let Ok(frame) = timeout(IDLE, body.frame()).await else {
                return Err(NotStaged::Fault(Fault::Idle));
            };
            let frame = match frame {
                None => break,
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    tracing::debug!(%error, "a body broke off");
                    return Err(NotStaged::Fault(Fault::Incomplete));
                }
            };
            // Trailers of HTTP itself carry nothing we were told about.
            let Ok(data) = frame.into_data() else { continue };
            let mut rest: &[u8] = &data;
            while !rest.is_empty() {
                let fed = verifier.feed(rest)?;
                if let Event::Data(data) = fed.event {
                    length += data.len() as u64;
                    if length > self.max_body {
                        return Err(NotStaged::Fault(Fault::TooLarge));
                    }
                    aside.write(data.into_unverified(), &self.folder).await?;
                }
                rest = rest.get(fed.consumed..).unwrap_or_default();
            }
        }
        let proof = verifier.finish()?;
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

/// Reads a little of a body nobody wants.
pub(crate) async fn discard<B>(mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let reading = async {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Too slow is the same as too much.
    let _ = timeout(DISCARDING, reading).await;
}

impl From<BodyError> for NotStaged {
    fn from(error: BodyError) -> Self {
        NotStaged::Body(error)
    }
}

impl From<io::Error> for NotStaged {
    fn from(error: io::Error) -> Self {
        NotStaged::Storage(error)
    }
}
