//! One planned job: quantizes a unit's tensors, a block of rows at a time, on the host's threads.

use crate::layout::{Layout, Place};
use crate::row;
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Session, StatisticKind, Tensor, Unit};
use llmq_plugin_api::wire::{Plan, UnitReport};
use std::sync::atomic::{AtomicU64, Ordering};

/// Weights per block: small enough to answer a cancellation at once, large enough to hide the cost of a call.
const BLOCK_WEIGHTS: usize = 64 << 10;

/// A planned job.
pub struct Int8Session {
    /// The plan and what goes with it.
    pub layout: Layout,
    /// The `clip` option.
    pub clip: f32,
}

impl Session for Int8Session {
    fn plan(&self) -> &Plan {
        &self.layout.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        match self.layout.literals.get(index) {
            Some(bytes) if bytes.len() == out.len() => out.copy_from_slice(bytes),
            _ => return Err(Error::new(Kind::Other, format!("there is no literal {index} of {} bytes", out.len()))),
        }
        Ok(())
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        let total: usize = unit.tensors.iter().map(|t| t.rows() * t.columns()).sum();
        let done = AtomicU64::new(0);
        for tensor in &unit.tensors {
            let Some(place) = self.layout.places.get(tensor.index) else {
                return Err(Error::new(Kind::Other, format!("tensor {} was not planned", tensor.index)));
            };
            let importance = importance(unit, tensor);
            let rows = (BLOCK_WEIGHTS / tensor.columns().max(1)).max(1);
            cx.parallel_for(tensor.rows().div_ceil(rows), |block| {
                let first = block * rows;
                let count = rows.min(tensor.rows() - first);
                self.block(tensor, place, importance, first, count, out)?;
                let weights = (count * tensor.columns()) as u64;
                cx.progress(done.fetch_add(weights, Ordering::Relaxed) + weights, total as u64);
                Ok(())
            })?;
        }
        Ok(UnitReport::default())
    }
}

/// The sum of squares of each input, if calibration has measured it for exactly this row length.
fn importance<'a>(unit: &Unit<'a>, tensor: &Tensor) -> Option<&'a [f32]> {
    let statistic = unit.statistic(tensor.index, StatisticKind::SumSquares)?;
    (statistic.count > 0 && statistic.values.len() == tensor.columns()).then_some(statistic.values)
}

impl Int8Session {
    fn block(
        &self,
        tensor: &Tensor,
        place: &Place,
        importance: Option<&[f32]>,
        first: usize,
        count: usize,
        out: &Output,
    ) -> Result<(), Error> {
        let columns = tensor.columns();
        let mut rows = vec![0f32; count * columns];
        tensor.read_rows(first, &mut rows)?;
        if let Some(at) = rows.iter().position(|w| !w.is_finite()) {
            let message = format!("tensor `{}` holds {} at weight {}", tensor.name, rows[at], first * columns + at);
            return Err(Error::new(Kind::CorruptInput, message).subject(tensor.name));
        }
        let start = (first * columns) as u64;
        let Some(scale_slot) = place.scales else {
            let bytes: Vec<u8> = rows.iter().flat_map(|w| w.to_le_bytes()).collect();
            return out.write(place.values, start * 4, &bytes);
        };
        let mut codes = Vec::with_capacity(rows.len());
        let mut scales = Vec::with_capacity(count * 4);
        for weights in rows.chunks_exact_mut(columns.max(1)) {
            let scale = row::choose_scale(weights, importance, self.clip);
            scales.extend(scale.to_le_bytes());
            for weight in weights {
                let code = row::encode(*weight, scale);
                codes.push(code as u8);
                *weight = row::decode(code, scale);
            }
        }
        out.write(place.values, start, &codes)?;
        out.write(scale_slot, first as u64 * 4, &scales)?;
        out.feedback(tensor.index, first, &rows)
    }
}
