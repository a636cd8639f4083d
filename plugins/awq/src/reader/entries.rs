//! All tensors of a folder, put together to modules.

use super::Module;
use super::declared::Declared;
use super::module::Parts;
use crate::plan::is_scales;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_safetensors_folders::reading::rows::float;
use llmq_safetensors_folders::reading::{Entry, Located, Tensors, tensors};
use std::collections::BTreeMap;

/// The entries of a folder, in file order; a module stands where its codes are.
pub fn entries(files: &[MappedFile], declared: &Declared) -> Result<Vec<Entry<Module>>, Error> {
    let Tensors { order, mut by_name } = tensors(files)?;
    let mut entries: BTreeMap<usize, Entry<Module>> = BTreeMap::new();
    for (at, full) in order.iter().enumerate() {
        let Some(name) = full.strip_suffix(".qweight") else { continue };
        let mut take = |part: &str| by_name.remove(&format!("{name}.{part}"));
        let parts = match (take("qweight"), take("qzeros"), take("scales")) {
            (Some(qweight), qzeros, Some(scales)) if qzeros.is_some() || !declared.zeros => {
                Parts { qweight, qzeros, scales }
            }
            _ => {
                let message = format!("module `{name}` has codes, but no qzeros or no scales");
                return Err(Error::new(Kind::CorruptInput, message).subject(name));
            }
        };
        if take("g_idx").is_some() {
            let message = format!("module `{name}` has a g_idx, which does not occur in this format");
            return Err(Error::new(Kind::CorruptInput, message).subject(name));
        }
        entries.insert(at, Entry::Module(Box::new(Module::new(name, parts, declared.group)?)));
    }
    for (at, name) in order.iter().enumerate() {
        let Some(located) = by_name.remove(name) else { continue };
        // Hugging Face's view has no such tensors: ones change nothing, and may be left out.
        if !is_scales(name) {
            entries.insert(at, Entry::Plain(located));
        } else if !ones(&located, files)? {
            let message = format!(
                "`{name}` divides an activation by numbers other than one; Hugging Face's view of the model has no place for them"
            );
            return Err(Error::new(Kind::UnsupportedOperation, message).subject(name));
        }
    }
    Ok(entries.into_values().collect())
}

fn ones(located: &Located, files: &[MappedFile]) -> Result<bool, Error> {
    let (bytes, dtype) = (located.bytes(files)?, located.stored.dtype);
    let count = bytes.len() / dtype.bytes() as usize;
    Ok((0..count).all(|at| float(bytes, dtype, at) == Some(1.0)))
}
