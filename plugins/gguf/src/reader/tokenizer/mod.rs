//! tokenizer.json and tokenizer_config.json rebuilt from the vocabulary of a GGUF file.
//!
//! | where | what |
//! |---|---|
//! | `words` | the token lists, checked |
//! | `byte_level` | `gpt2` vocabularies: byte-level BPE, split as `tokenizer.ggml.pre` says |
//! | `pieces` | `llama` vocabularies: SentencePiece's byte-pair models, merges from scores |
//! | `frame` | added tokens, what stands around a text, the whole document |
//! | `settings` | tokenizer_config.json: special tokens and chat templates |
//!
//! Deliberately absent: WordPiece and unigram vocabularies, and byte-level ones whose splitting is not in the table of
//! patterns. A tokenizer that splits otherwise than the model's would be worse than none.

mod byte_level;
mod frame;
mod pieces;
mod settings;
mod words;

use crate::container::Header;
use crate::vocab::{RebuiltPre, rebuilt_pre};
use frame::Frame;
use serde_json::Value as Json;
use words::Words;

/// Names of the files.
pub const FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// A vocabulary that can be rebuilt.
enum Kind {
    ByteLevel(RebuiltPre),
    Pieces,
}

/// Why the files of [`FILES`] cannot be rebuilt, if they cannot: everything that could go wrong is tried, but cheaply.
pub fn problem(header: &Header) -> Option<String> {
    let kind = match kind(header) {
        Ok(kind) => kind,
        Err(problem) => return Some(problem),
    };
    match Words::read(header) {
        Err(problem) => Some(problem),
        Ok(words) => match kind {
            Kind::ByteLevel(_) => byte_level::merges(header, &words).err(),
            Kind::Pieces => words.scores.is_none().then(|| "its tokens have no scores".to_owned()),
        },
    }
}

/// One of [`FILES`], as bytes.
pub fn file(header: &Header, name: &str) -> Result<Vec<u8>, String> {
    let words = Words::read(header)?;
    let json = match name {
        "tokenizer_config.json" => settings::settings(header, &words),
        _ => tokenizer(header, &words)?,
    };
    Ok(format!("{json:#}\n").into_bytes())
}

fn tokenizer(header: &Header, words: &Words<'_>) -> Result<Json, String> {
    match kind(header)? {
        Kind::ByteLevel(pre) => {
            let frame = Frame::read(header, words, pre.adds_bos);
            Ok(frame.document(words, byte_level::parts(header, words, pre)?))
        }
        Kind::Pieces => {
            let frame = Frame::read(header, words, true);
            Ok(frame.document(words, pieces::parts(header, words)?))
        }
    }
}

fn kind(header: &Header) -> Result<Kind, String> {
    match header.text("tokenizer.ggml.model") {
        Some("llama") => Ok(Kind::Pieces),
        Some("gpt2") => {
            let pre = header.text("tokenizer.ggml.pre").unwrap_or("default");
            let unknown = || format!("how the pre-tokenizer `{pre}` splits text is not known here");
            rebuilt_pre(pre).map(Kind::ByteLevel).ok_or_else(unknown)
        }
        Some(other) => Err(format!("vocabularies of the kind `{other}` are not rebuilt")),
        None => Err("the file has no vocabulary".to_owned()),
    }
}
