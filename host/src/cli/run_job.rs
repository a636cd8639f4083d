//! Runs or plans a job: events to stderr while it lasts, its report to stdout at the end.

use super::{Narrator, Quantization, Screen, signals};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::job::{Checkpoints, Job};
use crate::report::{self, number};
use std::sync::Arc;

/// Runs a quantization, or shows its plan.
pub fn run(quantization: Quantization, screen: &Arc<Screen>) -> Result<(), Failure> {
    let Quantization { spec, backend, dry_run, .. } = quantization;
    let cancel = Cancel::default();
    signals::watch(&cancel, screen, spec.checkpoints != Checkpoints::Off)?;
    let narrator = Narrator::new(Arc::clone(screen));
    let job = Job::open(&spec, &backend.loaded.backend, &narrator, &cancel)?;
    if dry_run {
        let plan = job.plan_report();
        for warning in plan.warnings.iter().chain(&plan.obstacles) {
            screen.warning(warning);
        }
        return screen.result(&plan, || report::plan(&plan));
    }
    let done = job.run()?;
    screen.step(&format!("Complete: {} ({})", done.output_path.display(), number::bytes(done.file_size)));
    screen.result(&done, || report::job(&done))
}
