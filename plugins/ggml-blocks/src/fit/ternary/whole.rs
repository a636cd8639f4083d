//! One shift for all 32 weights of a group.

use super::estimate::{Parts, Start};
use super::search::{Cuts, search};
use super::sorted::Sorted;
use super::{DOWN, Fit, UP};
use crate::lanes::{GROUPS, Lanes};

/// Weights of a group.
const WEIGHTS: usize = 32;
/// Places to cut.
const CUTS: usize = WEIGHTS + 1;
/// Sums below each cut, and room for the lanes beyond.
const SUMS: usize = CUTS + GROUPS;

/// Sums over the sorted weights below each cut.
struct Sums {
    products: [f32; SUMS],
    weights: [f32; SUMS],
}

impl Sums {
    fn new(products: &[f32; WEIGHTS], weights: &[f32; WEIGHTS]) -> Sums {
        let mut sums = Sums { products: [0.0; SUMS], weights: [0.0; SUMS] };
        for i in 0..WEIGHTS {
            sums.products[i + 1] = sums.products[i] + products[i];
            sums.weights[i + 1] = sums.weights[i] + weights[i];
        }
        sums
    }
}

impl Cuts<2> for Sums {
    #[inline(always)]
    fn cut<V: Lanes>(&self, first: usize, second: usize) -> [(V, V); 2] {
        let (x, w) = (V::load(&self.products[second..]), V::load(&self.weights[second..]));
        let (x1, w1) = (V::splat(self.products[first]), V::splat(self.weights[first]));
        let px = [x1, x - x1, V::splat(self.products[WEIGHTS]) - x];
        let pw = [w1, w - w1, V::splat(self.weights[WEIGHTS]) - w];
        let mut sums = [(x, w); 2];
        for (sums, q) in sums.iter_mut().zip([UP, DOWN]) {
            let q = [V::splat(q[0]), V::splat(q[1]), V::splat(q[2])];
            sums.0 = px[0] * q[0] + px[1] * q[1] + px[2] * q[2];
            sums.1 = pw[0] * q[0] * q[0] + pw[1] * q[1] * q[1] + pw[2] * q[2] * q[2];
        }
        sums
    }
}

/// Scale, coordinates and shift (0 is up, 1 is down) of sixteen groups. Nothing for groups without a weight of at least
/// the magnitude `nothing`, and where no cut is better than nothing.
#[inline(always)]
pub(crate) fn fit_groups<V: Lanes>(
    nothing: f32,
    x: &[[f32; WEIGHTS]; GROUPS],
    weights: &[[f32; WEIGHTS]; GROUPS],
) -> [Option<Fit<WEIGHTS>>; GROUPS] {
    let sorted = Sorted::<WEIGHTS, 1>::new::<V>(nothing, x, weights);
    let mut start = Start::<CUTS>::NONE;
    for at in (0..GROUPS).step_by(V::COUNT) {
        start.fill(at, &parts::<V>(V::columns(&sorted.products[0][at..]), V::columns(&sorted.weights[0][at..])));
    }
    let mut fits = [const { None }; GROUPS];
    for g in 0..GROUPS {
        if sorted.something & 1 << g != 0 {
            let sums = Sums::new(&sorted.products[0][g], &sorted.weights[0][g]);
            fits[g] = search::<V, _, _>(&sums, &start, g).map(|cut| cut.assign(&sorted.ranks[g], 1));
        }
    }
    fits
}

/// What the estimates need, from sorted columns.
#[inline(always)]
fn parts<V: Lanes>(products: [V; WEIGHTS], weights: [V; WEIGHTS]) -> Parts<V, CUTS, 2> {
    let zero = V::splat(0.0);
    let (mut below, mut weight) = ([zero; CUTS], [zero; CUTS]);
    for i in 0..WEIGHTS {
        below[i + 1] = below[i] + products[i];
        weight[i + 1] = weight[i] + weights[i];
    }
    let (mut highest, mut first, mut second) = ([zero; 2], [[zero; 2]; CUTS], [[zero; 2]; CUTS]);
    for shift in 0..2 {
        let [low, middle, high] = [UP, DOWN][shift];
        highest[shift] = below[WEIGHTS] * V::splat(high);
        let all = weight[WEIGHTS] * V::splat(high * high);
        for cut in 0..CUTS {
            first[cut][shift] = all + weight[cut] * V::splat(low * low - middle * middle);
            second[cut][shift] = weight[cut] * V::splat(middle * middle - high * high);
        }
    }
    Parts { products: below, highest, first, second, weight: weight[WEIGHTS] }
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
            let sorted = Sorted::<WEIGHTS, 1>::new::<f32>(0.0, x, weights);
            for (g, fit) in fits.iter().enumerate() {
                let sums = Sums::new(&sorted.products[0][g], &sorted.weights[0][g]);
                let whole = search::<f32, CUTS, _>(&sums, &everywhere(), g).map(|cut| cut.assign(&sorted.ranks[g], 1));
                assert_eq!(*fit, whole, "{:?} {:?}", x[g], weights[g]);
            }
        });
    }

    #[test]
    fn groups_without_magnitude_have_no_fit() {
        let mut x = [[0.0; WEIGHTS]; GROUPS];
        x[3][7] = -1e-3;
        x[4][7] = 1e-5;
        let fits = fit_groups::<f32>(1e-4, &x, &[[1.0; WEIGHTS]; GROUPS]);
        assert!(fits.iter().enumerate().all(|(g, fit)| fit.is_some() == (g == 3)));
    }
}
