//! Keeps lanes busy: each hashes a message of its own, and takes another when that has ended.
//!
//! Nothing here knows how a block is hashed, nor in what pieces a message lies.

use crate::DIGEST_LEN;
use crate::message::{Block, Message};

/// The states of `N` hashes: the first words of all, the second words of all, and so on.
pub(crate) type States<const N: usize> = [[u32; N]; 8];

/// Hashes blocks of `N` messages at once.
pub(crate) trait Kernel<const N: usize>: Copy {
    /// Hashes the first `count` blocks of each lane, which has as many at least.
    fn compress(&self, states: &mut States<N>, lanes: &[&[Block]; N], count: usize);
}

/// A message, and where its digest goes.
pub(crate) struct Job<'m> {
    place: usize,
    message: Message<'m>,
    state: [u32; 8],
}

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

impl<'m> Job<'m> {
    pub(crate) fn new(place: usize, pieces: &'m [&'m [u8]]) -> Self {
        Self { place, message: Message::new(pieces), state: INITIAL }
    }
}

/// Works on `jobs` as long as there are `enough` of them; gives back those that are left, of which
/// some have been worked on.
pub(crate) fn drive<'m, const N: usize>(
    kernel: &impl Kernel<N>,
    enough: usize,
    jobs: &mut dyn Iterator<Item = Job<'m>>,
    done: &mut dyn FnMut(usize, [u8; DIGEST_LEN]),
) -> [Option<Job<'m>>; N] {
    let mut lanes: [Option<Job<'m>>; N] = [const { None }; N];
    let mut states: States<N> = [[0; N]; 8];
    loop {
        for (nth, lane) in lanes.iter_mut().enumerate() {
            if lane.is_none() {
                *lane = jobs.next();
                if let Some(job) = lane {
                    put(&mut states, nth, &job.state);
                }
            }
        }
        if lanes.iter().flatten().count() < enough.max(1) {
            for (nth, lane) in lanes.iter_mut().enumerate() {
                if let Some(job) = lane {
                    job.state = get(&states, nth);
                }
            }
            return lanes;
        }
        // A lane without a job repeats the work of another; its state is of no interest.
        let any = lanes.iter().flatten().next().map(|job| job.message.blocks()).unwrap_or_default();
        let blocks = lanes.each_ref().map(|lane| match lane {
            Some(job) => job.message.blocks(),
            None => any,
        });
        let lens = lanes.iter().flatten().map(|job| job.message.blocks().len());
        let count = lens.min().unwrap_or(0);
        kernel.compress(
            &mut states,
            &blocks.map(|blocks| &blocks[..count.min(blocks.len())]),
            count,
        );
        for (nth, lane) in lanes.iter_mut().enumerate() {
            if let Some(job) = lane {
                job.message.take(count);
                if job.message.blocks().is_empty() {
                    done(job.place, digest(&get(&states, nth)));
                    *lane = None;
                }
            }
        }
    }
}

fn put<const N: usize>(states: &mut States<N>, lane: usize, state: &[u32; 8]) {
    for (words, word) in states.iter_mut().zip(state) {
        words[lane] = *word;
    }
}

fn get<const N: usize>(states: &States<N>, lane: usize) -> [u32; 8] {
    states.map(|words| words[lane])
}

fn digest(state: &[u32; 8]) -> [u8; DIGEST_LEN] {
    let mut digest = [0; DIGEST_LEN];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// One message after the other.
#[derive(Clone, Copy)]
pub(crate) struct One;

impl Kernel<1> for One {
    fn compress(&self, states: &mut States<1>, [blocks]: &[&[Block]; 1], count: usize) {
        let mut state = get(states, 0);
        sha2::block_api::compress256(&mut state, &blocks[..count]);
        put(states, 0, &state);
    }
}

/// Never made: for processors that have no such kernel.
impl<const N: usize> Kernel<N> for core::convert::Infallible {
    fn compress(&self, _: &mut States<N>, _: &[&[Block]; N], _: usize) {
        match *self {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Block, Kernel, States, get, put};

    /// What a kernel has to do, lane by lane.
    #[derive(Clone, Copy)]
    pub(crate) struct Model;

    impl<const N: usize> Kernel<N> for Model {
        fn compress(&self, states: &mut States<N>, lanes: &[&[Block]; N], count: usize) {
            assert!(count > 0, "nothing to do");
            for (nth, blocks) in lanes.iter().enumerate() {
                let mut state = get(states, nth);
                sha2::block_api::compress256(&mut state, &blocks[..count]);
                put(states, nth, &state);
            }
        }
    }
}
