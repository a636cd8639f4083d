//! All tensors of a folder, from every file of weights.

use super::Located;
use crate::checkpoint::{self, INDEX};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The tensors of a folder. A backend takes those of its modules out by name.
#[derive(Debug)]
pub struct Tensors {
    /// All names, in file order.
    pub order: Vec<String>,
    /// What has not been taken yet.
    pub by_name: BTreeMap<String, Located>,
}

/// The tensors of a folder; each name may stand there once.
pub fn tensors(files: &[MappedFile]) -> Result<Tensors, Error> {
    let mut located = Vec::new();
    for number in shards(files)? {
        let file = &files[number];
        let tensors = checkpoint::parse(file.data).map_err(|error| {
            let message = format!("{}: {}", file.name, error.message);
            Error { message, ..error }.subject(file.name)
        })?;
        located.extend(tensors.into_iter().map(|stored| Located { file: number, stored }));
    }
    let mut by_name: BTreeMap<String, Located> = BTreeMap::new();
    let mut order = Vec::with_capacity(located.len());
    for located in located {
        order.push(located.stored.name.clone());
        if let Some(twice) = by_name.insert(located.stored.name.clone(), located) {
            let message = format!("tensor `{}` is stored twice", twice.stored.name);
            return Err(Error::new(Kind::CorruptInput, message).subject(twice.stored.name));
        }
    }
    Ok(Tensors { order, by_name })
}

/// Numbers of the files of weights: those that the index names, or all if there is none.
fn shards(files: &[MappedFile]) -> Result<Vec<usize>, Error> {
    let corrupt = |message: String| Error::new(Kind::CorruptInput, message).subject(INDEX);
    let Some(index) = files.iter().find(|file| file.name == INDEX) else {
        let all: Vec<usize> = (0..files.len()).filter(|number| files[*number].name.ends_with(".safetensors")).collect();
        if all.is_empty() {
            let message = "the folder has no safetensors files; weights in other files are not read";
            return Err(Error::new(Kind::CorruptInput, message));
        }
        return Ok(all);
    };
    let index: Value =
        serde_json::from_slice(index.data).map_err(|error| corrupt(format!("{INDEX} is no JSON: {error}")))?;
    let map = index.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| corrupt(format!("{INDEX} has no weight_map")))?;
    let names: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    let number = |name: &str| {
        let found = files.iter().position(|file| file.name == name && name.ends_with(".safetensors"));
        found.ok_or_else(|| corrupt(format!("{INDEX} names the file `{name}`, which the folder does not have")))
    };
    names.into_iter().map(number).collect()
}
