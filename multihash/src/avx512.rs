//! Sixteen messages at once, on AVX-512: a vector holds the same word of each.
//!
//! FIPS 180-4 section 6.2.2. Rotations and functions of three bits are one instruction each.

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use crate::lanes::{Kernel, States};
use crate::message::Block;
use crate::sha::K;

cpufeatures::new!(detected, "avx512f", "avx512bw");

/// Proof that the processor has the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Sixteen(());

impl Sixteen {
    pub(crate) fn detect() -> Option<Self> {
        detected::get().then_some(Self(()))
    }
}

impl Kernel<16> for Sixteen {
    fn compress(&self, states: &mut States<16>, lanes: &[&[Block]; 16], count: usize) {
        // SAFETY: `detect` alone makes a `Sixteen`, and only where there are these instructions.
        unsafe { compress(states, lanes, count) }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress(states: &mut States<16>, lanes: &[&[Block]; 16], count: usize) {
    let lanes = lanes.map(|blocks| &blocks[..count]);
    // Loops, not closures: what is called back from elsewhere is not compiled for these vectors.
    let mut state = [_mm512_setzero_si512(); 8];
    for (state, words) in state.iter_mut().zip(&*states) {
        *state = load(words);
    }
    for nth in 0..count {
        let mut rows = [_mm512_setzero_si512(); 16];
        for (row, blocks) in rows.iter_mut().zip(&lanes) {
            *row = load_block(&blocks[nth]);
        }
        state = block(state, words(rows));
    }
    for (words, state) in states.iter_mut().zip(state) {
        store(words, state);
    }
}

/// One block of each message.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn block(state: [__m512i; 8], mut w: [__m512i; 16]) -> [__m512i; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $k:expr, $t:expr) => {
            let sum = _mm512_add_epi32(w[$t], _mm512_set1_epi32($k[$t].cast_signed()));
            let sum = _mm512_add_epi32(_mm512_add_epi32($h, sum), choose($e, $f, $g));
            let sum = _mm512_add_epi32(sum, three::<6, 11, 25>($e));
            $d = _mm512_add_epi32($d, sum);
            $h = _mm512_add_epi32(
                _mm512_add_epi32(sum, majority($a, $b, $c)),
                three::<2, 13, 22>($a),
            );
        };
    }
    macro_rules! expand {
        ($t:expr) => {
            let near = _mm512_add_epi32(w[$t], two::<7, 18, 3>(w[($t + 1) % 16]));
            let far = _mm512_add_epi32(w[($t + 9) % 16], two::<17, 19, 10>(w[($t + 14) % 16]));
            w[$t] = _mm512_add_epi32(near, far);
        };
    }
    // Eight rounds, after which each variable has its own name again.
    macro_rules! rounds {
        ($k:expr, $t:expr, $then:ident) => {
            round!(a b c d e f g h, $k, $t);
            $then!($t);
            round!(h a b c d e f g, $k, $t + 1);
            $then!($t + 1);
            round!(g h a b c d e f, $k, $t + 2);
            $then!($t + 2);
            round!(f g h a b c d e, $k, $t + 3);
            $then!($t + 3);
            round!(e f g h a b c d, $k, $t + 4);
            $then!($t + 4);
            round!(d e f g h a b c, $k, $t + 5);
            $then!($t + 5);
            round!(c d e f g h a b, $k, $t + 6);
            $then!($t + 6);
            round!(b c d e f g h a, $k, $t + 7);
            $then!($t + 7);
        };
    }
    macro_rules! nothing {
        ($t:expr) => {};
    }
    let [first, second, third, last] = &K;
    for k in [first, second, third] {
        rounds!(k, 0, expand);
        rounds!(k, 8, expand);
    }
    rounds!(last, 0, nothing);
    rounds!(last, 8, nothing);
    let mut after = [a, b, c, d, e, f, g, h];
    for (after, before) in after.iter_mut().zip(state) {
        *after = _mm512_add_epi32(*after, before);
    }
    after
}

/// For each bit, that of `b` where that of `a` is set, else that of `c`.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xca>(a, b, c)
}

/// For each bit, what two of the three have.
#[inline]
#[target_feature(enable = "avx512f")]
fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}

/// For each bit, whether an odd number of the three is set.
#[inline]
#[target_feature(enable = "avx512f")]
fn odd(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

/// Three rotations, added without carry.
#[inline]
#[target_feature(enable = "avx512f")]
fn three<const A: i32, const B: i32, const C: i32>(x: __m512i) -> __m512i {
    odd(_mm512_ror_epi32::<A>(x), _mm512_ror_epi32::<B>(x), _mm512_ror_epi32::<C>(x))
}

/// Two rotations and a shift, added without carry.
#[inline]
#[target_feature(enable = "avx512f")]
fn two<const A: i32, const B: i32, const SHIFT: u32>(x: __m512i) -> __m512i {
    odd(_mm512_ror_epi32::<A>(x), _mm512_ror_epi32::<B>(x), _mm512_srli_epi32::<SHIFT>(x))
}

/// The blocks of sixteen messages as words: a vector for each of the sixteen words of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn words(mut rows: [__m512i; 16]) -> [__m512i; 16] {
    // Words are big-endian.
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    for row in &mut rows {
        *row = _mm512_shuffle_epi8(*row, swap);
    }
    // Within each quarter of a vector, four messages and four words change places ...
    for four in rows.as_chunks_mut::<4>().0 {
        let [r0, r1, r2, r3] = *four;
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        *four = [
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ];
    }
    // ... then the quarters do.
    let mut words = rows;
    for nth in 0..4 {
        let [q0, q1, q2, q3] = [rows[nth], rows[4 + nth], rows[8 + nth], rows[12 + nth]];
        let even01 = _mm512_shuffle_i32x4::<0b10_00_10_00>(q0, q1);
        let even23 = _mm512_shuffle_i32x4::<0b10_00_10_00>(q2, q3);
        let odd01 = _mm512_shuffle_i32x4::<0b11_01_11_01>(q0, q1);
        let odd23 = _mm512_shuffle_i32x4::<0b11_01_11_01>(q2, q3);
        words[nth] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even01, even23);
        words[4 + nth] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd01, odd23);
        words[8 + nth] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even01, even23);
        words[12 + nth] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd01, odd23);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_block(block: &Block) -> __m512i {
    // SAFETY: 64 bytes are read, which are those of the block; they need no alignment.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32; 16]) -> __m512i {
    // SAFETY: 64 bytes are read, which are the sixteen words; they need no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32; 16], vector: __m512i) {
    // SAFETY: 64 bytes are written, which are the sixteen words; they need no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
}
