//! The backend of choice: on the block function of `sha2` instead of its `Digest` wrapper, which costs
//! a third of a compression for each of the three short messages of a signature. The block buffer and
//! the padding are ours, the compression is not.

use sha2::block_api::compress256;

use super::{BLOCK_LEN, DIGEST_LEN, Sha256, wipe};
use crate::bytes;

/// The initial hash value, FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The longest padding but for the length: a bit, and zeros over the rest of a block in which the
/// length has no room, and over the next up to the length.
const PADDING: [u8; BLOCK_LEN + 8] = {
    let mut padding = [0; BLOCK_LEN + 8];
    padding[0] = 0x80;
    padding
};

/// A running SHA-256 that gathers small pieces to `BLOCKS` blocks before it hashes them.
#[derive(Clone)]
pub(crate) struct Gathering<const BLOCKS: usize> {
    state: [u32; 8],
    /// What is not hashed yet, `filled` bytes of it; all may be.
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    filled: usize,
    /// How many of the blocks are hashed already, though they still stand here.
    done: usize,
    /// Bytes that were hashed and stand here no more.
    hashed: u64,
}

impl Sha256 {
    /// Ends a message; the next one can begin.
    pub(crate) fn end(&mut self) -> [u8; DIGEST_LEN] {
        let mut blocks = [self.blocks[0], [0; BLOCK_LEN]];
        let rest = &mut blocks.as_flattened_mut()[self.filled..];
        rest[..BLOCK_LEN].copy_from_slice(&PADDING[..BLOCK_LEN]);
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        blocks[count - 1][BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, &blocks[..count]);
        let digest = bytes_of(&self.state);
        (self.state, self.filled, self.hashed) = (INITIAL, 0, 0);
        digest
    }
}

impl<const BLOCKS: usize> Gathering<BLOCKS> {
    pub(crate) const fn new() -> Self {
        Self { state: INITIAL, blocks: [[0; BLOCK_LEN]; BLOCKS], filled: 0, done: 0, hashed: 0 }
    }

    /// A hash that has already taken one block, whose result is `state`.
    const fn after_block(state: [u32; 8]) -> Self {
        let blocks = [[0; BLOCK_LEN]; BLOCKS];
        Self { state, blocks, filled: 0, done: 0, hashed: BLOCK_LEN as u64 }
    }

    #[inline(always)]
    pub(crate) fn update(&mut self, data: &[u8]) {
        match self.place(data.len()) {
            Some(place) => bytes::copy(place, data),
            None => self.overflow(data),
        }
    }

    /// The next `len` bytes, to be written by the caller; `None` if there is no room.
    #[inline(always)]
    pub(crate) fn place(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.filled + len;
        let place = self.blocks.as_flattened_mut().get_mut(self.filled..end)?;
        self.filled = end;
        Some(place)
    }

    /// The next `len` bytes and all the room behind them, which may be overwritten; `None` if there
    /// is no room.
    #[inline(always)]
    pub(crate) fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        super::room(self.blocks.as_flattened_mut(), &mut self.filled, len)
    }

    /// Takes data for which there is no room.
    #[inline(never)]
    fn overflow(&mut self, mut data: &[u8]) {
        if self.filled != 0 {
            let (_, room) = self.blocks.as_flattened_mut().split_at_mut(self.filled);
            let (head, rest) = data.split_at(room.len());
            room.copy_from_slice(head);
            compress256(&mut self.state, self.blocks.get(self.done..).unwrap_or_default());
            self.done = 0;
            self.hashed = self.hashed.wrapping_add((BLOCKS * BLOCK_LEN) as u64);
            data = rest;
        }
        let (blocks, rest) = data.as_chunks::<BLOCK_LEN>();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
            self.hashed = self.hashed.wrapping_add((blocks.len() * BLOCK_LEN) as u64);
        }
        self.blocks.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// Takes the hexadecimal digits of a digest.
    #[inline(always)]
    pub(crate) fn update_hex(&mut self, digest: &[u8; DIGEST_LEN]) {
        match self.place(2 * DIGEST_LEN).and_then(<[u8]>::first_chunk_mut) {
            Some(place) => super::write_hex(digest, place),
            None => self.overflow(&super::digest_to_hex(digest)),
        }
    }

    /// Forgets the state, which is that of a key where nothing has been hashed behind it.
    pub(crate) fn wipe(&mut self) {
        wipe(&mut self.state);
    }

    /// Hashes the blocks that are full. What follows is written while they are worked on.
    #[inline]
    pub(crate) fn flush(&mut self) {
        let full = self.filled / BLOCK_LEN;
        if let Some(blocks) = self.blocks.get(self.done..full).filter(|_| full != 0) {
            compress256(&mut self.state, blocks);
            self.done = 0;
            self.hashed = self.hashed.wrapping_add((full * BLOCK_LEN) as u64);
            self.filled %= BLOCK_LEN;
            if let Some(rest) = self.blocks.get(full) {
                self.blocks[0] = *rest;
            }
        }
    }

    /// Hashes the blocks that are full, but for the one written last: its bytes may still be on
    /// their way to the cache. What follows is written while they are worked on.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        if self.filled >= (self.done + 2) * BLOCK_LEN {
            self.advance_some();
        }
    }

    fn advance_some(&mut self) {
        let ready = self.filled / BLOCK_LEN - 1;
        if let Some(blocks) = self.blocks.get(self.done..ready) {
            compress256(&mut self.state, blocks);
            self.done = ready;
        }
    }

    /// Pads the message, and says how many blocks stand here then; `None` if the longest padding has no
    /// room.
    #[inline(always)]
    fn pad(&mut self) -> Option<usize> {
        let rest = self.blocks.as_flattened_mut().get_mut(self.filled..)?;
        *rest.first_chunk_mut()? = PADDING;
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        let (_, len) = self.blocks.get_mut(count - 1)?.split_last_chunk_mut()?;
        *len = bits.to_be_bytes();
        Some(count)
    }

    /// The same message where its padding has room.
    #[inline(never)]
    fn with_room(&mut self) -> Gathering<3> {
        self.flush();
        let mut rest = Gathering::<3> {
            state: self.state,
            blocks: [[0; BLOCK_LEN]; 3],
            // Less than a block.
            filled: self.filled,
            done: 0,
            hashed: self.hashed,
        };
        rest.blocks[0] = self.blocks[0];
        rest
    }

    #[inline]
    fn finish_words(&mut self) -> [u32; 8] {
        let Some(count) = self.pad() else { return self.finish_full() };
        compress256(&mut self.state, self.blocks.get(self.done..count).unwrap_or_default());
        self.state
    }

    /// Finishes where the padding has no room.
    #[inline(never)]
    fn finish_full(&mut self) -> [u32; 8] {
        self.with_room().finish_words()
    }

    /// Hashes all but the last block. Nothing can follow.
    #[inline(always)]
    pub(crate) fn finish_but_last(&mut self) -> LastBlock {
        let Some(count) = self.pad() else { return self.with_room().finish_but_last() };
        let last = count - 1;
        if let Some(blocks) = self.blocks.get(self.done..last).filter(|blocks| !blocks.is_empty()) {
            compress256(&mut self.state, blocks);
        }
        LastBlock { state: self.state, block: self.blocks[last] }
    }

    #[inline(always)]
    pub(crate) fn finish(mut self) -> [u8; DIGEST_LEN] {
        self.finish_in_place()
    }

    /// As [`finish`](Self::finish), without moving the blocks. Nothing can follow.
    #[inline(always)]
    pub(crate) fn finish_in_place(&mut self) -> [u8; DIGEST_LEN] {
        bytes_of(&self.finish_words())
    }
}

/// A message of which the last block is not hashed yet.
#[derive(Clone, Copy)]
pub(crate) struct LastBlock {
    state: [u32; 8],
    block: [u8; BLOCK_LEN],
}

impl LastBlock {
    /// That of a message to come.
    pub(crate) const NONE: Self = Self { state: INITIAL, block: [0; BLOCK_LEN] };

    #[inline(always)]
    pub(crate) fn digest(&self) -> [u8; DIGEST_LEN] {
        let mut state = self.state;
        compress256(&mut state, core::slice::from_ref(&self.block));
        bytes_of(&state)
    }
}

/// The end of a message of which little changes from one to the next, laid out with its padding.
///
/// What changes is written in place.
#[derive(Clone)]
pub(crate) struct Layout<const BLOCKS: usize> {
    /// The hash of all that comes before.
    state: [u32; 8],
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    count: usize,
}

impl<const BLOCKS: usize> Gathering<BLOCKS> {
    /// Bytes that are not hashed yet: where the next ones will stand in the layout.
    pub(crate) const fn waiting(&self) -> usize {
        self.filled
    }

    /// Pads what is not hashed yet, for which there has to be room.
    pub(crate) fn lay_out(mut self) -> Layout<BLOCKS> {
        debug_assert_eq!(self.done, 0, "nothing of a layout is hashed yet");
        let rest = &mut self.blocks.as_flattened_mut()[self.filled..];
        rest.fill(0);
        rest[0] = PADDING[0];
        let bits = self.hashed.wrapping_add(self.filled as u64).wrapping_mul(8);
        let count = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        self.blocks[count - 1][BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        Layout { state: self.state, blocks: self.blocks, count }
    }
}

impl<const BLOCKS: usize> Layout<BLOCKS> {
    /// Writes the hexadecimal digits of a digest.
    #[inline(always)]
    pub(crate) fn put(&mut self, at: usize, hex: &[u8; 2 * DIGEST_LEN]) {
        if let Some(place) = self.blocks.as_flattened_mut().get_mut(at..at + hex.len()) {
            place.copy_from_slice(hex);
        }
    }

    /// The digits that stand at a place.
    pub(crate) fn digits(&self, at: usize) -> &[u8] {
        self.blocks.as_flattened().get(at..at + 2 * DIGEST_LEN).unwrap_or_default()
    }

    /// Writes a digest as hexadecimal digits.
    #[inline(always)]
    pub(crate) fn put_hex(&mut self, at: usize, digest: &[u8; DIGEST_LEN]) {
        self.put(at, &super::digest_to_hex(digest));
    }

    /// Hashes the blocks that end before a position.
    #[inline(always)]
    pub(crate) fn hash_before(&self, at: usize) -> BegunLayout {
        let (mut state, done) = (self.state, (at / BLOCK_LEN).min(self.count));
        compress256(&mut state, &self.blocks[..done]);
        BegunLayout { state, done }
    }
}

/// A layout whose first blocks are hashed.
pub(crate) struct BegunLayout {
    state: [u32; 8],
    done: usize,
}

#[inline(always)]
fn bytes_of(words: &[u32; 8]) -> [u8; DIGEST_LEN] {
    let mut bytes = [0; DIGEST_LEN];
    for (out, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *out = word.to_be_bytes();
    }
    bytes
}

/// An HMAC-SHA-256 key, kept as the two hash states that follow its pads.
///
/// Keeping the states instead of the key saves two compressions for each message.
#[derive(Clone)]
pub(crate) struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl MacKey {
    /// The key that is the concatenation of `parts`.
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut block = [0; BLOCK_LEN];
        if len <= BLOCK_LEN {
            let mut at = 0;
            for part in parts {
                block[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        } else {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part);
            }
            block[..DIGEST_LEN].copy_from_slice(&hash.clone().finish());
            wipe(&mut hash.blocks[0]);
        }
        Self::of_block(&mut block)
    }

    /// The key whose bytes, filled up with zeros, are this block. The block is wiped.
    fn of_block(block: &mut [u8; BLOCK_LEN]) -> Self {
        const INNER: u8 = 0x36;
        const OUTER: u8 = 0x5c;
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        *block = block.map(|byte| byte ^ INNER);
        compress256(&mut inner, core::slice::from_ref(block));
        *block = block.map(|byte| byte ^ INNER ^ OUTER);
        compress256(&mut outer, core::slice::from_ref(block));
        wipe(block);
        Self { inner, outer }
    }

    /// The key that is the code of `message` under this key.
    pub(crate) fn derive(self, message: &[u8]) -> Self {
        let mut block = [0; BLOCK_LEN];
        block[..DIGEST_LEN].copy_from_slice(&self.mac(message));
        Self::of_block(&mut block)
    }

    /// Starts a message.
    #[inline]
    pub(crate) fn start<const BLOCKS: usize>(&self) -> Gathering<BLOCKS> {
        Gathering::after_block(self.inner)
    }

    /// The code of the message that `message`, begun with [`start`](Self::start), has taken.
    #[inline]
    pub(crate) fn finish<const BLOCKS: usize>(
        &self,
        message: &mut Gathering<BLOCKS>,
    ) -> [u8; DIGEST_LEN] {
        self.finish_outer(&message.finish_words())
    }

    /// The code of the message that ends in this digest; `message` was begun with
    /// [`start`](Self::start), and can be ended again.
    #[inline(always)]
    pub(crate) fn end(
        &self,
        message: &Gathering<2>,
        digest: &[u8; DIGEST_LEN],
    ) -> [u8; DIGEST_LEN] {
        debug_assert_eq!(message.done, 0, "what stands there is not hashed yet");
        let at = message.filled.min(2 * BLOCK_LEN);
        // The digest covers what is left of the block in which it begins.
        let [first, second] = message.blocks;
        let second = if at > BLOCK_LEN { second } else { [0; BLOCK_LEN] };
        let mut blocks = [first, second, [0; BLOCK_LEN], [0; BLOCK_LEN]];
        if let Some((hex, [behind, ..])) = blocks.as_flattened_mut()[at..].split_first_chunk_mut() {
            super::write_hex(digest, hex);
            *behind = PADDING[0];
        }
        let len = at + 2 * DIGEST_LEN;
        let bits = message.hashed.wrapping_add(len as u64).wrapping_mul(8);
        let count = (len + 1 + 8).div_ceil(BLOCK_LEN);
        blocks[count - 1][BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        let mut state = message.state;
        compress256(&mut state, &blocks[..count]);
        self.finish_outer(&state)
    }

    /// The code of the message that is laid out, begun with [`start`](Self::start).
    #[inline]
    pub(crate) fn finish_layout<const BLOCKS: usize>(
        &self,
        layout: &Layout<BLOCKS>,
        begun: BegunLayout,
    ) -> [u8; DIGEST_LEN] {
        let mut state = begun.state;
        compress256(&mut state, &layout.blocks[begun.done..layout.count]);
        self.finish_outer(&state)
    }

    /// The outer hash over the inner one.
    #[inline(always)]
    fn finish_outer(&self, inner: &[u32; 8]) -> [u8; DIGEST_LEN] {
        /// The block behind the outer pad, without the digest that begins it.
        const BLOCK: [u8; BLOCK_LEN] = {
            let mut block = [0; BLOCK_LEN];
            block[DIGEST_LEN] = 0x80;
            let bits = (8 * (BLOCK_LEN + DIGEST_LEN) as u16).to_be_bytes();
            block[BLOCK_LEN - 2] = bits[0];
            block[BLOCK_LEN - 1] = bits[1];
            block
        };
        let mut block = BLOCK;
        block[..DIGEST_LEN].copy_from_slice(&bytes_of(inner));
        let mut state = self.outer;
        compress256(&mut state, core::slice::from_ref(&block));
        bytes_of(&state)
    }

    /// The code of one short message.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = self.start::<3>();
        hash.update(message);
        self.finish(&mut hash)
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        wipe(&mut self.inner);
        wipe(&mut self.outer);
    }
}
