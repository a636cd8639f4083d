//! Sound safetensors files, read whole.

use serde_json::Value;
use std::path::Path;

/// One tensor with its bytes.
#[derive(Clone)]
pub struct Stored {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    pub bytes: Vec<u8>,
}

/// All tensors of all safetensors files of a folder.
pub fn read_folder(folder: &Path) -> Vec<Stored> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    files.sort();
    files.iter().flat_map(|path| read(&std::fs::read(path).unwrap())).collect()
}

fn read(bytes: &[u8]) -> Vec<Stored> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let data = &bytes[8 + length..];
    let number = |value: &Value| value.as_u64().unwrap();
    let entries = header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__");
    entries
        .map(|(name, entry)| Stored {
            name: name.clone(),
            dtype: entry["dtype"].as_str().unwrap().to_owned(),
            shape: entry["shape"].as_array().unwrap().iter().map(number).collect(),
            bytes: data[number(&entry["data_offsets"][0]) as usize..number(&entry["data_offsets"][1]) as usize]
                .to_vec(),
        })
        .collect()
}
