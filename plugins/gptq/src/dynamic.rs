//! Other settings for single modules, by regular expression, with GPTQModel's `dynamic` meaning.
//!
//! Rules are tried in their order against a module's full name (`model.layers.0.self_attn.q_proj`), each from the name's
//! beginning but not to its end; the first that matches counts. `-:` leaves the module as it is, `+:` or no prefix gives
//! it other settings, and what it does not name stays the model's.

use llmq_plugin_api::sdk::{Error, Kind};
use regex::Regex;
use serde_json::{Map, Value};

/// Bits that the format has.
pub const BITS: [u32; 4] = [2, 3, 4, 8];

/// Longest accepted pattern, in bytes, and the most rules.
const MAX_PATTERN: usize = 64 << 10;
const MAX_RULES: usize = 100_000;

/// Settings of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Override {
    /// Bits of a code.
    pub bits: Option<u32>,
    /// Inputs that share a scale, -1 for all.
    pub group: Option<i64>,
    /// Whether zero is the middle code.
    pub symmetric: Option<bool>,
}

/// What a rule does to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Keeps it as it is.
    Keep,
    /// Quantizes it with other settings.
    Change(Override),
}

/// One rule.
#[derive(Debug)]
struct Rule {
    /// As config files have it, prefix included.
    pattern: String,
    regex: Regex,
    action: Action,
}

/// All rules in their order.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

fn refused(text: &str, why: String) -> Error {
    Error::new(Kind::InvalidRequest, format!("the rule `{text}` of the option `dynamic` {why}"))
        .subject("dynamic")
        .hint("a rule is `-:REGEX`, or `+:REGEX bits=8,group_size=64,sym=false` with any of the three")
}

impl Rules {
    /// Reads rules as they are typed.
    pub fn read(texts: &[&str]) -> Result<Rules, Error> {
        if texts.len() > MAX_RULES {
            let message = format!("the option `dynamic` has {} rules; at most {MAX_RULES} are accepted", texts.len());
            return Err(Error::new(Kind::InvalidRequest, message).subject("dynamic"));
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(texts.len());
        for text in texts {
            let rule = rule(text)?;
            if rules.iter().any(|known| known.pattern == rule.pattern) {
                return Err(refused(text, "has the same pattern as one before it; files can hold it once only".into()));
            }
            rules.push(rule);
        }
        Ok(Rules(rules))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What happens to a module; `None` leaves it to the model's settings.
    pub fn action(&self, module: &str) -> Option<Action> {
        self.0.iter().find(|rule| rule.regex.is_match(module)).map(|rule| rule.action)
    }

    /// Patterns of rules that match none of the modules: most likely mistyped.
    pub fn idle<'a>(&'a self, modules: &[&str]) -> Vec<&'a str> {
        let matches = |rule: &&Rule| !modules.iter().any(|module| rule.regex.is_match(module));
        self.0.iter().filter(matches).map(|rule| rule.pattern.as_str()).collect()
    }

    /// The `dynamic` object of config files.
    pub fn document(&self) -> Map<String, Value> {
        let settings = |action: Action| {
            let mut settings = Map::new();
            if let Action::Change(change) = action {
                change.bits.map(|bits| settings.insert("bits".into(), bits.into()));
                change.group.map(|group| settings.insert("group_size".into(), group.into()));
                change.symmetric.map(|symmetric| settings.insert("sym".into(), symmetric.into()));
            }
            Value::Object(settings)
        };
        self.0.iter().map(|rule| (rule.pattern.clone(), settings(rule.action))).collect()
    }
}

fn rule(text: &str) -> Result<Rule, Error> {
    if text.len() > MAX_PATTERN {
        let message = format!("a rule of the option `dynamic` has {} bytes; at most {MAX_PATTERN}", text.len());
        return Err(Error::new(Kind::InvalidRequest, message).subject("dynamic"));
    }
    let trimmed = text.trim();
    let (pattern, action) = match trimmed.strip_prefix("-:") {
        Some(_) => (trimmed, Action::Keep),
        None => {
            let Some((pattern, settings)) = trimmed.rsplit_once(char::is_whitespace) else {
                return Err(refused(text, "says nothing about the modules that it matches".into()));
            };
            (pattern.trim_end(), Action::Change(change(text, settings)?))
        }
    };
    let bare = pattern.strip_prefix("-:").or(pattern.strip_prefix("+:")).unwrap_or(pattern);
    if bare.is_empty() {
        return Err(refused(text, "has no pattern".into()));
    }
    // From the beginning, as Python's re.match has it.
    let regex = Regex::new(&format!("^(?:{bare})")).map_err(|error| {
        let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        refused(text, format!("is no regular expression that can be used here: {reason}"))
    })?;
    Ok(Rule { pattern: pattern.to_owned(), regex, action })
}

fn change(text: &str, settings: &str) -> Result<Override, Error> {
    let mut change = Override::default();
    for setting in settings.split(',') {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(refused(text, format!("has `{setting}` where KEY=VALUE is expected")));
        };
        let unfit = |what: &str| refused(text, format!("sets {key} to `{value}`; it must be {what}"));
        match key {
            "bits" => {
                let bits =
                    value.parse().ok().filter(|bits| BITS.contains(bits)).ok_or_else(|| unfit("2, 3, 4 or 8"))?;
                change.bits = Some(bits);
            }
            "group_size" => {
                let group = value.parse().ok().filter(|group| is_group(*group));
                change.group = Some(group.ok_or_else(|| unfit("a positive multiple of 8, or -1"))?);
            }
            "sym" => change.symmetric = Some(value.parse().map_err(|_| unfit("true or false"))?),
            _ => return Err(refused(text, format!("sets `{key}`, which is none of bits, group_size and sym"))),
        }
    }
    Ok(change)
}

/// Whether a number is a group size: a positive multiple of 8, or -1 for all inputs.
pub fn is_group(group: i64) -> bool {
    group == -1 || (group > 0 && group % 8 == 0 && group <= 1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const Q: &str = "model.layers.1.self_attn.q_proj";

    #[test]
    fn the_first_match_counts_and_starts_at_the_beginning() {
        let rules = Rules::read(&["-:.*q_proj$", r"+:model\.layers\.1\. bits=8,sym=false", ".*layers.* group_size=-1"]);
        let rules = rules.unwrap();
        assert_eq!(rules.action(Q), Some(Action::Keep));
        let eight = Override { bits: Some(8), symmetric: Some(false), group: None };
        assert_eq!(rules.action("model.layers.1.mlp.up_proj"), Some(Action::Change(eight)));
        let whole = Override { group: Some(-1), ..Override::default() };
        assert_eq!(rules.action("model.layers.10.mlp.up_proj"), Some(Action::Change(whole)));
        assert_eq!(rules.action("lm_head"), None);
        // Not from the middle, but not to the end either.
        let rules = Rules::read(&["-:layers", "-:model.layers.1|lm"]).unwrap();
        assert_eq!((rules.action(Q), rules.action("lm_head")), (Some(Action::Keep), Some(Action::Keep)));
        assert_eq!(rules.idle(&[Q]), ["-:layers"]);
    }

    #[test]
    fn documents_keep_patterns_prefixes_and_order() {
        let rules = Rules::read(&["b bits=3", "+:a group_size=32,sym=true", "-:c d"]).unwrap();
        let expected = json!({ "b": { "bits": 3 }, "+:a": { "group_size": 32, "sym": true }, "-:c d": {} });
        assert_eq!(Value::Object(rules.document()).to_string(), expected.to_string());
    }

    #[test]
    fn mistakes_are_refused_with_a_sentence() {
        for (text, word) in [
            ("+:a", "says nothing"),
            ("a bits=5", "2, 3, 4 or 8"),
            ("a group_size=12", "multiple of 8"),
            ("a group_size=0", "multiple of 8"),
            ("a sym=1", "true or false"),
            ("a desc_act=true", "`desc_act`"),
            ("a bits", "KEY=VALUE"),
            ("-:", "no pattern"),
            ("-:(", "regular expression"),
            ("-:(?!a)b", "regular expression"),
        ] {
            let error = Rules::read(&[text]).unwrap_err();
            assert!(error.message.contains(word), "{text}: {}", error.message);
        }
        assert!(Rules::read(&["-:a", "-:a"]).unwrap_err().message.contains("same pattern"));
    }
}
