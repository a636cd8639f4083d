//! The quadratic form that everything here makes small.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Columns of a tile.
const TILE: usize = 256;

/// tr(W G W^T) of rows of `columns` weights: their squared output over all tokens. G is symmetric, so only its upper triangle
/// is multiplied.
///
/// # Panics
/// If `weights` are not whole rows, or `gram` is not `[columns, columns]`.
pub fn size(weights: &[f32], gram: &[f32], columns: usize) -> f64 {
    size_unless(weights, gram, columns, &|| false).unwrap_or_default()
}

/// The same; `None` if it was stopped.
pub(crate) fn size_unless(weights: &[f32], gram: &[f32], columns: usize, stop: &dyn Fn() -> bool) -> Option<f64> {
    let rows = weights.len() / columns;
    let w = MatRef::from_row_major_slice(weights, rows, columns);
    let g = MatRef::from_row_major_slice(gram, columns, columns);
    let mut sum = 0.0;
    for start in (0..columns).step_by(TILE) {
        if stop() {
            return None;
        }
        let width = TILE.min(columns - start);
        // Rows of G, which is symmetric, lie in one piece each: its columns took twice as long.
        let (before, here) = (g.submatrix(start, 0, width, start), g.submatrix(start, start, width, width));
        let mut product = Mat::<f32>::zeros(width, rows);
        matmul(product.as_mut(), Accum::Replace, before, w.subcols(0, start).transpose(), 2.0, Par::Seq);
        matmul(product.as_mut(), Accum::Add, here, w.subcols(start, width).transpose(), 1.0, Par::Seq);
        for row in 0..rows {
            for column in 0..width {
                sum += f64::from(product[(column, row)]) * f64::from(w[(row, start + column)]);
            }
        }
    }
    Some(sum)
}
