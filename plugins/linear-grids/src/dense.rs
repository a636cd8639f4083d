//! Triangular work on large matrices, in tiles that workers share: the library computes a tile, the order is ours.
//!
//! A library's own parallel decomposition would start threads of its own; these are lent. Tiles have fixed sizes and each is
//! computed by one worker, so results do not depend on how many there are.

use crate::products;
use crate::workers::Steady;
use faer::linalg::cholesky::llt;
use faer::linalg::{triangular_inverse, triangular_solve};
use faer::{MatMut, MatRef, Par, dyn_stack::MemBuffer};
use llmq_tiles::Precision;
use std::sync::Mutex;

/// Rows and columns of a tile.
const TILE: usize = 256;

/// Rows `start..` of a row-major matrix as a tile.
fn tile<'a>(
    values: &'a [f32],
    width: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> MatRef<'a, f32> {
    MatRef::from_row_major_slice(&values[rows.start * width..rows.end * width], rows.len(), width)
        .subcols(columns.start, columns.len())
}

/// Replaces a symmetric matrix by its lower Cholesky factor; what is above the diagonal becomes zero. `false` if it is not
/// positive definite, or if the workers were stopped; the matrix is useless then.
pub(crate) fn cholesky(matrix: &mut [f32], size: usize, workers: &Steady<'_>) -> bool {
    for start in (0..size).step_by(TILE) {
        let end = size.min(start + TILE);
        let (above, below) = matrix.split_at_mut(end * size);
        let panel = &mut above[start * size..];
        let diagonal = MatMut::from_row_major_slice_mut(panel, end - start, size).subcols_mut(start, end - start);
        if !factor(diagonal) || workers.stopped() {
            return false;
        }
        let panel = &*panel;
        let factor = tile(panel, size, 0..end - start, start..end);
        // The rows below the diagonal block: A L^-T.
        let rows: Vec<Mutex<&mut [f32]>> = below.chunks_mut(TILE * size).map(Mutex::new).collect();
        workers.each(rows.len(), &|number| {
            let mut rows = rows[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let count = rows.len() / size;
            let block = MatMut::from_row_major_slice_mut(&mut rows, count, size).subcols_mut(start, end - start);
            triangular_solve::solve_lower_triangular_in_place(factor, block.transpose_mut(), Par::Seq);
        });
        // The rest: A -= P P^T with the rows just computed, which are copied, since every worker reads all of them.
        drop(rows);
        let count = size - end;
        let width = end - start;
        let mut solved = Vec::with_capacity(count * width);
        below.chunks(size).for_each(|row| solved.extend_from_slice(&row[start..end]));
        let right = MatRef::from_row_major_slice(&solved, count, width).transpose();
        let shared = products::Shared::of(right, solved.len(), Precision::Bits24, workers);
        let rows: Vec<Mutex<&mut [f32]>> = below.chunks_mut(TILE * size).map(Mutex::new).collect();
        workers.each(rows.len(), &|number| {
            let mut rows = rows[number].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let first = number * TILE;
            let here = rows.len() / size;
            let out = MatMut::from_row_major_slice_mut(&mut rows, here, size).subcols_mut(end, first + here);
            let left: Vec<f32> = solved[first * width..(first + here) * width].iter().map(|value| -value).collect();
            let left = MatRef::from_row_major_slice(&left, here, width);
            shared.add(out, left);
        });
    }
    for row in 0..size {
        matrix[row * size + row + 1..(row + 1) * size].fill(0.0);
    }
    !workers.stopped()
}

fn factor(block: MatMut<'_, f32>) -> bool {
    let size = block.nrows();
    let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f32>(size, Par::Seq, Default::default()));
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    llt::factor::cholesky_in_place(block, Default::default(), Par::Seq, stack, Default::default()).is_ok()
}

/// Replaces a lower triangular matrix, zero above its diagonal, by its inverse.
pub(crate) fn invert_lower(matrix: &mut [f32], size: usize, workers: &Steady<'_>) {
    // Columns of the inverse do not depend on each other: a band of them starts at its own diagonal block. All bands read
    // the matrix, so none goes into it before the last is done.
    let original = &*matrix;
    let bands = size.div_ceil(TILE);
    let done: Vec<Mutex<Vec<f32>>> = (0..bands).map(|_| Mutex::new(Vec::new())).collect();
    workers.each(bands, &|band| {
        let start = band * TILE;
        let end = size.min(start + TILE);
        let width = end - start;
        let mut out = vec![0.0f32; (size - start) * width];
        {
            let block = MatMut::from_row_major_slice_mut(&mut out[..width * width], width, width);
            triangular_inverse::invert_lower_triangular(block, tile(original, size, start..end, start..end), Par::Seq);
        }
        for first in (end..size).step_by(TILE) {
            let last = size.min(first + TILE);
            let (known, rest) = out.split_at_mut((first - start) * width);
            let known = MatRef::from_row_major_slice(known, first - start, width);
            let rest = &mut rest[..(last - first) * width];
            let left = tile(original, size, first..last, start..first);
            products::write(
                MatMut::from_row_major_slice_mut(rest, last - first, width),
                left,
                known,
                Precision::Bits24,
            );
            rest.iter_mut().for_each(|value| *value = -*value);
            let here = MatMut::from_row_major_slice_mut(rest, last - first, width);
            let diagonal = tile(original, size, first..last, first..last);
            triangular_solve::solve_lower_triangular_in_place(diagonal, here, Par::Seq);
        }
        *done[band].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = out;
    });
    for (band, out) in done.into_iter().enumerate() {
        let start = band * TILE;
        let width = size.min(start + TILE) - start;
        let out = out.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (row, out) in out.chunks(width).enumerate() {
            matrix[(start + row) * size + start..][..width].copy_from_slice(out);
        }
    }
}
