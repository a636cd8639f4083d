//! AWQ folders by the real program: scaled and folded by the host, read back, judged, the same whatever the threads.

use llmq_tests::{Program, Workdir, golden, repository};
use serde_json::Value;
use std::path::Path;

const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "24"];

fn quantizing(work: &Workdir, name: &str) -> Program {
    let text = golden::path("tiny-model.text.txt");
    let call =
        work.program(["--format", "json", "quantize", "-q", "4bit", "-n", name, "--group-size", "32"]).args(TEXT);
    call.args([repository::tiny_model().as_os_str(), "awq".as_ref(), "--calibration-data".as_ref(), text.as_os_str()])
}

fn divergence(work: &Workdir, folder: &str) -> f64 {
    let (model, text) = (repository::tiny_model(), golden::path("tiny-model.text.txt"));
    let call = work.program(["--format", "json", "evaluate", folder, "--context", "64", "--chunks", "12", "--data"]);
    let found = call.args([text.as_os_str(), "--against".as_ref(), model.as_os_str()]).succeed().json();
    found["mean_kld"].as_f64().expect("a divergence")
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).expect("weights")
}

/// All objects of a report that have a key.
fn with_key<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    if let Value::Object(fields) = value {
        if fields.contains_key(key) {
            found.push(value);
        }
        fields.values().for_each(|value| with_key(value, key, found));
    }
}

#[test]
fn every_step_is_told_and_the_folder_is_read_back() {
    let work = Workdir::new();
    let result = quantizing(&work, "usual").succeed().json();
    assert_eq!(result["validation_status"], "valid");
    let (mut groups, mut matrices) = (Vec::new(), Vec::new());
    with_key(&result["figures"], "relative_error_before", &mut groups);
    with_key(&result["figures"], "relative_error_nearest", &mut matrices);
    assert!(groups.len() >= 3 && matrices.len() >= 7, "{} groups, {} matrices", groups.len(), matrices.len());
    for group in &groups {
        let [before, after] = ["before", "after"].map(|when| group[format!("relative_error_{when}")].as_f64());
        assert!(after <= before && after.is_some_and(|after| after > 0.0), "{group}");
    }
    assert!(groups.iter().any(|group| group["scales"] != "none"), "some channels are scaled");
    for matrix in &matrices {
        assert!(matrix["relative_error"].as_f64() <= matrix["relative_error_nearest"].as_f64(), "{matrix}");
    }
    for name in ["config.json", "quant_config.json", "tokenizer.json"] {
        assert!(work.join("usual").join(name).is_file(), "{name}");
    }
    let usual = divergence(&work, "usual");
    assert!(usual > 0.0 && usual < 0.03, "{usual}");
    // In several files, with an index.
    quantizing(&work, "shards").args(["--max-shard-size", "30000"]).succeed();
    assert!(work.join("shards/model.safetensors.index.json").is_file());
    assert_eq!(divergence(&work, "shards"), usual);
}

#[test]
fn feedback_beats_the_nearest_codes() {
    let work = Workdir::new();
    quantizing(&work, "usual").succeed();
    quantizing(&work, "nearest").args(["--rounding", "nearest", "--clip", "none", "--smooth", "none"]).succeed();
    let (usual, nearest) = (divergence(&work, "usual"), divergence(&work, "nearest"));
    assert!(usual < 0.9 * nearest, "{usual} of {nearest}");
}

#[test]
fn threads_do_not_change_a_byte() {
    let work = Workdir::new();
    for threads in ["1", "2", "5"] {
        quantizing(&work, threads).args(["--threads", threads]).succeed();
        assert_eq!(weights(&work.join(threads)), weights(&work.join("1")), "{threads} threads");
    }
}

#[test]
fn what_loaders_refuse_is_refused_before_work() {
    let work = Workdir::new();
    let refused = quantizing(&work, "no").args(["--target", "nobody"]).run();
    assert_eq!(refused.code, 2, "{refused:?}");
    let text = golden::path("tiny-model.text.txt");
    let call = work.program(["quantize", "-q", "4bit", "-n", "no", "--group-size", "24"]).args(TEXT);
    let call = call.args([repository::tiny_model().as_os_str(), "awq".as_ref(), "--calibration-data".as_ref()]);
    let refused = call.args([text.as_os_str()]).run();
    assert!(refused.code != 0 && refused.stderr.contains("whole groups of 24"), "{refused:?}");
    assert!(!refused.stderr.contains("Calibrating"), "{}", refused.stderr);
}
