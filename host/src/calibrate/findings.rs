//! What a calibration shows: figures of every tensor, outlier channels, coverage of experts.

use super::{Calibrated, Importance};
use crate::failure::{Class, Failure};
use crate::statistics::{Origin, figures, gathered};
use llmq_calibration::{Entry, Record};
use llmq_measure::findings::{
    ChannelOutliers, ExpertCoverage, OUTLIER_RATIO, TensorFigures, expert_coverage, outlier_channels,
};
use llmq_plugin_api::wire::{Role, StatisticsName, StatisticsPart, TensorDescription};

/// Figures of every linear layer, under Hugging Face's names.
pub fn tensor_figures(tensors: &[TensorDescription], calibrated: &Calibrated) -> Vec<TensorFigures> {
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    named_figures(&names, &calibrated.importance)
}

/// Figures of the tensors of these names, which `importance` knows by their places.
pub fn named_figures(names: &[&str], importance: &Importance) -> Vec<TensorFigures> {
    let name = |(index, name): (usize, &&str)| StatisticsName {
        name: name.strip_suffix(".weight").unwrap_or(name).to_owned(),
        columns: importance.columns(index as u32) as u64,
        parts: importance.parts(index as u32),
    };
    let names: Vec<StatisticsName> = names.iter().enumerate().map(name).collect();
    let origin = Origin { datasets: Vec::new(), chunk_size: 1, chunks: 0 };
    let table = gathered(&names, origin, |part: StatisticsPart| importance.of(part));
    figures(&table)
}

/// Outlier channels of everything that arrives at linear layers without experts.
pub fn outliers(calibrated: &Calibrated) -> Result<Vec<ChannelOutliers>, Failure> {
    let mut all = Vec::new();
    for (layer, entry) in calibrated.entries.iter().filter(|(_, entry)| !entry.routed) {
        let (Some(record), Some(source)) = (entry.records.first(), entry.sources.first()) else { continue };
        let Some(largest) = record.max_abs() else { continue };
        let refused = |e: llmq_measure::findings::FindingError| Failure::new(Class::General, e.to_string());
        all.push(outlier_channels(&source.tensor, *layer, &largest, &rms(record), OUTLIER_RATIO).map_err(refused)?);
    }
    Ok(all)
}

fn rms(record: &Record) -> Vec<f64> {
    let tokens = record.tokens.max(1) as f64;
    record.sum_squares.iter().map(|sum| (sum / tokens).sqrt()).collect()
}

/// How many tokens each expert saw, layer by layer.
pub fn experts(calibrated: &Calibrated, tokens: u64) -> Vec<ExpertCoverage> {
    let arriving = [Role::ExpertGate, Role::ExpertGateUp, Role::ExpertUp].map(|role| role.as_str().to_owned());
    let routed = |(layer, entry): &(Option<u32>, Entry)| {
        let counts: Vec<u64> = entry.records.iter().map(|record| record.tokens).collect();
        (entry.routed && arriving.contains(&entry.feed)).then_some(())?;
        Some(expert_coverage((*layer)?, tokens, &counts))
    };
    calibrated.entries.iter().filter_map(routed).collect()
}
