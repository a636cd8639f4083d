//! All metadata of an output file, in the order of the reference's files.

use super::collect::Gathered;
use super::options::Options;
use super::override_kv::{apply, put_last};
use super::phi3_name;
use super::pooling::pooling;
use crate::arch::{Architecture, write_keys};
use crate::metadata::{GeneralInputs, Parameters, general, quantization_version};
use crate::mixture::Recipe;
use crate::value::{KeyValue, set};
use crate::vocab::{Pre, PreReason, TokenizerFiles, VocabError, VocabInputs, VocabSource, build};
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::{Request, StatisticsOrigin};

/// The metadata and what there is to say about it.
pub(super) struct Metadata {
    pub key_values: Vec<KeyValue>,
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
}

const FILE_TYPE: &str = "general.file_type";

/// Metadata in the converter's order. llama-quantize sets version and file type anew, which puts them last in its files;
/// what its user overrides comes behind them. `tensors` are those of the whole model, `layers` those that remain of it
/// if some are pruned.
pub(super) fn metadata(
    arch: &Architecture,
    recipe: Recipe,
    model: &Model,
    tensors: &[Gathered],
    options: &Options,
    request: &Request,
    layers: Option<u32>,
) -> Result<Metadata, Error> {
    let description = model.description();
    let generation_config = model.optional_file("generation_config.json")?;
    let readme = model.optional_file("README.md")?;
    let general = general(&GeneralInputs {
        architecture: arch.name,
        folder: &description.name,
        name: options.name.as_deref(),
        config: &description.config,
        generation_config: generation_config.as_deref(),
        readme: readme.as_deref(),
        parameters: Parameters::count(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.ne.as_slice()))),
    });
    let vocabulary = vocabulary(model, options)?;

    let mut out = general.key_values;
    out.extend(write_keys(arch, arch.keys, description));
    let version = quantization_version();
    let as_converter = recipe.is_float() && !options.quantizer.quantizer_s_order();
    if as_converter {
        set(&mut out, FILE_TYPE, recipe.file_type());
    }
    out.extend(write_keys(arch, arch.late_keys, description));
    let mut pooling_warnings = Vec::new();
    out.extend(pooling(arch, model, &mut pooling_warnings)?);
    if as_converter {
        set(&mut out, &version.key, version.value.clone());
    }
    for pair in vocabulary.key_values {
        set(&mut out, &pair.key, pair.value);
    }
    if !as_converter {
        set(&mut out, &version.key, version.value);
        set(&mut out, FILE_TYPE, recipe.file_type());
    }
    let told = apply(&mut out, &options.quantizer.overrides)?;
    if !as_converter {
        request.statistics_origin.iter().for_each(|origin| importance_keys(&mut out, origin));
    }
    if let Some(layers) = layers {
        put_last(&mut out, &format!("{}.block_count", arch.name), layers.into());
    }
    let told_of_the_name = phi3_name::warning(&out).into_iter().collect();
    let warnings = [general.warnings, pooling_warnings, vocabulary.warnings, told.warnings, told_of_the_name].concat();
    Ok(Metadata { key_values: out, warnings, notes: [vocabulary.notes, told.notes].concat() })
}

/// Longest text that the reference puts into a key of its own, in bytes.
const MAX_OVERRIDE: usize = 127;

/// Where the importance weights come from, as llama-quantize records it, but file names without their folders: an output
/// must not depend on where its inputs lie.
pub(super) fn importance_keys(out: &mut Vec<KeyValue>, origin: &StatisticsOrigin) {
    let text = |mut text: String| {
        let end = (0..=MAX_OVERRIDE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    put_last(out, "quantize.imatrix.file", text(origin.files.join(", ")).into());
    if let Some(dataset) = origin.datasets.first() {
        put_last(out, "quantize.imatrix.dataset", text(dataset.clone()).into());
    }
    put_last(out, "quantize.imatrix.entries_count", number(origin.entries).into());
    if origin.chunks > 0 {
        put_last(out, "quantize.imatrix.chunks_count", number(origin.chunks).into());
    }
}

struct Vocabulary {
    key_values: Vec<KeyValue>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

fn vocabulary(model: &Model, options: &Options) -> Result<Vocabulary, Error> {
    let description = model.description();
    let read = |name: &str| model.optional_file(name);
    let (tokenizer_json, tokenizer_model) = (read("tokenizer.json")?, read("tokenizer.model")?);
    let (tokenizer_config, special_tokens_map) = (read("tokenizer_config.json")?, read("special_tokens_map.json")?);
    let sentencepiece_bpe_model = read("sentencepiece.bpe.model")?;
    let (added_tokens, vocab_json) = (read("added_tokens.json")?, read("vocab.json")?);
    let (merges_txt, jinja) = (read("merges.txt")?, read("chat_template.jinja")?);
    let chat_template_json = read("chat_template.json")?;
    let mut additional = Vec::new();
    for path in &description.files {
        let inner = path.strip_prefix("additional_chat_templates/").and_then(|name| name.strip_suffix(".jinja"));
        if let Some(name) = inner {
            additional.push((name, model.file(path)?));
        }
    }
    let inputs = VocabInputs {
        files: TokenizerFiles {
            tokenizer_json: tokenizer_json.as_deref(),
            tokenizer_model: tokenizer_model.as_deref(),
            sentencepiece_bpe_model: sentencepiece_bpe_model.as_deref(),
            tokenizer_config: tokenizer_config.as_deref(),
            special_tokens_map: special_tokens_map.as_deref(),
            added_tokens: added_tokens.as_deref(),
            vocab_json: vocab_json.as_deref(),
            merges_txt: merges_txt.as_deref(),
            chat_template_jinja: jinja.as_deref(),
            chat_template_json: chat_template_json.as_deref(),
            additional_chat_templates: additional.iter().map(|(name, text)| (*name, text.as_slice())).collect(),
        },
        class: &description.architecture,
        config: &description.config,
        vocab_size: Some(u64::from(description.hyperparameters.vocab_size)),
        pre: options.pre.as_deref(),
        encode: &|text, special| model.encode_text(text, special).map_err(|error| error.to_string()),
        decode: &|ids| model.decode_tokens(ids).map_err(|error| error.to_string()),
    };
    let vocab = build(&inputs).map_err(refused)?;
    let notes = vec![source_note(vocab.source), pre_note(&vocab.pre)];
    Ok(Vocabulary { key_values: vocab.key_values, warnings: vocab.warnings, notes })
}

fn refused(error: VocabError) -> Error {
    let kind = match error {
        VocabError::Json { .. }
        | VocabError::Malformed { .. }
        | VocabError::Protobuf { .. }
        | VocabError::TooLarge { .. } => Kind::CorruptInput,
        _ => Kind::UnsupportedModel,
    };
    let hint = match error {
        VocabError::Json { .. } | VocabError::Malformed { .. } | VocabError::Protobuf { .. } => {
            "download the tokenizer files again; they are damaged or incomplete"
        }
        VocabError::TooLarge { .. } => "check where the tokenizer files come from",
        _ => {
            "compare the tokenizer files with those of the published model; --pre NAME fixes the pre-tokenizer by hand"
        }
    };
    Error::new(kind, error.to_string()).hint(hint)
}

fn source_note(source: VocabSource) -> String {
    let files = match source {
        VocabSource::SentencePiece => "a SentencePiece vocabulary from tokenizer.model",
        VocabSource::ByteFallback => "a SentencePiece-like vocabulary from tokenizer.json",
        VocabSource::WordPiece => "a WordPiece vocabulary from tokenizer.json",
        VocabSource::Unigram => "a unigram vocabulary",
        VocabSource::ByteLevel => "a byte-level vocabulary from tokenizer.json",
    };
    format!("the file gets {files}")
}

fn pre_note(pre: &Pre) -> String {
    let how = match &pre.reason {
        PreReason::NotUsed => "SentencePiece and WordPiece vocabularies have none".to_owned(),
        PreReason::Override => "it was given by --pre".to_owned(),
        PreReason::Hash { sha256 } => format!("the probe text's hash {} is known", &sha256[..sha256.len().min(12)]),
        PreReason::Structure { steps } => format!("tokenizer.json has its steps: {}", steps.join(", ")),
    };
    format!("the pre-tokenizer is `{}`: {how}", pre.name)
}
