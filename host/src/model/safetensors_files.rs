//! The weight files of a folder: one file, or shards with or without an index, mapped and cross-checked.

use super::safetensors_header::{StoredTensor, read_header};
use super::{MappedFile, ModelError, side_files};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

const SINGLE: &str = "model.safetensors";
/// Names the shard of every tensor.
pub const INDEX: &str = "model.safetensors.index.json";
/// Longest index file accepted, in bytes.
const MAX_INDEX: u64 = 64 << 20;
/// Most shards accepted.
const MAX_SHARDS: usize = 10_000;

/// The opened weights of a model.
#[derive(Debug)]
pub struct WeightFiles {
    /// Files in the order of their names.
    pub files: Vec<MappedFile>,
    /// Every tensor, with the index of its file.
    pub tensors: Vec<(usize, StoredTensor)>,
    /// What was noticed but is no error.
    pub notes: Vec<String>,
}

/// Names of the weight files, and the index if it counts.
type Choice = (BTreeSet<String>, Option<BTreeMap<String, String>>);

/// Chooses the weight files among the names of a folder, which need not all be there yet: a download asks before it
/// fetches. Only the index must lie in `folder`, if it is among the names. A single model.safetensors goes before
/// shards, as in transformers.
pub fn weight_names(folder: &Path, present: &BTreeSet<String>, notes: &mut Vec<String>) -> Result<Choice, ModelError> {
    let index = if present.contains(INDEX) { Some(read_index(folder)?) } else { None };
    let single = present.contains(SINGLE);
    let (names, index) = match index {
        Some(index) if !single || index.values().any(|file| file == SINGLE) => {
            let names: BTreeSet<String> = index.values().cloned().collect();
            let missing: Vec<&str> = names.iter().filter(|n| !present.contains(*n)).map(String::as_str).collect();
            if !missing.is_empty() {
                return Err(shards(format!("{INDEX} names {}, which is not there", missing.join(", "))));
            }
            (names, Some(index))
        }
        other => {
            if other.is_some() {
                notes.push(format!("{SINGLE} is used; {INDEX} names other files and is ignored"));
            }
            let names = if single { BTreeSet::from([SINGLE.to_owned()]) } else { numbered_shards(present)? };
            (names, None)
        }
    };
    if names.is_empty() {
        return Err(nothing_usable(folder, present));
    }
    Ok((names, index))
}

/// Finds, maps and reads the weight files of a folder.
pub fn open_weights(folder: &Path) -> Result<WeightFiles, ModelError> {
    let present = names_in(folder)?;
    let mut notes = Vec::new();
    let (names, index) = weight_names(folder, &present, &mut notes)?;
    for left_over in present.iter().filter(|n| shard_number(n).is_some() && !names.contains(*n)) {
        notes.push(format!("{left_over} is not part of the model and is ignored"));
    }
    let mut opened = WeightFiles { files: Vec::new(), tensors: Vec::new(), notes };
    for name in &names {
        let file = MappedFile::open(folder, name)?;
        let found = read_header(name, file.bytes())?;
        let position = opened.files.len();
        opened.tensors.extend(found.into_iter().map(|t| (position, t)));
        opened.files.push(file);
    }
    opened.refuse_duplicates()?;
    if let Some(index) = index {
        opened.compare_with(&index)?;
    }
    Ok(opened)
}

impl WeightFiles {
    fn refuse_duplicates(&self) -> Result<(), ModelError> {
        let mut first = HashMap::new();
        for (file, tensor) in &self.tensors {
            if let Some(other) = first.insert(tensor.name.as_str(), *file) {
                let (a, b) = (self.files[other].name(), self.files[*file].name());
                return Err(shards(format!("tensor `{}` is both in {a} and in {b}", tensor.name)));
            }
        }
        Ok(())
    }

    fn compare_with(&self, index: &BTreeMap<String, String>) -> Result<(), ModelError> {
        let found: HashMap<&str, &str> =
            self.tensors.iter().map(|(f, t)| (t.name.as_str(), self.files[*f].name())).collect();
        for (tensor, file) in index {
            match found.get(tensor.as_str()) {
                Some(&actual) if actual == file => {}
                Some(&actual) => {
                    return Err(shards(format!("{INDEX} places tensor `{tensor}` in {file}, but it is in {actual}")));
                }
                None => return Err(shards(format!("{INDEX} places tensor `{tensor}` in {file}, which lacks it"))),
            }
        }
        match self.tensors.iter().find(|(_, t)| !index.contains_key(&t.name)) {
            Some((f, t)) => {
                let file = self.files[*f].name();
                Err(shards(format!("{file} holds tensor `{}`, which {INDEX} does not name", t.name)))
            }
            None => Ok(()),
        }
    }
}

fn shards(problem: String) -> ModelError {
    ModelError::Shards { problem }
}

fn names_in(folder: &Path) -> Result<BTreeSet<String>, ModelError> {
    let io = |source| ModelError::Io { action: "list", path: folder.to_owned(), source };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        // A name that is not UTF-8 cannot be one of ours.
        if let Ok(name) = entry.map_err(io)?.file_name().into_string() {
            names.insert(name);
        }
    }
    Ok(names)
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Tensor name to file name. The `total_size` of the index is not read: published models get it wrong.
fn read_index(folder: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let bytes = side_files::read_capped(folder, INDEX, MAX_INDEX)?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|e| ModelError::Json { file: INDEX.to_owned(), problem: e.to_string() })?;
    if index.weight_map.is_empty() {
        return Err(shards(format!("the weight_map of {INDEX} is empty")));
    }
    for file in index.weight_map.values() {
        if !is_plain_safetensors_name(file) {
            return Err(shards(format!("{INDEX} names {file:?}, which is not a safetensors file of this folder")));
        }
    }
    Ok(index.weight_map)
}

/// The index comes from a download: a name with a path in it could lead anywhere.
fn is_plain_safetensors_name(name: &str) -> bool {
    name.len() <= 255
        && name.ends_with(".safetensors")
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// `(number, of)` in `model-00002-of-00004.safetensors`.
fn shard_number(name: &str) -> Option<(usize, usize)> {
    let (number, of) = name.strip_prefix("model-")?.strip_suffix(".safetensors")?.split_once("-of-")?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    Some((digits(number)?, digits(of)?))
}

/// The complete set `1..=n of n`, or nothing where no shard is present.
fn numbered_shards(present: &BTreeSet<String>) -> Result<BTreeSet<String>, ModelError> {
    let numbered: BTreeMap<&String, (usize, usize)> =
        present.iter().filter_map(|name| Some((name, shard_number(name)?))).collect();
    let Some(&(_, of)) = numbered.values().next() else { return Ok(BTreeSet::new()) };
    if let Some((name, (_, other))) = numbered.iter().find(|(_, (_, n))| *n != of) {
        return Err(shards(format!("there is no {INDEX}, and {name} counts {other} shards where others count {of}")));
    }
    if of > MAX_SHARDS {
        return Err(shards(format!("the names count {of} shards; at most {MAX_SHARDS} are accepted")));
    }
    let numbers: BTreeSet<usize> = numbered.values().map(|&(number, _)| number).collect();
    let missing: Vec<String> = (1..=of).filter(|n| !numbers.contains(n)).map(|n| n.to_string()).collect();
    if !missing.is_empty() || numbers.len() != of || numbered.len() != of {
        let (have, missing) = (numbered.len(), missing.join(", "));
        return Err(shards(format!("{have} of {of} shards are there; number {missing} is missing")));
    }
    Ok(numbered.into_keys().cloned().collect())
}

fn nothing_usable(folder: &Path, present: &BTreeSet<String>) -> ModelError {
    if present.contains("adapter_config.json") {
        return ModelError::Adapter { path: folder.to_owned() };
    }
    let legacy = present.iter().find(|n| n.starts_with("pytorch_model") && n.ends_with(".bin"));
    match legacy {
        Some(file) => ModelError::LegacyPytorch { file: file.clone() },
        None => ModelError::NoWeights { path: folder.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_names() {
        assert_eq!(shard_number("model-00002-of-00004.safetensors"), Some((2, 4)));
        for other in ["model.safetensors", "model-1-of-x.safetensors", "model-+1-of-2.safetensors", "model-1.bin"] {
            assert_eq!(shard_number(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["../model.safetensors", "/etc/x.safetensors", "a\\b.safetensors", ".safetensors", "model.bin", ""] {
            assert!(!is_plain_safetensors_name(bad), "{bad}");
        }
        assert!(is_plain_safetensors_name("model-00001-of-00002.safetensors"));
    }
}
