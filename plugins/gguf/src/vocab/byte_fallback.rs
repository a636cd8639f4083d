//! SentencePiece-style BPE found in tokenizer.json (no tokenizer.model), as the `llama` vocabulary.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::value::{KeyValue, set};

use super::folder::Folder;
use super::token::{Kind, Tokens, added, is_byte};
use super::{VocabError, limits};

/// Which scores the tokens get; llama.cpp merges the pair whose result has the highest score first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scores {
    /// Minus the rank of the merge that makes the token: the order in which the tokenizer itself merges.
    #[default]
    MergeRank,
    /// -1000 for all, as the reference converter writes. llama.cpp then merges from left to right, whatever the
    /// tokenizer would do.
    Flat,
}

/// The score of tokens that no merge makes.
const UNMERGED: f32 = -1000.0;

/// Writes the base tokens in id order, then the added ones, then padding up to the rows of the embedding.
pub(super) fn write(
    folder: &Folder<'_>,
    vocab_size: Option<u64>,
    scores: Scores,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<usize, VocabError> {
    let source = folder.hf_tokens(warnings)?;
    let (largest, text) = source.largest().unwrap_or_default();
    let rows = vocab_size.unwrap_or(0).max(largest + 1);
    if let Some(vocab_size) = vocab_size.filter(|size| largest >= *size) {
        let vocab_size = usize::try_from(vocab_size).unwrap_or(usize::MAX);
        return Err(VocabError::IdOutOfRange { id: largest, token: text.to_owned(), vocab_size });
    }
    limits::check("the number of tokens (vocab_size)", rows, limits::TOKENS)?;
    let ranks = match scores {
        Scores::MergeRank => ranks(&folder.tokenizer["model"]["merges"]),
        Scores::Flat => HashMap::new(),
    };
    let control = |text: &str| source.specials.contains(text);
    let mut tokens = Tokens::padding(rows, Some(UNMERGED))?;
    for (text, id) in &source.base {
        let kind = match (is_byte(text), control(text)) {
            (true, _) => Kind::Byte,
            (_, true) => Kind::Control,
            _ => Kind::Normal,
        };
        let score = if kind == Kind::Normal { ranks.get(text).copied().unwrap_or(UNMERGED) } else { UNMERGED };
        tokens.put(*id, text.as_str(), kind, score);
    }
    for token in source.added.iter().filter(|token| !is_byte(&token.text)) {
        // The converter leaves an added token that is also in the model's own list a normal one, and llama.cpp then
        // reads `<start_of_turn>` letter by letter; here the flag counts wherever the token stands.
        let (kind, text) = added(&token.text, token.special || control(&token.text));
        tokens.put(token.id, text, kind, UNMERGED);
    }
    let count = tokens.len();
    tokens.write("llama", Some("default"), list);
    if !puts_space_in_front(&folder.tokenizer) && folder.tokenizer_config["add_prefix_space"].is_null() {
        set(list, "tokenizer.ggml.add_space_prefix", false);
    }
    Ok(count)
}

/// Minus the rank of the first merge that makes each token.
fn ranks(merges: &Json) -> HashMap<String, f32> {
    let mut ranks = HashMap::new();
    for (rank, merge) in merges.as_array().into_iter().flatten().enumerate() {
        let joined = match merge {
            Json::String(text) => text.split_once(' ').map(|(left, right)| [left, right].concat()),
            Json::Array(parts) => parts.iter().map(Json::as_str).collect::<Option<String>>(),
            _ => None,
        };
        if let Some(text) = joined {
            ranks.entry(text).or_insert(-(rank as f32));
        }
    }
    ranks
}

/// Whether the tokenizer puts a space before a text; llama.cpp does unless told otherwise.
fn puts_space_in_front(tokenizer: &Json) -> bool {
    let prepends = |step: &Json| step["type"] == "Prepend";
    let normalizer = &tokenizer["normalizer"];
    let metaspace = |step: &Json| {
        let scheme = step["prepend_scheme"].as_str();
        step["type"] == "Metaspace"
            && match scheme {
                Some(scheme) => scheme != "never",
                None => step["add_prefix_space"].as_bool().unwrap_or(true),
            }
    };
    let pre = &tokenizer["pre_tokenizer"];
    prepends(normalizer)
        || normalizer["normalizers"].as_array().into_iter().flatten().any(prepends)
        || metaspace(pre)
        || pre["pretokenizers"].as_array().into_iter().flatten().any(metaspace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scores_follow_the_first_merge_that_makes_a_token() {
        let ranks = ranks(&json!(["a b", ["a", "bc"], "ab c"]));
        assert_eq!(ranks["ab"], 0.0);
        assert_eq!(ranks["abc"], -1.0);
    }

    #[test]
    fn gemma_style_normalizers_put_no_space_in_front() {
        let replace = json!({"type": "Replace"});
        assert!(!puts_space_in_front(&json!({"normalizer": {"type": "Sequence", "normalizers": [replace]}})));
        let prepend = json!({"type": "Prepend"});
        assert!(puts_space_in_front(&json!({"normalizer": {"type": "Sequence", "normalizers": [prepend, replace]}})));
        assert!(puts_space_in_front(&json!({"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"}})));
    }
}
