//! Metadata that the user sets: `KEY=TYPE:VALUE` as llama.cpp spells it, and its place in the header.
//!
//! The reference knows the types int, float, bool and str, stores int as U32 after dropping its sign, and reads any text
//! as some number. Here int must be a U32, and the file format's own types (i32, u64, f64 and so on) can be named.

use crate::nearest::nearest;
use crate::value::{KeyValue, Value};
use llmq_plugin_api::sdk::{Error, Kind};

/// Longest key that llama.cpp accepts in an override, in bytes.
const MAX_KEY: usize = 127;
/// Keys that are no statements about the model: they steer how the file is read.
const LAYOUT: &[&str] = &["general.architecture", "general.alignment"];
const LAYOUT_PREFIX: &str = "split.";

/// One metadata value of the user's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Override {
    pub key: String,
    pub value: Value,
}

impl Override {
    /// Reads `KEY=TYPE:VALUE`.
    pub(super) fn parse(text: &str) -> Result<Override, Error> {
        let form = || refused(text, format!("`{text}` is not of the form KEY=TYPE:VALUE")).hint(TYPES);
        let (key, rest) = text.split_once('=').ok_or_else(form)?;
        let (ty, word) = rest.split_once(':').ok_or_else(form)?;
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(refused(text, format!("the key in `{text}` has {} bytes, not 1 to {MAX_KEY}", key.len())));
        }
        if LAYOUT.contains(&key) || key.starts_with(LAYOUT_PREFIX) {
            let message = format!("`{key}` says how the file is to be read; it cannot be overridden");
            return Err(refused(text, message));
        }
        let value = value(ty, word).ok_or_else(|| match TYPES_KNOWN.contains(&ty) {
            true => refused(text, format!("`{word}` in `{text}` is not a value of type {ty}")).hint(limits(ty)),
            false => refused(text, format!("`{ty}` in `{text}` is not a metadata type")).hint(TYPES),
        })?;
        Ok(Override { key: key.to_owned(), value })
    }
}

const TYPES: &str = "for example general.name=str:Tiny or llama.context_length=int:8192; the types are int, float, \
                     bool, str, and u8, i8, u16, i16, u32, i32, u64, i64, f32, f64";
const TYPES_KNOWN: &[&str] =
    &["int", "float", "bool", "str", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"];

fn limits(ty: &str) -> &'static str {
    match ty {
        "int" => "int is 0 to 4294967295; i32 and i64 hold negative numbers, u64 larger ones",
        "bool" => "it is either true or false",
        _ => "numbers must fit their type, and floats must be finite",
    }
}

fn value(ty: &str, word: &str) -> Option<Value> {
    let float = || word.parse::<f64>().ok().filter(|number| number.is_finite());
    let single = || float().map(|number| number as f32).filter(|number| number.is_finite());
    Some(match ty {
        "int" | "u32" => Value::U32(word.parse().ok()?),
        "float" | "f32" => Value::F32(single()?),
        "bool" => Value::Bool(word.parse().ok()?),
        "str" => Value::String(word.to_owned()),
        "u8" => Value::U8(word.parse().ok()?),
        "i8" => Value::I8(word.parse().ok()?),
        "u16" => Value::U16(word.parse().ok()?),
        "i16" => Value::I16(word.parse().ok()?),
        "i32" => Value::I32(word.parse().ok()?),
        "u64" => Value::U64(word.parse().ok()?),
        "i64" => Value::I64(word.parse().ok()?),
        "f64" => Value::F64(float()?),
        _ => return None,
    })
}

/// What overrides did, in words.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
}

/// Sets every override. A key moves to the end, where the reference's files have it.
///
/// # Errors
/// A value of another kind than the key holds: a text where a number was, anything where a list was.
pub(super) fn apply(list: &mut Vec<KeyValue>, overrides: &[Override]) -> Result<Told, Error> {
    let mut told = Told::default();
    for Override { key, value } in overrides {
        match list.iter().find(|line| line.key == *key) {
            Some(line) if kind(&line.value) != kind(value) => {
                let message = format!(
                    "`{key}` holds {} ({}); it cannot become {}",
                    kind(&line.value),
                    shown(&line.value),
                    kind(value)
                );
                return Err(refused(key, message));
            }
            Some(line) => told.notes.push(format!("metadata `{key}` is {}, not {}", shown(value), shown(&line.value))),
            None => {
                let near = nearest(key, list.iter().map(|line| line.key.as_str()));
                let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                told.warnings.push(format!("metadata `{key}` is new to the file and becomes {}{near}", shown(value)));
            }
        }
        put_last(list, key, value.clone());
    }
    Ok(told)
}

/// Sets a key at the end of the list, wherever it was.
pub(super) fn put_last(list: &mut Vec<KeyValue>, key: &str, value: Value) {
    list.retain(|line| line.key != key);
    list.push(KeyValue::new(key, value));
}

fn refused(subject: &str, message: String) -> Error {
    Error::new(Kind::InvalidRequest, message).subject(subject)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) | Value::Bytes(_) => "a text",
        Value::Bool(_) => "true or false",
        Value::Array(_) => "a list",
        _ => "a number",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::U8(v) => v.to_string(),
        Value::I8(v) => v.to_string(),
        Value::U16(v) => v.to_string(),
        Value::I16(v) => v.to_string(),
        Value::U32(v) => v.to_string(),
        Value::I32(v) => v.to_string(),
        Value::F32(v) => v.to_string(),
        Value::Bool(v) => v.to_string(),
        Value::U64(v) => v.to_string(),
        Value::I64(v) => v.to_string(),
        Value::F64(v) => v.to_string(),
        Value::String(text) => {
            let start: String = text.chars().take(60).collect();
            format!("{:?}", if start.len() < text.len() { format!("{start}...") } else { start })
        }
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Array(array) => format!("a list of {}", array.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_and_nonsense_is_refused_with_the_reason() {
        let value = |text: &str| Override::parse(text).map(|o| o.value).map_err(|e| e.message);
        assert_eq!(value("a=int:7"), Ok(Value::U32(7)));
        assert_eq!(value("a=float:1e-5"), Ok(Value::F32(1e-5)));
        assert_eq!(value("a=bool:true"), Ok(Value::Bool(true)));
        assert_eq!(value("a=str:x=y:z"), Ok(Value::String("x=y:z".into())));
        assert_eq!(value("a=str:"), Ok(Value::String(String::new())));
        assert_eq!(value("a=i32:-7"), Ok(Value::I32(-7)));
        assert_eq!(value("a=u64:5000000000"), Ok(Value::U64(5_000_000_000)));
        for (text, words) in [
            ("a", "KEY=TYPE:VALUE"),
            ("a=7", "KEY=TYPE:VALUE"),
            ("=int:7", "has 0 bytes"),
            ("a=int:-7", "is not a value of type int"),
            ("a=int:5000000000", "is not a value of type int"),
            ("a=int:seven", "is not a value of type int"),
            ("a=float:nan", "is not a value of type float"),
            ("a=float:1e300", "is not a value of type float"),
            ("a=bool:1", "is not a value of type bool"),
            ("a=text:x", "`text` in `a=text:x` is not a metadata type"),
            ("general.architecture=str:x", "cannot be overridden"),
            ("split.count=int:3", "cannot be overridden"),
        ] {
            let message = value(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
        assert!(value(&format!("{}=int:1", "k".repeat(128))).is_err());
    }

    #[test]
    fn overridden_keys_move_to_the_end_and_new_ones_are_warned_of() {
        let mut list = vec![KeyValue::new("general.name", "a"), KeyValue::new("x.block_count", 2u32)];
        let overrides = ["general.name=str:b", "general.nam=str:c"].map(|text| Override::parse(text).unwrap());
        let told = apply(&mut list, &overrides).unwrap();
        let keys: Vec<&str> = list.iter().map(|line| line.key.as_str()).collect();
        assert_eq!(keys, ["x.block_count", "general.name", "general.nam"]);
        assert_eq!(told.notes, ["metadata `general.name` is \"b\", not \"a\""]);
        assert!(told.warnings[0].ends_with("becomes \"c\"; did you mean `general.name`?"), "{:?}", told.warnings);
        let wrong = Override::parse("x.block_count=str:b").unwrap();
        let message = apply(&mut list, &[wrong]).unwrap_err().message;
        assert_eq!(message, "`x.block_count` holds a number (2); it cannot become a text");
    }
}
