//! GPTQ folders by the real program: calibrated in one command, read back, judged, the same whatever the threads.

use llmq_tests::killed::units_taken_over;
use llmq_tests::synthetic::{Shape, write_model};
use llmq_tests::{Program, Workdir, golden, repository};
use serde_json::Value;
use std::path::Path;

const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "24"];

fn quantizing(work: &Workdir, level: &str, name: &str) -> Program {
    let text = golden::path("tiny-model.text.txt");
    let call = work.program(["--format", "json", "quantize", "-q", level, "-n", name, "--group-size", "32"]).args(TEXT);
    call.args([repository::tiny_model().as_os_str(), "gptq".as_ref(), "--calibration-data".as_ref(), text.as_os_str()])
}

fn judged(work: &Workdir, folder: &str) -> Value {
    let (model, text) = (repository::tiny_model(), golden::path("tiny-model.text.txt"));
    let call = work.program(["--format", "json", "evaluate", folder, "--context", "64", "--chunks", "12", "--data"]);
    call.args([text.as_os_str(), "--against".as_ref(), model.as_os_str()]).succeed().json()
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).expect("weights")
}

#[test]
fn fewer_bits_cost_more_and_all_are_read_back() {
    let work = Workdir::new();
    let mut before = -1e-6;
    for (level, most) in [("8bit", 1e-4), ("4bit", 0.03), ("3bit", 0.12), ("2bit", 0.8)] {
        let result = quantizing(&work, level, level).succeed().json();
        assert_eq!(result["validation_status"], "valid");
        let tensors = result["tensors"].as_array().expect("tensors");
        let rounded =
            tensors.iter().filter(|tensor| tensor["relative_error"].as_f64().is_some_and(|e| e > 0.0)).count();
        assert!(rounded >= 7, "every linear of every layer is rounded: {rounded}");
        let found = judged(&work, level);
        let divergence = found["mean_kld"].as_f64().expect("a divergence");
        assert!(before < divergence && divergence < most, "{level}: {divergence} after {before}");
        before = divergence;
    }
}

#[test]
fn other_forms_are_the_same_model() {
    let work = Workdir::new();
    let run = |name: &str, more: &[&str]| {
        quantizing(&work, "4bit", name).args(more).succeed();
        judged(&work, name)["mean_kld"].as_f64().expect("a divergence")
    };
    let usual = run("usual", &[]);
    // Zeros are stored otherwise, codes are the same: so is every logit.
    assert_eq!(run("second", &["--checkpoint-format", "gptq_v2"]), usual);
    assert_ne!(weights(&work.join("usual")), weights(&work.join("second")));
    for (name, more) in [("order", ["--act-order", "descending"]), ("zeros", ["--set", "sym=false"])] {
        let other = run(name, &more);
        assert!(other != usual && other < 1.5 * usual, "{name}: {other} for {usual}");
    }
    // In several files, with an index.
    assert_eq!(run("shards", &["--max-shard-size", "30000"]), usual);
    assert!(work.join("shards/model.safetensors.index.json").is_file());
}

#[test]
fn threads_do_not_change_a_byte() {
    let work = Workdir::new();
    for threads in ["1", "2", "5"] {
        quantizing(&work, "3bit", threads).args(["--threads", threads]).succeed();
        assert_eq!(weights(&work.join(threads)), weights(&work.join("1")), "{threads} threads");
    }
}

#[test]
fn what_loaders_refuse_is_refused_before_work() {
    let work = Workdir::new();
    let refused = quantizing(&work, "3bit", "no").args(["--target", "vllm"]).run();
    assert!(refused.code == 2 && refused.stderr.contains("vLLM"), "{refused:?}");
    assert!(!refused.stderr.contains("Calibrating"), "{}", refused.stderr);
    let refused = quantizing(&work, "4bit", "no").args(["--set", "act_order=sideways"]).run();
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn the_report_file_has_the_columns_of_gptqmodel_and_every_weight_is_read_back() {
    let work = Workdir::new();
    let result = quantizing(&work, "4bit", "a").args(["--report", "quant_log.csv"]).succeed().json();
    let log = std::fs::read_to_string(work.join("quant_log.csv")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].starts_with("layer,module,loss,samples,damp,time,bits,"), "{}", lines[0]);
    assert_eq!(lines.len(), 1 + 2 * 7);
    assert!(lines[1].starts_with("0,self_attn.q_proj,"), "{}", lines[1]);
    let counts = &result["tensor_counts"];
    assert_eq!(
        (&counts["quantized"], &counts["fallback"], &counts["as_computed"]),
        (&14.into(), &0.into(), &14.into())
    );
    quantizing(&work, "4bit", "b").args(["--report", "log.json"]).succeed();
    let log: Value = serde_json::from_slice(&std::fs::read(work.join("log.json")).unwrap()).unwrap();
    assert_eq!(log["tensor_counts"], *counts);
    let refused = quantizing(&work, "4bit", "c").args(["--report", "log.txt"]).run();
    assert!(refused.code == 2 && refused.stderr.contains(".csv"), "{refused:?}");
    assert!(!work.join("c").exists());
}

#[test]
fn rules_may_begin_with_a_dash() {
    let work = Workdir::new();
    let call = quantizing(&work, "4bit", "a").args(["--dynamic", "-:.*up_proj", "--dynamic", "+:.*q_proj bits=8"]);
    let result = call.succeed().json();
    assert_eq!(result["tensor_counts"]["quantized"], 12);
}

#[cfg(unix)]
#[test]
fn killed_and_resumed_gives_the_same_bytes() {
    const SHAPE: Shape = Shape { layers: 6, hidden: 256, ffn: 512, heads: 4, kv_heads: 2, vocab: 2048 };
    let work = Workdir::new();
    write_model(&work.join("model"), &SHAPE, false).unwrap();
    let text = golden::path("tiny-model.text.txt");
    let call = |name: &str| {
        let call = work.program(["--format", "json", "quantize", "model", "gptq", "-q", "2bit", "-n", name]).args(TEXT);
        call.args(["--threads", "1", "--calibration-data"]).args([text.as_os_str()])
    };
    let resumed = units_taken_over(&work, "whole", &[0, 1, 3, 5], call);
    assert!(resumed >= 4, "work was taken over: {resumed} units");
}
