//! Groups of weights side by side, one per lane, so that every group keeps the reference's order of operations.
//!
//! The reference sums each group from first to last; reordering one sum changes bytes. Summing different groups in
//! different lanes changes nothing. The searches are written once against [`Lanes`] and compiled for every kind of
//! lane: one float (`f32`), several of anything ([`Beside`]) and the vectors of `lanes/avx2.rs` and `lanes/avx512.rs`.
//! Nothing here may become a fused multiply-add.
//!
//! Vectors must not pass through closures or plain generic calls: such a function is compiled without the features of
//! its caller, and the vector then travels through memory. Hence `inline(always)` on everything that touches one.

#[cfg(test)]
mod agreement;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
mod beside;

use core::ops::{Add, Div, Mul, Sub};

pub(crate) use beside::Beside;

use crate::round::{nearest, nearest_int};
use crate::types::f16::{f16_to_f32, f32_to_f16};

/// Groups that every search takes at once; a multiple of all numbers of lanes.
pub(crate) const GROUPS: usize = 16;

/// The most lanes of a [`Lanes::Short`].
pub(crate) const SHORT: usize = 8;

/// Consecutive weights as groups.
#[inline(always)]
pub(crate) fn groups<const N: usize, const T: usize>(x: &[f32; T]) -> &[[f32; N]; GROUPS] {
    const { assert!(N * GROUPS == T) };
    x.as_chunks().0.first_chunk().expect("the lengths were compared when this was compiled")
}

/// Consecutive weights as groups.
#[inline(always)]
pub(crate) fn groups_mut<const N: usize, const T: usize>(x: &mut [f32; T]) -> &mut [[f32; N]; GROUPS] {
    const { assert!(N * GROUPS == T) };
    x.as_chunks_mut().0.first_chunk_mut().expect("the lengths were compared when this was compiled")
}

/// Bits of each coordinate of a packed point of `N`.
const fn coordinate_bits<const N: usize>() -> usize {
    if N == 8 { 2 } else { 3 }
}

/// One float per lane. All kinds give the same results bit by bit, NaN payloads apart.
pub(crate) trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Number of lanes; divides [`GROUPS`].
    const COUNT: usize;
    /// The outcome of a comparison.
    type Mask: Mask;
    /// Lanes for work that seldom fills more than [`SHORT`] of them; their number divides it.
    type Short: Lanes;
    /// [`Short`](Self::Short) of `G` of these beside each other.
    type ShortOf<const G: usize>: Lanes;

    fn splat(v: f32) -> Self;

    /// The first `COUNT` floats of a slice.
    fn load(from: &[f32]) -> Self;

    /// Fills the first `COUNT` floats of a slice.
    fn store(self, to: &mut [f32]);

    /// Numbers from 0 to below 128, cut off to whole ones, as the first `COUNT` bytes of a slice. NaN gives 0.
    fn store_bytes(self, to: &mut [u8]);

    /// Both one behind the other. Bytes that are stored together can be loaded together at once, others must wait.
    #[inline(always)]
    fn store_bytes_of_two(first: Self, second: Self, to: &mut [u8]) {
        first.store_bytes(to);
        second.store_bytes(&mut to[Self::COUNT..]);
    }

    /// As [`f32_to_f16`].
    #[inline(always)]
    fn to_half(v: f32) -> u16 {
        f32_to_f16(v)
    }

    /// As [`f16_to_f32`].
    #[inline(always)]
    fn from_half(half: u16) -> f32 {
        f16_to_f32(half)
    }

    /// The first `COUNT` groups, turned: element `i` holds weight `i` of every group.
    fn columns<const N: usize>(groups: &[[f32; N]]) -> [Self; N];

    fn abs(self) -> Self;

    /// `self < other ? self : other`: a NaN in `self` gives `other`.
    fn min(self, other: Self) -> Self;

    /// `self > other ? self : other`: a NaN in `self` gives `other`.
    fn max(self, other: Self) -> Self;

    /// The least lane; none is NaN.
    fn least(self) -> f32;

    /// The largest lane; none is NaN.
    fn most(self) -> f32;

    /// Nearest integer, ties to even, up to `NEAREST_LIMIT`; the sign of a zero is not defined.
    fn nearest(self) -> Self;

    /// One divided by each lane, wrong by less than 3.7e-4 of it, on every kind of lane differently: only for what
    /// decides nothing. Lanes near the ends of the range may become zero or infinite.
    fn rough_inverse(self) -> Self;

    fn gt(self, other: Self) -> Self::Mask;

    fn le(self, other: Self) -> Self::Mask;

    fn eq(self, other: Self) -> Self::Mask;

    /// `yes` in the lanes of the mask, `no` in the others.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Asks for memory that is read soon. Changes nothing but the time that reading takes.
    #[inline(always)]
    fn prefetch(_soon: &[u16]) {}

    /// The first of the near points (packed, whole eights of them) with the least sum of errors. The error of coordinate
    /// `i` is `weights[i]` times the squared distance of its value from `x[i]`. The coordinates of eights have four values,
    /// which stand in `values` twice, those of fours have eight.
    #[inline(always)]
    fn nearest_point<const N: usize>(x: &[f32; N], weights: &[f32; N], values: &[f32; 8], near: &[u16]) -> u16 {
        let mut errors = [[0.0; 8]; N];
        for i in 0..N {
            for c in 0..8 {
                let difference = values[c] - x[i];
                errors[i][c] = weights[i] * difference * difference;
            }
        }
        let (mut nearest, mut best) = (near[0], f32::MAX);
        for &point in near {
            let mut error = 0.0;
            for (i, errors) in errors.iter().enumerate() {
                error += errors[usize::from(point >> (coordinate_bits::<N>() * i)) & 7];
            }
            if error < best {
                (nearest, best) = (point, error);
            }
        }
        nearest
    }

    /// Packed points, the first `COUNT` of a slice, as bits of lanes that are not meant to be numbers.
    #[inline(always)]
    fn packed(points: &[u16]) -> Self {
        let mut lanes = [0.0; GROUPS];
        for lane in 0..Self::COUNT {
            lanes[lane] = f32::from_bits(points[lane].into());
        }
        Self::load(&lanes)
    }

    /// What a table has for coordinate `i` of the packed point in the low bits of each lane; higher bits do not matter.
    /// The four values of the coordinates of eights stand in it twice.
    #[inline(always)]
    fn of_coordinate<const N: usize>(self, i: usize, table: &[f32; 8]) -> Self {
        let mut lanes = [0.0; GROUPS];
        self.store(&mut lanes);
        for lane in 0..Self::COUNT {
            let coordinate = lanes[lane].to_bits() as usize >> (coordinate_bits::<N>() * i);
            lanes[lane] = table[coordinate & 7];
        }
        Self::load(&lanes)
    }

    /// The reference's rounding with its results beyond `NEAREST_LIMIT`; slow, for single lanes.
    #[inline(always)]
    fn nearest_wrapping(self) -> Self {
        let mut lanes = [0.0; GROUPS];
        self.store(&mut lanes);
        for v in &mut lanes {
            *v = nearest_int(*v) as f32;
        }
        Self::load(&lanes)
    }
}

/// A truth per lane.
pub(crate) trait Mask: Copy {
    /// Number of lanes.
    const COUNT: usize;

    fn and(self, other: Self) -> Self;

    fn or(self, other: Self) -> Self;

    /// The lanes of `self` that are not in `other`.
    fn without(self, other: Self) -> Self;

    /// A bit per lane from the lowest up.
    fn bits(self) -> u32;

    #[inline(always)]
    fn any(self) -> bool {
        self.bits() != 0
    }
}

impl Lanes for f32 {
    const COUNT: usize = 1;
    type Mask = u32;
    type Short = f32;
    type ShortOf<const G: usize> = Beside<f32, G>;

    #[inline(always)]
    fn splat(v: f32) -> f32 {
        v
    }

    #[inline(always)]
    fn load(from: &[f32]) -> f32 {
        from[0]
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[0] = self;
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8]) {
        to[0] = self as u8;
    }

    #[inline(always)]
    fn columns<const N: usize>(groups: &[[f32; N]]) -> [f32; N] {
        groups[0]
    }

    #[inline(always)]
    fn abs(self) -> f32 {
        f32::abs(self)
    }

    #[inline(always)]
    fn min(self, other: f32) -> f32 {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn max(self, other: f32) -> f32 {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        self
    }

    #[inline(always)]
    fn most(self) -> f32 {
        self
    }

    #[inline(always)]
    fn nearest(self) -> f32 {
        nearest(self)
    }

    #[inline(always)]
    fn rough_inverse(self) -> f32 {
        1.0 / self
    }

    #[inline(always)]
    fn gt(self, other: f32) -> u32 {
        if self > other { u32::MAX } else { 0 }
    }

    #[inline(always)]
    fn le(self, other: f32) -> u32 {
        if self <= other { u32::MAX } else { 0 }
    }

    #[inline(always)]
    fn eq(self, other: f32) -> u32 {
        if self == other { u32::MAX } else { 0 }
    }

    #[inline(always)]
    fn select(mask: u32, yes: f32, no: f32) -> f32 {
        f32::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
    }
}

/// All bits set where the comparison held.
impl Mask for u32 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn and(self, other: u32) -> u32 {
        self & other
    }

    #[inline(always)]
    fn or(self, other: u32) -> u32 {
        self | other
    }

    #[inline(always)]
    fn without(self, other: u32) -> u32 {
        self & !other
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        self & 1
    }
}

#[cfg(test)]
mod tests;
