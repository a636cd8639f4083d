//! `plugins list | info | check | doctor`: catalogue and conformance kit, in the form that was asked for.

use super::Screen;
use super::args::plugins::PluginsCommand;
use crate::check::check_file;
use crate::child;
use crate::failure::{Class, Failure};
use crate::plugins::{Catalogue, Entry, Loader, Probed, Search, Status, discover, discover_with};
use crate::report;
use crate::report::{Diagnosis, PluginPortrait};
use std::path::Path;
use std::time::Duration;

/// How long the conformance kit may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs one of the commands. A plugin that breaks a promise makes `check` end with the code of a failed validation.
pub fn run(command: PluginsCommand, search: &Search, screen: &Screen) -> Result<u8, Failure> {
    match command {
        PluginsCommand::Check { file } => return check(&file, search, screen),
        PluginsCommand::List => {
            let catalogue = discover(search);
            screen.result(&report::plugin_rows(&catalogue), || report::plugin_list(&catalogue))
        }
        PluginsCommand::Info { id } => {
            let portrait = portrait(&discover(search), &id)?;
            screen.result(&portrait, || report::plugin_info(&portrait))
        }
        PluginsCommand::Doctor { file } => {
            let (catalogue, whole) = match &file {
                Some(file) => (beside(file, search)?, false),
                None => (discover(search), true),
            };
            let diagnoses: Vec<Diagnosis> = catalogue.entries.iter().map(diagnose).collect::<Result<_, _>>()?;
            let searched = if whole { catalogue.searched.as_slice() } else { &[] };
            let object = report::doctor_object(searched, &diagnoses);
            screen.result(&object, || report::doctor(searched, &diagnoses))
        }
    }
    .map(|()| 0)
}

fn check(file: &Path, search: &Search, screen: &Screen) -> Result<u8, Failure> {
    let catalogue = beside(file, search)?;
    if let Some(Entry { status: Status::Untrusted(reason), .. }) = catalogue.entries.first() {
        let message = format!("{} is not run, because it cannot be trusted: {reason}", file.display());
        return Err(Failure::new(Class::InvalidArguments, message)
            .suggest("Correct owner and permissions, or insist with --allow-insecure-plugins"));
    }
    let executable = child::executable().map_err(|why| Failure::new(Class::General, why))?;
    let report = check_file(file, &executable, PATIENCE)?;
    screen.result(&report::check_object(&report), || report::check(&report))?;
    Ok(if report.passed() { 0 } else { Class::ValidationFailed.exit_code() })
}

fn portrait(catalogue: &Catalogue, id: &str) -> Result<PluginPortrait, Failure> {
    // A broken plugin is not described but explained, by the same sentences that a job would get.
    let entry = catalogue.usable().find(|entry| entry.id() == id);
    let entry = entry.or_else(|| catalogue.entries.iter().find(|entry| entry.id() == id)).ok_or_else(|| {
        let mut known: Vec<String> = catalogue.entries.iter().map(Entry::id).collect();
        known.dedup();
        let suggestion = match known.is_empty() {
            true => "No plugin was found; `llm-quantize plugins doctor` lists the folders searched".to_owned(),
            false => format!("Installed: {}", known.join(", ")),
        };
        Failure::new(Class::InvalidArguments, format!("There is no plugin `{id}`")).suggest(suggestion)
    })?;
    let loaded = entry.load()?;
    Ok(PluginPortrait {
        path: entry.path.clone(),
        tier: entry.tier,
        api: entry.manifest.as_ref().map(|manifest| manifest.api.clone()).unwrap_or_default(),
        older_interface: loaded.older_interface,
        descriptor: loaded.backend.descriptor().clone(),
    })
}

/// The catalogue of one file: judged by the same rules as in a search.
fn beside(file: &Path, search: &Search) -> Result<Catalogue, Failure> {
    let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
    let real = file.canonicalize().map_err(|e| {
        refuse(format!("{} cannot be reached: {e}", file.display())).suggest("Give the path of a plugin file")
    })?;
    let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
    let alone = Search { plugin_dirs: vec![folder], allow_insecure: search.allow_insecure, env: false };
    let mut catalogue = discover_with(&alone, &Loader::from_environment());
    catalogue.entries.retain(|entry| entry.path.canonicalize().is_ok_and(|path| path == real));
    match catalogue.entries.is_empty() {
        false => Ok(catalogue),
        true => Err(refuse(format!("{} does not have the name of a plugin, so it is never looked at", file.display()))
            .suggest(format!("Plugin files are named {}", crate::plugins::file_name_of("ID")))),
    }
}

/// What becomes of a plugin when it is really loaded, away from this process.
fn diagnose(entry: &Entry) -> Result<Diagnosis, Failure> {
    let probe = match entry.status {
        Status::Usable => Some(Loader::from_environment().probe(&entry.path)?),
        _ => None,
    };
    let healthy = matches!(probe, Some(Probed::Loads { .. }));
    Ok(Diagnosis { entry: entry.clone(), healthy, probe })
}
