//! The errors of near points as straight lines, from two sums per point.
//!
//! The error sum(w (s q - x)^2) of a point, less what all points share and divided by the scale s, is a line in s:
//! s * sum(w q q) - sum(2 w x q). The lowest line belongs to the point of least error, so two sums serve all tries.

use super::{odds, small};
use crate::codebook::{EIGHT, MOST_RIVALS};
use crate::lanes::{Lanes, SHORT};

/// Lines that are looked at between two branches.
const BETWEEN: usize = 4;
/// Lane numbers.
pub(super) const NUMBERS: [f32; SHORT] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// What the weights of a group add to lines, and the lines of the points near one place.
pub(super) struct Lines<const W: usize> {
    /// w q q of each weight with each of its values.
    squares: [[f32; 8]; W],
    /// 2 w x q of each weight with each of its values.
    products: [[f32; 8]; W],
    rises: [f32; MOST_RIVALS],
    falls: [f32; MOST_RIVALS],
    /// Packed, as bits.
    points: [f32; MOST_RIVALS],
}

impl<const W: usize> Lines<W> {
    pub(super) const fn new() -> Self {
        Lines {
            squares: [[0.0; 8]; W],
            products: [[0.0; 8]; W],
            rises: [0.0; MOST_RIVALS],
            falls: [0.0; MOST_RIVALS],
            points: [0.0; MOST_RIVALS],
        }
    }

    /// Takes in a group: weights, and what each counts in an error.
    #[inline(always)]
    pub(super) fn set_group<S: Lanes, const N: usize>(&mut self, x: &[f32; W], roots: &[f32; W]) {
        for c in (0..8).step_by(S::COUNT) {
            let q = S::load(&const { odds::<N>() }[c..]);
            for i in 0..W {
                (S::splat(roots[i]) * q * q).store(&mut self.squares[i][c..]);
                (S::splat(2.0 * roots[i] * x[i]) * q).store(&mut self.products[i][c..]);
            }
        }
    }

    /// Computes the lines of `count` points of small group `e`. What fills eights lies above them all.
    #[inline(always)]
    pub(super) fn draw<S: Lanes, const N: usize>(&mut self, e: usize, rivals: &[[u16; EIGHT]], count: usize) {
        let squares = small::<_, N, W>(&self.squares, e);
        let products = small::<_, N, W>(&self.products, e);
        for (k, rivals) in rivals.iter().enumerate() {
            for c in (0..EIGHT).step_by(S::COUNT) {
                let at = EIGHT * k + c;
                let points = S::packed(&rivals[c..]);
                let (mut rise, mut fall) = (S::splat(0.0), S::splat(0.0));
                for i in 0..N {
                    rise = rise + points.of_coordinate::<N>(i, &squares[i]);
                    fall = fall + points.of_coordinate::<N>(i, &products[i]);
                }
                rise.store(&mut self.rises[at..]);
                let real = S::splat(count as f32 - at as f32).gt(S::load(&NUMBERS));
                S::select(real, fall, S::splat(-f32::MAX)).store(&mut self.falls[at..]);
                points.store(&mut self.points[at..]);
            }
        }
    }

    /// The lowest of `count` lines at each scale: the packed point it belongs to, and how far it lies below the next.
    #[inline(always)]
    pub(super) fn lowest<S: Lanes>(&self, scale: S, count: usize) -> (S, S) {
        let (mut lowest, mut next, mut winner) = (S::splat(f32::MAX), S::splat(f32::MAX), S::splat(0.0));
        let some = count.div_ceil(BETWEEN);
        let lines =
            self.rises.as_chunks::<BETWEEN>().0[..some].iter().zip(&self.falls.as_chunks::<BETWEEN>().0[..some]);
        for ((rises, falls), points) in lines.zip(&self.points.as_chunks::<BETWEEN>().0[..some]) {
            for c in 0..BETWEEN {
                let line = scale * S::splat(rises[c]) - S::splat(falls[c]);
                winner = S::select(lowest.gt(line), S::splat(points[c]), winner);
                next = next.min(lowest.max(line));
                lowest = lowest.min(line);
            }
        }
        (winner, next - lowest)
    }
}
