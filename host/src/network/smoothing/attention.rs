//! Groups inside attention: values to the output projection, and the norms between low-rank projections.

use super::SmoothingKind;
use super::draft::{Drafts, Rows};
use llmq_forward::{Attention, FusedOrder, LatentQueries, Linear, Projections};

/// Measured with AWQ on Gemma 3, where accuracy fell below rounding to nearest (llm-compressor, issue 2522).
const NORMED: &str = "queries or keys are normalised behind these matrices, and scaling in front of them was seen to make \
                      such models worse";

/// What reads the input of attention.
pub(super) fn readers(attention: &Attention) -> Vec<&Linear> {
    match &attention.projections {
        Projections::Separate { q, k, v } => vec![q, k, v],
        Projections::Fused { qkv, .. } => vec![qkv],
        Projections::Latent(latent) => match &latent.queries {
            LatentQueries::Direct(q) => vec![q, &latent.kv_a],
            LatentQueries::LowRank { a, .. } => vec![a, &latent.kv_a],
        },
    }
}

/// Why its input is better not scaled unasked.
pub(super) fn caution(attention: &Attention) -> &'static str {
    if attention.q_norm.is_some() || attention.k_norm.is_some() { NORMED } else { "" }
}

/// Groups between the projections.
pub(super) fn inner(attention: &Attention, drafts: &mut Drafts<'_>) {
    if let Projections::Latent(latent) = &attention.projections {
        if let LatentQueries::LowRank { norm, b, .. } = &latent.queries {
            drafts.norm(norm, &[b], "");
        }
        drafts.norm(&latent.kv_a_norm, &[&latent.kv_b], "");
    }
    // Behind values attention only averages; a clamp or a norm in between would see the scales.
    if attention.clamp.is_none() && attention.sub_norm.is_none() {
        let (linear, rows) = values(attention);
        let repeats = attention.heads / attention.kv_heads;
        let channels = attention.kv_heads * attention.value_dim;
        let run = if repeats == 1 { channels } else { attention.value_dim };
        drafts.rows(SmoothingKind::Values, (linear, rows, channels), (&attention.output, run, repeats));
    }
}

/// The matrix that gives values, and which of its outputs they are.
fn values(attention: &Attention) -> (&Linear, Rows) {
    let (dim, heads, kv_heads) = (attention.head_dim, attention.heads, attention.kv_heads);
    match &attention.projections {
        Projections::Separate { v, .. } => (v, Rows::from(0, kv_heads * dim)),
        Projections::Fused { qkv, order: FusedOrder::Stacked } => {
            (qkv, Rows::from((heads + kv_heads) * dim, kv_heads * dim))
        }
        Projections::Fused { qkv, order: FusedOrder::ByGroup } => {
            let queries = heads / kv_heads;
            (qkv, Rows { first: (queries + 1) * dim, run: dim, stride: (queries + 2) * dim })
        }
        Projections::Latent(latent) => {
            let (plain, value) = (latent.plain_dim, attention.value_dim);
            (&latent.kv_b, Rows { first: plain, run: value, stride: plain + value })
        }
    }
}
