//! BitNet: extra norms, a tied head, and the one activation that llama.cpp knows for it.

mod rig;

use llmq_plugin_api::sdk::Kind;
use rig::models::{self, Shape};
use rig::{Folder, Job};
use serde_json::json;

const SMALL: Shape = Shape { hidden: 256, intermediate: 512, heads: 8, kv_heads: 2, layers: 2 };

/// A generated Llama with the norms of BitNet, under the names of one of its two families.
fn bitnet(family: &str, [attention, feed_forward]: [&str; 2], activation: &str) -> Folder {
    let llama = models::llama(&SMALL, "BF16", |_| {});
    let mut config = llama.description.config.clone();
    config["architectures"] = json!(["BitNetForCausalLM"]);
    config["model_type"] = json!(family);
    config["tie_word_embeddings"] = json!(true);
    let mut tensors: Vec<_> = llama.tensors.into_iter().filter(|tensor| tensor.name != "lm_head.weight").collect();
    let norm = tensors.iter().find(|tensor| tensor.name == "model.norm.weight").unwrap().clone();
    for layer in 0..SMALL.layers {
        for (part, width) in [(attention, SMALL.hidden), (feed_forward, SMALL.intermediate)] {
            let mut norm = norm.clone();
            norm.name = format!("model.layers.{layer}.{part}.weight");
            norm.bytes = norm.bytes.repeat((width / SMALL.hidden) as usize);
            norm.shape = vec![width];
            tensors.push(norm);
        }
    }
    let mut folder = Folder::new("bitnet", config, llama.files, tensors);
    folder.description.hyperparameters.activation = activation.to_owned();
    folder
}

const OURS: [&str; 2] = ["self_attn.attn_sub_norm", "mlp.ffn_sub_norm"];
const FIRST: [&str; 2] = ["self_attn.inner_attn_ln", "mlp.ffn_layernorm"];

#[test]
fn both_families_are_written_as_one_architecture() {
    let names = |family, parts| {
        let folder = bitnet(family, parts, "silu");
        let plan = Job::new(&folder, "TQ2_0").run().unwrap().plan;
        plan.slots.iter().map(|slot| (slot.name.clone(), slot.encoding.clone())).collect::<Vec<_>>()
    };
    let ours = names("bitnet", OURS);
    assert_eq!(ours, names("bitnet_b158", FIRST));
    let encoding = |name: &str| ours.iter().find(|(slot, _)| slot == name).map(|(_, encoding)| encoding.as_str());
    assert_eq!(encoding("blk.1.attn_sub_norm.weight"), Some("F32"));
    assert_eq!(encoding("blk.1.ffn_sub_norm.weight"), Some("F32"));
    assert_eq!(encoding("blk.0.ffn_down.weight"), Some("TQ2_0"));
    assert_eq!(ours.len(), 2 + 2 * 11);
}

#[test]
fn another_activation_is_refused() {
    let error = Job::new(&bitnet("bitnet", OURS, "relu2"), "TQ2_0").run().err().unwrap();
    assert_eq!(error.kind, Kind::UnsupportedModel);
    assert!(error.message.contains("computes `silu`") && error.message.contains("needs `relu2`"), "{}", error.message);
    assert!(!error.hint.is_empty());
}
