//! One quantization: from a model folder and a backend to a valid file under its final name, or to nothing there.
//!
//! The order of events is what makes a job safe to kill anywhere. Space is claimed first, then `job.json` says what
//! the job is; a unit's bytes are flushed before its journal line is written, and the line before the next is trusted;
//! the final name is given last, to files that were flushed and read back. Whatever is missing at a restart is merely
//! done again.

mod budget;
mod checkpoint;
mod choice;
mod coverage;
mod done;
mod fallback;
mod finish;
mod finished;
mod flush;
mod folding;
mod gather;
mod journal;
mod loss;
mod open;
mod overlay;
mod partial;
mod plan_report;
mod preflight;
mod propagate;
mod report;
mod requantize;
mod request;
mod resume;
mod run;
mod sample;
mod services;
mod sink;
mod source;
mod spec;
mod stop;
mod storage;
mod summarize;
mod target;
mod unflushed;
mod unit;
mod units;
mod validate;
mod weights;
mod written;

pub use choice::Choice;
pub use fallback::OnFallback;
pub use loss::{Loss, WorstTensor};
pub use open::check_family;
pub use overlay::Overlay;
pub use plan_report::{PlanReport, PlannedFile, PlannedTensor};
pub use preflight::Needs;
pub use report::{JobReport, MemoryReport, Metadata, PluginReport, TensorCounts, UnitCounts};
pub use requantize::Reencoded;
pub use services::{JobServices, MAX_THREADS};
pub use source::JobSource;
pub use spec::{Checkpoints, JobSpec};
pub use storage::{Disk, Storage};
pub use validate::TensorCheck;
pub use weights::Weights;

use crate::calibrate::Prepared;
use crate::failure::Failure;
use crate::fold;
use crate::memory::Sampler;
use crate::network::network;
use crate::plan_file;
use crate::statistics::Measured;
use llmq_plugin_api::client::{Backend, Session};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{Level, ModelDescription, Request, SeenByLaterLayers};
use std::collections::BTreeMap;
use std::time::Instant;

/// Indices of the tensors of a unit.
fn tensors_of(model: &ModelDescription, unit: u32) -> Vec<usize> {
    (0..model.tensors.len()).filter(|index| model.tensors[*index].unit == unit).collect()
}

/// An opened job: model, backend and checked plan. Nothing was written yet.
pub struct Job<'a> {
    spec: JobSpec,
    level: Level,
    request: Request,
    target: target::Target,
    backend: &'a Backend,
    source: JobSource<'a>,
    statistics: Option<Box<dyn Measured>>,
    /// The job's own calibration; its statistics are only predicted yet. Gone once they are gathered, and kept to the end
    /// where that and quantizing take turns.
    calibration: Option<Prepared>,
    /// What is odd about its text.
    text_warnings: Vec<String>,
    /// Where its statistics are.
    kept: gather::Kept,
    session: Session,
    services: JobServices<'a>,
    storage: &'a dyn Storage,
    warnings: Vec<String>,
    measure_loss: bool,
    started: Instant,
    sampler: Sampler,
}

impl Job<'_> {
    /// The model.
    pub fn model(&self) -> &ModelDescription {
        self.source.model()
    }

    /// Also compares every weight of the finished output with the source's, for [`JobReport::loss`].
    pub fn measuring_loss(mut self) -> Self {
        self.measure_loss = true;
        self
    }

    /// Tensors that are quantized already and lose something a second time.
    pub fn reencoded(&self) -> Vec<Reencoded> {
        requantize::losing(self.session.plan(), self.source.weights())
    }

    /// What the backend was asked to plan.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What this job would do, with everything that would stop it now.
    pub fn plan_report(&self) -> PlanReport {
        let plan = self.session.plan();
        let preflight = self.preflight();
        let path = |(path, bytes)| PlannedFile { path, bytes };
        PlanReport {
            status: "planned",
            output_path: self.target.output(plan),
            format: self.request.format.clone(),
            quantization_level: self.level.id.clone(),
            file_size: plan.total_bytes(),
            compression_ratio: self.compression_ratio(),
            bits_per_weight: plan_report::bits_per_weight(plan),
            files: self
                .target
                .final_files(plan)
                .into_iter()
                .zip(plan.files.iter().map(|f| f.bytes))
                .map(path)
                .collect(),
            tensors: plan_report::tensors(plan, self.model()),
            dropped: plan.dropped.clone(),
            needs: preflight.needs(),
            obstacles: plan_report::sentences(&preflight.obstacles()),
            warnings: [&self.text_warnings[..], &self.plan_warnings()].concat(),
            notes: plan.notes.clone(),
            statistics: self.statistics.as_ref().map(|statistics| statistics.origin().clone()),
            later_layers_see: self.later_layers_see(),
        }
    }

    /// The text of a plan file for this job.
    pub fn plan_file(&self) -> Result<String, Failure> {
        let content = self.source.weights().fingerprint()?.content;
        Ok(plan_file::write(&self.request, self.session.plan(), self.model(), &content))
    }

    /// What is odd about the job before it runs.
    fn plan_warnings(&self) -> Vec<String> {
        let folding = self.session.plan().folds.then(|| folding::warning(self.model())).flatten();
        [&self.warnings[..], &self.session.plan().warnings, folding.as_slice()].concat()
    }

    fn preflight(&self) -> preflight::Preflight<'_> {
        preflight::Preflight {
            plan: self.session.plan(),
            target: &self.target,
            model: &self.spec.model,
            inputs: self.source.weights().inputs(),
            threads: self.services.pool().current_num_threads(),
            concurrent_units: if self.propagates() { 1 } else { self.backend.descriptor().concurrent_units as usize },
            statistics: self.statistics_bytes(),
            folding: self.folding_bytes(),
            memory_limit: self.spec.memory_limit,
            overwrite: self.spec.overwrite,
            storage: self.storage,
        }
    }

    /// Kinds of statistics that are handed in: those of the level, and those that the plan asks for.
    fn wanted_kinds(&self) -> Vec<StatisticKind> {
        let needs = self.session.plan().units.iter().flat_map(|unit| &unit.statistics).flat_map(|need| &need.kinds);
        let words = self.level.requires_statistics.iter().chain(&self.level.uses_statistics).chain(needs);
        let mut kinds: Vec<StatisticKind> = Vec::new();
        for kind in words.filter_map(|word| StatisticKind::from_word(word)) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// Whether calibrating and quantizing take turns.
    fn propagates(&self) -> bool {
        !self.request.later_layers_see.is_original()
    }

    /// What the layers before were, or will be, when a layer was calibrated; `None` without statistics.
    fn later_layers_see(&self) -> Option<SeenByLaterLayers> {
        self.statistics.as_ref().map(|_| self.request.later_layers_see)
    }

    /// Bytes of the statistics of every unit while it is at work.
    pub fn statistics_bytes(&self) -> BTreeMap<u32, u64> {
        let Some(statistics) = &self.statistics else { return BTreeMap::new() };
        let (kinds, model) = (self.wanted_kinds(), self.model());
        // What is gathered beside quantizing is there as sums while it becomes what is handed in.
        let copies = if self.propagates() { 2 } else { 1 };
        let bytes = |unit: u32| (unit, statistics.bytes(&tensors_of(model, unit), &kinds).saturating_mul(copies));
        (0..model.units.len() as u32).map(bytes).collect()
    }

    /// What folding takes of memory.
    fn folding_bytes(&self) -> preflight::FoldingNeeds {
        if !self.session.plan().folds {
            return Default::default();
        }
        let by_unit = folding::bytes(self.model());
        // Kept for all units until the output was compared with the folded model.
        let kept = by_unit.values().copied().fold(0, u64::saturating_add);
        let comparisons = network(self.model()).map(|network| {
            let of_unit = |unit: &u32| {
                let layer =
                    self.model().units[*unit as usize].layer.and_then(|layer| network.layers.get(layer as usize));
                layer.map_or(0, fold::comparison_bytes)
            };
            by_unit.keys().map(|unit| (*unit, of_unit(unit))).collect()
        });
        preflight::FoldingNeeds { kept, by_unit, comparisons: comparisons.unwrap_or_default() }
    }

    fn compression_ratio(&self) -> f64 {
        self.session.plan().total_bytes() as f64 / self.source.weights().source_bytes().max(1) as f64
    }
}
