//! An importance matrix in the words of the plugin that knows its names: what `analyze` writes and jobs use at once.

use super::Importance;
use crate::failure::Failure;
use crate::job::JobSource;
use crate::statistics::{Origin, Table, gathered};
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::wire::Role;
use llmq_text::Samples;

/// Builds it. The output head has no entry unless that is wanted, as llama-imatrix has it.
///
/// # Errors
/// Models whose tensors the plugin has no names for.
pub fn matrix(
    source: &JobSource<'_>,
    importance: &Importance,
    samples: &Samples,
    plugin: &Loaded,
    process_output: bool,
) -> Result<Table, Failure> {
    let mut importance = importance.clone();
    if !process_output {
        let heads = source.model().tensors.iter().enumerate();
        let heads = heads.filter(|(_, tensor)| matches!(tensor.role, Role::OutputHead | Role::TokenEmbedding));
        heads.for_each(|(index, _)| importance.forget(index as u32));
    }
    let names = plugin.backend.statistics_names(source).map_err(Failure::from)?.names;
    let origin = Origin {
        datasets: samples.report.files.iter().map(|file| super::text_name(&file.name)).collect(),
        chunk_size: samples.seqlen as u64,
        chunks: samples.report.samples as u64,
    };
    Ok(gathered(&names, origin, |part| importance.of(part)))
}
