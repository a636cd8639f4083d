//! What a tensor is for the mixture rules: decided by its name, first match wins.

/// The groups that the rules distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// `output.weight`.
    Output,
    /// `token_embd.weight`, `per_layer_token_embd.weight`.
    TokenEmbedding,
    /// Value projections, alone, fused with query and key, or as the up projection of MLA.
    Value,
    /// Key projections.
    Key,
    /// Query projections.
    Query,
    /// Attention output projections.
    AttentionOutput,
    /// Up projections, experts included.
    Up,
    /// Gate projections, experts included.
    Gate,
    /// Down projections, experts included.
    Down,
    /// Everything else.
    Other,
}

const BY_PART: &[(&str, Category)] = &[
    ("attn_qkv.weight", Category::Value),
    ("attn_kv_b.weight", Category::Value),
    ("attn_v.weight", Category::Value),
    ("attn_k.weight", Category::Key),
    ("attn_q.weight", Category::Query),
    ("attn_output.weight", Category::AttentionOutput),
    ("ffn_up", Category::Up),
    ("ffn_gate", Category::Gate),
    ("ffn_down", Category::Down),
];

impl Category {
    /// The category of a GGUF tensor name.
    pub fn of(name: &str) -> Category {
        match name {
            "output.weight" => Category::Output,
            "token_embd.weight" | "per_layer_token_embd.weight" => Category::TokenEmbedding,
            _ => {
                BY_PART.iter().find(|(part, _)| name.contains(part)).map_or(Category::Other, |(_, category)| *category)
            }
        }
    }
}
