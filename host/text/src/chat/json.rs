//! `tojson` of chat templates: Python's `json.dumps` as transformers calls it, within limits.

use std::fmt::{self, Write};

use minijinja::value::{Value, ValueKind};

use super::python::{Text, float};

/// Lists and objects in each other.
const MAX_DEPTH: u32 = 150;

/// How JSON is laid out.
pub struct Style {
    /// Write everything beyond ASCII as escapes.
    pub ascii: bool,
    /// What one level is indented by; all on one line if absent.
    pub indent: Option<String>,
    /// Between elements, and between a name and its value.
    pub separators: (String, String),
    /// Objects in the order of their names.
    pub sort: bool,
}

/// The value as JSON text.
pub fn dumps(value: &Value, style: &Style, limit: usize) -> Result<String, fmt::Error> {
    let mut out = Text::new(limit);
    write(value, style, 0, &mut out)?;
    Ok(out.into_string())
}

fn write(value: &Value, style: &Style, depth: u32, out: &mut Text) -> fmt::Result {
    if depth > MAX_DEPTH {
        return Err(fmt::Error);
    }
    match value.kind() {
        ValueKind::None => out.write_str("null"),
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::String => string(value.as_str().unwrap_or_default(), style.ascii, out),
        ValueKind::Number if value.is_integer() => write!(out, "{value}"),
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(number) if number.is_nan() => out.write_str("NaN"),
            Ok(number) if number.is_infinite() => out.write_str(if number < 0.0 { "-Infinity" } else { "Infinity" }),
            Ok(number) => float(number, out),
            Err(_) => Err(fmt::Error),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            let elements: Vec<Value> = value.try_iter().map_err(|_| fmt::Error)?.collect();
            group(('[', ']'), elements.len(), style, depth, out, |i, out| write(&elements[i], style, depth + 1, out))
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter().map_err(|_| fmt::Error)?.collect();
            if style.sort {
                keys.sort();
            }
            group(('{', '}'), keys.len(), style, depth, out, |i, out| {
                string(&keys[i].to_string(), style.ascii, out)?;
                out.write_str(&style.separators.1)?;
                write(&value.get_item(&keys[i]).map_err(|_| fmt::Error)?, style, depth + 1, out)
            })
        }
        // Undefined and plain objects are no JSON; Python raises too.
        _ => Err(fmt::Error),
    }
}

fn group(
    (open, close): (char, char),
    length: usize,
    style: &Style,
    depth: u32,
    out: &mut Text,
    mut element: impl FnMut(usize, &mut Text) -> fmt::Result,
) -> fmt::Result {
    let line = |depth: u32, out: &mut Text| {
        let Some(indent) = &style.indent else { return Ok(()) };
        out.write_char('\n')?;
        (0..depth).try_for_each(|_| out.write_str(indent))
    };
    out.write_char(open)?;
    for i in 0..length {
        out.write_str(if i == 0 { "" } else { &style.separators.0 })?;
        line(depth + 1, out)?;
        element(i, out)?;
    }
    if length > 0 {
        line(depth, out)?;
    }
    out.write_char(close)
}

fn string(text: &str, ascii: bool, out: &mut Text) -> fmt::Result {
    out.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            c if (c as u32) < 0x20 || (ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn style(ascii: bool, indent: Option<&str>, sort: bool) -> Style {
        let comma = if indent.is_some() { "," } else { ", " };
        Style { ascii, indent: indent.map(str::to_owned), separators: (comma.into(), ": ".into()), sort }
    }

    #[test]
    fn as_python_dumps() {
        let value =
            Value::from_serialize(json!({"b": [1, 2.0, "é\n😀"], "a": {"x": null, "y": true}, "c": [], "d": {}}));
        let dumped = |style: &Style| dumps(&value, style, 10_000).unwrap();
        // Outputs of Python's json.dumps for the same value.
        assert_eq!(
            dumped(&style(false, None, false)),
            r#"{"b": [1, 2.0, "é\n😀"], "a": {"x": null, "y": true}, "c": [], "d": {}}"#
        );
        assert_eq!(
            dumped(&style(true, None, true)),
            r#"{"a": {"x": null, "y": true}, "b": [1, 2.0, "\u00e9\n\ud83d\ude00"], "c": [], "d": {}}"#
        );
        assert_eq!(
            dumped(&style(false, Some("  "), false)),
            "{\n  \"b\": [\n    1,\n    2.0,\n    \"é\\n😀\"\n  ],\n  \"a\": {\n    \"x\": null,\n    \"y\": true\n  },\n  \"c\": [],\n  \"d\": {}\n}"
        );
        assert!(dumps(&value, &style(false, None, false), 20).is_err());
        assert!(dumps(&Value::UNDEFINED, &style(false, None, false), 20).is_err());
    }
}
