//! Finding the family of a model: by class or model type, and by the values that set variants of one class apart.

use super::{Family, builtin};
use serde_json::{Map, Value};

impl Family {
    /// Whether config.json has the values that this family requires; its own defaults speak where the file is silent.
    pub fn fits(&self, config: &Map<String, Value>) -> bool {
        self.requires.iter().all(|(key, required)| {
            let stated = config.get(key).filter(|value| !value.is_null()).cloned();
            let default = || self.defaults.get(key).and_then(|value| serde_json::to_value(value).ok());
            stated.or_else(default) == serde_json::to_value(required).ok()
        })
    }
}

/// The families to choose from: the user's in front of the built-in ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Families<'f> {
    /// Descriptions that the user gave.
    pub own: &'f [Family],
}

impl<'f> Families<'f> {
    /// All, in the order in which they are asked.
    pub fn all(&self) -> impl Iterator<Item = &'f Family> {
        self.own.iter().chain(builtin())
    }

    /// Every class that is known, in the order of the families.
    pub fn classes(&self) -> impl Iterator<Item = &'f str> {
        self.all().flat_map(|family| &family.classes).map(String::as_str)
    }

    /// The family of a class in `architectures`.
    pub fn by_class(&self, class: &str, config: &Map<String, Value>) -> Option<&'f Family> {
        self.all().find(|family| family.classes.iter().any(|c| c == class) && family.fits(config))
    }

    /// The family of a `model_type`.
    pub fn by_model_type(&self, model_type: &str, config: &Map<String, Value>) -> Option<&'f Family> {
        self.all().find(|family| family.model_types.iter().any(|t| t == model_type) && family.fits(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falcon_s_variants_are_told_apart_by_values() {
        let config = |json: Value| json.as_object().cloned().unwrap();
        let family = |json: Value| Families::default().by_class("FalconForCausalLM", &config(json)).unwrap().id.clone();
        assert_eq!(family(serde_json::json!({})), "falcon");
        assert_eq!(family(serde_json::json!({ "new_decoder_architecture": false })), "falcon");
        assert_eq!(family(serde_json::json!({ "new_decoder_architecture": true })), "falcon_40b");
        let one_norm = serde_json::json!({ "new_decoder_architecture": true, "num_ln_in_parallel_attn": 1 });
        assert_eq!(family(one_norm), "falcon2");
    }
}
