//! Rows of plain tensors as numbers.

use super::Located;
use crate::checkpoint::Dtype;
use half::{bf16, f16};
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
pub fn asked(name: &str, rows: usize, columns: usize, first_row: usize, values: usize) -> Result<usize, Error> {
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

/// Why numbers of a tensor cannot be used, if one is not finite or they are no longer there. Tensors without floats pass.
pub fn not_finite(located: &Located, files: &[MappedFile]) -> Option<String> {
    let dtype = located.stored.dtype;
    if !is_float(dtype) {
        return None;
    }
    let bytes = match located.bytes(files) {
        Ok(bytes) => bytes,
        Err(error) => return Some(error.message),
    };
    let count = bytes.len() / dtype.bytes() as usize;
    let at = (0..count).find(|at| !float(bytes, dtype, *at).is_some_and(f32::is_finite))?;
    Some(format!("number {at} is not finite"))
}
