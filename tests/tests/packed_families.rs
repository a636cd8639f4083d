//! GPTQ and AWQ on every decoder model there is: each is quantized, read back and close to its original, or refused before
//! any work with a sentence that names the reason. Committed models always, others (`models/arch`) in a folder named by
//! `LLMQ_SHARED`.

#![allow(clippy::print_stdout)] // figures of a test run

use llmq_tests::{Workdir, golden, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};

const COMMITTED: [&str; 8] = ["gemma2", "gpt2", "llama-rope-llama3", "mistral", "mixtral", "phi2", "qwen2", "qwen3"];
const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "4"];

/// Models that keep all experts of a layer in one tensor, which neither format knows.
const STACKED: [&str; 2] = ["gpt-oss", "granite-moe"];

/// What 4 bits may cost these models of random weights: about 0.04 at most was seen.
const DIVERGENCE: f64 = 0.1;
/// Of single matrices, as a share of their output: 0.0035 at most was seen.
const ERROR: f64 = 0.02;

fn models() -> Vec<PathBuf> {
    let mut models: Vec<PathBuf> =
        COMMITTED.iter().map(|name| repository::root().join("tests/models").join(name)).collect();
    if let Some(shared) = std::env::var_os("LLMQ_SHARED") {
        let folder = PathBuf::from(shared).join("models/arch");
        models.extend(std::fs::read_dir(folder).expect("shared models").map(|entry| entry.expect("readable").path()));
    }
    models.sort();
    models
}

/// Checks figures and kept tensors of a result.
fn check(name: &str, result: &Value) {
    assert_eq!(result["validation_status"], "valid", "{name}");
    let counts = &result["tensor_counts"];
    assert!(counts["quantized"].as_u64().expect("a count") >= 4, "{name}: {counts}");
    assert_eq!(counts["as_computed"], counts["quantized"], "{name}: what is read back is what was computed");
    let mut matrices = 0;
    for modules in result["figures"].as_object().expect("figures").values() {
        for (module, figures) in modules.as_object().expect("modules") {
            let Some(error) = figures.get("relative_error").and_then(Value::as_f64) else {
                // Groups of channels that were scaled have other figures.
                assert!(figures.get("bits").is_none(), "{name} {module}: {figures}");
                continue;
            };
            assert!((0.0..ERROR).contains(&error), "{name} {module}: {error}");
            matrices += 1;
        }
    }
    assert_eq!(counts["quantized"], matrices, "{name}");
    for tensor in result["tensors"].as_array().expect("tensors") {
        let module = tensor["name"].as_str().unwrap_or_default();
        let router =
            ["mlp.gate.weight", "moe.gate.weight", "shared_expert_gate.weight"].iter().any(|end| module.ends_with(end));
        // Scales of the norm in front may be folded into it.
        let plain = ["BF16", "F16", "F32"].iter().any(|encoding| tensor["encoding"] == *encoding);
        assert!(!router || plain, "{name}: the router {module} is not quantized");
    }
}

fn quantized(model: &Path, format: &str) -> Option<f64> {
    let name = format!("{} {format}", model.file_name().expect("a name").display());
    let (work, text) = (Workdir::new(), golden::path("tiny-model.text.txt"));
    let call = work.program(["--format", "json", "quantize", "-q", "4bit-g32-sym", "-n", "out"]).args(TEXT);
    let paths = [model.as_os_str(), format.as_ref(), "--calibration-data".as_ref(), text.as_os_str()];
    let outcome = call.args(paths).run();
    if STACKED.iter().any(|stacked| name.starts_with(stacked)) {
        assert_eq!(outcome.code, 1, "{name}: {outcome:?}");
        let message = outcome.json()["message"].as_str().expect("a sentence").to_owned();
        assert!(message.contains("matrices only, one for each expert"), "{name}: {message}");
        assert!(!outcome.stderr.contains("Calibrating") && !work.join("out").exists(), "{name}: {}", outcome.stderr);
        return None;
    }
    assert_eq!(outcome.code, 0, "{name}: {outcome:?}");
    check(&name, &outcome.json());
    let judge = work.program(["--format", "json", "evaluate", "out", "--context", "64", "--chunks", "4", "--against"]);
    let judged = judge.args([model.as_os_str(), "--data".as_ref(), text.as_os_str()]).succeed().json();
    let divergence = judged["mean_kld"].as_f64().expect("a divergence");
    assert!(divergence < DIVERGENCE, "{name}: {divergence}");
    println!("{name}: divergence {divergence:.5}");
    Some(divergence)
}

fn all(format: &str) {
    let models = models();
    let quantized = models.iter().filter_map(|model| quantized(model, format)).count();
    let refused = models.len() - quantized;
    println!("{format}: {quantized} quantized, {refused} refused");
    assert!(refused <= STACKED.len() && quantized >= COMMITTED.len());
}

#[test]
fn gptq_finishes_or_refuses_on_every_family() {
    all("gptq");
}

#[test]
fn awq_finishes_or_refuses_on_every_family() {
    all("awq");
}

#[test]
fn what_transformers_would_lose_is_refused_for_it() {
    let work = Workdir::new();
    let text = golden::path("tiny-model.text.txt");
    for (model, format, word) in [
        ("mixtral", "gptq", "random experts"),
        ("mixtral", "awq", "random experts"),
        ("gpt2", "gptq", "GPT-2"),
        ("gpt2", "awq", "GPT-2"),
    ] {
        let model = repository::root().join("tests/models").join(model);
        let call = work.program(["quantize", "-q", "4bit-g32-sym", "-n", "out", "--target", "transformers"]).args(TEXT);
        let paths = [model.as_os_str(), format.as_ref(), "--calibration-data".as_ref(), text.as_os_str()];
        let refused = call.args(paths).run();
        assert!(refused.code == 2 && refused.stderr.contains(word), "{refused:?}");
        assert!(!refused.stderr.contains("Calibrating"), "{}", refused.stderr);
    }
}
