//! From a spec to a checked plan: everything that can be refused without touching the disk.

use super::choice::Chosen;
use super::gather::Kept;
use super::services::JobServices;
use super::source::JobSource;
use super::spec::JobSpec;
use super::storage::{Disk, Storage};
use super::target::Target;
use super::weights::Weights;
use super::{Job, propagate, requantize, request};
use crate::cancel::Cancel;
use crate::event::{Event, Observer};
use crate::failure::{Class, Failure};
use crate::memory::{self, Sampler};
use crate::model::Model;
use crate::statistics::{Measured, Supply};
use llmq_plugin_api::client::{Backend, Session};
use llmq_plugin_api::wire::{
    FormatDescriptor, Level, ModelDescription, Plan, Request, StatisticsNeed, StatisticsOffer,
};
use std::path::Path;
use std::time::Instant;

impl<'a> Job<'a> {
    /// Opens the model and has the backend plan. Nothing is written.
    pub fn open(
        spec: &JobSpec,
        backend: &'a Backend,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Job<'a>, Failure> {
        Job::open_source(spec, |path| Ok(Box::new(Model::open(path)?)), backend, observer, cancel)
    }

    /// Like [`Job::open`], for sources of any kind: `open` gets the spec's path.
    pub fn open_source(
        spec: &JobSpec,
        open: impl FnOnce(&Path) -> Result<Box<dyn Weights + 'a>, Failure>,
        backend: &'a Backend,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Job<'a>, Failure> {
        // What needs no model is refused first: a typo in the level should not wait for a network disk.
        let format = request::writable_format(backend.descriptor(), &spec.format)?;
        request::level(format, &spec.level, &spec.options, spec.statistics.as_ref().map(Supply::content))?;
        request::options(format, &spec.options)?;
        spec.choice.check(format)?;
        observer.event(Event::Step(format!("Loading model: {}", spec.model.display())));
        Job::open_with(spec, open(&spec.model)?, backend, observer, cancel, &Disk)
    }

    /// Like [`Job::open`], for weights from elsewhere and other storage.
    pub fn open_with(
        spec: &JobSpec,
        weights: Box<dyn Weights + 'a>,
        backend: &'a Backend,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
        storage: &'a dyn Storage,
    ) -> Result<Job<'a>, Failure> {
        let (started, sampler) = (Instant::now(), Sampler::start());
        let descriptor = backend.descriptor();
        let format = request::writable_format(descriptor, &spec.format)?;
        let level = request::level(format, &spec.level, &spec.options, spec.statistics.as_ref().map(Supply::content))?;
        request::options(format, &spec.options)?;
        backend.probe_device(&spec.device).map_err(|e| unusable_device(&spec.device, e))?;
        let source = JobSource::new(weights);
        let model = source.model();
        check_family(format, model)?;
        let layers = model.hyperparameters.layers;
        observer.event(Event::Step(format!("Architecture: {} ({layers} layers)", model.architecture)));
        for note in source.weights().notes() {
            observer.event(Event::Detail(note.clone()));
        }
        let target = Target::new(&spec.output_dir, spec.output_name.as_deref(), &model.name, &level.id, format)?;
        let budget = spec.memory_limit.map(|limit| limit.saturating_sub(memory::usage().anonymous));
        let services = JobServices::start(spec.threads, budget, &descriptor.id, &spec.device, observer, cancel)?;
        let calibration = match &spec.statistics {
            Some(Supply::Text(upfront)) => Some(upfront.prepare(&spec.model, observer, cancel)?),
            _ => None,
        };
        let text_warnings = calibration.iter().flat_map(|prepared| prepared.warnings()).cloned().collect();
        let statistics = match (&calibration, &spec.statistics) {
            (Some(prepared), _) => Some(prepared.predicted(&source)?),
            (None, Some(supply)) => supply.bind(&source)?,
            (None, None) => None,
        };
        for warning in statistics.iter().flat_map(|statistics| statistics.warnings()) {
            observer.event(Event::Warning(warning.clone()));
        }
        let planned = plan(spec, backend, (format, &level), &target, &services, &source, statistics.as_deref())?;
        let Planned { session, request, warnings } = planned;
        for note in &session.plan().notes {
            observer.event(Event::Detail(note.clone()));
        }
        let spec = spec.clone();
        Ok(Job {
            spec,
            level,
            request,
            target,
            backend,
            source,
            statistics,
            calibration,
            text_warnings,
            kept: Kept::Nowhere,
            session,
            services,
            storage,
            warnings,
            measure_loss: false,
            started,
            sampler,
        })
    }
}

/// A plan that was checked, and the request that led to it.
pub(super) struct Planned {
    pub session: Session,
    pub request: Request,
    pub warnings: Vec<String>,
}

/// Has the backend plan with these statistics.
pub(super) fn plan(
    spec: &JobSpec,
    backend: &Backend,
    (format, level): (&FormatDescriptor, &Level),
    target: &Target,
    services: &JobServices<'_>,
    source: &JobSource<'_>,
    statistics: Option<&dyn Measured>,
) -> Result<Planned, Failure> {
    let request = Request {
        format: format.id.clone(),
        level: level.id.clone(),
        stem: target.stem.clone(),
        options: request::options(format, &spec.options)?,
        device: spec.device.clone(),
        statistics: statistics.map(|statistics| statistics.offers()).unwrap_or_default(),
        encodings: Default::default(),
        creator: spec.creator.clone(),
        statistics_origin: statistics.map(|statistics| statistics.origin().clone()),
        later_layers_see: spec.statistics.as_ref().map(Supply::later_layers_see).unwrap_or_default(),
    };
    let Chosen { session, request, mut warnings } = spec.choice.open(backend, format, services, source, request)?;
    propagate::check(request.later_layers_see, format, session.plan(), &backend.descriptor().id)?;
    if statistics.is_some() && !level.later_layers_see.is_original() && request.later_layers_see.is_original() {
        warnings.push(format!(
            "level {} is meant for statistics behind layers that are quantized already; these are of the original model",
            level.id
        ));
    }
    check_plan(session.plan(), source.model(), target, &backend.descriptor().id, &request.statistics)?;
    requantize::check(session.plan(), source.weights(), spec.allow_requantize)?;
    Ok(Planned { session, request, warnings })
}

fn unusable_device(device: &str, error: llmq_plugin_api::sdk::Error) -> Failure {
    let message = format!("device `{device}` cannot be used: {}", error.message);
    let hint = if error.hint.is_empty() { "Use --device cpu.".to_owned() } else { error.hint };
    Failure::new(Class::InvalidArguments, message).suggest(hint)
}

/// Refuses models of families that a format cannot hold.
pub fn check_family(format: &FormatDescriptor, model: &ModelDescription) -> Result<(), Failure> {
    let own = model.stored_as.as_ref() == Some(&format.id);
    if own || format.families.is_empty() || format.families.contains(&model.family) {
        return Ok(());
    }
    let message =
        format!("format `{}` cannot hold models of family `{}` ({})", format.id, model.family, model.architecture);
    Err(Failure::new(Class::General, message).suggest(format!("It holds: {}.", format.families.join(", "))))
}

pub(super) fn unsound(plugin: &str, problem: &str) -> Failure {
    let message = format!("plugin `{plugin}` made a plan that is not sound: {problem}");
    Failure::new(Class::General, message).suggest("This is a defect of the plugin; please report it to its author.")
}

fn check_plan(
    plan: &Plan,
    model: &ModelDescription,
    target: &Target,
    plugin: &str,
    offers: &[StatisticsOffer],
) -> Result<(), Failure> {
    let unsound = |problem: String| unsound(plugin, &problem);
    plan.check(model.units.len(), model.tensors.len()).map_err(|fault| unsound(fault.to_string()))?;
    target.check(plan).map_err(|failure| unsound(failure.message))?;
    let offered = |need: &StatisticsNeed| {
        let of_tensor = || offers.iter().filter(|offer| offer.tensor == need.tensor);
        need.kinds.iter().all(|wanted| of_tensor().any(|offer| offer.kinds.contains(wanted)))
    };
    match plan.units.iter().find(|unit| !unit.statistics.iter().all(offered)) {
        Some(unit) => Err(unsound(format!("unit {} needs statistics that were not offered", unit.unit))),
        None => Ok(()),
    }
}
