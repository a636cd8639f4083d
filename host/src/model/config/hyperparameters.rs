//! The numbers of a model, from config.json and class defaults, with caps and cross-checks.

use super::Fields;
use super::fields::refuse;
use super::rope::{read_rope, read_sliding_rope};
use crate::model::ModelError;
use crate::model::family::SlidingRule;
use llmq_plugin_api::wire::{Attention, Experts, Hyperparameters};
use serde_json::Value;
use std::ops::RangeInclusive;

// Far above anything published, far below anything that could exhaust memory or overflow a product.
const LAYERS: RangeInclusive<u32> = 1..=4096;
const WIDTH: RangeInclusive<u32> = 1..=1 << 20;
const INNER: RangeInclusive<u32> = 1..=1 << 24;
const VOCABULARY: RangeInclusive<u32> = 1..=1 << 24;
const HEADS: RangeInclusive<u32> = 1..=1 << 14;
const HEAD_DIM: RangeInclusive<u32> = 1..=1 << 14;
const EXPERTS: RangeInclusive<u32> = 1..=1 << 16;
const CONTEXT: RangeInclusive<u32> = 1..=1 << 30;

/// The sliding window of every layer, `None` for full attention.
pub type AttentionWindows = Vec<Option<u32>>;

/// Reads the numbers; what config.json never says (kind of norm, rope layout) comes from the family.
pub fn read_hyperparameters(fields: &Fields<'_>) -> Result<Hyperparameters, ModelError> {
    let family = fields.family();
    let hidden_size = fields.count("hidden_size", WIDTH)?;
    let heads = fields.count("num_attention_heads", HEADS)?;
    let kv_heads = fields.count_if_any("num_key_value_heads", HEADS)?.unwrap_or(heads);
    if heads % kv_heads != 0 {
        let expected = format!("a divisor of num_attention_heads = {heads}");
        return Err(refuse("num_key_value_heads", Some(&kv_heads.into()), &expected));
    }
    let head_dim = match fields.count_if_any("head_dim", HEAD_DIM)? {
        Some(head_dim) => head_dim,
        None if hidden_size % heads == 0 => hidden_size / heads,
        None => {
            let expected = format!("a divisor of hidden_size = {hidden_size}, as there is no head_dim");
            return Err(refuse("num_attention_heads", Some(&heads.into()), &expected));
        }
    };
    let context_length = fields.count("max_position_embeddings", CONTEXT)?;
    let layers = fields.count("num_hidden_layers", LAYERS)?;
    let windows = read_attention_windows(fields, layers)?;
    Ok(Hyperparameters {
        layers,
        hidden_size,
        intermediate_size: inner_width(fields, hidden_size)?,
        vocab_size: fields.count("vocab_size", VOCABULARY)?,
        context_length,
        attention: Attention {
            heads,
            kv_heads,
            head_dim,
            head_dim_stated: fields.stated("head_dim").is_some(),
            sliding_window: windows.iter().flatten().copied().next(),
            windows,
        },
        rope: match family.rope_layout.as_str() {
            "none" => None,
            layout => Some(read_rope(fields, layout, head_dim, context_length)?),
        },
        sliding_rope: match family.rope_layout.as_str() {
            "none" => None,
            layout => read_sliding_rope(fields, layout, head_dim, context_length)?,
        },
        norm_eps: fields.positive("rms_norm_eps")?,
        norm: family.norm.clone(),
        activation: fields.text("hidden_act")?,
        tied_embeddings: fields.switch("tie_word_embeddings")?,
        experts: if family.has_experts() { Some(read_experts(fields)?) } else { None },
    })
}

fn inner_width(fields: &Fields<'_>, hidden_size: u32) -> Result<u32, ModelError> {
    match (fields.count_if_any("intermediate_size", INNER)?, fields.family().inner_factor) {
        (Some(width), _) => Ok(width),
        (None, Some(factor)) => Ok(hidden_size.saturating_mul(factor)),
        (None, None) => fields.count("intermediate_size", INNER),
    }
}

/// Experts of every layer. transformers 5 writes `num_local_experts` where some classes had `num_experts`.
fn read_experts(fields: &Fields<'_>) -> Result<Experts, ModelError> {
    let spelling =
        ["num_experts", "num_local_experts", "n_routed_experts"].into_iter().find(|k| fields.stated(k).is_some());
    let count = fields.count(spelling.unwrap_or("num_experts"), EXPERTS)?;
    let used = fields.count("num_experts_per_tok", 1..=count)?;
    let intermediate_size = fields.count("moe_intermediate_size", INNER)?;
    let shared = fields.count_if_any("n_shared_experts", 0..=*EXPERTS.end())?.unwrap_or(0);
    Ok(Experts { count, used, intermediate_size, shared })
}

/// Which layers look back only so far. `layer_types` of config.json decides where it is given.
pub fn read_attention_windows(fields: &Fields<'_>, layers: u32) -> Result<AttentionWindows, ModelError> {
    let sliding = fields.family().sliding;
    let in_use = match sliding {
        SlidingRule::Never => false,
        SlidingRule::EveryLayer | SlidingRule::EvenLayers | SlidingRule::AllButEvery => true,
        SlidingRule::UpperLayers => fields.switch("use_sliding_window")?,
    };
    let window = if in_use { fields.count_if_any("sliding_window", CONTEXT)? } else { None };
    let Some(window) = window else { return Ok(vec![None; layers as usize]) };
    if let Some(types) = fields.stated("layer_types") {
        return windows_by_type(types, layers, window);
    }
    let first = match sliding {
        SlidingRule::UpperLayers => fields.count("max_window_layers", 0..=u32::MAX)?,
        _ => 0,
    };
    if sliding == SlidingRule::AllButEvery {
        let slides = fields.sliding_pattern()?;
        return Ok((0..layers).map(|layer| slides[layer as usize % slides.len()].then_some(window)).collect());
    }
    if sliding == SlidingRule::EvenLayers {
        return Ok((0..layers).map(|layer| (layer % 2 == 0).then_some(window)).collect());
    }
    Ok((0..layers).map(|layer| (layer >= first).then_some(window)).collect())
}

fn windows_by_type(types: &Value, layers: u32, window: u32) -> Result<AttentionWindows, ModelError> {
    let expected = format!("one of full_attention and sliding_attention for each of {layers} layers");
    let refuse = || refuse("layer_types", Some(types), &expected);
    let list = types.as_array().filter(|list| list.len() == layers as usize).ok_or_else(refuse)?;
    list.iter()
        .map(|word| match word.as_str() {
            Some("full_attention") => Ok(None),
            Some("sliding_attention") => Ok(Some(window)),
            _ => Err(refuse()),
        })
        .collect()
}
