//! Products of matrices: in tile registers where the processor has them, else the library's in vectors.
//!
//! What rounding adds up (errors that are passed on, the sizes of outputs) is far less certain than 16 bits, so it gets no more
//! in tiles; the factor of a Gram matrix, which small eigenvalues decide, gets single precision everywhere.

use crate::workers::Steady;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Part, Precision, Right, Start, Tiles, add_product, product};
use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// Numbers of the left factor from which on cutting into pieces pays. Of the left one, because the right one's columns are rows of
/// weights: how many are worked on together must not decide how each is rounded.
const WORTH_IT: usize = 1 << 11;

/// Tiles, where there are any and a left factor of so many numbers is worth them.
fn tiles_for(left: usize) -> Option<Tiles> {
    Tiles::lent().filter(|_| left >= WORTH_IT)
}

/// Bytes of pieces that a thread keeps for the next product.
const KEPT: usize = 16 << 20;

thread_local! {
    static FACTORS: RefCell<(Left, Right)> = RefCell::default();
}

/// out = a b.
///
/// # Panics
/// If shapes do not fit, or numbers of a row of `out` do not lie beside each other.
pub(crate) fn write(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, precision: Precision) {
    multiply(out, a, b, precision, Accum::Replace);
}

/// out += a b.
///
/// # Panics
/// As [`write`].
pub(crate) fn add(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, precision: Precision) {
    multiply(out, a, b, precision, Accum::Add);
}

fn multiply(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, precision: Precision, accum: Accum) {
    assert_eq!((a.nrows(), a.ncols(), b.ncols()), (out.nrows(), b.nrows(), out.ncols()), "shapes of a product");
    let Some(tiles) = tiles_for(a.nrows() * a.ncols()) else {
        return matmul(out, accum, a, b, 1.0, Par::Seq);
    };
    let (mut left, mut right) = FACTORS.take();
    left.fill(a, precision);
    right.fill(b, precision);
    in_tiles(tiles, &left, &right, Start::default(), out, accum);
    keep(left, right);
}

fn in_tiles(tiles: Tiles, left: &Left, right: &Right, start: Start, out: MatMut<'_, f32>, accum: Accum) {
    match accum {
        Accum::Replace => product(tiles, left, right, start, out),
        Accum::Add => add_product(tiles, left, right, start, out),
    }
}

fn keep(left: Left, right: Right) {
    if left.held_bytes() + right.held_bytes() <= KEPT {
        FACTORS.set((left, right));
    }
}

/// A right factor of several products, cut into pieces once.
pub(crate) struct Shared<'a> {
    b: MatRef<'a, f32>,
    cut: Option<(Tiles, Right)>,
}

impl<'a> Shared<'a> {
    /// Cuts it, in the workers' threads, if left factors of so many numbers are worth it.
    pub(crate) fn of(b: MatRef<'a, f32>, left: usize, precision: Precision, workers: &Steady<'_>) -> Shared<'a> {
        let cut = tiles_for(left).map(|tiles| {
            let mut right = Right::default();
            let parts: Vec<Mutex<Option<Part>>> =
                right.parts(b, precision).into_iter().map(|part| Mutex::new(Some(part))).collect();
            workers.each(parts.len(), &|number| {
                let part = parts[number].lock().unwrap_or_else(PoisonError::into_inner).take();
                part.into_iter().for_each(Part::fill);
            });
            drop(parts);
            (tiles, right)
        });
        Shared { b, cut }
    }

    /// out += a b, with as many columns of b as `out` has.
    pub(crate) fn add(&self, out: MatMut<'_, f32>, a: MatRef<'_, f32>) {
        self.multiply(out, a, 0, Accum::Add);
    }

    /// out = a b, with as many rows of b as `a` has columns, from `first` on, a multiple of 32.
    pub(crate) fn write(&self, out: MatMut<'_, f32>, a: MatRef<'_, f32>, first: usize) {
        self.multiply(out, a, first, Accum::Replace);
    }

    fn multiply(&self, out: MatMut<'_, f32>, a: MatRef<'_, f32>, first: usize, accum: Accum) {
        let Some((tiles, right)) = &self.cut else {
            let b = self.b.submatrix(first, 0, a.ncols(), out.ncols());
            return matmul(out, accum, a, b, 1.0, Par::Seq);
        };
        let (mut left, other) = FACTORS.take();
        left.fill(a, right.precision());
        in_tiles(*tiles, &left, right, Start { step: first / Left::STEP, ..Start::default() }, out, accum);
        keep(left, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Alone;

    #[test]
    fn in_tiles_as_in_vectors() {
        let number = |seed: usize| ((seed * 2_654_435_761) % 1009) as f32 / 504.5 - 1.0;
        let numbers = |count: usize, seed: usize| (0..count).map(|i| number(i + seed)).collect::<Vec<f32>>();
        for (rows, depth, columns) in [(3, 5, 7), (100, 128, 64), (257, 130, 256)] {
            let (a, b, start) = (numbers(rows * depth, 1), numbers(depth * columns, 2), numbers(rows * columns, 3));
            let a = MatRef::from_row_major_slice(&a, rows, depth);
            let b = MatRef::from_row_major_slice(&b, depth, columns);
            for (precision, most) in [(Precision::Bits24, 4e-7), (Precision::Bits16, 4e-5)] {
                let (mut added, mut written) = (start.clone(), start.clone());
                add(MatMut::from_row_major_slice_mut(&mut added, rows, columns), a, b, precision);
                write(MatMut::from_row_major_slice_mut(&mut written, rows, columns), a, b, precision);
                let mut shared = start.clone();
                let steady = Steady::new(&Alone);
                Shared::of(b, rows * depth, precision, &steady)
                    .add(MatMut::from_row_major_slice_mut(&mut shared, rows, columns), a);
                assert!(shared.iter().zip(&added).all(|(a, b)| (a - b).abs() < most * depth as f32), "shared or not");
                for (index, (found, start)) in added.iter().zip(&start).enumerate() {
                    assert!((found - start - written[index]).abs() < 4e-7 * depth as f32, "written and added");
                    let products =
                        (0..depth).map(|k| f64::from(a[(index / columns, k)]) * f64::from(b[(k, index % columns)]));
                    let expected = f64::from(*start) + products.sum::<f64>();
                    assert!(
                        (f64::from(*found) - expected).abs() < f64::from(most) * depth as f64,
                        "{found} {expected}"
                    );
                }
            }
        }
    }
}
