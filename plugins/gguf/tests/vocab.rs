//! The vocabularies of the golden models against those of the reference converter.

mod support;

use std::collections::HashMap;

use llmq_gguf::value::{Array, Value};
use llmq_gguf::vocab::{PreReason, Scores, Vocab, VocabError, VocabSource};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tokenizers::Tokenizer;

use support::{Folder, golden, models, shown};

fn tokenizer(name: &str) -> Folder {
    Folder::read(&golden().join("tokenizers").join(name))
}

fn llama(vocab_size: u64) -> Json {
    json!({"architectures": ["LlamaForCausalLM"], "vocab_size": vocab_size})
}

fn value<'a>(vocab: &'a Vocab, key: &str) -> Option<&'a Value> {
    vocab.key_values.iter().find(|line| line.key == format!("tokenizer.ggml.{key}")).map(|line| &line.value)
}

/// `phi2` sets `add_bos_token` with the architecture's keys, which moves that key to the front of its file.
fn expected_tokenizer_keys(expected: &[(String, Json, Json)]) -> Vec<(String, Json, Json)> {
    expected.iter().filter(|(key, ..)| key.starts_with("tokenizer.")).cloned().collect()
}

#[test]
fn every_golden_model_gets_the_converters_keys_in_order() {
    let mut checked = 0;
    for model in models() {
        let vocab = Folder::read(&model.tokenizer).build(&model.config, None, Scores::MergeRank).unwrap();
        let mut expected = expected_tokenizer_keys(&model.expected);
        let mut got: Vec<_> = vocab.key_values.iter().map(shown).collect();
        if model.name == "phi2" {
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            got.sort_by(|a, b| a.0.cmp(&b.0));
        }
        if model.name.starts_with("qwen") && model.name != "qwen2-moe" {
            let pre = expected.iter_mut().find(|(key, ..)| key == "tokenizer.ggml.pre").unwrap();
            pre.2 = json!("qwen2");
        }
        assert_eq!(got, expected, "{}", model.name);
        checked += 1;
    }
    assert_eq!(checked, 25);
}

#[test]
fn the_structure_names_retrained_tokenizers() {
    for (name, rows, pre) in [("llama3", 384, "llama-bpe"), ("qwen", 512, "qwen2"), ("trained-mini", 2048, "llama-bpe")]
    {
        let vocab = tokenizer(name).build(&llama(rows), None, Scores::MergeRank).unwrap();
        assert_eq!(vocab.pre.name, pre, "{name}");
        assert!(matches!(vocab.pre.reason, PreReason::Structure { .. }), "{name}: {:?}", vocab.pre);
    }
}

#[test]
fn an_override_is_written_and_a_wrong_one_refused() {
    let vocab = tokenizer("llama3").build(&llama(384), Some("smaug-bpe"), Scores::MergeRank).unwrap();
    assert_eq!(value(&vocab, "pre"), Some(&Value::from("smaug-bpe")));
    let error = tokenizer("llama3").build(&llama(384), Some("smaug"), Scores::MergeRank).unwrap_err();
    assert!(matches!(error, VocabError::InvalidPre { .. }), "{error}");
    let ignored = tokenizer("sentencepiece").build(&llama(512), Some("qwen2"), Scores::MergeRank).unwrap();
    assert_eq!(ignored.pre.name, "default");
    assert!(ignored.warnings.iter().any(|warning| warning.contains("--pre is ignored")), "{:?}", ignored.warnings);
}

#[test]
fn rows_without_a_token_are_padding_and_ids_without_a_row_an_error() {
    let vocab = tokenizer("llama3").build(&llama(400), None, Scores::MergeRank).unwrap();
    let Some(Value::Array(Array::String(tokens))) = value(&vocab, "tokens") else { panic!("tokens are texts") };
    let Some(Value::Array(Array::I32(kinds))) = value(&vocab, "token_type") else { panic!("kinds are numbers") };
    assert_eq!((tokens.len(), tokens[399].as_slice(), kinds[399]), (400, b"[PAD399]".as_slice(), 5));
    let error = tokenizer("llama3").build(&llama(383), None, Scores::MergeRank).unwrap_err();
    assert!(matches!(error, VocabError::IdOutOfRange { id: 383, vocab_size: 383, .. }), "{error}");
}

#[test]
fn an_absurd_vocab_size_is_refused_before_allocation() {
    for name in ["llama3", "sentencepiece"] {
        let error = tokenizer(name).build(&llama(u64::MAX), None, Scores::MergeRank).unwrap_err();
        assert!(matches!(error, VocabError::TooLarge { .. }), "{name}: {error}");
    }
}

#[test]
fn merge_ranks_order_tokens_as_the_sentencepiece_scores_do() {
    let mut folder = tokenizer("sentencepiece");
    let real = folder.build(&llama(512), None, Scores::MergeRank).unwrap();
    assert_eq!(real.source, VocabSource::SentencePiece);
    folder.tokenizer_model = None;
    let ranked = folder.build(&llama(512), None, Scores::MergeRank).unwrap();
    assert_eq!(ranked.source, VocabSource::ByteFallback);
    assert_eq!(value(&real, "tokens"), value(&ranked, "tokens"));
    let scores = |vocab: &Vocab| match value(vocab, "scores") {
        Some(Value::Array(Array::F32(scores))) => scores.clone(),
        other => panic!("scores are {other:?}"),
    };
    let (real, ranked) = (scores(&real), scores(&ranked));
    let merged: Vec<_> = (0..512).filter(|id| ranked[*id] > -1000.0).collect();
    assert!(merged.len() > 100, "{}", merged.len());
    for pair in merged.windows(2) {
        assert_eq!(real[pair[0]] > real[pair[1]], ranked[pair[0]] > ranked[pair[1]], "tokens {pair:?}");
    }
    let flat = scores(&folder.build(&llama(512), None, Scores::Flat).unwrap());
    assert!(flat.iter().all(|score| *score == -1000.0));
}

/// Splits as llama.cpp does: the best-scored neighbours first, the leftmost of equals.
fn split_by_scores(text: &str, tokens: &[Vec<u8>], scores: &[f32]) -> Vec<u32> {
    let ids: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(id, text)| (text.as_slice(), id)).collect();
    let mut parts: Vec<Vec<u8>> = text.chars().map(|letter| letter.to_string().into_bytes()).collect();
    loop {
        let mut best: Option<(usize, f32)> = None;
        for at in 1..parts.len() {
            let joined = [parts[at - 1].as_slice(), &parts[at]].concat();
            let score = ids.get(joined.as_slice()).map(|id| scores[*id]);
            if score.is_some_and(|score| best.is_none_or(|(_, top)| score > top)) {
                best = score.map(|score| (at, score));
            }
        }
        let Some((at, _)) = best else { break };
        let right = parts.remove(at);
        parts[at - 1].extend(right);
    }
    parts.iter().map(|part| ids[part.as_slice()] as u32).collect()
}

#[test]
fn merge_ranks_split_text_as_the_tokenizer_does_and_flat_scores_do_not() {
    let mut folder = tokenizer("sentencepiece");
    folder.tokenizer_model = None;
    let original = Tokenizer::from_bytes(folder.tokenizer_json.as_ref().unwrap()).unwrap();
    let text = "the other house had been there before they went along with their father and mother to the shore";
    let expected = original.encode(text, false).unwrap().get_ids().to_vec();
    let split = |scores| {
        let vocab = folder.build(&llama(512), None, scores).unwrap();
        let (Some(Value::Array(Array::String(tokens))), Some(Value::Array(Array::F32(scores)))) =
            (value(&vocab, "tokens"), value(&vocab, "scores"))
        else {
            panic!("tokens and scores are lists")
        };
        split_by_scores(&format!("\u{2581}{}", text.replace(' ', "\u{2581}")), tokens, scores)
    };
    assert_eq!(split(Scores::MergeRank), expected);
    assert_ne!(split(Scores::Flat), expected);
}

#[test]
fn an_added_token_of_the_models_own_list_keeps_its_flag() {
    let mut folder = tokenizer("gemma");
    folder.tokenizer_model = None;
    let mut json: Json = serde_json::from_slice(folder.tokenizer_json.as_ref().unwrap()).unwrap();
    let (text, id) = json["model"]["vocab"].as_object().unwrap().iter().find(|(text, _)| *text == "\u{2581}t").unwrap();
    let token = json!({"id": id, "content": text, "special": true, "normalized": false,
                       "single_word": false, "lstrip": false, "rstrip": false});
    let id = id.as_u64().unwrap() as usize;
    json["added_tokens"].as_array_mut().unwrap().push(token);
    folder.tokenizer_json = Some(serde_json::to_vec(&json).unwrap());
    let config = json!({"architectures": ["Gemma2ForCausalLM"], "vocab_size": 512});
    let vocab = folder.build(&config, None, Scores::MergeRank).unwrap();
    let Some(Value::Array(Array::I32(kinds))) = value(&vocab, "token_type") else { panic!("kinds are numbers") };
    assert_eq!(kinds[id], 3);
}

#[test]
fn gemma_without_its_model_file_still_puts_no_space_in_front() {
    let mut folder = tokenizer("gemma");
    folder.tokenizer_model = None;
    let config = json!({"architectures": ["Gemma2ForCausalLM"], "vocab_size": 512});
    let vocab = folder.build(&config, None, Scores::MergeRank).unwrap();
    assert_eq!(vocab.source, VocabSource::ByteFallback);
    assert_eq!(value(&vocab, "add_space_prefix"), Some(&Value::Bool(false)));
}

#[test]
fn phi_3_marks_added_tokens_by_their_flag() {
    let config = json!({"architectures": ["Phi3ForCausalLM"], "vocab_size": 520});
    let vocab = tokenizer("phi3").build(&config, None, Scores::MergeRank).unwrap();
    let Some(Value::Array(Array::I32(kinds))) = value(&vocab, "token_type") else { panic!("kinds are numbers") };
    assert_eq!(vocab.source, VocabSource::SentencePiece);
    assert_eq!(kinds[512], 3, "<|endoftext|> is flagged special");
    assert_eq!(kinds[519], 5, "rows beyond the tokens are unused");
}

#[test]
fn a_folder_without_a_tokenizer_says_what_to_add() {
    let error = Folder::default().build(&llama(8), None, Scores::MergeRank).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
}

#[test]
fn a_class_with_its_own_vocabulary_is_refused_by_name() {
    let config = json!({"architectures": ["RobertaModel"], "vocab_size": 384});
    let error = tokenizer("llama3").build(&config, None, Scores::MergeRank).unwrap_err();
    assert!(error.to_string().contains("RobertaModel"), "{error}");
}

/// A number, text or list where something else is expected, anywhere in the file.
fn broken(json: &mut Json, path: &[usize], with: &Json) {
    match path.split_first() {
        None => *json = with.clone(),
        Some((step, rest)) => match json {
            Json::Array(items) if !items.is_empty() => {
                let index = step % items.len();
                broken(&mut items[index], rest, with);
            }
            Json::Object(entries) if !entries.is_empty() => {
                let index = step % entries.len();
                broken(entries.values_mut().nth(index).unwrap(), rest, with);
            }
            other => *other = with.clone(),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_files_never_panic(
        json in proptest::collection::vec(any::<u8>(), 0..64),
        model in proptest::collection::vec(any::<u8>(), 0..64),
        which in 0..4_usize,
    ) {
        let mut folder = tokenizer(["llama3", "sentencepiece"][which % 2]);
        match which {
            0 => folder.tokenizer_json = Some(json),
            1 => folder.tokenizer_model = Some(model),
            2 => folder.tokenizer_config = Some(json),
            _ => folder.added_tokens = Some(json),
        }
        let _ = folder.build(&llama(512), None, Scores::MergeRank);
    }

    #[test]
    fn a_file_with_one_wrong_value_never_panics(
        path in proptest::collection::vec(any::<usize>(), 1..6),
        kind in 0..5_usize,
        which in 0..2_usize,
        name in 0..4_usize,
    ) {
        let mut folder = tokenizer(["llama3", "sentencepiece", "qwen", "phi3"][name]);
        let file = if which == 0 { &mut folder.tokenizer_json } else { &mut folder.tokenizer_config };
        let mut json: Json = serde_json::from_slice(file.as_ref().unwrap()).unwrap();
        let with = [json!(null), json!(-1), json!(u64::MAX), json!("x"), json!([])];
        broken(&mut json, &path, &with[kind]);
        *file = Some(serde_json::to_vec(&json).unwrap());
        let _ = folder.build(&llama(512), None, Scores::MergeRank);
        folder.tokenizer_model = None;
        let _ = folder.build(&llama(512), None, Scores::MergeRank);
    }
}
