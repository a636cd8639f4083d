//! The checkpoint folder: `job.json`, which says what the job is, next to the journal of what it has done.

use super::spec::{Checkpoints, JobSpec};
use super::target::Target;
use crate::disk;
use crate::failure::{Class, Failure};
use crate::model::Fingerprint;
use llmq_plugin_api::wire;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// Layout version of `job.json` and the journal.
const VERSION: u32 = 1;
/// Longest `job.json` accepted, in bytes.
const MAX_IDENTITY: u64 = 64 << 20;
const JOB: &str = "job.json";
/// `job.json` while it is written: a random name would stay behind if the process is killed at that moment.
const JOB_DRAFT: &str = "job.json.new";
const JOURNAL: &str = "journal.jsonl";
/// Folder of the statistics that the job gathers first.
const STATISTICS: &str = "statistics";
/// Folder of the scales that were folded into finished units.
const FOLDS: &str = "folds";

/// Everything that decides the output's bytes. The number of threads and the memory limit do not, so they are absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    v: u32,
    host_version: String,
    plugin: String,
    plugin_version: String,
    model: Fingerprint,
    output: PathBuf,
    plan: String,
    request: wire::Request,
    /// Checksum of the statistics that can reach the output.
    #[serde(default)]
    statistics: Option<String>,
}

impl Identity {
    /// The identity of a planned job.
    pub fn new(
        descriptor: &wire::Descriptor,
        model: Fingerprint,
        output: PathBuf,
        plan: &wire::Plan,
        request: &wire::Request,
        statistics: Option<String>,
    ) -> Identity {
        Identity {
            v: VERSION,
            host_version: env!("CARGO_PKG_VERSION").into(),
            plugin: descriptor.id.clone(),
            plugin_version: descriptor.version.clone(),
            model,
            output: std::path::absolute(&output).unwrap_or(output),
            plan: format!("{:032x}", xxh3_128(wire::encode(plan).as_bytes())),
            request: request.clone(),
            statistics,
        }
    }

    /// What is different now, one sentence part each; empty if the earlier job can go on.
    pub fn changes_since(&self, earlier: &Identity) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, was: &str, is: &str| {
            if was != is {
                changes.push(format!("{what} was `{was}` and is `{is}`"));
            }
        };
        compare("the plugin", &earlier.plugin, &self.plugin);
        compare("the plugin version", &earlier.plugin_version, &self.plugin_version);
        compare("the llm-quantize version", &earlier.host_version, &self.host_version);
        compare("the output", &earlier.output.to_string_lossy(), &self.output.to_string_lossy());
        let (was, is) = (request_fields(&earlier.request), request_fields(&self.request));
        let text = |value: Option<&Value>| value.map_or_else(|| "not given".to_owned(), Value::to_string);
        let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
        for name in names {
            compare(name, &text(was.get(name)), &text(is.get(name)));
        }
        if earlier.statistics != self.statistics {
            changes.push("the statistics have other contents".into());
        }
        if earlier.model.content != self.model.content {
            changes.push("the model files have other contents".into());
        } else if earlier.model.times != self.model.times {
            changes.push("the model's weight files were modified".into());
        }
        if changes.is_empty() && earlier.plan != self.plan {
            changes.push("the plugin plans another layout for the same request".into());
        }
        changes
    }
}

impl Identity {
    /// The same without everything that follows from statistics: for jobs that have not gathered theirs yet.
    pub fn before_statistics(self) -> Identity {
        let request = wire::Request { statistics_origin: None, ..self.request };
        Identity { plan: String::new(), statistics: None, request, ..self }
    }
}

/// The request as flat fields, options by their names on the command line.
fn request_fields(request: &wire::Request) -> serde_json::Map<String, Value> {
    let mut fields = match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    // One line per tensor; the checksum stands for them.
    fields.remove("statistics");
    if let Some(Value::Object(options)) = fields.remove("options") {
        fields.extend(options.into_iter().map(|(name, value)| (format!("--{}", name.replace('_', "-")), value)));
    }
    fields
}

/// The folder of one job.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its path.
    pub path: PathBuf,
    /// Whether the user insisted that it exists and fits.
    pub demanded: bool,
}

impl Folder {
    /// Finds the folder of a job; `None` without checkpoints.
    ///
    /// A checkpoint that was demanded but does not exist is an error, unless the place is the very one this job would
    /// use anyway: then the earlier run ended before it had anything to keep, and starting over is what resuming means.
    pub fn locate(spec: &JobSpec, target: &Target) -> Result<Option<Folder>, Failure> {
        let Checkpoints::On { dir, resume } = &spec.checkpoints else { return Ok(None) };
        let base = dir.clone().unwrap_or_else(|| spec.output_dir.join(".checkpoint"));
        let own = base.join(target.name());
        let Some(resume) = resume else { return Ok(Some(Folder { path: own, demanded: false })) };
        for path in [resume.clone(), resume.join(target.name())] {
            // Statistics alone: the job stopped while it gathered them.
            if path.join(JOB).is_file() || path.join(STATISTICS).is_dir() {
                return Ok(Some(Folder { path, demanded: true }));
            }
        }
        let same = |path: &Path| std::path::absolute(resume).ok() == std::path::absolute(path).ok();
        if same(&own) || same(&base) {
            return Ok(Some(Folder { path: own, demanded: false }));
        }
        let message =
            format!("`{}` holds no checkpoint: neither {JOB} nor {}/{JOB} is there", resume.display(), target.name());
        let hint = "Give the folder that the stopped run named, or leave --resume out to start from the beginning.";
        Err(Failure::new(Class::Checkpoint, message).suggest(hint))
    }

    /// Path of the journal.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The earlier job, if there is one.
    pub fn read_identity(&self) -> Result<Option<Identity>, Failure> {
        let path = self.path.join(JOB);
        let broken = |problem: String| {
            let message = format!("the checkpoint `{}` is not usable: {problem}", path.display());
            Failure::new(Class::Checkpoint, message).suggest(format!("Remove `{}` to start over.", self.path.display()))
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(broken(error.to_string())),
        };
        let mut text = String::new();
        file.take(MAX_IDENTITY + 1).read_to_string(&mut text).map_err(|e| broken(e.to_string()))?;
        if text.len() as u64 > MAX_IDENTITY {
            return Err(broken(format!("it is longer than {MAX_IDENTITY} bytes")));
        }
        let identity: Identity = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
        match identity.v {
            VERSION => Ok(Some(identity)),
            other => Err(broken(format!("it has version {other}, this program writes version {VERSION}"))),
        }
    }

    /// Writes `job.json` in one durable step.
    pub fn write_identity(&self, identity: &Identity) -> Result<(), Failure> {
        let write = || -> io::Result<()> {
            let draft = self.path.join(JOB_DRAFT);
            let mut file = File::create(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(identity)?)?;
            file.sync_all()?;
            std::fs::rename(draft, self.path.join(JOB))?;
            disk::sync_directory(&self.path)
        };
        write().map_err(|e| self.unwritable(&e))
    }

    /// Creates the folder and forgets any earlier job in it. The identity goes first: without it a journal means
    /// nothing, so a crash in between cannot pair a new job with old lines.
    pub fn reset(&self) -> Result<(), Failure> {
        let reset = || -> io::Result<()> {
            std::fs::create_dir_all(&self.path)?;
            for name in [JOB, JOB_DRAFT, JOURNAL] {
                match std::fs::remove_file(self.path.join(name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => disk::sync_directory(&self.path)?,
                }
            }
            self.remove_folds()
        };
        reset().map_err(|e| self.unwritable(&e))
    }

    /// Folder of the scales that were folded into finished units.
    pub fn folds(&self) -> PathBuf {
        self.path.join(FOLDS)
    }

    /// The folder of the statistics that the job gathers first.
    pub fn statistics(&self) -> PathBuf {
        self.path.join(STATISTICS)
    }

    /// Removes what this program wrote there, and the folders if nothing else is in them.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.statistics()) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
            _ => self.remove_job(),
        }
    }

    /// Removes what is known of the job, and the folders if nothing else is in them: statistics stay.
    pub fn remove_job(&self) -> io::Result<()> {
        for name in [JOB, JOB_DRAFT, JOURNAL] {
            match std::fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.remove_folds()?;
        if std::fs::remove_dir(&self.path).is_ok()
            && let Some(parent) = self.path.parent().filter(|p| p.file_name().is_some_and(|n| n == ".checkpoint"))
        {
            // Another job's checkpoint may be beside ours; then the folder stays.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    fn remove_folds(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.folds()) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
            _ => Ok(()),
        }
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        let message = format!("cannot write the checkpoint folder `{}`: {error}", self.path.display());
        let hint = "Choose another --checkpoint-dir, or go without with --no-checkpoints.";
        Failure::new(Class::Checkpoint, message).suggest(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_statistics_are_another_job_whatever_their_file_is_called() {
        let identity = |statistics: Option<&str>| -> Identity {
            let request = serde_json::json!({
                "format": "toy", "level": "Q8", "stem": "m", "device": "cpu",
                "statistics_origin": {"files": ["m.dat"], "entries": 1},
            });
            let json = serde_json::json!({
                "v": 1, "host_version": "1", "plugin": "toy", "plugin_version": "1", "output": "/m", "plan": "0",
                "model": {"content": "c", "times": "t"}, "request": request, "statistics": statistics,
            });
            serde_json::from_value(json).unwrap()
        };
        assert!(identity(Some("a")).changes_since(&identity(Some("a"))).is_empty());
        for (was, is) in [(Some("a"), Some("b")), (None, Some("a")), (Some("a"), None)] {
            let changes = identity(is).changes_since(&identity(was));
            assert_eq!(changes, ["the statistics have other contents"], "{was:?} {is:?}");
        }
    }
}
