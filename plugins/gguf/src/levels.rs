//! The levels on offer: the reference's names, what each is good for, and how far a sound result may be off.

use crate::mixture::{Recipe, fit};
use llmq_ggml_blocks::{BlockType, relative_error_bound};
use llmq_plugin_api::wire::{EncodingDescriptor, Level};

/// One level: recipe, other spellings, bits per weight of a Llama 7B with its embeddings (of GPT-OSS for MXFP4), one
/// sentence.
struct Offer(Recipe, &'static [&'static str], f64, &'static str);

/// Best known first. Levels whose encodings have no codec yet are not offered.
static OFFERED: &[Offer] = &[
    Offer(Recipe::Q4_K_M, &["Q4_K"], 4.84, "the usual choice: small, with little loss"),
    Offer(Recipe::Q5_K_M, &["Q5_K"], 5.68, "close to the original, a fifth larger than Q4_K_M"),
    Offer(Recipe::Q6_K, &[], 6.56, "practically the original at 41 % of its size"),
    Offer(Recipe::Q8_0, &[], 8.50, "nearly lossless at half the size; fastest to make"),
    Offer(Recipe::Q4_K_S, &[], 4.58, "like Q4_K_M, 5 % smaller, slightly worse"),
    Offer(Recipe::Q5_K_S, &[], 5.52, "like Q5_K_M, 3 % smaller, slightly worse"),
    Offer(Recipe::Q3_K_L, &[], 4.27, "3 bits with better attention and down projections; clear loss"),
    Offer(Recipe::Q3_K_M, &["Q3_K"], 3.91, "3 bits; clear loss, for memory that Q4_K_S does not fit"),
    Offer(Recipe::Q3_K_S, &[], 3.50, "3 bits throughout; strong loss"),
    Offer(Recipe::Q2_K, &[], 3.01, "2 bits for most weights; strong loss, last resort"),
    Offer(
        Recipe::IQ4_XS,
        &[],
        4.33,
        "4 bits on an uneven scale: nearly Q4_K_S at a fifteenth less, slower on processors",
    ),
    Offer(
        Recipe::IQ4_NL,
        &[],
        4.57,
        "4 bits on an uneven scale in blocks of 32, for rows that are not multiples of 256",
    ),
    Offer(
        Recipe::IQ3_M,
        &[],
        3.70,
        "3 bits from a codebook, better attention and down projections; better than Q3_K_M",
    ),
    Offer(Recipe::IQ3_S, &[], 3.50, "3 bits from a codebook; better than Q3_K_S at the same size"),
    Offer(Recipe::IQ3_XS, &[], 3.32, "3 bits from codebooks with importance, smaller than Q3_K_S"),
    Offer(Recipe::IQ3_XXS, &[], 3.07, "3 bits from a codebook with importance; clear loss"),
    Offer(Recipe::IQ2_M, &[], 2.80, "2 bits from a codebook with importance; strong loss"),
    Offer(Recipe::IQ2_S, &[], 2.61, "2 bits from codebooks with importance; strong loss"),
    Offer(Recipe::IQ2_XS, &[], 2.41, "2 bits from a codebook with importance; very strong loss"),
    Offer(Recipe::IQ2_XXS, &[], 2.20, "2 bits from a small codebook with importance; very strong loss"),
    Offer(Recipe::IQ1_M, &[], 1.96, "1.75 bits from a codebook with importance; a little better than IQ1_S"),
    Offer(Recipe::IQ1_S, &[], 1.81, "1.6 bits from a codebook with importance; for experiments and the largest models"),
    Offer(Recipe::Q2_K_S, &[], 2.75, "2 bits throughout with importance; strong loss"),
    Offer(Recipe::MXFP4_MOE, &[], 4.40, "experts in 4-bit floats, the rest in Q8_0; for models trained in MXFP4"),
    Offer(Recipe::TQ2_0, &[], 2.20, "2 bits for ternary models (BitNet, TriLM); ruins all others"),
    Offer(Recipe::TQ1_0, &[], 1.84, "1.7 bits for ternary models, smaller and slower than TQ2_0; ruins all others"),
    Offer(Recipe::Q2_0, &[], 2.38, "2 bits for models trained to four values; ruins all others"),
    Offer(Recipe::Q1_0, &[], 1.23, "1 bit for models trained to two values; ruins all others"),
    Offer(Recipe::Q4_0, &[], 4.54, "older 4 bits, fast on every device; worse than Q4_K_S"),
    Offer(Recipe::Q4_1, &[], 5.03, "older 4 bits with minimum; worse than Q4_K_M"),
    Offer(Recipe::Q5_0, &[], 5.52, "older 5 bits; worse than Q5_K_S"),
    Offer(Recipe::Q5_1, &[], 6.01, "older 5 bits with minimum; worse than Q5_K_M"),
    Offer(Recipe::F16, &[], 16.0, "half precision, not quantized; refuses weights beyond 65504"),
    Offer(Recipe::BF16, &[], 16.0, "bfloat16, not quantized; exact for BF16 models"),
    Offer(Recipe::F32, &[], 32.0, "single precision, not quantized; exact for every model"),
];

/// The level of llama-quantize that encodes nothing anew: shards are merged or made, metadata brought into form.
pub const COPY: &str = "COPY";

/// Descriptions of all levels on offer.
pub fn levels() -> Vec<Level> {
    let describe = |Offer(recipe, aliases, bits, summary): &Offer| Level {
        id: recipe.name().to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        bits_per_weight: *bits,
        summary: (*summary).to_owned(),
        requires_statistics: sum_squares(recipe.needs_importance()),
        uses_statistics: sum_squares(uses_importance(recipe.base()) && !recipe.needs_importance()),
        later_layers_see: Default::default(),
        max_relative_error: bound(*recipe),
        keeps_encodings: false,
    };
    let copy = Level {
        id: COPY.into(),
        aliases: Vec::new(),
        bits_per_weight: 16.0,
        summary: "as the GGUF source has it; to merge or split files".into(),
        requires_statistics: Vec::new(),
        uses_statistics: Vec::new(),
        later_layers_see: Default::default(),
        max_relative_error: 0.0,
        keeps_encodings: true,
    };
    OFFERED.iter().map(describe).chain([copy]).collect()
}

/// Descriptions of all encodings that a tensor can be given.
pub fn encodings() -> Vec<EncodingDescriptor> {
    let describe = |ty: BlockType| EncodingDescriptor {
        id: ty.name().to_owned(),
        block_weights: ty.block_len() as u64,
        block_bytes: ty.block_bytes() as u64,
        max_relative_error: relative_error_bound(ty),
    };
    BlockType::ALL.iter().copied().filter(|ty| ty.can_quantize()).map(describe).collect()
}

/// The one kind of statistics that encodings here look at.
fn sum_squares(wanted: bool) -> Vec<String> {
    wanted.then(|| "sum_squares".to_owned()).into_iter().collect()
}

/// The substitute for odd row lengths may be slightly coarser than the base, and two levels have rules that choose a
/// coarser encoding for some tensors; all other rules choose finer ones.
fn bound(recipe: Recipe) -> f64 {
    let base = recipe.base();
    let coarser = match recipe {
        Recipe::IQ3_XS => BlockType::IQ3_XXS,
        Recipe::IQ3_XXS => BlockType::IQ2_S,
        _ => base,
    };
    let substitute = fit(base, 32).unwrap_or(base);
    [base, coarser, substitute].into_iter().map(relative_error_bound).fold(0.0, f64::max)
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
    use crate::mixture::{Candidate, Choices, ModelShape, assign};

    #[test]
    fn the_levels_of_the_reference_are_there() {
        let wanted = "Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_0 Q4_1 Q4_K_S Q4_K_M Q5_0 Q5_1 Q5_K_S Q5_K_M Q6_K Q8_0 F32 F16 BF16 \
            IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4_MOE Q1_0 Q2_0 Q2_K_S \
            IQ3_M IQ3_S IQ3_XS IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S COPY";
        let mut wanted: Vec<&str> = wanted.split(' ').collect();
        let levels = levels();
        let mut found: Vec<&str> = levels.iter().map(|level| level.id.as_str()).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted);
        for level in levels.iter().filter(|level| !level.keeps_encodings) {
            assert!(offered(&level.id).is_some_and(|recipe| recipe.base().can_quantize()), "{}", level.id);
            assert!(level.max_relative_error <= 1.5, "{}: {}", level.id, level.max_relative_error);
        }
    }

    /// The matrices of a Llama 7B: 32 layers of 4096, feed-forward 11008, 32000 tokens.
    fn bits_of_llama_7b(recipe: Recipe) -> f64 {
        let matrix = |name: String, columns: u64, rows: u64| Candidate {
            name,
            ne: vec![columns, rows],
            unquantized: BlockType::F16,
            fixed: None,
        };
        let mut tensors: Vec<Candidate> =
            ["output.weight", "token_embd.weight"].map(|name| matrix(name.into(), 4096, 32000)).into();
        for layer in 0..32 {
            for name in ["attn_k", "attn_output", "attn_q", "attn_v"] {
                tensors.push(matrix(format!("blk.{layer}.{name}.weight"), 4096, 4096));
            }
            tensors.push(matrix(format!("blk.{layer}.ffn_down.weight"), 11008, 4096));
            tensors.push(matrix(format!("blk.{layer}.ffn_gate.weight"), 4096, 11008));
            tensors.push(matrix(format!("blk.{layer}.ffn_up.weight"), 4096, 11008));
        }
        let model = ModelShape {
            arch: "llama".into(),
            layers: 32,
            heads: 32,
            kv_heads: 32,
            experts: 0,
            has_importance: recipe.needs_importance(),
        };
        let weights = |tensor: &Candidate| tensor.ne.iter().product::<u64>() as f64;
        let assigned = assign(recipe, Choices::default(), &model, &tensors).unwrap();
        let bits: f64 = tensors.iter().zip(assigned).map(|(t, a)| weights(t) * a.encoding.bits_per_weight()).sum();
        bits / tensors.iter().map(weights).sum::<f64>()
    }

    #[test]
    fn bits_per_weight_are_those_of_a_llama_7b() {
        // The model has no experts, to which alone MXFP4_MOE gives its 4 bits.
        for Offer(recipe, _, bits, _) in OFFERED.iter().filter(|offer| offer.0 != Recipe::MXFP4_MOE) {
            let computed = bits_of_llama_7b(*recipe);
            assert!((computed - bits).abs() < 0.006, "{}: {bits}, computed {computed:.3}", recipe.name());
        }
    }
}
