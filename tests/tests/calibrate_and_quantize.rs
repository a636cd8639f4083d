//! From a text to a quantized file in one command: the same bytes as `analyze` and `quantize` one after the other, stopped
//! and resumed or not; and statistics folders as what a job is given.

use llmq_tests::{Outcome, Program, Workdir, gguf_file::GgufFile, golden, judge, repository};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the metadata says instead of a file's name.
const LABEL: &str = "calibrated by llm-quantize";
const TEXT: [&str; 4] = ["--calibration-seqlen", "64", "--calibration-samples", "12"];

fn text() -> PathBuf {
    golden::path("tiny-model.text.txt")
}

fn calibrating(work: &Workdir, model: &Path, level: &str, name: &str) -> Program {
    let call = work.program(["quantize", "-q", level, "-n", name]).args(TEXT);
    call.args([model.as_os_str(), "gguf".as_ref(), "--calibration-data".as_ref(), text().as_os_str()])
}

fn analyze(work: &Workdir, model: &Path) -> Program {
    let call = work.program(["analyze"]).args(TEXT);
    call.args([model.as_os_str(), "--calibration-data".as_ref(), text().as_os_str()])
}

/// What lies in the folder but the cache of plugins.
fn results(work: &Workdir) -> Vec<String> {
    work.listing(".").into_iter().filter(|name| name != ".cache").collect()
}

fn bytes(work: &Workdir, name: &str) -> Vec<u8> {
    std::fs::read(work.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The bytes of a file with another word where its importance weights come from. Both files must have the word in
/// metadata of one length, so only its own bytes differ.
fn renamed(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let word = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let (from, to) = (word(from), word(to));
    let at = file.windows(from.len()).position(|bytes| bytes == from).expect("the name is in the metadata");
    [&file[..at], &to[..], &file[at + from.len()..]].concat()
}

#[test]
fn one_command_is_two() {
    for model in ["tiny-model", "mixtral"] {
        let (work, model) = (Workdir::new(), golden::model(model));
        // As long as the label, so that whole files can be compared.
        let matrix = "importance-of-tiny-x.gguf!";
        assert_eq!(matrix.len(), LABEL.len());
        analyze(&work, &model).args(["--imatrix-form", "gguf", "--imatrix", matrix]).succeed();
        for level in ["IQ2_XS", "Q4_K_M"] {
            let two = work.program(["quantize", "-q", level, "-n", "two", "--imatrix", matrix]);
            let even: &[&str] = if level == "IQ2_XS" { &["--missing-importance", "even"] } else { &[] };
            two.args([model.as_os_str(), "gguf".as_ref()]).args(even).succeed();
            let expected = renamed(&bytes(&work, "two.gguf"), matrix, LABEL);
            for (name, more) in [("one", &[][..]), ("free", &["--no-checkpoints"][..])] {
                let outcome = calibrating(&work, &model, level, name).args(even).args(more).succeed();
                assert!(outcome.stderr.contains("Calibrating"), "{}", outcome.stderr);
                assert!(bytes(&work, &format!("{name}.gguf")) == expected, "{level} {name}: other bytes");
            }
        }
        let left = work.listing(".");
        assert!(left.iter().all(|name| !name.contains("statistics") && !name.contains("partial")), "{left:?}");
        assert!(!work.join(".checkpoint").exists());
    }
}

/// The job sees the file as it is stored, the pass sees it in Hugging Face's words.
#[test]
fn a_gguf_source_is_calibrated_as_well() {
    let (work, model) = (Workdir::new(), golden::model("tiny-model"));
    work.program(["quantize", "-q", "BF16", "-n", "source"]).args([model.as_os_str(), "gguf".as_ref()]).succeed();
    let source = work.join("source.gguf");
    let tokenizer = ["--tokenizer".as_ref(), model.as_os_str()];
    analyze(&work, &source).args(tokenizer).args(["--imatrix", "m.gguf"]).succeed();
    let two = work.program(["quantize", "-q", "IQ2_XS", "-n", "two", "--imatrix", "m.gguf"]);
    two.args([source.as_os_str(), "gguf".as_ref()]).succeed();
    // The tokenizer rebuilt from the file is as good as the original.
    calibrating(&work, &source, "IQ2_XS", "one").succeed();
    let (one, two) = (GgufFile::read(&work.join("one.gguf")), GgufFile::read(&work.join("two.gguf")));
    assert_eq!(one.hashes(), two.hashes());
    // A folder is by other names than those of the file.
    analyze(&work, &source).args(tokenizer).args(["--statistics", "kept"]).succeed();
    let folder = work.program(["quantize", "-q", "IQ2_XS", "--statistics", "kept"]);
    let folder = folder.args([source.as_os_str(), "gguf".as_ref()]).run();
    assert!(folder.code == 2 && folder.stderr.contains("is read as it is stored"), "{folder:?}");
}

#[test]
fn the_plan_is_shown_without_running_the_model() {
    let (work, model) = (Workdir::new(), golden::model("tiny-model"));
    let planned = calibrating(&work, &model, "IQ2_XS", "m").args(["--dry-run", "--format", "json"]).succeed();
    assert!(!planned.stderr.contains("Calibrating"), "{}", planned.stderr);
    let plan = planned.json();
    assert_eq!(plan["statistics"]["files"], serde_json::json!([LABEL]));
    assert_eq!(plan["statistics"]["entries"], 14);
    assert!(results(&work).is_empty(), "{:?}", results(&work));
    let done = calibrating(&work, &model, "IQ2_XS", "m").args(["--format", "json"]).succeed().json();
    assert_eq!((&done["file_size"], &done["statistics"]), (&plan["file_size"], &plan["statistics"]));
    let file = GgufFile::read(&work.join("m.gguf"));
    assert_eq!(file.string("quantize.imatrix.file").as_deref(), Some(LABEL));
    assert_eq!(file.string("quantize.imatrix.dataset").as_deref(), Some("tiny-model.text.txt"), "without its folder");
    // A saved plan runs with a calibration of its own.
    calibrating(&work, &model, "IQ2_XS", "m").args(["--save-plan", "plan.toml"]).succeed();
    let run = work.program(["quantize", "--plan", "plan.toml", "-n", "again"]).args(TEXT);
    run.args([model.as_os_str(), "gguf".as_ref(), "--calibration-data".as_ref(), text().as_os_str()]).succeed();
    assert!(bytes(&work, "again.gguf") == bytes(&work, "m.gguf"));
}

/// A model that takes a while: 6 layers.
fn synthesized(work: &Workdir) -> PathBuf {
    let model = work.join("model");
    let mut synthesize = Command::new(env!("CARGO_BIN_EXE_synthesize"));
    synthesize.arg(&model).args("--layers 6 --hidden 256 --ffn 512 --heads 4 --vocab 8000".split(' '));
    assert!(synthesize.status().unwrap().success());
    model
}

/// Starts a job, sends Ctrl-C once a file is there, and waits for the end.
fn stopped(call: Program, file: &Path) -> Outcome {
    let child = call.start();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !file.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(file.exists(), "{} never came", file.display());
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    Outcome::from(child.wait_with_output().unwrap())
}

#[test]
#[cfg(unix)]
fn stopped_while_calibrating_and_resumed_gives_the_same_bytes() {
    let work = Workdir::new();
    let model = synthesized(&work);
    calibrating(&work, &model, "IQ3_XXS", "whole").succeed();
    let first = work.join(".checkpoint/m.gguf/statistics/layer.1.safetensors");
    let outcome = stopped(calibrating(&work, &model, "IQ3_XXS", "m"), &first);
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert!(outcome.stderr.contains("Finished layers are kept"), "{outcome:?}");
    assert!(!work.join("m.gguf").exists());
    let kept = std::fs::metadata(&first).unwrap().modified().unwrap();
    // Another text is another job: it may not go on with these statistics.
    let other = calibrating(&work, &model, "IQ3_XXS", "m").args(["--calibration-shuffle", "1", "--resume"]).run();
    assert_eq!(other.code, 7, "{other:?}");
    assert_eq!(std::fs::metadata(&first).unwrap().modified().unwrap(), kept, "not touched");

    let second = work.join(".checkpoint/m.gguf/journal.jsonl");
    let outcome = stopped(calibrating(&work, &model, "IQ3_XXS", "m").args(["--resume"]), &second);
    if !work.join("m.gguf").exists() {
        assert_eq!(outcome.code, 130, "{outcome:?}");
        assert_eq!(std::fs::metadata(&first).unwrap().modified().unwrap(), kept, "not gathered again");
        let resumed = calibrating(&work, &model, "IQ3_XXS", "m").args(["--resume"]).succeed();
        assert!(resumed.stderr.contains("An earlier run of this calibration had finished"), "{}", resumed.stderr);
    }
    assert!(bytes(&work, "m.gguf") == bytes(&work, "whole.gguf"), "other bytes than undisturbed");
    assert!(!work.join(".checkpoint").exists(), "nothing stays");
}

#[test]
fn a_statistics_folder_is_what_its_importance_matrix_is() {
    let (work, model) = (Workdir::new(), golden::model("tiny-model"));
    analyze(&work, &model).args(["--statistics", "kept", "--imatrix", "kept.gguf", "--process-output"]).succeed();
    let quantize = |how: &str, name: &str, file: &str| {
        work.program(["quantize", "-q", "IQ2_XS", "-n", name, how, file]).args([model.as_os_str(), "gguf".as_ref()])
    };
    quantize("--statistics", "folder", "kept").succeed();
    quantize("--imatrix", "file", "kept.gguf").succeed();
    let (folder, file) = (GgufFile::read(&work.join("folder.gguf")), GgufFile::read(&work.join("file.gguf")));
    assert_eq!(folder.hashes(), file.hashes());
    assert_eq!(folder.string("quantize.imatrix.file").as_deref(), Some("kept"));

    let both = quantize("--statistics", "both", "kept").args(["--imatrix", "kept.gguf"]).run();
    assert_eq!(both.code, 2, "{both:?}");
    let copy = work.copy_of_tiny_model();
    let config = copy.join("config.json");
    let changed = std::fs::read_to_string(&config).unwrap().replacen('{', "{\"_comment\": 1,", 1);
    std::fs::write(&config, changed).unwrap();
    let other = work.program(["quantize", "-q", "IQ2_XS", "--statistics", "kept"]);
    let other = other.args([copy.as_os_str(), "gguf".as_ref()]).run();
    assert!(other.code == 2 && other.stderr.contains("are of another model"), "{other:?}");

    let manifest = work.join("kept/statistics.json");
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    document["units"].as_array_mut().unwrap().retain(|unit| unit["id"] != "layer.1");
    std::fs::write(&manifest, serde_json::to_vec(&document).unwrap()).unwrap();
    let cut = quantize("--statistics", "cut", "kept").run();
    assert!(cut.code == 2 && cut.stderr.contains("1 of 3 units are missing (layer.1)"), "{cut:?}");
    let none = quantize("--statistics", "none", "kept.gguf").run();
    assert!(none.code == 2 && none.stderr.contains("is no statistics folder"), "{none:?}");
}

#[test]
fn what_has_no_effect_is_said_and_what_is_missing_is_named() {
    let (work, model) = (Workdir::new(), repository::tiny_model());
    analyze(&work, &golden::model("tiny-model")).args(["--imatrix", "m.gguf"]).succeed();
    let given = calibrating(&work, &model, "IQ2_XS", "m").args(["--imatrix", "m.gguf", "--dry-run"]).succeed();
    let words = "--calibration-data, --calibration-samples and --calibration-seqlen have no effect: --imatrix gives";
    assert!(given.stderr.contains(words), "{}", given.stderr);
    let call = |level: &str, more: &[&str]| {
        let call = work.program(["quantize", "-q", level, "--dry-run"]).args(more);
        call.args([model.as_os_str(), "gguf".as_ref()]).run()
    };
    let without = call("Q4_K_M", &["--calibration-shuffle", "1"]);
    assert!(
        without.stderr.contains("--calibration-shuffle has no effect: there is no --calibration-data"),
        "{without:?}"
    );
    let refused = call("IQ2_XS", &[]);
    assert!(refused.code == 2 && refused.stderr.contains("--calibration-data TEXT"), "{refused:?}");
    let absent = calibrating(&work, &model, "IQ2_XS", "m").args(["--calibration-data", "absent.txt"]).run();
    assert!(absent.code == 2 && absent.stderr.contains("absent.txt"), "{absent:?}");
    assert_eq!(results(&work), ["m.gguf"]);
}

#[test]
fn stock_llama_cpp_loads_it() {
    let Some(place) = judge::folder("stock_llama_cpp_loads_it") else { return };
    let work = Workdir::new();
    let model = golden::model("tiny-model");
    calibrating(&work, &model, "IQ2_XS", "m").succeed();
    let held_out = repository::root().join("examples/tiny-model-text/valid-selfgen.txt");
    let file = work.join("m.gguf");
    let words = ["ppl".as_ref(), file.as_os_str(), held_out.as_os_str(), "256".as_ref(), "6".as_ref()];
    let perplexity = judge::ask(&place, words)["perplexity"].as_f64().expect("a number");
    assert!(perplexity.is_finite() && perplexity > 1.0, "{perplexity}");
}
