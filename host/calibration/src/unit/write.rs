//! Writing a unit's file, in one pass.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::layout::{Part, Slot, slots};
use super::{GramWidth, MAX_HEADER, UnitError, UnitHead};
use crate::record::{Entry, Record};

/// Values that are converted at a time.
const CHUNK: usize = 8192;

/// Writes the file of a unit. The same entries give the same bytes.
///
/// # Errors
/// Entries that do not fit the layout, and what `out` says.
pub fn write_unit(out: &mut impl Write, unit: &str, entries: &[Entry], gram_width: GramWidth) -> Result<(), UnitError> {
    let head = UnitHead::of(unit, entries, gram_width)?;
    let slots = slots(&head)?;
    let header = header(&head, &slots)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for slot in &slots {
        for record in &entries[slot.entry].records {
            write_part(out, slot.part, record)?;
        }
    }
    Ok(())
}

fn header(head: &UnitHead, slots: &[Slot]) -> Result<Vec<u8>, UnitError> {
    let broken = |problem: serde_json::Error| UnitError::Header(problem.to_string());
    let mut map = Map::new();
    let description = serde_json::to_string(head).map_err(broken)?;
    map.insert("__metadata__".to_owned(), json!({ "llmq_statistics": description }));
    for slot in slots {
        map.insert(slot.name.clone(), serde_json::to_value(&slot.tensor).map_err(broken)?);
    }
    let mut header = serde_json::to_vec(&Value::Object(map)).map_err(broken)?;
    // Spaces at the end, as safetensors does, so that the values lie at multiples of eight.
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() as u64 > MAX_HEADER {
        return Err(UnitError::HeaderLength(header.len() as u64));
    }
    Ok(header)
}

fn write_part(out: &mut impl Write, part: Part, record: &Record) -> Result<(), UnitError> {
    let gram = record.gram.as_ref().map_or(&[][..], |gram| gram.packed());
    match part {
        Part::Tokens => write(out, &[record.tokens], u64::to_le_bytes),
        Part::Dropped => write(out, &[record.dropped], u64::to_le_bytes),
        Part::Sum => write(out, &record.sum, f64::to_le_bytes),
        Part::SumAbs => write(out, &record.sum_abs, f64::to_le_bytes),
        Part::SumSquares => write(out, &record.sum_squares, f64::to_le_bytes),
        Part::SamplePriorities => write(out, &record.samples.priorities, u64::to_le_bytes),
        Part::SampleTokens => write(out, &record.samples.tokens, u64::to_le_bytes),
        Part::GramF64 => write(out, gram, f64::to_le_bytes),
        Part::GramF32 => write(out, gram, |value| (value as f32).to_le_bytes()),
        Part::Min => write(out, &record.min, f32::to_le_bytes),
        Part::Max => write(out, &record.max, f32::to_le_bytes),
        Part::Samples => write(out, &record.samples.values, f32::to_le_bytes),
    }
}

fn write<T: Copy, const N: usize>(
    out: &mut impl Write,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> Result<(), UnitError> {
    for values in values.chunks(CHUNK) {
        let chunk: Vec<u8> = values.iter().flat_map(|value| bytes(*value)).collect();
        out.write_all(&chunk)?;
    }
    Ok(())
}
