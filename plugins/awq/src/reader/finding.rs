//! The structure of a module beyond shapes: finite scales, of which some are not zero.

use super::Module;
use llmq_plugin_api::sdk::MappedFile;
use llmq_plugin_api::wire::Severity;
use llmq_safetensors_folders::reading::rows::not_finite;

/// What is wrong or odd about a module.
pub(super) fn of_module(module: &Module, files: &[MappedFile]) -> Option<(Severity, String)> {
    if let Some(message) = not_finite(&module.scales, files) {
        return Some((Severity::Error, format!("scales: {message}")));
    }
    let bytes = match module.scales.bytes(files) {
        Ok(bytes) => bytes,
        Err(error) => return Some((Severity::Error, error.message)),
    };
    let silent = bytes.iter().all(|byte| *byte == 0);
    silent.then(|| (Severity::Warning, "all scales are zero: the module puts out nothing".into()))
}
