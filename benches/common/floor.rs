//! The floor: exactly the SHA-256 compressions that a piece of work needs, one after the other.
//!
//! The number follows from the lengths of the texts that the specification has hashed. The floor
//! takes no bytes together, pads nothing and writes nothing.

use std::hint::black_box;

use sha2::block_api::compress256;

pub(crate) const BLOCK: usize = 64;

/// Compressions of a message of `len` bytes: a bit, and 64 bits of length, come behind it.
pub(crate) const fn of_message(len: usize) -> usize {
    (len + 1 + 8).div_ceil(BLOCK)
}

/// Compressions of an HMAC under a key whose pads are hashed already: the message behind the inner
/// pad, one digest behind the outer.
pub(crate) const fn of_code(len: usize) -> usize {
    of_message(BLOCK + len) - 1 + 1
}

/// Compressions of a signature under a kept key.
pub(crate) const fn of_signature(canonical_request: usize, string_to_sign: usize) -> usize {
    of_message(canonical_request) + of_code(string_to_sign)
}

/// Compressions of deriving a key from a secret of at most 60 bytes: four codes of short messages
/// under keys that are new, and the pads of the key that comes out.
pub(crate) const fn of_key() -> usize {
    4 * (2 + 1 + 1) + 2
}

/// Hashes that many blocks from one place.
pub(crate) struct Blocks {
    state: [u32; 8],
    blocks: Vec<[u8; BLOCK]>,
}

impl Blocks {
    pub(crate) fn new(count: usize) -> Self {
        Self { state: [0x6a09_e667; 8], blocks: vec![[0x61; BLOCK]; count] }
    }

    pub(crate) fn count(&self) -> usize {
        self.blocks.len()
    }

    #[inline]
    pub(crate) fn run(&mut self) {
        compress256(black_box(&mut self.state), black_box(&self.blocks));
    }
}

/// Hashes data chunk by chunk, where it lies, and so many blocks more after each and at the end.
pub(crate) struct Stream<'d> {
    chunks: Vec<&'d [[u8; BLOCK]]>,
    between: Blocks,
    last: Blocks,
}

impl<'d> Stream<'d> {
    /// Every chunk holds whole blocks.
    pub(crate) fn new(chunks: impl Iterator<Item = &'d [u8]>, between: usize, last: usize) -> Self {
        let blocks = |chunk: &'d [u8]| {
            let (blocks, rest) = chunk.as_chunks();
            assert!(rest.is_empty(), "whole blocks");
            blocks
        };
        let chunks = chunks.map(blocks).collect();
        Self { chunks, between: Blocks::new(between), last: Blocks::new(last) }
    }

    pub(crate) fn count(&self) -> usize {
        let data: usize = self.chunks.iter().map(|chunk| chunk.len()).sum();
        data + self.chunks.len() * self.between.count() + self.last.count()
    }

    pub(crate) fn run(&mut self) {
        for chunk in black_box(&self.chunks) {
            compress256(black_box(&mut self.between.state), chunk);
            self.between.run();
        }
        self.last.run();
    }
}
