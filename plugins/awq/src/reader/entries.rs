//! All tensors of a folder, put together to modules.

use super::Module;
use super::declared::Declared;
use super::module::Parts;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_safetensors_folders::reading::{Entry, Tensors, tensors};
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
        if let Some(located) = by_name.remove(name) {
            entries.insert(at, Entry::Plain(located));
        }
    }
    Ok(entries.into_values().collect())
}
