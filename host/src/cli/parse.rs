//! From raw words to what is meant: find the format, ask its plugin for options, then parse in earnest.

use super::args::convert::ConvertArgs;
use super::args::quantize::QuantizeArgs;
use super::args::{Command, Typed as Line, backend_options, format_word};
use super::convert::Typed;
use super::model_path::{self, Place};
use super::quantize::{Asked, Backend, Quantization};
use super::{Screen, Unparsed};
use crate::failure::{Class, Failure};
use crate::job::Choice;
use crate::plan_file::PlanFile;
use crate::plugins::{Catalogue, Search, discover};
use clap::{CommandFactory, FromArgMatches};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is meant by a command line.
pub enum Meant {
    /// Quantize a model.
    Quantize(Box<Quantization>),
    /// Convert a model. Its level may follow from the model, so more is worked out once that is open.
    Convert(Box<Typed>),
    /// Look into a model.
    Info {
        /// Folder or file that exists, or a repository.
        model: Place,
        /// Whether to list every tensor.
        tensors: bool,
        /// Where plugins are.
        search: Search,
    },
    /// Look at what a model sees.
    Analyze {
        /// How.
        args: Box<super::args::analyze::AnalyzeArgs>,
        /// Where readers of formats are.
        search: Search,
    },
    /// Evaluate a model.
    Evaluate {
        /// How.
        args: Box<super::args::evaluate::EvaluateArgs>,
        /// Where readers of formats are.
        search: Search,
    },
    /// Something about importance matrices.
    Imatrix {
        /// What.
        command: super::args::imatrix::ImatrixCommand,
        /// Where plugins are.
        search: Search,
    },
    /// Something about statistics folders.
    Statistics {
        /// What.
        command: super::args::statistics::StatisticsCommand,
        /// Where plugins are.
        search: Search,
    },
    /// Something about plan files.
    Plan {
        /// What.
        command: super::args::plan::PlanCommand,
        /// Where plugins are.
        search: Search,
    },
    /// Something about plugins.
    Plugins {
        /// What.
        command: super::args::plugins::PluginsCommand,
        /// Where they are.
        search: Search,
    },
}

/// Reads the command line, program name first.
pub fn parse(words: &[OsString], screen: &Screen) -> Result<Meant, Unparsed> {
    let root = Line::command();
    let scan = format_word::scan(&root, words.get(1..).unwrap_or_default());
    let search = search(&scan);
    match scan.command.as_deref() {
        Some("quantize") => return quantization(formatted(root, words, &scan, &search, screen)?, search, screen),
        Some("convert") => return conversion(formatted(root, words, &scan, &search, screen)?, search),
        _ => {}
    }
    let typed = Line::from_arg_matches(&root.try_get_matches_from(words)?)?;
    Ok(match typed.command {
        Command::Info(args) => Meant::Info { model: model_path::locate(&args.model)?, tensors: args.tensors, search },
        Command::Analyze(args) => Meant::Analyze { args, search },
        Command::Evaluate(args) => Meant::Evaluate { args, search },
        Command::Imatrix(command) => Meant::Imatrix { command, search },
        Command::Statistics(command) => Meant::Statistics { command, search },
        Command::Plan(command) => Meant::Plan { command, search },
        Command::Plugins(command) => Meant::Plugins { command, search },
        Command::Quantize(_) | Command::Convert(_) => return Err(internal().into()),
    })
}

fn search(scan: &format_word::Scan) -> Search {
    Search {
        plugin_dirs: scan.all("plugin-dir").map(PathBuf::from).collect(),
        allow_insecure: scan.flags.iter().any(|flag| flag == "allow-insecure-plugins"),
        env: true,
    }
}

/// A command line for a format, with the plugin that knows it.
struct Formatted {
    command: Command,
    options: Map<String, Value>,
    choice: Choice,
    backend: Backend,
    catalogue: Catalogue,
}

fn quantization(formatted: Formatted, search: Search, screen: &Screen) -> Result<Meant, Unparsed> {
    let Formatted { command: Command::Quantize(args), options, choice, backend, catalogue } = formatted else {
        return Err(internal().into());
    };
    let QuantizeArgs { model, quant_level, allow_requantize, job, .. } = *args;
    let asked = Asked { place: model_path::locate(&model)?, level: quant_level, allow_requantize };
    let mut quantization = Quantization::meant(asked, job, options, choice, backend, search)?;
    quantization.take_statistics(&catalogue)?;
    for warning in &quantization.warnings {
        screen.warning(warning);
    }
    Ok(Meant::Quantize(Box::new(quantization)))
}

fn conversion(formatted: Formatted, search: Search) -> Result<Meant, Unparsed> {
    let Formatted { command: Command::Convert(args), options, choice, backend, catalogue } = formatted else {
        return Err(internal().into());
    };
    let ConvertArgs { model, quant_level, force, job, .. } = *args;
    let place = model_path::locate(&model)?;
    let typed = Typed { place, level: quant_level, force, job, options, choice, backend, search, catalogue };
    Ok(Meant::Convert(Box::new(typed)))
}

/// Finds the format in the raw words, and parses them with its options.
fn formatted(
    root: clap::Command,
    words: &[OsString],
    scan: &format_word::Scan,
    search: &Search,
    screen: &Screen,
) -> Result<Formatted, Unparsed> {
    let catalogue = discover(search);
    let plugin = scan.value("plugin").map(|id| id.to_string_lossy());
    let entry_for = |format: &str| catalogue.for_format(format, plugin.as_deref()).map_err(how_to_list);
    let known: Vec<String> = catalogue.formats().into_iter().map(|(format, _)| format).collect();
    let Some(word) = scan.format(&known) else {
        // No plugin, no options: the fixed ones are parsed for their own errors and for --help, then the format's
        // error is the answer. It also explains why an option of that format is not known.
        let unknown_format = |word: &str| entry_for(word).err().unwrap_or_else(internal);
        return Err(match root.try_get_matches_from(words).and_then(|matches| Line::from_arg_matches(&matches)) {
            Ok(Line { command: Command::Quantize(args), .. }) => unknown_format(&args.output_format).into(),
            Ok(Line { command: Command::Convert(args), .. }) => unknown_format(&args.output_format).into(),
            Ok(_) => internal().into(),
            Err(error) => match (error.kind(), scan.typed_format()) {
                (clap::error::ErrorKind::UnknownArgument, Some(word)) => unknown_format(word).into(),
                (clap::error::ErrorKind::DisplayHelp, Some(word)) => {
                    screen.warning(&format!("levels and options are missing below: {}", unknown_format(word)));
                    error.into()
                }
                _ => explained(error, scan),
            },
        });
    };
    let entry = entry_for(word)?;
    let loaded = entry.load()?;
    let Some(format) = loaded.backend.descriptor().format(word).cloned() else {
        let message = format!(
            "The plugin `{}` at {} lists the format `{word}` in its manifest, but its code does not describe it",
            loaded.id,
            entry.path.display()
        );
        return Err(Failure::new(Class::General, message).suggest("Reinstall or update the plugin").into());
    };
    let name = scan.command.clone().unwrap_or_default();
    let root = root.mut_subcommand(name, |command| backend_options::join(command, &format));
    let matches = root.try_get_matches_from(words).map_err(|error| explained(error, scan))?;
    let of_command = matches.subcommand().map(|(_, matches)| matches);
    let options = of_command.map(|matches| backend_options::typed(&format, matches)).unwrap_or_default();
    let command = Line::from_arg_matches(&matches)?.command;
    let job = match &command {
        Command::Quantize(args) => &args.job,
        Command::Convert(args) => &args.job,
        _ => return Err(internal().into()),
    };
    let choice = match &job.plan {
        Some(path) => planned(path, &options)?,
        None => match job.encodings.rules(of_command)? {
            rules if rules.is_empty() => Choice::Level,
            rules => Choice::Rules(rules),
        },
    };
    let backend = Backend { loaded: Arc::new(loaded), format };
    Ok(Formatted { command, options, choice, backend, catalogue })
}

/// A plan file, which decides alone: options beside it would be in doubt.
fn planned(path: &Path, options: &Map<String, Value>) -> Result<Choice, Failure> {
    match options.keys().next() {
        None => Ok(Choice::Planned(Arc::new(PlanFile::open(path)?))),
        Some(name) => {
            let message = format!("--{} cannot be used with --plan, which holds all options", name.replace('_', "-"));
            Err(Failure::new(Class::InvalidArguments, message).suggest("Write it into the plan's [options]"))
        }
    }
}

/// clap's error, with a word on the one option whose place matters.
fn explained(error: clap::Error, scan: &format_word::Scan) -> Unparsed {
    let resumed = scan.flags.iter().any(|flag| flag == "resume");
    match Unparsed::from(error) {
        Unparsed::Failure(mut failure) if resumed && failure.message.contains("required arguments") => {
            failure.suggestion.push_str(". --resume takes the word behind it for its PATH: write --resume last");
            Unparsed::Failure(failure)
        }
        unparsed => unparsed,
    }
}

fn how_to_list(mut failure: Failure) -> Failure {
    if !failure.suggestion.contains("llm-quantize plugins") {
        let separator = if failure.suggestion.is_empty() { "" } else { ". " };
        failure.suggestion.push_str(separator);
        failure.suggestion.push_str("`llm-quantize plugins list` shows the installed plugins");
    }
    failure
}

/// The scan of the raw words and clap's parse disagree, which the tests of both should have shown.
fn internal() -> Failure {
    Failure::new(Class::General, "The command line was understood in two different ways").suggest(
        "This is a defect of llm-quantize; write options behind the positional arguments, and please report it",
    )
}
