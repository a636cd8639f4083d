//! A format's own options: its declarations become real arguments, typed words become typed values.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use llmq_plugin_api::wire::{FormatDescriptor, OptionKind, OptionSpec};
use serde_json::{Map, Number, Value};

/// Prefix of the argument ids, so that no declaration can collide with a fixed argument's id.
const ID: &str = "backend:";

/// Adds the options of a format to `quantize`, and its levels behind the help text.
///
/// An option whose name a fixed one has already is not added: the fixed one is handed on (`fixed`), or it is
/// reached with `--set`.
pub fn join(quantize: Command, format: &FormatDescriptor) -> Command {
    let taken: Vec<String> = quantize.get_arguments().filter_map(|a| a.get_long().map(str::to_owned)).collect();
    let heading = format!("Options of {}", format.id);
    let added = format.options.iter().filter(|spec| !taken.contains(&dashed(&spec.name)));
    let added = added.map(|spec| argument(spec).help_heading(heading.clone()));
    quantize.args(added.collect::<Vec<_>>()).after_help(levels(format))
}

fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

fn argument(spec: &OptionSpec) -> Arg {
    let argument = Arg::new(format!("{ID}{}", spec.name)).long(dashed(&spec.name)).action(ArgAction::Set);
    let help = match &spec.default {
        Value::Null | Value::Bool(false) => spec.help.clone(),
        Value::String(word) => format!("{} [default: {word}]", spec.help),
        other => format!("{} [default: {other}]", spec.help),
    };
    let argument = match &spec.kind {
        OptionKind::Text => argument.value_name("TEXT"),
        // What is listed may begin with a dash, as in `--dynamic '-:REGEX'`.
        OptionKind::Texts => argument.value_name("TEXT").action(ArgAction::Append).allow_hyphen_values(true),
        OptionKind::Flag => {
            let argument = argument.num_args(0..=1).require_equals(true).default_missing_value("true");
            argument.value_name("BOOL").hide_possible_values(true)
        }
        OptionKind::Integer { .. } => argument.value_name("INT").allow_negative_numbers(true),
        OptionKind::Number { .. } => argument.value_name("NUMBER").allow_negative_numbers(true),
        OptionKind::Choice { .. } => argument.value_name("WORD"),
    };
    let argument = match &spec.kind {
        OptionKind::Choice { values } => {
            argument.value_parser(PossibleValuesParser::new(values.clone()).map(Value::String))
        }
        _ => {
            let spec = spec.clone();
            argument.value_parser(move |text: &str| value(&spec, text))
        }
    };
    argument.help(help)
}

fn levels(format: &FormatDescriptor) -> String {
    let width = format.levels.iter().map(|level| level.id.len()).max().unwrap_or(0);
    let mut text = format!("Levels of {} (for -q):\n", format.id);
    for level in &format.levels {
        let line = format!("  {:<width$}  {:>5.2} bits  {}", level.id, level.bits_per_weight, level.summary);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The value that typed text means for an option, or one sentence why it means none.
pub fn value(spec: &OptionSpec, text: &str) -> Result<Value, String> {
    match &spec.kind {
        OptionKind::Text | OptionKind::Texts => Ok(Value::String(text.into())),
        OptionKind::Flag => match text {
            "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
            _ => Err("it is either true or false".into()),
        },
        OptionKind::Integer { min, max } => match text.parse::<i64>() {
            Ok(number) if (*min..=*max).contains(&number) => Ok(Value::from(number)),
            Ok(number) => Err(format!("{number} is not between {min} and {max}")),
            Err(_) => Err(format!("it is not a whole number between {min} and {max}")),
        },
        OptionKind::Number { min, max } => match text.parse::<f64>().ok().filter(|n| n.is_finite()) {
            Some(number) if (*min..=*max).contains(&number) => {
                Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
            }
            Some(number) => Err(format!("{number} is not between {min} and {max}")),
            None => Err(format!("it is not a number between {min} and {max}")),
        },
        OptionKind::Choice { values } => match values.iter().any(|known| known == text) {
            true => Ok(Value::String(text.into())),
            false => Err(format!("it is one of {}", values.join(", "))),
        },
    }
}

/// Values of a format's own arguments as parsed.
pub fn typed(format: &FormatDescriptor, matches: &ArgMatches) -> Map<String, Value> {
    let given = format.options.iter().filter_map(|spec| {
        let id = format!("{ID}{}", spec.name);
        let value = match &spec.kind {
            OptionKind::Texts => {
                let values = matches.try_get_many::<Value>(&id).ok().flatten()?;
                Value::Array(values.cloned().collect())
            }
            _ => matches.try_get_one::<Value>(&id).ok().flatten()?.clone(),
        };
        Some((spec.name.clone(), value))
    });
    given.collect()
}

/// Adds one option given by name (`--set`, or a fixed argument that the format takes over).
/// The error is a sentence that names the argument `shown`.
pub fn put(
    options: &mut Map<String, Value>,
    format: &FormatDescriptor,
    name: &str,
    text: &str,
    shown: &str,
) -> Result<(), String> {
    let Some(spec) = format.options.iter().find(|spec| spec.name == name) else {
        let known: Vec<_> = format.options.iter().map(|spec| format!("`{}`", spec.name)).collect();
        let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
        return Err(format!("{} has no option `{name}`; {known}", format.id));
    };
    let value = value(spec, text).map_err(|why| format!("invalid value `{text}` for `{shown}`: {why}"))?;
    if spec.kind == OptionKind::Texts {
        match options.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(texts) => texts.push(value),
            other => *other = Value::Array(vec![value]),
        }
        return Ok(());
    }
    match options.insert(name.into(), value) {
        None => Ok(()),
        Some(_) => Err(format!("the option `{name}` is given twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Typed;
    use clap::{CommandFactory, FromArgMatches};

    fn format() -> FormatDescriptor {
        let json = serde_json::json!({
            "id": "demo", "summary": "s", "can_write": true, "can_read": false, "container": "file",
            "levels": [{"id": "Q4_K_M", "bits_per_weight": 4.85, "summary": "good all-rounder", "max_relative_error": 0.1}],
            "options": [
                {"name": "pre", "help": "Pre-tokenizer", "type": "text"},
                {"name": "keep_head", "help": "Keep the head", "type": "flag", "default": false},
                {"name": "group_size", "help": "Group", "type": "integer", "min": -1, "max": 1024, "default": 128},
                {"name": "shift", "help": "Shift", "type": "integer", "min": -8, "max": 8},
                {"name": "damp", "help": "Damping", "type": "number", "min": 0.0, "max": 1.0, "default": 0.01},
                {"name": "intermediate", "help": "Two steps", "type": "choice", "values": ["f16", "bf16"]},
                {"name": "override_kv", "help": "Metadata", "type": "texts"}
            ]
        });
        serde_json::from_value(json).unwrap()
    }

    fn command() -> Command {
        let format = format();
        Typed::command().mut_subcommand("quantize", |quantize| join(quantize, &format))
    }

    fn options(line: &str) -> Result<Map<String, Value>, String> {
        let words = format!("llm-quantize quantize m demo -q Q4_K_M {line}");
        let matches = command().try_get_matches_from(words.split_whitespace()).map_err(|e| e.to_string())?;
        Typed::from_arg_matches(&matches).map_err(|e| e.to_string())?;
        Ok(typed(&format(), matches.subcommand().unwrap().1))
    }

    #[test]
    fn declarations_become_arguments_with_typed_values() {
        command().debug_assert();
        let got = options("--pre llama3 --keep-head --shift -3 --damp 0.5 --intermediate bf16").unwrap();
        let want =
            serde_json::json!({"pre": "llama3", "keep_head": true, "shift": -3, "damp": 0.5, "intermediate": "bf16"});
        assert_eq!(Value::Object(got), want);
        assert_eq!(options("").unwrap(), Map::new());
        assert_eq!(options("--keep-head=false").unwrap()["keep_head"], false);
        let texts = options("--override-kv a=int:1 --override-kv -:x=str --keep-head").unwrap();
        assert_eq!(texts["override_kv"], serde_json::json!(["a=int:1", "-:x=str"]));
        assert_eq!(texts["keep_head"], true);
    }

    #[test]
    fn values_outside_their_declaration_are_refused_with_the_limits() {
        for (line, words) in [
            ("--shift 9", "not between -8 and 8"),
            ("--shift x", "whole number between -8 and 8"),
            ("--damp 1.5", "not between 0 and 1"),
            ("--damp nan", "not a number"),
            ("--intermediate f8", "f16, bf16"),
            ("--keep-head=maybe", "true or false"),
            ("--unheard-of 1", "unexpected argument"),
        ] {
            let error = options(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn options_by_name_are_checked_alike() {
        let format = format();
        let mut options = Map::new();
        put(&mut options, &format, "group_size", "64", "--group-size").unwrap();
        assert_eq!(options["group_size"], 64);
        let twice = put(&mut options, &format, "group_size", "64", "--set group_size").unwrap_err();
        assert!(twice.contains("given twice"), "{twice}");
        for text in ["a", "b"] {
            put(&mut options, &format, "override_kv", text, "--set override_kv").unwrap();
        }
        assert_eq!(options["override_kv"], serde_json::json!(["a", "b"]));
        let limits = put(&mut options, &format, "shift", "99", "--set shift").unwrap_err();
        assert_eq!(limits, "invalid value `99` for `--set shift`: 99 is not between -8 and 8");
        let unknown = put(&mut options, &format, "act_order", "1", "--set act_order").unwrap_err();
        assert!(unknown.contains("no option `act_order`; it has `pre`, `keep_head`"), "{unknown}");
    }

    #[test]
    fn the_help_of_a_format_shows_its_options_and_levels() {
        let mut command = command();
        let help = command.find_subcommand_mut("quantize").unwrap().render_long_help().to_string();
        for words in [
            "Options of demo",
            "--pre <TEXT>",
            "--damp <NUMBER>",
            "[default: 0.01]",
            "Q4_K_M   4.85 bits  good all-rounder",
        ] {
            assert!(help.contains(words), "{words} is missing in\n{help}");
        }
    }
}
