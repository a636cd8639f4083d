//! A SentencePiece `tokenizer.model` with the tokens added on top, as the `llama` vocabulary.

use crate::value::{KeyValue, set};

use super::folder::Folder;
use super::token::{Kind, Tokens, added};
use super::{VocabError, internlm2, sentencepiece};

/// How tokens of the configuration files are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AddedStyle {
    /// By flag or by look; user-defined ones get real spaces.
    Usual,
    /// By flag only, text untouched, and tokenizer.json's list counts too (Phi 3).
    Phi3,
    /// As Phi 3, and some pieces are told apart by their text (InternLM 2).
    InternLm2,
}

/// The score of a token from the added-token files.
const ADDED: f32 = -1000.0;
/// The score of a row without a token.
const PADDING: f32 = -10000.0;

/// Writes the pieces in id order, with the added tokens over them.
pub(super) fn write(
    folder: &Folder<'_>,
    bytes: &[u8],
    vocab_size: Option<u64>,
    style: AddedStyle,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<usize, VocabError> {
    let model = sentencepiece::parse(bytes)?;
    if model.unigram {
        warnings.push(
            "tokenizer.model is a unigram model; llama.cpp will split text by its scores like a byte-pair model".into(),
        );
    }
    let rows = vocab_size.filter(|size| *size > 0).unwrap_or(model.pieces.len() as u64);
    let mut tokens = Tokens::padding(rows, Some(PADDING))?;
    if model.pieces.len() > tokens.len() {
        let surplus = model.pieces.len() - tokens.len();
        warnings.push(format!("the last {surplus} pieces of tokenizer.model have no row in the embedding; left out"));
    }
    for (id, piece) in model.pieces.iter().enumerate() {
        let (text, kind) =
            if style == AddedStyle::InternLm2 { internlm2::piece(piece) } else { (piece.text, piece.kind) };
        tokens.put(id as u64, text, kind, piece.score);
    }
    let mut put = |file, id: u64, text: &str, kind, stored: String| {
        if !tokens.put(id, stored, kind, ADDED) {
            warnings.push(format!("{file}: token {id} ({text:?}) has no row among the {rows}; left out"));
        }
    };
    for (text, id) in folder.added_tokens.as_object().into_iter().flatten() {
        let id = id.as_u64().ok_or_else(|| VocabError::Malformed {
            file: "added_tokens.json",
            reason: format!("the id of {text:?} is {id}"),
        })?;
        put("added_tokens.json", id, text, Kind::UserDefined, text.clone());
    }
    let flagged = |special| if special { Kind::Control } else { Kind::UserDefined };
    for (id, text, special) in folder.added_tokens_decoder()? {
        let (kind, stored) = match style {
            AddedStyle::Usual => added(text, special),
            AddedStyle::Phi3 | AddedStyle::InternLm2 => (flagged(special), text.to_owned()),
        };
        put("tokenizer_config.json", id, text, kind, stored);
    }
    if style != AddedStyle::Usual {
        for entry in folder.tokenizer["added_tokens"].as_array().into_iter().flatten() {
            if let (Some(id), Some(text)) = (entry["id"].as_u64(), entry["content"].as_str()) {
                let kind = flagged(entry["special"].as_bool().unwrap_or(false));
                put("tokenizer.json", id, text, kind, text.to_owned());
            }
        }
    }
    let count = tokens.len();
    tokens.write("llama", Some("default"), list);
    if style == AddedStyle::InternLm2 {
        set(list, "tokenizer.ggml.add_space_prefix", model.space_in_front);
    }
    Ok(count)
}
