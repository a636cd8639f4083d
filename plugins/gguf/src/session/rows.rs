//! Rows of an output tensor, gathered from its sources as single precision.

use super::Encoding;
use llmq_ggml_blocks::{BlockType, bf16_to_f32, dequantize_rows, f16_to_f32, f32_to_bf16, f32_to_f16};
use llmq_plugin_api::sdk::{Error, Kind, Tensor, Unit};

/// Fills `out` with whole rows of the slot from `first_row` on; all of them lie in one part.
pub(super) fn gather(encoding: &Encoding, unit: &Unit, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
    let part = first_row / encoding.rows_per_part;
    let first = first_row % encoding.rows_per_part;
    let tensor = unit.tensor(encoding.parts[part])?;
    let columns = tensor.columns();
    if columns == 0 || encoding.view.source_row(first, columns).is_none() {
        if !crossed(encoding, tensor, first, out)? {
            scattered(encoding, tensor, first, out)?;
        }
    } else {
        whole_rows(encoding, tensor, first, out)?;
    }
    if encoding.shift != 0.0 {
        out.iter_mut().for_each(|value| *value += encoding.shift);
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

/// Rows that only change places. Neighbours that stay neighbours are read together.
fn whole_rows(encoding: &Encoding, tensor: &Tensor, first: usize, out: &mut [f32]) -> Result<(), Error> {
    let columns = encoding.columns;
    let source = |row: usize| encoding.view.source_row(row, columns).unwrap_or(0);
    let (mut at, rows) = (0, out.len() / columns);
    while at < rows {
        let start = source(first + at);
        let mut run = 1;
        while at + run < rows && source(first + at + run) == start + run {
            run += 1;
        }
        widen(tensor, start, &mut out[at * columns..(at + run) * columns])?;
        at += run;
    }
    Ok(())
}

/// Whole rows as single precision. Halves are widened by the block codecs, which are compiled for wider vectors than this
/// crate: from an F16 source a fifth of the whole program's time went into widening one by one.
fn widen(tensor: &Tensor, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
    let half = tensor.raw().and_then(|(word, data)| match word {
        "F16" => Some((BlockType::F16, data)),
        "BF16" => Some((BlockType::BF16, data)),
        _ => None,
    });
    let columns = tensor.columns();
    let stored = half.and_then(|(ty, data)| Some((ty, data.get(first_row * columns * 2..)?.get(..out.len() * 2)?)));
    match stored {
        Some((ty, stored)) => dequantize_rows(ty, stored, columns, out)
            .map_err(|error| Error::new(Kind::Other, error.to_string()).subject(tensor.name)),
        None => tensor.read_rows(first_row, out),
    }
}

/// Rows that are columns of the source: each source row is read once and gives one weight to every row. `false`, and nothing
/// done, if the rows lie otherwise.
fn crossed(encoding: &Encoding, tensor: &Tensor, first: usize, out: &mut [f32]) -> Result<bool, Error> {
    let (columns, stride) = (tensor.columns(), encoding.view.column_stride());
    if columns == 0 || stride == 0 || !stride.is_multiple_of(columns) {
        return Ok(false);
    }
    let places: Vec<usize> =
        (0..out.len() / encoding.columns).map(|row| encoding.view.element(first + row, 0)).collect();
    let start = places.first().map_or(0, |place| place / columns);
    if places.iter().any(|place| place / columns != start) {
        return Ok(false);
    }
    let mut row = vec![0.0; columns];
    for column in 0..encoding.columns {
        tensor.read_rows(start + column * (stride / columns), &mut row)?;
        for (out, place) in out.chunks_exact_mut(encoding.columns).zip(&places) {
            out[column] = row[place % columns];
        }
    }
    Ok(true)
}

/// Rows whose weights lie apart in the source in any other way: vectors whose elements change places.
fn scattered(encoding: &Encoding, tensor: &Tensor, first: usize, out: &mut [f32]) -> Result<(), Error> {
    let columns = tensor.columns();
    // By source row, so that each is read once per chunk.
    let place = |at: usize| encoding.view.element(first + at / encoding.columns, at % encoding.columns);
    let mut places: Vec<(usize, usize)> = (0..out.len()).map(|at| (place(at), at)).collect();
    places.sort_unstable();
    let mut row = vec![0.0; columns];
    let mut loaded = None;
    for (element, at) in places {
        if loaded != Some(element / columns) {
            tensor.read_rows(element / columns, &mut row)?;
            loaded = Some(element / columns);
        }
        out[at] = row[element % columns];
    }
    Ok(())
}

/// Looks at all values without branching first, which is many times faster than stopping at the first; at their bits, which
/// takes half as many instructions as comparing numbers.
fn first_non_finite(values: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = 0x7f80_0000;
    let bad = values.iter().fold(0, |bad, value| bad | u32::from(value.to_bits() & EXPONENT == EXPONENT));
    if bad == 0 { None } else { values.iter().position(|value| !value.is_finite()) }
}

fn not_finite(encoding: &Encoding, tensor: &Tensor, first: usize, at: usize, value: f32) -> Error {
    let element = encoding.view.element(first + at / encoding.columns, at % encoding.columns);
    let (row, column) = (element / tensor.columns().max(1), element % tensor.columns().max(1));
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
