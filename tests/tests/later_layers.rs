//! Later layers see quantized ones, by the real program: every backend that is calibrated, stopped and resumed or not.

use llmq_tests::killed::units_taken_over;
use llmq_tests::synthetic::{Shape, write_model};
use llmq_tests::{Program, Workdir, golden, repository};
use serde_json::Value;

const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "24"];

fn quantizing(work: &Workdir, format: &str, level: &str, seen: &str) -> Program {
    let text = golden::path("tiny-model.text.txt");
    let name = format!("{format}-{seen}");
    let call = work.program(["--format", "json", "quantize", "-q", level, "-n", &name, "--later-layers-see", seen]);
    let call = call.args(TEXT).args([repository::tiny_model().as_os_str(), format.as_ref()]);
    call.args(["--calibration-data".as_ref(), text.as_os_str()])
}

fn divergence(work: &Workdir, output: &str) -> f64 {
    let (model, text) = (repository::tiny_model(), golden::path("tiny-model.text.txt"));
    let call = work.program(["--format", "json", "evaluate", output, "--context", "64", "--chunks", "12", "--data"]);
    let found = call.args([text.as_os_str(), "--against".as_ref(), model.as_os_str()]).succeed().json();
    found["mean_kld"].as_f64().expect("a divergence")
}

fn config(work: &Workdir, folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(work.join(folder).join("quantize_config.json")).unwrap()).unwrap()
}

#[test]
fn gptq_both_ways() {
    let work = Workdir::new();
    let usual = {
        quantizing(&work, "gptq", "3bit", "original").args(["--group-size", "32"]).succeed();
        divergence(&work, "gptq-original")
    };
    for (seen, by_stage) in [("quantized", false), ("quantized-by-stage", true)] {
        let call = quantizing(&work, "gptq", "3bit", seen).args(["--group-size", "32"]);
        let outcome = call.succeed();
        let result = outcome.json();
        assert_eq!(result["later_layers_see"], seen.replace('-', "_"));
        assert_eq!(
            (&result["validation_status"], &result["tensor_counts"]["as_computed"]),
            (&"valid".into(), &14.into())
        );
        let folder = format!("gptq-{seen}");
        assert_eq!(config(&work, &folder)["meta"]["true_sequential"], by_stage);
        let found = divergence(&work, &folder);
        assert!(found != usual && found > 0.0 && found < 1.3 * usual, "{seen}: {found} for {usual}");
        // The same by any number of threads, and without a checkpoint.
        let bytes = || std::fs::read(work.join(&folder).join("model.safetensors")).unwrap();
        let first = bytes();
        let again = quantizing(&work, "gptq", "3bit", seen).args(["--group-size", "32", "--threads", "1"]);
        again.args(["--overwrite", "--no-checkpoints"]).succeed();
        assert!(bytes() == first, "{seen}");
    }
}

#[test]
fn awq_folds_behind_quantized_layers_and_refuses_stages() {
    let work = Workdir::new();
    let call = quantizing(&work, "awq", "4bit", "quantized").args(["--group-size", "32"]);
    assert_eq!(call.succeed().json()["validation_status"], "valid");
    let found = divergence(&work, "awq-quantized");
    assert!(found > 0.0 && found < 0.03, "{found}");
    let refused = quantizing(&work, "awq", "4bit", "quantized-by-stage").args(["--group-size", "32"]).run();
    assert!(refused.code == 2 && refused.stderr.contains("before any of it is quantized"), "{refused:?}");
    assert!(!refused.stderr.contains("Calibrating"), "{}", refused.stderr);
}

#[test]
fn gguf_importance_behind_quantized_layers() {
    let work = Workdir::new();
    quantizing(&work, "gguf", "IQ2_XS", "original").succeed();
    let result = quantizing(&work, "gguf", "IQ2_XS", "quantized").succeed().json();
    assert_eq!(result["later_layers_see"], "quantized");
    let [usual, found] = ["original", "quantized"].map(|seen| divergence(&work, &format!("gguf-{seen}.gguf")));
    assert!(found != usual && found < 1.3 * usual, "{found} for {usual}");
}

#[test]
fn it_is_told_before_the_work_and_refused_for_statistics_of_original_layers() {
    let work = Workdir::new();
    let planned = quantizing(&work, "gptq", "3bit", "quantized").args(["--group-size", "32", "--dry-run"]).succeed();
    assert_eq!(planned.json()["later_layers_see"], "quantized");
    for option in ["--statistics", "--imatrix"] {
        let call = work.program(["quantize", "-q", "3bit", "--later-layers-see", "quantized", option, "kept"]);
        let refused = call.args([repository::tiny_model().as_os_str(), "gptq".as_ref()]).run();
        assert!(refused.code == 2 && refused.stderr.contains("gathered behind original layers"), "{refused:?}");
    }
}

#[cfg(unix)]
#[test]
fn killed_and_resumed_gives_the_same_bytes() {
    const SHAPE: Shape = Shape { layers: 6, hidden: 256, ffn: 512, heads: 4, kv_heads: 2, vocab: 2048 };
    let work = Workdir::new();
    write_model(&work.join("model"), &SHAPE, false).unwrap();
    let text = golden::path("tiny-model.text.txt");
    for seen in ["quantized", "quantized-by-stage"] {
        let call = |name: &str| {
            let call =
                work.program(["--format", "json", "quantize", "model", "gptq", "-q", "2bit", "-n", name]).args(TEXT);
            let call = call.args(["--later-layers-see", seen, "--threads", "1", "--calibration-data"]);
            call.args([text.as_os_str()])
        };
        let resumed = units_taken_over(&work, &format!("whole-{seen}"), &[1, 3, 6], call);
        assert!(resumed >= 4, "work was taken over: {resumed} units");
    }
}
