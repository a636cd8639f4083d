//! Latent attention (DeepSeek): keys and values come out of one narrow vector per token.
//!
//! llama.cpp runs it as attention with one key-value head as wide as that vector, so the matrix that widens it is split
//! into the part of the keys, transposed head by head, and the part of the values.

use crate::value::Value;
use llmq_plugin_api::wire::ModelDescription;
use serde_json::{Map, Value as Json, json};

/// Widths of latent attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latent {
    /// Width between the two query projections, 0 if there is only one.
    pub query_rank: u32,
    /// Width between the two key-value projections.
    pub rank: u32,
    /// Part of a query or key head that is not rotated.
    pub plain: u32,
    /// Part that is rotated.
    pub rotated: u32,
    /// Width of a value head.
    pub value: u32,
}

impl Latent {
    /// What config.json says, with the classes' defaults.
    pub fn read(model: &ModelDescription) -> Latent {
        let number = |key: &str, default: u32| match model.config.get(key) {
            None => default,
            Some(value) => value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        };
        Latent {
            query_rank: number("q_lora_rank", 1536),
            rank: number("kv_lora_rank", 512),
            plain: number("qk_nope_head_dim", 128),
            rotated: number("qk_rope_head_dim", 64),
            value: number("v_head_dim", 128),
        }
    }

    /// Width of a key in the cache, as llama.cpp computes with it.
    pub fn cached_key(&self) -> u32 {
        self.rank.saturating_add(self.rotated)
    }

    /// Keys of the widths with their values.
    pub fn keys(&self) -> Vec<(&'static str, Value)> {
        let mut keys = Vec::new();
        if self.query_rank > 0 {
            keys.push(("attention.q_lora_rank", self.query_rank.into()));
        }
        keys.push(("attention.kv_lora_rank", self.rank.into()));
        keys.push(("attention.key_length_mla", self.plain.saturating_add(self.rotated).into()));
        keys.push(("attention.value_length_mla", self.value.into()));
        keys
    }

    /// The widths back from keys; `unsigned` answers what a key says.
    pub fn recover(unsigned: impl Fn(&str) -> Option<u64>) -> Option<Latent> {
        let number = |key: &str| unsigned(key).and_then(|n| u32::try_from(n).ok());
        let rotated = number("rope.dimension_count")?;
        Some(Latent {
            query_rank: number("attention.q_lora_rank").unwrap_or(0),
            rank: number("attention.kv_lora_rank")?,
            plain: number("attention.key_length_mla")?.checked_sub(rotated)?,
            rotated,
            value: number("attention.value_length_mla")?,
        })
    }

    /// Says in config.json what the keys of ordinary attention say wrongly.
    pub fn describe(&self, config: &mut Map<String, Json>) {
        config.insert("q_lora_rank".to_owned(), if self.query_rank > 0 { json!(self.query_rank) } else { Json::Null });
        for (key, value) in [
            ("kv_lora_rank", self.rank),
            ("qk_nope_head_dim", self.plain),
            ("qk_rope_head_dim", self.rotated),
            ("head_dim", self.rotated),
            ("v_head_dim", self.value),
        ] {
            config.insert(key.to_owned(), json!(value));
        }
        config.remove("partial_rotary_factor");
        if let Some(heads) = config.get("num_attention_heads").cloned() {
            config.insert("num_key_value_heads".to_owned(), heads);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_come_back_from_their_keys() {
        for query_rank in [0, 1536] {
            let latent = Latent { query_rank, rank: 512, plain: 128, rotated: 64, value: 128 };
            let keys = latent.keys();
            let found = Latent::recover(|key| match key {
                "rope.dimension_count" => Some(64),
                _ => keys.iter().find(|(name, _)| *name == key).and_then(|(_, value)| match value {
                    Value::U32(n) => Some(u64::from(*n)),
                    _ => None,
                }),
            });
            assert_eq!(found, Some(latent));
        }
        assert_eq!(Latent::recover(|_| Some(5)).unwrap().plain, 0);
        assert_eq!(Latent::recover(|_| None), None);
    }
}
