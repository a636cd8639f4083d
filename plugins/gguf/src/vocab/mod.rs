//! The vocabulary of a GGUF file, made from the tokenizer files of a Hugging Face folder.
//!
//! Pure: bytes and JSON in, ordered `tokenizer.*` keys out, in the order and with the values of llama.cpp's converter.
//! Where that one is known to be wrong (scores of a tokenizer.json without tokenizer.model, an unknown pre-tokenizer) the
//! module says in its documentation what it does instead.

mod base64;
mod byte_fallback;
mod byte_level;
mod chat_template;
mod error;
mod folder;
mod hf_tokens;
mod inputs;
mod internlm2;
mod limits;
mod merges;
mod post_processor;
mod pre;
mod protobuf;
mod route;
mod sentencepiece;
mod special;
mod spm;
mod token;
mod unigram;
mod wordpiece;

use crate::value::{KeyValue, set};
use serde_json::Value as Json;

pub use byte_fallback::Scores;
pub use error::VocabError;
pub use inputs::{Decode, Encode, TokenizerFiles, VocabInputs};
pub use pre::{NAMES as PRE_NAMES, Pre, PreReason, Rebuilt as RebuiltPre, rebuild as rebuilt_pre};

use folder::Folder;
use route::{Extra, Known, Route, SpacePrefix};
use special::Special;
use spm::AddedStyle;

/// The key that counts segment embeddings.
const TYPE_COUNT: &str = "tokenizer.ggml.token_type_count";

/// Where the tokens came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabSource {
    /// `tokenizer.model`.
    SentencePiece,
    /// tokenizer.json with byte-fallback tokens.
    ByteFallback,
    /// tokenizer.json (or vocab.json) with byte-level tokens.
    ByteLevel,
    /// tokenizer.json with WordPiece.
    WordPiece,
    /// tokenizer.json or sentencepiece.bpe.model with a unigram model.
    Unigram,
}

/// A finished vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocab {
    /// The `tokenizer.*` lines in file order; apply them with [`set`] after the architecture's own keys.
    pub key_values: Vec<KeyValue>,
    /// Sentences about what was left out or corrected.
    pub warnings: Vec<String>,
    /// The pre-tokenizer and how it was decided.
    pub pre: Pre,
    /// Where the tokens came from.
    pub source: VocabSource,
}

/// Builds the vocabulary of a model folder.
pub fn build(inputs: &VocabInputs<'_>) -> Result<Vocab, VocabError> {
    build_with(inputs, Scores::default())
}

/// [`build`] with a choice of scores for a byte-fallback tokenizer.json; other sources have scores of their own.
pub fn build_with(inputs: &VocabInputs<'_>, scores: Scores) -> Result<Vocab, VocabError> {
    let mut warnings = Vec::new();
    let folder = Folder::parse(inputs)?;
    let route = route(inputs, &folder, &mut warnings)?;
    let rows = inputs.vocab_size.map(|size| size.checked_next_multiple_of(route.rows_multiple).unwrap_or(size));
    let source = source(inputs, &folder, &route)?;

    let mut list = Vec::new();
    if route.space_prefix == SpacePrefix::ConfiguredFirst {
        configured_space_prefix(&folder, &mut list);
    }
    let type_count = (route.extra == Extra::Encoder).then(|| segments(inputs.config));
    let (count, pre) = match (source, inputs.files.tokenizer_model) {
        (VocabSource::SentencePiece, Some(bytes)) => {
            (spm::write(&folder, bytes, rows, route.style, &mut list, &mut warnings)?, pre::unused())
        }
        (VocabSource::ByteFallback, _) => {
            (byte_fallback::write(&folder, rows, scores, &mut list, &mut warnings)?, pre::unused())
        }
        (VocabSource::WordPiece, _) => {
            if let Some(count) = type_count {
                set(&mut list, TYPE_COUNT, count);
            }
            wordpiece::write(inputs, &folder, rows, &mut list, &mut warnings)?
        }
        (VocabSource::Unigram, _) => {
            (unigram::write(&folder, rows, type_count, &mut list, &mut warnings)?, pre::unused())
        }
        _ => byte_level::write(inputs, &folder, rows, &mut list, &mut warnings)?,
    };
    if inputs.pre.is_some() && pre.reason == PreReason::NotUsed {
        warnings.push("--pre is ignored: SentencePiece and WordPiece vocabularies have no pre-tokenizer".to_owned());
    }

    let byte_level = source == VocabSource::ByteLevel;
    let mut special = Special::read(&folder, special::ROLES, count, byte_level, &mut warnings)?;
    for (role, text) in route.roles {
        match added_id(&folder, text) {
            Some(id) => special.offer(role, id, count, &mut warnings),
            None => warnings.push(format!("no added token {text:?} for the role {role}; left out")),
        }
    }
    if route.style == AddedStyle::InternLm2
        && let Some(id) = internlm2::chat_end(&folder)?
    {
        special.replace("eos", id, count, &mut warnings);
    }
    special.write(&mut list);
    extras(&route, inputs, &folder, count, &mut list, &mut warnings)?;
    warnings.dedup();
    Ok(Vocab { key_values: list, warnings, pre, source })
}

fn route(inputs: &VocabInputs<'_>, folder: &Folder<'_>, warnings: &mut Vec<String>) -> Result<Route, VocabError> {
    let route = match route::of(inputs.class) {
        Known::Route(route) => route,
        Known::Unsupported(reason) => {
            return Err(VocabError::Unsupported { class: inputs.class.to_owned(), reason });
        }
        Known::Unlisted(route) => {
            warnings.push(format!("{} is in no list of tokenizers; its files decide", inputs.class));
            route
        }
    };
    // Phi 4 shares Phi 3's class and says by its tokenizer's class that it is byte-level.
    let gpt2 = route.style == AddedStyle::Phi3 && folder.tokenizer_config["tokenizer_class"] == "GPT2Tokenizer";
    Ok(Route { sentencepiece_first: route.sentencepiece_first && !gpt2, ..route })
}

/// The number of segment embeddings; 2 is what `transformers` assumes where config.json is silent.
fn segments(config: &Json) -> u32 {
    config["type_vocab_size"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(2)
}

fn source(inputs: &VocabInputs<'_>, folder: &Folder<'_>, route: &Route) -> Result<VocabSource, VocabError> {
    let piece = inputs.files.tokenizer_model.is_some().then_some(VocabSource::SentencePiece);
    let fallback = folder.has_byte_fallback().then_some(VocabSource::ByteFallback);
    let level = folder.has_byte_level().then_some(VocabSource::ByteLevel);
    let word = folder.has_wordpiece().then_some(VocabSource::WordPiece);
    let unigram = folder.has_unigram() || inputs.files.sentencepiece_bpe_model.is_some();
    let unigram = unigram.then_some(VocabSource::Unigram);
    let json = fallback.or(word).or(unigram).or(level);
    let chosen = if route.sentencepiece_first { piece.or(json) } else { json.or(piece) };
    chosen.ok_or_else(|| VocabError::Missing {
        class: inputs.class.to_owned(),
        wanted: "tokenizer.json, tokenizer.model or vocab.json with merges.txt",
    })
}

fn configured_space_prefix(folder: &Folder<'_>, list: &mut Vec<KeyValue>) {
    if let Some(prefix) = folder.tokenizer_config["add_prefix_space"].as_bool() {
        set(list, "tokenizer.ggml.add_space_prefix", prefix);
    }
}

fn added_id(folder: &Folder<'_>, text: &str) -> Option<i64> {
    let added = folder.tokenizer["added_tokens"].as_array()?;
    added.iter().find(|entry| entry["content"] == text)?["id"].as_i64()
}

/// The keys that single classes write behind the usual ones.
fn extras(
    route: &Route,
    inputs: &VocabInputs<'_>,
    folder: &Folder<'_>,
    count: usize,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<(), VocabError> {
    /// Rows of the embedding of CodeLlama and of the small Granite models.
    const CODE_LLAMA_ROWS: u64 = 32016;
    const GRANITE_ROWS: u64 = 49152;
    match route.extra {
        Extra::None => {}
        Extra::Llama if inputs.vocab_size == Some(CODE_LLAMA_ROWS) => {
            let roles = ["prefix", "suffix", "middle", "eot"];
            let mut special = Special::read(folder, &roles, count, false, warnings)?;
            special.offer("eot", 32010, count, warnings);
            special.write(list);
        }
        Extra::Llama if inputs.vocab_size == Some(GRANITE_ROWS) => set(list, "tokenizer.ggml.add_bos_token", false),
        Extra::Llama => {}
        Extra::Gemma => {
            let roles = ["prefix", "suffix", "middle", "fsep", "eot"];
            let mut special = Special::read(folder, &roles, count, false, warnings)?.without_template();
            special.offer("eot", 107, count, warnings);
            special.write(list);
        }
        Extra::Nemotron => {
            set(list, "tokenizer.ggml.padding_token_id", 0_u32);
            set(list, "tokenizer.ggml.unknown_token_id", 1_u32);
        }
        Extra::Encoder => {}
        Extra::Llada => set(list, "tokenizer.ggml.add_bos_token", true),
    }
    match route.space_prefix {
        SpacePrefix::ConfiguredLast => configured_space_prefix(folder, list),
        // Byte-level vocabularies have no such prefix; the converter leaves the key out for them as well.
        SpacePrefix::Never if inputs.files.tokenizer_model.is_some() || folder.has_byte_fallback() => {
            set(list, "tokenizer.ggml.add_space_prefix", false);
        }
        _ => {}
    }
    Ok(())
}
