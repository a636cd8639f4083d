//! `statistics show | merge | export`: the folders that `analyze --statistics` writes.

use super::Screen;
use super::analyze::target;
use super::args::statistics::{ExportArgs, MergeArgs, StatisticsCommand};
use crate::calibrate::{HEAD, Kept, matrix, unusable};
use crate::disk;
use crate::failure::{Class, Failure};
use crate::job::JobSource;
use crate::plugins::{Search, discover};
use crate::report::{self, StatisticsShown, number};
use crate::statistics::write;
use crate::stored;
use llmq_calibration::{Folder, Text, merge_folders};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Result of `statistics merge`.
#[derive(Debug, Serialize)]
struct Merged {
    status: &'static str,
    output_path: PathBuf,
    texts: Vec<Text>,
    tokens: u64,
    units: usize,
    bytes: u64,
}

/// Result of `statistics export`.
#[derive(Debug, Serialize)]
struct Exported {
    status: &'static str,
    output_path: PathBuf,
    form: String,
    file_size: u64,
    entries: usize,
    chunk_size: Option<u64>,
    warnings: Vec<String>,
}

/// Runs one of the commands. Files that changed make `show --verify` end with the code of a failed validation.
pub fn run(command: StatisticsCommand, search: &Search, screen: &Screen) -> Result<u8, Failure> {
    match command {
        StatisticsCommand::Show { folder, verify } => show(&folder, verify, screen),
        StatisticsCommand::Merge(args) => merge(&args, screen).map(|()| 0),
        StatisticsCommand::Export(args) => export(&args, search, screen).map(|()| 0),
    }
}

fn show(folder: &Path, verify: bool, screen: &Screen) -> Result<u8, Failure> {
    let kept = Kept::open(folder)?;
    let damaged = verify.then(|| kept.damaged());
    let code =
        if damaged.as_ref().is_some_and(|found| !found.is_empty()) { Class::ValidationFailed.exit_code() } else { 0 };
    let shown = StatisticsShown::new(folder, &kept, damaged);
    screen.result(&shown, || report::statistics(&shown)).map(|()| code)
}

fn merge(args: &MergeArgs, screen: &Screen) -> Result<(), Failure> {
    let inputs: Vec<Folder> =
        args.folders.iter().map(|path| Folder::open(path).map_err(unusable)).collect::<Result<_, _>>()?;
    let bytes = |folder: &Folder| folder.units().iter().map(|unit| unit.bytes).sum::<u64>();
    // Sums are as large as any of what they are sums of; kept rows as many as there are at most.
    let needed = inputs.iter().map(bytes).max().unwrap_or(0);
    let beside = args.output.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let there = Folder::open(&args.output).map_or(0, |begun| bytes(&begun));
    if let Some(free) = disk::free_bytes(beside).ok().filter(|free| *free < needed.saturating_sub(there)) {
        let message = format!(
            "`{}` will be about {}, and {} are free",
            args.output.display(),
            number::bytes(needed),
            number::bytes(free)
        );
        return Err(Failure::new(Class::InvalidArguments, message).suggest("Name a place with more room"));
    }
    screen.step(&format!("Adding up {} folders of {} units", inputs.len(), inputs[0].units().len()));
    let merged = merge_folders(&inputs, &args.output, args.same_text).map_err(unusable)?;
    let subject = merged.subject();
    let result = Merged {
        status: "success",
        output_path: args.output.clone(),
        texts: subject.texts.clone(),
        tokens: subject.texts.iter().map(|text| text.tokens).sum(),
        units: merged.units().len(),
        bytes: bytes(&merged),
    };
    let sentence = || {
        let (tokens, size) = (number::count(result.tokens), number::bytes(result.bytes));
        let (texts, units) = (result.texts.len(), result.units);
        format!("{}: {texts} texts, {tokens} tokens, {units} units, {size}\n", args.output.display())
    };
    screen.result(&result, sentence)
}

fn export(args: &ExportArgs, search: &Search, screen: &Screen) -> Result<(), Failure> {
    let catalogue = discover(search);
    let (loaded, form) = target(&catalogue, &args.imatrix, args.imatrix_form.as_deref())?;
    let kept = Kept::open(&args.folder)?;
    let source = JobSource::new(stored::open(&args.model, "", &catalogue)?);
    let (own, typed) = (&kept.subject().model, source.weights().fingerprint()?.content);
    if *own != typed {
        let message = format!(
            "the statistics in `{}` are of another model: its fingerprint is {own}, that of `{}` is {typed}",
            args.folder.display(),
            args.model.display()
        );
        return Err(Failure::new(Class::InvalidArguments, message).suggest("Name the model that was analyzed"));
    }
    let layers = (0..source.model().hyperparameters.layers).map(|layer| format!("layer.{layer}"));
    let there = |unit: &String| kept.units().iter().any(|(found, _)| found.id == *unit);
    if let Some(missing) = layers.chain([HEAD.to_owned()]).find(|unit| !there(unit)) {
        return Err(unusable(llmq_calibration::FolderError::Missing(missing)));
    }
    let importance = kept.importance(source.model().tensors.iter().map(|tensor| tensor.name.as_str()));
    let mut table = matrix(importance, &source, kept.origin(), &loaded, args.process_output)?;
    let lengths: Vec<u64> = kept.subject().texts.iter().map(|text| text.seqlen).collect();
    if let Some(other) = lengths.iter().find(|length| **length != lengths[0]) {
        table.warnings.push(format!(
            "texts have samples of {} and of {other} tokens; {} is written as the chunk size",
            lengths[0], lengths[0]
        ));
    }
    table.warnings.iter().for_each(|warning| screen.warning(warning));
    let file_size = write(&table, &loaded.backend, &form, &args.imatrix)?;
    let exported = Exported {
        status: "success",
        output_path: args.imatrix.clone(),
        form,
        file_size,
        entries: table.entries.len(),
        chunk_size: table.chunk_size,
        warnings: table.warnings,
    };
    let sentence = || format!("{}: {} entries, {file_size} bytes\n", args.imatrix.display(), exported.entries);
    screen.result(&exported, sentence)
}
