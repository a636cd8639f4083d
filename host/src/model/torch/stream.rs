//! The format before torch 1.6: four pickles, then the storages, each behind its length.

use super::objects::{Objects, Value};
use super::state_dict::{byte_length, shown, tensors};
use super::{Fault, damaged, machine, unsupported};
use crate::model::stored::StoredTensor;
use std::collections::HashMap;
use std::ops::Range;

/// The first pickle, whole: a number that stands for this format.
pub const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The only version of this format.
const VERSION: i64 = 1001;

/// Reads the tensors of a stream.
pub fn read(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    let mut objects = Objects::default();
    let (version, at) = machine::run(bytes, MAGIC.len(), &mut objects)?;
    if version != Value::Int(VERSION) {
        return Err(unsupported("is of an unknown version of torch's old format"));
    }
    let (system, at) = machine::run(bytes, at, &mut objects)?;
    if !little_endian(&objects, system) {
        return Err(unsupported("was written on a machine with big-endian numbers, or does not say"));
    }
    let (result, at) = machine::run(bytes, at, &mut objects)?;
    let (keys, at) = machine::run(bytes, at, &mut objects)?;
    let places = storages(bytes, at, &objects, keys)?;
    tensors(&objects, result, |storage| {
        let key = shown(storage.key);
        let place = places.get(storage.key).ok_or_else(|| damaged(format!("lacks the storage `{key}`")))?;
        match byte_length(storage) {
            Some(needed) if needed == place.len() => Ok(place.clone()),
            _ => Err(damaged(format!("describes storage `{key}` twice, with different lengths"))),
        }
    })
}

fn little_endian(objects: &Objects<'_>, system: Value) -> bool {
    let Value::Dict(dict) = system else { return false };
    let mut entries = objects.dicts[dict].iter();
    entries.any(|(key, value)| objects.text(*key) == Some("little_endian") && *value == Value::Bool(true))
}

/// Places of the storages, in the order in which their names are listed.
fn storages<'a>(
    bytes: &[u8],
    mut at: usize,
    objects: &Objects<'a>,
    keys: Value,
) -> Result<HashMap<&'a str, Range<usize>>, Fault> {
    let Value::List(keys) = keys else { return Err(damaged("does not list its storages")) };
    let known: HashMap<&str, _> = objects.storages.iter().map(|storage| (storage.key, storage)).collect();
    let mut places = HashMap::new();
    for key in &objects.sequences[keys] {
        let storage = objects.text(*key).and_then(|key| known.get(key));
        let storage = storage.ok_or_else(|| damaged("lists a storage that no tensor uses"))?;
        let key = shown(storage.key);
        let cut = || damaged(format!("ends inside storage `{key}`: it is damaged or was not downloaded completely"));
        let elements = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or_else(cut)?;
        let elements = u64::from_le_bytes(*elements);
        if elements != storage.elements {
            let declared = storage.elements;
            return Err(damaged(format!("storage `{key}` has {elements} elements where {declared} are declared")));
        }
        let start = at + 8;
        let end = byte_length(storage).and_then(|length| start.checked_add(length));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
        if places.insert(storage.key, start..end).is_some() {
            return Err(damaged(format!("lists storage `{key}` twice")));
        }
        at = end;
    }
    match bytes.len() - at {
        0 => Ok(places),
        extra => Err(damaged(format!("has {extra} bytes behind its last storage"))),
    }
}
