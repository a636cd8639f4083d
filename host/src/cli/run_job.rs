//! Runs or plans a job: events to stderr while it lasts, its report to stdout at the end.

use super::model_path::Place;
use super::signals::{Stopping, Watch};
use super::{Narrator, Quantization, Screen};
use crate::cancel::Cancel;
use crate::event::Silent;
use crate::failure::Failure;
use crate::hub::Extent;
use crate::job::{Checkpoints, Job, JobReport, JobSpec, PlanReport};
use crate::plan_file;
use crate::plugins::discover;
use crate::report::{self, number};
use crate::statistics::Supply;
use crate::stored;
use std::path::Path;
use std::sync::Arc;

/// Runs a quantization, or shows its plan.
pub fn run(quantization: Quantization, screen: &Arc<Screen>) -> Result<(), Failure> {
    let Quantization { place, mut spec, backend, dry_run, save_plan, report: file, search, .. } = quantization;
    save_plan.iter().try_for_each(|path| plan_file::check_place(path, spec.overwrite))?;
    let cancel = Cancel::default();
    let watch = Watch::start(&cancel, screen, Stopping::Download)?;
    let narrator = Narrator::new(Arc::clone(screen));
    if let Place::Hub(id) = &place {
        screen.step(&format!("Looking at {id} on the Hub"));
        // All that can be wrong with level, options, family and shapes shows before hours of downloading.
        let headers = place.reach(Extent::Headers, &Silent, &cancel)?;
        let (model, choice) = (headers.path().to_owned(), spec.choice.for_headers());
        let statistics = spec.statistics.as_ref().map(Supply::for_headers);
        let rehearsal = JobSpec { model, choice, statistics, ..spec.clone() };
        Job::open(&rehearsal, &backend.loaded.backend, &Silent, &cancel)?;
    }
    let model = place.reach(Extent::Whole, &narrator, &cancel)?;
    spec.model = model.path().to_owned();
    watch.now(if spec.checkpoints == Checkpoints::Off { Stopping::Lost } else { Stopping::Resumable });
    let open = |path: &Path| stored::open(path, &spec.format, &discover(&search));
    let job = Job::open_source(&spec, open, &backend.loaded.backend, &narrator, &cancel)?;
    if let Some(path) = &save_plan {
        plan_file::save(path, &job.plan_file()?, spec.overwrite)?;
    }
    if dry_run || save_plan.is_some() {
        let plan = job.plan_report();
        odd(&plan, screen);
        screen.result(&plan, || report::plan(&plan))?;
        save_plan.iter().for_each(|path| screen.step(&format!("Plan written: {}", path.display())));
        return Ok(());
    }
    let done = job.run()?;
    complete(&done, screen);
    // After the result is safe: a full disk beside it must not cost it.
    file.iter().try_for_each(|file| file.write(&done))?;
    screen.result(&done, || report::job(&done))
}

/// Tells what is odd about a plan, and what is in its way.
pub(super) fn odd(plan: &PlanReport, screen: &Screen) {
    for warning in plan.warnings.iter().chain(&plan.obstacles) {
        screen.warning(warning);
    }
}

/// Tells where the output is.
pub(super) fn complete(done: &JobReport, screen: &Screen) {
    screen.step(&format!("Complete: {} ({})", done.output_path.display(), number::bytes(done.file_size)));
}
