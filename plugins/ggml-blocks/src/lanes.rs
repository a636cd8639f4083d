//! `L` groups of weights side by side, one per lane, so that every group keeps the reference's order of operations.
//!
//! The reference sums each group from first to last; reordering one sum changes bytes. Summing different groups in
//! different lanes changes nothing, and plain arrays of fixed length are enough for the compiler to use vectors.
//! Nothing here may become a fused multiply-add.

use core::ops::{Add, Div, Mul, Sub};

use crate::round::nearest;

/// One float per lane.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<const L: usize>(pub(crate) [f32; L]);

/// All bits set in the lanes where a comparison holds.
#[derive(Clone, Copy)]
pub(crate) struct Mask<const L: usize>(pub(crate) [u32; L]);

macro_rules! lanewise {
    ($($op:ident $method:ident;)*) => {$(
        impl<const L: usize> $op for Lanes<L> {
            type Output = Self;
            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for i in 0..L {
                    self.0[i] = self.0[i].$method(other.0[i]);
                }
                self
            }
        }
    )*};
}

lanewise! { Add add; Sub sub; Mul mul; Div div; }

impl<const L: usize> Lanes<L> {
    pub(crate) const ZERO: Self = Lanes([0.0; L]);

    #[inline(always)]
    pub(crate) const fn splat(v: f32) -> Self {
        Lanes([v; L])
    }

    #[inline(always)]
    pub(crate) fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        for v in &mut self.0 {
            *v = f(*v);
        }
        self
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        self.map(f32::abs)
    }

    /// `self < other ? self : other`: a NaN in `self` gives `other`.
    #[inline(always)]
    pub(crate) fn min(mut self, other: Self) -> Self {
        for i in 0..L {
            self.0[i] = if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] };
        }
        self
    }

    /// `self > other ? self : other`: a NaN in `self` gives `other`.
    #[inline(always)]
    pub(crate) fn max(mut self, other: Self) -> Self {
        for i in 0..L {
            self.0[i] = if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] };
        }
        self
    }

    #[inline(always)]
    pub(crate) fn nearest(self) -> Self {
        self.map(nearest)
    }

    #[inline(always)]
    fn compare(self, other: Self, holds: impl Fn(f32, f32) -> bool) -> Mask<L> {
        let mut mask = [0; L];
        for (i, bits) in mask.iter_mut().enumerate() {
            *bits = if holds(self.0[i], other.0[i]) { u32::MAX } else { 0 };
        }
        Mask(mask)
    }

    #[inline(always)]
    pub(crate) fn gt(self, other: Self) -> Mask<L> {
        self.compare(other, |a, b| a > b)
    }

    #[inline(always)]
    pub(crate) fn le(self, other: Self) -> Mask<L> {
        self.compare(other, |a, b| a <= b)
    }

    #[inline(always)]
    pub(crate) fn eq(self, other: Self) -> Mask<L> {
        self.compare(other, |a, b| a == b)
    }
}

impl<const L: usize> Mask<L> {
    pub(crate) const ALL: Self = Mask([u32::MAX; L]);
    pub(crate) const NONE: Self = Mask([0; L]);

    #[inline(always)]
    fn bitwise(mut self, other: Self, f: impl Fn(u32, u32) -> u32) -> Self {
        for i in 0..L {
            self.0[i] = f(self.0[i], other.0[i]);
        }
        self
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        self.bitwise(other, |a, b| a & b)
    }

    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        self.bitwise(other, |a, b| a | b)
    }

    /// The lanes of `self` that are not in `other`.
    #[inline(always)]
    pub(crate) fn without(self, other: Self) -> Self {
        self.bitwise(other, |a, b| a & !b)
    }

    #[inline(always)]
    pub(crate) fn any(self) -> bool {
        self.0.iter().fold(0, |all, m| all | m) != 0
    }

    /// `yes` in the lanes of the mask, `no` in the others.
    #[inline(always)]
    pub(crate) fn select(self, yes: Lanes<L>, no: Lanes<L>) -> Lanes<L> {
        let mut out = no;
        for i in 0..L {
            out.0[i] = f32::from_bits((yes.0[i].to_bits() & self.0[i]) | (no.0[i].to_bits() & !self.0[i]));
        }
        out
    }
}

/// Turns `L` consecutive groups of `N` weights into `N` rows of `L` lanes.
#[inline(always)]
pub(crate) fn transpose<const N: usize, const L: usize, const T: usize>(groups: &[f32; T]) -> [Lanes<L>; N] {
    const { assert!(N * L == T) };
    let mut out = [Lanes::ZERO; N];
    for (i, row) in out.iter_mut().enumerate() {
        for (lane, v) in row.0.iter_mut().enumerate() {
            *v = groups[lane * N + i];
        }
    }
    out
}

/// The weights of one lane as a single group, for the rare lane that must be computed on its own.
pub(crate) fn single<const N: usize, const L: usize>(rows: &[Lanes<L>; N], lane: usize) -> [Lanes<1>; N] {
    rows.map(|row| Lanes([row.0[lane]]))
}
