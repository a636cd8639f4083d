//! The sampling advice of generation_config.json, as `general.sampling.*`.

use serde_json::Value as Json;

use crate::value::{KeyValue, Value, set};

/// Key in GGUF, key in generation_config.json, whether it is a whole number.
const KEYS: &[(&str, &str, bool)] = &[
    ("top_k", "top_k", true),
    ("top_p", "top_p", false),
    ("min_p", "min_p", false),
    ("xtc_probability", "xtc_probability", false),
    ("xtc_threshold", "xtc_threshold", false),
    ("temp", "temperature", false),
    ("penalty_last_n", "penalty_last_n", true),
    ("penalty_repeat", "penalty_repeat", false),
    ("mirostat", "mirostat", true),
    ("mirostat_tau", "mirostat_tau", false),
    ("mirostat_eta", "mirostat_eta", false),
];

/// Adds what the file says; values of the wrong kind are reported and left out.
pub(super) fn write(config: &Json, list: &mut Vec<KeyValue>, warnings: &mut Vec<String>) {
    if let Some(sequence) = config["sequence"].as_str().filter(|sequence| !sequence.is_empty()) {
        set(list, "general.sampling.sequence", sequence);
    }
    for (key, source, whole) in KEYS {
        let value = &config[*source];
        if value.is_null() {
            continue;
        }
        let number = value.as_f64().filter(|number| !whole || (number.fract() == 0.0 && number.abs() < 2e9));
        let converted = number.map(|number| if *whole { Value::I32(number as i32) } else { Value::F32(number as f32) });
        match converted {
            Some(value) => set(list, &format!("general.sampling.{key}"), value),
            None => warnings.push(format!("generation_config.json: {source} is {value}; left out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_and_broken_numbers_get_their_types() {
        let (mut list, mut warnings) = (Vec::new(), Vec::new());
        write(&json!({"temperature": 1, "top_k": 50, "top_p": "high", "min_p": null}), &mut list, &mut warnings);
        let expected =
            [KeyValue::new("general.sampling.top_k", 50_i32), KeyValue::new("general.sampling.temp", 1.0_f32)];
        assert_eq!(list, expected);
        assert_eq!(warnings.len(), 1);
    }
}
