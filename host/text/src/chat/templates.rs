//! Where a model keeps its chat templates, and which of them is taken.

use serde_json::Value;

use crate::TextError;

/// The chat templates of a model by name, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates(Vec<(String, String)>);

impl Templates {
    /// Templates of tokenizer_config.json: `chat_template` is one template, or a list of objects with `name` and
    /// `template`.
    pub fn of_config(config: &Value) -> Templates {
        Templates(match config.get("chat_template") {
            Some(Value::String(one)) => vec![("default".to_owned(), one.clone())],
            Some(Value::Array(named)) => named
                .iter()
                .filter_map(|t| Some((t.get("name")?.as_str()?.to_owned(), t.get("template")?.as_str()?.to_owned())))
                .collect(),
            _ => Vec::new(),
        })
    }

    /// Templates of files: `default` is chat_template.jinja, others lie in additional_chat_templates. Where there are
    /// files, those of tokenizer_config.json do not count, as in transformers.
    pub fn or_files(self, files: Vec<(String, String)>) -> Templates {
        if files.is_empty() { self } else { Templates(files) }
    }

    /// The template of a name; without one `default`, else the only one there is.
    ///
    /// # Errors
    /// Names that do not exist. A model without any template gives `None`.
    pub fn choose(&self, name: Option<&str>) -> Result<Option<&str>, TextError> {
        let found = |name: &str| self.0.iter().find(|(n, _)| n == name).map(|(_, source)| source.as_str());
        let wanted = match (name, self.0.as_slice()) {
            (None, []) => return Ok(None),
            (None, [(_, only)]) => return Ok(Some(only)),
            (name, _) => name.unwrap_or("default"),
        };
        let present: Vec<&str> = self.0.iter().map(|(n, _)| n.as_str()).take(20).collect();
        let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
        match found(wanted) {
            Some(source) => Ok(Some(source)),
            None => Err(TextError::UnknownChatTemplate { wanted: wanted.to_owned(), present }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_named_and_files() {
        let one = Templates::of_config(&json!({"chat_template": "A"}));
        assert_eq!(one.choose(None).unwrap(), Some("A"));
        let named = [("default", "D"), ("tool_use", "T")].map(|(n, t)| json!({"name": n, "template": t}));
        let named = Templates::of_config(&json!({"chat_template": named}));
        assert_eq!(named.choose(None).unwrap(), Some("D"));
        assert_eq!(named.choose(Some("tool_use")).unwrap(), Some("T"));
        let error = named.choose(Some("rag")).unwrap_err().to_string();
        assert!(error.contains("rag") && error.contains("default, tool_use"), "{error}");
        let files = named.or_files(vec![("default".into(), "F".into())]);
        assert_eq!(files.choose(None).unwrap(), Some("F"));
        assert_eq!(Templates::default().choose(None).unwrap(), None);
        assert!(Templates::default().choose(Some("x")).is_err());
    }
}
