//! Rows of a module as numbers.

use super::Module;
use crate::levels::BITS;
use crate::packed::{WORD, code};
use llmq_plugin_api::sdk::{Error, MappedFile};
use llmq_safetensors_folders::reading::rows::float;
use std::ops::Range;

/// Values of some rows and columns, both counted from the first of them: `scales[k / group, n] * (code - zero)`.
pub fn values(
    module: &Module,
    files: &[MappedFile],
    rows: Range<usize>,
    columns: Range<usize>,
    mut put: impl FnMut(usize, usize, f32),
) -> Result<(), Error> {
    let steps = steps(module, files, rows.start, rows.len())?;
    let codes = module.qweight.bytes(files)?.as_chunks::<4>().0;
    let words = module.rows / WORD;
    // An input of all rows at a time: neighbouring outputs lie beside each other.
    for (number, column) in columns.enumerate() {
        let (line, group) = (&codes[column * words..(column + 1) * words], column / module.group);
        for (row, output) in rows.clone().enumerate() {
            let (scale, zero) = steps[row * module.groups + group];
            let code = code(u32::from_le_bytes(line[output / WORD]), output);
            put(row, number, scale * (f32::from(code) - f32::from(zero)));
        }
    }
    Ok(())
}

/// Scales and zeros of some rows, `[rows, groups]`.
fn steps(module: &Module, files: &[MappedFile], first_row: usize, count: usize) -> Result<Vec<(f32, u8)>, Error> {
    let scales = module.scales.bytes(files)?;
    let zeros = module.qzeros.as_ref().map(|qzeros| qzeros.bytes(files)).transpose()?;
    let zeros = zeros.map(|bytes| bytes.as_chunks::<4>().0);
    let words = module.rows / WORD;
    let mut steps = Vec::with_capacity(count * module.groups);
    for output in first_row..first_row + count {
        for group in 0..module.groups {
            let scale = float(scales, module.scales.stored.dtype, group * module.rows + output).unwrap_or(f32::NAN);
            let zero = zeros.map_or(1 << (BITS - 1), |zeros| {
                code(u32::from_le_bytes(zeros[group * words + output / WORD]), output)
            });
            steps.push((scale, zero));
        }
    }
    Ok(steps)
}
