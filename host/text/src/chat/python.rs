//! Values written as Python writes them: `str` and `repr`, within limits.

use std::fmt::{self, Write};

use minijinja::value::{Value, ValueKind};

/// Lists and objects in each other that are written; JSON is read to 128, and a template can tie a knot.
const MAX_DEPTH: u32 = 150;

/// Text under a cap.
pub struct Text {
    out: String,
    limit: usize,
}

impl Text {
    /// Empty text that refuses to become longer than `limit` bytes.
    pub fn new(limit: usize) -> Text {
        Text { out: String::new(), limit }
    }

    /// What was written.
    pub fn into_string(self) -> String {
        self.out
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.out.len() + text.len() > self.limit {
            return Err(fmt::Error);
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// Python's `str(value)`; undefined values are empty, as in templates.
pub fn str(value: &Value, limit: usize) -> Result<String, fmt::Error> {
    let mut text = Text::new(limit);
    match (value.kind(), value.as_str()) {
        (ValueKind::Undefined, _) => {}
        (_, Some(string)) => text.write_str(string)?,
        _ => repr(value, &mut text, MAX_DEPTH)?,
    }
    Ok(text.into_string())
}

/// Python's `repr(value)`.
fn repr(value: &Value, out: &mut Text, depth: u32) -> fmt::Result {
    let depth = depth.checked_sub(1).ok_or(fmt::Error)?;
    match value.kind() {
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), out),
        ValueKind::Number if !value.is_integer() => float(f64::try_from(value.clone()).unwrap_or(f64::NAN), out),
        ValueKind::Seq | ValueKind::Iterable if value.try_iter().is_ok() => {
            out.write_char('[')?;
            for (i, element) in value.try_iter().map_err(|_| fmt::Error)?.enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                repr(&element, out, depth)?;
            }
            out.write_char(']')
        }
        ValueKind::Map => {
            out.write_char('{')?;
            for (i, key) in value.try_iter().map_err(|_| fmt::Error)?.enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                repr(&key, out, depth)?;
                out.write_str(": ")?;
                repr(&value.get_item(&key).map_err(|_| fmt::Error)?, out, depth)?;
            }
            out.write_char('}')
        }
        // The engine's own words: True, None, whole numbers.
        _ => write!(out, "{value}"),
    }
}

/// A string in the quotes that Python chooses.
fn quoted(text: &str, out: &mut Text) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for letter in text.chars() {
        match letter {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) => write!(out, "\\x{:02x}", c as u32)?,
            c => out.write_char(c)?,
        }
    }
    out.write_char(quote)
}

/// The shortest digits that give the number back, with an exponent below 1e-4 and from 1e16.
pub fn float(value: f64, out: &mut Text) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("nan");
    }
    if value.is_infinite() {
        return out.write_str(if value < 0.0 { "-inf" } else { "inf" });
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').ok_or(fmt::Error)?;
        let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{digits}e{sign}{:02}", exponent.abs());
    }
    let text = value.to_string();
    out.write_str(&text)?;
    if text.contains('.') { Ok(()) } else { out.write_str(".0") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: serde_json::Value) -> String {
        str(&Value::from_serialize(&value), 10_000).unwrap()
    }

    #[test]
    fn as_python_writes_values() {
        // Each the output of Python's str() for the same value.
        assert_eq!(written(json!("it's")), "it's");
        assert_eq!(
            written(json!(["it's", "\"", "both '\"", "a\nb\\\u{7f}é"])),
            r#"["it's", '"', 'both \'"', 'a\nb\\\x7fé']"#
        );
        assert_eq!(written(json!({"a": null, "b": [true, 1, 1.0]})), "{'a': None, 'b': [True, 1, 1.0]}");
        assert_eq!(
            written(json!([1e16, 1e15, 1e-4, 1e-5, 0.1, 1.5e300, -0.0])),
            "[1e+16, 1000000000000000.0, 0.0001, 1e-05, 0.1, 1.5e+300, -0.0]"
        );
        assert_eq!(written(json!([])), "[]");
    }

    #[test]
    fn length_and_depth_end() {
        assert!(str(&Value::from("aaaa"), 3).is_err());
        let mut nested = Value::from(1);
        for _ in 0..300 {
            nested = Value::from(vec![nested]);
        }
        assert!(str(&nested, 10_000).is_err());
    }
}
