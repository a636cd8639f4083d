//! A small but real backend, a tiny model and disks that fail: what the tests of a job are made of.

#![allow(dead_code, reason = "every test file uses its own part")]

pub mod backend;
pub mod disks;
pub mod file;

use crate::model_folder::Folder;
use backend::Toy;
use llm_quantize::cancel::Cancel;
use llm_quantize::event::{Event, Observer, Silent};
use llm_quantize::failure::Failure;
use llm_quantize::job::{Checkpoints, Disk, Job, JobReport, JobSpec, Storage};
use llm_quantize::model::Model;
use llmq_plugin_api::client::Backend;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// A folder with a model in `model` and room for outputs in `out`.
pub struct Place {
    pub root: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place::with(&Folder::llama())
    }

    pub fn with(model: &Folder) -> Place {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("model")).unwrap();
        model.write(&root.path().join("model"));
        Place { root }
    }

    pub fn model(&self) -> PathBuf {
        self.root.path().join("model")
    }

    pub fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// The job that most tests start from: every matrix in int8, output `out/m.toy`.
    pub fn spec(&self) -> JobSpec {
        JobSpec {
            model: self.model(),
            format: "toy".into(),
            level: "INT8".into(),
            output_dir: self.out(),
            output_name: Some("m".into()),
            choice: Default::default(),
            options: Default::default(),
            threads: Some(2),
            memory_limit: None,
            checkpoints: Checkpoints::default(),
            allow_requantize: false,
            on_fallback: Default::default(),
            overwrite: false,
            device: "cpu".into(),
            creator: "test".into(),
            statistics: None,
        }
    }

    pub fn file(&self) -> PathBuf {
        self.out().join("m.toy")
    }

    pub fn partial(&self) -> PathBuf {
        self.out().join("m.toy.partial")
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.out().join(".checkpoint/m.toy")
    }

    /// Every name below `out`, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(&self.out(), &self.out(), &mut names);
        names.sort();
        names
    }
}

fn list(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(root, &path, names),
            false => names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
        }
    }
}

/// Runs a job with the toy backend.
pub fn run(spec: &JobSpec) -> Result<JobReport, Failure> {
    run_with(spec, Toy::default(), &Disk, &Silent)
}

/// Runs a job with any variant of the backend, any disk and any listener.
pub fn run_with(
    spec: &JobSpec,
    toy: Toy,
    storage: &dyn Storage,
    observer: &dyn Observer,
) -> Result<JobReport, Failure> {
    run_cancellable(spec, toy, storage, observer, &Cancel::default())
}

pub fn run_cancellable(
    spec: &JobSpec,
    toy: Toy,
    storage: &dyn Storage,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<JobReport, Failure> {
    let backend = Backend::in_process(toy).unwrap();
    let model = Box::new(Model::open(&spec.model)?);
    Job::open_with(spec, model, &backend, observer, cancel, storage)?.run()
}

/// A listener that remembers.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Event>>);

impl Heard {
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub fn has(&self, what: &str) -> bool {
        self.events().iter().any(|event| format!("{event:?}").contains(what))
    }
}

impl Observer for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}
