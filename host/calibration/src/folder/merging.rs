//! Several statistics of one model made into one.

use std::path::Path;

use super::{Folder, FolderError, Subject};

/// Adds up statistics of the same model with the same settings into a new folder, unit by unit: two files' units are in
/// memory at a time. Texts stand behind each other. A merge that was stopped is continued by the same call.
///
/// The same text in two of them counts twice; that is refused unless `same_text` allows it.
///
/// # Errors
/// Other models, settings, programs, units or entries; a text that is there twice; what the system says.
pub fn merge_folders(inputs: &[Folder], out: &Path, same_text: bool) -> Result<Folder, FolderError> {
    let Some((first, others)) = inputs.split_first() else {
        return Err(FolderError::Missing("(no statistics to merge)".to_owned()));
    };
    let mut subject = first.subject().clone();
    for other in others {
        let texts = subject.texts.clone();
        Subject { texts: other.subject().texts.clone(), ..subject.clone() }.must_equal(other.subject())?;
        let twice = other.subject().texts.iter().find(|text| texts.iter().any(|there| there.sha256 == text.sha256));
        if let Some(text) = twice.filter(|_| !same_text) {
            return Err(FolderError::SameText(text.name.clone()));
        }
        subject.texts.extend(other.subject().texts.iter().cloned());
    }
    // One that lacks a unit would make the sums of this unit those of fewer texts.
    let mut ids: Vec<&str> = inputs.iter().flat_map(|input| input.units()).map(|unit| unit.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in &ids {
        if !inputs.iter().all(|input| input.is_complete(id)) {
            return Err(FolderError::Missing((*id).to_owned()));
        }
    }
    let mut merged = Folder::resume(out, subject)?;
    let settings = merged.subject().settings;
    for id in ids {
        if merged.is_complete(id) {
            continue;
        }
        let mut entries = first.read(id)?;
        for other in others {
            let more = other.read(id)?;
            if more.len() != entries.len() {
                let (here, asked) = (format!("{} entries", entries.len()), format!("{} entries", more.len()));
                return Err(FolderError::Differs { what: "unit", here, asked });
            }
            for (entry, more) in entries.iter_mut().zip(&more) {
                let options = if entry.routed { settings.experts } else { settings.dense };
                entry.merge(more, options.samples)?;
            }
        }
        merged.put(id, &entries)?;
    }
    Ok(merged)
}
