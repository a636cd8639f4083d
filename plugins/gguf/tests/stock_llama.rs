//! Stock llama.cpp as the judge: whole files against its own quantizer, perplexity of what it loads.
//!
//! Needs the prebuilt library (npm package `@node-llama-cpp/linux-x64` 3.22.1): `LLMQ_LLAMA_LIBS` names the folder with
//! libllama, `LLMQ_JUDGE` one with `judge.mjs` and its node modules, `LLMQ_SHARED` the reference data.
#![allow(clippy::print_stderr)]

mod rig;

use rig::{Folder, Job, golden, models, sha256, shared};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn wanted(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: comparison with stock llama.cpp: set {variable}");
    }
    path
}

/// The reference's quantizer on a file of ours.
fn llama_quantize(libraries: &Path, source: &Path, target: &Path, level: &str) {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/judge/llama_quantize.py");
    let run = Command::new("python3").arg(driver).args([source, target]).arg(level).arg(libraries).output().unwrap();
    assert!(run.status.success(), "{level}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Whole files must be equal, header included. Prints the hashes, in the form of `golden/models`.
fn compare(name: &str, folder: &Folder, precision: &str, libraries: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source.gguf");
    std::fs::write(&source, Job::new(folder, precision).run().unwrap().bytes).unwrap();
    let mut differing = Vec::new();
    for level in golden::parse(include_str!("golden/models/tiny-model.txt")) {
        let target = scratch.path().join("target.gguf");
        llama_quantize(libraries, &source, &target, level.name);
        let reference = std::fs::read(&target).unwrap();
        let mut job = Job::new(folder, level.name);
        job.options.insert("intermediate".into(), precision.to_lowercase().into());
        let output = job.run().unwrap();
        eprintln!("level {} {}", level.name, reference.len());
        for slot in &output.plan.slots {
            let (encoding, bytes) = output.tensor(&slot.name).unwrap();
            eprintln!("{} {encoding} {}", slot.name, &sha256(bytes)[..24]);
        }
        if output.bytes != reference {
            let at = output.bytes.iter().zip(&reference).position(|(a, b)| a != b);
            differing.push(format!("{name} {}: first at byte {at:?}", level.name));
        }
    }
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
fn whole_files_equal_those_of_llama_model_quantize() {
    let Some(libraries) = wanted("LLMQ_LLAMA_LIBS") else { return };
    compare("example model", &models::tiny(), "BF16", &libraries);
    compare("uneven rows", &models::llama(&models::UNEVEN, "BF16", |_| {}), "BF16", &libraries);
    compare("two steps from F32", &models::llama(&models::UNEVEN, "F32", |_| {}), "F16", &libraries);
    let deep = models::Shape { hidden: 256, intermediate: 512, heads: 8, kv_heads: 2, layers: 17 };
    compare("deep, wide groups", &models::llama(&deep, "F16", |_| {}), "F16", &libraries);
}

#[test]
fn stock_llama_cpp_loads_every_level_with_the_reference_s_perplexity() {
    let (Some(judge), Some(shared)) = (wanted("LLMQ_JUDGE"), shared("perplexity")) else { return };
    let folder = Folder::open(&shared.join("models/trained-mini"));
    let reference = std::fs::read(shared.join("reference/gguf/trained-mini.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let text = shared.join("models/trained-mini/valid.txt");
    let scratch = tempfile::tempdir().unwrap();
    let ask = |command: &str, file: &Path, rest: &[&str]| -> Value {
        let mut node = Command::new("node");
        node.current_dir(&judge).arg("judge.mjs").arg(command).arg(file).args(rest);
        let run = node.output().unwrap();
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
        serde_json::from_slice(&run.stdout).unwrap()
    };
    for level in ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q4_K_M", "Q2_K"] {
        let file = scratch.path().join(format!("{level}.gguf"));
        std::fs::write(&file, Job::new(&folder, level).run().unwrap().bytes).unwrap();
        assert_eq!(ask("load", &file, &[])["ok"], true, "{level}");
        let found = ask("ppl", &file, &[text.to_str().unwrap(), "256", "12"])["perplexity"].as_f64().unwrap();
        let expected = reference["levels"][level]["perplexity"]["perplexity"].as_f64();
        eprintln!("{level}: perplexity {found:.5}, reference {expected:?}");
        if let Some(expected) = expected {
            // The weights are equal; llama.cpp's own sums depend on the machine (2e-5 was seen).
            assert!((found - expected).abs() < 2e-4 * expected, "{level}: {found}, not {expected}");
        }
        if level == "Q4_K_M" {
            let ids = ask("tokenize", &file, &[text.to_str().unwrap()]);
            let ids: Vec<u64> = ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
            let content = std::fs::read_to_string(&text).unwrap();
            let tokenizer =
                tokenizers::Tokenizer::from_file(shared.join("models/trained-mini/tokenizer.json")).unwrap();
            let own: Vec<u64> =
                tokenizer.encode(content, false).unwrap().get_ids().iter().map(|id| u64::from(*id)).collect();
            assert_eq!(ids, own, "llama.cpp and the model's own tokenizer must agree");
        }
    }
}
