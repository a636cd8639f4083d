//! A parsed folder of packed matrices as a reader: what every format of such folders tells, decodes and checks alike.

use super::rows::{asked, is_float, not_finite, plain};
use super::{Located, file};
use crate::checkpoint::INDEX;
use crate::select::is_turned;
use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile, Reader};
use llmq_plugin_api::wire::{Finding, ReaderSummary, Severity, StoredTensor, ValidationReport};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Mutex;

/// A matrix that a format keeps in several stored tensors. It becomes `NAME.weight`, turned round where the model wants it so.
pub trait PackedMatrix: Send + Sync {
    /// Name of the module.
    fn name(&self) -> &str;

    /// Outputs and inputs.
    fn shape(&self) -> [usize; 2];

    /// Encoding in the words of the format.
    fn encoding(&self) -> String;

    /// The stored tensors, the codes first.
    fn located(&self) -> Vec<&Located>;

    /// Hands out the values of some rows and columns, with their places counted from the first row and column asked for. They exist.
    fn values(
        &self,
        files: &[MappedFile],
        rows: Range<usize>,
        columns: Range<usize>,
        put: impl FnMut(usize, usize, f32),
    ) -> Result<(), Error>;

    /// What is wrong or odd about it.
    fn finding(&self, files: &[MappedFile]) -> Option<(Severity, String)>;
}

/// One tensor in Hugging Face's view.
#[derive(Debug)]
pub enum Entry<M> {
    /// As it is stored.
    Plain(Located),
    /// Unpacked.
    Module(Box<M>),
}

/// What a folder says of itself.
pub struct Heading {
    /// Format id.
    pub format: &'static str,
    /// Level in the words of the format.
    pub level: String,
    /// config.json without what speaks of quantization.
    pub config: Value,
    /// What speaks of quantization.
    pub quantization: Value,
    /// Files that speak of quantization alone.
    pub of_quantization: &'static [&'static str],
}

/// A parsed folder. Holds positions, no bytes.
pub struct PackedFolder<M> {
    entries: Vec<Entry<M>>,
    heading: Heading,
    sidecars: Vec<String>,
}

impl<M> PackedFolder<M> {
    /// A folder with its entries in file order.
    pub fn new(files: &[MappedFile], heading: Heading, entries: Vec<Entry<M>>) -> PackedFolder<M> {
        let mut folder = PackedFolder { entries, heading, sidecars: Vec::new() };
        let names = files.iter().map(|file| file.name).filter(|name| folder.is_sidecar(name));
        folder.sidecars = names.map(str::to_owned).collect();
        folder
    }

    /// Everything but weights and what speaks of quantization alone.
    fn is_sidecar(&self, name: &str) -> bool {
        !name.ends_with(".safetensors") && name != INDEX && !self.heading.of_quantization.contains(&name)
    }
}

impl<M: PackedMatrix> Entry<M> {
    /// In the view of a model with this config.json.
    fn listed(&self, config: &Value) -> StoredTensor {
        match self {
            Entry::Plain(located) => StoredTensor {
                // Numbers that are no floats are no weights.
                name: if is_float(located.stored.dtype) { located.stored.name.clone() } else { String::new() },
                stored_name: located.stored.name.clone(),
                shape: located.stored.shape.clone(),
                encoding: located.stored.dtype.word().into(),
                bytes: located.length(),
                unit: None,
            },
            Entry::Module(module) => {
                let located = module.located();
                StoredTensor {
                    name: format!("{}.weight", module.name()),
                    stored_name: located.first().map(|codes| codes.stored.name.clone()).unwrap_or_default(),
                    shape: {
                        let [rows, columns] = module.shape().map(|count| count as u64);
                        if is_turned(config, module.name()) { vec![columns, rows] } else { vec![rows, columns] }
                    },
                    encoding: module.encoding(),
                    bytes: located.iter().map(|part| part.length()).sum(),
                    unit: None,
                }
            }
        }
    }

    fn subject(&self) -> &str {
        match self {
            Entry::Plain(located) => &located.stored.name,
            Entry::Module(module) => module.name(),
        }
    }
}

impl<M: PackedMatrix> Reader for PackedFolder<M> {
    fn summary(&self) -> ReaderSummary {
        let tensors: Vec<StoredTensor> = self.entries.iter().map(|entry| entry.listed(&self.heading.config)).collect();
        let unread = tensors.iter().filter(|tensor| tensor.name.is_empty());
        let unread = unread.map(|t| format!("tensor `{}` holds {}; it is left out", t.stored_name, t.encoding));
        ReaderSummary {
            format: self.heading.format.into(),
            level: self.heading.level.clone(),
            name: String::new(),
            config: self.heading.config.clone(),
            metadata: json!({ "quantization_config": self.heading.quantization }),
            warnings: unread.collect(),
            tensors,
            sidecars: self.sidecars.clone(),
            stored: None,
        }
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        match self.entries.get(tensor) {
            Some(Entry::Plain(located)) => plain(located, files, first_row, out),
            Some(Entry::Module(module)) if is_turned(&self.heading.config, module.name()) => {
                unpacked_columns(&**module, files, first_row, out)
            }
            Some(Entry::Module(module)) => unpacked(&**module, files, first_row, out),
            None => {
                let message = format!("there is no tensor {tensor}; the folder has {}", self.entries.len());
                Err(Error::new(Kind::Other, message))
            }
        }
    }

    fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        match name {
            "config.json" => Ok(format!("{:#}\n", self.heading.config).into_bytes()),
            name if self.is_sidecar(name) => Ok(file(files, name)?.to_vec()),
            _ => Err(Error::unsupported("give weights as a side file")),
        }
    }

    fn validate(&self, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
        let found = Mutex::new(Vec::new());
        cx.parallel_for(self.entries.len(), |number| {
            let of_one = match &self.entries[number] {
                Entry::Plain(located) => not_finite(located, files).map(|message| (Severity::Error, message)),
                Entry::Module(module) => module.finding(files),
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
            subject: self.entries[number].subject().to_owned(),
            message,
        };
        Ok(ValidationReport { findings: found.into_iter().map(finding).collect() })
    }
}

/// Rows of a matrix.
fn unpacked(matrix: &impl PackedMatrix, files: &[MappedFile], first: usize, out: &mut [f32]) -> Result<(), Error> {
    let [rows, columns] = matrix.shape();
    let count = asked(matrix.name(), rows, columns, first, out.len())?;
    matrix.values(files, first..first + count, 0..columns, |row, column, value| out[row * columns + column] = value)
}

/// Columns of a matrix, one behind the other: rows of the matrix turned round.
fn unpacked_columns(
    matrix: &impl PackedMatrix,
    files: &[MappedFile],
    first: usize,
    out: &mut [f32],
) -> Result<(), Error> {
    let [rows, columns] = matrix.shape();
    let count = asked(matrix.name(), columns, rows, first, out.len())?;
    matrix.values(files, 0..rows, first..first + count, |row, column, value| out[column * rows + row] = value)
}
