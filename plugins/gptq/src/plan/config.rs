//! config.json and quantize_config.json, keys in the alphabetical order that GPTQModel writes.

use crate::choices::{Choices, Zeros};
use llmq_linear_grids::Order;
use serde_json::{Map, Value, json};

/// The one dictionary of both files. Nothing in it depends on folders or the clock.
pub fn quantization(choices: &Choices, zeros: Zeros, creator: &str) -> Value {
    let settings = choices.settings;
    let quantizer = match creator.rsplit_once(' ') {
        Some((name, version)) => format!("{name}:{version}"),
        None => format!("llm-quantize:{}", env!("CARGO_PKG_VERSION")),
    };
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("bits", settings.bits.into());
    put("checkpoint_format", zeros.word().into());
    put("desc_act", (choices.order == Order::Descending).into());
    if !choices.rules.is_empty() {
        put("dynamic", Value::Object(choices.rules.document()));
    }
    put("format", zeros.word().into());
    put("group_size", settings.group.into());
    put("lm_head", choices.lm_head.into());
    put(
        "meta",
        json!({
            "act_group_aware": choices.order == Order::WithinGroups,
            "candidates": choices.candidates,
            "damp_percent": rounded(choices.damp),
            "mse": 0.0,
            "polish": choices.method(settings, usize::MAX, zeros).polish,
            "quantizer": [quantizer],
            "static_groups": false,
            "true_sequential": choices.by_stage,
            "uri": env!("CARGO_PKG_REPOSITORY"),
        }),
    );
    put("method", "gptq".into());
    put("pack_dtype", "int32".into());
    put("quant_method", "gptq".into());
    put("sym", settings.symmetric.into());
    Value::Object(fields)
}

/// As it was typed: 0.05 is no number that f32 has.
fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1e6).round() / 1e6
}
