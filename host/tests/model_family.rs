//! Family descriptions: what feeds what, and parts of the vocabulary that the first families do not use yet.

use llm_quantize::model::ModelError;
use llm_quantize::model::family::{Answers, Assignment, Family, Feed, FoundTensor, assign, builtin};
use llmq_plugin_api::wire::{Attention, Experts, Hyperparameters, Role};

#[test]
fn linears_of_one_stage_share_their_feed() {
    for family in builtin() {
        // A norm between the heads, or the product, and the last linear layer of the block feeds that layer.
        let behind = |norm: Role, fed: Feed, otherwise: Feed| {
            if family.templates.iter().any(|template| template.role == norm) { fed } else { otherwise }
        };
        let attention = behind(Role::AttnSubNorm, Feed::AttnSubNorm, Feed::Attention);
        let product = behind(Role::FfnSubNorm, Feed::FfnSubNorm, Feed::FfnProduct);
        for (role, feed) in [
            (Role::AttnQ, Feed::AttnNorm),
            (Role::AttnK, Feed::AttnNorm),
            (Role::AttnV, Feed::AttnNorm),
            (Role::AttnOutput, attention),
            (Role::FfnGate, Feed::FfnNorm),
            (Role::FfnUp, Feed::FfnNorm),
            (Role::FfnDown, product),
            (Role::OutputHead, Feed::OutputNorm),
        ] {
            if family.templates.iter().any(|template| template.role == role) {
                assert_eq!(family.feed(&role), Some(feed), "{}: {role}", family.id);
            }
        }
        assert_eq!(family.feed(&Role::AttnNorm), None);
    }
}

const MIXTURE: &str = r#"
id = "mixture"
classes = ["Mixture"]
model_types = []
norm = "rms"
rope_layout = "half"

[[tensors]]
name = "layers.{layer}.experts.{expert}.w1"
role = "expert_gate"
input = "ffn_norm"
weight = ["expert_intermediate", "hidden"]

[[tensors]]
name = "layers.{layer}.sinks"
role = "attn_sinks"
bare = ["heads"]
"#;

fn numbers() -> Hyperparameters {
    Hyperparameters {
        layers: 2,
        hidden_size: 8,
        intermediate_size: 6,
        vocab_size: 12,
        context_length: 64,
        attention: Attention {
            heads: 4,
            kv_heads: 2,
            head_dim: 2,
            head_dim_stated: false,
            sliding_window: None,
            windows: Vec::new(),
        },
        rope: None,
        sliding_rope: None,
        norm_eps: 1e-5,
        norm: "rms".into(),
        activation: "silu".into(),
        tied_embeddings: false,
        experts: Some(Experts { count: 3, used: 1, intermediate_size: 5, shared: 0 }),
    }
}

/// Assigns every expert of the mixture but those for which `skip` holds, in reverse order, and one further tensor.
fn mixture(skip: impl Fn(u32, u32) -> bool, further: Option<&str>) -> Result<Assignment, ModelError> {
    let family = Family::from_toml(MIXTURE).unwrap();
    let mut names = Vec::new();
    for layer in (0..2).rev() {
        names.push((format!("layers.{layer}.sinks"), vec![4]));
        for expert in (0..3).rev().filter(|&expert| !skip(layer, expert)) {
            names.push((format!("layers.{layer}.experts.{expert}.w1.weight"), vec![5, 8]));
        }
    }
    names.extend(further.map(|name| (name.to_owned(), vec![5, 8])));
    let found: Vec<FoundTensor<'_>> = names
        .iter()
        .map(|(name, shape)| FoundTensor { name, stored_dtype: safetensors::Dtype::BF16, shape, file: "x.safetensors" })
        .collect();
    let answers = Answers { switch: &|_| Ok(true), count: &|_| Ok(7), count_if_any: &|_| Ok(Some(7)) };
    assign(&family, &numbers(), answers, &found)
}

#[test]
fn experts_come_in_order_of_layer_and_number() {
    let assignment = mixture(|_, _| false, None).unwrap();
    let names: Vec<&str> = assignment.tensors.iter().map(|(t, _)| t.name.as_str()).collect();
    assert_eq!(
        names[..4],
        ["0.experts.0.w1.weight", "0.experts.1.w1.weight", "0.experts.2.w1.weight", "0.sinks"]
            .map(|n| format!("layers.{n}"))
    );
    let (tensor, _) = &assignment.tensors[5];
    assert_eq!((tensor.unit, tensor.layer, tensor.expert, &tensor.role), (2, Some(1), Some(1), &Role::ExpertGate));
    let (sinks, _) = &assignment.tensors[7];
    assert_eq!((sinks.part.as_str(), sinks.expert), ("", None));
}

#[test]
fn missing_and_surplus_experts_are_named() {
    let error = mixture(|layer, expert| (layer, expert) == (1, 2), None).unwrap_err().to_string();
    assert_eq!(error, "the weights lack 1 tensor: layers.1.experts.2.w1.weight");
    let error = mixture(|_, _| true, None).unwrap_err().to_string();
    assert!(error.starts_with("the weights lack 6 tensors: "), "{error}");
    let error = mixture(|_, _| false, Some("layers.0.experts.3.w1.weight")).unwrap_err().to_string();
    assert!(error.contains("only 3 experts"), "{error}");
}
