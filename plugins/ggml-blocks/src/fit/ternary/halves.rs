//! A shift for each half of a group of 16 weights, which are sorted together.

use super::estimate::{Parts, Start};
use super::search::{Cuts, search};
use super::sorted::Sorted;
use super::{DOWN, Fit, UP};
use crate::lanes::{GROUPS, Lanes};

/// Weights of a group.
const WEIGHTS: usize = 16;
/// Places to cut.
const CUTS: usize = WEIGHTS + 1;
/// Sums below each cut, and room for the lanes beyond.
const SUMS: usize = CUTS + GROUPS;
/// The shifts of the left and the right half.
const SHIFTS: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/// Sums over one half's members among the sorted weights below each cut.
///
/// Every weight counts as the highest value, less one for each cut that it lies below. This is the form in which the
/// reference computes sum(w q x) and sum(w q q), and the rounding of its sums decides between cuts that are equally good.
struct Half {
    products: [f32; SUMS],
    weights: [f32; SUMS],
}

impl Half {
    /// From sorted products and weights in which the other half's are zeros.
    fn new(products: &[f32; WEIGHTS], weights: &[f32; WEIGHTS]) -> Half {
        let mut half = Half { products: [0.0; SUMS], weights: [0.0; SUMS] };
        for i in 0..WEIGHTS {
            half.products[i + 1] = half.products[i] + products[i];
            half.weights[i + 1] = half.weights[i] + weights[i];
        }
        half
    }

    /// sum(w q x) and sum(w q q) with each shift, for a first cut and the second cuts from `second` on.
    #[inline(always)]
    fn cut<V: Lanes>(&self, first: usize, second: usize) -> [(V, V); 2] {
        let below = V::splat(self.products[first]) + V::load(&self.products[second..]);
        let weights = V::load(&self.weights[second..]);
        let mut sums = [(below, weights); 2];
        for (sums, [low, middle, high]) in sums.iter_mut().zip([UP, DOWN]) {
            sums.0 = V::splat(self.products[WEIGHTS] * high) - below;
            let squares = self.weights[WEIGHTS] * high * high + self.weights[first] * (low * low - middle * middle);
            sums.1 = V::splat(squares) + weights * V::splat(middle * middle - high * high);
        }
        sums
    }
}

/// The sums of both halves with each pair of shifts.
impl Cuts<4> for [Half; 2] {
    #[inline(always)]
    fn cut<V: Lanes>(&self, first: usize, second: usize) -> [(V, V); 4] {
        let (left, right) = (self[0].cut::<V>(first, second), self[1].cut::<V>(first, second));
        let mut sums = [left[0]; 4];
        for (sums, [l, r]) in sums.iter_mut().zip(SHIFTS) {
            *sums = (left[l].0 + right[r].0, left[l].1 + right[r].1);
        }
        sums
    }
}

/// Scale, coordinates and shift (0 is up and up, 1 up and down, 2 down and up, 3 down and down) of sixteen groups.
/// Nothing for groups without a weight of at least the magnitude `nothing`, and where no cut is better than nothing.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes>(
    nothing: f32,
    x: &[[f32; WEIGHTS]; GROUPS],
    weights: &[[f32; WEIGHTS]; GROUPS],
) -> [Option<Fit<WEIGHTS>>; GROUPS] {
    let sorted = Sorted::<WEIGHTS, 2>::new::<V>(nothing, x, weights);
    let mut start = Start::<CUTS>::NONE;
    for at in (0..GROUPS).step_by(V::COUNT) {
        let products = [V::columns(&sorted.products[0][at..]), V::columns(&sorted.products[1][at..])];
        let weights = [V::columns(&sorted.weights[0][at..]), V::columns(&sorted.weights[1][at..])];
        start.fill(at, &parts::<V>(&products, &weights));
    }
    let mut fits = [const { None }; GROUPS];
    for g in 0..GROUPS {
        if sorted.something & 1 << g != 0 {
            let half = |k: usize| Half::new(&sorted.products[k][g], &sorted.weights[k][g]);
            fits[g] = search::<V, _, _>(&[half(0), half(1)], &start, g).map(|cut| cut.assign(&sorted.ranks[g], 3));
        }
    }
    fits
}

/// What the estimates need, from sorted columns of both halves.
#[inline(always)]
fn parts<V: Lanes>(products: &[[V; WEIGHTS]; 2], weights: &[[V; WEIGHTS]; 2]) -> Parts<V, CUTS, 4> {
    let zero = V::splat(0.0);
    let (mut below, mut weight) = ([[zero; CUTS]; 2], [[zero; CUTS]; 2]);
    for half in 0..2 {
        for i in 0..WEIGHTS {
            below[half][i + 1] = below[half][i] + products[half][i];
            weight[half][i + 1] = weight[half][i] + weights[half][i];
        }
    }
    let mut all = [zero; CUTS];
    for cut in 0..CUTS {
        all[cut] = below[0][cut] + below[1][cut];
    }
    let (mut highest, mut first, mut second) = ([zero; 4], [[zero; 4]; CUTS], [[zero; 4]; CUTS]);
    for shift in 0..4 {
        let mut most = zero;
        for half in 0..2 {
            let [low, middle, high] = [UP, DOWN][SHIFTS[shift][half]];
            highest[shift] = highest[shift] + below[half][WEIGHTS] * V::splat(high);
            most = most + weight[half][WEIGHTS] * V::splat(high * high);
            for cut in 0..CUTS {
                let weight = weight[half][cut];
                first[cut][shift] = first[cut][shift] + weight * V::splat(low * low - middle * middle);
                second[cut][shift] = second[cut][shift] + weight * V::splat(middle * middle - high * high);
            }
        }
        for cut in 0..CUTS {
            first[cut][shift] = first[cut][shift] + most;
        }
    }
    Parts { products: all, highest, first, second, weight: weight[0][WEIGHTS] + weight[1][WEIGHTS] }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{everywhere, random_groups};
    use super::*;
    use crate::lanes::Beside;

    #[test]
    fn the_search_that_is_led_ends_where_the_whole_one_does() {
        random_groups::<WEIGHTS>(|x, weights| {
            let fits = fit_groups::<Beside<f32, 8>>(0.0, x, weights);
            let sorted = Sorted::<WEIGHTS, 2>::new::<f32>(0.0, x, weights);
            for (g, fit) in fits.iter().enumerate() {
                let half = |k: usize| Half::new(&sorted.products[k][g], &sorted.weights[k][g]);
                let whole = search::<f32, CUTS, _>(&[half(0), half(1)], &everywhere(), g);
                let whole = whole.map(|cut| cut.assign(&sorted.ranks[g], 3));
                assert_eq!(*fit, whole, "{:?} {:?}", x[g], weights[g]);
            }
        });
    }
}
