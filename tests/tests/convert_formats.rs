//! `convert` between GGUF, GPTQ and AWQ in every direction by the real program, from the weights alone, so that it is fast.
#![cfg(unix)]

use llmq_tests::{Program, Workdir, golden, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Nothing is calibrated.
const GPTQ: [&str; 2] = ["--rounding", "nearest"];
const AWQ: [&str; 6] = ["--rounding", "nearest", "--smooth", "none", "--clip", "none"];

fn converting(work: &Workdir, input: &Path, format: &str, name: &str, more: &[&str]) -> Program {
    let call = work.program(["--format", "json", "convert", "-n", name]).args(more);
    let call = match format {
        "gptq" => call.args(GPTQ),
        "awq" => call.args(AWQ),
        _ => call,
    };
    call.args([input.as_os_str(), format.as_ref()])
}

/// Converts, and gives the output's path with what was told.
fn converted(work: &Workdir, input: &Path, format: &str, name: &str, more: &[&str]) -> (PathBuf, Value) {
    let done = converting(work, input, format, name, more).args(["--force"]).succeed();
    for word in ["alibrat", "nearest", "fall"] {
        let line = done.stderr.lines().find(|line| line.contains("warning") && line.contains(word));
        assert!(line.is_none(), "{name} warns of what was asked for: {line:?}");
    }
    let told = done.json();
    assert_eq!(told["validation_status"], "valid", "{told}");
    assert!(told.get("fallbacks").is_none_or(|fallbacks| fallbacks.as_array().is_none_or(Vec::is_empty)), "{told}");
    (PathBuf::from(told["output_path"].as_str().expect("a path")), told)
}

fn loss(told: &Value) -> f64 {
    told["loss"]["relative_error"].as_f64().unwrap_or_else(|| panic!("a loss: {told}"))
}

fn divergence(work: &Workdir, model: &Path, against: &Path) -> f64 {
    let text = golden::path("tiny-model.text.txt");
    let call = work.program(["--format", "json", "evaluate", "--context", "64", "--chunks", "6"]);
    let call = call.args([model.as_os_str(), "--against".as_ref(), against.as_os_str(), "--data".as_ref()]);
    let call = call.args([text.as_os_str(), "--tokenizer".as_ref(), repository::tiny_model().as_os_str()]);
    call.succeed().json()["mean_kld"].as_f64().expect("a divergence")
}

/// The example model in a format, quantized from the weights alone.
fn quantized(work: &Workdir, format: &str, level: &str) -> PathBuf {
    let name = format!("source-{format}-{level}");
    let call = work.program(["--format", "json", "quantize", "-q", level, "-n", &name, "--no-checkpoints"]);
    let call = match format {
        "gptq" => call.args(GPTQ),
        "awq" => call.args(AWQ),
        _ => call,
    };
    let done = call.args([repository::tiny_model().as_os_str(), format.as_ref()]).succeed().json();
    PathBuf::from(done["output_path"].as_str().expect("a path"))
}

#[test]
fn from_gguf_through_awq_and_gptq_back_to_gguf() {
    let work = Workdir::new();
    let source = quantized(&work, "gguf", "Q8_0");
    // Without -q the level follows from what there is: AWQ has 4 bits and no others.
    let (awq, told) = converted(&work, &source, "awq", "awq", &[]);
    assert_eq!((&told["input"]["format"], &told["quantization_level"]), (&"gguf".into(), &"4bit".into()));
    assert!((0.03..0.13).contains(&loss(&told)), "{}", loss(&told));
    let (gptq, told) = converted(&work, &awq, "gptq", "gptq", &[]);
    assert_eq!((&told["input"]["format"], &told["quantization_level"]), (&"awq".into(), &"4bit".into()));
    // Grids with a zero of their own onto symmetric ones of the same groups: no weight is far from a step.
    assert!((0.005..0.05).contains(&loss(&told)), "{}", loss(&told));
    let (gguf, told) = converted(&work, &gptq, "gguf", "gguf", &[]);
    assert_eq!((&told["input"]["format"], &told["quantization_level"]), (&"gptq".into(), &"Q4_K_M".into()));
    assert!((0.01..0.13).contains(&loss(&told)), "{}", loss(&told));
    let distance = divergence(&work, &gguf, &source);
    assert!(distance > 0.0 && distance < 0.1, "{distance} after three times 4 bits");
}

#[test]
fn what_the_target_can_hold_is_not_lost() {
    let work = Workdir::new();
    let awq = quantized(&work, "awq", "4bit-g32-asym");
    let gptq = quantized(&work, "gptq", "4bit-g32-sym");
    // The same grids in the other format: only groups whose weights reach no end of the grid move.
    let (same, told) = converted(&work, &awq, "gptq", "same", &["-q", "4bit-g32-asym"]);
    assert!(loss(&told) < 0.02, "{}", loss(&told));
    assert!(divergence(&work, &same, &awq) < 2e-3);
    // Eight bits hold four.
    for (source, name) in [(&awq, "awq"), (&gptq, "gptq")] {
        let (file, told) = converted(&work, source, "gguf", &format!("{name}-Q8_0"), &["-q", "Q8_0"]);
        assert_eq!(told["input"]["format"], name);
        assert!(loss(&told) < 0.01, "{name}: {}", loss(&told));
        assert!(divergence(&work, &file, source) < 2e-4);
    }
    let (_, told) = converted(&work, &awq, "gguf", "level", &[]);
    assert_eq!(told["quantization_level"], "Q4_K_M");
    let (_, told) = converted(&work, &gptq, "awq", "gptq-awq", &["-q", "4bit-g32-asym"]);
    assert_eq!(told["input"]["format"], "gptq");
    assert!(loss(&told) < 0.06, "{}", loss(&told));
}

#[test]
fn within_awq_other_groups_are_encoded_anew() {
    let work = Workdir::new();
    let awq = quantized(&work, "awq", "4bit-g128-asym");
    let (finer, told) = converted(&work, &awq, "awq", "finer", &["-q", "4bit-g32-asym"]);
    assert_eq!((&told["input"]["format"], &told["format"]), (&"awq".into(), &"awq".into()));
    assert!(loss(&told) > 0.0 && loss(&told) < 0.08, "{}", loss(&told));
    let config: Value =
        serde_json::from_slice(&std::fs::read(finer.join("config.json")).unwrap()).expect("config.json");
    assert_eq!(config["quantization_config"]["group_size"], 32);
    let coarser = converted(&work, &finer, "awq", "coarser", &["-q", "4bit-g64-sym"]).1;
    assert!((0.01..0.08).contains(&loss(&coarser)), "{}", loss(&coarser));
}

#[test]
fn a_second_loss_needs_a_yes_between_all_formats() {
    let work = Workdir::new();
    let sources = [quantized(&work, "gguf", "Q4_0"), quantized(&work, "awq", "4bit"), quantized(&work, "gptq", "4bit")];
    for (source, to) in sources.iter().flat_map(|source| ["gguf", "gptq", "awq"].map(|to| (source, to))) {
        let level = if to == "gguf" { "Q4_K_M" } else { "4bit-g64-asym" };
        let refused = converting(&work, source, to, "out", &["-q", level]).run();
        assert_eq!(refused.code, 9, "{} to {to}: {refused:?}", source.display());
        let error = refused.json();
        assert_eq!(error["error_type"], "UserCancelledError", "{error}");
        assert!(error["suggestion"].as_str().unwrap().contains("--force"), "{error}");
        let planned = converting(&work, source, to, "out", &["-q", level, "--dry-run"]).succeed();
        assert!(planned.stderr.contains("may lose as much again"), "{}", planned.stderr);
    }
    assert!(!work.join("out").exists() && !work.join("out.gguf").exists());
}

#[test]
fn a_folder_that_no_plugin_reads_ends_with_8() {
    let work = Workdir::new();
    let awq = quantized(&work, "awq", "4bit");
    let place = awq.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    config["quantization_config"]["quant_method"] = "unheard-of".into();
    std::fs::write(&place, config.to_string()).unwrap();
    std::fs::remove_file(awq.join("quant_config.json")).unwrap();
    for to in ["gguf", "gptq", "awq"] {
        let refused = converting(&work, &awq, to, "out", &["--force"]).run();
        assert_eq!((refused.code, &refused.json()["error_type"]), (8, &"UnsupportedConversionError".into()), "{to}");
    }
}
