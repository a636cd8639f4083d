//! Vocabularies of models that are not committed; needs `LLMQ_SHARED`, the folder with `models/`.

mod support;

use std::io::Write;
use std::path::PathBuf;

use llmq_gguf::value::{Array, Value};
use llmq_gguf::vocab::{PreReason, Scores, VocabSource};
use serde_json::{Value as Json, json};
use support::Folder;

fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("LLMQ_SHARED").map(PathBuf::from);
    if shared.is_none() {
        // Past the capture of test output: a skipped proof must be seen.
        std::io::stderr().write_all(b"SKIPPED: set LLMQ_SHARED to build the vocabularies of local models\n").unwrap();
    }
    shared
}

#[test]
fn every_local_model_gets_a_vocabulary_with_a_token_for_each_row() {
    let Some(shared) = shared() else { return };
    let mut built = 0;
    for entry in std::fs::read_dir(shared.join("models/arch")).unwrap() {
        let path = entry.unwrap().path();
        let config: Json = serde_json::from_slice(&std::fs::read(path.join("config.json")).unwrap()).unwrap();
        let vocab = Folder::read(&path).build(&config, None, Scores::MergeRank);
        let vocab = vocab.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tokens = vocab.key_values.iter().find(|line| line.key == "tokenizer.ggml.tokens").unwrap();
        let Value::Array(Array::String(tokens)) = &tokens.value else { panic!("tokens are texts") };
        assert_eq!(Some(tokens.len() as u64), config["vocab_size"].as_u64(), "{}", path.display());
        built += 1;
    }
    assert!(built >= 36, "{built}");
}

#[test]
fn the_real_gpt_2_is_named_by_its_hash() {
    let Some(shared) = shared() else { return };
    let config = json!({"architectures": ["GPT2LMHeadModel"], "vocab_size": 50257});
    let vocab = Folder::read(&shared.join("models/found/tok/gpt2")).build(&config, None, Scores::MergeRank).unwrap();
    assert_eq!(vocab.pre.name, "gpt-2");
    assert!(matches!(vocab.pre.reason, PreReason::Hash { .. }), "{:?}", vocab.pre);
}

#[test]
fn the_real_mistral_sentencepiece_model_is_read() {
    let Some(shared) = shared() else { return };
    let folder = Folder {
        tokenizer_model: std::fs::read(shared.join("models/found/tok/mistral/tokenizer.model.v1")).ok(),
        ..Folder::default()
    };
    let config = json!({"architectures": ["MistralForCausalLM"], "vocab_size": 32000});
    let vocab = folder.build(&config, None, Scores::MergeRank).unwrap();
    assert_eq!(vocab.source, VocabSource::SentencePiece);
    let list = |key: &str| &vocab.key_values.iter().find(|line| line.key.ends_with(key)).unwrap().value;
    let Value::Array(Array::I32(kinds)) = list("token_type") else { panic!("kinds are numbers") };
    assert_eq!(kinds[..4], [2, 3, 3, 6]);
    let Value::Array(Array::F32(scores)) = list("scores") else { panic!("scores are numbers") };
    // Runs of spaces are pushed to the very end; everything else is ranked by its id.
    assert_eq!((scores[259], scores[261], scores[31999]), (-1e9, -2.0, -31740.0));
}
