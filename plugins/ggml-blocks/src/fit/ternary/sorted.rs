//! Groups sorted by counting: the place of a weight is the number of weights that come before it.

use crate::lanes::{GROUPS, Lanes, Mask};

/// Sixteen groups of `W` weights in rising order, each of `P` equal parts of a group apart.
pub(super) struct Sorted<const W: usize, const P: usize> {
    /// The place of each weight in its group.
    pub(super) ranks: [[u8; W]; GROUPS],
    /// Importance times weight, and importance, by place; zeros in the places that other parts take.
    pub(super) products: [[[f32; W]; GROUPS]; P],
    pub(super) weights: [[[f32; W]; GROUPS]; P],
    /// A bit per group that has a weight of some magnitude.
    pub(super) something: u32,
}

impl<const W: usize, const P: usize> Sorted<W, P> {
    /// Groups with NaN get places that are no order; they are below `W` all the same.
    #[inline(always)]
    pub(super) fn new<V: Lanes>(nothing: f32, x: &[[f32; W]; GROUPS], weights: &[[f32; W]; GROUPS]) -> Self {
        let (places, something) = places::<V, W>(nothing, x);
        let mut sorted = Sorted {
            ranks: [[0; W]; GROUPS],
            products: [[[0.0; W]; GROUPS]; P],
            weights: [[[0.0; W]; GROUPS]; P],
            something,
        };
        for g in 0..GROUPS {
            for i in 0..W {
                let place = usize::from(places[i][g]) % W;
                sorted.ranks[g][i] = place as u8;
                sorted.products[i * P / W][g][place] = weights[g][i] * x[g][i];
                sorted.weights[i * P / W][g][place] = weights[g][i];
            }
        }
        sorted
    }
}

/// The places of weight `i` of every group, and the groups that have a weight of at least the magnitude `nothing`. Of
/// equal weights the first comes first.
#[inline(always)]
fn places<V: Lanes, const W: usize>(nothing: f32, x: &[[f32; W]; GROUPS]) -> ([[u8; GROUPS]; W], u32) {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let (mut places, mut something) = ([[0; GROUPS]; W], 0);
    for at in (0..GROUPS).step_by(V::COUNT) {
        let x: [V; W] = V::columns(&x[at..]);
        let mut magnitude = zero;
        for i in 0..W {
            magnitude = magnitude.max(x[i].abs());
            let mut before = zero;
            for j in 0..i {
                before = before + V::select(x[j].le(x[i]), one, zero);
            }
            for j in i + 1..W {
                before = before + V::select(x[i].gt(x[j]), one, zero);
            }
            before.store_bytes(&mut places[i][at..]);
        }
        something |= (V::splat(nothing).gt(magnitude).bits() ^ u32::MAX >> (32 - V::COUNT)) << at;
    }
    (places, something)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Beside;

    #[test]
    fn places_are_those_of_a_stable_sort() {
        let mut seed = 1u32;
        let x: [[f32; 32]; GROUPS] = core::array::from_fn(|g| {
            core::array::from_fn(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Few values, so that many are equal; zeros of both signs.
                ((seed >> 16) % (g as u32 + 1)) as f32 * if seed >> 8 & 1 == 0 { 1.0 } else { -1.0 }
            })
        });
        let weights = core::array::from_fn(|_| core::array::from_fn(|i| 1.0 + i as f32));
        let sorted = Sorted::<32, 2>::new::<Beside<f32, 8>>(1.0, &x, &weights);
        for g in 0..GROUPS {
            let mut order: [usize; 32] = core::array::from_fn(|i| i);
            order.sort_by(|&a, &b| x[g][a].partial_cmp(&x[g][b]).unwrap());
            for (place, i) in order.into_iter().enumerate() {
                assert_eq!(usize::from(sorted.ranks[g][i]), place);
                let part = i / 16;
                assert_eq!(sorted.weights[part][g][place], weights[g][i]);
                assert_eq!(sorted.products[part][g][place], weights[g][i] * x[g][i]);
                assert_eq!((sorted.weights[1 - part][g][place], sorted.products[1 - part][g][place]), (0.0, 0.0));
            }
        }
    }

    #[test]
    fn nan_leaves_all_places_in_range() {
        let mut x = [[1.0; 16]; GROUPS];
        (x[3][4], x[3][9], x[5]) = (f32::NAN, -f32::NAN, [f32::NAN; 16]);
        let sorted = Sorted::<16, 1>::new::<f32>(0.0, &x, &[[1.0; 16]; GROUPS]);
        assert!(sorted.ranks.as_flattened().iter().all(|&place| place < 16));
    }
}
