//! A model of one layer, the groups of channels that a host would offer, and what a calibration would have seen there.

use super::Tiny;
use llmq_plugin_api::sdk::{Statistic, StatisticKind};
use serde_json::{Value, json};

pub const TENSORS: &[(&str, &str, u32, &[u64])] = &[
    ("model.embed_tokens.weight", "token_embedding", 0, &[32, 64]),
    ("model.layers.0.input_layernorm.weight", "attn_norm", 1, &[64]),
    ("model.layers.0.self_attn.q_proj.weight", "attn_q", 1, &[64, 64]),
    ("model.layers.0.self_attn.q_proj.bias", "attn_q", 1, &[64]),
    ("model.layers.0.mlp.gate.weight", "router", 1, &[4, 64]),
    ("model.layers.0.mlp.up_proj.weight", "ffn_up", 1, &[96, 64]),
    ("model.layers.0.mlp.down_proj.weight", "ffn_down", 1, &[64, 96]),
    ("model.norm.weight", "output_norm", 2, &[64]),
    ("lm_head.weight", "output_head", 2, &[32, 64]),
];

pub fn groups(caution: &str) -> Value {
    let consumer = |tensor: u32, run: u64| json!({ "tensor": tensor, "run": run, "repeats": 1 });
    json!([
        {
            "name": "norm", "unit": 1, "channels": 64, "kind": "norm", "caution": caution,
            "producers": [{ "tensor": 1, "first_row": 0, "run": 64, "stride": 64 }],
            "consumers": [consumer(2, 64), consumer(5, 64), consumer(4, 64)],
        },
        {
            "name": "up", "unit": 1, "channels": 96, "kind": "up",
            "producers": [{ "tensor": 5, "first_row": 0, "run": 96, "stride": 96 }],
            "consumers": [consumer(6, 96)],
        },
    ])
}

pub fn tiny() -> Tiny {
    Tiny::new(TENSORS, groups(""), |t, i| ((i * 31 + t * 7) % 53) as f32 / 53.0 - 0.4)
}

/// The input of a linear layer: channels that depend on each other, every ninth of them strong.
pub fn input(token: usize, column: usize) -> f32 {
    let wave = ((token * 13 + column * 5) % 29) as f32 / 29.0 - 0.5;
    let all = wave + ((token * 7 + column / 4 * 11) % 31) as f32 / 31.0;
    if column.is_multiple_of(9) { 8.0 * all } else { all }
}

pub const TOKENS: usize = 200;

pub fn gram(columns: usize) -> Vec<f32> {
    let mut gram = vec![0f32; columns * columns];
    for token in 0..TOKENS {
        for row in 0..columns {
            for column in 0..columns {
                gram[row * columns + column] += input(token, row) * input(token, column);
            }
        }
    }
    gram
}

pub fn sums(columns: usize) -> Vec<f32> {
    (0..columns).map(|column| (0..TOKENS).map(|token| input(token, column).abs()).sum()).collect()
}

/// Statistics of the layer: both for the tensors that read the norm, both for the last.
pub struct Seen {
    pub grams: [Vec<f32>; 2],
    pub sums: [Vec<f32>; 2],
    pub count: u64,
}

impl Seen {
    pub fn all() -> Seen {
        Seen { grams: [gram(64), gram(96)], sums: [sums(64), sums(96)], count: TOKENS as u64 }
    }

    pub fn statistics(&self) -> Vec<Statistic<'_>> {
        let mut all = Vec::new();
        for (tensor, of) in [(2, 0), (5, 0), (6, 1)] {
            let shape: &[u64] = if of == 0 { &[64, 64] } else { &[96, 96] };
            let one = |kind, shape, values| Statistic { tensor, expert: None, kind, count: self.count, shape, values };
            all.push(one(StatisticKind::Gram, shape, &self.grams[of][..]));
            all.push(one(StatisticKind::SumAbs, &shape[..1], &self.sums[of][..]));
        }
        all
    }
}
