//! GGUF files as sources: the files that stock llama-quantize makes of them, shards, refusals.
#![cfg(unix)]

use llmq_tests::{
    Workdir,
    gguf_file::GgufFile,
    golden, judge, repository,
    synthetic::{Shape, write_model},
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A GGUF file of the example model at a level.
fn source(work: &Workdir, level: &str) -> PathBuf {
    let name = format!("source-{level}");
    work.program(["quantize", "-q", level, "-n", &name, "--no-checkpoints"])
        .args([golden::model("tiny-model").as_os_str(), "gguf".as_ref()])
        .succeed();
    work.join(&format!("{name}.gguf"))
}

fn requantize(work: &Workdir, source: &Path, level: &str, name: &str) -> llmq_tests::Program {
    work.program(["quantize", "-q", level, "-n", name, "--allow-requantize"])
        .args([source.as_os_str(), "gguf".as_ref()])
}

fn sha256(path: &Path) -> String {
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines of the committed answers whose first word is `first`, as (second word, hash).
fn answers(first: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(golden::path("gguf-sources.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words[0] == first).map(|words| (words[1].to_owned(), words[2].to_owned())).collect()
}

#[test]
fn whole_files_are_those_of_stock_llama_quantize() {
    let work = Workdir::new();
    for from in ["F32", "F16", "BF16", "Q8_0", "Q4_K_M", "IQ4_XS"] {
        let source = source(&work, from);
        for (level, hash) in answers(from) {
            requantize(&work, &source, &level, "out").succeed();
            assert_eq!(sha256(&work.join("out.gguf")), hash, "{from} to {level}");
        }
    }
}

#[test]
fn shards_are_written_kept_and_merged() {
    let work = Workdir::new();
    let whole = source(&work, "F16");
    requantize(&work, &whole, "Q8_0", "whole").succeed();
    requantize(&work, &whole, "Q8_0", "split").args(["--split-max-tensors", "5"]).succeed();
    let shard = |name: &str, number: usize| work.join(&format!("{name}-{number:05}-of-00004.gguf"));
    let keys = |number| GgufFile::read(&shard("split", number)).keys;
    assert_eq!(
        keys(4).iter().map(|(key, ..)| key.as_str()).collect::<Vec<_>>(),
        ["split.no", "split.tensors.count", "split.count"]
    );
    assert_eq!((1..=4).map(|n| GgufFile::read(&shard("split", n)).tensors.len()).sum::<usize>(), 20);

    // Any shard stands for the set.
    requantize(&work, &shard("split", 3), "COPY", "merged").succeed();
    assert_eq!(sha256(&work.join("merged.gguf")), sha256(&work.join("whole.gguf")));
    requantize(&work, &shard("split", 1), "Q4_K_M", "kept").args(["--keep-split"]).succeed();
    for (number, hash) in answers("shards") {
        assert_eq!(sha256(&shard("kept", number.parse().unwrap())), hash, "shard {number}");
    }
    let info = work.program(["--format", "json", "info"]).args([shard("split", 2)]).succeed().json();
    assert_eq!((info["tensor_count"].as_u64(), info["quantization_level"].as_str()), (Some(20), Some("Q8_0")));
}

#[test]
fn a_folder_is_split_by_size_and_merges_to_the_unsplit_file() {
    let work = Workdir::new();
    let model = golden::model("tiny-model");
    let quantize =
        |name: &str| work.program(["quantize", "-q", "Q4_K_M", "-n", name]).args([model.as_os_str(), "gguf".as_ref()]);
    quantize("whole").succeed();
    let report = quantize("split").args(["--split-max-size", "300K", "--format", "json"]).succeed().json();
    let files: Vec<&str> = report["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(files.len() > 2 && files[0].ends_with(&format!("split-00001-of-{:05}.gguf", files.len())), "{files:?}");
    for file in &files {
        let data: usize = GgufFile::read(Path::new(file)).tensors.iter().map(|tensor| tensor.data.len()).sum();
        assert!(data <= 300_000 || GgufFile::read(Path::new(file)).tensors.len() == 1, "{file}: {data}");
    }
    requantize(&work, Path::new(files[1]), "COPY", "merged").succeed();
    assert_eq!(sha256(&work.join("merged.gguf")), sha256(&work.join("whole.gguf")));
}

#[test]
fn sets_of_shards_that_do_not_fit_together_are_refused() {
    let work = Workdir::new();
    let whole = source(&work, "F16");
    for (name, level) in [("a", "Q8_0"), ("b", "F16")] {
        requantize(&work, &whole, level, name).args(["--split-max-tensors", "7"]).succeed();
    }
    requantize(&work, &whole, "Q8_0", "c").args(["--split-max-tensors", "8"]).succeed();
    let shard = |name: &str, number: usize| work.join(&format!("{name}-{number:05}-of-00003.gguf"));
    let kept = std::fs::read(shard("a", 2)).unwrap();
    let refused = |what: &str, word: &str| {
        let outcome = requantize(&work, &shard("a", 1), "COPY", "out").run();
        assert_eq!(outcome.code, 1, "{what}: {outcome:?}");
        assert!(outcome.stderr.contains(word), "{what}: {}", outcome.stderr);
        assert!(!work.join("out.gguf").exists(), "{what}");
    };
    std::fs::remove_file(shard("a", 2)).unwrap();
    refused("a missing shard", "2 were given");
    std::fs::copy(shard("a", 3), shard("a", 2)).unwrap();
    refused("a shard twice", "not another one");
    // Eight tensors a shard instead of seven: one tensor twice.
    std::fs::copy(shard("c", 2), shard("a", 2)).unwrap();
    refused("a shard of another split", "in two shards");
    let bytes = |from: &[u8], to: &[u8]| {
        let at = kept.windows(from.len()).position(|window| window == from).unwrap();
        let mut changed = kept.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        std::fs::write(shard("a", 2), changed).unwrap();
    };
    bytes(b"split.count\x02\0\0\0\x03\0", b"split.count\x02\0\0\0\x04\0");
    refused("another count", "not another one");
    bytes(b"split.tensors.count\x05\0\0\0\x14", b"split.tensors.count\x05\0\0\0\x15");
    refused("another number of tensors", "21");
    std::fs::write(shard("a", 2), &kept[..kept.len() / 2]).unwrap();
    refused("a shard cut in half", "cut off");
    std::fs::write(shard("a", 2), &kept).unwrap();
    requantize(&work, &shard("a", 1), "COPY", "out").succeed();
}

#[test]
fn quantized_sources_need_permission_and_outputs_never_replace_them() {
    let work = Workdir::new();
    let source = source(&work, "Q8_0");
    let quantize = |level: &str, name: &str| {
        work.program(["--format", "json", "quantize", "-q", level, "-n", name])
            .args([source.as_os_str(), "gguf".as_ref()])
    };
    let refused = quantize("Q4_K_M", "out").run();
    assert_eq!(refused.code, 2, "{refused:?}");
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("15 tensors are quantized already (15 Q8_0)"), "{message}");
    assert!(refused.json()["suggestion"].as_str().unwrap().contains("--allow-requantize"));
    // The same encodings again are no second loss.
    assert_eq!(quantize("Q8_0", "same").succeed().json()["max_relative_error"], 0.0);
    assert!(std::fs::read(work.join("same.gguf")).unwrap() == std::fs::read(&source).unwrap());
    assert_eq!(quantize("Q8_0", "source-Q8_0").run().code, 2, "in place");

    let folder = golden::model("tiny-model");
    let wrong = |arguments: &[&str], source: &Path| {
        let call = work.program(["quantize", "-n", "wrong", "-q"]).args(arguments);
        let outcome = call.args([source.as_os_str(), "gguf".as_ref()]).run();
        assert_eq!(outcome.code, 2, "{arguments:?}: {outcome:?}");
        outcome.stderr
    };
    assert!(wrong(&["COPY"], &folder).contains("is not one"));
    assert!(wrong(&["Q8_0", "--keep-split"], &folder).contains("not"));
    assert!(wrong(&["Q8_0", "--keep-split", "--split-max-size", "1G"], &folder).contains("exclude each other"));
    assert!(wrong(&["Q8_0", "--split-max-size", "1.5G"], &folder).contains("whole number"));
}

/// Whether a tensor is copied or encoded, and however it is stored: a weight that is no number ends the job.
#[test]
fn weights_that_are_no_numbers_are_refused_copied_or_encoded() {
    let work = Workdir::new();
    for (from, level, tensor, at, words) in [
        ("F16", "Q4_K_M", "blk.1.ffn_norm.weight", 8, "the value at row 0, column 2"),
        ("F16", "Q4_K_M", "blk.1.ffn_up.weight", 2 * (256 + 3), "row 1, column 3"),
        ("Q8_0", "COPY", "blk.1.ffn_up.weight", 34 * 9, "the scale at row 1, column 32"),
        ("Q8_0", "Q4_K_M", "blk.1.ffn_up.weight", 34 * 9, "row 1, column 32"),
    ] {
        let source = source(&work, from);
        let data = GgufFile::read(&source).tensors.into_iter().find(|t| t.name == tensor).unwrap().data;
        let mut bytes = std::fs::read(&source).unwrap();
        let start = bytes.windows(data.len()).position(|window| window == data).unwrap();
        bytes[start + at..][..4].fill(0xff);
        std::fs::write(&source, bytes).unwrap();
        let outcome = requantize(&work, &source, level, "out").run();
        assert_eq!(outcome.code, 1, "{from} to {level}: {outcome:?}");
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains(tensor), "{from} to {level}: {outcome:?}");
        assert!(!work.join("out.gguf").exists());
    }
}

/// Nobody here has ever heard of the architecture: that is llama.cpp's business, not a requantizer's.
#[test]
fn unknown_architectures_and_odd_metadata_pass_through() {
    let work = Workdir::new();
    let source = source(&work, "BF16");
    let mut bytes = std::fs::read(&source).unwrap();
    let end = bytes.windows(20).position(|window| window == b"tokenizer.ggml.model").unwrap();
    for at in 0..end {
        if bytes[at..].starts_with(b"llama") {
            bytes[at..at + 5].copy_from_slice(b"strng");
        }
    }
    // A text that is not UTF-8 must survive as well.
    let name = bytes.windows(10).position(|window| window == b"Tiny Model").unwrap();
    bytes[name] = 0xff;
    let strange = work.join("strange.gguf");
    std::fs::write(&strange, &bytes).unwrap();
    requantize(&work, &strange, "Q4_K_M", "out").succeed();
    requantize(&work, &source, "Q4_K_M", "plain").succeed();
    let (found, plain) = (GgufFile::read(&work.join("out.gguf")), GgufFile::read(&work.join("plain.gguf")));
    let value = |file: &GgufFile, key: &str| file.keys.iter().find(|line| line.0 == key).map(|line| line.2.clone());
    assert_eq!(value(&found, "strng.block_count"), value(&plain, "llama.block_count"));
    assert_eq!(value(&found, "general.name").unwrap()[8..], *b"\xffiny Model");
    assert_eq!(found.tensors.len(), plain.tensors.len());
    for (a, b) in found.tensors.iter().zip(&plain.tensors) {
        assert!(a.name == b.name && a.kind == b.kind && a.data == b.data, "{}", a.name);
    }
}

#[test]
fn a_job_on_a_gguf_file_is_killed_and_resumed_to_the_same_bytes() {
    let work = Workdir::new();
    let shape = Shape { layers: 8, hidden: 256, ffn: 512, heads: 8, kv_heads: 4, vocab: 4096 };
    write_model(&work.join("model"), &shape, false).unwrap();
    work.program(["quantize", "model", "gguf", "-q", "BF16", "-n", "source"]).succeed();
    let call =
        |name: &str| work.program(["quantize", "source.gguf", "gguf", "-q", "Q4_K_M", "-n", name, "--threads", "1"]);
    let started = std::time::Instant::now();
    call("whole").succeed();
    let whole = started.elapsed();
    let expected = std::fs::read(work.join("whole.gguf")).unwrap();
    for round in 1..5u32 {
        let name = format!("r{round}");
        let mut child = call(&name).start();
        std::thread::sleep(whole.mul_f64(f64::from(round) / 5.0));
        child.kill().unwrap();
        child.wait().unwrap();
        call(&name).succeed();
        assert!(std::fs::read(work.join(&format!("{name}.gguf"))).unwrap() == expected, "round {round}");
    }
}

/// The reference itself, where it is installed: more pairs than are committed, and shards in its own loader.
#[test]
fn stock_llama_cpp_makes_the_same_files_and_loads_ours() {
    let Some(place) = judge::folder("GGUF sources") else { return };
    let libraries = place.join("node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
    let work = Workdir::new();
    let stock = |source: &Path, target: &Path, level: &str, flag: &str| {
        let output = Command::new("python3")
            .arg(repository::root().join("tests/judge/llama_quantize.py"))
            .args([source, target])
            .args([level.as_ref(), libraries.as_os_str(), "2".as_ref(), flag.as_ref()])
            .output()
            .expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for from in ["F16", "Q5_1", "Q6_K", "IQ3_S"] {
        let source = source(&work, from);
        for level in ["Q4_0", "Q5_K_S", "IQ4_NL", "COPY"] {
            requantize(&work, &source, level, "ours").succeed();
            stock(&source, &work.join("theirs.gguf"), level, "requantize");
            assert_eq!(sha256(&work.join("ours.gguf")), sha256(&work.join("theirs.gguf")), "{from} to {level}");
        }
    }
    let source = source(&work, "Q8_0");
    requantize(&work, &source, "COPY", "split").args(["--split-max-size", "500K"]).succeed();
    let first = std::fs::read_dir(work.join(".")).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let first = first.filter(|path| path.to_string_lossy().contains("split-00001-of-")).max().unwrap();
    let logits = |model: &Path, name: &str| {
        let ids = work.join("ids.json");
        std::fs::write(&ids, "[0, 5, 77, 1000, 12, 42, 3, 900]").unwrap();
        let out = work.join(name);
        judge::ask(&place, ["logprobs".as_ref(), model.as_os_str(), ids.as_os_str(), out.as_os_str()]);
        std::fs::read(out).unwrap()
    };
    assert!(logits(&source, "whole.f32") == logits(&first, "shards.f32"), "shards give other logits");
    stock(&first, &work.join("merged.gguf"), "COPY", "");
    assert_eq!(sha256(&work.join("merged.gguf")), sha256(&source));
}
