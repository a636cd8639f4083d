//! Rows of a module as numbers.

use super::Module;
use crate::packed::{RUN, unpack_zeros};
use llmq_linear_grids::packing;
use llmq_plugin_api::sdk::{Error, MappedFile};
use llmq_safetensors_folders::reading::rows::float;
use std::ops::Range;

/// Values of some rows and columns, both counted from the first of them: `scales[g_idx[k], n] * (code - zero)`.
pub fn values(
    module: &Module,
    files: &[MappedFile],
    rows: Range<usize>,
    columns: Range<usize>,
    mut put: impl FnMut(usize, usize, f32),
) -> Result<(), Error> {
    let assigned = module.assigned(files)?;
    let steps = steps(module, files, rows.start, rows.len())?;
    let words = module.qweight.bytes(files)?.as_chunks::<4>().0;
    let bits = module.bits as usize;
    let mut codes = [0u8; RUN];
    // A run of inputs of all rows at a time: neighbouring outputs lie beside each other.
    for (run, assigned) in assigned.chunks(RUN).enumerate() {
        let start = run * RUN;
        if start + assigned.len() <= columns.start || start >= columns.end {
            continue;
        }
        // Codes before the first column are unpacked and passed over.
        let before = columns.start.saturating_sub(start);
        let assigned = &assigned[..assigned.len().min(columns.end - start)];
        for row in 0..rows.len() {
            let codes = &mut codes[..assigned.len()];
            let word = |number: usize| words.get((run * bits + number) * module.rows + rows.start + row);
            packing::unpack(|number| word(number).map_or(0, |bytes| u32::from_le_bytes(*bytes)), module.bits, codes);
            let steps = &steps[row * module.groups..(row + 1) * module.groups];
            let first = start + before - columns.start;
            for (at, (code, group)) in codes.iter().zip(assigned).skip(before).enumerate() {
                let (scale, zero) = steps[*group as usize];
                put(row, first + at, scale * (f32::from(*code) - f32::from(zero)));
            }
        }
    }
    Ok(())
}

/// Scales and zeros of some rows, `[rows, groups]`.
fn steps(module: &Module, files: &[MappedFile], first_row: usize, count: usize) -> Result<Vec<(f32, u8)>, Error> {
    let scales = module.scales.bytes(files)?;
    let words = module.qzeros.bytes(files)?.as_chunks::<4>().0;
    let of_group = words.len() / module.groups;
    // Zeros from the beginning of a run on: runs are whole words.
    let first_run = first_row / RUN;
    let mut zeros = vec![0u8; first_row + count - first_run * RUN];
    let mut steps = vec![(0f32, 0u8); count * module.groups];
    for group in 0..module.groups {
        let start = group * of_group + first_run * module.bits as usize;
        let word = |number: usize| words.get(start + number).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        unpack_zeros(word, module.bits, module.zeros, &mut zeros);
        for row in 0..count {
            let at = group * module.rows + first_row + row;
            let scale = float(scales, module.scales.stored.dtype, at).unwrap_or(f32::NAN);
            steps[row * module.groups + group] = (scale, zeros[first_row + row - first_run * RUN]);
        }
    }
    Ok(steps)
}
