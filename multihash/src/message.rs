//! A message as whole blocks: where it lies, or gathered where pieces meet and at the end.
//!
//! FIPS 180-4 section 5.1.1: a bit, zeros, and the length in 64 bits.

pub(crate) const BLOCK_LEN: usize = 64;

pub(crate) type Block = [u8; BLOCK_LEN];

/// A message that is being hashed.
///
/// At any time it has at least one block to offer, but for when all are taken.
pub(crate) struct Message<'m> {
    /// Blocks where they lie, offered first.
    blocks: &'m [Block],
    /// What comes behind them, of the piece that is being read and of those that follow.
    rest: &'m [u8],
    pieces: &'m [&'m [u8]],
    /// A block that lies in several pieces, or the last ones; offered where `blocks` are none.
    gathered: [Block; 2],
    /// Bytes gathered of a block that is not whole.
    filled: usize,
    /// Gathered blocks, and those of them that are taken.
    whole: usize,
    taken: usize,
    /// Bytes of the message so far.
    len: u64,
    padded: bool,
}

impl<'m> Message<'m> {
    pub(crate) fn new(pieces: &'m [&'m [u8]]) -> Self {
        let mut message = Self {
            blocks: &[],
            rest: &[],
            pieces,
            gathered: [[0; BLOCK_LEN]; 2],
            filled: 0,
            whole: 0,
            taken: 0,
            len: 0,
            padded: false,
        };
        message.refill();
        message
    }

    /// Blocks that come next; none if the message has ended.
    #[inline]
    pub(crate) fn blocks(&self) -> &[Block] {
        if self.blocks.is_empty() { &self.gathered[self.taken..self.whole] } else { self.blocks }
    }

    /// Takes so many of them.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) {
        if self.blocks.is_empty() {
            self.taken += count;
        } else {
            self.blocks = &self.blocks[count..];
        }
        if self.blocks().is_empty() {
            self.refill();
        }
    }

    fn refill(&mut self) {
        (self.whole, self.taken) = (0, 0);
        while !self.padded {
            if self.rest.is_empty() {
                let Some((piece, pieces)) = self.pieces.split_first() else {
                    return self.pad();
                };
                (self.rest, self.pieces) = (piece, pieces);
                self.len = self.len.wrapping_add(piece.len() as u64);
            }
            if self.filled == 0 {
                let (blocks, rest) = self.rest.as_chunks();
                if !blocks.is_empty() {
                    (self.blocks, self.rest) = (blocks, rest);
                    return;
                }
            }
            let place = &mut self.gathered[0][self.filled..];
            let (data, rest) = self.rest.split_at(place.len().min(self.rest.len()));
            place[..data.len()].copy_from_slice(data);
            self.filled += data.len();
            self.rest = rest;
            if self.filled == BLOCK_LEN {
                (self.filled, self.whole) = (0, 1);
                return;
            }
        }
    }

    fn pad(&mut self) {
        let text = self.gathered.as_flattened_mut();
        text[self.filled] = 0x80;
        text[self.filled + 1..].fill(0);
        self.whole = (self.filled + 1 + 8).div_ceil(BLOCK_LEN);
        let bits = self.len.wrapping_mul(8).to_be_bytes();
        self.gathered[self.whole - 1][BLOCK_LEN - 8..].copy_from_slice(&bits);
        self.padded = true;
    }
}
