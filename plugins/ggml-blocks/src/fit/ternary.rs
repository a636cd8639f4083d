//! Scale of a group whose weights become one of three values, each value 1/8 above or below -1, 0 and 1.
//!
//! Sorted weights are cut in two places; weights below the first cut become the lowest value, those above the second
//! the highest. All cuts and shifts are tried, in the order first cut, second cut, shift; the largest
//! sum(w q x)^2 / sum(w q q) wins, a later one only if strictly larger. Equal weights keep their order, which decides
//! bytes: the reference's library sort (glibc's, until 2.36) is stable.

use crate::codebook::{Codebook, Found};
use crate::lanes::{GROUPS, Lanes, Mask};

/// How far the values are shifted.
pub(crate) const SHIFT: f32 = 0.125;
/// The three values shifted up, and shifted down.
pub(crate) const UP: [f32; 3] = [-1.0 + SHIFT, SHIFT, 1.0 + SHIFT];
pub(crate) const DOWN: [f32; 3] = [-1.0 - SHIFT, -SHIFT, 1.0 - SHIFT];

/// Scale, coordinates 0..=2 and the number of the shift.
pub(crate) struct Fit<const W: usize> {
    pub(crate) scale: f32,
    pub(crate) coordinates: [u8; W],
    pub(crate) shift: usize,
}

struct Cut {
    scale: f32,
    first: usize,
    second: usize,
    shift: usize,
}

/// The positions of a group's weights from the lowest to the highest. NaN comes last.
fn sorted<const W: usize>(x: &[f32; W]) -> [usize; W] {
    let mut order = core::array::from_fn(|i| i);
    order
        .sort_by(|&a: &usize, &b: &usize| x[a].partial_cmp(&x[b]).unwrap_or_else(|| x[a].is_nan().cmp(&x[b].is_nan())));
    order
}

fn assign<const W: usize>(order: &[usize; W], cut: &Cut) -> Fit<W> {
    let mut coordinates = [0; W];
    for (rank, &i) in order.iter().enumerate() {
        coordinates[i] = u8::from(rank >= cut.first) + u8::from(rank >= cut.second);
    }
    Fit { scale: cut.scale, coordinates, shift: cut.shift }
}

/// Sums of the first 0..=32 weights, and room for the lanes beyond.
const SUMS: usize = 33 + GROUPS;

/// Whether any of the cuts with this first place and a second one in the lanes from `stretch` on beats `best`. Lanes
/// beyond the last place may say so in vain.
#[inline(always)]
fn any_better<V: Lanes>(sum_x: &[f32; SUMS], sum_w: &[f32; SUMS], first: usize, stretch: usize, best: f32) -> bool {
    let (x, w) = (V::load(&sum_x[stretch..]), V::load(&sum_w[stretch..]));
    let px = [V::splat(sum_x[first] - sum_x[0]), x - V::splat(sum_x[first]), V::splat(sum_x[32]) - x];
    let pw = [V::splat(sum_w[first] - sum_w[0]), w - V::splat(sum_w[first]), V::splat(sum_w[32]) - w];
    let mut any = false;
    for q in [UP, DOWN] {
        let q = [V::splat(q[0]), V::splat(q[1]), V::splat(q[2])];
        let sum_qx = px[0] * q[0] + px[1] * q[1] + px[2] * q[2];
        let sum_qq = pw[0] * q[0] * q[0] + pw[1] * q[1] * q[1] + pw[2] * q[2] * q[2];
        any |= sum_qq.gt(V::splat(0.0)).and((sum_qx * sum_qx).gt(V::splat(best) * sum_qq)).any();
    }
    any
}

/// One shift for all 32: 0 is up, 1 is down. Nothing if no cut is better than nothing.
#[inline(always)]
pub(crate) fn fit_whole<V: Lanes>(x: &[f32; 32], weights: &[f32; 32]) -> Option<Fit<32>> {
    let order = sorted(x);
    let (mut sum_x, mut sum_w) = ([0.0; SUMS], [0.0; SUMS]);
    for (j, &i) in order.iter().enumerate() {
        sum_x[j + 1] = sum_x[j] + weights[i] * x[i];
        sum_w[j + 1] = sum_w[j] + weights[i];
    }
    let mut best = -f32::MAX;
    let mut kept = None;
    for first in 0..=32 {
        // What is skipped could not have been kept: no cut of the stretch is better than the best before it.
        for stretch in (first..=32).step_by(V::COUNT) {
            if !any_better::<V>(&sum_x, &sum_w, first, stretch, best) {
                continue;
            }
            for second in stretch..33.min(stretch + V::COUNT) {
                let parts =
                    |sums: &[f32; SUMS]| [sums[first] - sums[0], sums[second] - sums[first], sums[32] - sums[second]];
                let (px, pw) = (parts(&sum_x), parts(&sum_w));
                for (shift, q) in [UP, DOWN].into_iter().enumerate() {
                    let sum_qx = px[0] * q[0] + px[1] * q[1] + px[2] * q[2];
                    let sum_qq = pw[0] * q[0] * q[0] + pw[1] * q[1] * q[1] + pw[2] * q[2] * q[2];
                    if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
                        let scale = sum_qx / sum_qq;
                        best = scale * sum_qx;
                        kept = Some(Cut { scale, first, second, shift });
                    }
                }
            }
        }
    }
    kept.map(|cut| assign(&order, &cut))
}

/// What the three values `high - 2`, `high - 1`, `high` of one half add up to, from sums up to each cut.
///
/// Every weight counts as the highest value, less one for each cut that it lies below. This is the form in which the
/// reference computes it, and the rounding of its sums decides between cuts that are equally good.
struct Half {
    /// Sums of weight times x, and of weights, over the half's members among the first `n` of the sorted group.
    products: [f32; HALF_SUMS],
    weights: [f32; HALF_SUMS],
}

/// Sums of the first 0..=16 weights, and room for the lanes beyond.
const HALF_SUMS: usize = 17 + GROUPS;

impl Half {
    fn new(order: &[usize; 16], members: core::ops::Range<usize>, x: &[f32; 16], weights: &[f32; 16]) -> Half {
        let mut half = Half { products: [0.0; HALF_SUMS], weights: [0.0; HALF_SUMS] };
        for (rank, i) in order.iter().enumerate() {
            let (mut product, mut weight) = (half.products[rank], half.weights[rank]);
            if members.contains(i) {
                product += weights[*i] * x[*i];
                weight += weights[*i];
            }
            (half.products[rank + 1], half.weights[rank + 1]) = (product, weight);
        }
        half
    }

    /// sum(w q x) and sum(w q q) with `values`, a first cut, and the second cuts from `second` on.
    #[inline(always)]
    fn sums<V: Lanes>(&self, values: [f32; 3], first: usize, second: usize) -> (V, V) {
        let [low, middle, high] = values;
        let below = V::splat(self.products[first]) + V::load(&self.products[second..]);
        let squares = V::splat(self.weights[16] * high * high + self.weights[first] * (low * low - middle * middle))
            + V::load(&self.weights[second..]) * V::splat(middle * middle - high * high);
        (V::splat(self.products[16] * high) - below, squares)
    }
}

/// The sums of a half with values shifted up, and shifted down.
#[inline(always)]
fn shifted<V: Lanes>(half: &Half, first: usize, second: usize) -> [(V, V); 2] {
    [half.sums::<V>(UP, first, second), half.sums::<V>(DOWN, first, second)]
}

/// As `any_better`, for the four shifts of two halves.
#[inline(always)]
fn any_half_better<V: Lanes>(halves: &[Half; 2], first: usize, stretch: usize, best: f32) -> bool {
    let (left, right) = (shifted::<V>(&halves[0], first, stretch), shifted::<V>(&halves[1], first, stretch));
    let mut any = false;
    for shift in 0..4 {
        let (left, right) = (left[shift / 2], right[shift % 2]);
        let (sum_qx, sum_qq) = (left.0 + right.0, left.1 + right.1);
        any |= sum_qq.gt(V::splat(0.0)).and((sum_qx * sum_qx).gt(V::splat(best) * sum_qq)).any();
    }
    any
}

/// A shift for each eight of 16: 0 is up and up, 1 up and down, 2 down and up, 3 down and down. Nothing if no cut is
/// better than nothing.
#[inline(always)]
pub(crate) fn fit_halves<V: Lanes>(x: &[f32; 16], weights: &[f32; 16]) -> Option<Fit<16>> {
    let order = sorted(x);
    let halves = [0..8, 8..16].map(|members| Half::new(&order, members, x, weights));
    let mut best = -f32::MAX;
    let mut kept = None;
    for first in 0..=16 {
        for stretch in (first..=16).step_by(V::COUNT) {
            if !any_half_better::<V>(&halves, first, stretch, best) {
                continue;
            }
            for second in stretch..17.min(stretch + V::COUNT) {
                let (left, right) =
                    (shifted::<f32>(&halves[0], first, second), shifted::<f32>(&halves[1], first, second));
                for shift in 0..4 {
                    let (left, right) = (left[shift / 2], right[shift % 2]);
                    let (sum_qx, sum_qq) = (left.0 + right.0, left.1 + right.1);
                    if sum_qq > 0.0 && sum_qx * sum_qx > best * sum_qq {
                        let scale = sum_qx / sum_qq;
                        best = scale * sum_qx;
                        kept = Some(Cut { scale, first, second, shift });
                    }
                }
            }
        }
    }
    kept.map(|cut| assign(&order, &cut))
}

/// Moves eights that are no points of the book to the near point of least error; `values` of each eight. Returns the
/// indices of the points. If any had to be moved, the scale is fitted anew.
#[inline(always)]
pub(crate) fn settle<V: Lanes, const W: usize, const E: usize>(
    book: &Codebook<8>,
    x: &[f32; W],
    weights: &[f32; W],
    values: &[[f32; 3]; E],
    fit: &mut Fit<W>,
) -> [u16; E] {
    let (x, weights) = (x.as_chunks::<8>().0, weights.as_chunks::<8>().0);
    let mut moved = false;
    let mut places = [0; E];
    for k in 0..E {
        places[k] = Codebook::pack(&fit.coordinates.as_chunks::<8>().0[k]);
        let Found::Near(near) = book.find(places[k]) else { continue };
        moved = true;
        let mut table = [0.0; 8];
        for (c, value) in values[k].into_iter().enumerate() {
            (table[c], table[c + 4]) = (fit.scale * value, fit.scale * value);
        }
        places[k] = V::nearest_point(&x[k], &weights[k], &table, near);
    }
    if moved {
        let (mut sum_qx, mut sum_qq) = (0.0, 0.0);
        for k in 0..E {
            let point = Codebook::<8>::coordinates(places[k]);
            for i in 0..8 {
                let q = values[k][usize::from(point[i] % 3)];
                sum_qx += weights[k][i] * q * x[k][i];
                sum_qq += weights[k][i] * q * q;
            }
        }
        if sum_qx > 0.0 && sum_qq > 0.0 {
            fit.scale = sum_qx / sum_qq;
        }
    }
    places.map(|place| book.index(place))
}
