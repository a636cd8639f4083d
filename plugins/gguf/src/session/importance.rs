//! Which tensors cannot be made without importance weights that the job does not have.

use crate::mixture::Recipe;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::Slot;
use std::collections::HashSet;

/// Refuses the job before any work if an encoding needs importance weights for a tensor that has none; `offers` are the
/// source tensors that have them.
///
/// # Errors
/// `MissingStatistics`, with the first tensor and their number.
pub(super) fn require_importance(recipe: Recipe, slots: &[Slot], offers: &HashSet<u32>) -> Result<(), Error> {
    let missing = |slot: &&Slot| {
        let encoding = BlockType::from_name(&slot.encoding);
        let needed = encoding.is_some_and(|encoding| recipe.needs_importance_for(&slot.name, encoding));
        needed && !slot.sources.iter().all(|source| offers.contains(source))
    };
    let mut missing = slots.iter().filter(missing);
    let Some(first) = missing.next() else { return Ok(()) };
    let message = format!(
        "{} would be {}, which cannot be made without importance weights for it; {} more tensors lack them too",
        first.name,
        first.encoding,
        missing.count()
    );
    Err(Error::new(Kind::MissingStatistics, message)
        .subject(&first.name)
        .hint("give an importance matrix that covers the whole model, or choose a level that needs none"))
}
