//! [`checksums`] Checking checksums while a body passes: of fields, of a trailer, of `Content-MD5`.

use super::BodyError;
use crate::checksum::{Checksum, ChecksumAlgorithm, Checksummer};
use crate::chunked::Received;

/// What has to hold of the data.
#[derive(Clone)]
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

    /// Demands the value of a trailer, which is still to come.
    pub(crate) fn trailer(
        &mut self,
        algorithm: ChecksumAlgorithm,
        name: &'static str,
    ) -> Result<(), BodyError> {
        match self.trailer.replace((Checksummer::new(algorithm), name)) {
            None => Ok(()),
            Some(_) => Err(BodyError::ChecksumsMultiple),
        }
    }

    /// Demands the value of `Content-MD5`.
    pub(crate) fn content_md5(&mut self, value: &[u8]) -> Result<(), BodyError> {
        let value = ChecksumAlgorithm::Md5.parse(value).ok_or(BodyError::ContentMd5Syntax)?;
        self.content_md5 = Some((Checksummer::new(ChecksumAlgorithm::Md5), value));
        Ok(())
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        let fields = self.field.iter_mut().chain(&mut self.content_md5);
        let trailer = self.trailer.iter_mut().map(|(running, _)| running);
        fields.map(|(running, _)| running).chain(trailer).for_each(|running| running.update(data));
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
