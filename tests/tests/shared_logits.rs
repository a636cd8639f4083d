//! Wider than the committed models: log-probabilities in stock llama.cpp of every small model with a reference run of
//! transformers (`models/arch/<model>/reference.npz`) in a folder named by `LLMQ_SHARED`.

use llmq_tests::{Workdir, judge};
use ndarray::{Array2, Array3, ArrayView1};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Largest difference of log-probabilities above -12. llama.cpp's attention works partly in half precision: files of the
/// reference converter give up to 6.7e-3.
const LARGEST: f64 = 1e-2;
/// Mean Kullback-Leibler divergence per position; files of the reference converter give up to 6e-7.
const MEAN_KL: f64 = 1e-5;

/// Models that llama.cpp itself computes differently, whatever is in the file, and why.
const COMPUTED_OTHERWISE: &[(&str, &str)] = &[
    ("smollm3", "llama.cpp rotates all layers but every fourth, whatever no_rope_layers says"),
    (
        "phi3-longrope",
        "llama.cpp chooses the factors by the size of its context, transformers by the length of the text",
    ),
];

struct Judged {
    model: String,
    largest: f64,
    mean_kl: f64,
}

#[test]
fn every_shared_model_has_the_logits_of_transformers() {
    let Some(shared) = std::env::var_os("LLMQ_SHARED").map(PathBuf::from) else {
        eprintln!("SKIPPED every_shared_model_has_the_logits_of_transformers: LLMQ_SHARED is not set");
        return;
    };
    let Some(place) = judge::folder("shared_logits") else { return };
    let (mut judged, mut refused) = (Vec::new(), Vec::new());
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(shared.join("models/arch")).expect("models").map(|e| e.expect("readable").path()).collect();
    folders.sort();
    for folder in folders.iter().filter(|f| f.join("reference.npz").is_file()) {
        let model = folder.file_name().expect("a name").to_string_lossy().into_owned();
        match judge_one(&place, folder) {
            Ok((largest, mean_kl)) => {
                println!("{model}: largest {largest:.2e}, mean KL {mean_kl:.2e}");
                judged.push(Judged { model, largest, mean_kl });
            }
            Err(sentence) => refused.push(format!("{model}: {sentence}")),
        }
    }
    println!("refused: {refused:#?}");
    let known = |model: &str| COMPUTED_OTHERWISE.iter().any(|(name, _)| *name == model);
    let beyond: Vec<String> = judged
        .iter()
        .filter(|j| !(known(&j.model) || j.largest < LARGEST && j.mean_kl < MEAN_KL))
        .map(|j| format!("{}: largest {:.2e}, mean KL {:.2e}", j.model, j.largest, j.mean_kl))
        .collect();
    assert!(refused.is_empty(), "not converted: {refused:#?}");
    assert!(beyond.is_empty(), "{beyond:#?}");
    assert!(judged.len() > 20, "the models were found");
}

fn judge_one(place: &Path, folder: &Path) -> Result<(f64, f64), String> {
    let work = Workdir::new();
    // Under a name with `phi3` llama.cpp looks for tokens that not every vocabulary has.
    let call = work.program(["quantize", "-q", "F32", "-n", "out", "--name", "judged"]);
    let outcome = call.args([folder.as_os_str(), "gguf".as_ref()]).run();
    if outcome.code != 0 {
        return Err(outcome.stderr.lines().find(|l| l.starts_with("error")).unwrap_or("").to_owned());
    }
    let mut reference = NpzReader::new(File::open(folder.join("reference.npz")).expect("readable")).expect("an npz");
    let ids: Array2<i64> = reference.by_name("input_ids").expect("ids");
    let logits: Array3<f32> = reference.by_name("logits").expect("logits");
    let (ids_file, out) = (work.join("ids.json"), work.join("logprobs.f32"));
    std::fs::write(&ids_file, serde_json::to_vec(&ids.row(0).to_vec()).expect("JSON")).expect("written");
    let gguf = work.join("out.gguf");
    let question = ["logprobs".as_ref(), gguf.as_os_str(), ids_file.as_os_str(), out.as_os_str()];
    let vocab = judge::ask(place, question)["vocab"].as_u64().expect("a number") as usize;
    let bytes = std::fs::read(&out).expect("an answer");
    let ours: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let positions = logits.shape()[1];
    assert_eq!(ours.len(), positions * vocab, "{}", folder.display());
    let (mut largest, mut kl) = (0f64, 0f64);
    for (position, ours) in ours.chunks(vocab).enumerate() {
        let theirs = log_softmax(logits.slice(ndarray::s![0, position, ..vocab]));
        for (a, b) in ours.iter().zip(&theirs) {
            let (a, b) = (f64::from(*a), *b);
            if b > -12.0 {
                largest = largest.max((a - b).abs());
            }
            kl += b.exp() * (b - a.max(-60.0));
        }
    }
    Ok((largest, kl / positions as f64))
}

fn log_softmax(row: ArrayView1<f32>) -> Vec<f64> {
    let top = row.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = row.iter().map(|l| f64::from(l - top).exp()).sum();
    row.iter().map(|l| f64::from(l - top) - sum.ln()).collect()
}
