//! What config.json and quant_config.json say, in the words that AutoAWQ used for each.

use crate::choices::Choices;
use crate::levels::BITS;
use serde_json::{Value, json};

/// `quantization_config` of config.json. Zeros are always stored, the middle code where it is symmetric, so that every loader
/// reads both kinds the same way: AutoAWQ's own layout has no files without zeros, and vLLM knows no such kernel.
pub fn quantization(choices: &Choices, kept: &[String]) -> Value {
    let kept = if kept.is_empty() { Value::Null } else { json!(kept) };
    json!({
        "bits": BITS,
        "group_size": choices.group,
        "modules_to_not_convert": kept,
        "quant_method": "awq",
        "version": "gemm",
        "zero_point": true,
    })
}

/// quant_config.json, for loaders older than `quantization_config`.
pub fn older(choices: &Choices, kept: &[String]) -> Value {
    let mut older = json!({ "zero_point": true, "q_group_size": choices.group, "w_bit": BITS, "version": "GEMM" });
    if let (Value::Object(fields), false) = (&mut older, kept.is_empty()) {
        fields.insert("modules_to_not_convert".into(), json!(kept));
    }
    older
}
