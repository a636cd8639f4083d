//! The two streams: results on stdout, everything else on stderr, in the form and amount that was asked for.

use super::args::{ResultFormat, Verbosity};
use crate::failure::{Class, Failure};
use indicatif::ProgressBar;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Where words go, and which.
#[derive(Debug)]
pub struct Screen {
    /// Form of results and errors.
    pub format: ResultFormat,
    /// How much is told.
    pub verbosity: Verbosity,
    /// Whether stderr is a terminal that can redraw a line.
    pub animated: bool,
    /// Whether stderr gets colours. Colour never carries a meaning that the words do not.
    pub colour: bool,
    /// The bar that must step aside while a line is written.
    bar: Mutex<Option<ProgressBar>>,
}

impl Screen {
    /// The screen of this process. Reads `--format` and `--verbosity` from the raw words, because even the sentence
    /// "this option does not exist" has to come in the form that was asked for.
    pub fn of_process(words: &[OsString]) -> Screen {
        let terminal = io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = colour(terminal && !dumb, |name| std::env::var(name).ok());
        Screen::new(
            last_value(words, "--format").unwrap_or(ResultFormat::Human),
            last_value(words, "--verbosity").unwrap_or(Verbosity::Normal),
            terminal && !dumb,
            colour,
        )
    }

    /// A screen with everything said.
    pub fn new(format: ResultFormat, verbosity: Verbosity, animated: bool, colour: bool) -> Screen {
        Screen { format, verbosity, animated, colour, bar: Mutex::new(None) }
    }

    /// Whether JSON was asked for.
    pub fn json(&self) -> bool {
        self.format == ResultFormat::Json
    }

    /// Writes a result to stdout: the JSON object, or the text made by `human`. A reader that went away is no failure.
    pub fn result(&self, object: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), Failure> {
        let text = match self.format {
            ResultFormat::Human => human(),
            ResultFormat::Json => serde_json::to_string_pretty(object)
                .map_err(|e| Failure::new(Class::General, format!("The result cannot be written as JSON: {e}")))?,
        };
        self.text(&text)
    }

    /// Writes text to stdout, ended by a line end.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Class::General, format!("The result could not be written to stdout: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// A step: `[llm-quantize] Loading model: x`.
    pub fn step(&self, words: &str) {
        self.at(Verbosity::Normal, &format!("[llm-quantize] {words}"));
    }

    /// Something odd.
    pub fn warning(&self, words: &str) {
        let head = self.paint("33", "warning:");
        self.at(Verbosity::Normal, &format!("[llm-quantize] {head} {words}"));
    }

    /// A fact for a verbosity.
    pub fn fact(&self, verbosity: Verbosity, words: &str) {
        self.at(verbosity, &format!("[llm-quantize] {words}"));
    }

    /// A failure in words. Shown at every verbosity.
    pub fn failure(&self, failure: &Failure) {
        let mut text = format!("{} {}", self.paint("1;31", "error:"), failure.message);
        if !failure.suggestion.is_empty() {
            text.push_str(&format!("\n{} {}", self.paint("36", "hint:"), failure.suggestion));
        }
        self.line(&text);
    }

    /// Writes lines to stderr, the bar stepping aside. An stderr that is gone is nobody's failure.
    pub fn line(&self, text: &str) {
        let write = || {
            let _ = writeln!(io::stderr().lock(), "{text}");
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Puts the bar that later lines go around, or takes it away.
    pub fn show(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    fn at(&self, verbosity: Verbosity, text: &str) {
        if self.verbosity >= verbosity {
            self.line(text);
        }
    }

    fn paint(&self, code: &str, words: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{words}\x1b[0m"),
            false => words.to_owned(),
        }
    }
}

/// The value an option was last given in raw words, if it is one the option knows.
fn last_value<T: clap::ValueEnum>(words: &[OsString], option: &str) -> Option<T> {
    let mut value = None;
    for (i, word) in words.iter().enumerate().skip(1) {
        let Some(text) = word.to_str() else { continue };
        match text.strip_prefix(option) {
            Some("") => value = words.get(i + 1).and_then(|next| next.to_str()),
            Some(rest) => value = rest.strip_prefix('=').or(value),
            None if text == "--" => break,
            None => {}
        }
    }
    T::from_str(value?, false).ok()
}

/// The customs of no-color.org and bixense.com/clicolors: NO_COLOR beats CLICOLOR_FORCE beats CLICOLOR.
fn colour(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match (set("NO_COLOR"), set("CLICOLOR_FORCE"), set("CLICOLOR")) {
        (Some(_), _, _) => false,
        (None, Some(force), _) if force != "0" => true,
        (None, _, Some(wish)) if wish == "0" => false,
        _ => terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn format_and_verbosity_are_found_in_raw_words() {
        let found = |line: &str| last_value::<ResultFormat>(&words(line), "--format");
        assert_eq!(found("x --format json quantize"), Some(ResultFormat::Json));
        assert_eq!(found("x --nonsense --format=json"), Some(ResultFormat::Json));
        assert_eq!(found("x --format json --format human"), Some(ResultFormat::Human));
        assert_eq!(found("x --format yaml"), None);
        assert_eq!(found("x --format"), None);
        assert_eq!(found("x --formatting json"), None);
        assert_eq!(found("x -- --format json"), None);
        assert_eq!(last_value(&words("x info --verbosity quiet m"), "--verbosity"), Some(Verbosity::Quiet));
    }

    #[test]
    fn colour_follows_the_customs() {
        let decide = |terminal, set: &[(&str, &str)]| {
            colour(terminal, |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert!(decide(true, &[]));
        assert!(!decide(false, &[]));
        assert!(!decide(true, &[("NO_COLOR", "1")]));
        assert!(decide(true, &[("NO_COLOR", "")]));
        assert!(!decide(true, &[("CLICOLOR", "0")]));
        assert!(!decide(false, &[("CLICOLOR", "1")]));
        assert!(decide(false, &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")]));
        assert!(!decide(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!decide(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    }
}
