//! The quadratic form that everything here makes small.

use crate::lanes::widest;
use crate::products::WORTH_IT;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Precision, Right, Start, Tiles, product as multiply};

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
    let tiles = Tiles::lent().filter(|_| rows * columns >= WORTH_IT);
    let (mut left, mut right) = (Left::default(), Right::default());
    if tiles.is_some() {
        left.fill(w, Precision::Bits16);
    }
    let (mut sum, mut product) = (0.0, Vec::new());
    for start in (0..columns).step_by(TILE) {
        if stop() {
            return None;
        }
        let width = TILE.min(columns - start);
        product.resize(rows * width, 0.0f32);
        // Rows of G, which is symmetric, lie in one piece each: its columns took twice as long. What stands before the
        // diagonal counts twice.
        for (places, counts) in [(0..start, 2.0), (start..start + width, 1.0)] {
            if places.is_empty() {
                continue;
            }
            let of_gram = g.submatrix(start, places.start, width, places.len()).transpose();
            let out = MatMut::from_row_major_slice_mut(&mut product, rows, width);
            match tiles {
                Some(tiles) => {
                    right.fill(of_gram, Precision::Bits16);
                    let left_step = places.start / Left::STEP;
                    multiply(tiles, &left, &right, Start { left_step, steps: Some(right.steps()), ..Start::default() }, out);
                }
                None => matmul(out, Accum::Replace, w.subcols(places.start, places.len()), of_gram, 1.0, Par::Seq),
            }
            sum += counts * dot(&product, width, &weights[start..], columns);
        }
    }
    Some(sum)
}

/// The sum of the products of numbers in rows of `width`, those of the other rows `stride` apart.
fn dot(numbers: &[f32], width: usize, others: &[f32], stride: usize) -> f64 {
    let mut sum = 0.0;
    widest(
        #[inline(always)]
        || {
            for (numbers, others) in numbers.chunks_exact(width).zip(others.chunks(stride)) {
                let mut lanes = [0.0f64; 16];
                let (blocks, rest) = numbers.as_chunks::<16>();
                let (other_blocks, other_rest) = others[..width].as_chunks::<16>();
                for (block, other) in blocks.iter().zip(other_blocks) {
                    for lane in 0..16 {
                        lanes[lane] += f64::from(block[lane]) * f64::from(other[lane]);
                    }
                }
                let rest: f64 = rest.iter().zip(other_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                sum += lanes.iter().sum::<f64>() + rest;
            }
        },
    );
    sum
}
