//! Jobs that begin with a calibration: gathered beside the checkpoint, then planned anew with what was seen.

use super::checkpoint::Folder;
use super::open::plan;
use super::{Job, request, resume};
use crate::calibrate::Prepared;
use crate::event::Event;
use crate::failure::{Class, Failure};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where the statistics lie while the job runs.
pub(super) enum Kept {
    /// In memory.
    Nowhere,
    /// In the checkpoint's folder: a stopped job goes on with the layers that are there.
    Checkpoint(PathBuf),
    /// In a folder that goes when the job ends.
    Temporary(TempDir),
}

impl Kept {
    fn path(&self) -> Option<&Path> {
        match self {
            Kept::Nowhere => None,
            Kept::Checkpoint(path) => Some(path),
            Kept::Temporary(folder) => Some(folder.path()),
        }
    }
}

impl Job<'_> {
    /// Gathers the statistics that the plan counted on.
    pub(super) fn gather(&mut self) -> Result<(), Failure> {
        let propagates = self.propagates();
        let Some(prepared) = self.calibration.take_if(|_| !propagates) else {
            self.text_warnings.iter().for_each(|warning| self.services.tell(Event::Warning(warning.clone())));
            return Ok(());
        };
        // What stands in the way of the job stands in the way now, not after the calibration.
        if let Some(obstacle) = self.preflight().obstacles().into_iter().next() {
            return Err(obstacle);
        }
        self.text_warnings.iter().for_each(|warning| self.services.tell(Event::Warning(warning.clone())));
        self.kept = self.room_for(&prepared)?;
        let (services, path) = (self.services.of_pass(), self.kept.path());
        let calibrated = prepared.gather(path, self.spec.memory_limit, &services).map_err(|f| self.interrupted(f))?;
        let statistics = prepared.measured(&calibrated, path, &self.source)?;
        drop((prepared, calibrated));
        for warning in statistics.warnings() {
            self.services.tell(Event::Warning(warning.clone()));
        }
        let format = request::writable_format(self.backend.descriptor(), &self.spec.format)?;
        let target = &self.target;
        let (services, source) = (&self.services, &self.source);
        let planned =
            plan(&self.spec, self.backend, (format, &self.level), target, services, source, Some(&*statistics))?;
        self.statistics = Some(statistics);
        (self.session, self.request, self.warnings) = (planned.session, planned.request, planned.warnings);
        Ok(())
    }

    fn room_for(&self, prepared: &Prepared) -> Result<Kept, Failure> {
        let unusable = |path: &Path, error: &std::io::Error| {
            Failure::new(Class::Checkpoint, format!("cannot use `{}` for statistics: {error}", path.display()))
                .suggest("Choose another --checkpoint-dir or --output-dir.")
        };
        let Some(folder) = Folder::locate(&self.spec, &self.target)? else {
            if prepared.is_small() {
                return Ok(Kept::Nowhere);
            }
            // Beside the output, where there is room for large files: the system's own folder for such is often memory.
            let dir = &self.target.dir;
            std::fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
            let made = tempfile::Builder::new().prefix(".llmq-statistics-").tempdir_in(dir);
            return Ok(Kept::Temporary(made.map_err(|error| unusable(dir, &error))?));
        };
        resume::refuse_other(&folder, &self.identity()?)?;
        let path = folder.statistics();
        std::fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        if let Some(difference) = prepared.continues(&path)? {
            let shown = path.display();
            if folder.demanded {
                let message = format!("the statistics in the checkpoint `{shown}` belong to another job: {difference}");
                let hint = "Undo the change to go on, or leave --resume out to start from the beginning.";
                return Err(Failure::new(Class::Checkpoint, message).suggest(hint));
            }
            let words = format!("the statistics in `{shown}` belong to another job ({difference}); they are replaced");
            self.services.tell(Event::Warning(words));
            std::fs::remove_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        }
        Ok(Kept::Checkpoint(path))
    }

    /// What a calibration that ended early left, as the next step.
    fn interrupted(&self, mut failure: Failure) -> Failure {
        let step = match (&self.kept, failure.class) {
            (Kept::Checkpoint(path), _) => {
                let folder = path.parent().unwrap_or(path).display();
                format!("Finished layers are kept; continue with the same command and --resume {folder}.")
            }
            (_, Class::Interrupted) => "Nothing is kept without checkpoints; start the same command again.".to_owned(),
            _ => return failure,
        };
        failure.suggestion = match failure.suggestion.as_str() {
            "" => step,
            other => format!("{} {step}", other.trim_end_matches('.').to_owned() + "."),
        };
        failure
    }
}
