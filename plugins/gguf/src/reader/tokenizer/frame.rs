//! The document around a vocabulary: added tokens, what stands before and behind a text.

use super::words::{CONTROL, UNKNOWN, USER_DEFINED, Words};
use crate::container::Header;
use crate::value::Value;
use serde_json::{Map, Value as Json, json};

/// What differs between kinds of vocabularies, in the words of tokenizer.json.
pub(super) struct Parts {
    pub normalizer: Json,
    pub pre_tokenizer: Json,
    pub decoder: Json,
    /// A post-processor in front of the one that adds tokens.
    pub first_processor: Option<Json>,
    /// The unknown token's text.
    pub unknown: Json,
    pub byte_fallback: bool,
    pub ignore_merges: bool,
    pub merges: Vec<Json>,
}

/// Tokens around a text.
pub(super) struct Frame<'a> {
    before: Option<(u32, &'a str)>,
    behind: Option<(u32, &'a str)>,
}

impl<'a> Frame<'a> {
    /// What the keys say; `adds_bos` where they are silent.
    pub fn read(header: &Header, words: &Words<'a>, adds_bos: bool) -> Frame<'a> {
        let says = |key: &str, otherwise: bool| match header.get(key) {
            Some(Value::Bool(says)) => *says,
            _ => otherwise,
        };
        let before = says("tokenizer.ggml.add_bos_token", adds_bos);
        let behind = says("tokenizer.ggml.add_eos_token", false);
        let role = |wanted: bool, key: &str| wanted.then(|| words.of_role(header, key)).flatten();
        Frame {
            before: role(before, "tokenizer.ggml.bos_token_id"),
            behind: role(behind, "tokenizer.ggml.eos_token_id"),
        }
    }

    /// tokenizer.json.
    ///
    /// Every token is in the model's own list as well: there its id is stated, where ids of added tokens are counted.
    pub fn document(&self, words: &Words<'_>, parts: Parts) -> Json {
        let vocab: Map<String, Json> =
            words.tokens.iter().map(|(id, text, _)| ((*text).to_owned(), json!(id))).collect();
        let is_added = |kind: i32| matches!(kind, CONTROL | USER_DEFINED | UNKNOWN);
        let added = words.tokens.iter().filter(|token| is_added(token.2)).map(|(id, text, kind)| {
            json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind != USER_DEFINED})
        });
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": parts.normalizer,
            "pre_tokenizer": parts.pre_tokenizer,
            "post_processor": self.post_processor(parts.first_processor),
            "decoder": parts.decoder,
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": parts.unknown,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": parts.byte_fallback,
                "byte_fallback": parts.byte_fallback,
                "ignore_merges": parts.ignore_merges,
                "vocab": vocab,
                "merges": parts.merges,
            },
        })
    }

    fn post_processor(&self, first: Option<Json>) -> Json {
        let template = (self.before.is_some() || self.behind.is_some()).then(|| self.template());
        match (first, template) {
            (Some(first), Some(template)) => json!({"type": "Sequence", "processors": [first, template]}),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Json::Null,
        }
    }

    fn template(&self) -> Json {
        let special = |token: Option<(u32, &str)>, part: u32| {
            token.map(|(_, text)| json!({"SpecialToken": {"id": text, "type_id": part}}))
        };
        let text = |name: &str, part: u32| {
            let sequence = Some(json!({"Sequence": {"id": name, "type_id": part}}));
            [special(self.before, part), sequence, special(self.behind, part)].into_iter().flatten()
        };
        let named = [self.before, self.behind].into_iter().flatten();
        let named = named.map(|(id, text)| (text.to_owned(), json!({"id": text, "ids": [id], "tokens": [text]})));
        json!({
            "type": "TemplateProcessing",
            "single": text("A", 0).collect::<Vec<_>>(),
            "pair": text("A", 0).chain(text("B", 1)).collect::<Vec<_>>(),
            "special_tokens": named.collect::<Map<_, _>>(),
        })
    }
}
