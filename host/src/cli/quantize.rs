//! What a `quantize` line means: the typed arguments become a job for a backend.

use super::args::backend_options;
use super::args::job::JobArgs;
use super::given::{Given, TypedStatistics};
use super::job_report_file::JobReportFile;
use super::model_path::Place;
use crate::calibrate::Upfront;
use crate::failure::{Class, Failure};
use crate::job::{Checkpoints, Choice, JobSpec};
use crate::plugins::{Catalogue, Search, discover};
use crate::statistics::{self, GatheredFolder, Readers, Supply};
use crate::stored;
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::wire::FormatDescriptor;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The checkpoint folder of the contract's environment.
const CHECKPOINT_DIR: &str = "LLM_QUANTIZE_CHECKPOINT_DIR";

/// A loaded plugin and the format of it that is wanted.
pub struct Backend {
    /// The plugin.
    pub loaded: Arc<Loaded>,
    /// The format.
    pub format: FormatDescriptor,
}

/// What goes in, and what is asked of it.
pub struct Asked {
    /// The model.
    pub place: Place,
    /// The level as typed; a plan file has its own.
    pub level: Option<String>,
    /// Whether quantized tensors may be encoded anew.
    pub allow_requantize: bool,
}

/// A quantization as it is meant: checked as far as the command line goes.
pub struct Quantization {
    /// The model. The job's own path is filled in once it is reached.
    pub place: Place,
    /// The job.
    pub spec: JobSpec,
    /// Who does it.
    pub backend: Backend,
    /// Statistics that were typed; the job's own are filled in once the plugin that reads them is known.
    pub statistics: Option<TypedStatistics>,
    /// Only show the plan.
    pub dry_run: bool,
    /// Only write the plan, and show it.
    pub save_plan: Option<PathBuf>,
    /// Where the result is written too.
    pub report: Option<JobReportFile>,
    /// Where readers of other formats are.
    pub search: Search,
    /// Sentences about arguments that change nothing.
    pub warnings: Vec<String>,
}

impl Quantization {
    /// Works out what the typed arguments mean. `options` are the format's own ones, `choice` says who gives single
    /// tensors their types.
    pub fn meant(
        asked: Asked,
        args: JobArgs,
        mut options: Map<String, Value>,
        choice: Choice,
        backend: Backend,
        search: Search,
    ) -> Result<Quantization, Failure> {
        let format = &backend.format;
        let Asked { place, level: typed_level, allow_requantize } = asked;
        let report = args.report.as_deref().map(JobReportFile::at).transpose()?;
        // A level that does not exist is the job's to refuse, in the same words for every caller.
        let word = match &choice {
            Choice::Planned(file) => {
                options.clone_from(&file.options);
                file.level.clone()
            }
            Choice::Level | Choice::Rules(_) => typed_level.unwrap_or_default(),
        };
        let level = format.level(&word);
        let mut warnings = Vec::new();
        let mut put = |name: &str, text: &str, shown: &str| {
            backend_options::put(&mut options, format, name, text, shown).map_err(|message| {
                Failure::new(Class::InvalidArguments, capital(message))
                    .suggest(format!("`llm-quantize quantize MODEL {} --help` lists its options", format.id))
            })
        };
        if let Some(size) = &args.group_size {
            match has_option(format, "group_size") {
                true => put("group_size", size, "--group-size")?,
                false => warnings.push(format!("--group-size has no effect: {} has fixed group sizes", format.id)),
            }
        }
        for (name, text) in &args.set {
            put(name, text, &format!("--set {name}"))?;
        }
        let counted = match (args.include_weights, args.exclude_weights) {
            (include, _) if !include.is_empty() => Some(statistics::Choice::Include(include)),
            (_, exclude) if !exclude.is_empty() => Some(statistics::Choice::Exclude(exclude)),
            _ => None,
        };
        let (matrices, later_layers_see) = ((args.imatrix, counted), args.later_layers_see);
        let given = Given { folder: args.statistics, matrices, text: args.text, later_layers_see };
        given.check()?;
        let (statistics, unused) = level.map(|level| given.meant(format, level, &options, &choice)).unwrap_or_default();
        warnings.extend(unused);
        let spec = JobSpec {
            model: PathBuf::new(),
            format: format.id.clone(),
            level: level.map_or(word, |level| level.id.clone()),
            checkpoints: checkpoints(args.no_checkpoints, args.checkpoint_dir, args.resume, &args.output_dir),
            output_dir: args.output_dir,
            output_name: args.output_name,
            options,
            choice,
            threads: args.threads.map(|threads| threads as usize),
            memory_limit: args.memory_limit,
            overwrite: args.overwrite,
            allow_requantize,
            on_fallback: args.on_fallback,
            device: device(&args.device)?,
            statistics: None,
            creator: format!("llm-quantize {}", env!("CARGO_PKG_VERSION")),
        };
        let (dry_run, save_plan) = (args.dry_run, args.save_plan);
        Ok(Quantization { place, spec, backend, statistics, dry_run, save_plan, report, search, warnings })
    }

    /// Opens the statistics that were typed, for the job.
    pub fn take_statistics(&mut self, catalogue: &Catalogue) -> Result<(), Failure> {
        self.spec.statistics = match &self.statistics {
            Some(TypedStatistics::Matrices(files, choice)) => {
                let mut readers = Readers::new(catalogue, Some(Arc::clone(&self.backend.loaded)));
                Some(Supply::Table(readers.supply(files, choice.as_ref())?))
            }
            Some(TypedStatistics::Folder(folder)) => Some(Supply::Folder(Arc::new(GatheredFolder::open(folder)?))),
            Some(TypedStatistics::Text(text, kinds, seen)) => {
                let search = self.search.clone();
                Some(Supply::Text(Arc::new(Upfront {
                    text: text.clone(),
                    kinds: kinds.clone(),
                    // For no format in particular: names and config.json as Hugging Face has them.
                    open: Arc::new(move |path| stored::open(path, "", &discover(&search))),
                    plugin: Arc::clone(&self.backend.loaded),
                    later_layers_see: *seen,
                })))
            }
            None => None,
        };
        Ok(())
    }
}

fn has_option(format: &FormatDescriptor, name: &str) -> bool {
    format.options.iter().any(|spec| spec.name == name)
}

/// `--resume` without a path insists on the checkpoint of this very job, wherever that is kept.
fn checkpoints(off: bool, dir: Option<PathBuf>, resume: Option<Option<PathBuf>>, output_dir: &Path) -> Checkpoints {
    if off {
        return Checkpoints::Off;
    }
    let of_environment = || std::env::var_os(CHECKPOINT_DIR).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = dir.or_else(of_environment);
    let own = || dir.clone().unwrap_or_else(|| output_dir.join(".checkpoint"));
    let resume = resume.map(|path| path.unwrap_or_else(own));
    Checkpoints::On { dir, resume }
}

/// `cpu` or `cuda:N`. Whether it is there is the backend's to say.
fn device(typed: &str) -> Result<String, Failure> {
    let number = match typed {
        "cpu" => return Ok(typed.to_owned()),
        "cuda" => Some(0),
        other => other.strip_prefix("cuda:").and_then(|number| number.parse::<u16>().ok()),
    };
    number.map(|number| format!("cuda:{number}")).ok_or_else(|| {
        Failure::new(Class::InvalidArguments, format!("`{typed}` is no device")).suggest("Use cpu, cuda or cuda:N")
    })
}

fn capital(words: String) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resume(checkpoints: Checkpoints) -> Option<PathBuf> {
        match checkpoints {
            Checkpoints::On { resume, .. } => resume,
            Checkpoints::Off => None,
        }
    }

    #[test]
    fn resume_without_a_path_means_the_job_s_own_checkpoint() {
        let out = Path::new("out");
        let dir = || Some(PathBuf::from("kept"));
        assert_eq!(resume(checkpoints(false, dir(), None, out)), None);
        assert_eq!(resume(checkpoints(false, dir(), Some(None), out)), dir());
        assert_eq!(resume(checkpoints(false, dir(), Some(Some("other".into())), out)), Some("other".into()));
        assert_eq!(checkpoints(true, dir(), None, out), Checkpoints::Off);
    }

    #[test]
    fn devices() {
        assert_eq!(device("cpu").unwrap(), "cpu");
        assert_eq!(device("cuda").unwrap(), "cuda:0");
        assert_eq!(device("cuda:3").unwrap(), "cuda:3");
        for wrong in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert_eq!(device(wrong).unwrap_err().class, Class::InvalidArguments, "{wrong}");
        }
    }
}
