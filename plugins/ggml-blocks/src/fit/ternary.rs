//! Scale of a group whose weights become one of three values, each value 1/8 above or below -1, 0 and 1.
//!
//! Sorted weights are cut in two places; weights below the first cut become the lowest value, those above the second
//! the highest. All cuts and shifts are tried, in the order first cut, second cut, shift; the largest
//! sum(w q x)^2 / sum(w q q) wins, a later one only if strictly larger. Equal weights keep their order, which decides
//! bytes: the reference's library sort (glibc's, until 2.36) is stable.
//!
//! Which of two equally good cuts wins hangs on the rounding of sums and on the order, so a search in another order
//! gives other bytes. But only cuts near the best can win: their ratios are estimated for sixteen groups side by side
//! ([`estimate`]), and the reference's search then visits what is near.

mod estimate;
pub(crate) mod halves;
mod search;
mod sorted;
pub(crate) mod whole;

use crate::codebook::{Codebook, Found};
use crate::lanes::{GROUPS, Lanes};

/// How far the values are shifted.
pub(crate) const SHIFT: f32 = 0.125;
/// The three values shifted up, and shifted down.
pub(crate) const UP: [f32; 3] = [-1.0 + SHIFT, SHIFT, 1.0 + SHIFT];
pub(crate) const DOWN: [f32; 3] = [-1.0 - SHIFT, -SHIFT, 1.0 - SHIFT];

/// Scale, coordinates 0..=2 and the number of the shift.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Fit<const W: usize> {
    pub(crate) scale: f32,
    pub(crate) coordinates: [u8; W],
    pub(crate) shift: usize,
}

/// The best cut so far.
struct Cut {
    scale: f32,
    first: usize,
    second: usize,
    shift: usize,
}

impl Cut {
    /// What the weights of these ranks become, with a positive scale. Under a negative one all values are meant with
    /// the other sign; shifts are numbered so that this turns them round, too, up to `last_shift`.
    #[inline(always)]
    fn assign<const W: usize>(&self, ranks: &[u8; W], last_shift: usize) -> Fit<W> {
        let (first, second) = (self.first as u8, self.second as u8);
        let coordinates = ranks.map(|rank| u8::from(rank >= first) + u8::from(rank >= second));
        if self.scale < 0.0 {
            let coordinates = coordinates.map(|c| 2 - c);
            return Fit { scale: -self.scale, coordinates, shift: last_shift - self.shift };
        }
        Fit { scale: self.scale, coordinates, shift: self.shift }
    }
}

/// The places of the eights of all groups; 0 for groups without a fit.
///
/// What the book says about them is asked for at once: its lists are larger than the nearest caches, and waiting for
/// one after the other took a fifth of the time.
#[inline(always)]
pub(crate) fn places<V: Lanes, const W: usize, const E: usize>(
    book: &Codebook<8>,
    fits: &[Option<Fit<W>>; GROUPS],
) -> [[u16; E]; GROUPS] {
    let mut places = [[0; E]; GROUPS];
    for (places, fit) in places.iter_mut().zip(fits) {
        let Some(fit) = fit else { continue };
        for (place, coordinates) in places.iter_mut().zip(fit.coordinates.as_chunks::<8>().0) {
            *place = Codebook::pack(coordinates);
            if let Found::Near(near) = book.find(*place) {
                V::prefetch(near);
            }
        }
    }
    places
}

/// Moves eights that are no points of the book to the near point of least error; `shifts` of each eight. Returns the
/// scale, fitted anew if any had to be moved.
#[inline(always)]
pub(crate) fn settle<V: Lanes, const W: usize, const E: usize>(
    book: &Codebook<8>,
    x: &[f32; W],
    weights: &[f32; W],
    shifts: &[f32; E],
    scale: f32,
    places: &mut [u16; E],
) -> f32 {
    let (eights, eights_weights) = (x.as_chunks::<8>().0, weights.as_chunks::<8>().0);
    let mut moved = false;
    for k in 0..E {
        let Found::Near(near) = book.find(places[k]) else { continue };
        moved = true;
        let values = [shifts[k] - 1.0, shifts[k], shifts[k] + 1.0, 0.0].map(|value| scale * value);
        let mut table = [0.0; 8];
        table[..4].copy_from_slice(&values);
        table[4..].copy_from_slice(&values);
        places[k] = V::nearest_point(&eights[k], &eights_weights[k], &table, near);
    }
    if !moved {
        return scale;
    }
    let mut terms = [[[0.0; 8]; 2]; E];
    for k in 0..E {
        terms[k] = self::terms(&eights[k], &eights_weights[k], places[k], shifts[k], 1.0);
    }
    let (qx, qq) = totals(&terms);
    if qx > 0.0 && qq > 0.0 { qx / qq } else { scale }
}

/// w q x and w q q of eight weights with the values of a point, multiplied.
#[inline(always)]
pub(crate) fn terms(x: &[f32; 8], weights: &[f32; 8], point: u16, shift: f32, times: f32) -> [[f32; 8]; 2] {
    let coordinates = Codebook::<8>::coordinates(point);
    let mut terms = [[0.0; 8]; 2];
    for i in 0..8 {
        let q = (i32::from(coordinates[i]) as f32 - 1.0 + shift) * times;
        (terms[0][i], terms[1][i]) = (weights[i] * q * x[i], weights[i] * q * q);
    }
    terms
}

/// The sums of both from first to last. Inlined, it would take each term out of a vector.
#[inline(never)]
pub(crate) fn totals(terms: &[[[f32; 8]; 2]]) -> (f32, f32) {
    let (mut qx, mut qq) = (0.0, 0.0);
    for [of_x, of_q] in terms {
        for i in 0..8 {
            qx += of_x[i];
            qq += of_q[i];
        }
    }
    (qx, qq)
}

#[cfg(test)]
mod tests {
    use super::estimate::Start;
    use super::*;

    /// No lead: all cuts of all groups are tried.
    pub(super) fn everywhere<const C: usize>() -> Start<C> {
        Start { best: [-f32::MAX; GROUPS], groups: [u32::MAX; C] }
    }

    /// Sixteen groups at a time of several kinds: smooth, few values, far from zero, near the ends of the range of floats.
    pub(super) fn random_groups<const W: usize>(mut see: impl FnMut(&[[f32; W]; GROUPS], &[[f32; W]; GROUPS])) {
        let mut seed = 7u64;
        let mut unit = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1 << 24) as f32
        };
        for round in 0..60 {
            let scale = 10f32.powi([0, 0, -3, -9, -16, 12, 17][round % 7]);
            let (mut x, mut weights) = ([[0.0; W]; GROUPS], [[0.0; W]; GROUPS]);
            for g in 0..GROUPS {
                for i in 0..W {
                    let sum = unit() + unit() + unit() + unit() - 2.0;
                    x[g][i] = scale
                        * match g % 5 {
                            0 | 1 => sum,
                            2 => (4.0 * sum).round() * 0.25,
                            3 => sum + 3.0,
                            _ => sum * sum * sum * sum * sum,
                        };
                    weights[g][i] = match g % 4 {
                        0 => 1.0,
                        1 => unit() * scale,
                        2 => 10f32.powi((unit() * 12.0) as i32 - 6),
                        _ => (unit() * 3.0).floor(),
                    };
                }
            }
            see(&x, &weights);
        }
    }

    #[test]
    fn a_negative_scale_turns_everything_round() {
        let cut = Cut { scale: -2.0, first: 1, second: 2, shift: 1 };
        let fit = cut.assign(&[0, 2, 1], 3);
        assert_eq!(fit, Fit { scale: 2.0, coordinates: [2, 0, 1], shift: 2 });
    }
}
