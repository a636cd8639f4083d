//! What a unit needs: Gram matrices of its linear layers, and memory.

use super::Linear;
use crate::session::ROWS;
use llmq_plugin_api::wire::{ModelDescription, StatisticsNeed, UnitNeed};

/// Copies of a Gram matrix that factoring takes.
const SQUARES: u64 = 2;

/// The needs of all units that hold quantized matrices; no statistics if the weights alone are looked at.
pub fn units(description: &ModelDescription, linears: &[Linear], alone: bool) -> Vec<UnitNeed> {
    let mut units: Vec<UnitNeed> = Vec::new();
    for linear in linears {
        let unit = description.tensors[linear.tensor].unit;
        let at = units.iter().position(|need| need.unit == unit).unwrap_or_else(|| {
            units.push(UnitNeed {
                unit,
                scratch_bytes_per_thread: 0,
                scratch_bytes: 0,
                device_bytes: 0,
                statistics: Vec::new(),
                stages: Vec::new(),
            });
            units.len() - 1
        });
        let need = &mut units[at];
        need.scratch_bytes = need.scratch_bytes.max(whole(linear, alone));
        need.scratch_bytes_per_thread = need.scratch_bytes_per_thread.max(per_thread(linear));
        if !alone {
            need.statistics.push(StatisticsNeed { tensor: linear.tensor as u32, kinds: vec!["gram".into()] });
        }
    }
    units
}

/// A factor, and all codes and steps of a matrix: they are turned before they are written.
fn whole(linear: &Linear, alone: bool) -> u64 {
    let (rows, columns, groups) = (linear.rows as u64, linear.columns as u64, linear.groups as u64);
    let squares = if alone { 0 } else { SQUARES };
    squares * columns * columns * 4 + rows * columns + rows * groups * 8
}

/// Weights of a block of rows, the same compensated, their errors, and what they are rounded to; a run of packed codes.
fn per_thread(linear: &Linear) -> u64 {
    let (rows, columns) = (linear.rows as u64, linear.columns as u64);
    ROWS as u64 * columns * 16 + rows * 4 * u64::from(linear.settings.bits)
}
