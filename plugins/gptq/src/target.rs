//! What loaders refuse, told before any work: bits, symmetry, groups, shapes.
//!
//! Sources: vLLM `auto_gptq` (since its pull request 38288 only 4 and 8 symmetric bits), SGLang's `gptq`, GPTQModel's
//! buffers and its ExLlama kernel, as of 2026-11. Every loader allocates `inputs / 32 * bits` words for the codes and
//! `outputs * bits / 32` for the zeros, so other shapes load nowhere.

use crate::choices::{Choices, Settings, Zeros};
use crate::plan::Linear;
use llmq_linear_grids::Order;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_safetensors_folders::transformers;
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
    /// ExLlama's kernels.
    Exllama,
}

/// Codes that every loader counts in runs of this many.
const RUN: usize = 32;

/// Groups of GPTQModel's kernels.
const GPTQMODEL_GROUPS: [i64; 8] = [-1, 16, 32, 64, 128, 256, 512, 1024];
/// Groups of Marlin and ExLlama.
const GPU_GROUPS: [i64; 4] = [-1, 32, 64, 128];

impl Target {
    /// The loader of a word.
    pub fn of(word: &str) -> Option<Target> {
        Some(match word {
            "any" => Target::Any,
            "vllm" => Target::Vllm,
            "sglang" => Target::Sglang,
            "transformers" => Target::Transformers,
            "exllama" => Target::Exllama,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Target::Any => "every loader",
            Target::Vllm => "vLLM",
            Target::Sglang => "SGLang",
            Target::Transformers => "transformers",
            Target::Exllama => "ExLlama",
        }
    }

    /// How zeros are stored if nobody said: less one, as most tools know it, unless that cannot be loaded.
    ///
    /// GPTQModel refuses asymmetric modules whose zeros are stored less one and whose writer is not itself. SGLang knows
    /// only zeros less one.
    pub fn zeros(self, symmetric: bool) -> Zeros {
        if symmetric || self == Target::Sglang { Zeros::LessOne } else { Zeros::AsTheyAre }
    }

    /// Refuses a matrix that would not load.
    pub fn check(self, linear: &Linear) -> Result<(), Error> {
        let name = &linear.name;
        // Zeros of all outputs are whole words; codes of all inputs are counted in runs.
        let words = if linear.settings.bits.is_power_of_two() { RUN / linear.settings.bits as usize } else { RUN };
        for (what, count, unit) in [("inputs", linear.columns, RUN), ("outputs", linear.rows, words)] {
            if count == 0 || count % unit != 0 {
                let message =
                    format!("tensor `{name}` has {count} {what}; {} asks for a multiple of {unit}", Target::Any.name());
                // No option makes such a shape fit.
                return Err(unfit(Kind::UnsupportedModel, linear, message));
            }
        }
        let Settings { bits, group, symmetric } = linear.settings;
        let refuse = |why: String| {
            Err(unfit(Kind::InvalidRequest, linear, format!("{} cannot load tensor `{name}`: {why}", self.name())))
        };
        match self {
            Target::Vllm if !matches!(bits, 4 | 8) || !symmetric => {
                let word = if symmetric { "symmetric" } else { "asymmetric" };
                return refuse(format!("it has {bits} {word} bits, and only 4 and 8 symmetric bits are read"));
            }
            Target::Exllama if bits != 4 => return refuse(format!("it has {bits} bits, and only 4 are read")),
            _ => {}
        }
        let groups: &[i64] = match self {
            Target::Any | Target::Sglang => &[],
            Target::Transformers => &GPTQMODEL_GROUPS,
            Target::Vllm | Target::Exllama => &GPU_GROUPS,
        };
        if !groups.is_empty() && !groups.contains(&group) {
            let known: Vec<String> = groups.iter().map(i64::to_string).collect();
            return refuse(format!("it has groups of {group}, and only those of {} are read", known.join(", ")));
        }
        if self != Target::Any && !linear.columns.is_multiple_of(linear.group) {
            return refuse(format!("its {} inputs are not whole groups of {}", linear.columns, linear.group));
        }
        Ok(())
    }

    /// Refuses settings of the whole model that would not load; sentences about what only some loaders take.
    pub fn check_all(
        self,
        choices: &Choices,
        zeros: Zeros,
        linears: &[Linear],
        config: &Value,
    ) -> Result<Vec<String>, Error> {
        let asymmetric = linears.iter().find(|linear| !linear.settings.symmetric);
        let refuse = |option: &str, message: String, hint: &str| {
            Err(Error::new(Kind::InvalidRequest, message).subject(option).hint(hint))
        };
        let mut warnings = Vec::new();
        if let (Some(linear), Zeros::LessOne) = (asymmetric, zeros) {
            // transformers loads it, through GPTQModel's kernels (seen with 5.23 and 7.7).
            if self != Target::Transformers {
                warnings.push(format!(
                    "GPTQModel's own loader refuses checkpoint format gptq with asymmetric modules such as `{}`, unless \
                     GPTQModel itself wrote it",
                    linear.module
                ));
            }
        }
        match transformers::loses(linears.iter().map(|linear| linear.module.as_str()), config) {
            Some(lost) if self == Target::Transformers => return refuse("target", lost, transformers::HINT),
            Some(lost) if self == Target::Any => warnings.push(lost),
            _ => {}
        }
        if choices.lm_head {
            let message =
                "transformers by itself loads packed layers only, and leaves a packed output head with random weights";
            match self {
                Target::Transformers => return refuse("lm_head", message.into(), "leave out --lm-head"),
                Target::Any => warnings.push(message.into()),
                _ => {}
            }
        }
        if self == Target::Transformers && config.get("model_type").and_then(Value::as_str) == Some("falcon") {
            let message =
                "transformers takes linear layers of falcon for something else and loads none of its packed matrices";
            return refuse("target", message.into(), "load with GPTQModel itself (--target any)");
        }
        if self == Target::Sglang && zeros == Zeros::AsTheyAre {
            let message = "SGLang takes all zeros for those of checkpoint format gptq; gptq_v2 would be read wrongly";
            return refuse("checkpoint_format", message.into(), "leave out --checkpoint-format, or use gptq");
        }
        if self == Target::Transformers && !choices.rules.is_empty() {
            let message =
                "transformers does not know `dynamic`; modules with settings of their own would be read wrongly";
            return refuse(
                "dynamic",
                message.into(),
                "leave out --dynamic, or load with GPTQModel itself (--target any)",
            );
        }
        if self == Target::Any {
            warnings.extend(self.unusual(linears));
            if choices.order == Order::Descending {
                warnings.push("descending order writes a g_idx that is not in order: slower in all kernels".into());
            }
        }
        Ok(warnings)
    }

    fn unusual(self, linears: &[Linear]) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut tell = |which: &dyn Fn(&&Linear) -> bool, what: &dyn Fn(&Linear) -> String| {
            let count = linears.iter().filter(which).count();
            if let Some(first) = linears.iter().find(which) {
                warnings.push(format!("{count} of {} matrices {}", linears.len(), what(first)));
            }
        };
        tell(&|l| !l.columns.is_multiple_of(l.group), &|l| {
            let rest = l.columns % l.group;
            let (name, columns, group) = (&l.name, l.columns, l.group);
            format!(
                "end with a short group, the first `{name}` with {rest} of its {columns} inputs beyond whole groups of \
                 {group}: GPTQModel's own kernel loads that, vLLM and SGLang do not"
            )
        });
        tell(&|l| !GPTQMODEL_GROUPS.contains(&l.settings.group), &|l| {
            format!("have groups that GPTQModel does not know, the first `{}` with {}", l.name, l.settings.group)
        });
        warnings
    }
}

fn unfit(kind: Kind, linear: &Linear, message: String) -> Error {
    let hint = format!(
        "choose other bits, --group-size or --sym, or keep this matrix as it is with --dynamic='-:{}$'",
        regex::escape(&linear.module)
    );
    Error::new(kind, message).subject(&linear.name).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(rows: usize, columns: usize, bits: u32, group: i64, symmetric: bool) -> Linear {
        let settings = Settings { bits, group, symmetric };
        Linear::new(0, "a.b.weight", rows, columns, settings)
    }

    fn verdict(target: Target, linear: &Linear) -> String {
        target.check(linear).err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn shapes_that_load_nowhere_are_refused_for_all() {
        let narrow = linear(64, 40, 4, 8, true);
        assert_eq!(
            verdict(Target::Any, &narrow),
            "tensor `a.b.weight` has 40 inputs; every loader asks for a multiple of 32"
        );
        assert!(verdict(Target::Any, &linear(1, 64, 4, 32, true)).contains("1 outputs"));
        // Zeros need whole words, which every width fills at another count.
        for (rows, bits, fits) in
            [(80, 4, true), (84, 4, false), (80, 2, true), (72, 2, false), (80, 3, false), (84, 8, true)]
        {
            assert_eq!(
                verdict(Target::Any, &linear(rows, 64, bits, 32, true)).is_empty(),
                fits,
                "{rows} at {bits} bits"
            );
        }
        assert!(Target::Any.check(&narrow).unwrap_err().hint.contains(r"'-:a\.b$'"));
        assert_eq!(verdict(Target::Any, &linear(64, 352, 2, 128, false)), "");
    }

    #[test]
    fn each_loader_has_its_own_limits() {
        let fine = linear(64, 256, 4, 128, true);
        for target in [Target::Vllm, Target::Sglang, Target::Transformers, Target::Exllama] {
            assert_eq!(verdict(target, &fine), "");
            assert!(verdict(target, &linear(64, 352, 4, 128, true)).contains("not whole groups of 128"));
        }
        assert!(verdict(Target::Vllm, &linear(64, 256, 3, 128, true)).contains("3 symmetric bits"));
        assert!(verdict(Target::Vllm, &linear(64, 256, 4, 128, false)).contains("4 asymmetric bits"));
        assert!(verdict(Target::Vllm, &linear(64, 256, 4, 16, true)).contains("groups of 16"));
        assert!(verdict(Target::Exllama, &linear(64, 256, 8, 128, true)).contains("8 bits"));
        assert_eq!(verdict(Target::Exllama, &linear(64, 256, 4, -1, false)), "");
        assert!(verdict(Target::Transformers, &linear(64, 256, 4, 8, true)).contains("groups of 8"));
    }

    #[test]
    fn asymmetric_zeros_are_stored_so_that_they_load() {
        assert_eq!(Target::Any.zeros(true), Zeros::LessOne);
        assert_eq!(Target::Any.zeros(false), Zeros::AsTheyAre);
        assert_eq!(Target::Sglang.zeros(false), Zeros::LessOne);
    }
}
