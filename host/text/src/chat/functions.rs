//! What chat templates can call beyond the engine's own functions, with the meaning that Python gives it.

use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Kwargs, Object, Rest, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::json::{Style, dumps};
use super::{MAX_OUTPUT, MAX_WRITTEN, clock, python};
use crate::Date;

/// Adds Python's string and dictionary methods, `tojson`, `string`, `raise_exception`, and `strftime_now` where there is a
/// date, and writes values as Python does.
pub fn install(environment: &mut Environment<'static>, date: Option<Date>) {
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.set_formatter(|out, state, value| {
        let written;
        let text = match value.as_str() {
            Some(text) => text,
            None => {
                written = python::str(value, MAX_OUTPUT).map_err(|_| too_long())?;
                &written
            }
        };
        // What goes into `set` blocks and macros does not reach the output, where it would be counted.
        let total = state.get_or_set_temp_object("written", Written::default);
        if total.0.fetch_add(text.len(), Ordering::Relaxed) > MAX_WRITTEN {
            return Err(too_long());
        }
        out.write_str(text).map_err(Error::from)
    });
    environment.add_filter("tojson", tojson);
    environment.add_filter("string", |value: &Value| match value.kind() {
        ValueKind::String => Ok(value.clone()),
        _ => python::str(value, MAX_OUTPUT).map(Value::from).map_err(|_| too_long()),
    });
    // Templates trim what need not be a string; Python writes it out first.
    environment.add_filter("trim", |value: &Value, letters: Option<String>| -> Result<String, Error> {
        let text = python::str(value, MAX_OUTPUT).map_err(|_| too_long())?;
        Ok(match letters {
            Some(letters) => text.trim_matches(|c| letters.contains(c)).to_owned(),
            None => text.trim().to_owned(),
        })
    });
    environment.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message.to_string()))
    });
    // Shows what the engine holds; no template of Python's knows it.
    environment.remove_global("debug");
    if let Some(date) = date {
        environment.add_function("strftime_now", move |format: &str| {
            clock::format(date, format).map_err(|letter| {
                Error::new(
                    ErrorKind::InvalidOperation,
                    format!("it asks for a date with %{letter}, which is not known"),
                )
            })
        });
    }
}

/// Bytes written by one rendering, into the output and into variables.
#[derive(Debug, Default)]
struct Written(AtomicUsize);

impl Object for Written {}

fn too_long() -> Error {
    Error::new(ErrorKind::WriteFailure, "a value is too long or too deep to be written")
}

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
fn tojson(value: &Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let (placed, named): (&[Value], Kwargs) = from_args(&arguments)?;
    let argument = |place: usize, name: &str| -> Result<Option<Value>, Error> {
        let value = match placed.get(place) {
            Some(value) => Some(value.clone()),
            None => named.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|v| !v.is_none() && !v.is_undefined()))
    };
    let wrong = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("tojson: {what}"));
    let indent = match argument(1, "indent")? {
        None => None,
        Some(text) if text.as_str().is_some_and(|t| t.len() <= 64) => text.as_str().map(str::to_owned),
        Some(number) => match number.as_usize() {
            Some(n) if n <= 64 => Some(" ".repeat(n)),
            _ => return Err(wrong("indent is no number up to 64")),
        },
    };
    let comma = if indent.is_some() { "," } else { ", " };
    let separators = match argument(2, "separators")? {
        None => (comma.to_owned(), ": ".to_owned()),
        Some(pair) => match pair.try_iter()?.take(3).collect::<Vec<_>>().as_slice() {
            [a, b] => (a.to_string(), b.to_string()),
            _ => return Err(wrong("separators are no pair")),
        },
    };
    let flag = |value: Option<Value>| value.is_some_and(|v| v.is_true());
    let style =
        Style { ascii: flag(argument(0, "ensure_ascii")?), indent, separators, sort: flag(argument(3, "sort_keys")?) };
    named.assert_all_used()?;
    if value.is_undefined() {
        return Err(wrong("the value is not defined"));
    }
    dumps(value, &style, MAX_OUTPUT).map(Value::from).map_err(|_| too_long())
}
