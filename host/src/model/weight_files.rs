//! The weight files of a folder: one file, or shards with or without an index, mapped and cross-checked.

use super::safetensors_header::read_header;
use super::stored::StoredTensor;
use super::torch::read_torch;
use super::weight_names::{Container, WeightNames, shards, weight_names};
use super::{MappedFile, ModelError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The opened weights of a model.
#[derive(Debug)]
pub struct WeightFiles {
    /// Files in the order of their names.
    pub files: Vec<MappedFile>,
    /// Format of the files.
    pub container: Container,
    /// Every tensor, with the index of its file.
    pub tensors: Vec<(usize, StoredTensor)>,
    /// What was noticed but is no error.
    pub notes: Vec<String>,
}

/// Finds, maps and reads the weight files of a folder.
pub fn open_weights(folder: &Path) -> Result<WeightFiles, ModelError> {
    let present = names_in(folder)?;
    let mut notes = Vec::new();
    let WeightNames { container, files, index } = weight_names(folder, &present, &mut notes)?;
    let mut opened = WeightFiles { files: Vec::new(), container, tensors: Vec::new(), notes };
    for name in &files {
        let file = MappedFile::open(folder, name)?;
        let found = match container {
            Container::Safetensors => read_header(name, file.bytes())?,
            Container::Torch => read_torch(name, file.bytes())?,
        };
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
        let name = self.container.index();
        let found: HashMap<&str, &str> =
            self.tensors.iter().map(|(f, t)| (t.name.as_str(), self.files[*f].name())).collect();
        for (tensor, file) in index {
            match found.get(tensor.as_str()) {
                Some(&actual) if actual == file => {}
                Some(&actual) => {
                    return Err(shards(format!("{name} places tensor `{tensor}` in {file}, but it is in {actual}")));
                }
                None => return Err(shards(format!("{name} places tensor `{tensor}` in {file}, which lacks it"))),
            }
        }
        match self.tensors.iter().find(|(_, t)| !index.contains_key(&t.name)) {
            Some((f, t)) => {
                let file = self.files[*f].name();
                Err(shards(format!("{file} holds tensor `{}`, which {name} does not name", t.name)))
            }
            None => Ok(()),
        }
    }
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
