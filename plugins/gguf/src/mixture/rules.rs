//! The rules: a tensor's category, its place in the model and the level give its encoding.

use super::{Category, ModelShape, Recipe};
use llmq_ggml_blocks::BlockType;

/// A tensor as the rules see it.
pub(super) struct Place<'a> {
    pub name: &'a str,
    pub category: Category,
    /// Dimensions, innermost first.
    pub ne: &'a [u64],
    /// Layer, or how many tensors of this category came before; see `assign`.
    pub index: u32,
    /// How many tensors of this category (layers for the feed-forward block) the model has.
    pub count: u32,
    /// How many tensors of this category came before, whatever `index` is.
    pub before: u32,
    /// The model has no `output.weight`.
    pub tied: bool,
}

/// The first and last eighth of the layers, and every third one in between.
fn more_bits(index: u32, count: u32) -> bool {
    index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2
}

/// The encoding that a level gives a tensor, before its row length is looked at.
pub(super) fn encoding(recipe: Recipe, model: &ModelShape, place: &Place) -> BlockType {
    use Category::*;
    if model.arch == "glm5-next" && ["attn_q_a", "attn_q_b", "nextn.eh_proj"].iter().any(|p| place.name.contains(p)) {
        return BlockType::Q8_0;
    }
    if place.category == Output || (place.category == TokenEmbedding && place.tied) {
        return output(recipe, model, place);
    }
    if recipe == Recipe::MXFP4_MOE {
        return if is_expert_stack(model, place) { BlockType::MXFP4 } else { BlockType::Q8_0 };
    }
    if place.category == TokenEmbedding {
        return token_embedding(recipe);
    }
    if recipe.is_tiny() {
        return tiny(recipe, model, place);
    }
    match place.category {
        Value => value(recipe, model, place),
        Key => key(recipe, model),
        Query => query(recipe),
        AttentionOutput => attention_output(recipe, model),
        Down => down(recipe, model, place),
        Up | Gate => up_or_gate(recipe, place),
        Output | TokenEmbedding | Other => recipe.base(),
    }
}

fn is_expert_stack(model: &ModelShape, place: &Place) -> bool {
    let stacked = place.ne.get(2).is_some_and(|experts| *experts > 1);
    stacked && (model.arch != "bailingmoe3" || place.name.contains("ffn_"))
}

fn output(recipe: Recipe, model: &ModelShape, place: &Place) -> BlockType {
    use Recipe::*;
    let base = recipe.base();
    let columns = place.ne.first().copied().unwrap_or(1);
    if recipe == MXFP4_MOE || model.arch == "falcon" || !columns.is_multiple_of(base.block_len() as u64) {
        return BlockType::Q8_0;
    }
    match recipe {
        IQ1_S | IQ1_M | IQ2_XXS | IQ2_XS | IQ2_S | IQ2_M | IQ3_XXS => BlockType::Q5_K,
        _ if base == BlockType::Q8_0 => BlockType::Q8_0,
        _ => BlockType::Q6_K,
    }
}

fn token_embedding(recipe: Recipe) -> BlockType {
    use Recipe::*;
    match recipe {
        IQ2_XXS | IQ2_XS | IQ1_S | IQ1_M => BlockType::Q2_K,
        IQ2_S | IQ2_M | IQ3_XXS => BlockType::IQ3_S,
        TQ1_0 | TQ2_0 | Q2_0 => BlockType::Q4_K,
        _ => recipe.base(),
    }
}

fn tiny(recipe: Recipe, model: &ModelShape, place: &Place) -> BlockType {
    use Recipe::*;
    let larger = matches!(recipe, IQ2_S | IQ2_M);
    let better = if larger { BlockType::IQ3_S } else { BlockType::Q2_K };
    match place.category {
        Category::Value if model.wide_groups() || model.experts >= 4 => BlockType::Q4_K,
        Category::Value => better,
        Category::Key if model.experts == 8 => BlockType::Q4_K,
        // Here the reference counts tensors, not layers: shared experts advance the count twice per layer.
        Category::Down if place.before < place.count / 8 => better,
        Category::AttentionOutput if model.experts == 8 => BlockType::Q5_K,
        Category::AttentionOutput if matches!(recipe, IQ1_S | IQ1_M) => BlockType::IQ2_XXS,
        Category::AttentionOutput if larger => BlockType::IQ3_S,
        _ => recipe.base(),
    }
}

fn value(recipe: Recipe, model: &ModelShape, place: &Place) -> BlockType {
    use Recipe::*;
    let base = recipe.base();
    let wide = model.wide_groups();
    let encoding = match recipe {
        Q2_K => {
            if wide {
                BlockType::Q4_K
            } else {
                BlockType::Q3_K
            }
        }
        Q2_K_S | IQ3_XS | IQ3_S if wide => BlockType::Q4_K,
        Q3_K_M => {
            if place.index < 2 {
                BlockType::Q5_K
            } else {
                BlockType::Q4_K
            }
        }
        Q3_K_L => BlockType::Q5_K,
        Q4_K_S if place.index < 4 => BlockType::Q5_K,
        Q4_K_M | Q5_K_M if more_bits(place.index, place.count) => BlockType::Q6_K,
        IQ3_XXS if wide => BlockType::Q4_K,
        IQ3_XXS if !model.has_importance => BlockType::IQ3_S,
        IQ3_M => BlockType::Q4_K,
        IQ4_NL | IQ4_XS if wide => BlockType::Q5_K,
        _ => base,
    };
    match encoding {
        _ if model.experts == 8 => BlockType::Q8_0,
        BlockType::Q3_K | BlockType::Q4_K if model.is_70b() => BlockType::Q5_K,
        other => other,
    }
}

fn key(recipe: Recipe, model: &ModelShape) -> BlockType {
    match recipe {
        _ if model.experts == 8 => BlockType::Q8_0,
        _ => query(recipe),
    }
}

fn query(recipe: Recipe) -> BlockType {
    match recipe {
        Recipe::IQ3_XS => BlockType::IQ3_XXS,
        Recipe::IQ3_XXS => BlockType::IQ2_S,
        _ => recipe.base(),
    }
}

fn attention_output(recipe: Recipe, model: &ModelShape) -> BlockType {
    use Recipe::*;
    if model.arch == "falcon" {
        return if recipe == Q3_K_L { BlockType::Q4_K } else { recipe.base() };
    }
    if model.experts == 8 {
        return match recipe {
            Q2_K | Q3_K_S | Q3_K_M | Q4_K_S | Q4_K_M | IQ3_XXS | IQ3_XS | IQ3_S | IQ3_M | IQ4_NL | IQ4_XS => {
                BlockType::Q5_K
            }
            _ => recipe.base(),
        };
    }
    match recipe {
        Q2_K => BlockType::Q3_K,
        Q3_K_M | IQ3_M => BlockType::Q4_K,
        Q3_K_L => BlockType::Q5_K,
        IQ3_XXS => BlockType::IQ3_S,
        _ => recipe.base(),
    }
}

fn down(recipe: Recipe, model: &ModelShape, place: &Place) -> BlockType {
    use Recipe::*;
    let (index, count) = (place.index, place.count);
    let falcon = model.arch == "falcon";
    let early = index < count / 8;
    let more = more_bits(index, count);
    match recipe {
        Q2_K => BlockType::Q3_K,
        Q2_K_S if early => BlockType::Q4_K,
        IQ3_XXS if !model.has_importance => {
            if early {
                BlockType::Q4_K
            } else {
                BlockType::Q3_K
            }
        }
        Q3_K_M if index < count / 16 => BlockType::Q5_K,
        Q3_K_M if !falcon || more => BlockType::Q4_K,
        IQ3_M if early || (model.experts == 8 && more) => BlockType::Q4_K,
        Q3_K_L => {
            if falcon {
                BlockType::Q4_K
            } else {
                BlockType::Q5_K
            }
        }
        Q4_K_M if falcon && index < count / 16 => BlockType::Q6_K,
        Q4_K_M if falcon => {
            if more {
                BlockType::Q5_K
            } else {
                BlockType::Q4_K
            }
        }
        Q4_K_M | Q5_K_M if more => BlockType::Q6_K,
        IQ4_NL | IQ4_XS if early && !model.has_importance => BlockType::Q5_K,
        Q4_K_S if early && !falcon => BlockType::Q5_K,
        Q4_0 if early && model.has_importance => BlockType::Q4_1,
        Q5_0 if early && model.has_importance => BlockType::Q5_1,
        _ => recipe.base(),
    }
}

fn up_or_gate(recipe: Recipe, place: &Place) -> BlockType {
    let middle = (place.count / 8..7 * place.count / 8).contains(&place.index);
    if recipe == Recipe::IQ3_XS && middle { BlockType::IQ3_XXS } else { recipe.base() }
}

#[cfg(test)]
mod tests {
    use super::more_bits;

    #[test]
    fn more_bits_go_to_both_ends_and_every_third_layer_between() {
        let chosen: Vec<u32> = (0..32).filter(|i| more_bits(*i, 32)).collect();
        assert_eq!(chosen, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
        assert_eq!((0..2).filter(|i| more_bits(*i, 2)).collect::<Vec<_>>(), [1]);
    }
}
