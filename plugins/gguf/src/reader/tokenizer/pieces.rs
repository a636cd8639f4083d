//! SentencePiece's byte-pair models: no merges are stored, the scores say which pair is joined first.
//!
//! llama.cpp joins whatever neighbours make a token, the highest score first. Written as merges, that is every way to cut a
//! token into two tokens, ordered by the score of the whole. Ways of one token stand in the order in which transformers
//! lists them when it makes the same file from tokenizer.model: longer left parts first.

use super::frame::Parts;
use super::words::{NORMAL, Words};
use crate::container::Header;
use crate::value::Value;
use serde_json::{Value as Json, json};
use std::collections::HashSet;

/// SentencePiece's letter for a space.
const SPACE: &str = "\u{2581}";
/// Longest token whose cuts are listed, in bytes. Words of published vocabularies stay below 100; the time that cuts take
/// grows with the square.
const LONGEST: usize = 256;
/// Most cuts. Vocabularies of 256,000 tokens have some 600,000; a hostile file must not make a list of billions.
const MOST_CUTS: usize = 1 << 23;

/// A merge before it has its place.
struct Cut<'a> {
    score: f32,
    left: (u32, &'a str),
    right: (u32, &'a str),
}

/// What is special about such a tokenizer.
pub(super) fn parts(header: &Header, words: &Words<'_>) -> Result<Parts, String> {
    let scores = words.scores.ok_or("its tokens have no scores")?;
    let in_front = !matches!(header.get("tokenizer.ggml.add_space_prefix"), Some(Value::Bool(false)));
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let mut normalizers = vec![spaces];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if in_front {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": SPACE}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let unknown = words.of_role(header, "tokenizer.ggml.unknown_token_id");
    let unknown = unknown.or_else(|| words.tokens.iter().find(|t| t.2 == super::words::UNKNOWN).map(|t| (t.0, t.1)));
    Ok(Parts {
        normalizer: json!({"type": "Sequence", "normalizers": normalizers}),
        pre_tokenizer: Json::Null,
        decoder: json!({"type": "Sequence", "decoders": decoders}),
        first_processor: None,
        unknown: unknown.map_or(Json::Null, |(_, text)| json!(text)),
        byte_fallback: true,
        ignore_merges: false,
        merges: merges(words, scores, MOST_CUTS)?,
    })
}

fn merges(words: &Words<'_>, scores: &[f32], most: usize) -> Result<Vec<Json>, String> {
    let normal: HashSet<&str> = words.tokens.iter().filter(|token| token.2 == NORMAL).map(|token| token.1).collect();
    let part = |text: &str| normal.get(text).and_then(|text| Some((*words.ids.get(text)?, *text)));
    let mut cuts: Vec<Cut<'_>> = Vec::new();
    for (id, text, _) in words.tokens.iter().filter(|token| token.2 == NORMAL && token.1.len() <= LONGEST) {
        let first = cuts.len();
        for (at, _) in text.char_indices().skip(1) {
            if let (Some(left), Some(right)) = (part(&text[..at]), part(&text[at..])) {
                cuts.push(Cut { score: scores[*id as usize], left, right });
            }
        }
        if cuts.len() > most {
            return Err(format!("its tokens can be cut into two tokens in more than {most} ways"));
        }
        cuts[first..].sort_by_key(|cut| (cut.left.0, cut.right.0));
    }
    let letters = |text: &str| text.chars().count();
    cuts.sort_by(|a, b| {
        let lengths = |cut: &Cut<'_>| (letters(cut.left.1), letters(cut.right.1));
        b.score.total_cmp(&a.score).then_with(|| lengths(b).cmp(&lengths(a)))
    });
    Ok(cuts.iter().map(|cut| json!([cut.left.1, cut.right.1])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Tokens that are all normal, with the scores of their ids.
    fn cut(texts: &[&'static str], scores: &[f32], most: usize) -> Result<Vec<Json>, String> {
        let tokens: Vec<(u32, &str, i32)> = (0..).zip(texts).map(|(id, text)| (id, *text, NORMAL)).collect();
        let ids: HashMap<&str, u32> = tokens.iter().map(|(id, text, _)| (*text, *id)).collect();
        merges(&Words { tokens, scores: Some(scores), ids }, scores, most)
    }

    #[test]
    fn scores_come_first_and_longer_left_parts_next() {
        let (texts, scores) = (["a", "b", "ab", "ba", "aba"], [-9.0, -9.0, -1.0, -2.0, -0.5]);
        let want = [json!(["ab", "a"]), json!(["a", "ba"]), json!(["a", "b"]), json!(["b", "a"])];
        assert_eq!(cut(&texts, &scores, 4).unwrap(), want);
    }

    #[test]
    fn a_flood_of_cuts_is_refused() {
        let refused = cut(&["a", "b", "ab", "ba", "aba"], &[0.0; 5], 3).unwrap_err();
        assert!(refused.contains("more than 3 ways"), "{refused}");
    }
}
