//! From what was typed to a request that fits the backend's own declarations, or a sentence on what does not.

use crate::failure::{Class, Failure};
use crate::nearest::nearest;
use crate::statistics::Content;
use llmq_plugin_api::wire::{Descriptor, FormatDescriptor, Level, OptionKind, OptionSpec};
use serde_json::{Map, Value};

fn refuse(message: String) -> Failure {
    Failure::new(Class::InvalidArguments, message)
}

/// The format of a backend that can be written.
pub fn writable_format<'d>(descriptor: &'d Descriptor, id: &str) -> Result<&'d FormatDescriptor, Failure> {
    let writable: Vec<&str> = descriptor.formats.iter().filter(|f| f.can_write).map(|f| f.id.as_str()).collect();
    match descriptor.format(id) {
        Some(format) if format.can_write => Ok(format),
        Some(_) => Err(refuse(format!("plugin `{}` reads format `{id}` but does not write it", descriptor.id))
            .suggest(format!("It writes: {}.", listed(&writable)))),
        None => Err(refuse(format!("plugin `{}` has no format `{id}`", descriptor.id))
            .suggest(format!("It writes: {}.", listed(&writable)))),
    }
}

/// The level a word means, as it is with these options. Levels that need other statistics than those given are refused.
pub fn level(
    format: &FormatDescriptor,
    word: &str,
    options: &Map<String, Value>,
    given: Option<Content<'_>>,
) -> Result<Level, Failure> {
    let Some(level) = format.level(word) else {
        let ids: Vec<&str> = format.levels.iter().map(|l| l.id.as_str()).collect();
        let known = format.levels.iter().flat_map(|l| std::iter::once(&l.id).chain(&l.aliases)).map(String::as_str);
        let near = nearest(word, known);
        let hint = near.first().map(|n| format!("Did you mean {n}? ")).unwrap_or_default();
        return Err(refuse(format!("`{word}` is not a quantization level of format `{}`", format.id))
            .suggest(format!("{hint}Valid levels: {}.", listed(&ids))));
    };
    let level = format.with_options(level, options);
    let at_hand = given.as_ref().map(|content| content.kinds.as_slice()).unwrap_or_default();
    let missing: Vec<&str> = level.requires_statistics.iter().map(String::as_str).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|kind| !at_hand.contains(kind)).collect();
    if missing.is_empty() { Ok(level) } else { Err(lacking(format, &level, &missing, given)) }
}

fn lacking(format: &FormatDescriptor, level: &Level, missing: &[&str], given: Option<Content<'_>>) -> Failure {
    let what = match given {
        None => "none were given".to_owned(),
        Some(content) => format!("`{}` holds none of this kind", content.name),
    };
    let message = format!("level `{}` needs statistics ({}), and {what}", level.id, listed(missing));
    let way = match missing.contains(&"gram") {
        true => {
            "Calibrate with --calibration-data TEXT, or give a folder that `llm-quantize analyze MODEL --statistics DIR \
                 --gram` wrote with --statistics DIR."
        }
        false if missing == ["sum_squares"] => {
            "Calibrate with --calibration-data TEXT, or give an importance matrix with --imatrix FILE or a statistics \
             folder with --statistics DIR."
        }
        false => "Give a folder that `llm-quantize analyze MODEL --statistics DIR` wrote with --statistics DIR.",
    };
    let free = format.levels.iter().filter(|l| l.requires_statistics.is_empty()).map(|l| l.id.as_str());
    let alone = format.weights_alone.first().map(|settings| {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let flags = settings.iter().map(|(name, value)| format!("{} {}", flag(name), word(value)));
        format!(" From the weights alone: {}.", flags.collect::<Vec<_>>().join(" "))
    });
    let alone = alone.unwrap_or_default();
    refuse(message).suggest(format!("{way} Levels without: {}.{alone}", listed(&free.collect::<Vec<_>>())))
}

/// Options checked against their declarations, in declaration order, with defaults filled in.
pub fn options(format: &FormatDescriptor, given: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let names: Vec<&str> = format.options.iter().map(|o| o.name.as_str()).collect();
    for name in given.keys() {
        if !names.contains(&name.as_str()) {
            let near = nearest(name, names.iter().copied());
            let hint = near.first().map(|n| format!("Did you mean {}? ", flag(n))).unwrap_or_default();
            let all: Vec<String> = names.iter().map(|n| flag(n)).collect();
            return Err(refuse(format!("format `{}` has no option {}", format.id, flag(name)))
                .suggest(format!("{hint}It has: {}.", listed(&all))));
        }
    }
    let mut result = Map::new();
    for spec in &format.options {
        match given.get(&spec.name) {
            Some(value) => {
                check(spec, value).map_err(|expected| {
                    refuse(format!("{} is {value}, expected {expected}", flag(&spec.name))).suggest(spec.help.clone())
                })?;
                result.insert(spec.name.clone(), value.clone());
            }
            None if spec.default.is_null() => {}
            None => {
                result.insert(spec.name.clone(), spec.default.clone());
            }
        }
    }
    Ok(result)
}

/// What was expected, if the value does not fit.
fn check(spec: &OptionSpec, value: &Value) -> Result<(), String> {
    let (fits, expected) = match &spec.kind {
        OptionKind::Text => (value.is_string(), "a text".to_owned()),
        OptionKind::Texts => {
            (value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)), "a list of texts".to_owned())
        }
        OptionKind::Flag => (value.is_boolean(), "true or false".to_owned()),
        OptionKind::Integer { min, max } => {
            (value.as_i64().is_some_and(|n| (*min..=*max).contains(&n)), format!("a whole number from {min} to {max}"))
        }
        OptionKind::Number { min, max } => {
            (value.as_f64().is_some_and(|n| *min <= n && n <= *max), format!("a number from {min} to {max}"))
        }
        OptionKind::Choice { values } => {
            (value.as_str().is_some_and(|word| values.iter().any(|v| v == word)), format!("one of {}", listed(values)))
        }
    };
    if fits { Ok(()) } else { Err(expected) }
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

fn listed<S: AsRef<str>>(words: &[S]) -> String {
    if words.is_empty() {
        return "none".into();
    }
    words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire::Container;
    use serde_json::json;

    fn format() -> FormatDescriptor {
        let option = |name: &str, kind, default| OptionSpec { name: name.into(), help: "Help.".into(), kind, default };
        let level = |id: &str, alias: &str, needs: &[&str]| Level {
            id: id.into(),
            aliases: vec![alias.into()],
            bits_per_weight: 4.0,
            summary: String::new(),
            requires_statistics: needs.iter().map(|n| (*n).to_owned()).collect(),
            uses_statistics: vec![],
            later_layers_see: Default::default(),
            max_relative_error: 0.1,
            keeps_encodings: false,
        };
        FormatDescriptor {
            id: "toy".into(),
            summary: String::new(),
            can_write: true,
            can_read: true,
            container: Container::File,
            extension: "toy".into(),
            levels: vec![level("Q8", "int8", &[]), level("Q4_GRAM", "4bit", &["gram"])],
            options: vec![
                option("group_size", OptionKind::Integer { min: 1, max: 256 }, json!(128)),
                option("symmetric", OptionKind::Flag, Value::Null),
                option("clip", OptionKind::Number { min: 0.0, max: 1.0 }, json!(1.0)),
                option("order", OptionKind::Choice { values: vec!["up".into(), "down".into()] }, Value::Null),
            ],
            families: vec![],
            encodings: vec![],
            weights_alone: vec![given(json!({"order": "up"}))],
        }
    }

    fn given(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn levels_by_alias_and_the_nearest_for_typos() {
        assert_eq!(level(&format(), "INT8", &Map::new(), None).unwrap().id, "Q8");
        let failure = level(&format(), "q9", &Map::new(), None).unwrap_err();
        assert_eq!(failure.class, Class::InvalidArguments);
        assert_eq!(failure.suggestion, "Did you mean Q8? Valid levels: Q8, Q4_GRAM.");
        let given = |kinds: &[&'static str]| Some(Content { name: "m.dat".into(), kinds: kinds.to_vec() });
        let failure = level(&format(), "4bit", &Map::new(), given(&["sum_squares"])).unwrap_err();
        assert!(failure.message.contains("(gram), and `m.dat` holds none"), "{failure:?}");
        assert!(failure.suggestion.contains("--gram") && failure.suggestion.contains("Q8"), "{failure:?}");
        assert_eq!(level(&format(), "4bit", &Map::new(), given(&["sum_squares", "gram"])).unwrap().id, "Q4_GRAM");
        let failure = level(&format(), "4bit", &Map::new(), None).unwrap_err();
        assert!(failure.message.ends_with("none were given"));
        assert!(failure.suggestion.ends_with("Levels without: Q8. From the weights alone: --order up."), "{failure:?}");
        let alone = level(&format(), "4bit", &self::given(json!({"order": "up"})), None).unwrap();
        assert_eq!((alone.id.as_str(), alone.requires_statistics.len()), ("Q4_GRAM", 0));
    }

    #[test]
    fn defaults_are_filled_in_and_given_values_kept() {
        let found = options(&format(), &given(json!({"symmetric": true, "group_size": 64}))).unwrap();
        assert_eq!(Value::Object(found), json!({"group_size": 64, "symmetric": true, "clip": 1.0}));
    }

    #[test]
    fn values_outside_their_declaration_are_refused() {
        for (bad, word) in [
            (json!({"group_size": 0}), "1 to 256"),
            (json!({"group_size": "64"}), "whole number"),
            (json!({"group_size": 1.5}), "whole number"),
            (json!({"symmetric": 1}), "true or false"),
            (json!({"clip": 1.1}), "0 to 1"),
            (json!({"order": "left"}), "up, down"),
        ] {
            let failure = options(&format(), &given(bad.clone())).unwrap_err();
            assert!(failure.message.contains(word), "{bad}: {}", failure.message);
            assert_eq!(failure.class, Class::InvalidArguments);
        }
        let failure = options(&format(), &given(json!({"groupsize": 1}))).unwrap_err();
        assert!(failure.suggestion.starts_with("Did you mean --group-size?"), "{}", failure.suggestion);
    }
}
