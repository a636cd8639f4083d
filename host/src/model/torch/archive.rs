//! The zip format since torch 1.6: one pickle, and one entry per storage.

use super::objects::Objects;
use super::state_dict::{byte_length, shown, tensors};
use super::{Fault, damaged, machine, unsupported, zip};
use crate::model::stored::StoredTensor;
use std::collections::HashMap;

/// Longest pickle accepted, in bytes: a million tensors take less.
const MAX_PICKLE: usize = 512 << 20;
const PICKLE: &str = "data.pkl";

/// Reads the tensors of an archive.
pub fn read(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    let mut entries = HashMap::new();
    for zip::Entry { name, range } in zip::entries(bytes)? {
        if entries.insert(name, range).is_some() {
            return Err(damaged(format!("holds the entry `{}` twice", shown(name))));
        }
    }
    let mut pickles = entries.iter().filter(|(name, _)| name.rsplit('/').next() == Some(PICKLE));
    let (Some((name, pickle)), None) = (pickles.next(), pickles.next()) else {
        return Err(unsupported(format!(
            "is a zip archive without exactly one {PICKLE}, so torch.save did not write it"
        )));
    };
    let folder = name.strip_suffix(PICKLE).unwrap_or_default();
    if let Some(order) = entries.get(format!("{folder}byteorder").as_str())
        && &bytes[order.clone()] != b"little"
    {
        return Err(unsupported("was written on a machine with big-endian numbers"));
    }
    if pickle.len() > MAX_PICKLE {
        return Err(damaged(format!("has a {PICKLE} of {} bytes; at most {MAX_PICKLE} are accepted", pickle.len())));
    }
    let mut objects = Objects::default();
    let (result, end) = machine::run(&bytes[..pickle.end], pickle.start, &mut objects)?;
    if end != pickle.end {
        return Err(damaged(format!("has {} bytes behind the end of its pickle", pickle.end - end)));
    }
    tensors(&objects, result, |storage| {
        let key = shown(storage.key);
        let place = entries.get(format!("{folder}data/{}", storage.key).as_str());
        let place = place.ok_or_else(|| damaged(format!("lacks the storage `{key}`")))?;
        match byte_length(storage) {
            Some(needed) if needed <= place.len() => Ok(place.start..place.start + needed),
            _ => Err(damaged(format!(
                "declares {} elements in storage `{key}`, which has {} bytes",
                storage.elements,
                place.len()
            ))),
        }
    })
}
