//! The encoding that a converter gives a tensor: what it keeps if no level may touch it.

use llmq_ggml_blocks::BlockType;

/// Matrices that llama.cpp wants in single precision whatever the file's precision is.
const SINGLE_ENDINGS: &[&str] = &["_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight"];
const SINGLE_NAMES: &[&str] = &["position_embd.weight", "token_types.weight"];
const SINGLE_PARTS: &[&str] = &["ssm_conv1d", "shortconv.conv"];

/// Single precision for vectors, norms, routers, positions and everything that is no weight; else `precision`, the
/// precision of the file's matrices.
pub(super) fn converter_dtype(name: &str, ne: &[u64], precision: BlockType) -> BlockType {
    let single = ne.len() <= 1
        || !name.ends_with(".weight")
        || SINGLE_NAMES.contains(&name)
        || SINGLE_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || SINGLE_PARTS.iter().any(|part| name.contains(part));
    if single { BlockType::F32 } else { precision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BlockType::{BF16, F32};

    #[test]
    fn only_plain_matrices_have_the_precision_of_the_file() {
        assert_eq!(converter_dtype("blk.0.attn_q.weight", &[64, 64], BF16), BF16);
        assert_eq!(converter_dtype("blk.0.attn_q.bias", &[64], BF16), F32);
        assert_eq!(converter_dtype("blk.0.attn_norm.weight", &[64], BF16), F32);
        assert_eq!(converter_dtype("blk.0.ffn_gate_inp.weight", &[64, 8], BF16), F32);
        assert_eq!(converter_dtype("blk.0.attn_q_norm.weight", &[64, 8], BF16), F32);
    }
}
