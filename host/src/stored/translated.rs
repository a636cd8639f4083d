//! Files of a format as the source of a job of another one: Hugging Face's names and config.json, rows decoded.

use super::as_stored::non_finite_rows;
use super::{Reading, fingerprint, is_plain, stem};
use crate::failure::{Class, Failure};
use crate::job::Weights;
use crate::model::{Fingerprint, Listed, NonFinite, describe};
use llmq_plugin_api::wire::{ModelDescription, ReaderSummary, UnitKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The source.
pub struct Translated {
    reading: Reading,
    description: ModelDescription,
    /// Position of each described tensor in the reader's list.
    positions: Vec<usize>,
    notes: Vec<String>,
}

impl Translated {
    /// Describes what a reader found, with the same checks as for a folder: every tensor known, none missing, every shape
    /// as config.json implies it.
    pub fn new(reading: Reading, path: &Path) -> Result<Translated, Failure> {
        let summary = reading.reader.summary();
        let listed: Vec<Listed> = summary
            .tensors
            .iter()
            .enumerate()
            .filter(|(_, tensor)| !tensor.name.is_empty())
            .map(|(position, tensor)| Listed {
                name: &tensor.name,
                shape: &tensor.shape,
                dtype: if is_float(&tensor.encoding) { &tensor.encoding } else { "F32" },
                position,
            })
            .collect();
        let mut notes = summary.warnings.clone();
        notes.extend(reading.passed_over.iter().cloned());
        let (mut description, positions) = describe(&summary.config, &listed, &mut notes).map_err(|error| {
            let failure = Failure::from(error);
            let message = format!("{} cannot be converted: {}", path.display(), failure.message);
            Failure::new(Class::UnsupportedConversion, message).suggest(failure.suggestion)
        })?;
        description.name = stem(path);
        description.files = side_files(summary);
        if let Ok(bytes) = reading.sidecar("generation_config.json") {
            description.generation_config = serde_json::from_slice(&bytes).unwrap_or_default();
        }
        Ok(Translated { reading, description, positions, notes })
    }

    fn hint(&self, unit: usize, one: impl Fn(&crate::model::MappedFile, &Range<usize>)) {
        let Some(described) = self.description.units.get(unit) else { return };
        let Some(view) = &self.reading.reader.summary().stored else { return };
        // The reader says what lies where only by layer; what lies outside the layers is wanted twice.
        let layer = if described.kind == UnitKind::Layer { described.layer } else { None };
        for placed in view.tensors.iter().filter(|tensor| tensor.layer == layer) {
            let range = placed.offset as usize..placed.offset.saturating_add(placed.bytes) as usize;
            if let Some(file) = self.reading.files.get(placed.file as usize).filter(|f| range.end <= f.bytes().len()) {
                one(file, &range);
            }
        }
    }
}

/// Side files that belong to a Hugging Face folder.
fn side_files(summary: &ReaderSummary) -> Vec<String> {
    let mut names: Vec<String> =
        summary.sidecars.iter().filter(|name| crate::model::is_side_file(name)).cloned().collect();
    names.sort();
    names
}

fn is_float(encoding: &str) -> bool {
    matches!(encoding, "F32" | "F16" | "BF16")
}

impl Weights for Translated {
    fn description(&self) -> &ModelDescription {
        &self.description
    }

    fn bytes(&self, _tensor: usize) -> Result<&[u8], Failure> {
        Ok(&[])
    }

    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        let position = self.positions.get(tensor);
        let position = position.ok_or_else(|| Failure::new(Class::General, format!("there is no tensor {tensor}")))?;
        self.reading.rows(*position, first_row, out)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        if !self.description.files.iter().any(|file| file == name) {
            return Err(Failure::new(Class::General, format!("the source has no side file `{name}`")));
        }
        self.reading.sidecar(name)
    }

    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        Ok(fingerprint::fingerprint(&self.reading))
    }

    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        non_finite_rows(&self.description.tensors[tensor], |row, out| self.read_rows(tensor, row, out))
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn source_bytes(&self) -> u64 {
        self.reading.reader.summary().tensors.iter().map(|tensor| tensor.bytes).fold(0, u64::saturating_add)
    }

    fn will_need(&self, unit: usize) {
        self.hint(unit, |file, range| file.will_need(range));
    }

    fn done_with(&self, unit: usize, forget: bool) {
        self.hint(unit, |file, range| file.done_with(range, forget));
    }

    fn check_unchanged(&self) -> Result<(), Failure> {
        self.reading.check_unchanged()
    }

    fn encoding(&self, tensor: usize) -> Option<&str> {
        let stored = self.reading.reader.summary().tensors.get(*self.positions.get(tensor)?)?;
        (!is_plain(&stored.encoding)).then_some(stored.encoding.as_str())
    }

    fn stored_bytes(&self, tensor: usize) -> u64 {
        let stored = &self.reading.reader.summary().tensors;
        self.positions.get(tensor).and_then(|position| stored.get(*position)).map_or(0, |tensor| tensor.bytes)
    }

    fn stored_format(&self) -> Option<(&str, &str)> {
        Some(self.reading.format())
    }

    fn inputs(&self) -> Vec<PathBuf> {
        self.reading.paths()
    }
}
