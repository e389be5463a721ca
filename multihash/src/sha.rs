//! Two messages at once, on the SHA extensions: while one waits for a round, the other goes on.
//!
//! FIPS 180-4 section 6.2.2.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_storeu_si128,
};

use crate::lanes::{Kernel, States};
use crate::message::Block;

/// The constants of the rounds, FIPS 180-4 section 4.2.2.
#[rustfmt::skip]
pub(crate) static K: [[u32; 16]; 4] = [
    [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    ],
    [
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    ],
    [
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    ],
    [
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ],
];

cpufeatures::new!(detected, "sha", "ssse3", "sse4.1");

/// Proof that the processor has the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Two(());

impl Two {
    pub(crate) fn detect() -> Option<Self> {
        detected::get().then_some(Self(()))
    }
}

impl Kernel<2> for Two {
    fn compress(&self, states: &mut States<2>, lanes: &[&[Block]; 2], count: usize) {
        // SAFETY: `detect` alone makes a `Two`, and only where there are these instructions.
        unsafe { compress(states, lanes, count) }
    }
}

/// A state as the instructions want it: the words a, b, e, f and c, d, g, h, highest first.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

impl State {
    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(states: &States<2>, lane: usize) -> Self {
        let [a, b, c, d, e, f, g, h] = states.map(|words| words[lane].cast_signed());
        Self { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn add(self, other: Self) -> Self {
        Self {
            abef: _mm_add_epi32(self.abef, other.abef),
            cdgh: _mm_add_epi32(self.cdgh, other.cdgh),
        }
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress(states: &mut States<2>, lanes: &[&[Block]; 2], count: usize) {
    let [first, second] = lanes.map(|blocks| &blocks[..count]);
    let mut two = [State::load(states, 0), State::load(states, 1)];
    for (first, second) in first.iter().zip(second) {
        two = block(two, [words(first), words(second)]);
    }
    for (lane, State { abef, cdgh }) in two.into_iter().enumerate() {
        let ([f, e, b, a], [h, g, d, c]) = (store(abef), store(cdgh));
        for (words, word) in states.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            words[lane] = word;
        }
    }
}

/// One block of each message.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn block(before: [State; 2], mut w: [[__m128i; 4]; 2]) -> [State; 2] {
    let mut state = before;
    for (nth, k) in K.as_flattened().as_chunks::<4>().0.iter().enumerate() {
        let k = load(k);
        let at = nth % 4;
        for lane in 0..2 {
            let w = &mut w[lane];
            if nth >= 4 {
                // The words of these four rounds from those of the sixteen before.
                let (next, last) = (w[(at + 1) % 4], w[(at + 3) % 4]);
                let sum = _mm_add_epi32(
                    _mm_sha256msg1_epu32(w[at], next),
                    _mm_alignr_epi8::<4>(last, w[(at + 2) % 4]),
                );
                w[at] = _mm_sha256msg2_epu32(sum, last);
            }
            let sum = _mm_add_epi32(w[at], k);
            let State { abef, cdgh } = state[lane];
            let half = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            let whole = _mm_sha256rnds2_epu32(abef, half, _mm_shuffle_epi32::<0b00_00_11_10>(sum));
            state[lane] = State { abef: whole, cdgh: half };
        }
    }
    [before[0].add(state[0]), before[1].add(state[1])]
}

/// The words of a block, four in each vector.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn words(block: &Block) -> [__m128i; 4] {
    // Words are big-endian.
    let swap = _mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let [a, b, c, d] = block.as_chunks::<16>().0 else { unreachable!("four times sixteen bytes") };
    [
        _mm_shuffle_epi8(load_bytes(a), swap),
        _mm_shuffle_epi8(load_bytes(b), swap),
        _mm_shuffle_epi8(load_bytes(c), swap),
        _mm_shuffle_epi8(load_bytes(d), swap),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: these 16 bytes are read; they need no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(words: &[u32; 4]) -> __m128i {
    // SAFETY: 16 bytes are read, which are the four words; they need no alignment.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(vector: __m128i) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: 16 bytes are written, which are the four words; they need no alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) }
    words
}
