//! Names of plugin files: `libllmq_<id>.so`, with the id's dashes as underscores where the compiler made the name.
//!
//! Ids are `[a-z0-9-]+` and never hold an underscore, while cargo writes the dashes of a library's name as underscores.
//! So `libllmq_compressed_tensors.so` and `libllmq_compressed-tensors.so` both name the plugin `compressed-tensors`,
//! and no two ids share a file name.

use llmq_plugin_api::wire::Manifest;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

/// The plugin id that a file name promises, or nothing if the file does not call itself a plugin.
pub fn id_of_file_name(name: &str) -> Option<String> {
    let stem = name.strip_prefix(DLL_PREFIX)?.strip_suffix(DLL_SUFFIX)?.strip_prefix("llmq_")?;
    let id = stem.replace('_', "-");
    Manifest::is_id(&id).then_some(id)
}

/// The file name that cargo gives the plugin of an id, for messages.
pub fn file_name_of(id: &str) -> String {
    format!("{DLL_PREFIX}llmq_{}{DLL_SUFFIX}", id.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_underscores_name_the_same_plugin() {
        let name = file_name_of("compressed-tensors");
        assert_eq!(name, format!("{DLL_PREFIX}llmq_compressed_tensors{DLL_SUFFIX}"));
        assert_eq!(id_of_file_name(&name).as_deref(), Some("compressed-tensors"));
        let dashed = format!("{DLL_PREFIX}llmq_compressed-tensors{DLL_SUFFIX}");
        assert_eq!(id_of_file_name(&dashed).as_deref(), Some("compressed-tensors"));
    }

    #[test]
    fn other_libraries_are_not_plugins() {
        for name in ["libc.so", "libllmq_.so", "libllmq_GGUF.so", "llmq_gguf", "libllmq_gguf.so.1", "libllmq_a b.so"] {
            assert_eq!(id_of_file_name(name), None, "{name}");
        }
    }
}
