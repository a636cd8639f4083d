//! The families this program knows, read once from the embedded descriptions.

use super::Family;
use std::sync::LazyLock;

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    [
        ("llama", include_str!("../../../families/llama.toml")),
        ("internlm2", include_str!("../../../families/internlm2.toml")),
        ("minicpm", include_str!("../../../families/minicpm.toml")),
        ("exaone4", include_str!("../../../families/exaone4.toml")),
        ("mistral", include_str!("../../../families/mistral.toml")),
        ("qwen2", include_str!("../../../families/qwen2.toml")),
        ("qwen3", include_str!("../../../families/qwen3.toml")),
        ("olmo2", include_str!("../../../families/olmo2.toml")),
        ("olmo3", include_str!("../../../families/olmo3.toml")),
        ("olmoe", include_str!("../../../families/olmoe.toml")),
        ("stablelm", include_str!("../../../families/stablelm.toml")),
        ("starcoder2", include_str!("../../../families/starcoder2.toml")),
        ("nemotron", include_str!("../../../families/nemotron.toml")),
        ("phi", include_str!("../../../families/phi.toml")),
        ("phi3", include_str!("../../../families/phi3.toml")),
        ("gemma", include_str!("../../../families/gemma.toml")),
        ("gemma2", include_str!("../../../families/gemma2.toml")),
        ("gemma3", include_str!("../../../families/gemma3.toml")),
        ("granite", include_str!("../../../families/granite.toml")),
        ("cohere", include_str!("../../../families/cohere.toml")),
        ("cohere2", include_str!("../../../families/cohere2.toml")),
        ("mixtral", include_str!("../../../families/mixtral.toml")),
        ("qwen2_moe", include_str!("../../../families/qwen2_moe.toml")),
        ("qwen3_moe", include_str!("../../../families/qwen3_moe.toml")),
        ("granitemoe", include_str!("../../../families/granitemoe.toml")),
        ("smollm3", include_str!("../../../families/smollm3.toml")),
        ("seed_oss", include_str!("../../../families/seed_oss.toml")),
        ("gpt2", include_str!("../../../families/gpt2.toml")),
        ("gpt_neox", include_str!("../../../families/gpt_neox.toml")),
        ("falcon2", include_str!("../../../families/falcon2.toml")),
        ("falcon_40b", include_str!("../../../families/falcon_40b.toml")),
        ("falcon", include_str!("../../../families/falcon.toml")),
        ("bert", include_str!("../../../families/bert.toml")),
        ("deepseek_v2", include_str!("../../../families/deepseek_v2.toml")),
        ("deepseek_v3", include_str!("../../../families/deepseek_v3.toml")),
        ("gpt_oss", include_str!("../../../families/gpt_oss.toml")),
        ("glm4", include_str!("../../../families/glm4.toml")),
        ("bitnet", include_str!("../../../families/bitnet.toml")),
        ("bitnet_b158", include_str!("../../../families/bitnet_b158.toml")),
    ]
    .into_iter()
    // Our own text, read whole by the tests below: a mistake in it cannot reach a user.
    .map(|(id, text)| Family::from_toml(text).unwrap_or_else(|problem| panic!("families/{id}.toml: {problem}")))
    .collect()
});

/// Every family.
pub fn builtin() -> &'static [Family] {
    &FAMILIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family::Condition;
    use std::collections::HashSet;

    #[test]
    fn every_description_reads_and_none_claims_what_another_has() {
        let mut claimed = HashSet::new();
        for family in builtin() {
            assert!(!family.classes.is_empty() && !family.templates.is_empty(), "{}", family.id);
            assert!(["rms", "layer"].contains(&family.norm.as_str()), "{}", family.id);
            assert!(["half", "interleaved", "none"].contains(&family.rope_layout.as_str()), "{}", family.id);
            for word in family.classes.iter().chain(&family.model_types) {
                // Variants of one class must ask for different values.
                assert!(claimed.insert((word, family.requires.to_string())), "{word} is claimed twice");
            }
        }
    }

    #[test]
    fn conditions_have_defaults() {
        for family in builtin() {
            for condition in family.templates.iter().filter_map(|t| t.when.as_ref()) {
                // A number that a class has no default for is simply not there.
                if let Condition::Switch(key) = condition {
                    let key = key.strip_prefix("not ").unwrap_or(key);
                    assert!(family.defaults.get(key).is_some_and(toml::Value::is_bool), "{}: {key}", family.id);
                }
            }
        }
    }
}
