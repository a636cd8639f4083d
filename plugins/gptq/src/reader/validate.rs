//! The structure of a folder beyond shapes: finite numbers, groups that exist, zeros that readers agree on.

use super::{Entry, Module};
use crate::choices::Zeros;
use llmq_linear_grids::packing;
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
    if let Err(error) = module.assigned(files) {
        return Some((Severity::Error, error.message));
    }
    let zeros = match module.qzeros.bytes(files) {
        Ok(bytes) => bytes.as_chunks::<4>().0,
        Err(error) => return Some((Severity::Error, error.message)),
    };
    let full = ((1u32 << module.bits) - 1) as u8;
    let overflows = |row: &[[u8; 4]]| {
        let mut stored = vec![0u8; module.rows];
        packing::unpack(|at| row.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes)), module.bits, &mut stored);
        stored.contains(&full)
    };
    let words = (zeros.len() / module.groups).max(1);
    let group = (module.zeros == Zeros::LessOne).then(|| zeros.chunks(words).position(overflows)).flatten()?;
    let message = format!(
        "zeros of group {group} are stored as {full}, which some readers take for 0 and others for {}",
        u32::from(full) + 1
    );
    Some((Severity::Warning, message))
}
