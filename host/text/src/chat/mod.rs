//! Chats become text through the model's own template, as transformers renders it.
//!
//! The template is a program that came with the model, so it runs under limits (instructions, recursion, output). It
//! sees what transformers 5.23 gives it: `messages` without keys whose value is null, `tools` and `documents` as none,
//! `add_generation_prompt` false, and the named special tokens. `continue`, `break` and the `generation` block work;
//! dates come from the caller, never from the clock.

mod clock;
mod functions;
mod json;
mod python;
mod templates;

pub use templates::Templates;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use crate::{ChatOptions, Place, TextError};

/// Bytes of a template; the longest in use are around 30 KiB.
const MAX_SOURCE: usize = 1 << 20;
/// Instructions for one chat: a thousand messages through a long template need around a million.
const FUEL: u64 = 5_000_000;
/// Nested macros, loops and includes.
const MAX_RECURSION: usize = 100;
/// Bytes that one chat may become.
const MAX_OUTPUT: usize = 64 << 20;

/// Bytes that one chat may write on the way, into variables and macros.
const MAX_WRITTEN: usize = 4 * MAX_OUTPUT;

const NAME: &str = "chat_template";

/// A compiled chat template.
pub struct ChatTemplate {
    environment: Environment<'static>,
    specials: Vec<(String, String)>,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate").field("specials", &self.specials).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template. `specials` are the named special tokens (`bos_token`, ...) that it can write.
    ///
    /// # Errors
    /// Templates that are too long or malformed, and dates that the calendar does not have.
    pub fn new(
        source: &str,
        specials: Vec<(String, String)>,
        options: &ChatOptions,
    ) -> Result<ChatTemplate, TextError> {
        if source.len() > MAX_SOURCE {
            let message = format!("it is {} bytes long, and {MAX_SOURCE} is the limit", source.len());
            return Err(TextError::ChatTemplate { message });
        }
        if let Some(date) = options.date.filter(|date| !date.is_valid()) {
            let message = format!("the calendar has no day {:04}-{:02}-{:02}", date.year, date.month, date.day);
            return Err(TextError::ChatTemplate { message });
        }
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_debug(false);
        functions::install(&mut environment, options.date);
        let source = python_source(source);
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| TextError::ChatTemplate { message: said(&error) })?;
        Ok(ChatTemplate { environment, specials })
    }

    /// The text of a chat.
    ///
    /// # Errors
    /// What the template says against the messages, and limits that it reaches; `place` is where the chat stands.
    pub fn render(&self, messages: &[Json], place: &Place) -> Result<String, TextError> {
        let mut context = Map::new();
        for (name, token) in &self.specials {
            context.insert(name.clone(), Json::from(token.as_str()));
        }
        context.insert("messages".to_owned(), messages.iter().map(without_nulls).collect());
        context.insert("tools".to_owned(), Json::Null);
        context.insert("documents".to_owned(), Json::Null);
        context.insert("add_generation_prompt".to_owned(), Json::Bool(false));
        let fail = |error: minijinja::Error| match error.kind() {
            ErrorKind::OutOfFuel => {
                TextError::ChatLimit { place: place.clone(), message: format!("it ran for more than {FUEL} steps") }
            }
            ErrorKind::WriteFailure => {
                TextError::ChatLimit { place: place.clone(), message: format!("it wrote more than {MAX_OUTPUT} bytes") }
            }
            ErrorKind::UnknownFunction if error.detail().is_some_and(|d| d.contains("strftime_now")) => {
                TextError::ChatDate { place: place.clone() }
            }
            _ => TextError::Chat { place: place.clone(), message: said(&error) },
        };
        let template = self.environment.get_template(NAME).map_err(fail)?;
        let mut output = Capped { bytes: Vec::new() };
        template.render_captured_to(Value::from_serialize(&context), &mut output).map_err(fail)?;
        String::from_utf8(output.bytes)
            .map_err(|_| TextError::Chat { place: place.clone(), message: "its output is not UTF-8".to_owned() })
    }
}

/// Output that ends at [`MAX_OUTPUT`].
struct Capped {
    bytes: Vec<u8>,
}

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other("output too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A message without the keys whose value is null, which templates would write out or fail on, and with the
/// reasoning under the names that templates read.
fn without_nulls(message: &Json) -> Json {
    let Json::Object(fields) = message else { return message.clone() };
    let mut fields: Map<String, Json> =
        fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    let reasoning = ["reasoning_content", "thinking", "reasoning"].iter().find_map(|name| fields.get(*name)).cloned();
    if let Some(reasoning) = reasoning {
        fields.entry("thinking").or_insert_with(|| reasoning.clone());
        fields.insert("reasoning_content".to_owned(), reasoning);
    }
    Json::Object(fields)
}

/// The template as our engine reads it like Python's: line breaks of one kind, and `generation` blocks, which only mark
/// what the assistant says, as plain blocks.
fn python_source(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        rest = tag;
        let inside = tag.trim_start_matches(['-', '+']);
        let word = inside.trim_start();
        for (name, ours) in [("generation", "with"), ("endgeneration", "endwith")] {
            let after = word.strip_prefix(name).map(str::trim_start);
            if after.is_some_and(|a| a.trim_start_matches(['-', '+']).starts_with("%}")) {
                out.push_str(&tag[..tag.len() - word.len()]);
                out.push_str(ours);
                rest = &word[name.len()..];
            }
        }
    }
    out + rest
}

/// What an engine's error says, on one line.
fn said(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let what: String = what.chars().take(500).collect();
    match error.line() {
        // What a template itself raises is a sentence already.
        Some(line) if error.kind() != ErrorKind::InvalidOperation => format!("{what} (line {line} of the template)"),
        _ => what,
    }
}
