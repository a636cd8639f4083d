//! The work on one unit: chunks of rows on the host's threads, every chunk written to its final place.

use super::importance::Weighting;
use super::rows::{beyond_half, gather};
use super::{Encoding, GgufSession, SlotWork, stored};
use llmq_ggml_blocks::{BlockError, BlockType, quantize_rows, validate_rows};
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, StatisticKind, Unit};
use llmq_plugin_api::wire::UnitReport;
use std::sync::atomic::{AtomicU64, Ordering};

/// Weights of one chunk: large enough to make its overhead vanish (0.1 ms of reading against 5 ms of fitting), small
/// enough for steady progress and 1 MiB of scratch.
const CHUNK_WEIGHTS: usize = 128 * 1024;

/// Rows of one slot that are worked on together.
struct Chunk<'s> {
    slot: usize,
    encoding: &'s Encoding,
    first_row: usize,
    rows: usize,
}

/// The same where columns of the source become rows: every chunk reads all source rows of its matrix, so there must be few.
const CROSSED_CHUNK_WEIGHTS: usize = 4 * 1024 * 1024;

/// Rows in a chunk.
pub(super) fn chunk_rows(encoding: &Encoding) -> usize {
    let weights = if encoding.view.column_stride() > 1 { CROSSED_CHUNK_WEIGHTS } else { CHUNK_WEIGHTS };
    (weights / encoding.columns.max(1)).max(1)
}

/// Bytes that one thread needs for one chunk.
pub(super) fn scratch_bytes(encoding: &Encoding) -> u64 {
    let rows = chunk_rows(encoding).min(encoding.rows_per_matrix.max(1));
    let weights = (rows * encoding.columns) as u64;
    let importance = encoding.columns as u64 * 4;
    let row = encoding.target.row_bytes(encoding.columns as u64).unwrap_or(0);
    weights * 4 + rows as u64 * row + importance
}

pub(super) fn quantize(session: &GgufSession, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
    let mut chunks = Vec::new();
    let slots = session.plan.slots.iter().zip(&session.work).enumerate();
    for (slot, (_, work)) in slots.filter(|(_, (slot, _))| slot.unit as usize == unit.index) {
        match work {
            SlotWork::Derived(bytes) => out.write(slot, 0, bytes)?,
            SlotWork::Encode(encoding) => cut(slot, encoding, &mut chunks),
            SlotWork::Copy(tensor) => stored::copy(session, cx, slot, unit.tensor(*tensor)?, out)?,
        }
    }
    let total: u64 = chunks.iter().map(|chunk| (chunk.rows * chunk.encoding.columns) as u64).sum();
    let done = AtomicU64::new(0);
    cx.parallel_for(chunks.len(), |i| {
        let chunk = &chunks[i];
        let weights = encode(chunk, unit, out)?;
        cx.progress(done.fetch_add(weights, Ordering::Relaxed) + weights, total);
        Ok(())
    })?;
    Ok(UnitReport::default())
}

/// Chunks never cross the border between two matrices, so each has one source and one set of importance weights.
fn cut<'s>(slot: usize, encoding: &'s Encoding, chunks: &mut Vec<Chunk<'s>>) {
    let step = chunk_rows(encoding);
    let end = encoding.rows_per_matrix.max(1);
    for matrix in 0..encoding.parts.len() * encoding.rows_per_part / end {
        for first in (0..end).step_by(step) {
            let rows = step.min(end - first);
            chunks.push(Chunk { slot, encoding, first_row: matrix * end + first, rows });
        }
    }
}

fn encode(chunk: &Chunk, unit: &Unit, out: &Output) -> Result<u64, Error> {
    let Encoding { columns, target, .. } = *chunk.encoding;
    let tensor = unit.tensor(chunk.encoding.parts[chunk.first_row / chunk.encoding.rows_per_part])?;
    let internal = |error: BlockError| Error::new(Kind::Other, error.to_string()).subject(tensor.name);
    let mut weights = vec![0.0; chunk.rows * columns];
    gather(chunk.encoding, unit, chunk.first_row, &mut weights)?;
    let row_bytes = target.row_bytes(columns as u64).map_err(internal)?;
    let mut bytes = vec![0; chunk.rows * row_bytes as usize];
    let importance = importance(chunk, unit, tensor.index)?;
    quantize_rows(target, &weights, columns, importance.as_deref(), &mut bytes).map_err(internal)?;
    if let Err(error) = validate_rows(target, &bytes) {
        let BlockError::NotFinite { block, .. } = error else { return Err(internal(error)) };
        let row = chunk.first_row + block * target.block_len() / columns;
        if target == BlockType::F16 {
            return Err(beyond_half(tensor, row));
        }
        let message =
            format!("`{}` has weights near row {row} that {} cannot scale: {error}", tensor.name, target.name());
        return Err(Error::new(Kind::CorruptInput, message).subject(tensor.name));
    }
    out.write(chunk.slot, chunk.first_row as u64 * row_bytes, &bytes)?;
    Ok(weights.len() as u64)
}

/// Mean squared activation per input channel, as llama.cpp's importance matrices hold it. An expert that calibration never
/// reached counts evenly.
fn importance(chunk: &Chunk, unit: &Unit, tensor: usize) -> Result<Option<Vec<f32>>, Error> {
    let Encoding { columns, rows_per_part, rows_per_matrix, weighting, .. } = *chunk.encoding;
    let first = match weighting {
        Weighting::None => return Ok(None),
        Weighting::Even => return Ok(Some(vec![1.0; columns])),
        Weighting::Offered { first } => first,
    };
    let expert = first.map(|first| first + (chunk.first_row % rows_per_part / rows_per_matrix) as u32);
    let Some(statistic) = unit.statistic_of(tensor, expert, StatisticKind::SumSquares) else {
        let message = format!("the statistics of tensor number {tensor} were offered and did not come");
        return Err(Error::new(Kind::MissingStatistics, message));
    };
    if statistic.values.len() != columns {
        let message = format!(
            "the statistics of tensor number {tensor} have {} channels, its rows have {columns}",
            statistic.values.len()
        );
        return Err(Error::new(Kind::MissingStatistics, message).hint("make the statistics from this very model"));
    }
    if let Some(bad) = statistic.values.iter().find(|value| !value.is_finite() || **value < 0.0) {
        let message = format!("the statistics of tensor number {tensor} hold {bad} where a sum of squares must be");
        return Err(Error::new(Kind::CorruptInput, message));
    }
    if statistic.count == 0 {
        return Ok(Some(vec![1.0; columns]));
    }
    let count = statistic.count as f32;
    Ok(Some(statistic.values.iter().map(|sum| sum / count).collect()))
}
