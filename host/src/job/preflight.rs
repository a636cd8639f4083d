//! Everything that can be known to fail before the long work: place, permission, disk, memory.

use super::partial::claimed_bytes;
use super::storage::Storage;
use super::target::Target;
use crate::failure::{Class, Failure};
use crate::memory;
use llmq_plugin_api::wire::{Plan, UnitNeed};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Memory of the host itself beyond what it had when the job was opened: read-back and validation buffers.
const HOST_FIXED: u64 = 8 << 20;
/// The same per worker thread: two row samples of 64 Ki weights, and the stack's used part.
const HOST_PER_THREAD: u64 = 1 << 20;

/// What the job needs and what is there, in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Needs {
    /// Disk space still to be claimed.
    pub disk_needed: u64,
    /// Free space for this user; absent if the system does not tell.
    pub disk_free: Option<u64>,
    /// Anonymous memory at the largest unit, the process itself included.
    pub memory_needed: u64,
    /// Memory that this process may have in all; absent if the system does not tell.
    pub memory_available: Option<u64>,
    /// The user's own limit.
    pub memory_limit: Option<u64>,
}

/// What folding takes, in bytes; nothing where a plan does not fold.
#[derive(Debug, Clone, Default)]
pub struct FoldingNeeds {
    /// For the whole job.
    pub kept: u64,
    /// By unit, while it is at work.
    pub by_unit: BTreeMap<u32, u64>,
    /// By unit, before it is quantized.
    pub comparisons: BTreeMap<u32, u64>,
}

/// What is looked at.
pub struct Preflight<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The output.
    pub target: &'a Target,
    /// The model folder.
    pub model: &'a Path,
    /// Files that are read, if not all of that folder.
    pub inputs: Vec<PathBuf>,
    /// Worker threads.
    pub threads: usize,
    /// Most units that the backend lets be at work at the same time.
    pub concurrent_units: usize,
    /// Bytes of the statistics of every unit while it is at work.
    pub statistics: BTreeMap<u32, u64>,
    /// What folding takes.
    pub folding: FoldingNeeds,
    /// The user's limit of anonymous memory in bytes.
    pub memory_limit: Option<u64>,
    /// Whether an existing output folder may go.
    pub overwrite: bool,
    /// Where the output lies.
    pub storage: &'a dyn Storage,
}

impl Preflight<'_> {
    /// Measures needs and supplies.
    pub fn needs(&self) -> Needs {
        self.needs_and_width().0
    }

    /// Units that are put to work side by side: as many as the backend allows and the memory holds, at least one.
    pub fn side_by_side(&self) -> usize {
        self.needs_and_width().1
    }

    fn needs_and_width(&self) -> (Needs, usize) {
        let threads = self.threads as u64;
        let own = memory::usage().anonymous;
        let host = own.saturating_add(HOST_FIXED).saturating_add(HOST_PER_THREAD.saturating_mul(threads));
        let needs = |width| Needs {
            disk_needed: self.plan.total_bytes().saturating_sub(claimed_bytes(self.target, self.plan)),
            disk_free: self.storage.free_bytes(&existing_ancestor(&self.target.dir)).ok(),
            memory_needed: host.saturating_add(self.folding.kept).saturating_add(scratch(
                &self.plan.units,
                &self.statistics,
                &self.folding,
                width,
                threads,
            )),
            memory_available: memory::available().map(|left| left.saturating_add(own)),
            memory_limit: self.memory_limit,
        };
        let mut width = self.concurrent_units.max(1);
        loop {
            let found = needs(width);
            if width == 1 || memory_obstacle(&found).is_ok() {
                return (found, width);
            }
            width -= 1;
        }
    }

    /// Everything in the way, the most basic first.
    pub fn obstacles(&self) -> Vec<Failure> {
        let needs = self.needs();
        [self.place(), self.existing(), self.disk(&needs), memory_obstacle(&needs)]
            .into_iter()
            .filter_map(Result::err)
            .collect()
    }

    /// The output folder exists or can be created, and files can be created in it.
    fn place(&self) -> Result<(), Failure> {
        let folder = existing_ancestor(&self.target.dir);
        let probe = match std::fs::metadata(&folder) {
            Ok(metadata) if !metadata.is_dir() => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            // Without a name where the system can: nothing stays behind however this process ends.
            Ok(_) => tempfile::tempfile_in(&folder).map(drop),
            Err(error) => Err(error),
        };
        probe.map_err(|error| {
            // The kind alone: the text may carry a made-up path.
            let (folder, cause) = (self.target.dir.display(), error.kind());
            let message = format!("the output folder `{folder}` is not writable: {cause}");
            Failure::new(Class::InvalidArguments, message).suggest("Choose another --output-dir.")
        })
    }

    /// What already has the output's name may be replaced, and is not the input.
    fn existing(&self) -> Result<(), Failure> {
        let refuse = |message: String, hint: &str| Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
        let model = self.model.canonicalize().ok();
        let inputs: Vec<PathBuf> = self.inputs.iter().filter_map(|path| path.canonicalize().ok()).collect();
        for (_, path) in self.target.renames(self.plan, ".partial") {
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let shown = path.display();
            let canonical = path.canonicalize().ok();
            let holds_model = match (&model, &canonical) {
                (Some(model), Some(output)) if metadata.is_dir() => model.starts_with(output),
                (Some(model), Some(output)) => {
                    output == model || inputs.contains(output) || self.is_input(model, output)
                }
                _ => false,
            };
            if holds_model {
                let message = format!("the output `{shown}` would replace the model that is being read");
                return refuse(message, "Choose another --output-dir or --output-name.");
            }
            if metadata.is_dir() != self.target.is_folder() {
                let (is, wanted) = if metadata.is_dir() { ("a folder", "a file") } else { ("a file", "a folder") };
                let message = format!("`{shown}` is {is}, and the output is {wanted} of that name");
                return refuse(message, "Choose another --output-name, or remove it.");
            }
            let full = || std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
            if metadata.is_dir() && !self.overwrite && full() {
                return refuse(
                    format!("the output folder `{shown}` exists and is not empty"),
                    "Choose another --output-name, or allow replacing it with --overwrite.",
                );
            }
        }
        Ok(())
    }

    /// Inside the model's folder, the kinds of files that a model is read from are never written.
    fn is_input(&self, model: &Path, output: &Path) -> bool {
        let extension = output.extension().and_then(|e| e.to_str()).unwrap_or_default();
        output.starts_with(model)
            && matches!(extension, "safetensors" | "bin" | "json" | "model" | "txt" | "jinja" | "md")
    }

    fn disk(&self, needs: &Needs) -> Result<(), Failure> {
        let Some(free) = needs.disk_free.filter(|free| *free < needs.disk_needed) else { return Ok(()) };
        let message = format!(
            "not enough disk space in `{}`: the output needs {} more bytes, {free} are free",
            self.target.dir.display(),
            needs.disk_needed
        );
        Err(Failure::new(Class::General, message)
            .suggest("Make room, or choose another --output-dir or a smaller level."))
    }
}

/// Working memory of the `width` neediest units together, with their statistics. A thread works for one of them at a time.
fn scratch(
    units: &[UnitNeed],
    statistics: &BTreeMap<u32, u64>,
    folding: &FoldingNeeds,
    width: usize,
    threads: u64,
) -> u64 {
    let per_thread = units.iter().map(|unit| unit.scratch_bytes_per_thread).max().unwrap_or(0);
    // The comparison of a folded unit is over before its quantization begins.
    let mut working = folding.comparisons.clone();
    for unit in units {
        let need = working.entry(unit.unit).or_default();
        *need = (*need).max(unit.scratch_bytes);
    }
    let mut needs: BTreeMap<u32, u64> = BTreeMap::new();
    for (unit, bytes) in working.iter().chain(statistics).chain(&folding.by_unit) {
        let need = needs.entry(*unit).or_default();
        *need = need.saturating_add(*bytes);
    }
    let mut fixed: Vec<u64> = needs.into_values().collect();
    fixed.sort_unstable_by(|a, b| b.cmp(a));
    fixed.into_iter().take(width).fold(per_thread.saturating_mul(threads), u64::saturating_add)
}

fn memory_obstacle(needs: &Needs) -> Result<(), Failure> {
    let needed = needs.memory_needed;
    let limit = needs.memory_limit.map(|limit| (limit, "--memory-limit allows"));
    let available = needs.memory_available.map(|available| (available, "the machine has left"));
    match limit.into_iter().chain(available).find(|(bytes, _)| *bytes < needed) {
        Some((bytes, what)) => {
            let message = format!("not enough memory: the job needs {needed} bytes, {what} {bytes}");
            Err(Failure::new(Class::OutOfMemory, message).suggest("Use fewer --threads, or free memory."))
        }
        None => Ok(()),
    }
}

/// The folder itself, or the nearest one above it that exists. A dangling link and a file in the way count as existing:
/// no folder can be created there.
fn existing_ancestor(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let missing = |p: &Path| std::fs::symlink_metadata(p).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    absolute.ancestors().find(|p| !missing(p)).unwrap_or(&absolute).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_refused_with_numbers_before_work() {
        let mut needs = Needs {
            disk_needed: 0,
            disk_free: None,
            memory_needed: 100,
            memory_available: Some(100),
            memory_limit: Some(100),
        };
        assert!(memory_obstacle(&needs).is_ok());
        needs.memory_limit = Some(99);
        let failure = memory_obstacle(&needs).unwrap_err();
        assert_eq!(failure.class, Class::OutOfMemory);
        assert!(failure.message.contains("needs 100 bytes, --memory-limit allows 99"), "{}", failure.message);
        needs.memory_limit = None;
        needs.memory_available = Some(0);
        assert!(memory_obstacle(&needs).unwrap_err().message.contains("machine has left 0"));
    }

    #[test]
    fn the_neediest_units_side_by_side_count() {
        let need = |unit, fixed, per_thread| UnitNeed {
            unit,
            scratch_bytes_per_thread: per_thread,
            scratch_bytes: fixed,
            device_bytes: 0,
            statistics: Vec::new(),
            stages: Vec::new(),
        };
        let units = [need(0, 10, 3), need(1, 1000, 1), need(2, 100, 7)];
        let (none, unfolded) = (BTreeMap::new(), FoldingNeeds::default());
        assert_eq!(scratch(&units, &none, &unfolded, 1, 4), 1000 + 28);
        assert_eq!(scratch(&units, &none, &unfolded, 2, 4), 1100 + 28);
        assert_eq!(scratch(&units, &none, &unfolded, 9, u64::MAX), u64::MAX);
        assert_eq!(scratch(&[], &none, &unfolded, 2, 4), 0);
        // Statistics of unit 2 make it the neediest; unit 3 has nothing else.
        let statistics = BTreeMap::from([(2, 1000), (3, 50)]);
        assert_eq!(scratch(&units, &statistics, &unfolded, 1, 4), 1100 + 28);
        assert_eq!(scratch(&units, &statistics, &unfolded, 4, 4), 10 + 1000 + 1100 + 50 + 28);
        // A comparison that needs more than the work after it; what is folded is there all the time.
        let one = |unit, bytes| BTreeMap::from([(unit, bytes)]);
        let folding = FoldingNeeds { kept: 0, by_unit: one(1, 5), comparisons: one(1, 3000) };
        assert_eq!(scratch(&units, &none, &folding, 1, 4), 3005 + 28);
    }
}
