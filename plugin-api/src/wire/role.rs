//! What a tensor is, whatever its model family calls it: the word that decouples backends from families.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a tensor *is*. Weight and bias of one operation share a role; [`super::TensorDescription::part`] tells
        /// them apart. Open for growth: a word this build does not know arrives as [`Role::Other`].
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Role {
            $($(#[$doc])* $name,)*
            /// A role named by a newer peer or by a family description of the user's.
            Other(String),
        }

        impl Role {
            /// Every role this build knows, in declaration order.
            pub const KNOWN: &'static [Role] = &[$(Role::$name,)*];

            /// The word used in JSON, family descriptions and reports.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Role::$name => $text,)*
                    Role::Other(word) => word,
                }
            }

            /// The role behind a word; never fails.
            pub fn from_word(word: &str) -> Role {
                match word {
                    $($text => Role::$name,)*
                    other => Role::Other(other.to_owned()),
                }
            }
        }
    };
}

roles! {
    /// Token embedding table, `[vocab, hidden]`.
    TokenEmbedding = "token_embedding",
    /// Learned position embedding table, `[positions, hidden]`.
    PositionEmbedding = "position_embedding",
    /// Segment (token type) embedding table.
    TokenTypeEmbedding = "token_type_embedding",
    /// Norm right after the embeddings.
    EmbeddingNorm = "embedding_norm",
    /// Final norm before the output head.
    OutputNorm = "output_norm",
    /// Output head, `[vocab, hidden]`.
    OutputHead = "output_head",
    /// Norm whose output feeds attention.
    AttnNorm = "attn_norm",
    /// Second attention norm (parallel blocks with two norms).
    AttnNorm2 = "attn_norm_2",
    /// Norm applied to the attention result before the residual sum.
    AttnPostNorm = "attn_post_norm",
    /// Query projection.
    AttnQ = "attn_q",
    /// Key projection.
    AttnK = "attn_k",
    /// Value projection.
    AttnV = "attn_v",
    /// Fused query, key and value projection.
    AttnQkv = "attn_qkv",
    /// Attention output projection.
    AttnOutput = "attn_output",
    /// Norm on queries.
    AttnQNorm = "attn_q_norm",
    /// Norm on keys.
    AttnKNorm = "attn_k_norm",
    /// Attention sinks, one per head.
    AttnSinks = "attn_sinks",
    /// Low-rank query down projection (MLA).
    AttnQA = "attn_q_a",
    /// Low-rank query up projection (MLA).
    AttnQB = "attn_q_b",
    /// Norm between the two query projections (MLA).
    AttnQANorm = "attn_q_a_norm",
    /// Joint key-value down projection with the rope part (MLA).
    AttnKvA = "attn_kv_a",
    /// Key-value up projection (MLA).
    AttnKvB = "attn_kv_b",
    /// Norm between the two key-value projections (MLA).
    AttnKvANorm = "attn_kv_a_norm",
    /// Norm whose output feeds the feed-forward block.
    FfnNorm = "ffn_norm",
    /// Norm applied to the feed-forward result before the residual sum.
    FfnPostNorm = "ffn_post_norm",
    /// Gate projection.
    FfnGate = "ffn_gate",
    /// Up projection.
    FfnUp = "ffn_up",
    /// Fused gate and up projection.
    FfnGateUp = "ffn_gate_up",
    /// Down projection.
    FfnDown = "ffn_down",
    /// Router over experts.
    Router = "router",
    /// Correction bias of the router.
    RouterBias = "router_bias",
    /// Gate projection of one expert, or of all experts stacked.
    ExpertGate = "expert_gate",
    /// Up projection of one expert, or of all experts stacked.
    ExpertUp = "expert_up",
    /// Fused gate and up projection of one expert, or of all experts stacked.
    ExpertGateUp = "expert_gate_up",
    /// Down projection of one expert, or of all experts stacked.
    ExpertDown = "expert_down",
    /// Gate projection of the shared expert.
    SharedExpertGate = "shared_expert_gate",
    /// Up projection of the shared expert.
    SharedExpertUp = "shared_expert_up",
    /// Down projection of the shared expert.
    SharedExpertDown = "shared_expert_down",
    /// Scalar gate in front of the shared expert.
    SharedExpertRouter = "shared_expert_router",
    /// Stored rotary frequencies; derived data that backends may recompute.
    RopeFrequencies = "rope_frequencies",
    /// Norm between the attention heads and the output projection (BitNet).
    AttnSubNorm = "attn_sub_norm",
    /// Norm between the activated product and the down projection (BitNet).
    FfnSubNorm = "ffn_sub_norm",
}

impl Role {
    /// Whether the tensor is the matrix of a linear layer, so that statistics of its input exist.
    pub fn is_linear(&self) -> bool {
        use Role::*;
        matches!(
            self,
            AttnQ
                | AttnK
                | AttnV
                | AttnQkv
                | AttnOutput
                | AttnQA
                | AttnQB
                | AttnKvA
                | AttnKvB
                | FfnGate
                | FfnUp
                | FfnGateUp
                | FfnDown
                | Router
                | ExpertGate
                | ExpertUp
                | ExpertGateUp
                | ExpertDown
                | SharedExpertGate
                | SharedExpertUp
                | SharedExpertDown
                | SharedExpertRouter
                | OutputHead
        )
    }

    /// Whether the tensor is the scale (or bias) of a normalisation.
    pub fn is_norm(&self) -> bool {
        use Role::*;
        matches!(
            self,
            EmbeddingNorm
                | OutputNorm
                | AttnNorm
                | AttnNorm2
                | AttnPostNorm
                | AttnQNorm
                | AttnKNorm
                | AttnQANorm
                | AttnKvANorm
                | FfnNorm
                | FfnPostNorm
                | AttnSubNorm
                | FfnSubNorm
        )
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Role::from_word(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_role() {
        for role in Role::KNOWN {
            assert_eq!(&Role::from_word(role.as_str()), role);
        }
        assert_eq!(Role::from_word("hyper_connection"), Role::Other("hyper_connection".into()));
    }
}
