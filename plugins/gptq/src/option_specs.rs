//! The options on offer, with their limits.

use llmq_plugin_api::wire::{OptionKind, OptionSpec};
use llmq_safetensors_folders::given::SHARD;
use serde_json::{Map, Value};

/// Shares of the mean diagonal that may be added to a Gram matrix.
pub const DAMP: (f64, f64, f64) = (0.0, 1.0, 0.05);
/// Steps that may be tried for each row and group.
pub const CANDIDATES: (i64, i64, i64) = (1, 256, 8);
/// Rounds of refitting.
pub const POLISH: (i64, i64) = (0, 32);

/// Settings with which nothing is asked of a calibration.
pub fn weights_alone() -> Vec<Map<String, Value>> {
    vec![Map::from_iter([("rounding".to_owned(), "nearest".into())])]
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
        spec("sym", OptionKind::Flag, Value::Null, "whether zero is the middle code; true unless the level says"),
        spec(
            "rounding",
            words(&["feedback", "nearest"]),
            "feedback".into(),
            "how codes are chosen: feedback (each error goes into the weights after it), or nearest (from the weights alone)",
        ),
        spec(
            "act_order",
            words(&["groups", "none", "descending"]),
            "groups".into(),
            "order of rounding: groups (strongest inputs first, groups stay in place), none, descending (desc_act, with a g_idx)",
        ),
        spec(
            "damp",
            OptionKind::Number { min: DAMP.0, max: DAMP.1 },
            DAMP.2.into(),
            "share of its mean diagonal that is added to each Gram matrix; more is tried if it does not suffice",
        ),
        spec(
            "candidates",
            whole(CANDIDATES),
            CANDIDATES.2.into(),
            "scales that are tried for each group of each output; 1 takes the one that reaches all weights",
        ),
        spec(
            "polish",
            OptionKind::Integer { min: POLISH.0, max: POLISH.1 },
            Value::Null,
            "rounds of refitting scales and codes once all are rounded; 2 for modules of 2 and 3 bits, else 0",
        ),
        spec(
            "checkpoint_format",
            words(&["auto", "gptq", "gptq_v2"]),
            "auto".into(),
            "how zeros are stored: gptq (less one) or gptq_v2; auto takes gptq unless asymmetric modules need gptq_v2",
        ),
        spec("lm_head", OptionKind::Flag, false.into(), "quantize the output head too"),
        spec(
            "dynamic",
            OptionKind::Texts,
            Value::Null,
            "modules by regular expression, first match counts: `-:REGEX` keeps them, `+:REGEX bits=8,group_size=64,sym=false` changes them",
        ),
        spec(
            "target",
            words(&["any", "vllm", "sglang", "transformers", "exllama"]),
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
