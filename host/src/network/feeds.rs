//! Which linear layers share what arrives at them: what a calibration gathers, known without running anything.

use llmq_forward::{FeedForward, Latent, LatentQueries, Layer, Linear, Network, Projections, UpGate};

/// An input of one or several linear layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Tensors of the layers that it arrives at.
    pub linears: Vec<usize>,
    /// Expert, for what arrives at one.
    pub expert: Option<u32>,
    /// Channels.
    pub columns: usize,
}

impl Feed {
    fn of(linears: &[&Linear], expert: Option<u32>) -> Feed {
        Feed {
            linears: linears.iter().map(|linear| linear.weight).collect(),
            expert,
            columns: linears.first().map_or(0, |linear| linear.inputs),
        }
    }
}

/// Everything that arrives at linear layers of a layer, in the order of the forward pass; experts in rising order.
pub fn feeds(layer: &Layer) -> Vec<Feed> {
    let mut feeds = match &layer.attention.projections {
        Projections::Separate { q, k, v } => vec![Feed::of(&[q, k, v], None)],
        Projections::Fused { qkv, .. } => vec![Feed::of(&[qkv], None)],
        Projections::Latent(latent) => latent_feeds(latent),
    };
    feeds.push(Feed::of(&[&layer.attention.output], None));
    match &layer.ffn {
        FeedForward::Dense(block) => feeds.extend(block_feeds(block, None)),
        FeedForward::Mixture(mixture) => {
            let gate = mixture.shared.as_ref().and_then(|shared| shared.gate.as_ref());
            let routers: Vec<&Linear> = std::iter::once(&mixture.router).chain(gate).collect();
            feeds.push(Feed::of(&routers, None));
            let experts = mixture.experts.iter().zip(0..);
            feeds.extend(experts.flat_map(|(block, expert)| block_feeds(block, Some(expert))));
            feeds.extend(mixture.shared.iter().flat_map(|shared| block_feeds(&shared.block, None)));
        }
    }
    feeds
}

/// What arrives at the output head.
pub fn head_feed(network: &Network) -> Feed {
    Feed::of(&[&network.head.linear], None)
}

pub(super) fn latent_feeds(latent: &Latent) -> Vec<Feed> {
    match &latent.queries {
        LatentQueries::Direct(q) => vec![Feed::of(&[q, &latent.kv_a], None), Feed::of(&[&latent.kv_b], None)],
        LatentQueries::LowRank { a, b, .. } => {
            vec![Feed::of(&[a, &latent.kv_a], None), Feed::of(&[b], None), Feed::of(&[&latent.kv_b], None)]
        }
    }
}

pub(super) fn block_feeds(block: &llmq_forward::Block, expert: Option<u32>) -> [Feed; 2] {
    let up: &[&Linear] = match &block.up {
        UpGate::Up(up) => &[up],
        UpGate::Both { gate, up } => &[gate, up],
        UpGate::Halves(both) | UpGate::Alternating(both) => &[both],
    };
    [Feed::of(up, expert), Feed::of(&[&block.down], expert)]
}
