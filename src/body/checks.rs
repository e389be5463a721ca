//! [`checksums`] Checking checksums while a body passes: of fields, of a trailer, of `Content-MD5`.

use super::BodyError;
use crate::checksum::{Checksum, ChecksumAlgorithm, Checksummer};
use crate::chunked::Received;
use crate::crypto::Sha256;

/// Data that the nearest memory holds while it is hashed and summed.
const NEAR: usize = 16 * 1024;

/// What has to hold of the data.
pub(crate) struct Checks {
    field: Option<(Checksummer, Checksum)>,
    /// The value comes behind the body, under this name.
    trailer: Option<(Checksummer, &'static str)>,
    content_md5: Option<(Checksummer, Checksum)>,
}

impl Checks {
    pub(crate) const NONE: Self = Self { field: None, trailer: None, content_md5: None };

    /// Demands the value of a checksum field.
    pub(crate) fn field(
        &mut self,
        algorithm: ChecksumAlgorithm,
        value: &[u8],
    ) -> Result<(), BodyError> {
        let field = algorithm.field();
        let value =
            algorithm.parse(value).ok_or(BodyError::ChecksumSyntax { field, trailer: false })?;
        match self.field.replace((Checksummer::new(algorithm), value)) {
            None => Ok(()),
            Some(_) => Err(BodyError::ChecksumsMultiple),
        }
    }

    /// Demands the value of a trailer that was announced, if it is a checksum. It is still to come.
    pub(super) fn trailer(&mut self, name: &[u8]) -> Result<(), BodyError> {
        let name = core::str::from_utf8(name).unwrap_or_default();
        let Some((algorithm, name)) = ChecksumAlgorithm::of_trailer(name) else { return Ok(()) };
        match self.trailer.replace((Checksummer::new(algorithm), name)) {
            None => Ok(()),
            Some(_) => Err(BodyError::ChecksumsMultiple),
        }
    }

    /// Demands the value of `Content-MD5`. Two values are a list, and no list is an MD5.
    pub(crate) fn content_md5(&mut self, value: &[u8]) -> Result<(), BodyError> {
        let value = ChecksumAlgorithm::Md5.parse(value).filter(|_| self.content_md5.is_none());
        let value = value.ok_or(BodyError::ContentMd5Syntax)?;
        self.content_md5 = Some((Checksummer::new(ChecksumAlgorithm::Md5), value));
        Ok(())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.field.is_none() && self.trailer.is_none() && self.content_md5.is_none()
    }

    /// Takes data, piece by piece with what hashes it.
    pub(super) fn update_beside(&mut self, mut hash: Option<&mut Sha256>, data: &[u8]) {
        for piece in data.chunks(NEAR) {
            if let Some(hash) = &mut hash {
                hash.update(piece);
            }
            if let Some((running, _)) = &mut self.trailer {
                running.update(piece);
            }
            if let Some((running, _)) = &mut self.field {
                running.update(piece);
            }
            if let Some((running, _)) = &mut self.content_md5 {
                running.update(piece);
            }
        }
    }

    pub(super) fn finish(self, trailers: &Received) -> Result<(), BodyError> {
        if let Some((running, value)) = self.content_md5
            && running.finish() != value
        {
            return Err(BodyError::ContentMd5Mismatch);
        }
        if let Some((running, value)) = self.field {
            let field = running.algorithm().field();
            if running.finish() != value {
                return Err(BodyError::ChecksumMismatch { field });
            }
        }
        if let Some((running, field)) = self.trailer {
            let algorithm = running.algorithm();
            // It was announced, and all that were announced came.
            let value = trailers.lines().find(|(name, _)| *name == field.as_bytes());
            let value = value.and_then(|(_, value)| algorithm.parse(value));
            let value = value.ok_or(BodyError::ChecksumSyntax { field, trailer: true })?;
            if running.finish() != value {
                return Err(BodyError::ChecksumMismatch { field });
            }
        }
        Ok(())
    }
}
