//! What a unit needs: Gram matrices of its linear layers, and memory.

use super::Linear;
use crate::session::ROWS;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Request, StatisticsNeed, StatisticsOffer, UnitNeed};

/// Copies of a Gram matrix that factoring takes.
const SQUARES: u64 = 2;

/// The needs of all units that hold quantized matrices.
pub fn units(description: &ModelDescription, linears: &[Linear]) -> Vec<UnitNeed> {
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
        need.scratch_bytes = need.scratch_bytes.max(whole(linear));
        need.scratch_bytes_per_thread = need.scratch_bytes_per_thread.max(per_thread(linear));
        need.statistics.push(StatisticsNeed { tensor: linear.tensor as u32, kinds: vec!["gram".into()] });
    }
    units
}

/// Refuses a job without any Gram matrix; a sentence about matrices that will have none.
pub fn unseen(linears: &[Linear], request: &Request) -> Result<Option<String>, Error> {
    let is_offered = |linear: &&Linear| {
        let of = |offer: &StatisticsOffer| offer.tensor as usize == linear.tensor && !offer.unseen;
        request.statistics.iter().any(|offer| of(offer) && offer.kinds.iter().any(|kind| kind == "gram"))
    };
    let without: Vec<&Linear> = linears.iter().filter(|linear| !is_offered(linear)).collect();
    let Some(first) = without.first() else { return Ok(None) };
    if without.len() == linears.len() {
        let message = format!("none of the {} matrices has the Gram matrix of its input", linears.len());
        let hint = "gather them with `analyze --gram --statistics DIR`, or give --calibration-data";
        return Err(Error::new(Kind::MissingStatistics, message).hint(hint));
    }
    let (count, all) = (without.len(), linears.len());
    Ok(Some(format!(
        "{count} of {all} matrices have no Gram matrix and will be rounded to nearest, first {}",
        first.module
    )))
}

/// A factor, and all codes and steps of a matrix: they are turned before they are written.
fn whole(linear: &Linear) -> u64 {
    let (rows, columns, groups) = (linear.rows as u64, linear.columns as u64, linear.groups as u64);
    SQUARES * columns * columns * 4 + rows * columns + rows * groups * 8
}

/// Weights of a block of rows, the same compensated, their errors, and what they are rounded to; a run of packed codes.
fn per_thread(linear: &Linear) -> u64 {
    let (rows, columns) = (linear.rows as u64, linear.columns as u64);
    ROWS as u64 * columns * 16 + rows * 4 * u64::from(linear.settings.bits)
}
