//! The tokens of a Hugging Face vocabulary: the model's own and the ones added on top.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::folder::Folder;
use super::{VocabError, inputs, limits};

/// A token outside the merge rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) text: String,
    pub(super) id: u64,
    pub(super) special: bool,
    /// Whether the normalizer runs before it is looked for.
    pub(super) normalized: bool,
}

/// A vocabulary before it is laid out in id order.
#[derive(Debug)]
pub(super) struct HfTokens {
    /// The model's own tokens.
    pub(super) base: HashMap<String, u64>,
    /// The added ones; they may repeat tokens of `base`.
    pub(super) added: Vec<Added>,
    /// Where each added text stands in `added`; a linear search would be quadratic in a hostile file.
    places: HashMap<String, usize>,
    /// The texts that play a special role (BOS, padding, ...).
    pub(super) specials: BTreeSet<String>,
}

/// Reads tokenizer.json, or vocab.json with added_tokens.json, and what the configuration files add to them.
pub(super) fn read(folder: &Folder<'_>, warnings: &mut Vec<String>) -> Result<HfTokens, VocabError> {
    let (file, vocab) = match &folder.tokenizer {
        Json::Null => {
            let parsed = inputs::optional_json("vocab.json", folder.files.vocab_json)?;
            ("vocab.json", base("vocab.json", &parsed)?)
        }
        tokenizer => ("tokenizer.json", base("tokenizer.json", &tokenizer["model"]["vocab"])?),
    };
    add_over(folder, file, vocab, warnings)
}

/// The added tokens over `base`, where tokenizer.json's model is no map of texts to ids.
pub(super) fn over(
    folder: &Folder<'_>,
    base: HashMap<String, u64>,
    warnings: &mut Vec<String>,
) -> Result<HfTokens, VocabError> {
    add_over(folder, "tokenizer.json", base, warnings)
}

fn add_over(
    folder: &Folder<'_>,
    file: &'static str,
    base: HashMap<String, u64>,
    warnings: &mut Vec<String>,
) -> Result<HfTokens, VocabError> {
    let mut tokens = HfTokens { base, added: Vec::new(), places: HashMap::new(), specials: special_texts(folder) };
    for entry in folder.tokenizer["added_tokens"].as_array().into_iter().flatten() {
        let (Some(text), Some(id)) = (entry["content"].as_str(), entry["id"].as_u64()) else {
            return Err(VocabError::Malformed {
                file,
                reason: format!("an added token without content or id: {entry}"),
            });
        };
        tokens.add(text, id, entry)?;
    }
    if folder.tokenizer.is_null() {
        for (text, id) in folder.added_tokens.as_object().into_iter().flatten() {
            let id = id.as_u64().ok_or_else(|| VocabError::Malformed {
                file: "added_tokens.json",
                reason: format!("the id of {text:?} is not a number"),
            })?;
            tokens.add(text, id, &Json::Null)?;
        }
    }
    let decoder = folder.tokenizer_config["added_tokens_decoder"].as_object();
    for ((id, text, _), entry) in folder.added_tokens_decoder()?.into_iter().zip(decoder.into_iter().flatten()) {
        tokens.add(text, id, entry.1)?;
    }
    for text in tokens.specials.clone() {
        if tokens.places.contains_key(&text) {
            continue;
        }
        match tokens.base.get(&text) {
            Some(id) => tokens.added.push(Added { id: *id, text, special: true, normalized: false }),
            None => warnings.push(format!("the special token {text:?} is in no vocabulary file; left out")),
        }
    }
    Ok(tokens)
}

impl HfTokens {
    /// Adds a token or replaces the flags of one that is there; a token of the model keeps the model's id.
    fn add(&mut self, text: &str, id: u64, entry: &Json) -> Result<(), VocabError> {
        limits::check("a token id", id, limits::TOKENS)?;
        let special = entry["special"].as_bool().unwrap_or(false);
        let added = Added {
            text: text.to_owned(),
            id: self.base.get(text).copied().unwrap_or(id),
            special,
            normalized: entry["normalized"].as_bool().unwrap_or(!special),
        };
        match self.places.get(text).and_then(|place| self.added.get_mut(*place)) {
            Some(known) => *known = Added { id: known.id, ..added },
            None => {
                self.places.insert(text.to_owned(), self.added.len());
                self.added.push(added);
            }
        }
        Ok(())
    }

    /// The largest id with its text.
    pub(super) fn largest(&self) -> Option<(u64, &str)> {
        let base = self.base.iter().map(|(text, id)| (*id, text.as_str()));
        base.chain(self.added.iter().map(|added| (added.id, added.text.as_str()))).max()
    }
}

fn base(file: &'static str, vocab: &Json) -> Result<HashMap<String, u64>, VocabError> {
    let Some(entries) = vocab.as_object() else {
        let reason = "it has no vocabulary of the form {token: id}".to_owned();
        return Err(VocabError::Malformed { file, reason });
    };
    limits::check("the number of tokens", entries.len() as u64, limits::TOKENS)?;
    let mut base = HashMap::with_capacity(entries.len());
    for (text, id) in entries {
        let Some(id) = id.as_u64() else {
            return Err(VocabError::Malformed { file, reason: format!("the id of token {text:?} is {id}") });
        };
        limits::check("a token id", id, limits::TOKENS)?;
        base.insert(text.clone(), id);
    }
    Ok(base)
}

/// The texts with a special role: from tokenizer_config.json, and from special_tokens_map.json where the former lists
/// no added tokens (that is when `transformers` looks there).
fn special_texts(folder: &Folder<'_>) -> BTreeSet<String> {
    const ROLES: [&str; 7] =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    let config = &folder.tokenizer_config;
    let map = if config["added_tokens_decoder"].is_object() { &Json::Null } else { &folder.special_tokens_map };
    let mut texts = BTreeSet::new();
    for role in ROLES {
        let token = config.get(role).filter(|token| !token.is_null()).unwrap_or(&map[role]);
        texts.extend(token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned));
    }
    for list in [&config["additional_special_tokens"], &map["additional_special_tokens"]] {
        let entries = list.as_array().into_iter().flatten();
        texts.extend(entries.filter_map(|e| e.as_str().or_else(|| e["content"].as_str())).map(str::to_owned));
    }
    texts
}
