//! The quadratic form that everything here makes small.

use crate::lanes::{LANES, Line, widest};
use crate::products::tiles_for;
use crate::round::{Panel, turned};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Precision, Right, Start, product as multiply};

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
    let tiles = tiles_for(columns * columns);
    // Weights are on the right, where numbers that are bf16 already take one piece.
    let (mut left, mut right) = (Left::default(), Right::default());
    if tiles.is_some() {
        right.fill(w, Precision::Bits16);
    }
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
            match tiles {
                Some(tiles) => {
                    left.fill(of_gram, Precision::Bits16);
                    multiply(
                        tiles,
                        &left,
                        &right,
                        Start { right_step: places.start / Left::STEP, ..Start::default() },
                        out,
                    );
                }
                None => matmul(out, Accum::Replace, of_gram, w.subrows(places.start, places.len()), 1.0, Par::Seq),
            }
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
