//! Sixteen lanes in an AVX-512 register.
//!
//! SAFETY of the whole file: values of these types exist only in code that `dispatch` enters after it has seen that the
//! processor has AVX-512 F, BW, DQ and VL. The operations need nothing else; those on memory check their lengths first.

#![allow(unsafe_code, reason = "intrinsics of one set of processor features")]

use core::arch::x86_64::*;
use core::ops::{Add, Div, Mul, Sub};

use super::avx2::{Avx2, turned};
use super::{Lanes, Mask};

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// Sixteen truths.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Mask(__mmask16);

/// An intrinsic that needs AVX-512 and no more.
macro_rules! avx512 {
    ($($code:tt)*) => {
        // SAFETY: see the head of this file.
        unsafe { $($code)* }
    };
}

macro_rules! lanewise {
    ($($op:ident $method:ident $intrinsic:ident;)*) => {$(
        impl $op for Avx512 {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Avx512(avx512!($intrinsic(self.0, other.0)))
            }
        }
    )*};
}

lanewise! { Add add _mm512_add_ps; Sub sub _mm512_sub_ps; Mul mul _mm512_mul_ps; Div div _mm512_div_ps; }

impl Lanes for Avx512 {
    const COUNT: usize = 16;
    type Mask = Avx512Mask;
    type Short = Avx2;
    type ShortOf<const G: usize> = Avx2;

    #[inline(always)]
    fn splat(v: f32) -> Self {
        Avx512(avx512!(_mm512_set1_ps(v)))
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..16];
        Avx512(avx512!(_mm512_loadu_ps(from.as_ptr())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..16];
        avx512!(_mm512_storeu_ps(to.as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8]) {
        let to = &mut to[..16];
        avx512! {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self.0));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn to_half(v: f32) -> u16 {
        Avx2::to_half(v)
    }

    #[inline(always)]
    fn from_half(half: u16) -> f32 {
        Avx2::from_half(half)
    }

    /// Tiles of eight by eight, two of them to a register.
    #[inline(always)]
    fn columns<const N: usize>(groups: &[[f32; N]]) -> [Self; N] {
        const { assert!(N.is_multiple_of(8)) };
        let groups = &groups[..16];
        let mut out = [Self::splat(0.0); N];
        for at in (0..N).step_by(8) {
            let mut tiles = [[Avx2::splat(0.0); 8]; 2];
            for lane in 0..16 {
                tiles[lane / 8][lane % 8] = Avx2::load(&groups[lane][at..]);
            }
            let (first, second) = (turned(tiles[0]), turned(tiles[1]));
            for i in 0..8 {
                let joined = avx512!(_mm512_insertf32x8::<1>(_mm512_castps256_ps512(first[i].0), second[i].0));
                out[at + i] = Avx512(joined);
            }
        }
        out
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Avx512(avx512!(_mm512_abs_ps(self.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn least(self) -> f32 {
        avx512!(_mm512_reduce_min_ps(self.0))
    }

    #[inline(always)]
    fn most(self) -> f32 {
        avx512!(_mm512_reduce_max_ps(self.0))
    }

    #[inline(always)]
    fn nearest(self) -> Self {
        Avx512(avx512!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }

    #[inline(always)]
    fn rough_inverse(self) -> Self {
        Avx512(avx512!(_mm512_rcp14_ps(self.0)))
    }

    #[inline(always)]
    fn gt(self, other: Self) -> Avx512Mask {
        Avx512Mask(avx512!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn le(self, other: Self) -> Avx512Mask {
        Avx512Mask(avx512!(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn eq(self, other: Self) -> Avx512Mask {
        Avx512Mask(avx512!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0)))
    }

    #[inline(always)]
    fn prefetch(soon: &[u16]) {
        Avx2::prefetch(soon);
    }

    #[inline(always)]
    fn nearest_point<const N: usize>(x: &[f32; N], weights: &[f32; N], values: &[f32; 8], near: &[u16]) -> u16 {
        Avx2::nearest_point(x, weights, values, near)
    }

    #[inline(always)]
    fn select(mask: Avx512Mask, yes: Self, no: Self) -> Self {
        Avx512(avx512!(_mm512_mask_blend_ps(mask.0, no.0, yes.0)))
    }
}

impl Mask for Avx512Mask {
    const COUNT: usize = 16;

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Avx512Mask(self.0 & other.0)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Avx512Mask(self.0 | other.0)
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        Avx512Mask(self.0 & !other.0)
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        u32::from(self.0)
    }
}
