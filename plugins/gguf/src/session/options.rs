//! The backend's own options, typed.

use super::importance::Missing;
use super::quantizer_options::{self, QuantizerOptions};
use super::shards::Splitting;
use crate::vocab::PRE_NAMES;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{OptionKind, OptionSpec, Request};
use serde_json::Value;

/// What the user chose.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// `--intermediate`.
    pub intermediate: Option<BlockType>,
    /// `--pre`.
    pub pre: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--split-max-size`, in bytes.
    pub split_bytes: Option<u64>,
    /// `--split-max-tensors`.
    pub split_tensors: Option<u64>,
    /// `--keep-split`.
    pub keep_split: bool,
    /// `--missing-importance`.
    pub missing_importance: Missing,
    /// llama-quantize's.
    pub quantizer: QuantizerOptions,
}

/// What the host offers to its user.
pub fn specs() -> Vec<OptionSpec> {
    let words = ["none", "f16", "bf16"];
    let mut specs = vec![
        OptionSpec {
            name: "intermediate".into(),
            help: "round F32 weights to this format first, as a conversion through an intermediate file does".into(),
            kind: OptionKind::Choice { values: words.iter().map(|word| (*word).to_owned()).collect() },
            default: "none".into(),
        },
        OptionSpec {
            name: "pre".into(),
            help: "name of the pre-tokenizer, such as llama-bpe, instead of the detected one".into(),
            kind: OptionKind::Text,
            default: Value::Null,
        },
        OptionSpec {
            name: "name".into(),
            help: "general.name in the file, instead of the one from the model's folder".into(),
            kind: OptionKind::Text,
            default: Value::Null,
        },
        OptionSpec {
            name: "split_max_size".into(),
            help: "write shards of at most this many bytes of tensors, such as 2G or 500M (powers of 1000)".into(),
            kind: OptionKind::Text,
            default: Value::Null,
        },
        OptionSpec {
            name: "split_max_tensors".into(),
            help: "write shards of at most this many tensors".into(),
            kind: OptionKind::Integer { min: 1, max: 1 << 31 },
            default: Value::Null,
        },
        OptionSpec {
            name: "keep_split".into(),
            help: "write the shards that the source has; for sources that are split GGUF files".into(),
            kind: OptionKind::Flag,
            default: false.into(),
        },
        OptionSpec {
            name: "missing_importance".into(),
            help: "what to do with tensors and experts without importance data, at encodings that need them: refuse, or even (all channels count alike)"
                .into(),
            kind: OptionKind::Choice { values: vec!["refuse".into(), "even".into()] },
            default: "refuse".into(),
        },
    ];
    specs.extend(quantizer_options::specs());
    specs
}

impl Options {
    pub(super) fn read(request: &Request) -> Result<Options, Error> {
        let text = |name: &str| match request.options.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(refused(name, format!("the option `{name}` is {other}; it must be text"))),
        };
        let intermediate = match text("intermediate")?.as_deref() {
            None | Some("none") => None,
            Some("f16") => Some(BlockType::F16),
            Some("bf16") => Some(BlockType::BF16),
            Some(other) => {
                let message = format!("the option `intermediate` is `{other}`; it must be none, f16 or bf16");
                return Err(refused("intermediate", message));
            }
        };
        let pre = text("pre")?;
        if let Some(name) = pre.as_deref().filter(|name| !PRE_NAMES.contains(name)) {
            let message = format!("`{name}` is not the name of a pre-tokenizer that llama.cpp knows");
            return Err(refused("pre", message).hint(format!("the names are: {}", PRE_NAMES.join(", "))));
        }
        let split_bytes = text("split_max_size")?.as_deref().map(size).transpose()?;
        let split_tensors = request.options.get("split_max_tensors").and_then(Value::as_u64);
        let keep_split = request.options.get("keep_split").and_then(Value::as_bool).unwrap_or(false);
        let given = [split_bytes.is_some(), split_tensors.is_some(), keep_split];
        if given.iter().filter(|given| **given).count() > 1 {
            let message = "--split-max-size, --split-max-tensors and --keep-split exclude each other".to_owned();
            return Err(refused("split_max_size", message).hint("give one of them"));
        }
        let missing_importance = match text("missing_importance")?.as_deref() {
            None | Some("refuse") => Missing::Refuse,
            Some("even") => Missing::Even,
            Some(other) => {
                let message = format!("the option `missing_importance` is `{other}`; it must be refuse or even");
                return Err(refused("missing_importance", message));
            }
        };
        let quantizer = QuantizerOptions::read(request)?;
        let name = text("name")?;
        Ok(Options { intermediate, pre, name, split_bytes, split_tensors, keep_split, missing_importance, quantizer })
    }

    /// How an output is spread over files, for sources without shards of this format.
    pub(super) fn splitting(&self) -> Result<Splitting, Error> {
        if self.keep_split {
            let message = "--keep-split is for sources that are split GGUF files; this one is not".to_owned();
            let hint = "use --split-max-size or --split-max-tensors to write shards";
            return Err(refused("keep_split", message).hint(hint));
        }
        Ok(match (self.split_bytes, self.split_tensors) {
            (Some(bytes), _) => Splitting::Bytes(bytes),
            (None, Some(tensors)) => Splitting::Tensors(tensors),
            (None, None) => Splitting::Whole,
        })
    }
}

fn refused(subject: &str, message: String) -> Error {
    Error::new(Kind::InvalidRequest, message).subject(subject)
}

/// A number of bytes as llama-gguf-split takes it: a whole number with M or G, in powers of 1000; K and none as well.
fn size(text: &str) -> Result<u64, Error> {
    let (digits, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1_000),
        Some('m' | 'M') => (&text[..text.len() - 1], 1_000_000),
        Some('g' | 'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let bytes = digits.parse::<u64>().ok().filter(|_| plain).and_then(|n| n.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
        let message = format!("--split-max-size is `{text}`; it must be a whole number with K, M or G, such as 2G");
        refused("split_max_size", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_a_thousand() {
        let good = [("2G", 2_000_000_000), ("500M", 500_000_000), ("7k", 7_000), ("12", 12)];
        good.iter().for_each(|(text, bytes)| assert_eq!(size(text).unwrap(), *bytes, "{text}"));
        for bad in ["", "G", "0", "0M", "-1G", "+1G", "1.5G", "2GB", "99999999999999999999G", "2 G"] {
            assert!(size(bad).unwrap_err().message.contains("whole number"), "{bad}");
        }
    }
}
