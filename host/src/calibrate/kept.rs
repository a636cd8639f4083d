//! A statistics folder that was gathered before: what is in it, without the large parts.

use super::{Importance, named_figures};
use crate::failure::{Class, Failure};
use crate::statistics::Origin;
use llmq_calibration::{Entry, Folder, FolderError, Subject, Unit};
use llmq_measure::findings::TensorFigures;
use std::path::Path;

/// Sums and ranges of all units of a folder.
pub struct Kept {
    folder: Folder,
    /// By unit, layers in their order.
    units: Vec<(Unit, Vec<Entry>)>,
}

impl Kept {
    /// Reads them: a small part of the bytes.
    pub fn open(path: &Path) -> Result<Kept, Failure> {
        let folder = Folder::open(path).map_err(unusable)?;
        let mut ordered: Vec<Unit> = folder.units().to_vec();
        ordered.sort_by_key(|unit| place(&unit.id));
        let units = ordered.into_iter().map(|unit| {
            let entries = sums(&folder, &unit.id)?;
            Ok((unit, entries))
        });
        let units = units.collect::<Result<_, Failure>>()?;
        Ok(Kept { folder, units })
    }

    /// What the statistics are of.
    pub fn subject(&self) -> &Subject {
        self.folder.subject()
    }

    /// The complete units with their entries, layers in their order.
    pub fn units(&self) -> &[(Unit, Vec<Entry>)] {
        &self.units
    }

    /// The files that are not what was written, as sentences.
    pub fn damaged(&self) -> Vec<String> {
        self.units.iter().filter_map(|(unit, _)| self.folder.verify(&unit.id).err()).map(|e| e.to_string()).collect()
    }

    /// Sums of squares of the tensors of these names.
    pub fn importance<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> Importance {
        Importance::new(names, self.entries())
    }

    /// Figures of every tensor.
    pub fn figures(&self) -> Vec<TensorFigures> {
        let sources = self.entries().flat_map(|entry| &entry.sources);
        let names: Vec<&str> = sources.map(|source| source.tensor.as_str()).collect();
        named_figures(&names, &self.importance(names.iter().copied()))
    }

    /// Where an importance matrix of these statistics comes from.
    pub fn origin(&self) -> Origin {
        let texts = &self.subject().texts;
        Origin {
            datasets: texts.iter().map(|text| text.name.clone()).collect(),
            chunk_size: texts.first().map_or(0, |text| text.seqlen),
            chunks: texts.iter().map(|text| text.samples).sum(),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.units.iter().flat_map(|(_, entries)| entries)
    }
}

/// The entries of a unit without Gram matrices and rows.
pub(super) fn sums(folder: &Folder, unit: &str) -> Result<Vec<Entry>, Failure> {
    let mut file = folder.unit(unit).map_err(unusable)?;
    let entries = (0..file.head().entries.len()).map(|entry| file.read_sums(entry));
    entries.collect::<Result<_, _>>().map_err(|error| {
        Failure::new(Class::Checkpoint, format!("unit `{unit}` of the statistics: {error}"))
            .suggest("Remove its file and its line in statistics.json, and gather it again")
    })
}

/// Layers by number, then the rest by name.
fn place(unit: &str) -> (u64, String) {
    let number = unit.strip_prefix("layer.").and_then(|number| number.parse().ok());
    (number.unwrap_or(u64::MAX), unit.to_owned())
}

/// Why a folder cannot be used, and what to do.
pub fn unusable(error: FolderError) -> Failure {
    let (class, hint) = match &error {
        FolderError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            (Class::InvalidArguments, "Name a folder that `llm-quantize analyze --statistics DIR` wrote")
        }
        FolderError::SameText(_) => (
            Class::InvalidArguments,
            "Gather it on another text, or allow it with --same-text if it shall weigh several times",
        ),
        FolderError::Missing(_) => (
            Class::InvalidArguments,
            "It was stopped: run the same `llm-quantize analyze ... --statistics DIR` again, which goes on with it",
        ),
        FolderError::Differs { .. } | FolderError::Merge(_) => (
            Class::InvalidArguments,
            "Only statistics of one model, with the same settings and the same version of this program, can be added up",
        ),
        _ => (Class::Checkpoint, "Gather these statistics again"),
    };
    Failure::new(class, error.to_string()).suggest(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_come_in_their_order() {
        let mut units = ["head", "layer.10", "layer.2", "layer.x"];
        units.sort_by_key(|unit| place(unit));
        assert_eq!(units, ["layer.2", "layer.10", "head", "layer.x"]);
    }
}
