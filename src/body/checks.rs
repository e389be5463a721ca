//! [`checksums`] Checking checksums while a body passes: of fields, of a trailer, of `Content-MD5`.

use alloc::vec::Vec;

use super::BodyError;
use crate::checksum::{Checksum, ChecksumAlgorithm, Checksummer};
use crate::chunked::Received;
use crate::crypto::Sha256;

/// Data that the nearest memory holds while it is hashed and summed.
const NEAR: usize = 16 * 1024;

/// What has to hold of the data.
pub(crate) struct Checks {
    /// As a rule there is one. It is moved with the body, so it has no room for more. Where
    /// `Content-MD5` is demanded, it is that.
    first: Option<Check>,
    /// In the order in which they were demanded, in which they are compared: a field is demanded
    /// before trailers.
    others: Vec<Check>,
}

struct Check {
    running: Checksummer,
    demanded: Demanded,
}

enum Demanded {
    /// The value of a checksum field.
    Field(Checksum),
    /// The value that comes behind the body, under this name.
    Trailer(&'static str),
    ContentMd5(Checksum),
}

impl Checks {
    pub(crate) const NONE: Self = Self { first: None, others: Vec::new() };

    /// Demands the value of a checksum field.
    pub(crate) fn field(
        &mut self,
        algorithm: ChecksumAlgorithm,
        value: &[u8],
    ) -> Result<(), BodyError> {
        let field = algorithm.field();
        let value =
            algorithm.parse(value).ok_or(BodyError::ChecksumSyntax { field, trailer: false })?;
        if self.all().any(|check| matches!(check.demanded, Demanded::Field(_))) {
            return Err(BodyError::ChecksumsMultiple);
        }
        self.add(algorithm, Demanded::Field(value));
        Ok(())
    }

    /// Demands the value of a trailer that was announced, if it is a checksum. It is still to come.
    pub(super) fn trailer(&mut self, name: &[u8]) -> Result<(), BodyError> {
        let name = core::str::from_utf8(name).unwrap_or_default();
        let Some((algorithm, name)) = ChecksumAlgorithm::of_trailer(name) else { return Ok(()) };
        if self.all().any(|check| matches!(check.demanded, Demanded::Trailer(_))) {
            return Err(BodyError::ChecksumsMultiple);
        }
        self.add(algorithm, Demanded::Trailer(name));
        Ok(())
    }

    /// Demands the value of `Content-MD5`. Two values are a list, and no list is an MD5.
    pub(crate) fn content_md5(&mut self, value: &[u8]) -> Result<(), BodyError> {
        let repeats = self.all().any(|check| matches!(check.demanded, Demanded::ContentMd5(_)));
        let value = ChecksumAlgorithm::Md5.parse(value).filter(|_| !repeats);
        let value = value.ok_or(BodyError::ContentMd5Syntax)?;
        let running = Checksummer::new(ChecksumAlgorithm::Md5);
        let check = Check { running, demanded: Demanded::ContentMd5(value) };
        // It is compared first, wherever it stands.
        let earlier = self.first.replace(check);
        self.others.extend(earlier);
        Ok(())
    }

    fn add(&mut self, algorithm: ChecksumAlgorithm, demanded: Demanded) {
        let check = || Check { running: Checksummer::new(algorithm), demanded };
        match self.first {
            None => self.first = Some(check()),
            Some(_) => self.others.push(check()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Check> {
        self.first.iter().chain(&self.others)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes data, piece by piece with what hashes it.
    pub(super) fn update_beside(&mut self, mut hash: Option<&mut Sha256>, data: &[u8]) {
        for piece in data.chunks(NEAR) {
            if let Some(hash) = &mut hash {
                hash.update(piece);
            }
            self.first.iter_mut().for_each(|check| check.running.update(piece));
            self.others.iter_mut().for_each(|check| check.running.update(piece));
        }
    }

    /// Compares all that were demanded; they are used up.
    pub(super) fn finish(&mut self, trailers: &Received) -> Result<(), BodyError> {
        let first = self.first.take();
        first.into_iter().chain(self.others.drain(..)).try_for_each(|check| check.finish(trailers))
    }
}

impl Check {
    fn finish(self, trailers: &Received) -> Result<(), BodyError> {
        let algorithm = self.running.algorithm();
        let (value, mismatch) = match self.demanded {
            Demanded::ContentMd5(value) => (value, BodyError::ContentMd5Mismatch),
            Demanded::Field(value) => {
                (value, BodyError::ChecksumMismatch { field: algorithm.field() })
            }
            Demanded::Trailer(field) => {
                // It was announced, and all that were announced came.
                let value = trailers.lines().find(|(name, _)| *name == field.as_bytes());
                let value = value.and_then(|(_, value)| algorithm.parse(value));
                let value = value.ok_or(BodyError::ChecksumSyntax { field, trailer: true })?;
                (value, BodyError::ChecksumMismatch { field })
            }
        };
        if self.running.finish() == value { Ok(()) } else { Err(mismatch) }
    }
}
