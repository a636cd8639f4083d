//! Several of a kind of lanes side by side.

use core::ops::{Add, Div, Mul, Sub};

use super::{Lanes, Mask};

/// `G` of a kind side by side: wider than one register, so that one group's waiting is another's work; of plain
/// floats, an array from which the compiler makes vectors of whatever the target has.
#[derive(Clone, Copy)]
pub(crate) struct Beside<T, const G: usize>([T; G]);

macro_rules! lanewise {
    ($($op:ident $method:ident;)*) => {$(
        impl<V: Lanes, const G: usize> $op for Beside<V, G> {
            type Output = Self;
            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for g in 0..G {
                    self.0[g] = self.0[g].$method(other.0[g]);
                }
                self
            }
        }
    )*};
}

lanewise! { Add add; Sub sub; Mul mul; Div div; }

macro_rules! each {
    ($of:expr, $g:ident => $value:expr) => {{
        let mut out = $of;
        for $g in 0..G {
            out[$g] = $value;
        }
        Beside(out)
    }};
}

impl<V: Lanes, const G: usize> Lanes for Beside<V, G> {
    const COUNT: usize = V::COUNT * G;
    type Mask = Beside<V::Mask, G>;
    type Short = V::ShortOf<G>;
    type ShortOf<const H: usize> = V::ShortOf<G>;

    #[inline(always)]
    fn splat(v: f32) -> Self {
        Beside([V::splat(v); G])
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        each!([V::splat(0.0); G], g => V::load(&from[g * V::COUNT..]))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        for g in 0..G {
            self.0[g].store(&mut to[g * V::COUNT..]);
        }
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8]) {
        for g in (0..G).step_by(2) {
            let to = &mut to[g * V::COUNT..];
            if g + 1 < G { V::store_bytes_of_two(self.0[g], self.0[g + 1], to) } else { self.0[g].store_bytes(to) }
        }
    }

    #[inline(always)]
    fn to_half(v: f32) -> u16 {
        V::to_half(v)
    }

    #[inline(always)]
    fn from_half(half: u16) -> f32 {
        V::from_half(half)
    }

    #[inline(always)]
    fn columns<const N: usize>(groups: &[[f32; N]]) -> [Self; N] {
        let mut out = [Self::splat(0.0); N];
        for g in 0..G {
            let part = V::columns(&groups[g * V::COUNT..]);
            for i in 0..N {
                out[i].0[g] = part[i];
            }
        }
        out
    }

    #[inline(always)]
    fn abs(self) -> Self {
        each!(self.0, g => self.0[g].abs())
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        each!(self.0, g => self.0[g].min(other.0[g]))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        each!(self.0, g => self.0[g].max(other.0[g]))
    }

    #[inline(always)]
    fn least(self) -> f32 {
        let mut least = self.0[0];
        for g in 1..G {
            least = self.0[g].min(least);
        }
        least.least()
    }

    #[inline(always)]
    fn most(self) -> f32 {
        let mut most = self.0[0];
        for g in 1..G {
            most = self.0[g].max(most);
        }
        most.most()
    }

    #[inline(always)]
    fn nearest(self) -> Self {
        each!(self.0, g => self.0[g].nearest())
    }

    #[inline(always)]
    fn rough_inverse(self) -> Self {
        each!(self.0, g => self.0[g].rough_inverse())
    }

    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        each!([V::gt(self.0[0], other.0[0]); G], g => self.0[g].gt(other.0[g]))
    }

    #[inline(always)]
    fn le(self, other: Self) -> Self::Mask {
        each!([V::le(self.0[0], other.0[0]); G], g => self.0[g].le(other.0[g]))
    }

    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        each!([V::eq(self.0[0], other.0[0]); G], g => self.0[g].eq(other.0[g]))
    }

    #[inline(always)]
    fn prefetch(soon: &[u16]) {
        V::prefetch(soon);
    }

    #[inline(always)]
    fn nearest_point<const N: usize>(x: &[f32; N], weights: &[f32; N], values: &[f32; 8], near: &[u16]) -> u16 {
        V::nearest_point(x, weights, values, near)
    }

    #[inline(always)]
    fn packed(points: &[u16]) -> Self {
        each!([V::splat(0.0); G], g => V::packed(&points[g * V::COUNT..]))
    }

    #[inline(always)]
    fn of_coordinate<const N: usize>(self, i: usize, table: &[f32; 8]) -> Self {
        each!(self.0, g => self.0[g].of_coordinate::<N>(i, table))
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        each!(yes.0, g => V::select(mask.0[g], yes.0[g], no.0[g]))
    }
}

impl<M: Mask, const G: usize> Mask for Beside<M, G> {
    const COUNT: usize = M::COUNT * G;

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        each!(self.0, g => self.0[g].and(other.0[g]))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        each!(self.0, g => self.0[g].or(other.0[g]))
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        each!(self.0, g => self.0[g].without(other.0[g]))
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        let mut bits = 0;
        for g in 0..G {
            bits |= self.0[g].bits() << (g * M::COUNT);
        }
        bits
    }

    #[inline(always)]
    fn any(self) -> bool {
        let mut all = self.0[0];
        for g in 1..G {
            all = all.or(self.0[g]);
        }
        all.any()
    }
}
