//! What stock llama.cpp says of encoders: WordPiece and unigram vocabularies split as `tokenizers` does, and embeddings
//! are those of the model.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden, judge};
use serde_json::Value;

const MODELS: [&str; 2] = ["bert", "bert-unigram"];

fn quantize(work: &Workdir, model: &str, level: &str) -> std::path::PathBuf {
    work.program(["quantize", "-q", level, "-n", model])
        .args([golden::model(model).as_os_str(), "gguf".as_ref()])
        .succeed();
    work.join(&format!("{model}.gguf"))
}

#[test]
fn encoders_are_written_with_their_keys() {
    let work = Workdir::new();
    let file = GgufFile::read(&quantize(&work, "bert", "Q8_0"));
    assert_eq!(file.string("general.architecture").as_deref(), Some("bert"));
    assert_eq!(file.string("tokenizer.ggml.model").as_deref(), Some("bert"));
    let kinds: Vec<_> = file.tensors.iter().map(|t| (t.name.as_str(), t.kind)).collect();
    for (name, kind) in [("token_embd.weight", 8), ("position_embd.weight", 0), ("blk.1.ffn_up.weight", 8)] {
        assert!(kinds.contains(&(name, kind)), "{name} in {kinds:?}");
    }
    let file = GgufFile::read(&quantize(&work, "bert-unigram", "Q8_0"));
    assert_eq!(file.string("tokenizer.ggml.model").as_deref(), Some("t5"));
}

#[test]
fn llama_cpp_splits_text_as_the_tokenizer_does() {
    let Some(place) = judge::folder("tokenization of encoders") else { return };
    let work = Workdir::new();
    for model in MODELS {
        let entries = golden::json("encoders.json")[model]["tokens"].clone();
        let entries = entries.as_array().expect("texts");
        let texts: Vec<_> = entries.iter().map(|e| &e["text"]).collect();
        std::fs::write(work.join("texts.json"), serde_json::to_vec(&texts).unwrap()).unwrap();
        let file = quantize(&work, model, "Q8_0");
        let answer = judge::ask(&place, ["tokens".as_ref(), file.as_os_str(), work.join("texts.json").as_os_str()]);
        for (entry, found) in entries.iter().zip(answer.as_array().expect("a list")) {
            assert_eq!(found, &entry["ids"], "{model}: {}", entry["text"]);
        }
    }
}

#[test]
fn embeddings_are_the_models() {
    let Some(place) = judge::folder("embeddings") else { return };
    let work = Workdir::new();
    for model in MODELS {
        let golden = golden::json("encoders.json");
        let entries = golden[model]["embeddings"].as_array().expect("texts");
        // Ids, because the judge leaves out the first special token of unigram models when it splits text itself.
        let ids: Vec<_> = entries.iter().map(|e| &e["ids"]).collect();
        std::fs::write(work.join("ids.json"), serde_json::to_vec(&ids).unwrap()).unwrap();
        for (level, bound) in [("F32", 2e-3), ("Q8_0", 3e-2)] {
            let file = quantize(&work, model, level);
            let answer = judge::ask(&place, ["embed".as_ref(), file.as_os_str(), work.join("ids.json").as_os_str()]);
            for (entry, found) in entries.iter().zip(answer.as_array().expect("a list")) {
                let apart = distance(&numbers(&entry["vector"]), &numbers(found));
                println!("{model} {level}: {apart:.1e} apart");
                assert!(apart < bound, "{model} {level}: {apart}: {}", entry["text"]);
            }
            std::fs::remove_file(file).unwrap();
        }
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("numbers").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Between the two vectors at length 1.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let (la, lb) = (length(a), length(b));
    a.iter().zip(b).map(|(x, y)| (x / la - y / lb).powi(2)).sum::<f64>().sqrt()
}
