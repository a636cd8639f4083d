//! A model of one layer, and the Gram matrices that a calibration would have seen there.

use super::Tiny;

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

pub fn tiny() -> Tiny {
    Tiny::new(TENSORS, |t, i| ((i * 31 + t * 7) % 53) as f32 / 53.0 - 0.4)
}

/// The Gram matrix of inputs that depend on each other.
pub fn gram(columns: usize) -> Vec<f32> {
    let input = |token: usize, column: usize| {
        let wave = ((token * 13 + column * 5) % 29) as f32 / 29.0 - 0.5;
        wave + ((token * 7 + column / 4 * 11) % 31) as f32 / 31.0 + if column.is_multiple_of(9) { 2.0 } else { 0.0 }
    };
    let mut gram = vec![0f32; columns * columns];
    for token in 0..200 {
        for row in 0..columns {
            for column in 0..columns {
                gram[row * columns + column] += input(token, row) * input(token, column);
            }
        }
    }
    gram
}
