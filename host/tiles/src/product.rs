//! The product of a left and a right factor.

use faer::MatMut;
use std::ops::Range;

use crate::kernel::{CELL, Kernel, Place};
use crate::lend::Tiles;
use crate::pack::{BLOCK, Left, Right};

/// Blocks of rows that meet a block of columns before the next one comes.
const GROUP: usize = 4;

/// Steps of 32 summands after which sums are laid down, so that a group of rows and 256 columns of so many steps stay in
/// a second cache of 2 MiB. Laid down in f32 and taken up again they are the same sums: no bit depends on this.
const STEPS: [usize; 3] = [32, 24, 16];

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
    let length = STEPS[right.pieces() - 1];
    for start in (0..left.steps()).step_by(length) {
        let steps = start..left.steps().min(start + length);
        for group in (0..rows.div_ceil(BLOCK)).step_by(GROUP) {
            for block in 0..columns.div_ceil(BLOCK) {
                let column = block * BLOCK;
                for row in (group * BLOCK..rows.min((group + GROUP) * BLOCK)).step_by(BLOCK) {
                    let (height, width) = (BLOCK.min(rows - row), BLOCK.min(columns - column));
                    let out = out.as_mut().submatrix_mut(row, column, height, width);
                    let factors = Factors { left, row: first_block + row / BLOCK, right, column: block };
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
    fn multiply(&self, kernel: &Kernel, steps: Range<usize>, mut out: MatMut<'_, f32>) {
        let more = steps.start > 0;
        let left = self.left.part(self.row, steps.clone());
        let (right, pieces) = (self.right.part(self.column, steps), self.right.pieces());
        if let (BLOCK, BLOCK, Ok(stride)) = (out.nrows(), out.ncols(), usize::try_from(out.row_stride())) {
            let place = Place { first: out.as_ptr_mut(), stride, more };
            // SAFETY: `out` has 32 rows of 32 numbers, `stride` apart, and is borrowed here alone.
            return unsafe { kernel.write(left, right, pieces, place) };
        }
        // A cell that is not whole is made elsewhere.
        let mut sums = [0.0; CELL];
        for row in 0..if more { out.nrows() } else { 0 } {
            (0..out.ncols()).for_each(|column| sums[row * BLOCK + column] = out[(row, column)]);
        }
        kernel.cell(left, right, pieces, more, &mut sums);
        for row in 0..out.nrows() {
            (0..out.ncols()).for_each(|column| out[(row, column)] = sums[row * BLOCK + column]);
        }
    }
}
