//! The quadratic form that everything here makes small.

use crate::lanes::{LANES, Line, widest};
use crate::products::Shared;
use crate::round::{Panel, turned};
use crate::workers::{Alone, Steady};
use faer::{MatMut, MatRef};
use llmq_tiles::Precision;

/// Columns of a tile.
const TILE: usize = 256;

/// tr(W G W^T) of rows of `columns` weights: their squared output over all tokens. G is symmetric, so only its upper triangle
/// is multiplied.
///
/// # Panics
/// If `weights` are not whole rows, or `gram` is not `[columns, columns]`.
pub fn size(weights: &[f32], gram: &[f32], columns: usize) -> f64 {
    let of_panel = |weights| size_of_lines(&turned(weights, columns), gram, columns, &|| false).unwrap_or_default();
    Panel::chunks(weights, columns).map(of_panel).sum()
}

/// The same of rows that stand side by side, a run of lines for each column; `None` if it was stopped.
pub(crate) fn size_of_lines(lines: &[Line], gram: &[f32], columns: usize, stop: &dyn Fn() -> bool) -> Option<f64> {
    let stacks = lines.len() / columns;
    let rows = stacks * LANES;
    let w = MatRef::from_row_major_slice(lines.as_flattened(), columns, rows);
    let g = MatRef::from_row_major_slice(gram, columns, columns);
    // Weights are on the right, where numbers that are bf16 already take one piece.
    let w = Shared::of(w, columns * columns, Precision::Bits16, &Steady::new(&Alone));
    let (mut sum, mut product) = (0.0, Vec::new());
    for start in (0..columns).step_by(TILE) {
        if stop() {
            return None;
        }
        let width = TILE.min(columns - start);
        product.resize(width * rows, 0.0f32);
        // Rows of G, which is symmetric, lie in one piece each: its columns took twice as long. What stands before the
        // diagonal counts twice.
        for (places, counts) in [(0..start, 2.0), (start..start + width, 1.0)] {
            if places.is_empty() {
                continue;
            }
            let of_gram = g.submatrix(start, places.start, width, places.len());
            let out = MatMut::from_row_major_slice_mut(&mut product, width, rows);
            w.write(out, of_gram, places.start);
            sum += counts * dot(&product, lines[start * stacks..(start + width) * stacks].as_flattened());
        }
    }
    Some(sum)
}

/// The sum of the products of numbers.
fn dot(numbers: &[f32], others: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    widest(
        #[inline(always)]
        || {
            for (block, other) in numbers.as_chunks::<LANES>().0.iter().zip(others.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    lanes[lane] += f64::from(block[lane]) * f64::from(other[lane]);
                }
            }
        },
    );
    lanes.iter().sum()
}
