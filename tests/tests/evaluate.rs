//! `evaluate` with the real binary: perplexity against transformers' and stock llama.cpp's, divergence from the original.

use llmq_tests::{Workdir, golden, judge};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

/// Perplexity of the tiny model on the first 24 chunks of 128 tokens of the committed text (sampled from the model itself)
/// in transformers 5, single precision, every token but the first of a chunk.
const TRANSFORMERS: f64 = 62.150_702_016_525_54;

fn evaluate(work: &Workdir, model: &Path, more: &[&OsStr]) -> Value {
    let text = golden::path("tiny-model.text.txt");
    let call = work.program(["--format", "json", "evaluate", "--context", "128", "--chunks", "24"]);
    let call = call.args([model.as_os_str(), "--data".as_ref(), text.as_os_str()]);
    serde_json::from_str(&call.args(more).succeed().stdout).expect("one JSON document")
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"))
}

#[test]
fn perplexity_is_transformers() {
    let work = Workdir::new();
    let report = evaluate(&work, &golden::model("tiny-model"), &[]);
    assert_eq!(number(&report, "positions"), 24.0 * 127.0);
    let perplexity = number(&report, "perplexity");
    assert!((perplexity / TRANSFORMERS - 1.0).abs() < 1e-6, "{perplexity}");
    assert!(report.get("mean_kld").is_none(), "{report}");
    let two = evaluate(&work, &golden::model("tiny-model"), &["--threads".as_ref(), "1".as_ref()]);
    assert_eq!(two["perplexity"], report["perplexity"], "the number of threads changes nothing");
}

#[test]
fn a_model_does_not_diverge_from_itself_and_a_quantized_one_does() {
    let work = Workdir::new();
    let original = golden::model("tiny-model");
    let against: [&OsStr; 2] = ["--against".as_ref(), original.as_os_str()];
    let same = evaluate(&work, &original, &against);
    assert!(number(&same, "mean_kld").abs() < 1e-12 && number(&same, "top1_agreement") == 1.0, "{same}");

    let quantize = work.program(["quantize", "-q", "Q4_0", "-n", "small"]);
    quantize.args([original.as_os_str(), "gguf".as_ref()]).succeed();
    let page = work.join("report.html");
    let more = [against[0], against[1], "--report".as_ref(), page.as_os_str()];
    let report = evaluate(&work, &work.join("small.gguf"), &more);
    let (kld, top) = (number(&report, "mean_kld"), number(&report, "top1_agreement"));
    assert!((1e-4..0.1).contains(&kld) && (0.8..1.0).contains(&top), "{kld} {top}");
    assert!((number(&report, "perplexity_original") / TRANSFORMERS - 1.0).abs() < 1e-6);
    let html = std::fs::read_to_string(page).expect("a page");
    assert!(html.contains("<svg") && !html.contains("http://") && !html.contains("src="), "self-contained");
}

#[test]
fn a_layer_that_was_quantized_is_the_only_one_with_an_error_of_its_own() {
    let work = Workdir::new();
    let original = golden::model("tiny-model");
    let quantize = work.program(["quantize", "-q", "F32", "-n", "one", "--tensor-type", r"blk\.1\.ffn_down=q4_0"]);
    quantize.args([original.as_os_str(), "gguf".as_ref()]).succeed();
    let against: [&OsStr; 2] = ["--against".as_ref(), original.as_os_str()];
    let whole = evaluate(&work, &work.join("one.gguf"), &against);
    assert!(whole.get("layers").is_none(), "only on request: {whole}");
    let report = evaluate(&work, &work.join("one.gguf"), &[against[0], against[1], "--by-layer".as_ref()]);
    assert_eq!((&report["perplexity"], &report["mean_kld"]), (&whole["perplexity"], &whole["mean_kld"]));
    let errors = report["layers"].as_array().expect("layers").iter().map(|layer| number(layer, "relative_error"));
    let errors: Vec<f64> = errors.collect();
    assert_eq!(errors.len(), 2, "{report}");
    for (layer, error) in errors.into_iter().enumerate() {
        // The other sees what the original sees, and differs by nothing but the order of its rows in the file.
        let right = if layer == 1 { 1e-4..0.1 } else { 0.0..1e-9 };
        assert!(right.contains(&error), "layer {layer}: {error}");
    }
    let alone = work.program(["evaluate", "--by-layer", "--data", "t.txt"]).args([original.as_os_str()]).run();
    assert!(alone.code == 2 && alone.stderr.contains("--against"), "{alone:?}");
}

#[test]
fn what_cannot_be_judged_is_refused_before_the_work() {
    let work = Workdir::new();
    let (model, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    let call = |more: &[&OsStr]| {
        let line = [model.as_os_str(), "--data".as_ref(), text.as_os_str()];
        work.program(["evaluate"]).args(line).args(more).run()
    };
    let same = call(&["--calibration-data".as_ref(), text.as_os_str()]);
    assert!(same.code == 2 && same.stderr.contains("holds the same text"), "{same:?}");
    let report = call(&["--report".as_ref(), "report.doc".as_ref()]);
    assert!(report.code == 2 && report.stderr.contains(".html"), "{report:?}");
    let long = call(&["--context".as_ref(), "100000".as_ref()]);
    assert_eq!(long.code, 2, "{long:?}");
    let other = golden::model("qwen2");
    let foreign = call(&["--against".as_ref(), other.as_os_str()]);
    assert_eq!(foreign.code, 2, "{foreign:?}");
}

#[test]
fn perplexity_is_stock_llama_cpp_s() {
    let Some(place) = judge::folder("perplexity_is_stock_llama_cpp_s") else { return };
    let work = Workdir::new();
    let original = golden::model("tiny-model");
    let quantize = work.program(["quantize", "-q", "F32", "-n", "whole"]);
    quantize.args([original.as_os_str(), "gguf".as_ref()]).succeed();
    let file = work.join("whole.gguf");
    let tokenizer: [&OsStr; 2] = ["--tokenizer".as_ref(), original.as_os_str()];
    let ours = number(&evaluate(&work, &file, &tokenizer), "perplexity");
    let text = golden::path("tiny-model.text.txt");
    let question = ["ppl".as_ref(), file.as_os_str(), text.as_os_str(), "128".as_ref(), "24".as_ref()];
    let theirs = number(&judge::ask(&place, question), "perplexity");
    assert!((ours / theirs - 1.0).abs() < 1e-3, "{ours} here, {theirs} there");
}
