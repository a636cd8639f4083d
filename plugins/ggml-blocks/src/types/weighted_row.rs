//! Rows of 32-weight blocks under importance weights: eight blocks at a time, their weights from the whole row's power.

use crate::fit::{power, weigh};

/// Weights of eight blocks.
pub(crate) const BATCH: usize = 256;

/// Calls `encode(weights, importance-derived weights, blocks)` for every eight blocks of a row.
///
/// The power that enters the weights is the mean square of the whole row, so a row cannot be cut into pieces here.
/// The last batch may hold fewer than eight blocks: its tail is zeros and only the blocks present are passed on.
#[inline(always)]
pub(crate) fn encode_row<const BYTES: usize>(
    row: &[f32],
    importance: &[f32],
    out: &mut [[u8; BYTES]],
    mut encode: impl FnMut(&[f32; BATCH], &[f32; BATCH], &mut [[u8; BYTES]]),
) {
    let sigma2 = power(row) / row.len() as f32;
    let (batches, tail) = row.as_chunks::<BATCH>();
    let (importance_batches, importance_tail) = importance.as_chunks::<BATCH>();
    let mut blocks = out.chunks_mut(8);
    for ((x, importance), blocks) in batches.iter().zip(importance_batches).zip(&mut blocks) {
        encode(x, &weigh(x, importance, sigma2), blocks);
    }
    if let Some(blocks) = blocks.next() {
        let (mut x, mut padded) = ([0.0; BATCH], [0.0; BATCH]);
        x[..tail.len()].copy_from_slice(tail);
        padded[..importance_tail.len()].copy_from_slice(importance_tail);
        encode(&x, &weigh(&x, &padded, sigma2), blocks);
    }
}

/// The 32 weights of one block of a batch.
#[inline(always)]
pub(crate) fn block(batch: &[f32; BATCH], index: usize) -> &[f32; 32] {
    &batch.as_chunks::<32>().0[index]
}
