//! Rows of an output tensor, gathered from its sources as single precision.

use super::Encoding;
use crate::arch::RowOrder;
use llmq_ggml_blocks::{BlockType, bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use llmq_plugin_api::sdk::{Error, Kind, Tensor, Unit};

/// Fills `out` with whole rows of the slot from `first_row` on; all of them lie in one part.
pub(super) fn gather(encoding: &Encoding, unit: &Unit, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
    let part = first_row / encoding.rows_per_part;
    let first = first_row % encoding.rows_per_part;
    let tensor = unit.tensor(encoding.parts[part])?;
    match encoding.order {
        RowOrder::AsStored => tensor.read_rows(first, out)?,
        order if tensor.shape.len() == 1 => {
            let mut values = vec![0.0; tensor.columns()];
            tensor.read_rows(0, &mut values)?;
            out.iter_mut().enumerate().for_each(|(i, value)| *value = values[order.source_row(first + i)]);
        }
        order => {
            for (i, row) in out.chunks_exact_mut(encoding.columns).enumerate() {
                tensor.read_rows(order.source_row(first + i), row)?;
            }
        }
    }
    if let Some(at) = first_non_finite(out) {
        return Err(not_finite(encoding, tensor, first, at, out[at]));
    }
    match encoding.intermediate {
        Some(BlockType::F16) => out.iter_mut().for_each(|value| *value = f16_to_f32(f32_to_f16(*value))),
        Some(BlockType::BF16) => out.iter_mut().for_each(|value| *value = bf16_to_f32(f32_to_bf16(*value))),
        _ => return Ok(()),
    }
    match first_non_finite(out) {
        Some(at) => Err(beyond_half(tensor, first + at / encoding.columns)),
        None => Ok(()),
    }
}

/// Looks at all values without branching first, which is many times faster than stopping at the first.
fn first_non_finite(values: &[f32]) -> Option<usize> {
    let sound = values.iter().fold(true, |sound, value| sound & value.is_finite());
    if sound { None } else { values.iter().position(|value| !value.is_finite()) }
}

fn not_finite(encoding: &Encoding, tensor: &Tensor, first: usize, at: usize, value: f32) -> Error {
    let (row, column) = (encoding.order.source_row(first + at / encoding.columns), at % encoding.columns);
    let message = format!("the weight at row {row}, column {column} of `{}` is {value}", tensor.name);
    Error::new(Kind::CorruptInput, message)
        .subject(tensor.name)
        .hint("the model is damaged or was saved after diverging; get another copy")
}

/// A weight that the source holds and half precision cannot.
pub(super) fn beyond_half(tensor: &Tensor, row: usize) -> Error {
    let message =
        format!("a weight near row {row} of `{}` is beyond 65504, the largest half-precision number", tensor.name);
    Error::new(Kind::InvalidRequest, message)
        .subject(tensor.name)
        .hint("choose a level or an intermediate format other than F16, for example BF16")
}
