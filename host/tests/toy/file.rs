//! The toy format: magic, length of an index, the index as JSON, then tensors at multiples of 64 bytes.

use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile, Reader};
use llmq_plugin_api::wire::{Finding, ReaderSummary, Severity, StoredTensor, ValidationReport};
use serde::{Deserialize, Serialize};

pub const MAGIC: &[u8; 4] = b"TOY1";
pub const ALIGN: u64 = 64;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub shape: Vec<u64>,
    pub encoding: String,
    pub offset: u64,
    pub bytes: u64,
}

/// Bytes of one row: a scale and one byte per weight, or plain floats.
pub fn row_bytes(encoding: &str, columns: u64) -> u64 {
    if encoding == "I8" { 4 + columns } else { 4 * columns }
}

/// Encodes one row.
pub fn encode_row(encoding: &str, up: bool, row: &[f32], out: &mut Vec<u8>) {
    if encoding != "I8" {
        return out.extend(row.iter().flat_map(|w| w.to_le_bytes()));
    }
    let scale = row.iter().fold(0f32, |max, w| max.max(w.abs())) / 127.0;
    out.extend(scale.to_le_bytes());
    let round = |w: f32| if up { w.ceil() } else { w.round() };
    out.extend(row.iter().map(|w| if scale > 0.0 { round(w / scale) as i8 as u8 } else { 0 }));
}

pub struct ToyReader {
    entries: Vec<Entry>,
}

impl ToyReader {
    pub fn open(files: &[MappedFile]) -> Result<ToyReader, Error> {
        let bad = |what: &str| Error::new(Kind::CorruptInput, what);
        let data = files.first().ok_or_else(|| bad("no file"))?.data;
        let rest = data.strip_prefix(MAGIC).ok_or_else(|| bad("no magic"))?;
        let length = rest.first_chunk::<8>().map(|n| u64::from_le_bytes(*n) as usize).ok_or_else(|| bad("short"))?;
        let index = rest.get(8..).and_then(|r| r.get(..length)).ok_or_else(|| bad("index beyond the end"))?;
        let entries = serde_json::from_slice(index).map_err(|e| bad(&e.to_string()))?;
        Ok(ToyReader { entries })
    }
}

impl Reader for ToyReader {
    fn summary(&self) -> ReaderSummary {
        let stored = |e: &Entry| StoredTensor {
            name: e.name.clone(),
            stored_name: format!("toy/{}", e.name),
            shape: e.shape.clone(),
            encoding: e.encoding.clone(),
            bytes: e.bytes,
            unit: None,
        };
        ReaderSummary {
            format: "toy".into(),
            level: String::new(),
            name: String::new(),
            config: Default::default(),
            metadata: Default::default(),
            tensors: self.entries.iter().map(stored).collect(),
            sidecars: vec![],
            warnings: vec![],
            stored: None,
        }
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        let entry = &self.entries[tensor];
        let columns = *entry.shape.last().unwrap();
        let step = row_bytes(&entry.encoding, columns) as usize;
        for (number, row) in out.chunks_mut(columns as usize).enumerate() {
            let start = entry.offset as usize + (first_row + number) * step;
            let bytes = files[0].data.get(start..start + step);
            let bytes = bytes.ok_or_else(|| Error::new(Kind::CorruptInput, "row beyond the end"))?;
            match entry.encoding.as_str() {
                "I8" => {
                    let scale = f32::from_le_bytes(*bytes.first_chunk().unwrap());
                    row.iter_mut().zip(&bytes[4..]).for_each(|(w, b)| *w = f32::from(*b as i8) * scale);
                }
                _ => row.iter_mut().zip(bytes.as_chunks::<4>().0).for_each(|(w, b)| *w = f32::from_le_bytes(*b)),
            }
        }
        Ok(())
    }

    fn validate(&self, _: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
        let outside = self.entries.iter().filter(|e| e.offset + e.bytes > files[0].length);
        let finding = |e: &Entry| Finding {
            severity: Severity::Error,
            subject: e.name.clone(),
            message: "lies outside the file".into(),
        };
        Ok(ValidationReport { findings: outside.map(finding).collect() })
    }
}
