//! Rows of 32-weight blocks under importance weights: sixteen blocks at a time, their weights from the whole row's power.

use std::borrow::Cow;

use crate::fit::weigh;
use crate::lanes::GROUPS;

/// Weights of sixteen blocks.
pub(crate) const BATCH: usize = 32 * GROUPS;

/// Batch `k` of a row: weights, and what they count under importance. Beyond the end of the row both are zeros.
///
/// `sigma2`, the mean square of the whole row, enters every weight, so a row cannot be cut into pieces here.
#[inline(always)]
pub(crate) fn batch<'a>(
    row: &'a [f32],
    importance: &[f32],
    sigma2: f32,
    k: usize,
) -> (Cow<'a, [f32; BATCH]>, [f32; BATCH]) {
    let x = padded(row, k);
    let weights = weigh(&x, &padded(importance, k), sigma2);
    (x, weights)
}

/// Batch `k` of a row, zeros beyond its end.
#[inline(always)]
pub(crate) fn padded(row: &[f32], k: usize) -> Cow<'_, [f32; BATCH]> {
    let rest = &row[k * BATCH..];
    rest.first_chunk().map_or_else(
        || {
            let mut padded = [0.0; BATCH];
            padded[..rest.len()].copy_from_slice(rest);
            Cow::Owned(padded)
        },
        Cow::Borrowed,
    )
}

/// The 32 weights of one block of a batch.
#[inline(always)]
pub(crate) fn block(batch: &[f32; BATCH], index: usize) -> &[f32; 32] {
    &batch.as_chunks::<32>().0[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_is_filled_with_zeros() {
        let row = vec![1.5; BATCH + 32];
        assert!(matches!(padded(&row, 0), Cow::Borrowed(batch) if *batch == [1.5; BATCH]));
        let last = padded(&row, 1);
        assert!(last[..32].iter().all(|&v| v == 1.5) && last[32..].iter().all(|&v| v == 0.0));
    }
}
