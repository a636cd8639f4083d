//! Rows side by side: one lane per row of the matrix, one line per column.

use pulp::Arch;

/// Rows that are worked on together. With 128 columns they take 16 KiB.
pub(crate) const LANES: usize = 32;

/// One number per row.
pub(crate) type Line = [f32; LANES];

/// All zeros.
pub(crate) const ZERO: Line = [0.0; LANES];

/// Lines of the columns `columns` of at most [`LANES`] rows; what is beyond the last row is zero.
pub(crate) fn gather(weights: &[f32], width: usize, columns: impl Iterator<Item = usize>) -> Vec<Line> {
    let line = |column: usize| {
        let mut line = ZERO;
        line.iter_mut().zip(weights.chunks_exact(width)).for_each(|(lane, row)| *lane = row[column]);
        line
    };
    columns.map(line).collect()
}

/// Runs a body, everything inlined into it included, with the widest instructions that the processor has.
pub(crate) fn widest<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// `to -= factor * from`.
#[inline(always)]
pub(crate) fn subtract(to: &mut Line, factor: f32, from: &Line) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to -= factor * from);
}
