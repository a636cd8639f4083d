//! The model's own tokenizer: tokenizer.json, with the special tokens and the chat templates that stand beside it.
//!
//! tokenizer.json decides which special tokens a text gets (as in transformers 5, which does not let `add_bos_token` of
//! tokenizer_config.json override it); truncation and padding in it are switched off.

mod folder;
mod special;
mod windows;

use std::str::FromStr;
use std::sync::OnceLock;

use serde_json::Value;

use crate::TextError;
use crate::chat::{ChatTemplate, Templates};
use crate::options::ChatOptions;

pub(crate) use windows::Windows;

/// Bytes of tokenizer.json; the largest published are around 40 MiB.
const MAX_TOKENIZER: u64 = 256 << 20;
/// Bytes of tokenizer_config.json and of a template file.
const MAX_CONFIG: u64 = 16 << 20;

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The same, taking special tokens that the text spells out for text. Made when first needed: vocabularies are large.
    literal: OnceLock<tokenizers::Tokenizer>,
    file: String,
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    size: u32,
    specials: Vec<(String, String)>,
    templates: Templates,
}

impl Tokenizer {
    /// A tokenizer from the bytes of tokenizer.json and, where there is one, the JSON of tokenizer_config.json;
    /// `file` is its name in errors. Template files do not belong to these; see [`Tokenizer::from_folder`].
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] for files that the tokenizers library cannot use.
    pub fn from_parts(json: &[u8], config: Option<&[u8]>, file: &str) -> Result<Tokenizer, TextError> {
        let fail = |message: String| TextError::Tokenizer { file: file.to_owned(), message };
        let json = std::str::from_utf8(json).map_err(|error| fail(format!("it is not UTF-8: {error}")))?;
        let mut inner = tokenizers::Tokenizer::from_str(json).map_err(|error| fail(error.to_string()))?;
        inner.with_truncation(None).map_err(|error| fail(error.to_string()))?.with_padding(None);
        let config: Value = match config {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| fail(format!("tokenizer_config.json is not valid JSON: {error}")))?,
            None => Value::Null,
        };
        let specials = special::named(&config);
        special::add_missing(&mut inner, &specials);
        let (prefix, suffix) = special::around(&inner).map_err(fail)?;
        let size = inner.get_vocab(true).values().max().map_or(0, |id| id.saturating_add(1));
        let templates = Templates::of_config(&config);
        let literal = OnceLock::new();
        Ok(Tokenizer { inner, literal, file: file.to_owned(), prefix, suffix, size, specials, templates })
    }

    /// The beginning-of-text token, if the tokenizer puts one before every text. Found by encoding, not by name.
    pub fn bos(&self) -> Option<u32> {
        self.prefix.first().copied()
    }

    /// What the tokenizer puts before every text, and behind it.
    pub fn around(&self) -> (&[u32], &[u32]) {
        (&self.prefix, &self.suffix)
    }

    /// One more than the highest token.
    pub fn vocabulary_size(&self) -> u32 {
        self.size
    }

    /// The text of a token as the vocabulary spells it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token of a vocabulary entry.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The tokens of a text as transformers gives them, with the special tokens around it or without.
    ///
    /// # Errors
    /// [`TextError::Encode`] with what the library says.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        let encoding = self.inner.encode_fast(text, add_special_tokens).map_err(|error| self.encode_error(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens, special tokens written out.
    ///
    /// # Errors
    /// [`TextError::Encode`] with what the library says.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TextError> {
        self.inner.decode(tokens, false).map_err(|error| self.encode_error(&error))
    }

    /// The chat template, compiled; `None` if the model has none.
    ///
    /// # Errors
    /// Names that do not exist, and templates that cannot be parsed.
    pub fn chat_template(&self, options: &ChatOptions) -> Result<Option<ChatTemplate>, TextError> {
        let source = self.templates.choose(options.template.as_deref())?;
        source.map(|source| ChatTemplate::new(source, self.specials.clone(), options)).transpose()
    }

    /// Tokens with the offsets at which they start.
    fn pieces(&self, text: &str, special: Special) -> Result<Vec<(u32, usize)>, TextError> {
        let encoding = self.library(special).encode(text, false).map_err(|error| self.encode_error(&error))?;
        Ok(encoding.get_ids().iter().copied().zip(encoding.get_offsets().iter().map(|o| o.0)).collect())
    }

    /// Tokens without offsets, which is faster.
    fn ids(&self, text: &str, special: Special) -> Result<Vec<u32>, TextError> {
        let encoding = self.library(special).encode_fast(text, false).map_err(|error| self.encode_error(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn library(&self, special: Special) -> &tokenizers::Tokenizer {
        match special {
            Special::Parsed => &self.inner,
            Special::Text => self.literal.get_or_init(|| {
                let mut literal = self.inner.clone();
                literal.set_encode_special_tokens(true);
                literal
            }),
        }
    }

    fn encode_error(&self, error: &tokenizers::Error) -> TextError {
        TextError::Encode { file: self.file.clone(), message: error.to_string() }
    }
}

/// What becomes of special tokens that a text spells out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// They are special.
    Parsed,
    /// They are text like any other.
    Text,
}
