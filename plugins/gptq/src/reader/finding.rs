//! The structure of a module beyond shapes: finite scales, groups that exist, zeros that readers agree on.

use super::Module;
use crate::choices::Zeros;
use llmq_linear_grids::packing;
use llmq_plugin_api::sdk::MappedFile;
use llmq_plugin_api::wire::Severity;
use llmq_safetensors_folders::reading::rows::not_finite;

/// What is wrong or odd about a module.
pub(super) fn of_module(module: &Module, files: &[MappedFile]) -> Option<(Severity, String)> {
    if let Some(message) = not_finite(&module.scales, files) {
        return Some((Severity::Error, format!("scales: {message}")));
    }
    if let Err(error) = module.assigned(files) {
        return Some((Severity::Error, error.message));
    }
    let zeros = match module.qzeros.bytes(files) {
        Ok(bytes) => bytes.as_chunks::<4>().0,
        Err(error) => return Some((Severity::Error, error.message)),
    };
    let full = ((1u32 << module.bits) - 1) as u8;
    let overflows = |row: &[[u8; 4]]| {
        let mut stored = vec![0u8; module.rows];
        packing::unpack(|at| row.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes)), module.bits, &mut stored);
        stored.contains(&full)
    };
    let words = (zeros.len() / module.groups).max(1);
    let group = (module.zeros == Zeros::LessOne).then(|| zeros.chunks(words).position(overflows)).flatten()?;
    let message = format!(
        "zeros of group {group} are stored as {full}, which some readers take for 0 and others for {}",
        u32::from(full) + 1
    );
    Some((Severity::Warning, message))
}
