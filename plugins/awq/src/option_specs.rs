//! The options on offer, with their limits.

use llmq_plugin_api::wire::{OptionKind, OptionSpec};
use llmq_safetensors_folders::given::SHARD;
use serde_json::{Map, Value};

/// Shares of the mean diagonal that may be added to a Gram matrix.
pub const DAMP: (f64, f64, f64) = (0.0, 1.0, 0.05);
/// Steps that may be tried for each row and group.
pub const CANDIDATES: (i64, i64, i64) = (1, 256, 8);
/// Rounds of refitting.
pub const POLISH: (i64, i64, i64) = (0, 32, 0);

/// Settings with which nothing is asked of a calibration.
pub fn weights_alone() -> Vec<Map<String, Value>> {
    let setting = |name: &str, word: &str| (name.to_owned(), Value::from(word));
    vec![Map::from_iter([setting("rounding", "nearest"), setting("smooth", "none"), setting("clip", "none")])]
}

/// All options.
pub fn all() -> Vec<OptionSpec> {
    let words = |words: &[&str]| OptionKind::Choice { values: words.iter().map(|word| (*word).to_owned()).collect() };
    let whole = |(min, max, _): (i64, i64, i64)| OptionKind::Integer { min, max };
    let spec = |name: &str, kind, default: Value, help: &str| OptionSpec {
        name: name.into(),
        help: help.into(),
        kind,
        default,
    };
    vec![
        spec(
            "group_size",
            OptionKind::Integer { min: -1, max: 1 << 20 },
            Value::Null,
            "inputs that share a scale: a multiple of 8, or -1 for one scale per output; 128 unless the level says",
        ),
        spec("sym", OptionKind::Flag, Value::Null, "whether zero is the middle code; false unless the level says"),
        spec(
            "smooth",
            words(&["auto", "all", "none"]),
            "auto".into(),
            "which channels may be scaled: auto (all but those with a caution), all, none",
        ),
        spec(
            "clip",
            words(&["auto", "all", "none"]),
            "auto".into(),
            "where the largest weights of groups may be cut off: auto (not in queries and keys), all, none",
        ),
        spec(
            "rounding",
            words(&["auto", "feedback", "nearest"]),
            "auto".into(),
            "how codes are chosen: feedback (each error goes into the weights after it), nearest (without --smooth and --clip from the weights alone), auto (what costs less)",
        ),
        spec(
            "damp",
            OptionKind::Number { min: DAMP.0, max: DAMP.1 },
            DAMP.2.into(),
            "feedback: share of its mean diagonal that is added to each Gram matrix; more is tried if it does not suffice",
        ),
        spec(
            "candidates",
            whole(CANDIDATES),
            CANDIDATES.2.into(),
            "feedback: scales that are tried for each group of each output; 1 takes the one that reaches all weights",
        ),
        spec(
            "polish",
            whole(POLISH),
            POLISH.2.into(),
            "feedback: rounds of refitting scales and codes once all are rounded",
        ),
        spec(
            "modules_to_not_convert",
            OptionKind::Texts,
            Value::Null,
            "modules that stay as they are: every one whose name contains one of these texts",
        ),
        spec(
            "target",
            words(&["any", "vllm", "sglang", "transformers"]),
            "any".into(),
            "what will load the output; what it would refuse is refused before any work",
        ),
        spec(
            "max_shard_size",
            OptionKind::Text,
            SHARD.into(),
            "largest file of weights, such as 5GB or 500MB (powers of 1000) or a number of bytes",
        ),
    ]
}
