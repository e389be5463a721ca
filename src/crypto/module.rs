//! The backend for those who have to use a validated module: SHA-256 and HMAC of AWS-LC, whole
//! messages at a time.
//!
//! The same answers as those of `blocks.rs`, several times slower for what is short: each message
//! takes memory, and calls into the module. Which build of the module it is, the FIPS one or not, is
//! for the program to choose, by the features of `aws-lc-rs`.

use aws_lc_rs::{digest, hmac};

use super::{BLOCK_LEN, DIGEST_LEN, Sha256, wipe};
use crate::bytes;

/// A running SHA-256 that gathers small pieces to `BLOCKS` blocks before it hashes them.
#[derive(Clone)]
pub(crate) struct Gathering<const BLOCKS: usize> {
    running: Running,
    /// What is not hashed yet, `filled` bytes of it; all may be.
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    filled: usize,
}

#[derive(Clone)]
enum Running {
    Hash(digest::Context),
    Code(hmac::Context),
}

impl Running {
    fn new() -> Self {
        Self::Hash(digest::Context::new(&digest::SHA256))
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Hash(context) => context.update(data),
            Self::Code(context) => context.update(data),
        }
    }

    fn finish(self) -> [u8; DIGEST_LEN] {
        match self {
            Self::Hash(context) => array(context.finish().as_ref()),
            Self::Code(context) => array(context.sign().as_ref()),
        }
    }
}

/// A digest, which is that long.
fn array(digest: &[u8]) -> [u8; DIGEST_LEN] {
    let mut array = [0; DIGEST_LEN];
    array.copy_from_slice(digest);
    array
}

impl Sha256 {
    /// Ends a message; the next one can begin.
    pub(crate) fn end(&mut self) -> [u8; DIGEST_LEN] {
        self.finish_in_place()
    }
}

impl<const BLOCKS: usize> Gathering<BLOCKS> {
    pub(crate) fn new() -> Self {
        Self::from(Running::new())
    }

    fn from(running: Running) -> Self {
        Self { running, blocks: [[0; BLOCK_LEN]; BLOCKS], filled: 0 }
    }

    #[inline(always)]
    pub(crate) fn update(&mut self, data: &[u8]) {
        match self.place(data.len()) {
            Some(place) => bytes::copy(place, data),
            None => {
                self.flush();
                self.running.update(data);
            }
        }
    }

    /// Takes the hexadecimal digits of a digest.
    pub(crate) fn update_hex(&mut self, digest: &[u8; DIGEST_LEN]) {
        self.update(&super::digest_to_hex(digest));
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

    /// There is no state to forget: the module wipes its own.
    pub(crate) const fn wipe(&self) {}

    /// The module takes all at the end.
    #[inline(always)]
    pub(crate) const fn advance(&self) {}

    /// Hashes what has been gathered.
    pub(crate) fn flush(&mut self) {
        if let Some(gathered) = self.blocks.as_flattened().get(..self.filled) {
            self.running.update(gathered);
        }
        self.filled = 0;
    }

    pub(crate) fn finish(mut self) -> [u8; DIGEST_LEN] {
        self.finish_in_place()
    }

    /// As [`finish`](Self::finish); another message can follow.
    pub(crate) fn finish_in_place(&mut self) -> [u8; DIGEST_LEN] {
        self.flush();
        core::mem::replace(&mut self.running, Running::new()).finish()
    }

    /// The module takes all at the end.
    pub(crate) fn finish_but_last(&mut self) -> LastBlock {
        LastBlock(self.finish_in_place())
    }

    /// Bytes that are not hashed yet: where the next ones will stand in the layout.
    pub(crate) const fn waiting(&self) -> usize {
        self.filled
    }

    /// Takes what is not hashed yet as a text in which something will change.
    pub(crate) fn lay_out(self) -> Layout<BLOCKS> {
        Layout { running: self.running, blocks: self.blocks, len: self.filled }
    }
}

/// A message of which nothing is left to hash: the module has taken it whole.
#[derive(Clone, Copy)]
pub(crate) struct LastBlock([u8; DIGEST_LEN]);

impl LastBlock {
    /// That of a message to come.
    pub(crate) const NONE: Self = Self([0; DIGEST_LEN]);

    pub(crate) const fn digest(&self) -> [u8; DIGEST_LEN] {
        self.0
    }
}

/// The end of a message of which little changes from one to the next. What changes is written in
/// place.
#[derive(Clone)]
pub(crate) struct Layout<const BLOCKS: usize> {
    /// The hash of all that comes before.
    running: Running,
    blocks: [[u8; BLOCK_LEN]; BLOCKS],
    len: usize,
}

/// A layout of which nothing is hashed: the module takes it whole.
pub(crate) struct BegunLayout;

impl<const BLOCKS: usize> Layout<BLOCKS> {
    /// Writes the hexadecimal digits of a digest.
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
    pub(crate) fn put_hex(&mut self, at: usize, digest: &[u8; DIGEST_LEN]) {
        self.put(at, &super::digest_to_hex(digest));
    }

    pub(crate) const fn hash_before(&self, _at: usize) -> BegunLayout {
        BegunLayout
    }
}

/// An HMAC-SHA-256 key. The module wipes it.
#[derive(Clone)]
pub(crate) struct MacKey(hmac::Key);

impl MacKey {
    /// The key that is the concatenation of `parts`.
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut block = [0; BLOCK_LEN];
        let mut at = 0;
        if len <= BLOCK_LEN {
            for part in parts {
                block[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        } else {
            // A key that is longer than a block is its digest, RFC 2104 section 2.
            let mut hash = Sha256::new();
            parts.iter().for_each(|part| hash.update(part));
            at = DIGEST_LEN;
            block[..at].copy_from_slice(&hash.finish_in_place());
            wipe(&mut hash.blocks[0]);
        }
        let key = Self::of(&block[..at]);
        wipe(&mut block);
        key
    }

    fn of(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The key that is the code of `message` under this key.
    pub(crate) fn derive(self, message: &[u8]) -> Self {
        let mut code = self.mac(message);
        let key = Self::of(&code);
        wipe(&mut code);
        key
    }

    /// Starts a message.
    pub(crate) fn start<const BLOCKS: usize>(&self) -> Gathering<BLOCKS> {
        Gathering::from(Running::Code(hmac::Context::with_key(&self.0)))
    }

    /// The code of the message that `message`, begun with [`start`](Self::start), has taken.
    pub(crate) fn finish<const BLOCKS: usize>(
        &self,
        message: &mut Gathering<BLOCKS>,
    ) -> [u8; DIGEST_LEN] {
        message.finish_in_place()
    }

    /// The code of the message that ends in this digest; `message` was begun with
    /// [`start`](Self::start), and can be ended again.
    pub(crate) fn end(
        &self,
        message: &Gathering<2>,
        digest: &[u8; DIGEST_LEN],
    ) -> [u8; DIGEST_LEN] {
        let mut message = message.clone();
        message.update_hex(digest);
        self.finish(&mut message)
    }

    /// The code of the message that is laid out, begun with [`start`](Self::start).
    pub(crate) fn finish_layout<const BLOCKS: usize>(
        &self,
        layout: &Layout<BLOCKS>,
        _begun: BegunLayout,
    ) -> [u8; DIGEST_LEN] {
        let mut running = layout.running.clone();
        running.update(layout.blocks.as_flattened().get(..layout.len).unwrap_or_default());
        running.finish()
    }

    /// The code of one short message.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; DIGEST_LEN] {
        array(hmac::sign(&self.0, message).as_ref())
    }
}
