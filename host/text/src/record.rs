//! One document as a file holds it, and how JSON objects become documents.

use serde_json::{Map, Value};

use crate::{Place, TextError};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub place: Place,
    /// What it holds.
    pub content: Content,
}

/// What a document holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Messages, each a JSON object with `role` and `content` and whatever else the model's template knows.
    Chat(Vec<Value>),
}

impl Record {
    /// The document in a JSON value: a string, or an object with `field`; without one `text`, else `messages`, else
    /// `prompt` with `completion`.
    ///
    /// # Errors
    /// Values that hold no such document, with the fields that are there.
    pub fn from_json(value: Value, field: Option<&str>, place: Place) -> Result<Record, TextError> {
        let mut object = match value {
            Value::String(text) => return Ok(Record { place, content: Content::Text(text) }),
            Value::Object(object) => object,
            other => return Err(TextError::FieldKind { place, field: "(the record)".into(), found: kind(&other) }),
        };
        if let Some(field) = field {
            return match object.shift_remove(field) {
                Some(value) => record(value, field, place),
                None => Err(no_field(&object, field, place)),
            };
        }
        for field in ["text", "messages"] {
            if let Some(value) = object.shift_remove(field) {
                return record(value, field, place);
            }
        }
        match (object.shift_remove("prompt"), object.shift_remove("completion")) {
            (Some(prompt), Some(completion)) => joined(prompt, completion, place),
            (prompt, completion) => {
                object.extend(prompt.map(|v| ("prompt".to_owned(), v)));
                object.extend(completion.map(|v| ("completion".to_owned(), v)));
                Err(no_field(&object, "text, messages, or prompt and completion", place))
            }
        }
    }
}

/// What a JSON value is, for error messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn no_field(object: &Map<String, Value>, wanted: &str, place: Place) -> TextError {
    // A hostile object may have any number of names of any length.
    let mut present: Vec<String> = object.keys().take(12).map(|k| k.chars().take(40).collect()).collect();
    if object.len() > present.len() {
        present.push(format!("{} more", object.len() - present.len()));
    }
    let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
    TextError::NoField { place, wanted: wanted.to_owned(), present }
}

fn record(value: Value, field: &str, place: Place) -> Result<Record, TextError> {
    let content = match value {
        Value::String(text) => Content::Text(text),
        Value::Array(messages) => Content::Chat(checked(messages, &place)?),
        // Tables mark missing text so: an empty document.
        Value::Null => Content::Text(String::new()),
        other => return Err(TextError::FieldKind { place, field: field.to_owned(), found: kind(&other) }),
    };
    Ok(Record { place, content })
}

fn checked(messages: Vec<Value>, place: &Place) -> Result<Vec<Value>, TextError> {
    match messages.iter().position(|m| !m.is_object()) {
        Some(wrong) => {
            let found = kind(&messages[wrong]);
            Err(TextError::Message { place: place.clone(), index: wrong + 1, found })
        }
        None => Ok(messages),
    }
}

/// A prompt and its completion, both text or both messages, as one document.
fn joined(prompt: Value, completion: Value, place: Place) -> Result<Record, TextError> {
    match (prompt, completion) {
        (Value::String(prompt), Value::String(completion)) => {
            Ok(Record { content: Content::Text(prompt + &completion), place })
        }
        (Value::Array(mut messages), Value::Array(completion)) => {
            messages.extend(completion);
            Ok(Record { content: Content::Chat(checked(messages, &place)?), place })
        }
        (Value::String(_) | Value::Array(_), other) => {
            Err(TextError::FieldKind { place, field: "completion".into(), found: kind(&other) })
        }
        (other, _) => Err(TextError::FieldKind { place, field: "prompt".into(), found: kind(&other) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value, field: Option<&str>) -> Result<Content, TextError> {
        Record::from_json(value, field, Place { file: "a.jsonl".into(), row: 3, unit: "line" }).map(|r| r.content)
    }

    #[test]
    fn fields_in_their_order() {
        let text = |t: &str| Content::Text(t.into());
        assert_eq!(read(json!("plain"), None).unwrap(), text("plain"));
        assert_eq!(read(json!({"messages": [], "text": "a"}), None).unwrap(), text("a"));
        assert_eq!(read(json!({"prompt": "a", "completion": "b"}), None).unwrap(), text("ab"));
        assert_eq!(read(json!({"text": "a", "story": "b"}), Some("story")).unwrap(), text("b"));
        let message = json!({"role": "user", "content": "x"});
        assert_eq!(read(json!({"messages": [message]}), None).unwrap(), Content::Chat(vec![message.clone()]));
        let both = json!({"prompt": [message], "completion": [message]});
        assert_eq!(read(both, None).unwrap(), Content::Chat(vec![message.clone(), message]));
    }

    #[test]
    fn what_is_no_document_is_told_with_its_place() {
        let error = read(json!({"body": 1, "title": 2}), None).unwrap_err().to_string();
        assert!(
            error.starts_with("line 3 of a.jsonl has no field text, messages") && error.contains("body, title"),
            "{error}"
        );
        assert!(matches!(read(json!({"text": 1}), None), Err(TextError::FieldKind { .. })));
        assert!(matches!(read(json!({"messages": ["x"]}), None), Err(TextError::Message { index: 1, .. })));
        assert!(matches!(read(json!({"prompt": "x"}), None), Err(TextError::NoField { .. })));
        assert!(matches!(read(json!({"prompt": "x", "completion": []}), None), Err(TextError::FieldKind { .. })));
        assert!(matches!(read(json!(7), None), Err(TextError::FieldKind { .. })));
    }
}
