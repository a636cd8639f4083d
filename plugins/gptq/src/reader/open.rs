//! All tensors of a folder, put together to modules.

use super::declared::Declared;
use super::module::Parts;
use super::{Entry, Located, Module};
use crate::checkpoint::{self, INDEX};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The entries of a folder, in file order; a module stands where its codes are.
pub fn entries(files: &[MappedFile], declared: &Declared) -> Result<Vec<Entry>, Error> {
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
    let modules: Vec<(usize, String)> = order
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, name.strip_suffix(".qweight")?.to_owned())))
        .collect();
    let mut entries: BTreeMap<usize, Entry> = BTreeMap::new();
    for (at, name) in modules {
        let mut take = |part: &str| by_name.remove(&format!("{name}.{part}"));
        let parts = match (take("qweight"), take("qzeros"), take("scales")) {
            (Some(qweight), Some(qzeros), Some(scales)) => Parts { qweight, qzeros, scales, g_idx: take("g_idx") },
            _ => {
                let message = format!("module `{name}` has codes, but no qzeros or no scales");
                return Err(Error::new(Kind::CorruptInput, message).subject(name));
            }
        };
        entries.insert(at, Entry::Module(Box::new(Module::new(&name, parts, declared.zeros, declared.group)?)));
    }
    for (at, name) in order.iter().enumerate() {
        if let Some(located) = by_name.remove(name) {
            entries.insert(at, Entry::Plain(located));
        }
    }
    Ok(entries.into_values().collect())
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
