//! Hashing chunks before they are read, several at once.
//!
//! It knows nothing of signatures: whoever reads a chunk whose hash is known skips hashing it and
//! nothing else.

use crate::crypto::{self, DIGEST_LEN, LANES};

/// Hashes of chunks that end in one input.
pub(crate) struct Ahead<'i> {
    /// Of each chunk the data that lies in the input.
    chunks: [&'i [u8]; LANES],
    digests: [[u8; DIGEST_LEN]; LANES],
    count: usize,
    /// A chunk that is no longer than this, and of which the input has only the beginning, is not
    /// hashed now: whoever holds its data will do that when it is whole.
    pub(super) holds: u64,
}

impl<'i> Ahead<'i> {
    /// Nothing is known, and all is hashed as it comes.
    pub(crate) const NONE: Self =
        Self { chunks: [&[]; LANES], digests: [[0; DIGEST_LEN]; LANES], count: 0, holds: 0 };

    /// Hashes chunks, as many as there are lanes. The first begins with what is held of it.
    pub(super) fn hash(&mut self, held: &[u8], chunks: impl Iterator<Item = &'i [u8]>) {
        self.count = 0;
        for (place, chunk) in self.chunks.iter_mut().zip(chunks) {
            *place = chunk;
            self.count += 1;
        }
        let first = [held, self.chunks[0]];
        let mut messages = self.chunks.each_ref().map(core::slice::from_ref);
        messages[0] = &first;
        crypto::digest_each(&messages[..self.count], &mut self.digests[..self.count]);
    }

    /// The hash of the chunk that ends with this data: with these bytes at this place, not with
    /// others that are alike.
    #[inline]
    pub(super) fn digest_of(&self, data: &[u8]) -> Option<[u8; DIGEST_LEN]> {
        let known = self.chunks[..self.count].iter().position(|chunk| core::ptr::eq(*chunk, data));
        known.map(|nth| self.digests[nth])
    }
}

#[cfg(test)]
mod tests {
    use super::Ahead;
    use crate::crypto::{LANES, Sha256};

    #[test]
    fn knows_what_lies_there_and_nothing_else() {
        let data: [u8; 100] = core::array::from_fn(|at| at as u8);
        let alike = data;
        let mut ahead = Ahead::NONE;
        ahead.hash(&[], data.chunks(5));
        for (nth, (chunk, other)) in data.chunks(5).zip(alike.chunks(5)).enumerate() {
            let expected = (nth < LANES).then(|| Sha256::digest(chunk));
            assert_eq!(ahead.digest_of(chunk), expected);
            assert_eq!(ahead.digest_of(other), None);
            assert_eq!(ahead.digest_of(&chunk[..4]), None);
        }
        ahead.hash(&data[..5], data[5..].chunks(5));
        assert_eq!(ahead.digest_of(&data[..5]), None);
        assert_eq!(ahead.digest_of(&data[5..10]), Some(Sha256::digest(&data[..10])));
        assert_eq!(ahead.digest_of(&data[10..15]), Some(Sha256::digest(&data[10..15])));
        assert_eq!(Ahead::NONE.digest_of(&data[..5]), None);
        assert_eq!(Ahead::NONE.digest_of(&[]), None);
    }
}
