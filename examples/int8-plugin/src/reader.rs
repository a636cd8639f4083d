//! Reads the format back: the model in Hugging Face words, rows as f32, config and side files.

use crate::container::{self, Header, Stored};
use crate::layout::WEIGHTS;
use crate::row;
use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile, Reader};
use llmq_plugin_api::wire::{Finding, ReaderSummary, Severity, StoredTensor, ValidationReport};
use serde_json::Value;
use std::sync::Mutex;

/// A parsed folder. Holds positions, no bytes.
pub struct Int8Reader {
    tensors: Vec<Entry>,
    level: String,
    config: Value,
    sidecars: Vec<String>,
}

struct Entry {
    values: Stored,
    /// Byte position of the scales, for a quantized tensor.
    scales: Option<usize>,
    rows: usize,
    columns: usize,
}

fn file<'a>(files: &[MappedFile<'a>], name: &str) -> Result<&'a [u8], Error> {
    files
        .iter()
        .find(|f| f.name == name)
        .map(|f| f.data)
        .ok_or_else(|| Error::new(Kind::CorruptInput, format!("the folder has no file `{name}`")).subject(name))
}

impl Int8Reader {
    /// Parses a folder.
    pub fn open(files: &[MappedFile]) -> Result<Int8Reader, Error> {
        let Header { tensors, level } = container::parse(file(files, WEIGHTS)?).map_err(|e| e.subject(WEIGHTS))?;
        let mut config: Value = serde_json::from_slice(file(files, "config.json")?)
            .map_err(|e| Error::new(Kind::CorruptInput, format!("config.json is no JSON: {e}")))?;
        if let Value::Object(fields) = &mut config {
            fields.shift_remove("quantization_config");
        }
        let names = files.iter().map(|f| f.name.to_owned());
        let sidecars = names.filter(|name| name != WEIGHTS).collect();
        Ok(Int8Reader { tensors: pair_up(tensors)?, level, config, sidecars })
    }

    fn entry(&self, tensor: usize) -> Result<&Entry, Error> {
        let missing = || format!("there is no tensor {tensor}; the file has {}", self.tensors.len());
        self.tensors.get(tensor).ok_or_else(|| Error::new(Kind::Other, missing()))
    }
}

/// Joins codes with their scales, in the order of the values.
fn pair_up(stored: Vec<Stored>) -> Result<Vec<Entry>, Error> {
    let corrupt = |t: &Stored, what: String| Error::new(Kind::CorruptInput, what).subject(&t.name);
    let codes: Vec<&str> = stored.iter().filter(|t| t.is_codes).map(|t| t.name.as_str()).collect();
    let is_scale = |t: &Stored| t.name.strip_suffix("_scale").is_some_and(|of| !t.is_codes && codes.contains(&of));
    let mut entries = Vec::new();
    for values in stored.iter().filter(|t| !is_scale(t)) {
        let columns = values.shape.last().map_or(1, |c| *c as usize);
        let rows = (values.end - values.start) / if values.is_codes { 1 } else { 4 } / columns.max(1);
        let scales = match values.is_codes {
            false => None,
            true => {
                let name = format!("{}_scale", values.name);
                let Some(scales) = stored.iter().find(|t| t.name == name && !t.is_codes) else {
                    return Err(corrupt(values, format!("tensor `{}` has no scales `{name}`", values.name)));
                };
                if scales.shape != [rows as u64] {
                    let what = format!("`{name}` has shape {:?}, expected [{rows}]", scales.shape);
                    return Err(corrupt(scales, what));
                }
                Some(scales.start)
            }
        };
        entries.push(Entry { values: values.clone(), scales, rows, columns });
    }
    Ok(entries)
}

impl Reader for Int8Reader {
    fn summary(&self) -> ReaderSummary {
        let tensor = |e: &Entry| StoredTensor {
            name: e.values.name.clone(),
            stored_name: e.values.name.clone(),
            shape: e.values.shape.clone(),
            encoding: if e.scales.is_some() { "I8 per row" } else { "F32" }.into(),
            bytes: (e.values.end - e.values.start) as u64 + if e.scales.is_some() { e.rows as u64 * 4 } else { 0 },
            unit: None,
        };
        ReaderSummary {
            format: "int8".into(),
            level: self.level.clone(),
            name: self.config.get("_name_or_path").and_then(Value::as_str).unwrap_or_default().into(),
            config: self.config.clone(),
            metadata: Value::Null,
            tensors: self.tensors.iter().map(tensor).collect(),
            sidecars: self.sidecars.clone(),
            warnings: Vec::new(),
            stored: None,
        }
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        let entry = self.entry(tensor)?;
        let count = out.len() / entry.columns.max(1);
        if count * entry.columns != out.len() || first_row.checked_add(count).is_none_or(|end| end > entry.rows) {
            let message = format!("{} values from row {first_row} were asked of {} rows", out.len(), entry.rows);
            return Err(Error::new(Kind::Other, message).subject(&entry.values.name));
        }
        let data = file(files, WEIGHTS)?;
        let short = || Error::new(Kind::CorruptInput, "the file is shorter than when it was opened").subject(WEIGHTS);
        let bytes = |at: usize, length: usize| data.get(at..at + length).ok_or_else(short);
        let Some(scales) = entry.scales else {
            let stored = bytes(entry.values.start + first_row * entry.columns * 4, out.len() * 4)?;
            out.iter_mut().zip(stored.as_chunks::<4>().0).for_each(|(w, b)| *w = f32::from_le_bytes(*b));
            return Ok(());
        };
        let scales = bytes(scales + first_row * 4, count * 4)?.as_chunks::<4>().0;
        let codes = bytes(entry.values.start + first_row * entry.columns, out.len())?;
        let rows = out.chunks_exact_mut(entry.columns.max(1)).zip(codes.chunks_exact(entry.columns.max(1)));
        for ((weights, codes), scale) in rows.zip(scales) {
            let scale = f32::from_le_bytes(*scale);
            weights.iter_mut().zip(codes).for_each(|(w, c)| *w = row::decode(*c as i8, scale));
        }
        Ok(())
    }

    fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        match name {
            "config.json" => Ok(format!("{:#}\n", self.config).into_bytes()),
            WEIGHTS => Err(Error::unsupported("give weights as a side file")),
            other => Ok(file(files, other)?.to_vec()),
        }
    }

    fn validate(&self, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
        let data = file(files, WEIGHTS)?;
        let findings = Mutex::new(Vec::new());
        cx.parallel_for(self.tensors.len(), |index| {
            if let Some(message) = fault(&self.tensors[index], data) {
                findings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, message));
            }
            Ok(())
        })?;
        let mut findings = findings.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        findings.sort(); // threads finish in any order
        let finding = |(index, message): (usize, String)| Finding {
            severity: Severity::Error,
            subject: self.tensors[index].values.name.clone(),
            message,
        };
        Ok(ValidationReport { findings: findings.into_iter().map(finding).collect() })
    }
}

/// The first thing that the writer never writes.
fn fault(entry: &Entry, data: &[u8]) -> Option<String> {
    let floats = |at: usize, count: usize| {
        let bytes = data.get(at..at + count * 4).unwrap_or_default();
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))
    };
    let Some(scales) = entry.scales else {
        let mut values = floats(entry.values.start, entry.rows * entry.columns);
        return values.position(|w| !w.is_finite()).map(|at| format!("value {at} is not a finite number"));
    };
    if let Some(row) = floats(scales, entry.rows).position(|s| !(s.is_finite() && s >= 0.0)) {
        return Some(format!("the scale of row {row} is not a finite number from 0 on"));
    }
    let codes = data.get(entry.values.start..entry.values.end).unwrap_or_default();
    codes.iter().position(|c| *c == 0x80).map(|at| format!("code {at} is -128, which this format does not use"))
}
