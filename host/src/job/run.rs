//! The run of an opened job, and what remains of it when it ends early.

use super::checkpoint::{Folder, Identity};
use super::done::Done;
use super::folding::Folding;
use super::journal::Journal;
use super::partial::{self, Lock, Partial};
use super::report::JobReport;
use super::resume::{self, Beginning};
use super::stop::{Stop, storage};
use super::units::UnitLoop;
use super::validate::{Validated, Validation};
use super::{Job, finish};
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::fold::Folded;
use std::collections::{BTreeMap, BTreeSet};

/// What the finished work tells the report.
pub(super) struct Outcome {
    pub done: BTreeMap<u32, Done>,
    pub resumed: usize,
    pub total: usize,
    pub validated: Option<Validated>,
}

/// How the job begins and where it keeps its progress.
pub(super) struct Progress {
    pub folder: Option<Folder>,
    pub identity: Option<Identity>,
    pub keep: bool,
}

impl Job<'_> {
    /// Quantizes, validates and gives the output its final name.
    pub fn run(mut self) -> Result<JobReport, Failure> {
        self.gather()?;
        let mut warnings = self.plan_warnings();
        let progress = self.begin(&mut warnings)?;
        let outcome = match self.finished_before(&progress).map_err(|stop| stop.failure)? {
            Some(outcome) => outcome,
            None => self.work(&progress, &mut warnings)?,
        };
        if let Some(folder) = &progress.folder
            && let Err(error) = folder.remove()
        {
            let warning = format!("the checkpoint folder `{}` could not be removed: {error}", folder.path.display());
            self.services.tell(Event::Warning(warning.clone()));
            warnings.push(warning);
        }
        Ok(self.report(outcome, warnings))
    }

    fn work(&self, progress: &Progress, warnings: &mut Vec<String>) -> Result<Outcome, Failure> {
        if let Some(obstacle) = self.preflight().obstacles().into_iter().next() {
            return Err(obstacle);
        }
        warnings.extend(self.replaced_note());
        for warning in warnings.iter() {
            self.services.tell(Event::Warning(warning.clone()));
        }
        let make = std::fs::create_dir_all(&self.target.dir);
        make.map_err(|e| storage("create the output folder", &self.target.dir, &e).failure)?;
        let _lock = Lock::take(&self.target, self.session.plan()).map_err(|stop| stop.failure)?;
        self.execute(progress).map_err(|stop| self.end_early(stop, progress))
    }

    /// Decides between a fresh start and going on.
    fn begin(&self, warnings: &mut Vec<String>) -> Result<Progress, Failure> {
        let Some(folder) = Folder::locate(&self.spec, &self.target)? else {
            return Ok(Progress { folder: None, identity: None, keep: false });
        };
        let plan = self.session.plan();
        let identity = self.identity()?;
        let keep = match resume::decide(&folder, &identity)? {
            Beginning::Fresh => {
                // A run killed while it removed its checkpoint left the rest of it. With a working file about, it may
                // be the beginning of another run instead. Nothing depends on whether this succeeds.
                if !self.target.is_growing(plan) {
                    let _ = folder.remove_job();
                }
                false
            }
            Beginning::Over(reason) => {
                warnings.push(reason);
                false
            }
            Beginning::Continue => true,
        };
        Ok(Progress { folder: Some(folder), identity: Some(identity), keep })
    }

    /// What decides the output's bytes.
    pub(super) fn identity(&self) -> Result<Identity, Failure> {
        let (plan, fingerprint) = (self.session.plan(), self.source.weights().fingerprint()?);
        // Of statistics that are gathered beside quantizing: of what decides them, for they are never there as a whole.
        let statistics = match self.calibration.as_ref().filter(|_| self.propagates()) {
            Some(prepared) => Some(prepared.checksum()),
            None => self.statistics.as_ref().map(|statistics| statistics.checksum()),
        };
        let output = self.target.output(plan);
        Ok(Identity::new(self.backend.descriptor(), fingerprint, output, plan, &self.request, statistics))
    }

    fn execute(&self, progress: &Progress) -> Result<Outcome, Stop> {
        let (plan, keep) = (self.session.plan(), progress.keep);
        if let Some(folder) = progress.folder.as_ref().filter(|_| !keep) {
            folder.reset()?;
        }
        let partial = Partial::open(&self.target, plan, keep, self.storage)?;
        partial.write_known(&self.session, keep, self.storage)?;
        let (mut journal, mut done) = (None, BTreeMap::new());
        let folding = self.folding(progress)?;
        let held = self.services.hold(self.folding_bytes().kept);
        let _held = held.map_err(|error| Stop::resumable(error.into()))?;
        if let (Some(folder), Some(identity)) = (&progress.folder, &progress.identity) {
            partial.sync(None, self.storage)?;
            if !keep {
                folder.write_identity(identity).map_err(Stop::resumable)?;
            }
            let (opened, lines) = Journal::open(&folder.journal()).map_err(Stop::resumable)?;
            let journalled = lines.len();
            done = resume::holding_units(lines, self.model(), &partial, self.services.pool())?;
            done.retain(|unit, _| folding.as_ref().is_none_or(|folding| folding.take_up(*unit)));
            journal = Some(opened);
            self.tell_resumed(keep, done.len(), journalled);
            self.accept(&done)?;
        }
        let units: BTreeSet<u32> = plan.slots.iter().map(|slot| slot.unit).collect();
        let todo: Vec<u32> = units.iter().copied().filter(|unit| !done.contains_key(unit)).collect();
        let (resumed, total) = (done.len(), units.len());
        let format = self.request.format.to_uppercase();
        self.services.tell(Event::Step(format!("Quantizing to {format} {}", self.level.id)));
        let growing = self.growing(&partial, done.keys().copied())?;
        let propagated = growing.as_ref().and_then(|growing| self.propagated(growing));
        let units = UnitLoop {
            session: &self.session,
            source: &self.source,
            statistics: match &propagated {
                Some(propagated) => Some(propagated),
                None => self.statistics.as_deref(),
            },
            kinds: self.wanted_kinds(),
            folding: folding.as_ref(),
            services: &self.services,
            partial: &partial,
            storage: self.storage,
            plugin: &self.backend.descriptor().id,
            side_by_side: self.preflight().side_by_side(),
            on_fallback: self.spec.on_fallback,
        };
        done.extend(units.run(&todo, (resumed, total), journal)?);
        partial.sync(None, self.storage)?;
        let validated = self.validate(&partial, &done, folding.as_ref())?;
        self.source.weights().check_unchanged()?;
        // A stop that was asked for up to here is honoured; past this point the output is as good as there.
        self.services.check_cancelled()?;
        drop(partial);
        finish::publish(&self.target, plan, self.storage)?;
        Ok(Outcome { done, resumed, total, validated })
    }

    /// Who folds, if the plan does.
    pub(super) fn folding(&self, progress: &Progress) -> Result<Option<Folding<'_>>, Stop> {
        let folder = progress.folder.as_ref().map(Folder::folds);
        let plugin = &self.backend.descriptor().id;
        Ok(Folding::of(&self.session, &self.source, &self.services, plugin, folder)?)
    }

    /// Reads the output back and compares it with the source, folded as it was.
    pub(super) fn validate(
        &self,
        partial: &Partial,
        done: &BTreeMap<u32, Done>,
        folding: Option<&Folding<'_>>,
    ) -> Result<Option<Validated>, Stop> {
        let descriptor = self.backend.descriptor();
        if !descriptor.format(&self.request.format).is_some_and(|format| format.can_read) {
            return Ok(None);
        }
        self.services.tell(Event::Step("Validating output...".into()));
        let changes = folding.map(Folding::take).unwrap_or_default();
        let validation = Validation {
            backend: self.backend,
            format: &self.request.format,
            level: &self.level,
            plan: self.session.plan(),
            source: &Folded::new(self.source.weights(), &changes),
            services: &self.services,
            fed: done.values().flat_map(|done| &done.fed).map(|(tensor, fed)| (*tensor, *fed)).collect(),
            measure_loss: self.measure_loss,
        };
        validation.run(partial).map(Some)
    }

    fn tell_resumed(&self, keep: bool, holding: usize, journalled: usize) {
        if keep {
            self.services.tell(Event::Step(format!("Continuing an earlier run: {holding} units are done")));
        }
        if journalled > holding {
            let text = format!("{} journalled units do not hold any more and are done again", journalled - holding);
            self.services.tell(Event::Warning(text));
        }
    }

    fn replaced_note(&self) -> Option<String> {
        let output = self.target.output(self.session.plan());
        let exists = std::fs::symlink_metadata(&output).is_ok();
        exists.then(|| format!("`{}` exists and is replaced once the new output is valid", output.display()))
    }

    /// Keeps what a later run can use, removes what it cannot, and says which.
    fn end_early(&self, stop: Stop, progress: &Progress) -> Failure {
        let Stop { mut failure, resumable } = stop;
        let plan = self.session.plan();
        let kept = progress.folder.as_ref().filter(|_| resumable);
        if let Some(folder) = kept {
            let path = folder.path.display();
            let resume = format!("Finished units are kept; continue with the same command and --resume {path}.");
            failure.suggestion = match failure.suggestion.as_str() {
                "" => resume,
                other => format!("{other} {resume}"),
            };
            return failure;
        }
        let cleaned = match failure.class {
            Class::ValidationFailed => finish::reject(&self.target, plan),
            _ => partial::discard(&self.target, plan),
        };
        let cleaned = cleaned.and_then(|()| progress.folder.as_ref().map_or(Ok(()), Folder::remove));
        if let Err(error) = cleaned {
            self.services.tell(Event::Warning(format!("the unfinished output could not be removed: {error}")));
        }
        if failure.class == Class::Interrupted {
            failure.suggestion = "Nothing is kept without checkpoints; start the same command again.".into();
        }
        failure
    }
}
