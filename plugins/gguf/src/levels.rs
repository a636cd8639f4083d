//! The levels on offer: the reference's names, what each is good for, and how far a sound result may be off.

use crate::mixture::{Recipe, fit};
use llmq_ggml_blocks::{BlockType, relative_error_bound};
use llmq_plugin_api::wire::Level;

/// One level: recipe, other spellings, bits per weight of a Llama 7B with its embeddings, one sentence.
struct Offer(Recipe, &'static [&'static str], f64, &'static str);

/// Best known first. Levels whose encodings have no codec yet are not offered.
static OFFERED: &[Offer] = &[
    Offer(Recipe::Q4_K_M, &["Q4_K"], 4.84, "the usual choice: small, with little loss"),
    Offer(Recipe::Q5_K_M, &["Q5_K"], 5.68, "close to the original, a fifth larger than Q4_K_M"),
    Offer(Recipe::Q6_K, &[], 6.56, "practically the original at 41 % of its size"),
    Offer(Recipe::Q8_0, &[], 8.50, "nearly lossless at half the size; fastest to make"),
    Offer(Recipe::Q4_K_S, &[], 4.57, "like Q4_K_M, 5 % smaller, slightly worse"),
    Offer(Recipe::Q5_K_S, &[], 5.52, "like Q5_K_M, 3 % smaller, slightly worse"),
    Offer(Recipe::Q3_K_L, &[], 4.27, "3 bits with better attention and down projections; clear loss"),
    Offer(Recipe::Q3_K_M, &["Q3_K"], 3.91, "3 bits; clear loss, for memory that Q4_K_S does not fit"),
    Offer(Recipe::Q3_K_S, &[], 3.50, "3 bits throughout; strong loss"),
    Offer(Recipe::Q2_K, &[], 3.35, "2 bits for most weights; strong loss, last resort"),
    Offer(Recipe::Q4_0, &[], 4.55, "older 4 bits, fast on every device; worse than Q4_K_S"),
    Offer(Recipe::Q4_1, &[], 5.01, "older 4 bits with minimum; worse than Q4_K_M"),
    Offer(Recipe::Q5_0, &[], 5.51, "older 5 bits; worse than Q5_K_S"),
    Offer(Recipe::Q5_1, &[], 5.97, "older 5 bits with minimum; worse than Q5_K_M"),
    Offer(Recipe::F16, &[], 16.0, "half precision, not quantized; refuses weights beyond 65504"),
    Offer(Recipe::BF16, &[], 16.0, "bfloat16, not quantized; exact for BF16 models"),
    Offer(Recipe::F32, &[], 32.0, "single precision, not quantized; exact for every model"),
];

/// Descriptions of all levels on offer.
pub fn levels() -> Vec<Level> {
    let describe = |Offer(recipe, aliases, bits, summary): &Offer| Level {
        id: recipe.name().to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        bits_per_weight: *bits,
        summary: (*summary).to_owned(),
        requires_statistics: Vec::new(),
        uses_statistics: if uses_importance(recipe.base()) { vec!["sum_squares".to_owned()] } else { Vec::new() },
        later_layers_see: Default::default(),
        max_relative_error: bound(recipe.base()),
    };
    OFFERED.iter().map(describe).collect()
}

/// Rules only ever choose encodings finer than the base; the substitute for odd row lengths may be slightly coarser.
fn bound(base: BlockType) -> f64 {
    let substitute = fit(base, 32).unwrap_or(base);
    relative_error_bound(base).max(relative_error_bound(substitute))
}

/// The recipe behind a level id.
pub fn offered(id: &str) -> Option<Recipe> {
    OFFERED.iter().map(|offer| offer.0).find(|recipe| recipe.name() == id)
}

/// Whether an encoding looks at importance weights.
pub fn uses_importance(encoding: BlockType) -> bool {
    use BlockType::*;
    !matches!(encoding, F32 | F16 | BF16 | Q8_0 | Q1_0 | Q2_0 | TQ1_0 | TQ2_0 | MXFP4 | NVFP4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourteen_levels_of_the_specification_and_three_float_ones_are_there() {
        let wanted = "Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_0 Q4_1 Q4_K_S Q4_K_M Q5_0 Q5_1 Q5_K_S Q5_K_M Q6_K Q8_0 F32 F16 BF16";
        let mut wanted: Vec<&str> = wanted.split(' ').collect();
        let levels = levels();
        let mut found: Vec<&str> = levels.iter().map(|level| level.id.as_str()).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted);
        for level in &levels {
            assert!(offered(&level.id).is_some_and(|recipe| recipe.base().can_quantize()), "{}", level.id);
            assert!(level.max_relative_error < 0.9, "{}: {}", level.id, level.max_relative_error);
        }
    }
}
