//! Which tensors a level may touch; the rest keeps the encoding that the converter gave it.

/// Endings of names that are never quantized.
const KEPT_ENDINGS: &[&str] = &[
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
];

/// Parts of names that are never quantized.
const KEPT_PARTS: &[&str] = &[
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

/// Whole names that are never quantized.
const KEPT_NAMES: &[&str] = &["position_embd.weight", "token_types.weight"];

/// Further parts of names for one architecture.
const KEPT_PARTS_GLM5_NEXT: &[&str] = &[
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
];

/// Whether the level decides about this tensor. `ne` is innermost first; trailing ones do not count as dimensions.
pub fn is_quantizable(arch: &str, name: &str, ne: &[u64]) -> bool {
    let dimensions = ne.iter().rposition(|d| *d != 1).map_or(0, |last| last + 1);
    let kept = KEPT_NAMES.contains(&name)
        || KEPT_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || KEPT_PARTS.iter().any(|part| name.contains(part))
        || (arch == "glm5-next" && KEPT_PARTS_GLM5_NEXT.iter().any(|part| name.contains(part)));
    dimensions >= 2 && name.ends_with("weight") && !kept
}

#[cfg(test)]
mod tests {
    use super::is_quantizable;

    #[test]
    fn matrices_are_quantized_norms_routers_and_biases_are_not() {
        assert!(is_quantizable("llama", "blk.0.attn_q.weight", &[256, 256]));
        assert!(is_quantizable("llama", "token_embd.weight", &[256, 1000]));
        assert!(is_quantizable("qwen3moe", "blk.0.ffn_down_exps.weight", &[256, 256, 8]));
        assert!(!is_quantizable("llama", "blk.0.attn_norm.weight", &[256]));
        assert!(!is_quantizable("command-r", "blk.0.attn_q_norm.weight", &[64, 8]));
        assert!(!is_quantizable("qwen2", "blk.0.attn_q.bias", &[256, 2]));
        assert!(!is_quantizable("mixtral", "blk.0.ffn_gate_inp.weight", &[256, 8]));
        assert!(!is_quantizable("llama", "blk.0.attn_q.weight", &[256, 1, 1]));
        assert!(is_quantizable("llama", "blk.0.attn_q.weight", &[1, 256]));
        assert!(is_quantizable("llama", "blk.0.attn_k_b.weight", &[64, 64]));
        assert!(!is_quantizable("glm5-next", "blk.0.attn_k_b.weight", &[64, 64]));
    }
}
