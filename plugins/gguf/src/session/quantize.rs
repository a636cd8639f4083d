//! The work on one unit: chunks of rows on the host's threads, every chunk encoded in strips and written to its final
//! place.

use super::importance::Weighting;
use super::rows::{beyond_half, gather};
use super::scratch::Scratch;
use super::{Encoding, GgufSession, SlotWork, copy};
use llmq_ggml_blocks::{BlockError, BlockType, quantize_rows, validate_rows};
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, StatisticKind, Tensor, Unit};
use llmq_plugin_api::wire::UnitReport;
use std::sync::atomic::{AtomicU64, Ordering};

/// Weights of one chunk, which is written at once: large enough to make the overhead of a write vanish, small enough for
/// steady progress and hundreds of chunks per unit.
const CHUNK_WEIGHTS: usize = 128 * 1024;

/// Weights that are widened and encoded before the next ones are looked at: 64 KiB stay in the nearest caches.
const STRIP_WEIGHTS: usize = 16 * 1024;

/// Rows of one slot that are worked on together.
pub(super) struct Chunk<'s> {
    slot: usize,
    pub(super) encoding: &'s Encoding,
    first_row: usize,
    pub(super) rows: usize,
}

/// The same where columns of the source become rows: every chunk reads all source rows of its matrix, so there must be few.
const CROSSED_CHUNK_WEIGHTS: usize = 4 * 1024 * 1024;

/// Rows in a chunk, and of these in a strip.
fn rows_at_once(encoding: &Encoding) -> (usize, usize) {
    let rows = |weights: usize| (weights / encoding.columns.max(1)).max(1);
    match encoding.view.column_stride() > 1 {
        true => (rows(CROSSED_CHUNK_WEIGHTS), rows(CROSSED_CHUNK_WEIGHTS)),
        false => (rows(CHUNK_WEIGHTS), rows(STRIP_WEIGHTS)),
    }
}

/// Bytes that one thread needs for one chunk.
pub(super) fn scratch_bytes(encoding: &Encoding) -> u64 {
    let (chunk, strip) = rows_at_once(encoding);
    let most = encoding.rows_per_matrix.max(1);
    let row = encoding.target.row_bytes(encoding.columns as u64).unwrap_or(0);
    let of = |rows: usize, bytes: u64| (rows.min(most) as u64).saturating_mul(bytes);
    let columns = encoding.columns as u64;
    of(strip, columns * 4).saturating_add(of(chunk, row)).saturating_add(columns * 4)
}

pub(super) fn quantize(session: &GgufSession, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
    let mut chunks = Vec::new();
    let slots = session.plan.slots.iter().zip(&session.work).enumerate();
    for (slot, (_, work)) in slots.filter(|(_, (slot, _))| slot.unit as usize == unit.index) {
        match work {
            SlotWork::Derived(bytes) => out.write(slot, 0, bytes)?,
            SlotWork::Encode(encoding) => cut(slot, encoding, &mut chunks),
            SlotWork::Copy(tensor) => copy::copy(session, cx, slot, unit.tensor(*tensor)?, out)?,
        }
    }
    let total: u64 = chunks.iter().map(|chunk| (chunk.rows * chunk.encoding.columns) as u64).sum();
    let done = AtomicU64::new(0);
    cx.parallel_for(chunks.len(), |i| {
        let chunk = &chunks[i];
        let weights = session.shelf.lend(|scratch| encode(chunk, unit, scratch, out))?;
        cx.progress(done.fetch_add(weights, Ordering::Relaxed) + weights, total);
        Ok(())
    })?;
    Ok(UnitReport::default())
}

/// Chunks never cross the border between two matrices, so each has one source and one set of importance weights.
pub(super) fn cut<'s>(slot: usize, encoding: &'s Encoding, chunks: &mut Vec<Chunk<'s>>) {
    let (step, _) = rows_at_once(encoding);
    let end = encoding.rows_per_matrix.max(1);
    for matrix in 0..encoding.parts.len() * encoding.rows_per_part / end {
        for first in (0..end).step_by(step) {
            let rows = step.min(end - first);
            chunks.push(Chunk { slot, encoding, first_row: matrix * end + first, rows });
        }
    }
}

fn encode(chunk: &Chunk, unit: &Unit, scratch: &mut Scratch, out: &Output) -> Result<u64, Error> {
    let Encoding { columns, target, rows_per_part, .. } = *chunk.encoding;
    let tensor = unit.tensor(chunk.encoding.parts[chunk.first_row / rows_per_part])?;
    let internal = |error: BlockError| Error::new(Kind::Other, error.to_string()).subject(tensor.name);
    let row_bytes = target.row_bytes(columns as u64).map_err(internal)? as usize;
    let importance = importance(chunk, unit, tensor.index)?;
    let (_, strip) = rows_at_once(chunk.encoding);
    let (weights, bytes) = scratch.room(strip.min(chunk.rows) * columns, chunk.rows * row_bytes);
    for first in (0..chunk.rows).step_by(strip) {
        let rows = strip.min(chunk.rows - first);
        let (weights, bytes) = (&mut weights[..rows * columns], &mut bytes[first * row_bytes..][..rows * row_bytes]);
        let first_row = chunk.first_row + first;
        gather(chunk.encoding, unit, first_row, weights)?;
        quantize_rows(target, weights, columns, importance.as_deref(), bytes).map_err(internal)?;
        if let Err(error) = validate_rows(target, bytes) {
            let BlockError::NotFinite { block, .. } = error else { return Err(internal(error)) };
            return Err(unscalable(tensor, target, first_row + block * target.block_len() / columns, &error));
        }
    }
    out.write(chunk.slot, (chunk.first_row * row_bytes) as u64, bytes)?;
    Ok((chunk.rows * columns) as u64)
}

/// Weights near a row are finite, and their blocks are not.
fn unscalable(tensor: &Tensor, target: BlockType, row: usize, error: &BlockError) -> Error {
    if target == BlockType::F16 {
        return beyond_half(tensor, row);
    }
    let message = format!("`{}` has weights near row {row} that {} cannot scale: {error}", tensor.name, target.name());
    Error::new(Kind::CorruptInput, message).subject(tensor.name)
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
