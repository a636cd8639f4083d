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
    /// Whether [`Candidate::fixed`] may decide; otherwise the tensor is kept, or an option decides.
    pub choosable: bool,
}

/// What the user decides for the whole file, besides the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choices {
    /// No mixture: everything gets the level's base encoding.
    pub pure: bool,
    /// `output.weight` keeps the encoding that the converter gave it.
    pub leave_output: bool,
    /// Encoding of `output.weight`, and of an embedding table that serves as output.
    pub output: Option<BlockType>,
    /// Encoding of the embedding tables.
    pub embedding: Option<BlockType>,
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
    /// An option gives a tensor an encoding that its rows do not fit. The reference looks for no substitute here.
    #[error("`{name}` has rows of {columns}, which are not whole blocks of {} weights: it cannot be {}", .wanted.block_len(), .wanted.name())]
    Ragged {
        /// The tensor.
        name: String,
        /// Length of a row.
        columns: u64,
        /// What the option says.
        wanted: BlockType,
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
pub fn assign(
    recipe: Recipe,
    choices: Choices,
    model: &ModelShape,
    tensors: &[Candidate],
) -> Result<Vec<Assignment>, MixtureError> {
    let left = |t: &Candidate| choices.leave_output && t.name == "output.weight";
    let eligible = |t: &Candidate| is_quantizable(&model.arch, &t.name, &t.ne) && !left(t);
    let values = tensors.iter().filter(|t| eligible(t) && Category::of(&t.name) == Category::Value).count() as u32;
    let tied = !tensors.iter().any(|t| t.name == "output.weight");
    let mut counters = Counters::default();
    let mut one = |tensor: &Candidate| {
        if !eligible(tensor) {
            return kept(tensor);
        }
        let category = Category::of(&tensor.name);
        if let Some(forced) = forced(choices, category, tensor) {
            return forced;
        }
        let wanted = match tensor.fixed {
            _ if recipe.is_float() && tensor.fixed.is_none() => recipe.base(),
            Some(fixed) => fixed,
            None if choices.pure => recipe.base(),
            None => {
                let before = counters.advance(category);
                let count = if category == Category::Value { values } else { model.layers };
                let index = layer_or_count(model, tensor, category, before)?;
                let place = Place { name: &tensor.name, category, ne: &tensor.ne, index, count, before, tied };
                match choices.output.filter(|_| tied && category == Category::TokenEmbedding) {
                    Some(as_output) => as_output,
                    None => encoding(recipe, model, &place),
                }
            }
        };
        let columns = tensor.ne.first().copied().unwrap_or(1);
        match fit(wanted, columns) {
            Ok(encoding) => {
                Ok(Assignment { encoding, misfit: (encoding != wanted).then_some(wanted), choosable: true })
            }
            Err(_) => Err(MixtureError::NoSubstitute { name: tensor.name.clone(), columns, wanted }),
        }
    };
    tensors.iter().map(&mut one).collect()
}

/// What an option decides before the level and the user's choice for the tensor are looked at. Such an encoding has no
/// substitute. The table of embeddings per layer follows the option only if nothing is fixed for it.
fn forced(choices: Choices, category: Category, tensor: &Candidate) -> Option<Result<Assignment, MixtureError>> {
    let encoding = match category {
        Category::TokenEmbedding if tensor.name == "token_embd.weight" || tensor.fixed.is_none() => choices.embedding?,
        Category::Output => choices.output?,
        _ => return None,
    };
    let columns = tensor.ne.first().copied().unwrap_or(1);
    Some(match columns.is_multiple_of(encoding.block_len() as u64) {
        true => Ok(Assignment { encoding, misfit: None, choosable: tensor.name == "per_layer_token_embd.weight" }),
        false => Err(MixtureError::Ragged { name: tensor.name.clone(), columns, wanted: encoding }),
    })
}

fn kept(tensor: &Candidate) -> Result<Assignment, MixtureError> {
    match tensor.fixed {
        Some(fixed) if fixed != tensor.unquantized => {
            Err(MixtureError::NotQuantizable { name: tensor.name.clone(), kept: tensor.unquantized })
        }
        _ => Ok(Assignment { encoding: tensor.unquantized, misfit: None, choosable: false }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use BlockType::*;

    fn model(arch: &str, layers: u32, has_importance: bool) -> ModelShape {
        ModelShape { arch: arch.into(), layers, heads: 32, kv_heads: 16, experts: 0, has_importance }
    }

    /// The encodings of one tensor kind over the layers.
    fn over_layers(recipe: Recipe, model: &ModelShape, part: &str) -> Vec<BlockType> {
        let candidate = |layer| Candidate {
            name: format!("blk.{layer}.{part}.weight"),
            ne: vec![256, 256],
            unquantized: BF16,
            fixed: None,
        };
        let candidates: Vec<Candidate> = (0..model.layers).map(candidate).collect();
        assign(recipe, Choices::default(), model, &candidates).unwrap().into_iter().map(|a| a.encoding).collect()
    }

    #[test]
    fn importance_changes_the_first_eighth_of_down_projections() {
        let first_two = |special, rest| [vec![special; 2], vec![rest; 14]].concat();
        for (recipe, without, with) in [
            (Recipe::Q4_0, vec![Q4_0; 16], first_two(Q4_1, Q4_0)),
            (Recipe::Q5_0, vec![Q5_0; 16], first_two(Q5_1, Q5_0)),
            (Recipe::IQ4_NL, first_two(Q5_K, IQ4_NL), vec![IQ4_NL; 16]),
            (Recipe::IQ4_XS, first_two(Q5_K, IQ4_XS), vec![IQ4_XS; 16]),
            (Recipe::IQ3_XXS, first_two(Q4_K, Q3_K), vec![IQ3_XXS; 16]),
            (Recipe::Q4_K_S, first_two(Q5_K, Q4_K), first_two(Q5_K, Q4_K)),
        ] {
            assert_eq!(over_layers(recipe, &model("llama", 16, false), "ffn_down"), without, "{}", recipe.name());
            assert_eq!(over_layers(recipe, &model("llama", 16, true), "ffn_down"), with, "{}", recipe.name());
        }
        assert_eq!(over_layers(Recipe::IQ3_XXS, &model("llama", 16, true), "attn_v"), [IQ3_XXS; 16]);
        assert_eq!(over_layers(Recipe::IQ3_XXS, &model("llama", 16, false), "attn_v"), [IQ3_S; 16]);
    }

    #[test]
    fn seventy_billion_is_recognised_by_eighty_layers() {
        assert_eq!(over_layers(Recipe::Q3_K_S, &model("llama", 80, false), "attn_v"), [Q5_K; 80]);
        assert_eq!(over_layers(Recipe::Q3_K_S, &model("qwen3", 80, false), "attn_v"), [Q3_K; 80]);
        assert_eq!(over_layers(Recipe::Q3_K_S, &model("llama", 79, false), "attn_v"), [Q3_K; 79]);
    }

    #[test]
    fn falcon_has_rules_of_its_own() {
        let falcon = model("falcon", 32, false);
        let down = over_layers(Recipe::Q4_K_M, &falcon, "ffn_down");
        assert_eq!(down[..8], [Q6_K, Q6_K, Q5_K, Q5_K, Q4_K, Q4_K, Q5_K, Q4_K]);
        assert_eq!(over_layers(Recipe::Q3_K_L, &falcon, "attn_output"), [Q4_K; 32]);
        assert_eq!(over_layers(Recipe::Q3_K_M, &falcon, "attn_output"), [Q3_K; 32]);
    }

    #[test]
    fn layers_beyond_the_model_and_types_without_substitute_are_refused() {
        let experts = ModelShape { experts: 8, ..model("llama", 2, false) };
        let candidate = |name: &str, columns| Candidate {
            name: name.into(),
            ne: vec![columns, 64],
            unquantized: BF16,
            fixed: None,
        };
        let beyond = [candidate("blk.2.ffn_down.weight", 256)];
        assert!(matches!(
            assign(Recipe::Q4_K_M, Choices::default(), &experts, &beyond),
            Err(MixtureError::Layer { layers: 2, .. })
        ));
        let odd = [candidate("blk.0.attn_q.weight", 100)];
        assert!(matches!(
            assign(Recipe::Q1_0, Choices::default(), &experts, &odd),
            Err(MixtureError::NoSubstitute { columns: 100, .. })
        ));
    }
}
