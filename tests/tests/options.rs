//! The options of llama-quantize through the real binary: whole files as the reference writes them, and every mistake
//! refused before work.

use llmq_tests::{Workdir, golden, judge, repository, synthetic};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of model, precision of the reference's input, level, hash of the reference's file, options.
const CASES: &str = include_str!("../golden/options.txt");

/// Nine layers, so that the mixture's eighths are not empty, with an output head of its own.
const NINE_LAYERS: synthetic::Shape =
    synthetic::Shape { layers: 9, hidden: 256, ffn: 512, heads: 8, kv_heads: 4, vocab: 2048 };

fn model(work: &Workdir, name: &str) -> PathBuf {
    if name != "nine-layers" {
        return golden::model(name);
    }
    let folder = work.join("nine-layers");
    if !folder.exists() {
        synthetic::write_model(&folder, &NINE_LAYERS, false).unwrap();
    }
    folder
}

fn quantize(work: &Workdir, folder: &Path, level: &str, name: &str, options: &[&str]) {
    work.program(["quantize", "-q", level, "-n", name])
        .args([folder.as_os_str(), "gguf".as_ref()])
        .args(options)
        .succeed();
}

/// The first 24 hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// What the reference makes of a GGUF file.
fn theirs(work: &Workdir, judge: &Path, source: &Path, level: &str, options: &[&str]) -> Vec<u8> {
    let output = Command::new("python3")
        .arg(repository::root().join("tests/judge/llama_quantize.py"))
        .args([source, &work.join("theirs.gguf")])
        .args([
            level.as_ref(),
            judge.join("node_modules/@node-llama-cpp/linux-x64/bins/linux-x64").as_os_str(),
            "2".as_ref(),
        ])
        .args(options)
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{level} {options:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(work.join("theirs.gguf")).unwrap()
}

/// The source was made with importance weights: its keys about them move to the end where they are set anew.
#[test]
fn gguf_sources_follow_the_options_too() {
    let work = Workdir::new();
    let matrix = |form: &str| repository::root().join("tests/imatrix").join(form).display().to_string();
    let (first, second) = (matrix("tiny-model.gguf"), matrix("tiny-model.dat"));
    quantize(&work, &repository::tiny_model(), "Q4_K_M", "source", &["--imatrix", &first]);
    let (source, place) = (work.join("source.gguf"), judge::folder("options of llama-quantize"));
    let anew = ["--allow-requantize", "--imatrix", &second];
    let mut wrong = Vec::new();
    for (level, expected, options) in [
        ("COPY", "186e15c50f3b47ecfb1811de", &["--prune-layers", "0", "--override-kv", "general.name=str:X"][..]),
        ("Q2_K", "96480897b732cadc79b9ec95", &["--allow-requantize", "--pure", "--prune-layers", "1"]),
        (
            "Q3_K_M",
            "538ff52e6174f75f95c58c31",
            &[&anew[..], &["--leave-output-tensor", "--tensor-type", "attn_v=Q5_K"]].concat(),
        ),
        (
            "IQ2_XS",
            "3c8bd659d442becc556f06a0",
            &[&anew[..], &["--prune-layers", "0", "--override-kv", "a.b=int:3"]].concat(),
        ),
    ] {
        quantize(&work, &source, level, "ours", options);
        let ours = std::fs::read(work.join("ours.gguf")).unwrap();
        if hash(&ours) != expected {
            wrong.push(format!("{level} {options:?}: {}", hash(&ours)));
        }
        if place.as_ref().is_some_and(|place| theirs(&work, place, &source, level, options) != ours) {
            wrong.push(format!("{level} {options:?}: differs from llama-quantize"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_equal_those_of_llama_quantize_with_the_same_options() {
    let work = Workdir::new();
    let place = judge::folder("options of llama-quantize");
    let matrix = repository::root().join("tests/imatrix/tiny-model.gguf");
    let matrix = matrix.to_str().unwrap();
    let mut wrong = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, precision, level, expected, options @ ..] = &words[..] else { panic!("{line}") };
        let options: Vec<&str> = options.iter().map(|word| if *word == "MATRIX" { matrix } else { word }).collect();
        let folder = model(&work, name);
        quantize(&work, &folder, level, "ours", &options);
        let ours = std::fs::read(work.join("ours.gguf")).unwrap();
        if hash(&ours) != *expected {
            wrong.push(format!("{line}: {}", hash(&ours)));
        }
        if let Some(place) = &place {
            let source = work.join(&format!("{name}-{precision}.gguf"));
            if !source.exists() {
                quantize(&work, &folder, precision, &format!("{name}-{precision}"), &[]);
            }
            if theirs(&work, place, &source, level, &options) != ours {
                wrong.push(format!("{line}: differs from llama-quantize"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_plan_shows_who_chose_what() {
    let work = Workdir::new();
    let line = "--format json quantize -q Q4_K_M --dry-run --tensor-type role:ffn_down/layers:last1=Q8_0 \
                --token-embedding-type Q5_0 --override-kv general.name=str:Other";
    let plan = work.program(line.split_whitespace()).args([repository::tiny_model().as_os_str(), "gguf".as_ref()]);
    let plan = plan.succeed().json();
    let tensor = |name: &str| {
        let tensors = plan["tensors"].as_array().unwrap();
        let found = tensors.iter().find(|tensor| tensor["name"] == name).unwrap();
        (found["encoding"].as_str().unwrap(), found["note"].as_str().unwrap_or_default())
    };
    assert_eq!(tensor("blk.0.ffn_down.weight"), ("Q4_K", ""));
    assert_eq!(tensor("blk.1.ffn_down.weight"), ("Q8_0", "chosen for this job; the level gives Q6_K"));
    assert_eq!(tensor("token_embd.weight"), ("Q5_0", "by --token-embedding-type"));
    let notes = plan["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note == r#"metadata `general.name` is "Other", not "Tiny Model""#), "{notes:?}");
}

#[test]
fn mistakes_are_refused_with_what_was_probably_meant() {
    let work = Workdir::new();
    for (options, words, hint) in [
        ("--tensor-type atn_v=Q8_0", "selects no tensor of this model", "Did you mean `attn_v`?"),
        ("--tensor-type attn_v=Q6_L", "`Q6_L` is not a type", "Did you mean"),
        ("--tensor-type attn_(v=Q8_0", "not a regular expression", ""),
        ("--tensor-type attn_norm=Q8_0", "selects only tensors whose type is not free", "--dry-run"),
        ("--tensor-type role:attn_w=Q8_0", "it has no role `attn_w`", "Did you mean `attn_"),
        ("--tensor-type layers:0-7=Q8_0", "it has no layer 7", "0 to 1"),
        ("--tensor-type-file nowhere", "cannot be read", ""),
        ("--tensor-type token_embd=Q8_0 --token-embedding-type Q8_0", "`token_embd.weight` is Q8_0 (by --token", ""),
        ("--output-tensor-type Q9_K", "`Q9_K`, which is not a type", "did you mean Q"),
        ("--token-embedding-type F32 --prune-layers 2", "no layer 2", "layers 0 to 1"),
        ("--prune-layers 0-1", "nothing would remain", ""),
        ("--leave-output-tensor --output-tensor-type Q8_0", "contradict each other", ""),
        ("--override-kv general.name=int:3", "holds a text", ""),
        ("--override-kv general.name", "KEY=TYPE:VALUE", "general.name=str:Tiny"),
    ] {
        let call = work.program(["quantize", "-q", "Q4_K_M", "-n", "m"]);
        let call = call.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]);
        let outcome = call.args(options.split(' ')).run();
        assert_eq!(outcome.code, 2, "{options}: {outcome:?}");
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains(hint), "{options}: {}", outcome.stderr);
    }
    assert!(work.listing(".").iter().all(|file| !file.starts_with("m.gguf")), "{:?}", work.listing("."));
}

#[test]
fn a_type_that_needs_importance_weights_is_refused_by_tensor() {
    let work = Workdir::new();
    let call = work.program(["quantize", "-q", "Q4_K_M", "-n", "m", "--tensor-type", "ffn_down=IQ2_XS"]);
    let outcome = call.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]).run();
    assert_eq!(outcome.code, 2, "{outcome:?}");
    for layer in 0..2 {
        let words = format!("blk.{layer}.ffn_down.weight (IQ2_XS): no importance data");
        assert!(outcome.stderr.contains(&words), "{words}: {}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("--imatrix FILE"), "{}", outcome.stderr);
    assert!(work.listing(".").iter().all(|file| !file.starts_with("m.gguf")), "{:?}", work.listing("."));
}

#[test]
fn rows_that_are_not_whole_blocks_are_noted_or_refused_as_in_the_reference() {
    let work = Workdir::new();
    let folder = work.join("odd");
    let odd = synthetic::Shape { layers: 1, hidden: 288, ffn: 320, heads: 9, kv_heads: 9, vocab: 2048 };
    synthetic::write_model(&folder, &odd, false).unwrap();
    let call = |options: &str| {
        let call = work.program(["--format", "json", "quantize", "-q", "Q8_0", "--dry-run"]);
        call.args([folder.as_os_str(), "gguf".as_ref()]).args(options.split(' ')).run()
    };
    let plan = call("--tensor-type attn_q=Q6_K").json();
    let tensors = plan["tensors"].as_array().unwrap().clone();
    let query = tensors.iter().find(|tensor| tensor["name"] == "blk.0.attn_q.weight").unwrap();
    assert_eq!(query["encoding"], "Q8_0");
    assert_eq!(query["note"], "Q8_0 instead of Q6_K: rows of 288 are not whole blocks of 256");
    let refused = call("--output-tensor-type Q6_K");
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("`output.weight` has rows of 288, which are not whole blocks of 256"),
        "{refused:?}"
    );
}

#[test]
fn a_tensor_coarser_than_its_level_is_no_fault() {
    let work = Workdir::new();
    let tiny = repository::tiny_model();
    quantize(&work, &tiny, "Q8_0", "m", &["--tensor-type", "ffn_up=TQ1_0"]);
    assert!(work.join("m.gguf").exists());
}
