//! What clap has to say: help and version are results, everything else is a failure of class "invalid arguments".

use crate::failure::{Class, Failure};
use clap::error::ErrorKind;

/// Why parsing ended without a command to run.
#[derive(Debug)]
pub enum Unparsed {
    /// Text that was asked for, for stdout.
    Help(String),
    /// What was typed makes no sense.
    Failure(Failure),
}

impl From<Failure> for Unparsed {
    fn from(failure: Failure) -> Unparsed {
        Unparsed::Failure(failure)
    }
}

impl From<clap::Error> for Unparsed {
    fn from(error: clap::Error) -> Unparsed {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Unparsed::Help(error.to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Unparsed::Failure(no_command(&error)),
            _ => Unparsed::Failure(usage(&error)),
        }
    }
}

/// No command at all: the help text is the best answer, and still not what was asked for.
fn no_command(error: &clap::Error) -> Failure {
    let help = error.to_string();
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<_> =
        commands.take_while(|l| l.starts_with("  ")).filter_map(|l| l.split_whitespace().next()).collect();
    Failure::new(Class::InvalidArguments, "No command was given")
        .suggest(format!("Use one of: {}; `llm-quantize --help` explains them", names.join(", ")))
}

/// clap's text taken apart: the first paragraph is the message, its tips and usage line are the suggestion.
fn usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let mut message = Vec::new();
    let mut suggestion = Vec::new();
    for (number, paragraph) in text.split("\n\n").enumerate() {
        for line in paragraph.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match (line.strip_prefix("tip: "), line.strip_prefix("Usage: ")) {
                (Some(tip), _) => suggestion.push(capital(tip)),
                (_, Some(usage)) => suggestion.push(format!("Usage: `{usage}`")),
                _ if number == 0 => message.push(line.strip_prefix("error: ").unwrap_or(line).to_owned()),
                _ => {}
            }
        }
    }
    if suggestion.is_empty() {
        suggestion.push("`--help` lists what is accepted".into());
    }
    Failure::new(Class::InvalidArguments, capital(&message.join(" "))).suggest(suggestion.join(". "))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Typed;
    use clap::Parser;

    fn failure(line: &str) -> Failure {
        match Unparsed::from(Typed::try_parse_from(line.split(' ')).unwrap_err()) {
            Unparsed::Failure(failure) => failure,
            Unparsed::Help(text) => panic!("help: {text}"),
        }
    }

    #[test]
    fn usage_errors_are_sentences_with_suggestions() {
        let missing = failure("llm-quantize quantize m gguf");
        assert_eq!(missing.class, Class::InvalidArguments);
        assert_eq!(missing.message, "The following required arguments were not provided: --quant-level <LEVEL>");
        assert!(missing.suggestion.starts_with("Usage: `llm-quantize quantize"), "{}", missing.suggestion);
        let slip = failure("llm-quantize quantize m gguf -q Q4_0 --thread 4");
        assert_eq!(slip.message, "Unexpected argument '--thread' found");
        assert!(slip.suggestion.starts_with("A similar argument exists: '--threads'"), "{}", slip.suggestion);
        let choice = failure("llm-quantize --format yaml info m");
        assert_eq!(choice.message, "Invalid value 'yaml' for '--format <FORMAT>' [possible values: human, json]");
    }

    #[test]
    fn a_missing_command_and_an_unknown_one_are_answered() {
        let none = failure("llm-quantize");
        assert_eq!(none.message, "No command was given");
        assert!(
            none.suggestion.contains("quantize, convert, info, analyze, evaluate, imatrix, statistics, plan, plugins;"),
            "{}",
            none.suggestion
        );
        assert_eq!(failure("llm-quantize quantise a").message, "Unrecognized subcommand 'quantise'");
    }

    #[test]
    fn help_and_version_are_results() {
        for line in ["llm-quantize --help", "llm-quantize --version", "llm-quantize quantize --help"] {
            let error = Typed::try_parse_from(line.split(' ')).unwrap_err();
            assert!(matches!(Unparsed::from(error), Unparsed::Help(_)), "{line}");
        }
    }
}
