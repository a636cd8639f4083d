//! Products of matrices: in tile registers where the processor has them, else the library's in vectors.
//!
//! What rounding adds up (errors that are passed on, the sizes of outputs) is far less certain than 16 bits, so it gets no more
//! in tiles; the factor of a Gram matrix, which small eigenvalues decide, gets single precision everywhere.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Precision, Right, Start, Tiles, add_product, product};
use std::cell::RefCell;

/// Multiplications of a product from which on cutting numbers into pieces pays.
pub(crate) const WORTH_IT: usize = 1 << 16;

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
    let work = out.nrows() * out.ncols() * a.ncols();
    let Some(tiles) = Tiles::lent().filter(|_| work >= WORTH_IT) else {
        return matmul(out, accum, a, b, 1.0, Par::Seq);
    };
    let (mut left, mut right) = FACTORS.take();
    left.fill(a, precision);
    right.fill(b, precision);
    match accum {
        Accum::Replace => product(tiles, &left, &right, Start::default(), out),
        Accum::Add => add_product(tiles, &left, &right, Start::default(), out),
    }
    if left.held_bytes() + right.held_bytes() <= KEPT {
        FACTORS.set((left, right));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                for (index, (found, start)) in added.iter().zip(&start).enumerate() {
                    assert!((found - start - written[index]).abs() < 4e-7 * depth as f32, "written and added");
                    let products = (0..depth).map(|k| f64::from(a[(index / columns, k)]) * f64::from(b[(k, index % columns)]));
                    let expected = f64::from(*start) + products.sum::<f64>();
                    assert!((f64::from(*found) - expected).abs() < most * depth as f64, "{found} {expected}");
                }
            }
        }
    }
}
