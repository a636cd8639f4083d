//! One unit: handed in as a whole or in parts, with its statistics, folded if the plan folds, its bytes collected in one sink.

use super::done::Done;
use super::fallback;
use super::flush::Told;
use super::services::{Held, UnitServices};
use super::sink::{Flushing, UnitSink};
use super::source::JobSource;
use super::stop::{self, Stop};
use super::tensors_of;
use super::units::{Round, UnitLoop};
use super::weights::Weights;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::fold::{Changes, Folded};
use crate::memory;
use crate::statistics::Handful;
use llmq_plugin_api::client::{SourceTensor, UnitInput};
use llmq_plugin_api::sdk;
use llmq_plugin_api::wire::UnitReport;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

impl UnitLoop<'_> {
    pub(super) fn unit(&self, unit: u32, round: &Round<'_>, told: &SyncSender<Told>) -> Result<Done, Stop> {
        self.services.check_cancelled()?;
        let began = Instant::now();
        let model = self.source.model();
        let id = &model.units[unit as usize].id;
        let tensors = tensors_of(model, unit);
        if !self.session.plan().refuses_non_finite {
            self.check_finite(self.source.weights(), &tensors, "")?;
        }
        let flushing = Flushing { unflushed: &round.unflushed, told };
        let sink = UnitSink::new(unit, self.session.plan(), model, self.partial, self.storage, flushing);
        let parts = self.statistics.map_or_else(|| vec![tensors.clone()], |measured| measured.parts(&tensors));
        let mut result = Ok(UnitReport::default());
        for part in &parts {
            let services = UnitServices::new(self.services, self.weights_of(part), round.failed);
            let found = self.part(unit, part, &services, &sink)?;
            let going_on = found.is_ok();
            result = result.and_then(|before| found.map(|after| joined(before, after)));
            if !going_on {
                break;
            }
            services.finished();
            self.statistics.iter().for_each(|measured| measured.written(part));
        }
        // The sink's own fault is the cause; what the backend made of it is only an echo.
        let done = match (result, sink.finish()) {
            (Ok(report), Ok(fed)) => Done { report, fed },
            (Ok(_), Err(fault)) => return Err(fault),
            (Err(error), Err(fault)) if error.message == fault.failure.message => return Err(fault),
            (Err(error), _) => return Err(stop::backend(self.plugin, id, error)),
        };
        fallback::accept(self.on_fallback, id, &done.report)?;
        self.source.weights().done_with(unit as usize, round.forget);
        for warning in &done.report.warnings {
            self.services.tell(Event::Warning(format!("{id}: {warning}")));
        }
        let memory = memory::usage();
        self.services.tell(Event::Detail(format!(
            "{id}: {} weights in {:.2} s; memory {} MiB anonymous, {} MiB mapped",
            self.weights_of(&tensors),
            began.elapsed().as_secs_f64(),
            memory.anonymous >> 20,
            memory.mapped >> 20
        )));
        Ok(done)
    }

    /// Some tensors of a unit, or all of them; what the backend itself refuses is the inner error.
    fn part(
        &self,
        unit: u32,
        tensors: &[usize],
        services: &UnitServices<'_>,
        sink: &UnitSink<'_>,
    ) -> Result<Result<UnitReport, sdk::Error>, Stop> {
        // Held until the part is done, and counted as long.
        let mut statistics = (None, Handful::default());
        if let Some(measured) = self.statistics {
            let grant = self.services.hold(measured.bytes(tensors, &self.kinds));
            let grant = grant.map_err(|error| Stop::resumable(error.into()))?;
            // What is finished is right whatever became of the files of the statistics.
            let values = measured.load(tensors, &self.kinds).map_err(Stop::resumable)?;
            statistics = (Some(grant), values);
        }
        let (changes, found, _held) = self.fold(unit, tensors, services, &mut statistics.1)?;
        let folded = JobSource::new(Box::new(Folded::new(self.source.weights(), &changes)));
        let source = if changes.is_empty() { self.source } else { &folded };
        let id = &self.source.model().units[unit as usize].id;
        let input = UnitInput { index: unit, id, tensors: views(source, tensors)?, statistics: statistics.1.views() };
        let report = self.session.quantize(services, source, &input, sink);
        Ok(report.map(|report| behind_folding(found, report)))
    }

    /// What folding makes of a unit: its changes, what the backend found, and the memory that it takes. Statistics become
    /// those of the folded model.
    fn fold(
        &self,
        unit: u32,
        tensors: &[usize],
        services: &UnitServices<'_>,
        statistics: &mut Handful<'_>,
    ) -> Result<(Changes, UnitReport, Option<Held<'_>>), Stop> {
        let Some(folding) = self.folding else { return Ok(Default::default()) };
        let id = &self.source.model().units[unit as usize].id;
        let input =
            UnitInput { index: unit, id, tensors: views(self.source, tensors)?, statistics: statistics.views() };
        let (changes, mut found) = folding.unit(services, &input)?;
        drop(input);
        let bytes = folding.bytes_of(unit).saturating_add(statistics.fold_bytes(&changes));
        let held = self.services.hold(bytes).map_err(|error| Stop::resumable(error.into()))?;
        for part in statistics.fold(&changes) {
            let name = &self.source.model().tensors[part.tensor as usize].name;
            found.warnings.push(format!(
                "statistics of all experts of `{name}` together are of no use behind scales that differ by expert"
            ));
        }
        if !self.session.plan().refuses_non_finite {
            let touched: Vec<usize> = tensors.iter().copied().filter(|tensor| changes.touch(*tensor)).collect();
            let folded = Folded::new(self.source.weights(), &changes);
            self.check_finite(&folded, &touched, " with scales folded in")?;
        }
        Ok((changes, found, Some(held)))
    }

    /// Refuses weights that are no finite numbers: every block they touch would be garbage.
    fn check_finite(&self, weights: &dyn Weights, tensors: &[usize], how: &str) -> Result<(), Failure> {
        let look = |index: &usize| Ok(weights.non_finite(*index)?.map(|place| (*index, place)));
        let found: Result<Vec<_>, Failure> = self.services.pool().install(|| tensors.par_iter().map(look).collect());
        let Some((index, place)) = found?.into_iter().flatten().next() else { return Ok(()) };
        let message = format!(
            "tensor `{}` is not usable{how}: row {}, column {} is {}",
            self.source.model().tensors[index].name,
            place.row,
            place.column,
            place.value
        );
        Err(Failure::new(Class::General, message).suggest("The model is damaged; download it again or ask its author."))
    }
}

/// Views of tensors as a source has them.
fn views<'s>(source: &'s JobSource<'_>, tensors: &[usize]) -> Result<Vec<SourceTensor<'s>>, Failure> {
    tensors.iter().map(|index| source.view(*index)).collect()
}

/// What a backend found before it quantized a unit and after; of figures with one name both are kept.
fn behind_folding(before: UnitReport, mut after: UnitReport) -> UnitReport {
    after.warnings.splice(0..0, before.warnings);
    for (name, figure) in before.figures {
        let name = if after.figures.contains_key(&name) { format!("fold_{name}") } else { name };
        after.figures.insert(name, figure);
    }
    after
}

/// Reports of two parts of a unit, whose figures are of different modules.
fn joined(mut before: UnitReport, after: UnitReport) -> UnitReport {
    before.warnings.extend(after.warnings);
    before.figures.extend(after.figures);
    before.fallbacks.extend(after.fallbacks);
    before
}
