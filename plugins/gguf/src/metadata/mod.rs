//! The `general.*` keys: what a GGUF file says about its model.
//!
//! Sources in order: the model card (README.md), `_name_or_path` of config.json, the folder's name, the tensors.
//! `general.file_type` is not written here: the quantization level decides it.

mod front_matter;
mod model_id;
mod parameters;
mod related;
mod sampling;

use serde_json::Value as Json;

use crate::value::{KeyValue, set};

use front_matter::Entry;
use model_id::{ModelId, title};

pub use parameters::Parameters;

/// What the keys are made from.
#[derive(Clone, Debug)]
pub struct GeneralInputs<'a> {
    /// GGUF architecture (`llama`).
    pub architecture: &'a str,
    /// Name of the model folder, or the part of a model id behind the slash.
    pub folder: &'a str,
    /// The user's own name for the model.
    pub name: Option<&'a str>,
    /// config.json.
    pub config: &'a Json,
    /// generation_config.json; unreadable JSON counts as absent, as in the converter.
    pub generation_config: Option<&'a [u8]>,
    /// README.md.
    pub readme: Option<&'a [u8]>,
    /// Size of the model as it is written.
    pub parameters: Parameters,
}

/// The keys, and what was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct General {
    /// `general.*` in file order, `general.architecture` first.
    pub key_values: Vec<KeyValue>,
    /// Sentences about what was left out.
    pub warnings: Vec<String>,
}

/// `general.quantization_version`, written behind the architecture's own keys.
pub fn quantization_version() -> KeyValue {
    KeyValue::new("general.quantization_version", 2_u32)
}

/// The one-line descriptions, in the order in which they are written.
const LINES: &[(&str, &[&str])] = &[
    ("author", &["author", "model_author", "model_creator"]),
    ("version", &["version", "model_version"]),
    ("organization", &["organization", "model_organization"]),
    ("finetune", &["finetune", "model_finetune"]),
    ("basename", &["basename", "model_basename", "model_type"]),
    ("description", &["description", "model_description"]),
    ("size_label", &["size_label", "model_size_label"]),
    ("license", &["license"]),
    ("license.name", &["license_name"]),
    ("license.link", &["license_link"]),
    ("source.url", &["url", "model_url"]),
    ("source.doi", &["doi", "model_doi"]),
    ("source.uuid", &["uuid", "model_uuid"]),
    ("source.repo_url", &["repo_url", "model_repo_url"]),
];

/// Builds the keys.
pub fn general(inputs: &GeneralInputs<'_>) -> General {
    let mut list =
        vec![KeyValue::new("general.architecture", inputs.architecture), KeyValue::new("general.type", "model")];
    let mut card = Card { entries: front_matter::parse(inputs.readme.unwrap_or_default()), warnings: Vec::new() };
    let sampling = inputs.generation_config.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or(Json::Null);
    sampling::write(&sampling, &mut list, &mut card.warnings);

    let ids = ids(inputs);
    let from_ids = |field: fn(&ModelId) -> Option<String>| ids.iter().find_map(field);
    let name = inputs.name.map(str::to_owned).or_else(|| card.text(&["name", "model_name"]));
    let name = name.or_else(|| from_ids(|id| id.name.as_deref().map(title)));
    put(&mut list, "name", name.filter(|name| !name.is_empty()).or_else(|| Some(inputs.folder.to_owned())));
    for (key, sources) in LINES {
        let told = card.text(sources);
        let text = told.or_else(|| match *key {
            "version" => from_ids(|id| id.version.clone()),
            "organization" => from_ids(|id| id.organization.as_deref().map(title)),
            "finetune" => from_ids(|id| id.finetune.clone()),
            "basename" => from_ids(|id| id.basename.clone()),
            "size_label" => from_ids(|id| id.size_label.clone()).or_else(|| inputs.parameters.label()),
            _ => None,
        });
        put(&mut list, key, text);
    }
    let total = inputs.parameters.total;
    for (kind, sources) in [
        ("base_model", ["base_model", "base_models", "base_model_sources"]),
        ("dataset", ["datasets", "dataset", "dataset_sources"]),
    ] {
        if let Some(ids) = card.list(&sources) {
            related::write(kind, &ids, total, &mut list);
        }
    }
    for (key, sources) in [("tags", ["tags", "pipeline_tag"]), ("languages", ["languages", "language"])] {
        let items: Vec<String> = sources.iter().filter_map(|source| card.list(&[source])).flatten().collect();
        if !items.is_empty() {
            set(&mut list, &format!("general.{key}"), items);
        }
    }
    General { key_values: list, warnings: card.warnings }
}

/// The ids the model goes by: `_name_or_path` unless it is a path, then the folder's name.
fn ids(inputs: &GeneralInputs<'_>) -> Vec<ModelId> {
    let total = inputs.parameters.total;
    let path =
        inputs.config["_name_or_path"].as_str().filter(|path| !path.is_empty() && path.matches('/').count() <= 1);
    let mut ids: Vec<_> = path.into_iter().map(|path| ModelId::parse(path, total)).collect();
    ids.push(ModelId::parse(inputs.folder, total));
    ids
}

/// Empty text is not written.
fn put(list: &mut Vec<KeyValue>, key: &str, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        set(list, &format!("general.{key}"), text);
    }
}

/// The model card, asked for one field at a time.
struct Card {
    entries: Vec<(String, Entry)>,
    warnings: Vec<String>,
}

impl Card {
    /// The first of the keys that the card has.
    fn find(&mut self, keys: &[&str]) -> Option<Entry> {
        let found = keys.iter().find_map(|key| self.entries.iter().find(|(name, _)| name == key))?.clone();
        if found.1 == Entry::Other {
            self.warnings.push(format!("README.md: {} is neither text nor a list of texts; left out", found.0));
            return None;
        }
        Some(found.1)
    }

    fn text(&mut self, keys: &[&str]) -> Option<String> {
        match self.find(keys)? {
            Entry::Text(text) => Some(text),
            Entry::List(items) => Some(items.join(",")),
            Entry::Null | Entry::Other => None,
        }
    }

    fn list(&mut self, keys: &[&str]) -> Option<Vec<String>> {
        match self.find(keys)? {
            Entry::Text(text) => Some(vec![text]),
            Entry::List(items) => Some(items),
            Entry::Null | Entry::Other => None,
        }
    }
}
