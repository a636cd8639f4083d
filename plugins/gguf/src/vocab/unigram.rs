//! SentencePiece unigram vocabularies (XLM-RoBERTa and its kin) as the `t5` vocabulary.

use serde_json::Value as Json;

use crate::value::{Array, KeyValue, Value, set};

use super::folder::Folder;
use super::sentencepiece::{self, Piece};
use super::token::{Kind, Tokens, added, is_byte};
use super::{VocabError, base64, limits};

/// The score of a row without a token.
const PADDING: f32 = -10000.0;

/// How text is prepared before it is split.
struct Preparation {
    space_in_front: bool,
    one_space: bool,
    /// SentencePiece's map of characters to their replacements, as a compiled trie.
    characters: Vec<u8>,
}

/// Writes tokens, scores and kinds, then how text is prepared. `type_count` is the number of segment embeddings of an
/// encoder, whose key stands in the middle.
///
/// `sentencepiece.bpe.model` wins over tokenizer.json, as in the reference.
pub(super) fn write(
    folder: &Folder<'_>,
    vocab_size: Option<u64>,
    type_count: Option<u32>,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<usize, VocabError> {
    let (tokens, preparation) = match folder.files.sentencepiece_bpe_model {
        Some(bytes) => from_model(bytes, vocab_size)?,
        None => from_json(folder, vocab_size, warnings)?,
    };
    let count = tokens.len();
    tokens.write("t5", Some("default"), list);
    set(list, "tokenizer.ggml.add_space_prefix", preparation.space_in_front);
    if let Some(count) = type_count {
        set(list, "tokenizer.ggml.token_type_count", count);
    }
    set(list, "tokenizer.ggml.remove_extra_whitespaces", preparation.one_space);
    if !preparation.characters.is_empty() {
        set(list, "tokenizer.ggml.precompiled_charsmap", Value::Array(Array::U8(preparation.characters)));
    }
    Ok(count)
}

/// Pieces with the ids that `transformers` gives them: it puts `<s> <pad> </s> <unk>` in front, which moves all others
/// up by one.
fn from_model(bytes: &[u8], vocab_size: Option<u64>) -> Result<(Tokens, Preparation), VocabError> {
    const FRONT: [(&str, Kind); 4] =
        [("<s>", Kind::Control), ("<pad>", Kind::Control), ("</s>", Kind::Control), ("<unk>", Kind::Unknown)];
    const FILE: &str = "sentencepiece.bpe.model";
    let model = sentencepiece::parse(bytes)?;
    if !model.unigram {
        let reason = "it is a byte-pair model, and this architecture reads unigram models from it".to_owned();
        return Err(VocabError::Malformed { file: FILE, reason });
    }
    let largest = model.pieces.len() as u64;
    let last = model.pieces.last().map(|piece| String::from_utf8_lossy(piece.text).into_owned());
    let rows = rows(vocab_size, largest, last.unwrap_or_default())?;
    let mut tokens = Tokens::padding(rows, Some(PADDING))?;
    let put = |tokens: &mut Tokens, id: u64, piece: &Piece<'_>| tokens.put(id, piece.text, piece.kind, piece.score);
    for (id, piece) in model.pieces.iter().enumerate().skip(FRONT.len() - 1) {
        put(&mut tokens, id as u64 + 1, piece);
    }
    // The reference's rows behind the pieces are one behind their ids as well.
    for id in model.pieces.len() as u64 + 1..rows {
        tokens.put(id, format!("[PAD{}]", id - 1), Kind::Unused, PADDING);
    }
    for (id, (text, kind)) in FRONT.into_iter().enumerate() {
        tokens.put(id as u64, text, kind, 0.0);
    }
    let preparation = Preparation {
        space_in_front: model.space_in_front,
        one_space: model.one_space,
        characters: model.characters.to_vec(),
    };
    Ok((tokens, preparation))
}

fn from_json(
    folder: &Folder<'_>,
    vocab_size: Option<u64>,
    warnings: &mut Vec<String>,
) -> Result<(Tokens, Preparation), VocabError> {
    let malformed = |reason: String| VocabError::Malformed { file: "tokenizer.json", reason };
    let model = &folder.tokenizer["model"];
    let pieces =
        model["vocab"].as_array().ok_or_else(|| malformed("its unigram model has no list of pieces".to_owned()))?;
    let source = folder.added_tokens_over(unigram_ids(pieces)?, warnings)?;
    let (largest, text) = source.largest().unwrap_or_default();
    let rows = rows(vocab_size, largest, text.to_owned())?;
    let mut tokens = Tokens::padding(rows, Some(PADDING))?;
    let mut scores = Vec::with_capacity(pieces.len());
    for (id, piece) in pieces.iter().enumerate() {
        let (Some(text), Some(score)) = (piece[0].as_str(), piece[1].as_f64()) else {
            return Err(malformed(format!("piece {id} of the unigram model is {piece}, not [text, score]")));
        };
        let kind = if is_byte(text) { Kind::Byte } else { Kind::Normal };
        tokens.put(id as u64, text, kind, score as f32);
        scores.push(score as f32);
    }
    for token in &source.added {
        let (kind, text) = added(&token.text, token.special || source.specials.contains(&token.text));
        let score = usize::try_from(token.id).ok().and_then(|id| scores.get(id)).copied().unwrap_or(0.0);
        tokens.put(token.id, text, kind, score);
    }
    let unknown =
        folder.tokenizer_config["unk_token"].as_str().or(folder.tokenizer_config["unk_token"]["content"].as_str());
    let named = unknown.and_then(|text| source.added.iter().find(|token| token.text == text)).map(|token| token.id);
    if let Some(id) = named.or_else(|| model["unk_id"].as_u64()) {
        tokens
            .kinds
            .get_mut(usize::try_from(id).unwrap_or(usize::MAX))
            .into_iter()
            .for_each(|kind| *kind = Kind::Unknown);
    }
    if model["byte_fallback"] == true {
        warnings.push(
            "tokenizer.json falls back to bytes for unknown characters; llama.cpp's unigram vocabularies do not".into(),
        );
    }
    Ok((tokens, preparation(&folder.tokenizer)?))
}

/// Rows of the embedding, which must hold all ids; one for each id if config.json does not say.
fn rows(vocab_size: Option<u64>, largest: u64, token: String) -> Result<u64, VocabError> {
    let rows = vocab_size.unwrap_or(largest + 1);
    limits::check("the number of tokens (vocab_size)", rows, limits::TOKENS)?;
    if largest >= rows {
        let vocab_size = usize::try_from(rows).unwrap_or(usize::MAX);
        return Err(VocabError::IdOutOfRange { id: largest, token, vocab_size });
    }
    Ok(rows)
}

/// The ids of the pieces by their texts; a piece without a text is found later.
fn unigram_ids(pieces: &[Json]) -> Result<Vec<(String, u64)>, VocabError> {
    limits::check("the number of tokens", pieces.len() as u64, limits::TOKENS)?;
    let text = |(id, piece): (usize, &Json)| Some((piece[0].as_str()?.to_owned(), id as u64));
    Ok(pieces.iter().enumerate().filter_map(text).collect())
}

/// What tokenizer.json does with text before it splits it. Runs of spaces become one where it splits at white space
/// or replaces them.
fn preparation(tokenizer: &Json) -> Result<Preparation, VocabError> {
    let steps = flat(&tokenizer["pre_tokenizer"], "pretokenizers");
    let normalizers = flat(&tokenizer["normalizer"], "normalizers");
    let metaspace = steps.iter().find(|step| step["type"] == "Metaspace");
    let space_in_front = metaspace.is_some_and(|step| match step["prepend_scheme"].as_str() {
        Some(scheme) => scheme != "never",
        None => step["add_prefix_space"].as_bool().unwrap_or(true),
    });
    let replaces_runs =
        |step: &&Json| step["type"] == "Replace" && step["pattern"]["Regex"].as_str().is_some_and(|r| r.contains('{'));
    let one_space = steps.iter().any(|step| step["type"] == "WhitespaceSplit") || normalizers.iter().any(replaces_runs);
    let map = normalizers.iter().find(|step| step["type"] == "Precompiled");
    let characters = match map.and_then(|step| step["precompiled_charsmap"].as_str()) {
        Some(text) => base64::decode(text).ok_or_else(|| VocabError::Malformed {
            file: "tokenizer.json",
            reason: "precompiled_charsmap is not base64".to_owned(),
        })?,
        None => Vec::new(),
    };
    Ok(Preparation { space_in_front, one_space, characters })
}

/// A step, or the steps of a sequence.
fn flat<'a>(step: &'a Json, key: &str) -> Vec<&'a Json> {
    step[key].as_array().map_or_else(|| vec![step], |steps| steps.iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_prepared_as_the_steps_say() {
        let metaspace = json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always"});
        let split = json!({"type": "WhitespaceSplit"});
        let map = json!({"type": "Precompiled", "precompiled_charsmap": "AAECAw=="});
        let both =
            json!({"normalizer": map, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, metaspace]}});
        let found = preparation(&both).unwrap();
        assert!(found.space_in_front && found.one_space);
        assert_eq!(found.characters, [0, 1, 2, 3]);
        let one = preparation(&json!({"normalizer": null, "pre_tokenizer": metaspace})).unwrap();
        assert!(one.space_in_front && !one.one_space && one.characters.is_empty());
        let broken = json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "A*=="}});
        assert!(matches!(preparation(&broken), Err(VocabError::Malformed { .. })));
    }
}
