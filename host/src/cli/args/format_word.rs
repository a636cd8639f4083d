//! Finds the format in the raw command line, before clap can parse it: the format decides which options exist.
//!
//! Options that are not known yet may or may not take a value, so a word behind one of them is only *perhaps* a
//! positional argument. The definition of the fixed options settles all other words.

use clap::{ArgAction, Command};
use std::ffi::OsString;

/// What a scan of the raw words gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The subcommand, if one was reached.
    pub command: Option<String>,
    /// Positional words behind the subcommand; the flag tells whether that is certain.
    pub positionals: Vec<(String, bool)>,
    /// Fixed options that were given a value, by long name.
    pub values: Vec<(String, OsString)>,
    /// Fixed options without a value, by long name.
    pub flags: Vec<String>,
}

impl Scan {
    /// Last value of an option.
    pub fn value(&self, long: &str) -> Option<&OsString> {
        self.values.iter().rev().find(|(name, _)| name == long).map(|(_, value)| value)
    }

    /// All values of an option.
    pub fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.values.iter().filter(move |(name, _)| name == long).map(|(_, value)| value)
    }

    /// The word in the format's place, if there surely is one: the second positional of `quantize`.
    pub fn typed_format(&self) -> Option<&str> {
        self.positionals.iter().filter(|(_, certain)| *certain).nth(1).map(|(word, _)| word.as_str())
    }

    /// The format among known ones: the word in its place, else the first later word that is one.
    pub fn format<'a>(&'a self, known: &[String]) -> Option<&'a str> {
        let is_known = |word: &str| known.iter().any(|format| format == word);
        let placed = self.typed_format().filter(|word| is_known(word));
        placed.or_else(|| self.positionals.iter().skip(1).map(|(word, _)| word.as_str()).find(|word| is_known(word)))
    }
}

/// Scans the words behind the program's name.
pub fn scan(root: &Command, words: &[OsString]) -> Scan {
    let mut found = Scan::default();
    let mut scope = vec![root];
    let mut words = words.iter().peekable();
    let mut only_positionals = false;
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            found.positionals.push((word.to_string_lossy().into_owned(), true));
            continue;
        };
        if only_positionals || text == "-" || !text.starts_with('-') {
            match (&found.command, root.find_subcommand(text)) {
                (None, Some(sub)) => {
                    found.command = Some(text.to_owned());
                    scope.push(sub);
                }
                (None, None) => return found,
                (Some(_), _) => found.positionals.push((text.to_owned(), true)),
            }
            continue;
        }
        if text == "--" {
            only_positionals = true;
            continue;
        }
        match option(&scope, text) {
            Known::Value { long, attached: Some(value) } => found.values.push((long, value)),
            Known::Value { long, attached: None } => {
                if let Some(value) = words.next() {
                    found.values.push((long, value.clone()));
                }
            }
            Known::Flag { long } => found.flags.push(long),
            Known::Optional { long } => {
                found.flags.push(long);
                words.next_if(|next| !next.as_encoded_bytes().starts_with(b"-"));
            }
            Known::No if text.contains('=') => {}
            Known::No => {
                if let Some(next) = words.next_if(|next| !next.as_encoded_bytes().starts_with(b"-")) {
                    found.positionals.push((next.to_string_lossy().into_owned(), false));
                }
            }
        }
    }
    found
}

enum Known {
    Value { long: String, attached: Option<OsString> },
    Optional { long: String },
    Flag { long: String },
    No,
}

/// Which fixed option a word is. Commands further down hide those above.
fn option(scope: &[&Command], word: &str) -> Known {
    let (name, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (word, None),
    };
    for argument in scope.iter().rev().flat_map(|command| command.get_arguments()) {
        let Some(long) = argument.get_long() else { continue };
        let short = argument.get_short();
        let by_long = name.strip_prefix("--") == Some(long);
        let by_short = !name.starts_with("--") && short.is_some() && name.chars().nth(1) == short;
        if !by_long && !by_short {
            continue;
        }
        let long = long.to_owned();
        let attached = match by_short && word.chars().count() > 2 {
            true => Some(OsString::from(word.chars().skip(2).collect::<String>().trim_start_matches('='))),
            false => attached,
        };
        return match argument.get_action() {
            ArgAction::Set | ArgAction::Append => match (argument.get_num_args().map(|n| n.min_values()), &attached) {
                (Some(0), None) => Known::Optional { long },
                _ => Known::Value { long, attached },
            },
            _ => Known::Flag { long },
        };
    }
    match name {
        "-h" | "--help" => Known::Flag { long: "help".into() },
        "-V" | "--version" => Known::Flag { long: "version".into() },
        _ => Known::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Typed;
    use clap::CommandFactory;

    fn scanned(line: &str) -> Scan {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        scan(&Typed::command(), &words)
    }

    fn format(line: &str) -> Option<String> {
        let known = ["gguf".to_owned(), "awq".to_owned()];
        scanned(line).format(&known).map(str::to_owned)
    }

    #[test]
    fn the_format_is_the_second_positional_wherever_options_stand() {
        for line in [
            "quantize m gguf -q Q4_0",
            "quantize -q Q4_0 m --output-dir awq gguf",
            "--format json quantize -qQ4_0 -o=awq m -n awq gguf --dry-run",
            "quantize --threads 2 --resume=awq m gguf",
            "quantize -- m gguf",
            "--plugin-dir awq quantize m gguf --help",
            "quantize gguf gguf",
        ] {
            assert_eq!(format(line).as_deref(), Some("gguf"), "{line}");
        }
    }

    #[test]
    fn unknown_options_may_or_may_not_take_the_next_word() {
        assert_eq!(format("quantize --pre llama3 m gguf").as_deref(), Some("gguf"));
        assert_eq!(format("quantize --pure m gguf").as_deref(), Some("gguf"));
        assert_eq!(format("quantize m --pure gguf -q Q4_0").as_deref(), Some("gguf"));
        assert_eq!(format("quantize m gguf --pre awq").as_deref(), Some("gguf"));
        assert_eq!(format("quantize --pre=awq m gguf").as_deref(), Some("gguf"));
    }

    #[test]
    fn without_a_known_format_there_is_none() {
        assert_eq!(format("quantize gguf"), None);
        assert_eq!(format("quantize m exl3"), None);
        assert_eq!(scanned("quantize m exl3 -q 4").typed_format(), Some("exl3"));
        assert_eq!(format("info gguf gguf").as_deref(), Some("gguf"));
        assert_eq!(scanned("info a").command.as_deref(), Some("info"));
        assert_eq!(scanned("nonsense a gguf"), Scan::default());
    }

    #[test]
    fn values_and_flags_of_fixed_options_are_kept() {
        let found = scanned("--plugin-dir a --allow-insecure-plugins quantize m gguf --plugin-dir=b --plugin x");
        assert_eq!(found.all("plugin-dir").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found.value("plugin").unwrap(), "x");
        assert_eq!(found.flags, ["allow-insecure-plugins"]);
    }
}
