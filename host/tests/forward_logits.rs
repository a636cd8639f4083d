//! The forward pass against transformers' logits: the committed models always, and every model with a reference run
//! (`models/arch/<model>/reference.npz`, the trained ones) in a folder named by `LLMQ_SHARED`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // figures of a test run

use llm_quantize::model::Model;
use llm_quantize::network::{SourceRows, network};
use llmq_forward::{Batch, Cpu, Nobody, Rows, embed, final_norm, logits, run_layer};
use ndarray::{Array2, Array3};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Largest difference of logits, the mean of each position taken off.
const LARGEST: f32 = 1e-3;

fn forward(folder: &Path, tokens: &[u32]) -> Result<Rows, String> {
    let model = Model::open(folder).map_err(|e| e.to_string())?;
    let network = network(model.description()).map_err(|e| e.message)?;
    let weights = SourceRows(&model);
    let batch = Batch { length: tokens.len(), weights: &weights };
    let run = || {
        let mut states = embed(&network.embedding, tokens, tokens.len(), &weights)?;
        for layer in &network.layers {
            states = run_layer(&Cpu::default(), layer, batch, states, &mut Nobody)?;
        }
        let normed = final_norm(&Cpu::default(), &network, states, &weights)?;
        logits(&Cpu::default(), &network.head, normed, &weights, &mut Nobody)
    };
    run().map_err(|e| e.to_string())
}

/// Largest difference, the mean of each position taken off.
fn difference(ours: &[f32], theirs: &[f32], vocab: usize) -> f32 {
    let centred = |row: &[f32]| {
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64;
        row.iter().map(|x| (f64::from(*x) - mean) as f32).collect::<Vec<_>>()
    };
    assert_eq!(ours.len(), theirs.len());
    let rows = ours.chunks_exact(vocab).zip(theirs.chunks_exact(vocab));
    rows.flat_map(|(ours, theirs)| centred(ours).into_iter().zip(centred(theirs)))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |largest, d| if d.is_nan() { f32::INFINITY } else { d.max(largest) })
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent").to_owned()
}

#[test]
fn committed_models_have_the_logits_of_transformers() {
    for model in ["gemma2", "gpt2", "llama-rope-llama3", "mistral", "mixtral", "phi2", "qwen2", "qwen3"] {
        let golden = |end: &str| repository().join(format!("tests/golden/{model}.{end}"));
        let tokens: Vec<u32> = serde_json::from_slice(&std::fs::read(golden("ids.json")).unwrap()).unwrap();
        let bytes = std::fs::read(golden("logits.f32")).unwrap();
        let theirs: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let ours = forward(&repository().join("tests/models").join(model), &tokens).unwrap();
        let largest = difference(&ours.values, &theirs, ours.columns);
        assert!(largest < LARGEST, "{model}: {largest:.2e}");
    }
}

#[test]
fn shared_models_have_the_logits_of_transformers() {
    let Some(shared) = std::env::var_os("LLMQ_SHARED").map(PathBuf::from) else {
        eprintln!("SKIPPED shared_models_have_the_logits_of_transformers: LLMQ_SHARED is not set");
        return;
    };
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(shared.join("models/arch")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.extend(["trained", "trained-mini"].map(|model| shared.join("models").join(model)));
    folders.sort();
    let (mut seen, mut beyond) = (0, Vec::new());
    for folder in folders.iter().filter(|f| f.join("reference.npz").is_file()) {
        let mut reference = NpzReader::new(File::open(folder.join("reference.npz")).unwrap()).unwrap();
        let ids: Array2<i64> = reference.by_name("input_ids").unwrap();
        let theirs: Array3<f32> = reference.by_name("logits").unwrap();
        let tokens: Vec<u32> = ids.row(0).iter().map(|id| *id as u32).collect();
        let name = folder.file_name().unwrap().to_string_lossy();
        match forward(folder, &tokens) {
            Ok(ours) => {
                let largest = difference(&ours.values, theirs.as_slice().unwrap(), ours.columns);
                println!("{name}: {largest:.2e}");
                if largest >= LARGEST {
                    beyond.push(format!("{name}: {largest:.2e}"));
                }
            }
            Err(sentence) => beyond.push(format!("{name}: {sentence}")),
        }
        seen += 1;
    }
    assert!(beyond.is_empty(), "{beyond:#?}");
    assert!(seen > 30, "the models were found");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let tokens: Vec<u32> = (0..200).map(|i| i * 7 % 300).collect();
    let folder = repository().join("tests/models/mixtral");
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| forward(&folder, &tokens).unwrap())
    };
    let one = run(1);
    assert!(one.values.iter().all(|x| x.is_finite()));
    assert_eq!(run(2), one);
    assert_eq!(run(7), one);
}
