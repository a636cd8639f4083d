//! config.json from an architecture's keys and the tensors that are there.

use super::{Listed, rows::decode_rows};
use crate::arch::{Architecture, Key, Latent, gating_word, recover_llama3};
use crate::container::Header;
use crate::value::Value;
use llmq_plugin_api::sdk::MappedFile;
use serde_json::{Map, Value as Json, json};

/// A rebuilt config.json and what could not be said in it.
pub(super) struct Rebuilt {
    pub config: Json,
    pub warnings: Vec<String>,
}

/// Rebuilds config.json; the error is a sentence about the key that is missing.
pub(super) fn rebuild(
    arch: &Architecture,
    header: &Header,
    listed: &[Listed],
    files: &[MappedFile],
) -> Result<Rebuilt, String> {
    let keys = Keys { arch, header };
    let has = |name: &str| listed.iter().any(|tensor| tensor.stored.info.name == name);
    let embedding = listed.iter().find(|tensor| tensor.stored.info.name == "token_embd.weight");
    let embedding = embedding.ok_or("there is no token_embd.weight")?;
    let heads = keys.unsigned("attention.head_count")?;
    let hidden = keys.unsigned("embedding_length")?;
    let mut config = Map::new();
    let mut put = |key: &str, value: Json| config.insert(key.to_owned(), value);
    put("architectures", json!([arch.class]));
    put("model_type", json!(arch.model_type));
    put("vocab_size", json!(embedding.stored.info.rows()));
    put("hidden_size", json!(hidden));
    put("intermediate_size", json!(keys.unsigned("feed_forward_length")?));
    put("num_hidden_layers", json!(keys.unsigned("block_count")?));
    put("num_attention_heads", json!(heads));
    put("num_key_value_heads", json!(keys.unsigned("attention.head_count_kv").unwrap_or(heads)));
    if let (Ok(rotated), Some(width)) = (keys.unsigned("rope.dimension_count"), keys.head_width(hidden, heads))
        && rotated < width
    {
        put("partial_rotary_factor", json!(rotated as f64 / width as f64));
    }
    match keys.unsigned("attention.key_length") {
        Ok(width) => put("head_dim", json!(width)),
        // Without the key llama.cpp divides; a class whose own default differs needs it spelled out.
        Err(_) => put("head_dim", json!(hidden.checked_div(heads).unwrap_or(0))),
    };
    put("hidden_act", json!(arch.activation));
    put("max_position_embeddings", json!(keys.unsigned("context_length")?));
    let epsilon = keys.number("attention.layer_norm_rms_epsilon");
    put("rms_norm_eps", json!(epsilon.or_else(|_| keys.number("attention.layer_norm_epsilon"))?));
    let theta = keys.number("rope.freq_base").unwrap_or(10_000.0);
    put("rope_theta", json!(theta));
    let mut warnings = Vec::new();
    put("rope_scaling", rope_scaling(&keys, theta, listed, files, &mut warnings));
    put("tie_word_embeddings", json!(!has("output.weight")));
    for key in arch.keys.iter().chain(arch.late_keys).copied().flatten() {
        if let Some((name, value)) = keys.setting(*key) {
            put(name, value);
        }
    }
    if arch.late_keys.iter().copied().flatten().any(|key| *key == Key::VocabSize) {
        put("attention_bias", json!(has("blk.0.attn_q.bias")));
        put("mlp_bias", json!(has("blk.0.ffn_up.bias")));
    }
    for (key, id) in [("bos_token_id", "tokenizer.ggml.bos_token_id"), ("eos_token_id", "tokenizer.ggml.eos_token_id")]
    {
        if let Some(id) = header.unsigned(id) {
            put(key, json!(id));
        }
    }
    if arch.keys.iter().copied().flatten().any(|key| *key == Key::LatentCache) {
        let latent = Latent::recover(|key| keys.unsigned(key).ok()).ok_or("keys of latent attention are missing")?;
        latent.describe(&mut config);
    }
    for (word, own) in arch.words {
        if let Some(value) = config.remove(*word) {
            config.insert((*own).to_owned(), value);
        }
    }
    Ok(Rebuilt { config: Json::Object(config), warnings })
}

struct Keys<'a> {
    arch: &'a Architecture,
    header: &'a Header,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.arch.name)
    }

    fn unsigned(&self, key: &str) -> Result<u64, String> {
        let name = self.name(key);
        self.header.unsigned(&name).ok_or_else(|| format!("the key `{name}` is missing or not one whole number"))
    }

    fn number(&self, key: &str) -> Result<f64, String> {
        let name = self.name(key);
        self.header.number(&name).ok_or_else(|| format!("the key `{name}` is missing or not a number"))
    }

    fn head_width(&self, hidden: u64, heads: u64) -> Option<u64> {
        self.unsigned("attention.key_length").ok().or_else(|| hidden.checked_div(heads))
    }

    /// What a key says, under its name in config.json.
    fn setting(&self, key: Key) -> Option<(&'static str, Json)> {
        match key {
            Key::Experts => Some(("num_experts", json!(self.unsigned("expert_count").ok()?))),
            Key::ExpertsUsed => Some(("num_experts_per_tok", json!(self.unsigned("expert_used_count").ok()?))),
            Key::ExpertFeedForwardLength => {
                Some(("moe_intermediate_size", json!(self.unsigned("expert_feed_forward_length").ok()?)))
            }
            Key::SlidingWindow => Some(("sliding_window", json!(self.unsigned("attention.sliding_window").ok()?))),
            Key::StatedCount { key, config, .. } => Some((config, json!(self.unsigned(key).ok()?))),
            Key::TrueSwitch { key, config, .. } => {
                Some((config, json!(self.header.get(&self.name(key)) == Some(&Value::Bool(true)))))
            }
            Key::GatingFunction { .. } => {
                let id = self.unsigned("expert_gating_func").ok()?;
                Some(("scoring_func", json!(gating_word(id)?)))
            }
            Key::Number { key, config, .. } => Some((config, json!(self.number(key).ok()?))),
            Key::Count { key, config, .. } => Some((config, json!(self.unsigned(key).ok()?))),
            Key::Switch { key, config, .. } => match self.header.get(&self.name(key))? {
                Value::Bool(value) => Some((config, json!(value))),
                _ => None,
            },
            _ => None,
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.header.text(&self.name(key))
    }
}

fn rope_scaling(keys: &Keys, theta: f64, listed: &[Listed], files: &[MappedFile], warnings: &mut Vec<String>) -> Json {
    let factors = |name: &str| {
        let tensor = listed.iter().find(|tensor| tensor.stored.info.name == name)?;
        // A file may claim anything; no model has more rotary frequencies than this.
        let count = usize::try_from(tensor.stored.info.columns()).ok().filter(|count| *count <= 1 << 16)?;
        let mut values = vec![0.0; count];
        decode_rows(tensor, files, 0, &mut values).ok()?;
        Some(values)
    };
    let original = keys.unsigned("rope.scaling.original_context_length").ok();
    match keys.text("rope.scaling.type") {
        Some("linear") => json!({ "rope_type": "linear", "factor": keys.number("rope.scaling.factor").ok() }),
        Some("yarn") => json!({
            "rope_type": "yarn",
            "factor": keys.number("rope.scaling.factor").ok(),
            "original_max_position_embeddings": original,
            "attention_factor": keys.number("rope.scaling.yarn_attn_factor").ok(),
            "beta_fast": keys.number("rope.scaling.yarn_beta_fast").ok(),
            "beta_slow": keys.number("rope.scaling.yarn_beta_slow").ok(),
        }),
        Some("longrope") => json!({
            "rope_type": "longrope",
            "original_max_position_embeddings": original,
            "attention_factor": keys.number("rope.scaling.attn_factor").ok(),
            "long_factor": factors("rope_factors_long.weight"),
            "short_factor": factors("rope_factors_short.weight"),
        }),
        _ => match factors("rope_freqs.weight") {
            None => Json::Null,
            Some(values) => match recover_llama3(&values, theta) {
                Some(found) => json!({
                    "rope_type": "llama3",
                    "factor": found.factor,
                    "low_freq_factor": found.low,
                    "high_freq_factor": found.high,
                    "original_max_position_embeddings": found.original,
                }),
                None => {
                    warnings.push(
                        "the factors of rope_freqs.weight are not Llama 3's; rope_scaling is left out".to_owned(),
                    );
                    Json::Null
                }
            },
        },
    }
}
