//! What loaders refuse, told before any work: groups and shapes.
//!
//! Sources: vLLM `auto_awq`, SGLang's `awq`, GPTQModel's AWQ kernels through which transformers loads, as of 2026-11. All
//! allocate `outputs / 8` words and `inputs / group` rows of scales, so other shapes load nowhere.

use crate::plan::Linear;
use llmq_plugin_api::sdk::{Error, Kind};
use serde_json::Value;

/// A loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// No one in particular: what the format can hold.
    Any,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// transformers, which loads through GPTQModel.
    Transformers,
}

/// Codes of a word.
const WORD: usize = 8;

/// Groups that vLLM's and SGLang's kernels know.
const GPU_GROUPS: [i64; 4] = [-1, 32, 64, 128];
/// Groups of GPTQModel's kernels.
const GPTQMODEL_GROUPS: [i64; 5] = [-1, 16, 32, 64, 128];

impl Target {
    /// The loader of a word.
    pub fn of(word: &str) -> Option<Target> {
        Some(match word {
            "any" => Target::Any,
            "vllm" => Target::Vllm,
            "sglang" => Target::Sglang,
            "transformers" => Target::Transformers,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Target::Any => "every loader",
            Target::Vllm => "vLLM",
            Target::Sglang => "SGLang",
            Target::Transformers => "transformers",
        }
    }

    fn groups(self) -> &'static [i64] {
        match self {
            Target::Any => &[],
            Target::Vllm | Target::Sglang => &GPU_GROUPS,
            Target::Transformers => &GPTQMODEL_GROUPS,
        }
    }

    /// Refuses a matrix that would not load.
    pub fn check(self, linear: &Linear) -> Result<(), Error> {
        let (name, every) = (&linear.name, Target::Any.name());
        if linear.rows == 0 || !linear.rows.is_multiple_of(WORD) {
            let message = format!("tensor `{name}` has {} outputs; {every} asks for a multiple of {WORD}", linear.rows);
            return Err(unfit(Kind::UnsupportedModel, linear, message));
        }
        if linear.columns == 0 || !linear.columns.is_multiple_of(linear.group) {
            let message = format!(
                "tensor `{name}` has {} inputs; {every} asks for whole groups of {}",
                linear.columns, linear.group
            );
            return Err(unfit(Kind::UnsupportedModel, linear, message));
        }
        let groups = self.groups();
        if !groups.is_empty() && !groups.contains(&linear.said) {
            let known: Vec<String> = groups.iter().map(i64::to_string).collect();
            let message = format!(
                "{} cannot load tensor `{name}`: it has groups of {}, and only those of {} are read",
                self.name(),
                linear.said,
                known.join(", ")
            );
            return Err(unfit(Kind::InvalidRequest, linear, message));
        }
        Ok(())
    }

    /// Families that GPTQModel 7.7 loads without a word and then computes with weights that are not the folder's (seen;
    /// transformers loads the first ones rightly through the same kernels).
    pub fn misread(self, config: &Value) -> Option<String> {
        let family = config.get("model_type").and_then(Value::as_str).filter(|_| self == Target::Any)?;
        let (why, instead) = match family {
            "phi3" | "glm4" => ("it splits gate_up_proj before it loads", "transformers, vLLM and SGLang do not"),
            "mixtral" => ("it looks for experts under other names than Mixtral's", "vLLM and SGLang know them"),
            _ => return None,
        };
        Some(format!(
            "GPTQModel's own loader takes AWQ folders of {family} without a word and computes with other weights: {why}; {instead}"
        ))
    }

    /// Sentences about what only some loaders take.
    pub fn unusual(self, group: i64) -> Option<String> {
        let unknown = self == Target::Any && !GPU_GROUPS.contains(&group);
        unknown.then(|| format!("groups of {group} load neither in vLLM nor in SGLang; they know 32, 64, 128 and -1"))
    }
}

fn unfit(kind: Kind, linear: &Linear, message: String) -> Error {
    let hint = format!(
        "choose another --group-size, or keep this matrix as it is with --modules-to-not-convert={}",
        linear.module
    );
    Error::new(kind, message).subject(&linear.name).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire::Role;

    fn verdict(target: Target, rows: usize, columns: usize, group: i64) -> String {
        let linear = Linear::new(0, "a.b.weight", Role::AttnOutput, rows, columns, group);
        target.check(&linear).err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn shapes_that_load_nowhere_are_refused_for_all() {
        assert_eq!(
            verdict(Target::Any, 12, 128, 64),
            "tensor `a.b.weight` has 12 outputs; every loader asks for a multiple of 8"
        );
        assert_eq!(
            verdict(Target::Any, 16, 96, 64),
            "tensor `a.b.weight` has 96 inputs; every loader asks for whole groups of 64"
        );
        assert_eq!(
            verdict(Target::Any, 16, 96, 128),
            "tensor `a.b.weight` has 96 inputs; every loader asks for whole groups of 128"
        );
        assert_eq!(verdict(Target::Any, 16, 96, -1), "");
        assert_eq!(verdict(Target::Any, 8, 96, 8), "");
    }

    #[test]
    fn what_one_loader_misreads_is_told_where_no_loader_was_named() {
        let config = |family: &str| serde_json::json!({ "model_type": family });
        for family in ["phi3", "glm4", "mixtral"] {
            assert!(Target::Any.misread(&config(family)).unwrap().contains(family));
            assert_eq!(Target::Vllm.misread(&config(family)), None);
        }
        assert_eq!(Target::Any.misread(&config("llama")), None);
    }

    #[test]
    fn each_loader_has_its_own_groups() {
        for target in [Target::Vllm, Target::Sglang, Target::Transformers] {
            assert_eq!(verdict(target, 64, 256, 128), "");
            assert!(verdict(target, 64, 256, 256).contains("groups of 256"));
        }
        assert!(verdict(Target::Vllm, 64, 256, 16).contains("groups of 16"));
        assert_eq!(verdict(Target::Transformers, 64, 256, 16), "");
        assert!(Target::Any.unusual(16).is_some() && Target::Any.unusual(64).is_none());
    }
}
