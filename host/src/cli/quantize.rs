//! What a `quantize` line means: the typed arguments become a job for a backend.

use super::args::backend_options;
use super::args::quantize::QuantizeArgs;
use super::model_path::{self, Place};
use crate::calibrate::TextSpec;
use crate::failure::{Class, Failure};
use crate::job::{Checkpoints, Choice, JobSpec};
use crate::plugins::Search;
use crate::statistics;
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{FormatDescriptor, Level};
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

/// Statistics as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedStatistics {
    /// Importance matrices, and which of their entries.
    Matrices(Vec<PathBuf>, Option<statistics::Choice>),
    /// A folder that `analyze` wrote.
    Folder(PathBuf),
    /// A text, of which these kinds are gathered first.
    Text(TextSpec, Vec<StatisticKind>),
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
    /// Where readers of other formats are.
    pub search: Search,
    /// Sentences about arguments that change nothing.
    pub warnings: Vec<String>,
}

impl Quantization {
    /// Works out what the typed arguments mean. `options` are the format's own ones, `choice` says who gives single
    /// tensors their types.
    pub fn meant(
        args: QuantizeArgs,
        mut options: Map<String, Value>,
        choice: Choice,
        backend: Backend,
        search: Search,
    ) -> Result<Quantization, Failure> {
        let format = &backend.format;
        let place = model_path::locate(&args.model)?;
        // A level that does not exist is the job's to refuse, in the same words for every caller.
        let word = match &choice {
            Choice::Planned(file) => {
                options.clone_from(&file.options);
                file.level.clone()
            }
            Choice::Level | Choice::Rules(_) => args.quant_level.clone().unwrap_or_default(),
        };
        let level = format.level(&word);
        let kinds = level.map(|level| wanted(format, level, &choice)).unwrap_or_default();
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
        let (text_given, typed) = (!args.text.calibration_data.is_empty(), args.text.typed());
        let (statistics, unused) = match (args.statistics, level) {
            (Some(folder), level) => {
                let unused = level.filter(|_| kinds.is_empty());
                warnings.extend(unused.and_then(|level| ineffective(&["--statistics"], &weights_alone(format, level))));
                (Some(TypedStatistics::Folder(folder)), Some("--statistics gives the statistics".to_owned()))
            }
            (None, _) if !args.imatrix.is_empty() => (
                Some(TypedStatistics::Matrices(args.imatrix, counted)),
                Some("--imatrix gives the statistics".to_owned()),
            ),
            (None, Some(level)) if kinds.is_empty() => (None, Some(weights_alone(format, level))),
            (None, Some(level)) if text_given || calibrates_by_itself(level) => {
                (Some(TypedStatistics::Text(args.text.text(), kinds)), None)
            }
            (None, Some(_)) => (None, Some("there is no --calibration-data".to_owned())),
            (None, None) => (None, None),
        };
        warnings.extend(unused.and_then(|why| ineffective(&typed, &why)));
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
            allow_requantize: args.allow_requantize,
            device: device(&args.device)?,
            statistics: None,
            creator: format!("llm-quantize {}", env!("CARGO_PKG_VERSION")),
        };
        let (dry_run, save_plan) = (args.dry_run, args.save_plan);
        Ok(Quantization { place, spec, backend, statistics, dry_run, save_plan, search, warnings })
    }
}

fn has_option(format: &FormatDescriptor, name: &str) -> bool {
    format.options.iter().any(|spec| spec.name == name)
}

/// Kinds of statistics that a job may look at: those of the level, or of any level where rules or a plan choose encodings.
fn wanted(format: &FormatDescriptor, level: &Level, choice: &Choice) -> Vec<StatisticKind> {
    let levels: Vec<&Level> = match choice {
        Choice::Level => vec![level],
        Choice::Rules(_) | Choice::Planned(_) => format.levels.iter().collect(),
    };
    let words = levels.into_iter().flat_map(|level| level.requires_statistics.iter().chain(&level.uses_statistics));
    let mut kinds = Vec::new();
    for kind in words.filter_map(|word| StatisticKind::from_word(word)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Whether a level is calibrated on whatever text is at hand. Importance matrices are asked for: those of one text are
/// often not wanted for another use of the model.
fn calibrates_by_itself(level: &Level) -> bool {
    level.requires_statistics.iter().any(|kind| kind != StatisticKind::SumSquares.word())
}

fn weights_alone(format: &FormatDescriptor, level: &Level) -> String {
    format!("{} {} is computed from the weights alone", format.id, level.id)
}

/// Arguments of the contract that change nothing for this job. They are accepted, because scripts pass them for every
/// format, and named, because silence would look like calibration.
fn ineffective(typed: &[&str], why: &str) -> Option<String> {
    let (last, others) = typed.split_last()?;
    let (names, verb) = match others {
        [] => ((*last).to_owned(), "has"),
        others => (format!("{} and {last}", others.join(", ")), "have"),
    };
    Some(format!("{names} {verb} no effect: {why}"))
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
