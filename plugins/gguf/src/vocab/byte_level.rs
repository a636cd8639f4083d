//! Byte-level BPE (GPT-2 style) as the `gpt2` vocabulary.

use crate::value::KeyValue;

use super::folder::Folder;
use super::hf_tokens::Added;
use super::inputs::VocabInputs;
use super::pre::{self, Pre};
use super::token::{Kind, Tokens, added};
use super::{VocabError, limits};

/// Lays the tokens out in id order up to the rows of the embedding and writes the lists.
pub(super) fn write(
    inputs: &VocabInputs<'_>,
    folder: &Folder<'_>,
    vocab_size: Option<u64>,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<(usize, Pre), VocabError> {
    if folder.tokenizer.is_object() && folder.tokenizer["model"]["type"] != "BPE" {
        return Err(VocabError::Unsupported {
            class: inputs.class.to_owned(),
            reason: "tokenizer.json holds no byte-pair model (word lists are not read yet)",
        });
    }
    let pre = pre::detect(inputs.pre, &folder.tokenizer, inputs.class, inputs.encode, warnings)?;
    let source = folder.hf_tokens(warnings)?;
    let (largest, text) = source.largest().unwrap_or_default();
    let rows = vocab_size.unwrap_or(largest + 1);
    limits::check("the number of tokens (vocab_size)", rows, limits::TOKENS)?;
    if largest >= rows {
        let vocab_size = usize::try_from(rows).unwrap_or(usize::MAX);
        return Err(VocabError::IdOutOfRange { id: largest, token: text.to_owned(), vocab_size });
    }
    let mut tokens = Tokens::padding(rows, None)?;
    for (text, id) in &source.base {
        tokens.put(*id, text.as_str(), Kind::Normal, 0.0);
    }
    for token in &source.added {
        let (kind, text) = added(&normalized(token, inputs)?, token.special);
        tokens.put(token.id, text, kind, 0.0);
    }
    let count = tokens.len();
    tokens.write("gpt2", Some(&pre.name), list);
    Ok((count, pre))
}

/// The text llama.cpp must look for: it compares added tokens with normalized text, so one that the tokenizer matches
/// before normalization goes through the tokenizer once.
pub(super) fn normalized(token: &Added, inputs: &VocabInputs<'_>) -> Result<String, VocabError> {
    if token.normalized {
        return Ok(token.text.clone());
    }
    let fail = |action| move |reason| VocabError::Tokenizer { action, token: token.text.clone(), reason };
    let ids = (inputs.encode)(&token.text, false).map_err(fail("encode"))?;
    (inputs.decode)(&ids).map_err(fail("decode"))
}
