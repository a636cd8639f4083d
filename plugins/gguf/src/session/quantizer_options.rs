//! The options of llama-quantize that only GGUF files have: their declarations, and what was chosen.

use super::override_kv::Override;
use crate::mixture::Choices;
use crate::nearest::nearest;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{OptionKind, OptionSpec, Request};
use serde_json::Value;

/// What the user chose of llama-quantize's options.
#[derive(Debug, Default)]
pub(super) struct QuantizerOptions {
    /// Encodings for the whole file.
    pub choices: Choices,
    /// `--prune-layers` as typed; the model decides whether such layers exist.
    pub prune: Option<String>,
    /// `--override-kv`, in order.
    pub overrides: Vec<Override>,
}

/// What the host offers to its user.
pub(super) fn specs() -> Vec<OptionSpec> {
    let spec =
        |name: &str, help: &str, kind, default| OptionSpec { name: name.into(), help: help.into(), kind, default };
    let flag = |name, help| spec(name, help, OptionKind::Flag, false.into());
    let text = |name, help| spec(name, help, OptionKind::Text, Value::Null);
    vec![
        flag("pure", "no mixture: every matrix gets the level's own type"),
        flag("leave_output_tensor", "keep output.weight in the precision of the source"),
        text("output_tensor_type", "type of output.weight, for example Q8_0"),
        text("token_embedding_type", "type of the token embedding table, for example Q8_0"),
        text("prune_layers", "leave these layers out and renumber the rest, for example 20,22-24"),
        spec(
            "override_kv",
            "set metadata in the file, KEY=TYPE:VALUE with the types int, float, bool, str (repeatable)",
            OptionKind::Texts,
            Value::Null,
        ),
    ]
}

impl QuantizerOptions {
    pub(super) fn read(request: &Request) -> Result<QuantizerOptions, Error> {
        let choices = Choices {
            pure: flag(request, "pure")?,
            leave_output: flag(request, "leave_output_tensor")?,
            output: encoding(request, "output_tensor_type")?,
            embedding: encoding(request, "token_embedding_type")?,
        };
        if choices.leave_output && choices.output.is_some() {
            let message = "--leave-output-tensor and --output-tensor-type contradict each other";
            return Err(Error::new(Kind::InvalidRequest, message).subject("output_tensor_type"));
        }
        let overrides = texts(request, "override_kv")?.into_iter().map(Override::parse);
        Ok(QuantizerOptions {
            choices,
            prune: text(request, "prune_layers")?.map(str::to_owned),
            overrides: overrides.collect::<Result<_, Error>>()?,
        })
    }

    /// Whether the file is one that only a quantizer writes, so that an unquantized level has a quantizer's order of
    /// keys and tensors too.
    pub(super) fn quantizer_s_order(&self) -> bool {
        self.choices != Choices::default() || self.prune.is_some() || !self.overrides.is_empty()
    }
}

fn refused(name: &str, message: String) -> Error {
    Error::new(Kind::InvalidRequest, message).subject(name)
}

fn flag(request: &Request, name: &str) -> Result<bool, Error> {
    match request.options.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(refused(name, format!("the option `{name}` is {other}; it must be true or false"))),
    }
}

fn text<'r>(request: &'r Request, name: &str) -> Result<Option<&'r str>, Error> {
    match request.options.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(refused(name, format!("the option `{name}` is {other}; it must be text"))),
    }
}

fn texts<'r>(request: &'r Request, name: &str) -> Result<Vec<&'r str>, Error> {
    let wrong = |other: &Value| refused(name, format!("the option `{name}` holds {other}; it must be a list of texts"));
    match request.options.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(texts)) => texts.iter().map(|text| text.as_str().ok_or_else(|| wrong(text))).collect(),
        Some(other) => Err(wrong(other)),
    }
}

fn encoding(request: &Request, name: &str) -> Result<Option<BlockType>, Error> {
    let Some(word) = text(request, name)? else { return Ok(None) };
    let known = || BlockType::ALL.iter().copied().filter(|ty| ty.can_quantize());
    if let Some(found) = BlockType::from_name(word).filter(|ty| ty.can_quantize()) {
        return Ok(Some(found));
    }
    let near = nearest(word, known().map(BlockType::name)).map(|name| format!("did you mean {name}? "));
    let names: Vec<&str> = known().map(BlockType::name).collect();
    let option = name.replace('_', "-");
    Err(refused(name, format!("--{option} is `{word}`, which is not a type that tensors can have")).hint(format!(
        "{}The types are: {}",
        near.unwrap_or_default(),
        names.join(", ")
    )))
}
