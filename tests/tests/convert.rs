//! `convert` by the real program: between formats and levels, with a yes where quality is lost twice, its loss measured.
#![cfg(unix)]

use llmq_tests::{Outcome, Program, Workdir, example_plugin, gguf_file::GgufFile, golden, judge, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokenizers::Tokenizer;

const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "12"];

fn text() -> PathBuf {
    golden::path("tiny-model.text.txt")
}

/// The example model as a GGUF file.
fn gguf(work: &Workdir, level: &str) -> PathBuf {
    let call = work.program(["quantize", "-q", level, "-n", &format!("source-{level}"), "--no-checkpoints"]);
    call.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]).succeed();
    work.join(&format!("source-{level}.gguf"))
}

/// The example model as a GPTQ folder.
fn gptq(work: &Workdir, level: &str) -> PathBuf {
    let call =
        work.program(["quantize", "-q", level, "-n", &format!("source-{level}"), "--group-size", "32"]).args(TEXT);
    call.args([
        repository::tiny_model().as_os_str(),
        "gptq".as_ref(),
        "--calibration-data".as_ref(),
        text().as_os_str(),
    ])
    .succeed();
    work.join(&format!("source-{level}"))
}

fn converting(work: &Workdir, input: &Path, format: &str, name: &str, more: &[&str]) -> Program {
    let call = work.program(["--format", "json", "convert", "-n", name]).args(more);
    call.args([input.as_os_str(), format.as_ref()])
}

/// What lies in the folder but sources and the cache of plugins.
fn results(work: &Workdir) -> Vec<String> {
    work.listing(".").into_iter().filter(|name| !name.starts_with("source-") && name != ".cache").collect()
}

fn close(found: &Value, want: f64, what: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
    assert!((found - want).abs() <= 1e-9 + want.abs() * 1e-6, "{what}: {found}, computed {want}");
}

#[test]
fn a_second_loss_needs_a_yes() {
    let work = Workdir::new();
    let source = gguf(&work, "Q8_0");
    let refused = converting(&work, &source, "gguf", "out", &["-q", "Q4_K_M"]).run();
    assert_eq!(refused.code, 9, "{refused:?}");
    let error = refused.json();
    assert_eq!((&error["error_type"], &error["error_code"]), (&"UserCancelledError".into(), &9.into()));
    assert!(error["message"].as_str().unwrap().contains("quantized tensors are encoded anew"), "{error}");
    assert!(error["suggestion"].as_str().unwrap().contains("--force"), "{error}");
    assert!(results(&work).is_empty(), "{:?}", results(&work));

    // A plan needs none, and shows the warning.
    let planned = converting(&work, &source, "gguf", "out", &["-q", "Q4_K_M", "--dry-run"]).succeed();
    assert!(planned.stderr.contains("may lose as much again"), "{}", planned.stderr);
    let plan = planned.json();
    assert_eq!((&plan["status"], &plan["input"]["level"]), (&"planned".into(), &"Q8_0".into()));

    let done = converting(&work, &source, "gguf", "out", &["-q", "Q4_K_M", "--force"]).succeed().json();
    assert_eq!((&done["status"], &done["quantization_level"]), (&"success".into(), &"Q4_K_M".into()));
    assert_eq!((&done["input"]["format"], &done["input"]["quantized"]), (&"gguf".into(), &true.into()));
    close(&done["input"]["bits_per_weight"], 8.5, "bits");
    assert!(done["reencoded_tensors"].as_u64().unwrap() > 10 && done["level_choice"].is_null(), "{done}");
    // The same engine: the bytes of `quantize`.
    let same = work.program(["quantize", "-q", "Q4_K_M", "-n", "same", "--allow-requantize"]);
    same.args([source.as_os_str(), "gguf".as_ref()]).succeed();
    assert!(std::fs::read(work.join("out.gguf")).unwrap() == std::fs::read(work.join("same.gguf")).unwrap());
}

#[test]
fn what_loses_little_or_nothing_is_not_asked_about() {
    let work = Workdir::new();
    let source = gguf(&work, "Q8_0");
    let plain = converting(&work, &source, "gguf", "plain", &["-q", "F16"]).succeed();
    assert!(!plain.stderr.contains("warning"), "{}", plain.stderr);
    let loss = &plain.json()["loss"];
    assert!(loss["relative_error"].as_f64().unwrap() < 5e-4 && loss["tensors"].as_u64().unwrap() > 10, "{loss}");
    let finer = converting(&work, &gguf(&work, "Q4_0"), "gguf", "finer", &["-q", "Q8_0"]).succeed();
    assert!(finer.stderr.contains("this one adds little to it"), "{}", finer.stderr);
    assert!(finer.json()["loss"]["relative_error"].as_f64().unwrap() < 0.01);
    let folder = converting(&work, &repository::tiny_model(), "gguf", "folder", &["-q", "Q4_0"]).succeed();
    assert!(folder.stderr.contains("not quantized: this is what `quantize` does"), "{}", folder.stderr);
    assert_eq!(folder.json()["input"]["format"], "huggingface");
}

#[test]
fn the_level_follows_from_the_input() {
    let work = Workdir::new();
    let chosen = |input: &Path, format: &str| {
        let plan = converting(&work, input, format, "x", &["--dry-run"]).args(TEXT).args(["--calibration-data"]);
        let plan = plan.args([text()]).succeed().json();
        assert!(plan["level_choice"].as_str().unwrap().starts_with("level "), "{plan}");
        plan["quantization_level"].as_str().unwrap().to_owned()
    };
    assert_eq!(chosen(&gguf(&work, "Q4_K_M"), "gguf"), "Q4_K_M");
    assert_eq!(chosen(&gguf(&work, "Q5_0"), "gguf"), "Q5_0");
    assert_eq!(chosen(&work.join("source-Q4_K_M.gguf"), "gptq"), "4bit");
    assert_eq!(chosen(&gguf(&work, "Q8_0"), "gptq"), "8bit");
    assert_eq!(chosen(&gptq(&work, "4bit"), "gguf"), "Q4_K_M");
    assert_eq!(chosen(&gptq(&work, "8bit"), "gguf"), "Q8_0");
    assert_eq!(chosen(&repository::tiny_model(), "gguf"), golden::own_precision("tiny-model"));

    // Its own level loses nothing: every tensor stays as it is.
    let source = GgufFile::read(&gguf(&work, "Q4_K_M"));
    let kept = converting(&work, &work.join("source-Q4_K_M.gguf"), "gguf", "kept", &[]).succeed().json();
    assert_eq!((&kept["reencoded_tensors"], &kept["loss"]["relative_error"]), (&0.into(), &0.0.into()));
    assert_eq!(GgufFile::read(&work.join("kept.gguf")).hashes(), source.hashes());
}

/// Q8_0 and Q4_0 as their specification has them: blocks of 32, a half-precision scale in front.
fn decoded(kind: u32, data: &[u8]) -> Vec<f64> {
    let half = |bytes: &[u8]| {
        let bits = u16::from_le_bytes([bytes[0], bytes[1]]);
        let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, f64::from(bits & 1023));
        let size = match exponent {
            0 => fraction * 2f64.powi(-24),
            _ => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
        };
        if sign == 1 { -size } else { size }
    };
    match kind {
        8 => data.chunks(34).flat_map(|b| b[2..].iter().map(move |q| f64::from(*q as i8) * half(b))).collect(),
        2 => {
            let block = |b: &[u8]| {
                let low = b[2..].iter().map(|q| i16::from(q & 15));
                let codes: Vec<i16> = low.chain(b[2..].iter().map(|q| i16::from(q >> 4))).collect();
                codes.into_iter().map(|q| f64::from(q - 8) * half(b)).collect::<Vec<_>>()
            };
            data.chunks(18).flat_map(block).collect()
        }
        other => panic!("type {other}"),
    }
}

#[test]
fn the_loss_is_that_of_all_weights() {
    let work = Workdir::new();
    let source = gguf(&work, "Q8_0");
    let done = converting(&work, &source, "gguf", "out", &["-q", "Q4_0", "--pure", "--force"]).succeed().json();
    let (before, after) = (GgufFile::read(&source), GgufFile::read(&work.join("out.gguf")));
    let (mut lost, mut all, mut weights, mut tensors, mut worst) = (0.0, 0.0, 0, 0, (0.0, String::new()));
    for old in before.tensors.iter().filter(|tensor| tensor.kind == 8) {
        let new = after.tensors.iter().find(|tensor| tensor.name == old.name).expect("the same names");
        let (old_values, new_values) = (decoded(old.kind, &old.data), decoded(new.kind, &new.data));
        assert_eq!(old_values.len(), new_values.len());
        let difference: f64 = old_values.iter().zip(&new_values).map(|(old, new)| (new - old).powi(2)).sum();
        let square: f64 = old_values.iter().map(|old| old.powi(2)).sum();
        (lost, all) = (lost + difference, all + square);
        (weights, tensors) = (weights + old_values.len() as u64, tensors + 1);
        if difference / square > worst.0 {
            worst = (difference / square, old.name.clone());
        }
    }
    let loss = &done["loss"];
    close(&loss["relative_squared_error"], lost / all, "loss");
    close(&loss["relative_error"], (lost / all).sqrt(), "its root");
    close(&loss["worst"]["relative_squared_error"], worst.0, "the worst tensor");
    assert_eq!((loss["tensors"].as_u64(), loss["weights"].as_u64()), (Some(tensors), Some(weights)));
    assert_eq!((&loss["worst"]["name"], &loss["worst"]["encoding"]), (&worst.1.into(), &"Q4_0".into()));
    // For people the same.
    let call = work.program(["convert", "-q", "Q4_0", "-n", "words", "--pure", "--force"]);
    let told = call.args([source.as_os_str(), "gguf".as_ref()]).succeed();
    let words = format!("Loss         relative error {:.4} against the input over ", (lost / all).sqrt());
    assert!(told.stdout.contains(&words) && told.stdout.contains("Input        "), "{}", told.stdout);
}

fn divergence(work: &Workdir, model: &Path, against: &Path) -> f64 {
    let call = work.program(["--format", "json", "evaluate", "--context", "64", "--chunks", "12"]);
    let call = call.args([model.as_os_str(), "--against".as_ref(), against.as_os_str(), "--data".as_ref()]);
    let call = call.args([text().as_os_str(), "--tokenizer".as_ref(), repository::tiny_model().as_os_str()]);
    call.succeed().json()["mean_kld"].as_f64().expect("a divergence")
}

#[test]
fn a_gptq_folder_becomes_a_gguf_file() {
    let work = Workdir::new();
    let source = gptq(&work, "4bit");
    let done = converting(&work, &source, "gguf", "out", &["-q", "Q8_0", "--force"]).succeed().json();
    assert_eq!((&done["input"]["format"], &done["validation_status"]), (&"gptq".into(), &"valid".into()));
    assert!(done["loss"]["relative_error"].as_f64().unwrap() < 0.01, "{}", done["loss"]);
    let file = work.join("out.gguf");
    let distance = divergence(&work, &file, &source);
    assert!(distance < 1e-4, "{distance}");
    assert_eq!(GgufFile::read(&file).string("tokenizer.ggml.model").as_deref(), Some("gpt2"));

    let Some(place) = judge::folder("a_gptq_folder_becomes_a_gguf_file") else { return };
    let held_out = repository::root().join("examples/tiny-model-text/valid-selfgen.txt");
    let perplexity = |file: &Path| {
        let words = ["ppl".as_ref(), file.as_os_str(), held_out.as_os_str(), "256".as_ref(), "6".as_ref()];
        judge::ask(&place, words)["perplexity"].as_f64().expect("a number")
    };
    let (found, original) = (perplexity(&file), perplexity(&gguf(&work, "F16")));
    assert!(found / original < 1.05 && found / original > 0.97, "{found} against {original}");
}

/// The statistics come from the file's own weights and tokenizer, the folder is complete.
#[test]
fn a_gguf_file_becomes_a_gptq_folder() {
    let work = Workdir::new();
    let (source, original) = (gguf(&work, "Q8_0"), repository::tiny_model());
    let call = converting(&work, &source, "gptq", "out", &["-q", "4bit", "--group-size", "32", "--force"]).args(TEXT);
    let done = call.args(["--calibration-data"]).args([text()]).succeed().json();
    assert_eq!((&done["input"]["level"], &done["quantization_level"]), (&"Q8_0".into(), &"4bit".into()));
    let loss = done["loss"]["relative_error"].as_f64().unwrap();
    assert!(loss > 0.02 && loss < 0.25, "{loss}");
    let listing = work.listing("out");
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        assert!(listing.iter().any(|file| file == name), "{name} is missing: {listing:?}");
    }
    let distance = divergence(&work, &work.join("out"), &original);
    assert!(distance < 0.03, "{distance}");

    let open = |folder: &Path| Tokenizer::from_file(folder.join("tokenizer.json")).expect("a tokenizer");
    let (before, after) = (open(&original), open(&work.join("out")));
    for line in std::fs::read_to_string(text()).unwrap().lines() {
        let ids = |tokenizer: &Tokenizer| tokenizer.encode(line, true).unwrap().get_ids().to_vec();
        assert_eq!(ids(&after), ids(&before), "{line}");
    }
    // There and back again: the vocabulary is the one of the beginning.
    converting(&work, &work.join("out"), "gguf", "back", &["-q", "Q8_0", "--force"]).succeed();
    let (first, last) = (GgufFile::read(&source), GgufFile::read(&work.join("back.gguf")));
    let vocabulary = |file: &GgufFile| {
        let keys = file.keys.iter().filter(|(key, ..)| key.starts_with("tokenizer.")).cloned();
        let mut keys: Vec<_> = keys.collect();
        keys.sort();
        keys
    };
    assert_eq!(vocabulary(&last), vocabulary(&first));
}

#[test]
fn conversions_that_do_not_exist_end_with_8() {
    let work = Workdir::new();
    std::fs::write(work.join("notes.txt"), "no model").unwrap();
    let unknown = converting(&work, &work.join("notes.txt"), "gguf", "out", &[]).run();
    assert_eq!((unknown.code, &unknown.json()["error_type"]), (8, &"UnsupportedConversionError".into()), "{unknown:?}");
    let absent = converting(&work, &work.join("absent.gguf"), "gguf", "out", &[]).run();
    assert_eq!(absent.code, 3, "{absent:?}");
    let format = converting(&work, &work.join("notes.txt"), "nonsense", "out", &[]).run();
    assert_eq!(format.code, 2, "{format:?}");
    let level = converting(&work, &gguf(&work, "Q4_0"), "gguf", "out", &["-q", "Q9", "--force"]).run();
    assert!(level.code == 2 && level.stderr.contains("Q9"), "{level:?}");
    std::fs::remove_file(work.join("notes.txt")).unwrap();
    assert!(results(&work).is_empty(), "{:?}", results(&work));
}

/// A backend of which this program knows nothing but the interface, as target and as source.
#[test]
fn a_third_party_s_format_is_converted_to_and_from() {
    let work = Workdir::new();
    let source = gguf(&work, "Q8_0");
    std::fs::create_dir(work.join("source-plugins")).unwrap();
    std::fs::copy(example_plugin::int8(), work.join("source-plugins/libllmq_int8.so")).unwrap();
    let with = ["--plugin-dir", "source-plugins", "--force"];
    let there = converting(&work, &source, "int8", "out", &with).succeed().json();
    assert_eq!(there["input"]["format"], "gguf");
    assert!(there["loss"]["relative_error"].as_f64().unwrap() < 0.02, "{}", there["loss"]);
    let back = converting(&work, &work.join("out"), "gguf", "back", &with).succeed().json();
    assert_eq!((&back["input"]["format"], &back["quantization_level"]), (&"int8".into(), &"Q8_0".into()));
    assert!(divergence(&work, &work.join("back.gguf"), &source) < 1e-3);
}

/// Starts a job, sends Ctrl-C once a file is there, and waits for the end.
fn stopped(call: Program, file: &Path) -> Outcome {
    let child = call.start();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !file.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(file.exists(), "{} never came", file.display());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Outcome::from(child.wait_with_output().unwrap())
}

#[test]
fn stopped_and_resumed_gives_the_same_bytes_and_the_same_loss() {
    let work = Workdir::new();
    let mut synthesize = Command::new(env!("CARGO_BIN_EXE_synthesize"));
    synthesize
        .arg(work.join("source-model"))
        .args("--layers 6 --hidden 256 --ffn 512 --heads 4 --vocab 8000".split(' '));
    assert!(synthesize.status().unwrap().success());
    let source = work.join("source-Q8_0.gguf");
    let make =
        work.program(["quantize", "source-model", "gguf", "-q", "Q8_0", "-n", "source-Q8_0", "--no-checkpoints"]);
    make.succeed();
    let convert = |name: &str, more: &[&str]| {
        let call = converting(&work, &source, "gguf", name, &["-q", "Q4_K_M", "--force", "--threads", "1"]);
        call.args(more)
    };
    let whole = convert("whole", &[]).succeed().json();
    let outcome = stopped(convert("out", &[]), &work.join(".checkpoint/out.gguf/journal.jsonl"));
    if !work.join("out.gguf").exists() {
        assert_eq!(outcome.code, 130, "{outcome:?}");
        let resumed = convert("out", &["--resume"]).succeed().json();
        assert_eq!(resumed["loss"], whole["loss"]);
    }
    assert!(std::fs::read(work.join("out.gguf")).unwrap() == std::fs::read(work.join("whole.gguf")).unwrap());
    assert!(!work.join(".checkpoint").exists());
}
