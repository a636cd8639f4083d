//! Models with experts in some layers: which tensors a layer must have, other ways to save experts, layers left behind.

mod model_folder;

use llm_quantize::model::Model;
use llmq_plugin_api::wire::Role;
use model_folder::{Folder, Tensor, ramp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Three layers of DeepSeek-V3, the first one dense: hidden 8, 2 heads, 3 experts.
fn deepseek() -> Folder {
    let config = json!({
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": 12, "hidden_size": 8,
        "intermediate_size": 6, "moe_intermediate_size": 4, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2,
        "first_k_dense_replace": 1, "n_routed_experts": 3, "num_experts_per_tok": 2, "n_shared_experts": 2,
        "kv_lora_rank": 5, "q_lora_rank": 7, "qk_nope_head_dim": 3, "qk_rope_head_dim": 2, "v_head_dim": 4,
        "max_position_embeddings": 64, "num_nextn_predict_layers": 1
    });
    let mut shapes: Vec<(String, Vec<u64>)> = vec![
        ("model.embed_tokens.weight".into(), vec![12, 8]),
        ("model.norm.weight".into(), vec![8]),
        ("lm_head.weight".into(), vec![12, 8]),
        ("model.layers.3.eh_proj.weight".into(), vec![8, 16]),
        ("model.layers.3.mlp.experts.0.up_proj.weight".into(), vec![4, 8]),
    ];
    for layer in 0..3 {
        let mut put = |name: &str, shape: &[u64]| shapes.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        put("input_layernorm.weight", &[8]);
        put("post_attention_layernorm.weight", &[8]);
        put("self_attn.q_a_proj.weight", &[7, 8]);
        put("self_attn.q_a_layernorm.weight", &[7]);
        put("self_attn.q_b_proj.weight", &[10, 7]);
        put("self_attn.kv_a_proj_with_mqa.weight", &[7, 8]);
        put("self_attn.kv_a_layernorm.weight", &[5]);
        put("self_attn.kv_b_proj.weight", &[14, 5]);
        put("self_attn.o_proj.weight", &[8, 8]);
        if layer == 0 {
            feed_forward("mlp", 6, &mut put);
            continue;
        }
        put("mlp.gate.weight", &[3, 8]);
        put("mlp.gate.e_score_correction_bias", &[3]);
        feed_forward("mlp.shared_experts", 8, &mut put);
        for expert in 0..3 {
            feed_forward(&format!("mlp.experts.{expert}"), 4, &mut put);
        }
    }
    let tensors = shapes.iter().map(|(name, shape)| (name.clone(), ramp(name, shape))).collect();
    Folder { config, tensors, files: BTreeMap::new() }
}

fn feed_forward(stem: &str, width: u64, put: &mut impl FnMut(&str, &[u64])) {
    put(&format!("{stem}.gate_proj.weight"), &[width, 8]);
    put(&format!("{stem}.up_proj.weight"), &[width, 8]);
    put(&format!("{stem}.down_proj.weight"), &[8, width]);
}

/// The experts of one layer as one tensor of gates and ups and one of downs.
fn stack_experts(folder: &mut Folder, layer: u32) {
    let mut stack = |stacked: &str, parts: &[&str], shape: Vec<u64>| {
        let mut bytes = Vec::new();
        for expert in 0..3 {
            for part in parts {
                let name = format!("model.layers.{layer}.mlp.experts.{expert}.{part}.weight");
                bytes.extend(folder.tensors.remove(&name).unwrap().bytes);
            }
        }
        let name = format!("model.layers.{layer}.mlp.experts.{stacked}");
        folder.tensors.insert(name, Tensor { dtype: "F32", shape, bytes });
    };
    stack("gate_up_proj", &["gate_proj", "up_proj"], vec![3, 8, 8]);
    stack("down_proj", &["down_proj"], vec![3, 8, 4]);
}

fn open(folder: &Folder, path: &Path) -> Model {
    folder.write(path);
    Model::open(path).unwrap()
}

fn refusal(folder: &Folder) -> String {
    let place = tempfile::tempdir().unwrap();
    folder.write(place.path());
    Model::open(place.path()).unwrap_err().to_string()
}

#[test]
fn the_first_layers_are_dense_and_layers_behind_the_last_are_left_behind() {
    let place = tempfile::tempdir().unwrap();
    let model = open(&deepseek(), place.path());
    let roles = |layer| {
        let of_layer = model.description().tensors.iter().filter(move |t| t.layer == Some(layer));
        of_layer.map(|t| t.role.clone()).collect::<Vec<Role>>()
    };
    assert!(roles(0).contains(&Role::FfnGate) && !roles(0).contains(&Role::Router));
    assert!(!roles(1).contains(&Role::FfnGate) && roles(1).contains(&Role::Router));
    assert!(roles(3).is_empty());
    let bias = model.description().tensors.iter().find(|t| t.role == Role::RouterBias).unwrap();
    assert_eq!((bias.part.as_str(), bias.layer), ("bias", Some(1)));
    let notes = model.notes().join("\n");
    assert!(notes.contains("2 tensors such as model.layers.3.eh_proj.weight are left behind"), "{notes}");
}

#[test]
fn low_rank_queries_are_there_unless_their_width_is_null() {
    let mut folder = deepseek();
    folder.config["q_lora_rank"] = Value::Null;
    assert!(refusal(&folder).contains("`q_lora_rank` is null there"));
    for layer in 0..3 {
        folder.tensors.retain(|name, _| !name.contains(&format!("{layer}.self_attn.q_")));
        let name = format!("model.layers.{layer}.self_attn.q_proj.weight");
        folder.tensors.insert(name.clone(), ramp(&name, &[10, 8]));
    }
    open(&folder, tempfile::tempdir().unwrap().path());
}

#[test]
fn stacked_experts_are_the_same_model() {
    let (single, stacked) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut folder = deepseek();
    let single = open(&folder, single.path());
    stack_experts(&mut folder, 1);
    stack_experts(&mut folder, 2);
    let stacked = open(&folder, stacked.path());
    assert!(stacked.notes().iter().any(|note| note.starts_with("4 tensors hold all experts")), "{:?}", stacked.notes());
    let (ours, theirs) = (&stacked.description().tensors, &single.description().tensors);
    assert_eq!(ours.len(), theirs.len());
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!((&a.name, &a.role, &a.shape, a.expert), (&b.name, &b.role, &b.shape, b.expert));
        assert_eq!(stacked.tensor(index).unwrap().bytes, single.tensor(index).unwrap().bytes, "{}", a.name);
    }
}

#[test]
fn surplus_and_missing_tensors_are_refused() {
    let experts = |folder: &mut Folder, layer: u32| {
        let name = format!("model.layers.{layer}.mlp.gate.weight");
        folder.tensors.insert(name.clone(), ramp(&name, &[3, 8]));
    };
    let mut folder = deepseek();
    experts(&mut folder, 0);
    let error = refusal(&folder);
    assert!(error.contains("layers in front of first_k_dense_replace = 1 have no experts"), "{error}");

    let mut folder = deepseek();
    let down = folder.tensors["model.layers.1.mlp.experts.0.down_proj.weight"].clone();
    stack_experts(&mut folder, 1);
    folder.tensors.insert("model.layers.1.mlp.experts.0.down_proj.weight".into(), down);
    let error = refusal(&folder);
    assert!(error.contains("in a tensor that holds several"), "{error}");

    let mut folder = deepseek();
    folder.tensors.remove("model.layers.0.mlp.up_proj.weight");
    folder.tensors.remove("model.layers.2.mlp.gate.e_score_correction_bias");
    let error = refusal(&folder);
    assert!(error.contains("lack 2 tensors: model.layers.0.mlp.up_proj.weight"), "{error}");

    let mut folder = deepseek();
    folder.config["num_nextn_predict_layers"] = json!(0);
    let error = refusal(&folder);
    assert!(error.contains("model.layers.3.eh_proj.weight"), "{error}");
}
