//! What a decoder model computes, layer by layer, in terms of tensors.

use crate::router::Choice;
use crate::{Linear, Rope, Vector};

/// A decoder model.
#[derive(Debug, Clone)]
pub struct Network {
    /// From tokens to rows.
    pub embedding: Embedding,
    /// The layers.
    pub layers: Vec<Layer>,
    /// Norm behind the last layer.
    pub norm: Option<Norm>,
    /// From rows to logits.
    pub head: Head,
}

/// From tokens to rows.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Tensor with a row per token.
    pub table: usize,
    /// Rows of the table.
    pub vocab: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// What every row is multiplied by.
    pub scale: f32,
    /// Learned positions: tensor and number of rows.
    pub positions: Option<(usize, usize)>,
}

/// From rows to logits: logits = cap(scale * head(x)).
#[derive(Debug, Clone)]
pub struct Head {
    /// The matrix, which may be the embedding table's.
    pub linear: Linear,
    /// What every logit is multiplied by.
    pub scale: f32,
    /// c of c tanh(x / c).
    pub cap: Option<f32>,
}

/// Scale of a normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// What is divided by.
    pub kind: NormKind,
    /// Added under the root.
    pub epsilon: f32,
    /// Factor per column, in one vector or, where heads have norms of their own, in several behind each other. None for
    /// norms without factors.
    pub weight: Vec<Vector>,
    /// Added to the factors: 1 where they are stored around 0.
    pub offset: f32,
    /// Summand per column.
    pub bias: Option<Vector>,
}

/// What a norm divides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square.
    Rms,
    /// Standard deviation, after the mean is taken off.
    Layer,
}

/// How the two blocks of a layer stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// The feed-forward block sees what attention has added.
    Sequential,
    /// Both see what arrives at the layer. Without a norm of its own, the feed-forward block takes attention's.
    Parallel,
}

/// One decoder layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// How the two blocks stand to each other.
    pub arrangement: Arrangement,
    /// What a block's result is multiplied by before it is added.
    pub residual_scale: f32,
    /// Norm in front of attention.
    pub attn_norm: Option<Norm>,
    /// Attention.
    pub attention: Attention,
    /// Norm behind attention.
    pub attn_post_norm: Option<Norm>,
    /// Norm in front of the feed-forward block.
    pub ffn_norm: Option<Norm>,
    /// Feed-forward block.
    pub ffn: FeedForward,
    /// Norm behind the feed-forward block.
    pub ffn_post_norm: Option<Norm>,
}

/// Attention of a layer.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Width of a query and key head.
    pub head_dim: usize,
    /// Width of a value head.
    pub value_dim: usize,
    /// Where queries, keys and values come from.
    pub projections: Projections,
    /// Norm over queries.
    pub q_norm: Option<HeadNorm>,
    /// Norm over keys.
    pub k_norm: Option<HeadNorm>,
    /// Rotation, where there is one in this layer.
    pub rope: Option<Rope>,
    /// What scores are multiplied by.
    pub scale: f32,
    /// c of c tanh(score / c).
    pub cap: Option<f32>,
    /// Tokens that a token sees, itself included; all before it if `None`.
    pub window: Option<usize>,
    /// A score per head that takes its share of the softmax and gives nothing.
    pub sinks: Option<Vector>,
    /// Largest magnitude of queries, keys and values.
    pub clamp: Option<f32>,
    /// Norm in front of the output projection.
    pub sub_norm: Option<Norm>,
    /// Output projection.
    pub output: Linear,
}

/// A norm over queries or keys.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadNorm {
    /// The norm.
    pub norm: Norm,
    /// Columns that are normalised together: a head, or all heads.
    pub group: usize,
}

/// Where queries, keys and values come from.
#[derive(Debug, Clone)]
pub enum Projections {
    /// A matrix each.
    Separate {
        /// Queries.
        q: Linear,
        /// Keys.
        k: Linear,
        /// Values.
        v: Linear,
    },
    /// One matrix.
    Fused {
        /// The matrix.
        qkv: Linear,
        /// How its outputs are ordered.
        order: FusedOrder,
    },
    /// Low-rank projections of multi-head latent attention.
    Latent(Box<Latent>),
}

/// Order of the outputs of a matrix that gives queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FusedOrder {
    /// All queries, all keys, all values.
    Stacked,
    /// For every key-value head its queries, its key and its value.
    ByGroup,
}

/// Multi-head latent attention: keys and values come out of one narrow vector per token (DeepSeek-V2).
#[derive(Debug, Clone)]
pub struct Latent {
    /// Queries.
    pub queries: LatentQueries,
    /// Down to the narrow vector and the rotated part of keys, which all heads share.
    pub kv_a: Linear,
    /// Norm of the narrow vector.
    pub kv_a_norm: Norm,
    /// Up to the plain part of keys and the values, head by head.
    pub kv_b: Linear,
    /// Width of the narrow vector.
    pub rank: usize,
    /// Width of a head that is not rotated. It stands first.
    pub plain_dim: usize,
    /// Width of a head that is rotated.
    pub rotated_dim: usize,
}

/// Queries of latent attention.
#[derive(Debug, Clone)]
pub enum LatentQueries {
    /// One matrix.
    Direct(Linear),
    /// Two with a norm between them.
    LowRank {
        /// Down.
        a: Linear,
        /// Norm.
        norm: Norm,
        /// Up.
        b: Linear,
    },
}

/// Feed-forward block of a layer.
#[derive(Debug, Clone)]
pub enum FeedForward {
    /// One block for all tokens.
    Dense(Box<Block>),
    /// Experts, of which every token sees some.
    Mixture(Box<Mixture>),
}

/// down(activation(up)), or down(activation(gate) * up).
#[derive(Debug, Clone)]
pub struct Block {
    /// In front of the product.
    pub up: UpGate,
    /// What is done to it.
    pub activation: Activation,
    /// Norm in front of the last matrix.
    pub sub_norm: Option<Norm>,
    /// The last matrix.
    pub down: Linear,
}

/// What arrives at the product of a feed-forward block.
#[derive(Debug, Clone)]
pub enum UpGate {
    /// No gate.
    Up(Linear),
    /// Two matrices.
    Both {
        /// Goes through the activation.
        gate: Linear,
        /// Is multiplied with it.
        up: Linear,
    },
    /// One matrix with the gate's outputs in its first half.
    Halves(Linear),
    /// One matrix whose outputs alternate, the gate's first.
    Alternating(Linear),
}

/// Activation of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// x / (1 + exp(-x)).
    Silu,
    /// x times the normal distribution function.
    Gelu,
    /// GELU by tanh.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// max(x, 0)^2.
    ReluSquared,
    /// (clamp(up) + 1) * gate * sigmoid(alpha * gate), gate below and up within the limit (gpt-oss).
    ClampedSwish {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// The limit.
        limit: f32,
    },
}

/// Experts, of which every token sees some.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// A logit per expert.
    pub router: Linear,
    /// Added to scores where experts are chosen, not where they are weighed.
    pub correction: Option<Vector>,
    /// How experts are chosen.
    pub choice: Choice,
    /// The experts.
    pub experts: Vec<Block>,
    /// A block that every token sees as well.
    pub shared: Option<Shared>,
}

/// A block beside the experts.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The block.
    pub block: Block,
    /// One logit, whose sigmoid the block's result is multiplied by.
    pub gate: Option<Linear>,
}
