//! `imatrix show | merge | convert`: statistics files, in the form that was asked for.

use super::Screen;
use super::args::imatrix::{ImatrixCommand, TargetArgs};
use crate::failure::{Class, Failure};
use crate::job::JobSource;
use crate::model::Model;
use crate::plugins::{Search, discover};
use crate::report;
use crate::statistics::{Gravity, Named, Problem, Readers, Shown, figures, problems, write};
use llmq_plugin_api::client::Loaded;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Result of `imatrix merge` and `imatrix convert`.
#[derive(Debug, Serialize)]
struct Written {
    status: &'static str,
    output_path: PathBuf,
    form: String,
    file_size: u64,
    entries: usize,
    chunk_size: Option<u64>,
    problems: Vec<Problem>,
}

/// Runs one of the commands. A matrix that cannot be used makes `show` end with the code of a failed validation.
pub fn run(command: ImatrixCommand, search: &Search, screen: &Screen) -> Result<u8, Failure> {
    let catalogue = discover(search);
    let mut readers = Readers::new(&catalogue, None);
    match command {
        ImatrixCommand::Show { file, model } => show(&mut readers, &file, model.as_deref(), screen),
        ImatrixCommand::Merge { files, target } => save(&mut readers, &files, &target, screen),
        ImatrixCommand::Convert { file, target } => save(&mut readers, &[file], &target, screen),
    }
}

fn show(readers: &mut Readers, file: &Path, model: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
    let (table, reader) = readers.read(file)?;
    let (table, plugin) = (Arc::new(table), reader.id.clone());
    let found = match model {
        None => problems(&table),
        Some(folder) => {
            let source = JobSource::new(Box::new(Model::open(folder)?));
            Named { table: Arc::clone(&table), reader }.problems(&source)?
        }
    };
    let usable = found.iter().all(|problem| problem.gravity == Gravity::Warning);
    let shown = Shown {
        origin: table.origin.clone(),
        kind: table.kind.clone(),
        counted: table.counted,
        chunk_size: table.chunk_size,
        plugin,
        tensors: figures(&table),
        problems: found,
    };
    screen.result(&shown, || report::imatrix(&shown))?;
    Ok(if usable { 0 } else { Class::ValidationFailed.exit_code() })
}

fn save(readers: &mut Readers, files: &[PathBuf], target: &TargetArgs, screen: &Screen) -> Result<u8, Failure> {
    let (mut table, reader) = readers.read_all(files)?;
    let form = form(&reader, target.form.as_deref(), &target.output)?;
    let found = problems(&table);
    let errors: Vec<String> = found.iter().filter(|p| p.gravity == Gravity::Error).map(Problem::sentence).collect();
    if !errors.is_empty() {
        let message = format!("{} cannot be used: {}", table.origin.files.join(", "), errors.join("; "));
        return Err(Failure::new(Class::InvalidArguments, message)
            .suggest("Nothing was written; leave the damaged file out or make it again."));
    }
    for problem in &found {
        screen.warning(&problem.sentence());
    }
    table.settle(target.chunk_size.map(u64::from));
    let file_size = write(&table, &reader.backend, &form, &target.output)?;
    let entries = table.entries.len();
    let written = Written {
        status: "success",
        output_path: target.output.clone(),
        form,
        file_size,
        entries,
        chunk_size: table.chunk_size,
        problems: found,
    };
    let sentence = || format!("{}: {entries} entries, {file_size} bytes\n", target.output.display());
    screen.result(&written, sentence).map(|()| 0)
}

/// The form that was asked for, or the one that the file's ending means.
pub(super) fn form(reader: &Loaded, typed: Option<&str>, output: &Path) -> Result<String, Failure> {
    let forms = reader.backend.statistics_forms().map_err(Failure::from)?;
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let found = match (typed, &ending) {
        (Some(id), _) => forms.iter().find(|form| form.id.eq_ignore_ascii_case(id)),
        (None, Some(ending)) => forms.iter().find(|form| form.extension == *ending),
        (None, None) => None,
    };
    found.map(|form| form.id.clone()).ok_or_else(|| {
        let list: Vec<String> = forms.iter().map(|form| format!("{} ({})", form.id, form.summary)).collect();
        let message = match typed {
            Some(id) => format!("`{id}` is no form of importance matrix"),
            None => format!("the ending of `{}` is not that of an importance matrix", output.display()),
        };
        Failure::new(Class::InvalidArguments, message).suggest(format!("Use --form with one of: {}.", list.join(", ")))
    })
}
