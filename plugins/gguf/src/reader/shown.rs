//! Metadata for people: every key, long arrays and texts shortened.

use crate::container::Header;
use crate::value::{Array, Value};
use serde_json::{Map, Value as Json, json};

/// Arrays with more elements show only so many.
const SHOWN_ELEMENTS: usize = 8;

/// Texts with more characters are cut (chat templates have thousands).
const SHOWN_CHARACTERS: usize = 400;

pub(super) fn shown(header: &Header) -> Json {
    let pairs = header.key_values.iter().map(|pair| (pair.key.clone(), value(&pair.value)));
    Json::Object(pairs.collect::<Map<_, _>>())
}

fn value(value: &Value) -> Json {
    match value {
        Value::U8(n) => json!(n),
        Value::I8(n) => json!(n),
        Value::U16(n) => json!(n),
        Value::I16(n) => json!(n),
        Value::U32(n) => json!(n),
        Value::I32(n) => json!(n),
        // By way of decimal: 1e-5 is shown as 1e-5, not as the nearest single written in double precision.
        Value::F32(n) => n.to_string().parse::<f64>().map_or(Json::Null, |n| json!(n)),
        Value::Bool(b) => json!(b),
        Value::String(text) => json!(cut(text)),
        Value::Bytes(bytes) => json!(cut(&String::from_utf8_lossy(bytes))),
        Value::Array(values) => array(values),
        Value::U64(n) => json!(n),
        Value::I64(n) => json!(n),
        Value::F64(n) => json!(n),
    }
}

fn array(values: &Array) -> Json {
    fn head<T: Clone>(values: &[T], one: impl Fn(T) -> Json) -> Vec<Json> {
        let shown = if values.len() > SHOWN_ELEMENTS { SHOWN_ELEMENTS } else { values.len() };
        values[..shown].iter().cloned().map(one).collect()
    }
    let first = match values {
        Array::U8(v) => head(v, |n| json!(n)),
        Array::I8(v) => head(v, |n| json!(n)),
        Array::U16(v) => head(v, |n| json!(n)),
        Array::I16(v) => head(v, |n| json!(n)),
        Array::U32(v) => head(v, |n| json!(n)),
        Array::I32(v) => head(v, |n| json!(n)),
        Array::F32(v) => head(v, |n| value(&Value::F32(n))),
        Array::Bool(v) => head(v, |b| json!(b)),
        Array::String(v) => head(v, |text| json!(cut(&String::from_utf8_lossy(&text)))),
        Array::U64(v) => head(v, |n| json!(n)),
        Array::I64(v) => head(v, |n| json!(n)),
        Array::F64(v) => head(v, |n| json!(n)),
    };
    if first.len() == values.len() { Json::Array(first) } else { json!({ "count": values.len(), "first": first }) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
