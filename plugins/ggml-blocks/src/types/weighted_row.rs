//! Rows of 32-weight blocks under importance weights: sixteen blocks at a time, their weights from the whole row's power.

use crate::fit::weigh;
use crate::lanes::GROUPS;

/// Weights of sixteen blocks.
pub(crate) const BATCH: usize = 32 * GROUPS;

/// Batch `k` of a row: weights, and what they count under importance. Beyond the end of the row both are zeros.
///
/// `sigma2`, the mean square of the whole row, enters every weight, so a row cannot be cut into pieces here.
#[inline(always)]
pub(crate) fn batch(row: &[f32], importance: &[f32], sigma2: f32, k: usize) -> ([f32; BATCH], [f32; BATCH]) {
    let (x, importance) = (padded(row, k), padded(importance, k));
    (x, weigh(&x, &importance, sigma2))
}

/// Batch `k` of a row, zeros beyond its end.
#[inline(always)]
pub(crate) fn padded(row: &[f32], k: usize) -> [f32; BATCH] {
    let rest = &row[k * BATCH..];
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0.0; BATCH];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    })
}

/// The 32 weights of one block of a batch.
#[inline(always)]
pub(crate) fn block(batch: &[f32; BATCH], index: usize) -> &[f32; 32] {
    &batch.as_chunks::<32>().0[index]
}
