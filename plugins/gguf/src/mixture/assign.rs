//! All tensors of a model in output order: eligibility, user's choice, rules, then the row length.

use super::rules::{Place, encoding};
use super::{Category, ModelShape, Recipe, fit, is_quantizable};
use llmq_ggml_blocks::BlockType;

/// A tensor that wants an encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// GGUF name.
    pub name: String,
    /// Dimensions, innermost first.
    pub ne: Vec<u64>,
    /// The encoding that a converter gives it, and that it keeps if no level may touch it.
    pub unquantized: BlockType,
    /// The encoding that the user fixed.
    pub fixed: Option<BlockType>,
}

/// What a tensor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its encoding.
    pub encoding: BlockType,
    /// What the rules (or the user) chose, if the row length forbade it.
    pub misfit: Option<BlockType>,
}

/// Why a tensor cannot be given an encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MixtureError {
    /// Rows are not whole blocks and the reference knows no substitute.
    #[error("the tensor `{name}` has rows of {columns}, which are no whole {wanted} blocks, and {wanted} has no substitute", wanted = .wanted.name())]
    NoSubstitute {
        /// The tensor.
        name: String,
        /// Length of a row.
        columns: u64,
        /// What was chosen for it.
        wanted: BlockType,
    },
    /// The user fixed an encoding for a tensor that must not be quantized.
    #[error("the tensor `{name}` is never quantized in GGUF files; it stays {kept}", kept = .kept.name())]
    NotQuantizable {
        /// The tensor.
        name: String,
        /// What it stays.
        kept: BlockType,
    },
    /// A feed-forward tensor of a layer that the model does not have.
    #[error("the tensor `{name}` belongs to a layer beyond the model's {layers}")]
    Layer {
        /// The tensor.
        name: String,
        /// Layers of the model.
        layers: u32,
    },
}

/// Gives every tensor its encoding; `tensors` must be in the order of the output file, because some rules count.
///
/// # Errors
/// The first tensor that no encoding fits.
pub fn assign(recipe: Recipe, model: &ModelShape, tensors: &[Candidate]) -> Result<Vec<Assignment>, MixtureError> {
    let eligible = |t: &Candidate| is_quantizable(&model.arch, &t.name, &t.ne);
    let values = tensors.iter().filter(|t| eligible(t) && Category::of(&t.name) == Category::Value).count() as u32;
    let tied = !tensors.iter().any(|t| t.name == "output.weight");
    let mut counters = Counters::default();
    let mut one = |tensor: &Candidate| {
        if !eligible(tensor) {
            return kept(tensor);
        }
        let wanted = match tensor.fixed {
            _ if recipe.is_float() && tensor.fixed.is_none() => recipe.base(),
            Some(fixed) => fixed,
            None => {
                let category = Category::of(&tensor.name);
                let before = counters.advance(category);
                let count = if category == Category::Value { values } else { model.layers };
                let index = layer_or_count(model, tensor, category, before)?;
                let place = Place { name: &tensor.name, category, ne: &tensor.ne, index, count, before, tied };
                encoding(recipe, model, &place)
            }
        };
        let columns = tensor.ne.first().copied().unwrap_or(1);
        match fit(wanted, columns) {
            Ok(encoding) => Ok(Assignment { encoding, misfit: (encoding != wanted).then_some(wanted) }),
            Err(_) => Err(MixtureError::NoSubstitute { name: tensor.name.clone(), columns, wanted }),
        }
    };
    tensors.iter().map(&mut one).collect()
}

fn kept(tensor: &Candidate) -> Result<Assignment, MixtureError> {
    match tensor.fixed {
        Some(fixed) if fixed != tensor.unquantized => {
            Err(MixtureError::NotQuantizable { name: tensor.name.clone(), kept: tensor.unquantized })
        }
        _ => Ok(Assignment { encoding: tensor.unquantized, misfit: None }),
    }
}

/// For models with experts the feed-forward rules go by layer, because a layer may hold several such tensors (experts and
/// shared experts); for all others by how many came before, which also works for models that skip layers.
fn layer_or_count(
    model: &ModelShape,
    tensor: &Candidate,
    category: Category,
    before: u32,
) -> Result<u32, MixtureError> {
    let feed_forward = matches!(category, Category::Up | Category::Gate | Category::Down);
    if model.experts <= 1 || !feed_forward {
        return Ok(before);
    }
    let layer = tensor.name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse().ok());
    layer
        .filter(|layer| *layer < model.layers)
        .ok_or_else(|| MixtureError::Layer { name: tensor.name.clone(), layers: model.layers })
}

#[derive(Default)]
struct Counters {
    value: u32,
    up: u32,
    gate: u32,
    down: u32,
}

impl Counters {
    /// How many tensors of this category were routed before this one.
    fn advance(&mut self, category: Category) -> u32 {
        let counter = match category {
            Category::Value => &mut self.value,
            Category::Up => &mut self.up,
            Category::Gate => &mut self.gate,
            Category::Down => &mut self.down,
            _ => return 0,
        };
        *counter += 1;
        *counter - 1
    }
}
