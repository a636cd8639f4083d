//! GPTQ on a mixture of experts of which one is never chosen: by the real program, from text to logits.

use llmq_tests::{Program, Workdir, golden, made_up, repository};
use serde_json::{Value, json};
use std::path::Path;

const HIDDEN: u64 = 64;
const EXPERTS: u64 = 5;
/// Its row of the router is all zeros. Of the other rows each has its opposite, so two experts always score higher.
const NEVER: u64 = 4;

fn bf16(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect()
}

fn noise(seed: u64, count: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    })
}

fn write_mixtral(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "torch_dtype": "bfloat16", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_hidden_layers": 2, "num_local_experts": EXPERTS, "num_experts_per_tok": 2, "vocab_size": 2048,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false,
        "bos_token_id": 0, "eos_token_id": 1, "sliding_window": null,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(repository::tiny_model().join(file), folder.join(file)).unwrap();
    }
    let mut tensors: Vec<made_up::Stored> = Vec::new();
    let mut add = |name: String, shape: &[u64]| {
        let (seed, count) = (tensors.len() as u64 + 1, shape.iter().product());
        let bytes = match shape {
            [_] => bf16((0..count).map(|_| 1.0)),
            _ if name.ends_with("moe.gate.weight") => bf16((0..EXPERTS).flat_map(|expert| {
                let sign = if expert == NEVER { 0.0 } else { 1.0 - 2.0 * (expert % 2) as f32 };
                noise(seed + expert / 2, HIDDEN).map(move |value| value * sign)
            })),
            _ => bf16(noise(seed, count).map(|value| value * 0.2)),
        };
        tensors.push((name, "BF16", json!(shape), bytes));
    };
    add("model.embed_tokens.weight".into(), &[2048, HIDDEN]);
    for layer in 0..2 {
        let mut of = |name: &str, shape: &[u64]| add(format!("model.layers.{layer}.{name}.weight"), shape);
        of("input_layernorm", &[HIDDEN]);
        of("self_attn.q_proj", &[HIDDEN, HIDDEN]);
        of("self_attn.k_proj", &[HIDDEN / 2, HIDDEN]);
        of("self_attn.v_proj", &[HIDDEN / 2, HIDDEN]);
        of("self_attn.o_proj", &[HIDDEN, HIDDEN]);
        of("post_attention_layernorm", &[HIDDEN]);
        of("block_sparse_moe.gate", &[EXPERTS, HIDDEN]);
        for expert in 0..EXPERTS {
            of(&format!("block_sparse_moe.experts.{expert}.w1"), &[96, HIDDEN]);
            of(&format!("block_sparse_moe.experts.{expert}.w2"), &[HIDDEN, 96]);
            of(&format!("block_sparse_moe.experts.{expert}.w3"), &[96, HIDDEN]);
        }
    }
    add("model.norm.weight".into(), &[HIDDEN]);
    add("lm_head.weight".into(), &[2048, HIDDEN]);
    made_up::write_safetensors(&folder.join("model.safetensors"), tensors.into_iter());
}

fn quantizing(work: &Workdir) -> Program {
    let text = golden::path("tiny-model.text.txt");
    let call = work.program(["--format", "json", "quantize", "mixtral", "gptq", "-q", "4bit", "-n", "out"]);
    let call = call.args(["--group-size", "32", "--calibration-seqlen", "64", "--calibration-samples", "12"]);
    call.args(["--calibration-data".as_ref(), text.as_os_str()])
}

#[test]
fn an_expert_that_no_token_reached_is_named_and_all_others_are_calibrated() {
    let work = Workdir::new();
    write_mixtral(&work.join("mixtral"));
    let refused = quantizing(&work).args(["--on-fallback", "fail"]).run();
    assert_eq!(refused.code, 6, "{refused:?}");
    let message = refused.json()["message"].as_str().expect("a sentence").to_owned();
    assert!(message.contains("experts.4.w1") && message.contains("no token"), "{message}");
    assert!(!work.join("out").exists());

    let result = quantizing(&work).args(["--report", "log.csv"]).succeed().json();
    let names: Vec<&str> =
        result["fallbacks"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names.iter().all(|name| name.contains(".experts.4.w")), "{names:?}");
    let counts = &result["tensor_counts"];
    // Four of attention and three of each expert; embeddings, three kinds of norms, routers and the head are kept.
    assert_eq!(counts["quantized"], 2 * (4 + 3 * EXPERTS));
    assert_eq!((&counts["kept"], &counts["fallback"]), (&json!(1 + 2 * 3 + 1 + 1), &json!(6)));
    assert_eq!(counts["as_computed"], counts["quantized"]);
    for (unit, modules) in result["figures"].as_object().unwrap() {
        for (module, figures) in modules.as_object().unwrap() {
            let error = figures["relative_error"].as_f64();
            assert_eq!(error.is_none(), module.contains(".experts.4."), "{unit} {module}");
            assert!(error.is_none_or(|error| error > 0.0 && error < 0.2), "{module}: {error:?}");
        }
    }
    let kept = |tensor: &&Value| tensor["name"].as_str().unwrap().ends_with("block_sparse_moe.gate.weight");
    let routers: Vec<&Value> = result["tensors"].as_array().unwrap().iter().filter(kept).collect();
    assert!(routers.len() == 2 && routers.iter().all(|router| router["encoding"] == "BF16"), "{routers:?}");

    let log = std::fs::read_to_string(work.join("log.csv")).unwrap();
    let mut lines = log.lines();
    assert!(lines.next().unwrap().starts_with("layer,module,loss,samples,damp,time,"), "{log}");
    assert_eq!(lines.clone().count(), 2 * (4 + 3 * EXPERTS as usize));
    assert!(lines.any(|line| line.starts_with("1,block_sparse_moe.experts.0.w2,")), "{log}");

    let text = golden::path("tiny-model.text.txt");
    let judge = work.program(["--format", "json", "evaluate", "out", "--context", "64", "--chunks", "6", "--against"]);
    let judged = judge.args(["mixtral".as_ref(), "--data".as_ref(), text.as_os_str()]).succeed().json();
    let divergence = judged["mean_kld"].as_f64().expect("a divergence");
    assert!(divergence > 0.0 && divergence < 0.2, "{divergence}");
}

#[test]
fn stage_by_stage_all_experts_stand_side_by_side() {
    let work = Workdir::new();
    write_mixtral(&work.join("mixtral"));
    let outcome =
        quantizing(&work).args(["--later-layers-see", "quantized-by-stage", "--verbosity", "verbose"]).succeed();
    let result = outcome.json();
    assert_eq!(result["tensor_counts"]["quantized"], 2 * (4 + 3 * EXPERTS));
    assert_eq!(result["tensor_counts"]["as_computed"], result["tensor_counts"]["quantized"]);
    assert_eq!(result["fallbacks"].as_array().map(Vec::len), Some(6), "the expert that nobody chose");
    // Of each layer: what attention reads, its output, what experts read, their outputs.
    assert_eq!(outcome.stderr.matches("calibrated behind quantized layers").count(), 2 * 4, "{}", outcome.stderr);
}
