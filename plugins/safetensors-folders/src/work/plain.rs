//! Tensors that are not quantized: the same bytes, or the nearest ones of another type.

use super::{Progress, weights};
use crate::checkpoint::Dtype;
use half::{bf16, f16};
use llmq_plugin_api::sdk::{Context, Error, Output, Tensor};

/// Weights per block: small enough to answer a cancellation at once, large enough to hide the cost of a call.
const BLOCK_WEIGHTS: usize = 64 << 10;

/// Copies a tensor into its slot; refuses weights that are no finite numbers.
pub fn copy(
    cx: &Context,
    tensor: &Tensor,
    slot: usize,
    dtype: Dtype,
    out: &Output,
    progress: &Progress,
) -> Result<(), Error> {
    let (rows, columns) = (tensor.rows(), tensor.columns());
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    let size = dtype.bytes() as usize;
    let raw = tensor.raw().filter(|(word, _)| *word == dtype.word()).map(|(_, bytes)| bytes);
    let step = (BLOCK_WEIGHTS / columns).max(1);
    cx.parallel_for(rows.div_ceil(step), |block| {
        let first = block * step;
        let weights = weights::read(tensor, first, step.min(rows - first) * columns)?;
        let start = first * columns;
        let stored = raw.and_then(|bytes| bytes.get(start * size..(start + weights.len()) * size));
        match stored {
            Some(bytes) => out.write(slot, (start * size) as u64, bytes)?,
            None => out.write(slot, (start * size) as u64, &encoded(&weights, dtype))?,
        }
        progress.add(weights.len());
        Ok(())
    })
}

fn encoded(weights: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => weights.iter().flat_map(|weight| f16::from_f32(*weight).to_le_bytes()).collect(),
        Dtype::Bf16 => weights.iter().flat_map(|weight| bf16::from_f32(*weight).to_le_bytes()).collect(),
        // Nothing else is planned: see `pieces::PLAIN`.
        _ => weights.iter().flat_map(|weight| weight.to_le_bytes()).collect(),
    }
}
