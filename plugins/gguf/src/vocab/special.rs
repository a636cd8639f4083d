//! Special token ids, the add-BOS family of flags, merges, chat template: the keys after the token lists.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::value::{KeyValue, set};

use super::chat_template::{self, Templates};
use super::folder::Folder;
use super::post_processor::{Roles, apply};
use super::{VocabError, merges};

/// The roles every vocabulary is asked for, in output order.
pub(super) const ROLES: &[&str] = &["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

/// The keys that follow the token lists.
#[derive(Debug, Default)]
pub(super) struct Special {
    merges: Vec<String>,
    ids: Vec<(&'static str, u64)>,
    add: Vec<(&'static str, bool)>,
    templates: Templates,
    normalizer: Normalizer,
}

impl Special {
    /// Reads the folder for the given roles. `with_merges` is for byte-pair vocabularies.
    pub(super) fn read(
        folder: &Folder<'_>,
        roles: &[&'static str],
        vocab_len: usize,
        with_merges: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self, VocabError> {
        let config = &folder.tokenizer_config;
        let all = ROLES.iter().chain(roles).chain(&["eot", "eom"]);
        let mut roles = Roles {
            configured: config.as_object().is_some_and(|config| !config.is_empty()),
            tokens: all
                .filter_map(|role| Some((*role, config.get(format!("{role}_token"))?.clone())))
                .collect::<BTreeMap<_, _>>(),
            types: roles.to_vec(),
            add: Vec::new(),
        };
        if folder.tokenizer.is_object() {
            apply(&folder.tokenizer["post_processor"], &mut roles, warnings);
        }
        let mut special = Self {
            merges: if with_merges { merges::read(folder, warnings)? } else { Vec::new() },
            templates: chat_template::find(folder.files, config, warnings)?,
            ..Self::default()
        };
        special.normalizer.read(&folder.tokenizer["normalizer"], 0);
        special.roles(folder, &mut roles, vocab_len, warnings);
        special.add = roles.add;
        Ok(special)
    }

    fn roles(&mut self, folder: &Folder<'_>, roles: &mut Roles, vocab_len: usize, warnings: &mut Vec<String>) {
        let added = folder.tokenizer["added_tokens"].as_array();
        for role in roles.types.clone() {
            if let Some(wanted) = folder.tokenizer_config[format!("add_{role}_token")].as_bool() {
                match roles.decided(role) {
                    None => roles.add.push((role, wanted)),
                    Some(done) if done != wanted => warnings.push(format!(
                        "tokenizer_config.json says add_{role}_token={wanted}, the post-processor of tokenizer.json \
                         does {done}; the post-processor counts"
                    )),
                    Some(_) => {}
                }
            }
            let token = roles.tokens.get(role).unwrap_or(&Json::Null);
            let Some(text) = token.as_str().or_else(|| token["content"].as_str()) else { continue };
            let found = added.into_iter().flatten().find(|entry| entry["content"] == text);
            if let Some(id) = found.and_then(|entry| entry["id"].as_i64()) {
                self.offer(role, id, vocab_len, warnings);
            }
        }
        for role in roles.types.clone() {
            let key = format!("{role}_token_id");
            let at_root = folder.config.get(&key).filter(|id| !id.is_null());
            let id = at_root.unwrap_or(&folder.config["text_config"][&key]);
            if let Some(id) = id.as_i64() {
                self.offer(role, id, vocab_len, warnings);
            }
        }
    }

    /// Sets a role's id unless it has one already or no such token exists.
    pub(super) fn offer(&mut self, role: &'static str, id: i64, vocab_len: usize, warnings: &mut Vec<String>) {
        match u64::try_from(id) {
            Ok(id) if id < vocab_len as u64 => {
                if !self.ids.iter().any(|(known, _)| *known == role) {
                    self.ids.push((role, id));
                }
            }
            _ => warnings.push(format!("the {role} token id {id} is outside the {vocab_len} tokens; left out")),
        }
    }

    /// Sets a role's id whatever it was, unless no such token exists; its place among the roles stays.
    pub(super) fn replace(&mut self, role: &'static str, id: i64, vocab_len: usize, warnings: &mut Vec<String>) {
        let known = self.ids.iter_mut().find(|(known, _)| *known == role);
        match (known, u64::try_from(id)) {
            (Some(known), Ok(id)) if id < vocab_len as u64 => known.1 = id,
            _ => self.offer(role, id, vocab_len, warnings),
        }
    }

    /// Leaves the chat template out, for a second pass that must not add it again.
    pub(super) fn without_template(mut self) -> Self {
        self.templates.clear();
        self
    }

    /// Writes merges, ids, flags, templates and the normalizer's flags.
    pub(super) fn write(self, list: &mut Vec<KeyValue>) {
        if !self.merges.is_empty() {
            set(list, "tokenizer.ggml.merges", self.merges);
        }
        for (role, id) in self.ids {
            if let Some(key) = id_key(role) {
                // Ids are below the vocabulary's length, which is capped far below 2^32.
                set(list, key, u32::try_from(id).unwrap_or(u32::MAX));
            }
        }
        for (role, add) in self.add {
            if matches!(role, "bos" | "eos" | "sep") {
                set(list, &format!("tokenizer.ggml.add_{role}_token"), add);
            }
        }
        chat_template::write(&self.templates, list);
        let Normalizer { lowercase, strip_accents } = self.normalizer;
        for (key, flag) in [("lowercase", lowercase), ("strip_accents", strip_accents)] {
            if let Some(flag) = flag {
                set(list, &format!("tokenizer.ggml.normalizer.{key}"), flag);
            }
        }
    }
}

/// The key of a role's id. CLS and the fill-in-the-middle roles have none: the converter looks for them and then has no
/// key to write them under.
fn id_key(role: &str) -> Option<&'static str> {
    Some(match role {
        "bos" => "tokenizer.ggml.bos_token_id",
        "eos" => "tokenizer.ggml.eos_token_id",
        "unk" => "tokenizer.ggml.unknown_token_id",
        "sep" => "tokenizer.ggml.seperator_token_id",
        "pad" => "tokenizer.ggml.padding_token_id",
        "mask" => "tokenizer.ggml.mask_token_id",
        "eot" => "tokenizer.ggml.eot_token_id",
        "eom" => "tokenizer.ggml.eom_token_id",
        _ => return None,
    })
}

/// What the normalizer says of capitals and accents; llama.cpp assumes both are taken off where nothing is said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Normalizer {
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
}

impl Normalizer {
    /// Reads a step; `depth` bounds nested sequences.
    fn read(&mut self, step: &Json, depth: usize) {
        match step["type"].as_str() {
            Some("Lowercase") => self.lowercase = Some(true),
            Some("StripAccents") => self.strip_accents = Some(true),
            Some("BertNormalizer") => {
                self.lowercase = step.get("lowercase").map_or(self.lowercase, Json::as_bool);
                self.strip_accents = step.get("strip_accents").map_or(self.strip_accents, Json::as_bool);
            }
            Some("Sequence") if depth < 8 => {
                step["normalizers"].as_array().into_iter().flatten().for_each(|step| self.read(step, depth + 1));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(step: &Json) -> (Option<bool>, Option<bool>) {
        let mut normalizer = Normalizer::default();
        normalizer.read(step, 0);
        (normalizer.lowercase, normalizer.strip_accents)
    }

    #[test]
    fn capitals_and_accents_are_kept_where_the_normalizer_keeps_them() {
        let bert = json!({"type": "BertNormalizer", "lowercase": false, "strip_accents": null});
        assert_eq!(read(&bert), (Some(false), None));
        let steps = json!({"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "StripAccents"}]});
        assert_eq!(read(&steps), (Some(true), Some(true)));
        assert_eq!(read(&json!({"type": "NFC"})), (None, None));
    }
}
