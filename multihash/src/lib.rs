#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(not(target_arch = "x86_64"), forbid(unsafe_code))]

#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod message;
#[cfg(target_arch = "x86_64")]
mod sha;

use lanes::{Job, One, drive};

/// Length of a SHA-256 digest in bytes.
pub const DIGEST_LEN: usize = 32;

/// How many messages are worth being hashed at once: what [`sha256_each`] works on at a time. More
/// than that take their turn.
pub const LANES: usize = 16;

/// Hashes each message; the digests come in their order.
///
/// ```
/// let mut digests = [[0; 32]; 2];
/// countersign_multihash::sha256_each(&[b"abc", b""], &mut digests);
/// assert_eq!(digests[0][..4], [0xba, 0x78, 0x16, 0xbf]);
/// assert_eq!(digests[1][..4], [0xe3, 0xb0, 0xc4, 0x42]);
/// ```
///
/// # Panics
/// If there are not as many digests as messages.
pub fn sha256_each(messages: &[&[u8]], digests: &mut [[u8; DIGEST_LEN]]) {
    assert_eq!(messages.len(), digests.len(), "a digest for each message");
    each(messages.iter().map(core::slice::from_ref), digests, Kernels::detect());
}

/// As [`sha256_each`], for messages that lie in several pieces.
///
/// ```
/// let mut digests = [[0; 32]; 2];
/// countersign_multihash::sha256_each_of(&[&[b"a", b"bc"], &[]], &mut digests);
/// assert_eq!(digests[0][..4], [0xba, 0x78, 0x16, 0xbf]);
/// assert_eq!(digests[1][..4], [0xe3, 0xb0, 0xc4, 0x42]);
/// ```
///
/// # Panics
/// If there are not as many digests as messages.
pub fn sha256_each_of(messages: &[&[&[u8]]], digests: &mut [[u8; DIGEST_LEN]]) {
    assert_eq!(messages.len(), digests.len(), "a digest for each message");
    each(messages.iter().copied(), digests, Kernels::detect());
}

/// How many messages this processor hashes side by side; 1 if it cannot do more.
#[must_use]
pub fn lanes() -> usize {
    let kernels = Kernels::detect();
    if kernels.sixteen.is_some() {
        LANES
    } else if kernels.two.is_some() {
        2
    } else {
        1
    }
}

/// Fewer messages than this are hashed sooner two by two, or one by one, than in sixteen lanes.
const ENOUGH_FOR_SIXTEEN: usize = 9;

/// What the processor offers.
#[derive(Clone, Copy)]
struct Kernels<S, T> {
    sixteen: Option<S>,
    two: Option<T>,
}

#[cfg(target_arch = "x86_64")]
impl Kernels<avx512::Sixteen, sha::Two> {
    fn detect() -> Self {
        Self { sixteen: avx512::Sixteen::detect(), two: sha::Two::detect() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Kernels<core::convert::Infallible, core::convert::Infallible> {
    fn detect() -> Self {
        Self { sixteen: None, two: None }
    }
}

fn each<'m, S: lanes::Kernel<16>, T: lanes::Kernel<2>>(
    messages: impl Iterator<Item = &'m [&'m [u8]]>,
    digests: &mut [[u8; DIGEST_LEN]],
    kernels: Kernels<S, T>,
) {
    let mut jobs = messages.enumerate().map(|(place, pieces)| Job::new(place, pieces));
    let mut done = |place: usize, digest| digests[place] = digest;
    let mut left: [Option<Job<'m>>; 16] = [const { None }; 16];
    if let Some(sixteen) = kernels.sixteen {
        left = drive(&sixteen, ENOUGH_FOR_SIXTEEN, &mut jobs, &mut done);
    }
    let mut jobs = left.into_iter().flatten().chain(jobs);
    let mut left: [Option<Job<'m>>; 2] = [const { None }; 2];
    if let Some(two) = kernels.two {
        left = drive(&two, 2, &mut jobs, &mut done);
    }
    let mut jobs = left.into_iter().flatten().chain(jobs);
    let [None] = drive(&One, 1, &mut jobs, &mut done) else { unreachable!("one is enough") };
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::lanes::tests::Model;
    use super::{DIGEST_LEN, Kernels, each};
    use sha2::{Digest as _, Sha256};

    /// Every choice of kernels gives the digests of the standard.
    fn check(messages: &[Vec<&[u8]>]) {
        let expected: Vec<[u8; DIGEST_LEN]> = messages
            .iter()
            .map(|pieces| pieces.iter().fold(Sha256::new(), |hash, piece| hash.chain_update(piece)))
            .map(|hash| hash.finalize().into())
            .collect();
        let pieces = || messages.iter().map(Vec::as_slice);
        let mut digests = std::vec![[0; DIGEST_LEN]; messages.len()];
        let models = |sixteen, two| Kernels { sixteen, two };
        for (sixteen, two) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            digests.fill([0; DIGEST_LEN]);
            let kernels = models((sixteen == 1).then_some(Model), (two == 1).then_some(Model));
            each(pieces(), &mut digests, kernels);
            assert_eq!(digests, expected, "models: {sixteen}, {two}");
        }
        let detected = Kernels::detect();
        for (sixteen, two) in
            [(detected.sixteen, detected.two), (detected.sixteen, None), (None, detected.two)]
        {
            digests.fill([0; DIGEST_LEN]);
            each(pieces(), &mut digests, Kernels { sixteen, two });
            assert_eq!(digests, expected, "{} {}", sixteen.is_some(), two.is_some());
        }
    }

    fn data(len: usize) -> Vec<u8> {
        (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// Every length around the edges of blocks, alone and as many at once as make a difference.
    #[test]
    fn lengths() {
        let longest = if cfg!(miri) { 130 } else { 400 };
        let data = data(longest + 40);
        let counts = if cfg!(miri) { &[1, 10][..] } else { &[1, 2, 3, 8, 9, 15, 16, 17, 33, 40] };
        let step = if cfg!(miri) { 55 } else { 1 };
        for len in (0..longest).step_by(step) {
            for count in counts {
                let messages: Vec<_> =
                    (0..*count).map(|from| std::vec![&data[from..from + len]]).collect();
                check(&messages);
            }
        }
    }

    /// Lanes that end at different times and begin anew.
    #[test]
    fn ragged() {
        let data = data(6000);
        let longest = if cfg!(miri) { 300 } else { 6000 };
        let counts = if cfg!(miri) { &[2, 17][..] } else { &[2, 7, 16, 20, 50] };
        for count in counts.iter().copied() {
            let messages: Vec<_> = (0..count)
                .map(|nth: usize| std::vec![&data[..(nth * nth * 977 + nth * 13) % longest]])
                .collect();
            check(&messages);
        }
    }

    /// Every cut of a message in two and in three, empty pieces among them.
    #[test]
    fn pieces() {
        let len = if cfg!(miri) { 70 } else { 200 };
        let data = data(len);
        let step = if cfg!(miri) { 35 } else { 1 };
        let cuts = |at: usize| {
            let (a, b) = data.split_at(at);
            [
                std::vec![a, b],
                std::vec![a, &[], b],
                std::vec![&[], a, &b[..b.len() / 2], &b[b.len() / 2..]],
            ]
        };
        let messages: Vec<_> = (0..=len).step_by(step).flat_map(cuts).collect();
        check(&messages);
        for messages in messages.chunks(16) {
            check(messages);
        }
        check(&[std::vec![], std::vec![&[]]]);
        check(&[]);
    }

    #[cfg(not(miri))]
    proptest::proptest! {
        #[test]
        fn any(messages in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(0u8.., 0..300), 0..4), 0..40,
        )) {
            let messages: Vec<Vec<&[u8]>> = messages
                .iter()
                .map(|pieces| pieces.iter().map(Vec::as_slice).collect())
                .collect();
            check(&messages);
        }
    }
}
