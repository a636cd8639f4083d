//! Groups of feed-forward blocks: what reads their input, and up to down.

use super::SmoothingKind;
use super::draft::{Drafts, Rows};
use llmq_forward::{Activation, Block, FeedForward, Linear, UpGate};

/// What reads the input of a feed-forward block: of experts all of them, their router, and the gate of a shared one.
pub(super) fn readers(ffn: &FeedForward) -> Vec<&Linear> {
    match ffn {
        FeedForward::Dense(block) => of_block(block),
        FeedForward::Mixture(mixture) => {
            let shared = mixture.shared.iter().flat_map(|shared| shared.gate.iter().chain(of_block(&shared.block)));
            let experts = mixture.experts.iter().flat_map(of_block);
            std::iter::once(&mixture.router).chain(experts).chain(shared).collect()
        }
    }
}

fn of_block(block: &Block) -> Vec<&Linear> {
    match &block.up {
        UpGate::Both { gate, up } => vec![gate, up],
        UpGate::Up(only) | UpGate::Halves(only) | UpGate::Alternating(only) => vec![only],
    }
}

/// Groups between the matrices of its blocks.
pub(super) fn inner(ffn: &FeedForward, drafts: &mut Drafts<'_>) {
    match ffn {
        FeedForward::Dense(block) => up(block, drafts),
        FeedForward::Mixture(mixture) => {
            mixture.experts.iter().for_each(|expert| up(expert, drafts));
            mixture.shared.iter().for_each(|shared| up(&shared.block, drafts));
        }
    }
}

fn up(block: &Block, drafts: &mut Drafts<'_>) {
    if block.sub_norm.is_some() || matches!(block.activation, Activation::ClampedSwish { .. }) {
        return;
    }
    let channels = block.down.inputs;
    let (linear, rows) = match &block.up {
        // Nothing but the activation lies between, and it is not linear.
        UpGate::Up(_) => return,
        UpGate::Both { up, .. } => (up, Rows::from(0, channels)),
        UpGate::Halves(both) => (both, Rows::from(channels, channels)),
        UpGate::Alternating(both) => (both, Rows { first: 1, run: 1, stride: 2 }),
    };
    drafts.rows(SmoothingKind::Up, (linear, rows, channels), (&block.down, channels, 1));
}
