//! The backend's own options, typed.

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
}

/// What the host offers to its user.
pub fn specs() -> Vec<OptionSpec> {
    let words = ["none", "f16", "bf16"];
    vec![
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
    ]
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
        Ok(Options { intermediate, pre, name: text("name")? })
    }
}

fn refused(subject: &str, message: String) -> Error {
    Error::new(Kind::InvalidRequest, message).subject(subject)
}
