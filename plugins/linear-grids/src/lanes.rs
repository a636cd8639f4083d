//! Rows side by side: one lane per row of the matrix, one line per column.

use pulp::Arch;

/// Rows that are worked on together. With 128 columns they take 16 KiB.
pub(crate) const LANES: usize = 32;

/// One number per row.
pub(crate) type Line = [f32; LANES];

/// All zeros.
pub(crate) const ZERO: Line = [0.0; LANES];

/// Runs a body, everything inlined into it included, with the widest instructions that the processor has.
pub(crate) fn widest<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// `to -= factor * from`.
#[inline(always)]
pub(crate) fn subtract(to: &mut Line, factor: f32, from: &Line) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to -= factor * from);
}
