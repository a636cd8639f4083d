//! The product of a left and a right factor.

use faer::MatMut;

use crate::Precision;
use crate::factors::{Left, Right};
use crate::kernel::{Blocks, CELL, Kernel, Place};
use crate::lanes::widest;
use crate::lend::Tiles;
use crate::tile::BLOCK;

/// Steps of 32 summands that are summed in a register before their sum is added to the others. At 24 bits that is what
/// decides accuracy: with 1024 summands it is about what faer's single precision has.
const STEPS: usize = 32;

/// Blocks of rows that meet a block of columns before the next one comes, by the pieces on the right: so many, and 256
/// columns, stay in a second cache of 2 MiB.
const GROUPS: [usize; 3] = [4, 2, 2];

/// Where a product begins within its factors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// Block of 32 rows of the left factor.
    pub row: usize,
    /// Block of 32 columns of the right factor.
    pub column: usize,
    /// Step of 32 summands of the right factor that meets the left one's first.
    pub step: usize,
}

impl Start {
    /// From a block of rows on.
    pub fn of_row(row: usize) -> Start {
        Start { row, ..Start::default() }
    }
}

/// Writes the product of the left factor's rows and the right one's columns from `start` on, as many as `out` has. In
/// the calling thread.
///
/// # Panics
/// If `out` has more rows or columns than there are, if its rows do not lie in one piece each, if the right factor has not
/// enough steps, or if they have different precisions.
pub fn product(tiles: Tiles, left: &Left, right: &Right, start: Start, out: MatMut<'_, f32>) {
    multiply(tiles, left, right, start, out, false);
}

/// Adds the product to `out`; else as [`product`].
///
/// # Panics
/// As [`product`].
pub fn add_product(tiles: Tiles, left: &Left, right: &Right, start: Start, out: MatMut<'_, f32>) {
    multiply(tiles, left, right, start, out, true);
}

fn multiply(tiles: Tiles, left: &Left, right: &Right, start: Start, mut out: MatMut<'_, f32>, add: bool) {
    let (rows, columns) = (out.nrows(), out.ncols());
    let Start { row: first_row, column: first_column, step: first_step } = start;
    assert!(first_row * BLOCK + rows <= left.rows(), "{rows} rows from block {first_row} of {}", left.rows());
    let there = right.columns();
    assert!(first_column * BLOCK + columns <= there, "{columns} columns from block {first_column} of {there}");
    let all = left.steps();
    assert!(first_step + all <= right.steps(), "{all} steps from {first_step} on of {}", right.steps());
    assert_eq!(left.precision(), right.precision(), "precision of the factors");
    assert!(columns <= 1 || out.col_stride() == 1, "numbers of a row lie {} apart", out.col_stride());
    let kernel = tiles.enter();
    let group_rows = GROUPS[right.pieces() - 1] * BLOCK;
    for begin in (0..all).step_by(STEPS) {
        let steps = begin..all.min(begin + STEPS);
        for group in (0..rows).step_by(group_rows) {
            for column in (0..columns).step_by(BLOCK) {
                for row in (group..rows.min(group + group_rows)).step_by(BLOCK) {
                    let (height, width) = (BLOCK.min(rows - row), BLOCK.min(columns - column));
                    let out = out.as_mut().submatrix_mut(row, column, height, width);
                    let blocks = Blocks {
                        left: left.part(first_row + row / BLOCK, steps.clone()),
                        right: right
                            .part(first_column + column / BLOCK, first_step + steps.start..first_step + steps.end),
                        precision: left.precision(),
                        pieces: right.pieces(),
                    };
                    cell(&kernel, blocks, out, add || begin > 0);
                }
            }
        }
    }
}

/// Writes the sums of some steps of two blocks, or adds them.
fn cell(kernel: &Kernel, blocks: Blocks<'_>, out: MatMut<'_, f32>, add: bool) {
    let (rows, columns, stride) = (out.nrows(), out.ncols(), out.row_stride());
    if let (BLOCK, BLOCK, Ok(stride)) = (rows, columns, usize::try_from(stride)) {
        let place = Place { first: out.as_ptr_mut(), stride };
        match (add, blocks.precision) {
            // SAFETY: `out` has 32 rows of 32 numbers, `stride` apart, and is borrowed here alone.
            (false, _) => return unsafe { kernel.write(blocks, place) },
            // SAFETY: the same, and they have been written.
            (true, Precision::Bits16) => return unsafe { kernel.add(blocks, place) },
            (true, Precision::Bits24) => {}
        }
    }
    let mut sums = [0.0; CELL];
    kernel.cell(blocks, &mut sums);
    let out = out.as_ptr_mut();
    widest(
        #[inline(always)]
        || {
            for (row, sums) in sums.chunks_exact(BLOCK).enumerate().take(rows) {
                // SAFETY: `out` has so many rows of `columns` numbers, which lie behind each other, each row `stride`
                // numbers behind the one before; it is borrowed here alone.
                let out = unsafe { std::slice::from_raw_parts_mut(out.offset(row as isize * stride), columns) };
                match (<&mut [f32; BLOCK]>::try_from(&mut *out), add) {
                    (Ok(out), true) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                    (_, true) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                    (_, false) => out.copy_from_slice(&sums[..columns]),
                }
            }
        },
    );
}
