//! The product of a left and a right factor.

use faer::MatMut;
use std::ops::Range;

use crate::kernel::{CELL, Kernel, Place};
use crate::lanes::widest;
use crate::lend::Tiles;
use crate::pack::{BLOCK, Left, Right};

/// Steps of 32 summands that are summed in a register before their sum is added to the others: what decides accuracy,
/// with 1024 summands about what faer's single precision has.
const STEPS: usize = 32;

/// Blocks of rows that meet a block of columns before the next one comes, by the pieces on the right: so many, and 256
/// columns, stay in a second cache of 2 MiB.
const GROUPS: [usize; 3] = [4, 2, 2];

/// Writes the product of some rows of the left factor, from block `first_block` of 32 on, with all columns of the right
/// one; as many rows as `out` has. In the calling thread.
///
/// # Panics
/// If `out` has another number of columns than the right factor or more rows than there are, if its rows do not lie in
/// one piece each, or if the factors have different numbers of steps.
pub fn product(tiles: Tiles, left: &Left, first_block: usize, right: &Right, mut out: MatMut<'_, f32>) {
    let (rows, columns) = (out.nrows(), out.ncols());
    assert_eq!(columns, right.columns(), "columns of the product");
    assert!(first_block * BLOCK + rows <= left.rows(), "{rows} rows from block {first_block} of {}", left.rows());
    assert_eq!(left.steps(), right.steps(), "steps of 32 summands");
    assert!(columns <= 1 || out.col_stride() == 1, "numbers of a row lie {} apart", out.col_stride());
    let kernel = tiles.enter();
    let group_rows = GROUPS[right.pieces() - 1] * BLOCK;
    for start in (0..left.steps()).step_by(STEPS) {
        let steps = start..left.steps().min(start + STEPS);
        for group in (0..rows).step_by(group_rows) {
            for column in (0..columns).step_by(BLOCK) {
                for row in (group..rows.min(group + group_rows)).step_by(BLOCK) {
                    let (height, width) = (BLOCK.min(rows - row), BLOCK.min(columns - column));
                    let out = out.as_mut().submatrix_mut(row, column, height, width);
                    let factors = Factors { left, row: first_block + row / BLOCK, right, column: column / BLOCK };
                    factors.multiply(&kernel, steps.clone(), out);
                }
            }
        }
    }
}

/// A block of rows and a block of columns.
struct Factors<'a> {
    left: &'a Left,
    row: usize,
    right: &'a Right,
    column: usize,
}

impl Factors<'_> {
    /// Writes the sums of some steps, or adds them if they are not the first.
    fn multiply(&self, kernel: &Kernel, steps: Range<usize>, out: MatMut<'_, f32>) {
        let first = steps.start == 0;
        let left = self.left.part(self.row, steps.clone());
        let (right, pieces) = (self.right.part(self.column, steps), self.right.pieces());
        let (rows, columns, stride) = (out.nrows(), out.ncols(), out.row_stride());
        if let (BLOCK, BLOCK, true, Ok(stride)) = (rows, columns, first, usize::try_from(stride)) {
            let place = Place { first: out.as_ptr_mut(), stride };
            // SAFETY: `out` has 32 rows of 32 numbers, `stride` apart, and is borrowed here alone.
            return unsafe { kernel.write(left, right, pieces, place) };
        }
        let mut sums = [0.0; CELL];
        kernel.cell(left, right, pieces, &mut sums);
        let out = out.as_ptr_mut();
        widest(
            #[inline(always)]
            || {
                for (row, sums) in sums.chunks_exact(BLOCK).enumerate().take(rows) {
                    // SAFETY: `out` has so many rows of `columns` numbers, which lie behind each other, each row `stride`
                    // numbers behind the one before; it is borrowed here alone.
                    let out = unsafe { std::slice::from_raw_parts_mut(out.offset(row as isize * stride), columns) };
                    match (<&mut [f32; BLOCK]>::try_from(&mut *out), first) {
                        (Ok(out), false) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                        (_, false) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                        (_, true) => out.copy_from_slice(&sums[..columns]),
                    }
                }
            },
        );
    }
}
