//! Statistics folders with the real binary: gathered apart and added up they are those of both texts together, and importance
//! matrices come from them without a second run.

use llmq_tests::{Outcome, Workdir, gguf_file::GgufFile, golden, repository};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

/// Words of the committed text that are a whole number of samples of 16 tokens.
const WORDS: usize = 340;
const SAMPLE: &str = "16";

fn analyze(work: &Workdir, texts: &[&str], folder: &str) -> Value {
    let model = repository::tiny_model();
    let line = ["--format", "json", "analyze", "--gram", "--calibration-seqlen", SAMPLE, "--statistics", folder];
    let imatrix = format!("{folder}.gguf");
    let call = work.program(line).args([model.as_os_str(), "--imatrix".as_ref(), imatrix.as_ref()]);
    let texts = texts.iter().flat_map(|text| ["--calibration-data", text]);
    call.args(texts).succeed().json()
}

fn statistics(work: &Workdir, line: &str) -> Outcome {
    work.program(["--format", "json", "statistics"]).args(line.split(' ')).run()
}

/// A folder's tensors as any reader of safetensors sees them: type and values in double precision, by unit and name.
fn values(work: &Workdir, folder: &str) -> BTreeMap<String, (String, Vec<f64>)> {
    let mut all = BTreeMap::new();
    for file in work.listing(folder).iter().filter(|name| name.ends_with(".safetensors")) {
        let bytes = std::fs::read(work.join(folder).join(file)).expect("a unit");
        let (length, rest) = bytes.split_first_chunk::<8>().expect("a length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let header: Value = serde_json::from_slice(header).expect("JSON");
        for (name, entry) in header.as_object().expect("tensors").iter().filter(|(name, _)| *name != "__metadata__") {
            let place = |at: usize| entry["data_offsets"][at].as_u64().expect("a place") as usize;
            let (dtype, data) = (entry["dtype"].as_str().expect("a type"), &data[place(0)..place(1)]);
            let values = match dtype {
                "U64" => data.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b) as f64).collect(),
                "F64" => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
                "F32" => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
                other => panic!("{name} is {other}"),
            };
            all.insert(format!("{file} {name}"), (dtype.to_owned(), values));
        }
    }
    all
}

/// Two texts, `a.txt` of whole samples and `b.txt`.
fn texts(work: &Workdir) {
    let text = std::fs::read_to_string(golden::path("tiny-model.text.txt")).expect("the text");
    let words: Vec<&str> = text.split_whitespace().collect();
    std::fs::write(work.join("a.txt"), words[..WORDS].join(" ")).expect("written");
    std::fs::write(work.join("b.txt"), words[2000..2600].join(" ")).expect("written");
}

#[test]
fn gathered_apart_and_added_up_is_gathered_together() {
    let work = Workdir::new();
    texts(&work);
    let a = analyze(&work, &["a.txt"], "a");
    assert_eq!(a["text"]["dropped"], 0, "{} tokens are whole samples", a["text"]["tokens"]);
    analyze(&work, &["b.txt"], "b");
    analyze(&work, &["a.txt", "b.txt"], "both");
    let merged = statistics(&work, "merge a b -o sum");
    assert_eq!(merged.code, 0, "{merged:?}");
    assert_eq!(merged.json()["texts"].as_array().map(Vec::len), Some(2));

    let (sum, all) = (values(&work, "sum"), values(&work, "both"));
    assert!(sum.keys().eq(all.keys()) && sum.len() > 50, "{:?}", sum.keys());
    let mut furthest = 0.0f64;
    for (name, (dtype, sum)) in &sum {
        let both = &all[name].1;
        let exact = [":tokens", ":dropped", ":min", ":max"].iter().any(|part| name.ends_with(part));
        if exact {
            assert_eq!(sum, both, "{name}");
        } else if dtype == "F64" {
            // Of the sum of magnitudes, which is what the error of a sum is measured in.
            let magnitudes = name.strip_suffix(":sum").map(|feed| &all[&format!("{feed}:sum_abs")].1);
            let scales = magnitudes.unwrap_or(both);
            for ((one, other), scale) in sum.iter().zip(both).zip(scales) {
                furthest = furthest.max((one - other).abs() / scale.max(f64::MIN_POSITIVE));
            }
        } else if name.ends_with(":gram") {
            let top = both.iter().copied().fold(0.0, f64::max);
            let far = sum.iter().zip(both).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
            assert!(far < 1e-6 * top, "{name}: {far:e} of {top:e}");
        }
    }
    println!("sums differ by {furthest:.1e}");
    assert!(furthest < 1e-13, "{furthest:e}");
}

#[test]
fn an_importance_matrix_comes_from_a_folder() {
    let work = Workdir::new();
    texts(&work);
    let model = repository::tiny_model();
    analyze(&work, &["a.txt"], "a");
    let export = |folder: &str, out: &str, more: &[&str]| {
        let call =
            work.program(["statistics", "export", folder, "--imatrix", out, "--model"]).args([model.as_os_str()]);
        call.args(more).run()
    };
    let one = export("a", "again.gguf", &[]);
    assert_eq!(one.code, 0, "{one:?}");
    let read = |name: &str| std::fs::read(work.join(name)).expect("a file");
    assert!(read("again.gguf") == read("a.gguf"), "the bytes that analyze wrote");

    analyze(&work, &["b.txt"], "b");
    analyze(&work, &["a.txt", "b.txt"], "both");
    assert_eq!(statistics(&work, "merge a b -o sum").code, 0);
    assert_eq!(export("sum", "sum.gguf", &[]).code, 0);
    let floats = |name: &str| -> BTreeMap<String, Vec<f32>> {
        let tensors = GgufFile::read(&work.join(name)).tensors.into_iter();
        tensors.map(|t| (t.name, t.data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())).collect()
    };
    let (sum, both) = (floats("sum.gguf"), floats("both.gguf"));
    assert!(sum.keys().eq(both.keys()) && sum.len() == 28, "{:?}", sum.keys());
    for (name, values) in &sum {
        let near = values.iter().zip(&both[name]).all(|(one, other)| (one - other).abs() <= 1e-6 * other.abs());
        assert!(near, "{name}");
    }
    let quantize = work.program(["quantize", "-q", "IQ2_XS", "--imatrix", "sum.gguf", "-n", "small"]);
    quantize.args([model.as_os_str(), "gguf".as_ref()]).succeed();
    assert_eq!(export("sum", "sum.dat", &[]).code, 0, "llama.cpp's older form");
    let head = |more: &[&str]| {
        assert_eq!(export("sum", "head.gguf", more).code, 0);
        floats("head.gguf").len()
    };
    assert_eq!((head(&[]), head(&["--process-output"])), (28, 30));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let work = Workdir::new();
    texts(&work);
    analyze(&work, &["a.txt"], "a");
    analyze(&work, &["b.txt"], "b");
    let refused = |line: &str, code: i32, sentence: &str| {
        let outcome = statistics(&work, line);
        assert!(outcome.code == code && outcome.stderr.contains(sentence), "{line}: {outcome:?}");
        assert_eq!(outcome.json()["status"], "error");
    };
    refused("merge a a -o twice", 2, "--same-text");
    assert_eq!(statistics(&work, "merge a a -o twice --same-text").code, 0);
    refused("merge a b -o a", 2, "another texts");
    refused("merge a none -o out", 2, "none");
    refused("merge a -o out", 2, "2 values required");
    let (model, other) = (repository::tiny_model(), golden::model("qwen2"));
    let export = |model: &Path, folder: &str| {
        let line: [&OsStr; 5] =
            ["statistics".as_ref(), "export".as_ref(), folder.as_ref(), "--imatrix".as_ref(), "out.gguf".as_ref()];
        work.program(line).args(["--model".as_ref(), model.as_os_str()]).run()
    };
    let foreign = export(&other, "a");
    assert!(foreign.code == 2 && foreign.stderr.contains("another model"), "{foreign:?}");
    // As after a stop: the head is not there yet.
    let path = work.join("a/statistics.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).expect("the document")).expect("JSON");
    manifest["units"].as_array_mut().expect("units").retain(|unit| unit["id"] != "head");
    std::fs::write(&path, serde_json::to_vec(&manifest).expect("JSON")).expect("written");
    refused("merge a b -o out", 2, "`head`");
    let stopped = export(&model, "a");
    assert!(stopped.code == 2 && stopped.stderr.contains("`head`"), "{stopped:?}");
    assert!(!work.join("out.gguf").exists() && !work.join("out").exists());
}

#[test]
fn a_folder_is_shown() {
    let work = Workdir::new();
    texts(&work);
    let report = analyze(&work, &["a.txt"], "a");
    let shown = statistics(&work, "show a --verify").json();
    assert_eq!(shown["tokens"], report["text"]["tokens"]);
    assert_eq!(shown["tensors"], report["tensors"], "the figures that analyze tells");
    let units: Vec<&str> = shown["units"].as_array().expect("units").iter().filter_map(|u| u["id"].as_str()).collect();
    assert_eq!(units, ["layer.0", "layer.1", "head"]);
    assert_eq!((shown["settings"]["dense"]["gram"].as_bool(), &shown["damaged"]), (Some(true), &Value::Array(vec![])));
    let human = work.program(["statistics", "show", "a"]).succeed().stdout;
    for word in ["a.txt", "layer.1", "Gram matrices in f32", "mlp.down_proj", "ffn_down"] {
        assert!(human.contains(word), "{word} in {human}");
    }
    // One byte of a sum, which is still a number.
    let path = work.join("a/layer.1.safetensors");
    let mut bytes = std::fs::read(&path).expect("a unit");
    let end = bytes.len() - 1;
    bytes[end - 3] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let damaged = statistics(&work, "show a --verify");
    assert_eq!(damaged.code, 6, "{damaged:?}");
    assert!(damaged.json()["damaged"][0].as_str().is_some_and(|s| s.contains("layer.1")), "{damaged:?}");
}
