//! Finding the language model in config.json: nested configs, its class, its family.

use super::fields::refuse;
use crate::model::ModelError;
use crate::model::family::{self, Families, Family};
use serde_json::{Map, Value};

/// Keys under which composite models keep the config of their language model, as the reference converter knows them.
pub const NESTED: &[&str] = &["text_config", "llm_config", "lm_config", "language_config"];

/// The language model's part of config.json: the nested config laid over the root, or the root itself.
pub fn text_model_config(config: &Value) -> Result<Map<String, Value>, ModelError> {
    let Value::Object(root) = config else {
        return Err(refuse("config.json", Some(config), "an object"));
    };
    let mut merged = root.clone();
    if let Some((key, nested)) = NESTED.iter().find_map(|&key| Some((key, root.get(key)?))) {
        let Value::Object(nested) = nested else {
            return Err(refuse(key, Some(nested), "an object"));
        };
        merged.remove(key);
        for (key, value) in nested {
            // Nested configs are often written with nulls for what only the root knows, such as the class. Where the
            // root is silent a null stays: for sliding_window it means that there is none.
            if !(value.is_null() && merged.contains_key(key)) {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(merged)
}

/// Class name and family: by `architectures`, or by `model_type` where that is absent.
pub fn class_and_family<'f>(
    config: &Map<String, Value>,
    families: Families<'f>,
) -> Result<(String, &'f Family), ModelError> {
    let classes = match config.get("architectures") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => {
            let words = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            words.ok_or_else(|| refuse("architectures", Some(value), "a list of class names"))?
        }
    };
    if let Some(&class) = classes.first() {
        return match families.by_class(class, config) {
            Some(family) => Ok((class.to_owned(), family)),
            None => Err(unknown(class, families)),
        };
    }
    let expected = "a list of class names (and `model_type` does not tell either)";
    let Some(Value::String(model_type)) = config.get("model_type") else {
        return Err(refuse("architectures", config.get("architectures"), expected));
    };
    match families.by_model_type(model_type, config) {
        Some(family) => Ok((family.classes[0].clone(), family)),
        None => Err(unknown(model_type, families)),
    }
}

fn unknown(class: &str, families: Families<'_>) -> ModelError {
    // The name goes to a terminal and into a distance computation: keep it short and printable.
    let class: String = class.chars().filter(|c| !c.is_control()).take(100).collect();
    let nearest = family::nearest(&class, families.classes().map(str::to_owned), 3);
    ModelError::UnknownArchitecture { class, nearest }
}
