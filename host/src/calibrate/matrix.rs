//! Sums of squares in the words of a plugin: an importance matrix, ready to be written.

use super::Importance;
use crate::failure::Failure;
use crate::job::JobSource;
use crate::statistics::{Origin, Table, gathered};
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::wire::Role;

/// The importance matrix of a model. Without `process_output` the output head, and a table of tokens that serves as one,
/// have no entry.
pub fn matrix(
    mut importance: Importance,
    source: &JobSource<'_>,
    origin: Origin,
    loaded: &Loaded,
    process_output: bool,
) -> Result<Table, Failure> {
    if !process_output {
        let heads = source.model().tensors.iter().enumerate();
        let heads = heads.filter(|(_, tensor)| matches!(tensor.role, Role::OutputHead | Role::TokenEmbedding));
        heads.for_each(|(index, _)| importance.forget(index as u32));
    }
    let names = loaded.backend.statistics_names(source).map_err(Failure::from)?.names;
    Ok(gathered(&names, origin, |part| importance.of(part)))
}
