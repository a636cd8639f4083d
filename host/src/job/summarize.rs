//! From the outcome of a run to its report.

use super::report::{JobReport, Metadata, PluginReport, TensorCounts, UnitCounts};
use super::run::Outcome;
use super::{Job, plan_report};
use serde_json::{Map, Value};

impl Job<'_> {
    /// The report of a finished job. `warnings` are those from before the units.
    pub(super) fn report(&self, outcome: Outcome, mut warnings: Vec<String>) -> JobReport {
        let plan = self.session.plan();
        let model = self.model();
        let (mut figures, mut fallbacks) = (Map::new(), Vec::new());
        for (unit, done) in outcome.done {
            let report = done.report;
            let id = &model.units[unit as usize].id;
            warnings.extend(report.warnings.iter().map(|warning| format!("{id}: {warning}")));
            if !report.figures.is_empty() {
                figures.insert(id.clone(), Value::Object(report.figures));
            }
            fallbacks.extend(report.fallbacks);
        }
        let validation_status = if outcome.validated.is_some() { "valid" } else { "unchecked" };
        warnings.splice(0..0, self.text_warnings.iter().cloned());
        let validated = outcome.validated.unwrap_or_default();
        warnings.extend(validated.warnings);
        let peaks = self.sampler.peaks();
        let descriptor = self.backend.descriptor();
        let planned = plan_report::tensors(plan, model);
        JobReport {
            status: "success",
            output_path: self.target.output(plan),
            format: self.request.format.clone(),
            quantization_level: self.level.id.clone(),
            file_size: plan.total_bytes(),
            compression_ratio: self.compression_ratio(),
            duration_seconds: self.started.elapsed().as_secs_f64(),
            peak_memory_bytes: peaks.resident,
            validation_status,
            metadata: Metadata::new(model, self.source.weights().source_bytes()),
            files: self.target.final_files(plan),
            bits_per_weight: plan_report::bits_per_weight(plan),
            memory: peaks.into(),
            threads: self.services.pool().current_num_threads(),
            units: UnitCounts { total: outcome.total, resumed: outcome.resumed },
            plugin: PluginReport { id: descriptor.id.clone(), version: descriptor.version.clone() },
            tensor_counts: TensorCounts::new(&planned, &validated.tensors, fallbacks.len()),
            fallbacks,
            max_relative_error: validated.tensors.iter().map(|t| t.relative_error).max_by(f64::total_cmp),
            tensors: validated.tensors,
            loss: validated.loss,
            figures,
            statistics: self.statistics.as_ref().map(|statistics| statistics.origin().clone()),
            later_layers_see: self.later_layers_see(),
            warnings,
        }
    }
}
