//! The tokenizer files of a model folder, parsed once.

use serde_json::Value as Json;

use super::inputs::{TokenizerFiles, VocabInputs, optional_json};
use super::{VocabError, hf_tokens};

/// Parsed JSON files (null where absent) beside the raw ones.
pub(super) struct Folder<'a> {
    pub(super) files: &'a TokenizerFiles<'a>,
    pub(super) config: &'a Json,
    pub(super) tokenizer: Json,
    pub(super) tokenizer_config: Json,
    pub(super) special_tokens_map: Json,
    pub(super) added_tokens: Json,
}

impl<'a> Folder<'a> {
    /// Parses what is there.
    pub(super) fn parse(inputs: &'a VocabInputs<'a>) -> Result<Self, VocabError> {
        let files = &inputs.files;
        Ok(Self {
            files,
            config: inputs.config,
            tokenizer: optional_json("tokenizer.json", files.tokenizer_json)?,
            tokenizer_config: optional_json("tokenizer_config.json", files.tokenizer_config)?,
            special_tokens_map: optional_json("special_tokens_map.json", files.special_tokens_map)?,
            added_tokens: optional_json("added_tokens.json", files.added_tokens)?,
        })
    }

    /// Whether tokenizer.json holds a SentencePiece-style BPE: bytes as `<0x0A>` tokens, spaces as U+2581.
    pub(super) fn has_byte_fallback(&self) -> bool {
        let model = &self.tokenizer["model"];
        model["type"] == "BPE"
            && model["byte_fallback"].as_bool().unwrap_or(false)
            && self.tokenizer["decoder"]["type"] == "Sequence"
    }

    /// Whether tokenizer.json holds WordPiece.
    pub(super) fn has_wordpiece(&self) -> bool {
        self.tokenizer["model"]["type"] == "WordPiece"
    }

    /// Whether tokenizer.json holds a unigram model.
    pub(super) fn has_unigram(&self) -> bool {
        self.tokenizer["model"]["type"] == "Unigram"
    }

    /// Whether there is a byte-level vocabulary to try.
    pub(super) fn has_byte_level(&self) -> bool {
        self.tokenizer.is_object() || self.files.vocab_json.is_some()
    }

    /// `added_tokens_decoder` of tokenizer_config.json as (id, text, special), in the file's order.
    pub(super) fn added_tokens_decoder(&self) -> Result<Vec<(u64, &str, bool)>, VocabError> {
        let entries = self.tokenizer_config["added_tokens_decoder"].as_object();
        entries
            .into_iter()
            .flatten()
            .map(|(id, entry)| match (id.parse(), entry["content"].as_str()) {
                (Ok(id), Some(text)) => Ok((id, text, entry["special"].as_bool().unwrap_or(false))),
                _ => Err(VocabError::Malformed {
                    file: "tokenizer_config.json",
                    reason: format!("added_tokens_decoder[{id:?}] has no numeric key or no content"),
                }),
            })
            .collect()
    }

    /// The tokens and added tokens of tokenizer.json (or vocab.json).
    pub(super) fn hf_tokens(&self, warnings: &mut Vec<String>) -> Result<hf_tokens::HfTokens, VocabError> {
        hf_tokens::read(self, warnings)
    }

    /// The added tokens of tokenizer.json over a model's own tokens.
    pub(super) fn added_tokens_over(
        &self,
        base: Vec<(String, u64)>,
        warnings: &mut Vec<String>,
    ) -> Result<hf_tokens::HfTokens, VocabError> {
        hf_tokens::over(self, base.into_iter().collect(), warnings)
    }
}
