//! The vocabularies of encoders: WordPiece and unigram, from the committed models.

mod support;

use std::path::{Path, PathBuf};

use llmq_gguf::value::{Array, Value};
use llmq_gguf::vocab::{PreReason, Scores, Vocab, VocabError, VocabSource};
use serde_json::{Value as Json, json};
use support::Folder;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models").join(name)
}

fn config(name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(model(name).join("config.json")).unwrap()).unwrap()
}

fn build(name: &str) -> Vocab {
    Folder::read(&model(name)).build(&config(name), None, Scores::MergeRank).unwrap()
}

fn value<'a>(vocab: &'a Vocab, key: &str) -> &'a Value {
    let line = vocab.key_values.iter().find(|line| line.key == format!("tokenizer.ggml.{key}"));
    &line.unwrap_or_else(|| panic!("no {key}")).value
}

fn texts(vocab: &Vocab) -> Vec<&str> {
    let Value::Array(Array::String(tokens)) = value(vocab, "tokens") else { panic!("tokens are texts") };
    tokens.iter().map(|token| std::str::from_utf8(token).unwrap()).collect()
}

fn kinds(vocab: &Vocab) -> &[i32] {
    let Value::Array(Array::I32(kinds)) = value(vocab, "token_type") else { panic!("kinds are numbers") };
    kinds
}

fn keys(vocab: &Vocab) -> Vec<&str> {
    vocab.key_values.iter().map(|line| line.key.trim_start_matches("tokenizer.ggml.")).collect()
}

#[test]
fn wordpiece_marks_starts_of_words() {
    let vocab = build("bert");
    assert_eq!(vocab.source, VocabSource::WordPiece);
    assert_eq!(vocab.pre.reason, PreReason::NotUsed);
    assert_eq!(
        keys(&vocab),
        [
            "token_type_count",
            "model",
            "pre",
            "tokens",
            "token_type",
            "bos_token_id",
            "eos_token_id",
            "unknown_token_id",
            "seperator_token_id",
            "padding_token_id",
            "mask_token_id",
            "add_bos_token",
            "add_eos_token",
            "add_sep_token",
            "normalizer.lowercase"
        ]
    );
    let (texts, kinds) = (texts(&vocab), kinds(&vocab));
    assert_eq!(texts[..5], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    assert_eq!(kinds[..5], [3; 5]);
    let json: Json = serde_json::from_slice(&std::fs::read(model("bert").join("tokenizer.json")).unwrap()).unwrap();
    for (token, id) in json["model"]["vocab"].as_object().unwrap() {
        let id = id.as_u64().unwrap() as usize;
        let marked = format!("\u{2581}{token}");
        let expected = if kinds[id] == 3 { token } else { token.strip_prefix("##").unwrap_or(&marked) };
        assert_eq!(texts[id], expected, "{id}");
    }
    assert_eq!((texts[400], kinds[400]), ("\u{2581}<think>", 4));
    assert_eq!((texts[403], kinds[403]), ("\u{2581}[PAD403]", 5));
    assert_eq!(value(&vocab, "token_type_count"), &Value::U32(2));
    assert_eq!(value(&vocab, "normalizer.lowercase"), &Value::Bool(true));
}

#[test]
fn a_cased_wordpiece_tokenizer_says_so() {
    let mut folder = Folder::read(&model("bert"));
    let mut json: Json = serde_json::from_slice(folder.tokenizer_json.as_ref().unwrap()).unwrap();
    json["normalizer"]["lowercase"] = json!(false);
    json["normalizer"]["strip_accents"] = json!(false);
    folder.tokenizer_json = Some(serde_json::to_vec(&json).unwrap());
    let vocab = folder.build(&config("bert"), None, Scores::MergeRank).unwrap();
    assert_eq!(value(&vocab, "normalizer.lowercase"), &Value::Bool(false));
    assert_eq!(value(&vocab, "normalizer.strip_accents"), &Value::Bool(false));
}

#[test]
fn unigram_keeps_scores_and_the_character_map() {
    let vocab = build("bert-unigram");
    assert_eq!(vocab.source, VocabSource::Unigram);
    assert_eq!(
        keys(&vocab),
        [
            "model",
            "pre",
            "tokens",
            "scores",
            "token_type",
            "add_space_prefix",
            "token_type_count",
            "remove_extra_whitespaces",
            "precompiled_charsmap",
            "bos_token_id",
            "eos_token_id",
            "unknown_token_id",
            "seperator_token_id",
            "padding_token_id",
            "mask_token_id",
            "add_bos_token",
            "add_eos_token",
            "add_sep_token"
        ]
    );
    assert_eq!(texts(&vocab)[..5], ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]);
    assert_eq!(kinds(&vocab)[..6], [3, 3, 3, 2, 3, 1]);
    assert_eq!(kinds(&vocab)[400..], [5, 5]);
    let Value::Array(Array::F32(scores)) = value(&vocab, "scores") else { panic!("scores are numbers") };
    assert!(scores[5] < 0.0 && scores[5] > -20.0 && scores[401] == -10000.0, "{scores:?}");
    let Value::Array(Array::U8(map)) = value(&vocab, "precompiled_charsmap") else { panic!("the map is bytes") };
    // The trie's length comes first, then the trie, then the replacements.
    assert_eq!(map[..4], 1024_u32.to_le_bytes());
    assert_eq!(map.len(), 1054);
    assert_eq!(value(&vocab, "add_space_prefix"), &Value::Bool(true));
    assert_eq!(value(&vocab, "remove_extra_whitespaces"), &Value::Bool(true));
}

#[test]
fn ids_beyond_the_embedding_are_an_error() {
    for name in ["bert", "bert-unigram"] {
        let mut config = config(name);
        config["vocab_size"] = json!(100);
        let error = Folder::read(&model(name)).build(&config, None, Scores::MergeRank);
        assert!(matches!(error, Err(VocabError::IdOutOfRange { vocab_size: 100, .. })), "{error:?}");
    }
}

#[test]
fn a_broken_unigram_model_is_an_error() {
    for with in [json!([["a"]]), json!([["a", "b"]]), json!([1, 2]), json!({"a": 1})] {
        let mut folder = Folder::read(&model("bert-unigram"));
        let mut json: Json = serde_json::from_slice(folder.tokenizer_json.as_ref().unwrap()).unwrap();
        json["model"]["vocab"] = with.clone();
        json["added_tokens"] = json!([]);
        folder.tokenizer_json = Some(serde_json::to_vec(&json).unwrap());
        let found = folder.build(&config("bert-unigram"), None, Scores::MergeRank);
        assert!(matches!(found, Err(VocabError::Malformed { file: "tokenizer.json", .. })), "{with}: {found:?}");
    }
}
