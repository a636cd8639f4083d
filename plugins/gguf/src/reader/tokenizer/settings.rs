//! tokenizer_config.json: special tokens by role, chat templates.

use super::words::Words;
use crate::container::Header;
use crate::value::{Array, Value};
use serde_json::{Map, Value as Json, json};

/// Roles in transformers' words and the keys of their ids.
const ROLES: &[(&str, &str)] = &[
    ("bos_token", "tokenizer.ggml.bos_token_id"),
    ("eos_token", "tokenizer.ggml.eos_token_id"),
    ("unk_token", "tokenizer.ggml.unknown_token_id"),
    ("sep_token", "tokenizer.ggml.seperator_token_id"),
    ("pad_token", "tokenizer.ggml.padding_token_id"),
    ("mask_token", "tokenizer.ggml.mask_token_id"),
];

/// Keys that have the same meaning under another name.
const FLAGS: &[(&str, &str)] = &[
    ("add_bos_token", "tokenizer.ggml.add_bos_token"),
    ("add_eos_token", "tokenizer.ggml.add_eos_token"),
    ("add_prefix_space", "tokenizer.ggml.add_space_prefix"),
];

const TEMPLATE: &str = "tokenizer.chat_template";

/// The document.
pub(super) fn settings(header: &Header, words: &Words<'_>) -> Json {
    let mut all = Map::new();
    for (name, key) in FLAGS {
        if let Some(Value::Bool(flag)) = header.get(key) {
            all.insert((*name).to_owned(), json!(flag));
        }
    }
    for (name, key) in ROLES {
        if let Some((_, text)) = words.of_role(header, key) {
            all.insert((*name).to_owned(), json!(text));
        }
    }
    if let Some(templates) = templates(header) {
        all.insert("chat_template".to_owned(), templates);
    }
    all.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
    let architecture = header.text("general.architecture").unwrap_or_default();
    if let Some(length) = header.unsigned(&format!("{architecture}.context_length")) {
        all.insert("model_max_length".to_owned(), json!(length));
    }
    // The class that takes tokenizer.json as it is, whatever the family.
    all.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
    Json::Object(all)
}

/// One template as a text, several as a list with names.
fn templates(header: &Header) -> Option<Json> {
    let default = header.text(TEMPLATE);
    let names = match header.get("tokenizer.chat_templates") {
        Some(Value::Array(Array::String(names))) => &names[..],
        _ => &[],
    };
    let named = names.iter().filter_map(|name| {
        let name = std::str::from_utf8(name).ok()?;
        Some(json!({"name": name, "template": header.text(&format!("{TEMPLATE}.{name}"))?}))
    });
    let named: Vec<Json> = named.collect();
    match (default, named.is_empty()) {
        (default, true) => default.map(|template| json!(template)),
        (None, false) => Some(Json::Array(named)),
        (Some(default), false) => {
            let default = json!({"name": "default", "template": default});
            Some(Json::Array([default].into_iter().chain(named).collect()))
        }
    }
}
