//! The token lists of a GGUF file, checked against each other.

use crate::container::Header;
use crate::value::{Array, Value};
use std::collections::HashMap;

/// `tokenizer.ggml.token_type` of what counts here.
pub(super) const NORMAL: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// Tokens in the order of their ids, without the rows that only fill up the embedding.
pub(super) struct Words<'a> {
    /// Id, text, kind.
    pub tokens: Vec<(u32, &'a str, i32)>,
    /// One score per id, where the vocabulary has them.
    pub scores: Option<&'a [f32]>,
    /// Ids by text.
    pub ids: HashMap<&'a str, u32>,
}

impl<'a> Words<'a> {
    /// Reads the lists. The error is a sentence's end: why there is no tokenizer.
    pub fn read(header: &'a Header) -> Result<Words<'a>, String> {
        let Some(Value::Array(Array::String(texts))) = header.get("tokenizer.ggml.tokens") else {
            return Err("the file has no list of tokens".to_owned());
        };
        let kinds = match header.get("tokenizer.ggml.token_type") {
            Some(Value::Array(Array::I32(kinds))) => Some(&kinds[..]),
            Some(_) => return Err("the kinds of its tokens are no whole numbers".to_owned()),
            None => None,
        };
        let scores = match header.get("tokenizer.ggml.scores") {
            Some(Value::Array(Array::F32(scores))) => Some(&scores[..]),
            _ => None,
        };
        for (what, length) in [("kinds", kinds.map(<[_]>::len)), ("scores", scores.map(<[_]>::len))] {
            if let Some(length) = length.filter(|length| *length != texts.len()) {
                return Err(format!("it has {} tokens and {length} {what}", texts.len()));
            }
        }
        let mut words = Words { tokens: Vec::with_capacity(texts.len()), scores, ids: HashMap::new() };
        for (id, text) in texts.iter().enumerate() {
            let text = std::str::from_utf8(text).map_err(|_| format!("the text of token {id} is not UTF-8"))?;
            let kind = kinds.map_or(NORMAL, |kinds| kinds[id]);
            if kind == UNUSED
                && text.strip_prefix("[PAD").and_then(|rest| rest.strip_suffix(']')) == Some(&*id.to_string())
            {
                continue;
            }
            let id = u32::try_from(id).map_err(|_| "it has more than 2^32 tokens".to_owned())?;
            if let Some(first) = words.ids.insert(text, id) {
                return Err(format!("tokens {first} and {id} have the same text"));
            }
            words.tokens.push((id, text, kind));
        }
        Ok(words)
    }

    /// The text of a token.
    pub fn text(&self, id: u64) -> Option<&'a str> {
        let place = self.tokens.binary_search_by_key(&id, |token| u64::from(token.0)).ok()?;
        Some(self.tokens[place].1)
    }

    /// The token of a role, by the id that a key gives.
    pub fn of_role(&self, header: &Header, key: &str) -> Option<(u32, &'a str)> {
        let id = header.unsigned(key)?;
        Some((u32::try_from(id).ok()?, self.text(id)?))
    }
}
