//! Which files of a folder hold the weights: safetensors before PyTorch's old format, one file before shards.

use super::{ModelError, side_files};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Longest index file accepted, in bytes.
const MAX_INDEX: u64 = 64 << 20;
/// Most shards accepted.
const MAX_SHARDS: usize = 10_000;

/// The format of weight files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `model.safetensors`.
    Safetensors,
    /// `pytorch_model.bin`.
    Torch,
}

impl Container {
    /// In the order of preference: safetensors can be checked better.
    const ALL: [Container; 2] = [Container::Safetensors, Container::Torch];

    /// Name of an unsharded model's only file.
    fn single(self) -> &'static str {
        match self {
            Container::Safetensors => "model.safetensors",
            Container::Torch => "pytorch_model.bin",
        }
    }

    /// Names the shard of every tensor.
    pub fn index(self) -> &'static str {
        match self {
            Container::Safetensors => "model.safetensors.index.json",
            Container::Torch => "pytorch_model.bin.index.json",
        }
    }

    fn stem_and_ending(self) -> (&'static str, &'static str) {
        match self {
            Container::Safetensors => ("model-", ".safetensors"),
            Container::Torch => ("pytorch_model-", ".bin"),
        }
    }

    /// `(number, of)` in `model-00002-of-00004.safetensors`.
    fn shard_number(self, name: &str) -> Option<(usize, usize)> {
        let (stem, ending) = self.stem_and_ending();
        let (number, of) = name.strip_prefix(stem)?.strip_suffix(ending)?.split_once("-of-")?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
        Some((digits(number)?, digits(of)?))
    }

    /// Whether any of the names is a weight file, or an index, of this format.
    fn occurs(self, present: &BTreeSet<String>) -> bool {
        let known = |name: &str| name == self.single() || name == self.index() || self.shard_number(name).is_some();
        present.iter().any(|name| known(name))
    }

    /// The index comes from a download: a name with a path in it could lead anywhere.
    fn is_plain_name(self, name: &str) -> bool {
        name.len() <= 255
            && name.ends_with(self.stem_and_ending().1)
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    }
}

/// The weight files of a model.
#[derive(Debug)]
pub struct WeightNames {
    /// Their format.
    pub container: Container,
    /// Their names.
    pub files: BTreeSet<String>,
    /// File of every tensor, if an index counts.
    pub index: Option<BTreeMap<String, String>>,
}

/// The index that counts among the names of a folder, if there is one. A download fetches it before it asks for the
/// weight files.
pub fn weight_index(present: &BTreeSet<String>) -> Option<&'static str> {
    let container = Container::ALL.into_iter().find(|container| container.occurs(present))?;
    present.contains(container.index()).then(|| container.index())
}

/// Chooses the weight files among the names of a folder, which need not all be there yet: a download asks before it
/// fetches. Only the index must lie in `folder`, if it is among the names. A single file goes before shards, as in
/// transformers.
pub fn weight_names(
    folder: &Path,
    present: &BTreeSet<String>,
    notes: &mut Vec<String>,
) -> Result<WeightNames, ModelError> {
    let mut occurring = Container::ALL.into_iter().filter(|container| container.occurs(present));
    let Some(container) = occurring.next() else { return Err(nothing_usable(folder, present)) };
    if let Some(other) = occurring.next() {
        let (used, left) = (container.stem_and_ending().1, other.stem_and_ending().1);
        notes.push(format!("the {used} weights are used; the same model's {left} files are ignored"));
    }
    let (single, index_name) = (container.single(), container.index());
    let index = if present.contains(index_name) { Some(read_index(folder, container)?) } else { None };
    let has_single = present.contains(single);
    let (files, index) = match index {
        Some(index) if !has_single || index.values().any(|file| file == single) => {
            let names: BTreeSet<String> = index.values().cloned().collect();
            let missing: Vec<&str> = names.iter().filter(|n| !present.contains(*n)).map(String::as_str).collect();
            if !missing.is_empty() {
                return Err(shards(format!("{index_name} names {}, which is not there", missing.join(", "))));
            }
            (names, Some(index))
        }
        other => {
            if other.is_some() {
                notes.push(format!("{single} is used; {index_name} names other files and is ignored"));
            }
            let only = || BTreeSet::from([single.to_owned()]);
            (if has_single { only() } else { numbered_shards(container, present)? }, None)
        }
    };
    for name in present.iter().filter(|n| container.shard_number(n).is_some() && !files.contains(*n)) {
        notes.push(format!("{name} is not part of the model and is ignored"));
    }
    Ok(WeightNames { container, files, index })
}

pub(super) fn shards(problem: String) -> ModelError {
    ModelError::Shards { problem }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Tensor name to file name. The `total_size` of the index is not read: published models get it wrong.
fn read_index(folder: &Path, container: Container) -> Result<BTreeMap<String, String>, ModelError> {
    let name = container.index();
    let bytes = side_files::read_capped(folder, name, MAX_INDEX)?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|e| ModelError::Json { file: name.to_owned(), problem: e.to_string() })?;
    if index.weight_map.is_empty() {
        return Err(shards(format!("the weight_map of {name} is empty")));
    }
    for file in index.weight_map.values() {
        if !container.is_plain_name(file) {
            let kind = match container {
                Container::Safetensors => "safetensors",
                Container::Torch => "bin",
            };
            return Err(shards(format!("{name} names {file:?}, which is not a {kind} file of this folder")));
        }
    }
    Ok(index.weight_map)
}

/// The complete set `1..=n of n`, or nothing where no shard is present.
fn numbered_shards(container: Container, present: &BTreeSet<String>) -> Result<BTreeSet<String>, ModelError> {
    let numbered: BTreeMap<&String, (usize, usize)> =
        present.iter().filter_map(|name| Some((name, container.shard_number(name)?))).collect();
    let Some(&(_, of)) = numbered.values().next() else { return Ok(BTreeSet::new()) };
    if let Some((name, (_, other))) = numbered.iter().find(|(_, (_, n))| *n != of) {
        let index = container.index();
        return Err(shards(format!("there is no {index}, and {name} counts {other} shards where others count {of}")));
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
    ModelError::NoWeights { path: folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> BTreeSet<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn shard_names() {
        let number = |name: &str| Container::Safetensors.shard_number(name);
        assert_eq!(number("model-00002-of-00004.safetensors"), Some((2, 4)));
        for other in ["model.safetensors", "model-1-of-x.safetensors", "model-+1-of-2.safetensors", "model-1.bin"] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(Container::Torch.shard_number("pytorch_model-00001-of-00003.bin"), Some((1, 3)));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["../model.safetensors", "/etc/x.safetensors", "a\\b.safetensors", ".safetensors", "model.bin", ""] {
            assert!(!Container::Safetensors.is_plain_name(bad), "{bad}");
        }
        assert!(Container::Safetensors.is_plain_name("model-00001-of-00002.safetensors"));
        assert!(!Container::Torch.is_plain_name("../pytorch_model.bin"));
    }

    #[test]
    fn safetensors_go_before_the_old_format_and_that_is_said() {
        let nowhere = Path::new("/nonexistent");
        let choose = |line: &str| {
            let mut notes = Vec::new();
            weight_names(nowhere, &names(line), &mut notes).map(|chosen| (chosen.container, chosen.files, notes))
        };
        let (container, files, notes) = choose("pytorch_model.bin model.safetensors training_args.bin").unwrap();
        assert_eq!((container, files), (Container::Safetensors, names("model.safetensors")));
        assert_eq!(notes, ["the .safetensors weights are used; the same model's .bin files are ignored"]);
        let (container, files, notes) =
            choose("pytorch_model-1-of-2.bin pytorch_model-2-of-2.bin optimizer.bin").unwrap();
        assert_eq!((container, files), (Container::Torch, names("pytorch_model-1-of-2.bin pytorch_model-2-of-2.bin")));
        assert!(notes.is_empty());
        assert!(matches!(choose("training_args.bin optimizer.bin"), Err(ModelError::NoWeights { .. })));
        assert!(matches!(choose("pytorch_model-1-of-2.bin"), Err(ModelError::Shards { .. })));
        let index = |line: &str| weight_index(&names(line));
        assert_eq!(index("model.safetensors pytorch_model.bin.index.json"), None);
        assert_eq!(index("pytorch_model.bin.index.json"), Some("pytorch_model.bin.index.json"));
    }
}
