//! AWQ folders back to Hugging Face's view: every quantized module is one matrix `x.weight` again.

mod declared;
mod module;
mod open;
mod rows;
mod validate;

pub use declared::confidence;
pub use module::Module;

use declared::Declared;
use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile, Reader};
use llmq_plugin_api::wire::{ReaderSummary, StoredTensor, ValidationReport};
use llmq_safetensors_folders::checkpoint::INDEX;
use llmq_safetensors_folders::reading::rows::{is_float, plain};
use llmq_safetensors_folders::reading::{Located, file};
use serde_json::json;

/// One tensor in Hugging Face's view.
#[derive(Debug)]
enum Entry {
    /// As it is stored.
    Plain(Located),
    /// Unpacked.
    Module(Box<Module>),
}

/// A parsed folder. Holds positions, no bytes.
pub struct AwqReader {
    entries: Vec<Entry>,
    declared: Declared,
    sidecars: Vec<String>,
}

impl AwqReader {
    /// Parses a folder.
    pub fn open(files: &[MappedFile]) -> Result<AwqReader, Error> {
        let declared = Declared::read(files)?;
        let entries = open::entries(files, &declared)?;
        let sidecars = files.iter().map(|file| file.name).filter(|name| is_sidecar(name)).map(str::to_owned).collect();
        Ok(AwqReader { entries, declared, sidecars })
    }
}

/// Everything but weights and what speaks of quantization alone.
fn is_sidecar(name: &str) -> bool {
    let of_quantization = [INDEX, "quant_config.json", "quantize_config.json", "quant_log.csv"];
    !name.ends_with(".safetensors") && !of_quantization.contains(&name)
}

impl Entry {
    fn listed(&self) -> StoredTensor {
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
            Entry::Module(module) => StoredTensor {
                name: format!("{}.weight", module.name),
                stored_name: module.qweight.stored.name.clone(),
                shape: vec![module.rows as u64, module.columns as u64],
                encoding: crate::plan::encoding(if module.groups == 1 { -1 } else { module.group as i64 }),
                bytes: module.located().map(Located::length).sum(),
                unit: None,
            },
        }
    }
}

impl Reader for AwqReader {
    fn summary(&self) -> ReaderSummary {
        let tensors: Vec<StoredTensor> = self.entries.iter().map(Entry::listed).collect();
        let unread = tensors.iter().filter(|tensor| tensor.name.is_empty());
        let unread = unread.map(|t| format!("tensor `{}` holds {}; it is left out", t.stored_name, t.encoding));
        ReaderSummary {
            format: "awq".into(),
            level: self.declared.level(),
            name: String::new(),
            config: self.declared.config.clone(),
            metadata: json!({ "quantization_config": self.declared.quantization }),
            warnings: unread.collect(),
            tensors,
            sidecars: self.sidecars.clone(),
            stored: None,
        }
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        match self.entries.get(tensor) {
            Some(Entry::Plain(located)) => plain(located, files, first_row, out),
            Some(Entry::Module(module)) => rows::unpacked(module, files, first_row, out),
            None => {
                let message = format!("there is no tensor {tensor}; the folder has {}", self.entries.len());
                Err(Error::new(Kind::Other, message))
            }
        }
    }

    fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        match name {
            "config.json" => Ok(format!("{:#}\n", self.declared.config).into_bytes()),
            name if is_sidecar(name) => Ok(file(files, name)?.to_vec()),
            _ => Err(Error::unsupported("give weights as a side file")),
        }
    }

    fn validate(&self, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
        validate::validate(cx, &self.entries, files)
    }
}
