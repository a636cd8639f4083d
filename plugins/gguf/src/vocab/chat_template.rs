//! The chat templates of a model folder, as GGUF keys.

use serde_json::Value as Json;

use crate::value::{KeyValue, set};

use super::inputs::{TokenizerFiles, text};
use super::{VocabError, inputs, limits};

/// A template with the name it goes by; the nameless one of a plain string is `default`.
pub(super) type Templates = Vec<(String, String)>;

/// Finds the templates: tokenizer_config.json first, then `chat_template.jinja` with its additional ones, then
/// `chat_template.json`.
pub(super) fn find(
    files: &TokenizerFiles<'_>,
    tokenizer_config: &Json,
    warnings: &mut Vec<String>,
) -> Result<Templates, VocabError> {
    let templates = look(files, tokenizer_config, warnings)?;
    limits::check("the number of chat templates", templates.len() as u64, limits::TEMPLATES)?;
    Ok(templates)
}

fn look(
    files: &TokenizerFiles<'_>,
    tokenizer_config: &Json,
    warnings: &mut Vec<String>,
) -> Result<Templates, VocabError> {
    match tokenizer_config.get("chat_template") {
        Some(Json::String(template)) => return Ok(vec![("default".to_owned(), template.clone())]),
        Some(Json::Array(choices)) => return Ok(choices.iter().filter_map(choice).collect()),
        Some(Json::Null) => return Ok(Vec::new()),
        Some(_) => {
            warnings.push("chat_template in tokenizer_config.json is neither text nor a list; left out".to_owned());
            return Ok(Vec::new());
        }
        None => {}
    }
    if let Some(bytes) = files.chat_template_jinja {
        let mut templates = vec![("default".to_owned(), text("chat_template.jinja", bytes)?.to_owned())];
        let mut more = files.additional_chat_templates.clone();
        more.sort_unstable();
        for (name, bytes) in more {
            templates.push((name.to_owned(), text("additional_chat_templates", bytes)?.to_owned()));
        }
        return Ok(templates);
    }
    let json = inputs::optional_json("chat_template.json", files.chat_template_json)?;
    Ok(match &json["chat_template"] {
        Json::String(template) => vec![("default".to_owned(), template.clone())],
        Json::Array(choices) => choices.iter().filter_map(choice).collect(),
        _ => Vec::new(),
    })
}

fn choice(entry: &Json) -> Option<(String, String)> {
    Some((entry["name"].as_str()?.to_owned(), entry["template"].as_str()?.to_owned()))
}

/// Writes the named templates, the sorted list of their names and last the default one.
///
/// The converter writes the names in the order of a Python set, which differs from run to run; sorted is ours.
pub(super) fn write(templates: &Templates, list: &mut Vec<KeyValue>) {
    let mut names = Vec::new();
    let mut default = None;
    for (name, template) in templates {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if name == "default" {
            default = Some(template);
        } else if !name.is_empty() {
            if !template.is_empty() {
                set(list, &format!("tokenizer.chat_template.{name}"), template.as_str());
            }
            names.push(name);
        }
    }
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        set(list, "tokenizer.chat_templates", names);
    }
    if let Some(template) = default.filter(|template| !template.is_empty()) {
        set(list, "tokenizer.chat_template", template.as_str());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(files: &TokenizerFiles<'_>, config: &Json) -> Vec<String> {
        let mut list = Vec::new();
        write(&find(files, config, &mut Vec::new()).unwrap(), &mut list);
        list.into_iter().map(|line| line.key).collect()
    }

    #[test]
    fn the_configuration_wins_over_the_files() {
        let files = TokenizerFiles { chat_template_jinja: Some(b"file"), ..Default::default() };
        let mut list = Vec::new();
        write(&find(&files, &json!({"chat_template": "config"}), &mut Vec::new()).unwrap(), &mut list);
        assert_eq!(list, [KeyValue::new("tokenizer.chat_template", "config")]);
        assert!(keys(&files, &json!({"chat_template": null})).is_empty());
    }

    #[test]
    fn a_flood_of_templates_is_refused() {
        let choices = vec![json!({"name": "a", "template": "t"}); 257];
        let error = find(&TokenizerFiles::default(), &json!({"chat_template": choices}), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, VocabError::TooLarge { found: 257, .. }), "{error}");
    }

    #[test]
    fn additional_templates_are_named_in_sorted_order() {
        let files = TokenizerFiles {
            chat_template_jinja: Some(b"main"),
            additional_chat_templates: vec![("tool-use", b"t"), ("rag", b"r")],
            ..Default::default()
        };
        assert_eq!(
            keys(&files, &json!({})),
            [
                "tokenizer.chat_template.rag",
                "tokenizer.chat_template.tool_use",
                "tokenizer.chat_templates",
                "tokenizer.chat_template"
            ]
        );
    }
}
