//! Rows as numbers.

use super::{Located, Module};
use crate::checkpoint::Dtype;
use crate::packed::{RUN, unpack_zeros};
use half::{bf16, f16};
use llmq_linear_grids::packing;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};

/// Whether rows of this type are read.
pub fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16)
}

/// The number at a place in bytes of a type.
pub fn float(bytes: &[u8], dtype: Dtype, at: usize) -> Option<f32> {
    let two = || bytes.as_chunks::<2>().0.get(at).copied();
    match dtype {
        Dtype::F32 => bytes.as_chunks::<4>().0.get(at).map(|bytes| f32::from_le_bytes(*bytes)),
        Dtype::F16 => two().map(|bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::Bf16 => two().map(|bytes| bf16::from_le_bytes(bytes).to_f32()),
        _ => None,
    }
}

/// How many rows were asked for, if they exist.
fn asked(name: &str, rows: usize, columns: usize, first_row: usize, values: usize) -> Result<usize, Error> {
    let count = values.checked_div(columns).filter(|count| count * columns == values);
    let count = count.filter(|count| first_row.checked_add(*count).is_some_and(|end| end <= rows));
    count.ok_or_else(|| {
        let message = format!(
            "{values} values from row {first_row} were asked of tensor `{name}`, which has {rows} rows of {columns}"
        );
        Error::new(Kind::Other, message).subject(name)
    })
}

/// Rows of a tensor that is stored as it is.
pub fn plain(located: &Located, files: &[MappedFile], first_row: usize, out: &mut [f32]) -> Result<(), Error> {
    let stored = &located.stored;
    if !is_float(stored.dtype) {
        return Err(Error::unsupported(&format!("read numbers of type {}", stored.dtype.word())).subject(&stored.name));
    }
    let bytes = located.bytes(files)?;
    let columns = stored.shape.last().map_or(1, |columns| *columns as usize);
    let rows = (bytes.len() / stored.dtype.bytes() as usize).checked_div(columns).unwrap_or(0);
    asked(&stored.name, rows, columns, first_row, out.len())?;
    for (at, value) in out.iter_mut().enumerate() {
        *value = float(bytes, stored.dtype, first_row * columns + at).unwrap_or(f32::NAN);
    }
    Ok(())
}

/// Rows of a module: `scales[g_idx[k], n] * (code - zero)`.
pub fn unpacked(module: &Module, files: &[MappedFile], first_row: usize, out: &mut [f32]) -> Result<(), Error> {
    let count = asked(&module.name, module.rows, module.columns, first_row, out.len())?;
    let assigned = module.assigned(files)?;
    let steps = steps(module, files, first_row, count)?;
    let words = module.qweight.bytes(files)?.as_chunks::<4>().0;
    let bits = module.bits as usize;
    let mut codes = [0u8; RUN];
    // A run of inputs of all rows at a time: neighbouring outputs lie beside each other.
    for (run, assigned) in assigned.chunks(RUN).enumerate() {
        for row in 0..count {
            let codes = &mut codes[..assigned.len()];
            let word = |number: usize| words.get((run * bits + number) * module.rows + first_row + row);
            packing::unpack(|number| word(number).map_or(0, |bytes| u32::from_le_bytes(*bytes)), module.bits, codes);
            let steps = &steps[row * module.groups..(row + 1) * module.groups];
            let start = row * module.columns + run * RUN;
            for ((value, code), group) in out[start..].iter_mut().zip(codes).zip(assigned) {
                let (scale, zero) = steps[*group as usize];
                *value = scale * (f32::from(*code) - f32::from(zero));
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
