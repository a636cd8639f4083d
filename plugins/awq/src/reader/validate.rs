//! The structure of a folder beyond shapes: finite numbers, and modules that hold something.

use super::{Entry, Module};
use llmq_plugin_api::sdk::{Context, Error, MappedFile};
use llmq_plugin_api::wire::{Finding, Severity, ValidationReport};
use llmq_safetensors_folders::reading::rows::not_finite;
use std::sync::Mutex;

/// Checks everything.
pub(super) fn validate(cx: &Context, entries: &[Entry], files: &[MappedFile]) -> Result<ValidationReport, Error> {
    let found = Mutex::new(Vec::new());
    cx.parallel_for(entries.len(), |number| {
        let of_one = match &entries[number] {
            Entry::Plain(located) => not_finite(located, files).map(|message| (Severity::Error, message)),
            Entry::Module(module) => of_module(module, files),
        };
        if let Some((severity, message)) = of_one {
            found.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((number, severity, message));
        }
        Ok(())
    })?;
    let mut found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    found.sort_by_key(|(number, ..)| *number); // threads finish in any order
    let finding = |(number, severity, message): (usize, Severity, String)| Finding {
        severity,
        subject: match &entries[number] {
            Entry::Plain(located) => located.stored.name.clone(),
            Entry::Module(module) => module.name.clone(),
        },
        message,
    };
    Ok(ValidationReport { findings: found.into_iter().map(finding).collect() })
}

fn of_module(module: &Module, files: &[MappedFile]) -> Option<(Severity, String)> {
    if let Some(message) = not_finite(&module.scales, files) {
        return Some((Severity::Error, format!("scales: {message}")));
    }
    let bytes = match module.scales.bytes(files) {
        Ok(bytes) => bytes,
        Err(error) => return Some((Severity::Error, error.message)),
    };
    let silent = bytes.iter().all(|byte| *byte == 0);
    silent.then(|| (Severity::Warning, "all scales are zero: the module puts out nothing".into()))
}
