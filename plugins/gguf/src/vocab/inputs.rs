//! What a vocabulary is built from.

use serde_json::Value as Json;

use super::{VocabError, limits};

/// Encodes a text: `(text, add_special_tokens)` to ids. The flag is that of `transformers`' `encode`.
pub type Encode<'a> = dyn Fn(&str, bool) -> Result<Vec<u32>, String> + 'a;
/// Decodes ids, keeping special tokens and cleaning up no spaces.
pub type Decode<'a> = dyn Fn(&[u32]) -> Result<String, String> + 'a;

/// The raw tokenizer files of a model folder; what is absent is `None`.
#[derive(Clone, Debug, Default)]
pub struct TokenizerFiles<'a> {
    /// `tokenizer.json` of the `tokenizers` library.
    pub tokenizer_json: Option<&'a [u8]>,
    /// `tokenizer.model`, a SentencePiece protobuf.
    pub tokenizer_model: Option<&'a [u8]>,
    /// `sentencepiece.bpe.model`, the same under XLM-RoBERTa's name.
    pub sentencepiece_bpe_model: Option<&'a [u8]>,
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'a [u8]>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<&'a [u8]>,
    /// `added_tokens.json`.
    pub added_tokens: Option<&'a [u8]>,
    /// `vocab.json` of the older two-file form.
    pub vocab_json: Option<&'a [u8]>,
    /// `merges.txt` of the older two-file form.
    pub merges_txt: Option<&'a [u8]>,
    /// `chat_template.jinja`.
    pub chat_template_jinja: Option<&'a [u8]>,
    /// `chat_template.json`.
    pub chat_template_json: Option<&'a [u8]>,
    /// `additional_chat_templates/NAME.jinja` as (NAME, content), in any order.
    pub additional_chat_templates: Vec<(&'a str, &'a [u8])>,
}

/// Everything [`build`](super::build) looks at.
pub struct VocabInputs<'a> {
    /// The folder's tokenizer files.
    pub files: TokenizerFiles<'a>,
    /// The architecture class, `architectures[0]` of config.json.
    pub class: &'a str,
    /// config.json.
    pub config: &'a Json,
    /// Rows of the embedding (config.json's `vocab_size`, of the text model); `None` if config.json does not say.
    pub vocab_size: Option<u64>,
    /// The user's `--pre`.
    pub pre: Option<&'a str>,
    /// The model's tokenizer, from text to ids.
    pub encode: &'a Encode<'a>,
    /// The model's tokenizer, from ids to text.
    pub decode: &'a Decode<'a>,
}

/// Parses one of the folder's JSON files.
pub(super) fn json(file: &'static str, bytes: &[u8]) -> Result<Json, VocabError> {
    limits::check(file, bytes.len() as u64, limits::FILE_BYTES)?;
    serde_json::from_slice(bytes).map_err(|error| VocabError::Json { file, reason: error.to_string() })
}

/// Parses a file that may be absent; absent reads as JSON null.
pub(super) fn optional_json(file: &'static str, bytes: Option<&[u8]>) -> Result<Json, VocabError> {
    bytes.map_or(Ok(Json::Null), |bytes| json(file, bytes))
}

/// Reads a file that holds text.
pub(super) fn text<'a>(file: &'static str, bytes: &'a [u8]) -> Result<&'a str, VocabError> {
    limits::check(file, bytes.len() as u64, limits::FILE_BYTES)?;
    std::str::from_utf8(bytes).map_err(|error| VocabError::Malformed {
        file,
        reason: format!("not UTF-8 after byte {}", error.valid_up_to()),
    })
}
