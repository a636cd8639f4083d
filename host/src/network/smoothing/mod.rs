//! Which channels of a model may be scaled without changing what it computes, from what it computes.
//!
//! Nothing here names a family: the network of the forward pass says which matrices read what. So a group can be wrong
//! only where the forward pass is, and that is compared with transformers. What is left out, and why:
//!
//! - norms one of whose readers is stored with inputs as rows (GPT-2, the experts of gpt-oss), and the norm behind the
//!   last layer, whose reader stands in another unit;
//! - values that are clamped, or whose averages go through a norm (BitNet);
//! - feed-forward blocks without a gate, whose activation lies between the two matrices, and gpt-oss's, which adds one to
//!   what up gives.

mod attention;
mod draft;
mod feed_forward;

use super::network;
use draft::Drafts;
use llmq_forward::{Arrangement, Layer, Network};
use llmq_plugin_api::wire::{ModelDescription, SmoothingGroup, SmoothingKind, TensorDescription};

/// The groups of a model, in model order. Empty where no forward pass is described for it: then nobody knows.
pub fn smoothing(description: &ModelDescription) -> Vec<SmoothingGroup> {
    network(description).map(|network| groups(&network, &description.tensors)).unwrap_or_default()
}

/// The groups of a network.
pub fn groups(network: &Network, tensors: &[TensorDescription]) -> Vec<SmoothingGroup> {
    let mut drafts = Drafts { tensors, groups: Vec::new() };
    network.layers.iter().for_each(|layer| of_layer(layer, &mut drafts));
    drafts.groups
}

fn of_layer(layer: &Layer, drafts: &mut Drafts<'_>) {
    let ffn = feed_forward::readers(&layer.ffn);
    let joint = layer.arrangement == Arrangement::Parallel && layer.ffn_norm.is_none();
    if let Some(norm) = &layer.attn_norm {
        let mut readers = attention::readers(&layer.attention);
        if joint {
            readers.extend(&ffn);
        }
        drafts.norm(norm, &readers, attention::caution(&layer.attention));
    }
    attention::inner(&layer.attention, drafts);
    if let Some(norm) = &layer.ffn_norm {
        drafts.norm(norm, &ffn, "");
    }
    feed_forward::inner(&layer.ffn, drafts);
}
