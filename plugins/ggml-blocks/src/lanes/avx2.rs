//! Eight lanes in an AVX2 register.
//!
//! SAFETY of the whole file: values of these types exist only in code that `dispatch` enters after it has seen that the
//! processor has AVX2 and F16C. The operations need nothing else; those on memory check their lengths first.

#![allow(unsafe_code, reason = "intrinsics of one set of processor features")]

use core::arch::x86_64::*;
use core::ops::{Add, Div, Mul, Sub};

use super::{Lanes, Mask, coordinate_bits};

/// Eight floats.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(super) __m256);

/// Eight lanes of all or no bits.
#[derive(Clone, Copy)]
pub(crate) struct Avx2Mask(__m256);

/// An intrinsic that needs AVX2 or F16C and no more.
macro_rules! avx2 {
    ($($code:tt)*) => {
        // SAFETY: see the head of this file.
        unsafe { $($code)* }
    };
}

macro_rules! lanewise {
    ($($op:ident $method:ident $intrinsic:ident;)*) => {$(
        impl $op for Avx2 {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Avx2(avx2!($intrinsic(self.0, other.0)))
            }
        }
    )*};
}

lanewise! { Add add _mm256_add_ps; Sub sub _mm256_sub_ps; Mul mul _mm256_mul_ps; Div div _mm256_div_ps; }

impl Lanes for Avx2 {
    const COUNT: usize = 8;
    type Mask = Avx2Mask;
    type Short = Avx2;
    type ShortOf<const G: usize> = Avx2;

    #[inline(always)]
    fn splat(v: f32) -> Self {
        Avx2(avx2!(_mm256_set1_ps(v)))
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..8];
        Avx2(avx2!(_mm256_loadu_ps(from.as_ptr())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..8];
        avx2!(_mm256_storeu_ps(to.as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8]) {
        let to = &mut to[..8];
        avx2! {
            let words = _mm256_cvttps_epi32(self.0);
            let halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storel_epi64(to.as_mut_ptr().cast(), _mm_packus_epi16(halves, halves));
        }
    }

    #[inline(always)]
    fn store_bytes_of_two(first: Self, second: Self, to: &mut [u8]) {
        let to = &mut to[..16];
        avx2! {
            // Packing keeps to the halves of the registers: fours of the first and of the second alternate.
            let pairs = _mm256_packs_epi32(_mm256_cvttps_epi32(first.0), _mm256_cvttps_epi32(second.0));
            let fours = _mm256_packus_epi16(pairs, pairs);
            let bytes = _mm256_permutevar8x32_epi32(fours, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm256_castsi256_si128(bytes));
        }
    }

    /// The processor's own conversion keeps a part of what a NaN carries.
    #[inline(always)]
    fn to_half(v: f32) -> u16 {
        let half = avx2!(_mm_extract_epi16::<0>(_mm_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm_set_ss(v)))) as u16;
        if v.is_nan() { half & 0x8000 | 0x7e00 } else { half }
    }

    #[inline(always)]
    fn from_half(half: u16) -> f32 {
        avx2!(_mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half.into()))))
    }

    #[inline(always)]
    fn columns<const N: usize>(groups: &[[f32; N]]) -> [Self; N] {
        const { assert!(N.is_multiple_of(8)) };
        let groups = &groups[..8];
        let mut out = [Self::splat(0.0); N];
        for at in (0..N).step_by(8) {
            let mut tile = [Self::splat(0.0); 8];
            for lane in 0..8 {
                tile[lane] = Self::load(&groups[lane][at..]);
            }
            out[at..at + 8].copy_from_slice(&turned(tile));
        }
        out
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Avx2(avx2!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Avx2(avx2!(_mm256_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Avx2(avx2!(_mm256_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn least(self) -> f32 {
        avx2! {
            let four = _mm_min_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_min_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_min_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn most(self) -> f32 {
        avx2! {
            let four = _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn nearest(self) -> Self {
        Avx2(avx2!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }

    #[inline(always)]
    fn rough_inverse(self) -> Self {
        Avx2(avx2!(_mm256_rcp_ps(self.0)))
    }

    #[inline(always)]
    fn gt(self, other: Self) -> Avx2Mask {
        Avx2Mask(avx2!(_mm256_cmp_ps::<_CMP_GT_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn le(self, other: Self) -> Avx2Mask {
        Avx2Mask(avx2!(_mm256_cmp_ps::<_CMP_LE_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn eq(self, other: Self) -> Avx2Mask {
        Avx2Mask(avx2!(_mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn prefetch(soon: &[u16]) {
        for line in soon.chunks(32) {
            avx2!(_mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()));
        }
    }

    /// Eight points side by side; a lane keeps the place in the list of its first best point.
    #[inline(always)]
    fn nearest_point<const N: usize>(x: &[f32; N], weights: &[f32; N], values: &[f32; 8], near: &[u16]) -> u16 {
        const { assert!(N == 4 || N == 8) };
        let values = Self::load(values);
        let mut tables = [Self::splat(0.0); N];
        for i in 0..N {
            let difference = values - Self::splat(x[i]);
            tables[i] = Self::splat(weights[i]) * difference * difference;
        }
        let mut best = Self::splat(f32::MAX);
        let mut kept = avx2!(_mm256_setzero_si256());
        let mut here = avx2!(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        for eight in near.as_chunks::<8>().0 {
            let mut points = avx2!(_mm256_cvtepu16_epi32(_mm_loadu_si128(eight.as_ptr().cast())));
            let mut sum = Self::splat(0.0);
            for i in 0..N {
                let error = avx2! {
                    if N == 8 {
                        _mm256_permutevar_ps(tables[i].0, points)
                    } else {
                        _mm256_permutevar8x32_ps(tables[i].0, points)
                    }
                };
                sum = sum + Avx2(error);
                points = avx2! { if N == 8 { _mm256_srli_epi32::<2>(points) } else { _mm256_srli_epi32::<3>(points) } };
            }
            let better = best.gt(sum);
            best = Self::select(better, sum, best);
            kept = avx2!(_mm256_blendv_epi8(kept, here, _mm256_castps_si256(better.0)));
            here = avx2!(_mm256_add_epi32(here, _mm256_set1_epi32(8)));
        }
        let least = best.least();
        let place = avx2! {
            let winners = _mm256_castps_si256(best.eq(Self::splat(least)).0);
            let places = _mm256_blendv_epi8(_mm256_set1_epi32(i32::MAX), kept, winners);
            let four = _mm_min_epu32(_mm256_castsi256_si128(places), _mm256_extracti128_si256::<1>(places));
            let two = _mm_min_epu32(four, _mm_shuffle_epi32::<0b11_10_11_10>(four));
            _mm_cvtsi128_si32(_mm_min_epu32(two, _mm_shuffle_epi32::<1>(two)))
        };
        near[place as usize]
    }

    #[inline(always)]
    fn packed(points: &[u16]) -> Self {
        let points = &points[..8];
        Avx2(avx2!(_mm256_castsi256_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(points.as_ptr().cast())))))
    }

    #[inline(always)]
    fn of_coordinate<const N: usize>(self, i: usize, table: &[f32; 8]) -> Self {
        const { assert!(N == 4 || N == 8) };
        let (table, by) = (Self::load(table), (coordinate_bits::<N>() * i) as i32);
        // Only the lowest two or three bits of what is shifted choose from the table.
        Avx2(avx2! {
            let shifted = _mm256_srlv_epi32(_mm256_castps_si256(self.0), _mm256_set1_epi32(by));
            if N == 8 { _mm256_permutevar_ps(table.0, shifted) } else { _mm256_permutevar8x32_ps(table.0, shifted) }
        })
    }

    #[inline(always)]
    fn select(mask: Avx2Mask, yes: Self, no: Self) -> Self {
        Avx2(avx2!(_mm256_blendv_ps(no.0, yes.0, mask.0)))
    }
}

/// Rows become columns: first within pairs, then within fours, then across the halves of the registers.
#[inline(always)]
pub(super) fn turned(rows: [Avx2; 8]) -> [Avx2; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    avx2! {
        let (ab0, ab1) = (_mm256_unpacklo_ps(a.0, b.0), _mm256_unpackhi_ps(a.0, b.0));
        let (cd0, cd1) = (_mm256_unpacklo_ps(c.0, d.0), _mm256_unpackhi_ps(c.0, d.0));
        let (ef0, ef1) = (_mm256_unpacklo_ps(e.0, f.0), _mm256_unpackhi_ps(e.0, f.0));
        let (gh0, gh1) = (_mm256_unpacklo_ps(g.0, h.0), _mm256_unpackhi_ps(g.0, h.0));
        let upper = [
            _mm256_shuffle_ps::<0b01_00_01_00>(ab0, cd0),
            _mm256_shuffle_ps::<0b11_10_11_10>(ab0, cd0),
            _mm256_shuffle_ps::<0b01_00_01_00>(ab1, cd1),
            _mm256_shuffle_ps::<0b11_10_11_10>(ab1, cd1),
        ];
        let lower = [
            _mm256_shuffle_ps::<0b01_00_01_00>(ef0, gh0),
            _mm256_shuffle_ps::<0b11_10_11_10>(ef0, gh0),
            _mm256_shuffle_ps::<0b01_00_01_00>(ef1, gh1),
            _mm256_shuffle_ps::<0b11_10_11_10>(ef1, gh1),
        ];
        let mut out = rows;
        for i in 0..4 {
            out[i] = Avx2(_mm256_permute2f128_ps::<0x20>(upper[i], lower[i]));
            out[i + 4] = Avx2(_mm256_permute2f128_ps::<0x31>(upper[i], lower[i]));
        }
        out
    }
}

impl Mask for Avx2Mask {
    const COUNT: usize = 8;

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Avx2Mask(avx2!(_mm256_and_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Avx2Mask(avx2!(_mm256_or_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        Avx2Mask(avx2!(_mm256_andnot_ps(other.0, self.0)))
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        avx2!(_mm256_movemask_ps(self.0) as u32)
    }
}
