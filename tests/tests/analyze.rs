//! `analyze` with the real binary: sums of squares against transformers' and llama-imatrix's, one command after the other
//! from text to a quantized file, and a statistics folder that is gone on with.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Sums of squares and counts of an importance matrix, by tensor name, as the second GGUF reader sees them.
fn sums(path: &Path) -> BTreeMap<String, (Vec<f32>, f32)> {
    let file = GgufFile::read(path);
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>();
    let of = |name: &str| file.tensors.iter().find(|t| t.name == name).map(|t| floats(&t.data));
    let names = file.tensors.iter().filter_map(|t| t.name.strip_suffix(".in_sum2"));
    names
        .map(|name| {
            let values = of(&format!("{name}.in_sum2")).expect("sums");
            (name.to_owned(), (values, of(&format!("{name}.counts")).expect("counts")[0]))
        })
        .collect()
}

/// Largest difference, relative to the largest value of the vector.
fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let top = theirs.iter().copied().fold(0.0, f32::max);
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / top).fold(0.0, f32::max)
}

fn analyze(work: &Workdir, out: &str, more: &[&OsStr]) -> Value {
    let (model, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    let line =
        ["--format", "json", "analyze", "--calibration-seqlen", "128", "--calibration-samples", "24", "--imatrix"];
    let call =
        work.program(line).args([out.as_ref(), model.as_os_str(), "--calibration-data".as_ref(), text.as_os_str()]);
    serde_json::from_str(&call.args(more).succeed().stdout).expect("one JSON document")
}

#[test]
fn sums_of_squares_are_transformers() {
    let work = Workdir::new();
    let report = analyze(&work, "tiny.gguf", &[]);
    assert_eq!(report["layers"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(report["super_weights"], Value::Array(Vec::new()), "a control has none");
    let golden: Value = golden::json("tiny-model.sums.json");
    let ours = sums(&work.join("tiny.gguf"));
    assert_eq!(ours.len(), 14, "{:?}", ours.keys());
    for (name, theirs) in golden["sums"].as_object().expect("sums") {
        let theirs: Vec<f32> = serde_json::from_value(theirs.clone()).expect("numbers");
        let (values, count) = &ours[name];
        assert_eq!(*count as u64, golden["tokens"].as_u64().expect("a number"));
        assert!(difference(values, &theirs) < 1e-5, "{name}");
    }
    let same = |a: &str, b: &str| ours[&format!("blk.0.{a}.weight")] == ours[&format!("blk.0.{b}.weight")];
    assert!(same("attn_q", "attn_k") && same("attn_q", "attn_v") && same("ffn_gate", "ffn_up"), "one input, one sum");
}

#[test]
fn from_text_to_a_file_under_importance() {
    let work = Workdir::new();
    analyze(&work, "tiny.gguf", &[]);
    let model = golden::model("tiny-model");
    let quantize = work.program(["quantize", "-q", "IQ2_XS", "--imatrix", "tiny.gguf", "-n", "small"]);
    quantize.args([model.as_os_str(), "gguf".as_ref()]).succeed();
    assert!(work.join("small.gguf").is_file());
}

#[test]
fn a_statistics_folder_is_gone_on_with() {
    let work = Workdir::new();
    let folder: [&OsStr; 3] = ["--statistics".as_ref(), "kept".as_ref(), "--gram".as_ref()];
    analyze(&work, "first.gguf", &folder);
    let files = |name: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = std::fs::read_dir(work.join(name)).expect("the folder");
        entries
            .map(|e| e.expect("readable").path())
            .map(|p| (p.file_name().unwrap().into(), std::fs::read(&p).unwrap()))
            .collect()
    };
    let whole = files("kept");
    assert_eq!(whole.len(), 4, "two layers, the head, statistics.json: {:?}", whole.keys());
    // As after a stop between two layers: what is there stays, what is missing is gathered again, with the same bytes.
    let mut manifest: Value = serde_json::from_slice(&whole[Path::new("statistics.json")]).expect("JSON");
    manifest["units"].as_array_mut().expect("units").retain(|unit| unit["id"] == "layer.0");
    std::fs::write(work.join("kept/statistics.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    std::fs::remove_file(work.join("kept/layer.1.safetensors")).unwrap();
    analyze(&work, "second.gguf", &folder);
    assert!(files("kept") == whole, "a resumed run gives the bytes of one that was never stopped");
    let read = |name: &str| std::fs::read(work.join(name)).unwrap();
    assert!(read("first.gguf") == read("second.gguf"));
    // Another text is refused, not mixed in.
    let other = work.program(["analyze", "--calibration-seqlen", "64", "--statistics", "kept"]);
    let (model, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    let other = other.args([model.as_os_str(), "--calibration-data".as_ref(), text.as_os_str()]).run();
    assert_eq!(other.code, 7, "{other:?}");
}

#[test]
fn without_a_text_the_bundled_one_is_taken_with_a_warning() {
    let work = Workdir::new();
    let model = golden::model("tiny-model");
    let call = work.program(["analyze", "--calibration-seqlen", "64", "--calibration-samples", "4"]);
    let outcome = call.args([model.as_os_str()]).succeed();
    assert!(outcome.stderr.contains("bundled"), "{}", outcome.stderr);
}

#[test]
fn llama_imatrix_gives_the_same_sums() {
    let Some(shared) = std::env::var_os("LLMQ_SHARED").map(PathBuf::from) else {
        eprintln!("SKIPPED llama_imatrix_gives_the_same_sums: LLMQ_SHARED is not set");
        return;
    };
    let work = Workdir::new();
    let model = shared.join("models/trained-mini");
    let line = ["analyze", "--calibration-seqlen", "256", "--calibration-samples", "100", "--imatrix", "ours.gguf"];
    let text = model.join("calib.txt");
    work.program(line).args([model.as_os_str(), "--calibration-data".as_ref(), text.as_os_str()]).succeed();
    let theirs = sums(&shared.join("reference/gguf/trained-mini.imatrix.gguf"));
    let ours = sums(&work.join("ours.gguf"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, (values, count)) in &theirs {
        assert_eq!(ours[name].1, *count, "{name}");
        let far = difference(&ours[name].0, values);
        assert!(far < 1e-3, "{name}: {far:.2e}");
    }
}
