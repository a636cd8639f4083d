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
    let modules: Vec<(usize, String)> = order
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, name.strip_suffix(".qweight")?.to_owned())))
        .collect();
    let mut entries: BTreeMap<usize, Entry<Module>> = BTreeMap::new();
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
