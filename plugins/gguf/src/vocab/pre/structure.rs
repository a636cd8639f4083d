//! The pre-tokenization steps of a tokenizer.json, spelled so that equal splits read equal.

use serde_json::Value as Json;

/// Deepest nesting of `Sequence` that is followed; published files nest once.
const MAX_DEPTH: usize = 8;

/// The steps in order: `split EXPRESSION`, `digits(each)`, `bytes`, ...
///
/// `bytes(gpt-2)` is a byte-level step that also splits by GPT-2's expression. What a file says beyond llama.cpp's
/// vocabulary of steps is spelled out as seen and so matches no pattern.
pub(super) fn steps(pre_tokenizer: &Json) -> Vec<String> {
    let mut steps = Vec::new();
    collect(pre_tokenizer, 0, &mut steps);
    steps
}

fn collect(step: &Json, depth: usize, steps: &mut Vec<String>) {
    let flag = |key: &str, default: bool| step[key].as_bool().unwrap_or(default);
    match step["type"].as_str() {
        None => {}
        Some("Sequence") if depth < MAX_DEPTH => {
            for step in step["pretokenizers"].as_array().into_iter().flatten() {
                collect(step, depth + 1, steps);
            }
        }
        Some("Split") => steps.push(split(step)),
        Some("Digits") => {
            let kind = if flag("individual_digits", false) { "each" } else { "together" };
            steps.push(format!("digits({kind})"));
        }
        Some("Punctuation") => {
            let behavior = step["behavior"].as_str().unwrap_or("Isolated").to_lowercase();
            steps.push(format!("punctuation({behavior})"));
        }
        Some("ByteLevel") => {
            let regex = if flag("use_regex", true) { "(gpt-2)" } else { "" };
            // llama.cpp never puts a space in front of byte-level text, so a prefix is a different structure.
            let prefix = if flag("add_prefix_space", true) { " with a space in front" } else { "" };
            steps.push(format!("bytes{regex}{prefix}"));
        }
        Some(other) => steps.push(format!("{other}({})", rest(step))),
    }
}

fn rest(step: &Json) -> String {
    let entries = step.as_object().into_iter().flatten().filter(|(key, _)| *key != "type");
    let text = entries.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
    text.chars().take(200).collect()
}

fn split(step: &Json) -> String {
    let invert = step["invert"].as_bool().unwrap_or(false);
    let behavior = step["behavior"].as_str().unwrap_or("Isolated");
    let (kind, pattern) = match (&step["pattern"]["Regex"], &step["pattern"]["String"]) {
        (Json::String(regex), _) => ("", canonical(regex)),
        (_, Json::String(text)) => ("string ", format!("{text:?}")),
        _ => ("", format!("{}", step["pattern"])),
    };
    // An expression that covers all text isolates its matches just as well by removing what lies between them.
    let isolated = matches!((behavior, invert), ("Isolated", false) | ("Removed", true));
    if isolated && kind.is_empty() {
        format!("split {pattern}")
    } else {
        format!("{kind}split({behavior}{}) {pattern}", if invert { ", inverted" } else { "" })
    }
}

/// One spelling for line breaks (raw or escaped) and for the contractions (flag group or letter classes).
fn canonical(regex: &str) -> String {
    regex
        .replace('\r', "\\r")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace("(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "(?i:'s|'t|'re|'ve|'m|'ll|'d)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn raw_and_escaped_line_breaks_are_one_spelling() {
        let raw = json!({"type": "Split", "pattern": {"Regex": "[\r\n]"}, "behavior": "Isolated", "invert": false});
        let escaped = json!({"type": "Split", "pattern": {"Regex": r"[\r\n]"}, "behavior": "Removed", "invert": true});
        assert_eq!(steps(&raw), [r"split [\r\n]"]);
        assert_eq!(steps(&raw), steps(&escaped));
    }

    #[test]
    fn a_space_in_front_is_seen() {
        assert_eq!(steps(&json!({"type": "ByteLevel"})), ["bytes(gpt-2) with a space in front"]);
    }

    #[test]
    fn endless_nesting_is_not_followed() {
        let mut nested = json!({"type": "ByteLevel"});
        for _ in 0..50 {
            nested = json!({"type": "Sequence", "pretokenizers": [nested]});
        }
        assert_eq!(steps(&nested).len(), 1);
        assert!(steps(&nested)[0].starts_with("Sequence("));
    }
}
