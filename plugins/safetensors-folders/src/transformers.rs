//! What transformers does with folders of packed matrices, whatever their format. Seen with transformers 5.23, optimum 2.3
//! and gptqmodel 7.7.

use crate::select::is_turned;
use serde_json::Value;

/// Why transformers by itself would not compute what a folder says, if these modules of a model with this config.json are packed.
///
/// Experts: it keeps those of a layer in one tensor, reports packed tensors of single ones as unexpected, and initializes the
/// experts at random. (Behind a call of GPTQModel's own loader for a model of the same type they load.)
pub fn loses<'a>(mut modules: impl Iterator<Item = &'a str>, config: &Value) -> Option<String> {
    let first = modules.find(|module| module.contains(".experts.") || is_turned(config, module))?;
    Some(if first.contains(".experts.") {
        format!(
            "transformers 5 by itself keeps the experts of a layer in one tensor, passes over packed ones such as `{first}` \
             and computes with random experts"
        )
    } else {
        format!("transformers 5 by itself fails to load packed layers of GPT-2 such as `{first}`")
    })
}

/// What to do about it.
pub const HINT: &str = "load with GPTQModel's own loader, vLLM or SGLang (--target any, vllm or sglang)";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_experts_and_turned_matrices_are_lost() {
        let (llama, gpt2) = (json!({ "model_type": "llama" }), json!({ "model_type": "gpt2" }));
        let modules = ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.shared_expert.up_proj"];
        assert_eq!(loses(modules.into_iter(), &llama), None);
        assert!(loses(modules.into_iter(), &gpt2).unwrap().contains("GPT-2 such as `model.layers.0.self_attn.q_proj`"));
        assert_eq!(loses(["lm_head"].into_iter(), &gpt2), None);
        let modules = modules.into_iter().chain(["model.layers.0.mlp.experts.3.up_proj"]);
        assert!(loses(modules, &llama).unwrap().contains("`model.layers.0.mlp.experts.3.up_proj`"));
    }
}
