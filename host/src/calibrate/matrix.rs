//! An importance matrix in the words of the plugin that knows its names: what is written, and what jobs use at once.

use super::Importance;
use crate::failure::Failure;
use crate::job::JobSource;
use crate::statistics::{Origin, Table, gathered};
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::wire::Role;
use llmq_text::Samples;

/// The importance matrix of a model. Without `process_output` the output head, and a table of tokens that serves as one,
/// have no entry, as llama-imatrix has it.
///
/// # Errors
/// Models whose tensors the plugin has no names for.
pub fn matrix(
    mut importance: Importance,
    source: &JobSource<'_>,
    origin: Origin,
    plugin: &Loaded,
    process_output: bool,
) -> Result<Table, Failure> {
    if !process_output {
        let heads = source.model().tensors.iter().enumerate();
        let heads = heads.filter(|(_, tensor)| matches!(tensor.role, Role::OutputHead | Role::TokenEmbedding));
        heads.for_each(|(index, _)| importance.forget(index as u32));
    }
    let names = plugin.backend.statistics_names(source).map_err(Failure::from)?.names;
    Ok(gathered(&names, origin, |part| importance.of(part)))
}

/// Where an importance matrix of these samples comes from.
pub fn origin(samples: &Samples) -> Origin {
    Origin {
        datasets: samples.report.files.iter().map(|file| super::text_name(&file.name)).collect(),
        chunk_size: samples.seqlen as u64,
        chunks: samples.report.samples as u64,
    }
}
