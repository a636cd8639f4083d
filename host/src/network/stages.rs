//! In which order the linear layers of a layer are fixed where each is to see the ones before it as they will be.

use super::feeds::{Feed, block_feeds, feeds, latent_feeds};
use llmq_forward::{FeedForward, Layer, Projections};

/// Tensors of the linear layers of a layer, stage by stage in the order of the forward pass: what shares an input is one
/// stage, and so is what stands side by side, such as all experts.
pub fn stages(layer: &Layer) -> Vec<Vec<usize>> {
    let mut stages = match &layer.attention.projections {
        Projections::Separate { q, k, v } => vec![vec![q.weight, k.weight, v.weight]],
        Projections::Fused { qkv, .. } => vec![vec![qkv.weight]],
        Projections::Latent(latent) => {
            let mut feeds = latent_feeds(latent).into_iter();
            let first = feeds.next().map_or_else(Vec::new, |feed| feed.linears);
            vec![first, feeds.flat_map(|feed| feed.linears).collect()]
        }
    };
    stages.push(vec![layer.attention.output.weight]);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut block = |[up, down]: [Feed; 2]| {
        first.extend(up.linears);
        second.extend(down.linears);
    };
    match &layer.ffn {
        FeedForward::Dense(dense) => block(block_feeds(dense, None)),
        FeedForward::Mixture(mixture) => {
            mixture.experts.iter().for_each(|expert| block(block_feeds(expert, None)));
            mixture.shared.iter().for_each(|shared| block(block_feeds(&shared.block, None)));
            // They read what the experts read.
            first.push(mixture.router.weight);
            first.extend(mixture.shared.iter().filter_map(|shared| shared.gate.map(|gate| gate.weight)));
        }
    }
    stages.extend([first, second]);
    // Experts may lie in one tensor.
    stages.iter_mut().for_each(|stage| {
        stage.sort_unstable();
        stage.dedup();
    });
    stages
}

/// Tensors in front of which everything has arrived that arrives at any of these: the last stage that has one of them, if
/// one input alone arrives there. Empty where the whole layer must run: experts take turns.
pub fn last_input(layer: &Layer, tensors: &[usize]) -> Vec<usize> {
    let stages = stages(layer);
    let last = stages.into_iter().rfind(|stage| stage.iter().any(|tensor| tensors.contains(tensor)));
    let last = last.unwrap_or_default();
    let arrives = |feed: &&Feed| feed.linears.iter().any(|linear| last.contains(linear));
    if feeds(layer).iter().filter(arrives).count() == 1 { last } else { Vec::new() }
}
