//! Finding `tokenizer.ggml.pre`, the name by which llama.cpp picks its splitting expressions.
//!
//! First the user's word, then the converter's hash of a probe text's ids (which names published tokenizers), then the
//! structure of tokenizer.json (which names retrained ones). What none of them knows is an error: a wrong name loads and
//! was measured to double the perplexity.

mod known;
mod names;
mod patterns;
#[cfg(test)]
mod published;
mod rebuild;
mod structure;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::VocabError;
use super::inputs::Encode;

pub use names::NAMES;
pub use rebuild::{Rebuilt, rebuild};

/// How the pre-tokenizer was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PreReason {
    /// SentencePiece and WordPiece vocabularies have none; the converter writes `default`.
    NotUsed,
    /// The user gave it.
    Override,
    /// The hash of the probe text's ids is a known one.
    Hash {
        /// The sha256 in hex.
        sha256: String,
    },
    /// The steps of tokenizer.json are those of this name.
    Structure {
        /// The steps that were compared.
        steps: Vec<String>,
    },
}

/// The pre-tokenizer and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pre {
    /// The value of `tokenizer.ggml.pre`.
    pub name: String,
    /// How it was decided.
    pub reason: PreReason,
}

/// The pre-tokenizer of a SentencePiece vocabulary.
pub(super) fn unused() -> Pre {
    Pre { name: "default".to_owned(), reason: PreReason::NotUsed }
}

/// Decides for a byte-pair vocabulary; `class` settles structures that two names with different side effects share.
pub(super) fn detect(
    wanted: Option<&str>,
    tokenizer: &Json,
    class: &str,
    encode: &Encode<'_>,
    warnings: &mut Vec<String>,
) -> Result<Pre, VocabError> {
    if let Some(name) = wanted {
        if !NAMES.contains(&name) {
            return Err(VocabError::InvalidPre { name: name.to_owned(), names: NAMES.join(", ") });
        }
        if let Some(found) = hash(encode).ok().and_then(|sha256| by_hash(&sha256)).filter(|found| *found != name) {
            warnings.push(format!("--pre {name} overrides {found}, which the tokenizer's hash names"));
        }
        return Ok(Pre { name: name.to_owned(), reason: PreReason::Override });
    }
    let hash = hash(encode);
    if let Some((sha256, name)) = hash.as_ref().ok().and_then(|sha256| Some((sha256, by_hash(sha256)?))) {
        return Ok(Pre { name: name.to_owned(), reason: PreReason::Hash { sha256: sha256.clone() } });
    }
    let steps = structure::steps(&tokenizer["pre_tokenizer"]);
    match by_structure(&steps, class) {
        Some(name) => Ok(Pre { name: name.to_owned(), reason: PreReason::Structure { steps } }),
        None => Err(VocabError::UnknownPre {
            hash: hash.unwrap_or_else(|error| format!("absent: {error}")),
            seen: if steps.is_empty() { "no pre_tokenizer".to_owned() } else { steps.join(" then ") },
            names: NAMES.join(", "),
        }),
    }
}

/// The name by the hash alone, for vocabularies whose splitting llama.cpp fixes (WordPiece): it reads the name and makes
/// no use of it, so that an unknown tokenizer needs none.
pub(super) fn by_probe(encode: &Encode<'_>) -> Pre {
    let sha256 = hash(encode).unwrap_or_default();
    match known::KNOWN.iter().find(|(known, _)| *known == sha256) {
        Some((_, name)) => Pre { name: (*name).to_owned(), reason: PreReason::Hash { sha256 } },
        None => unused(),
    }
}

/// sha256 of the probe text's ids as Python prints a list, special tokens included: that is what the table holds.
fn hash(encode: &Encode<'_>) -> Result<String, String> {
    let ids = encode(known::PROBE_TEXT, true)?;
    let list = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    Ok(Sha256::digest(format!("[{list}]")).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn by_hash(sha256: &str) -> Option<&'static str> {
    let name = known::KNOWN.iter().find(|(known, _)| *known == sha256).map(|(_, name)| *name)?;
    NAMES.contains(&name).then_some(name)
}

fn by_structure(steps: &[String], class: &str) -> Option<&'static str> {
    let name = patterns::PATTERNS.iter().find(|pattern| pattern.steps == steps).map(|pattern| pattern.name)?;
    // GLM 4 splits like Llama 3 but starts without the BOS token that `llama-bpe` implies.
    Some(if name == "llama-bpe" && class.starts_with("Glm") { "glm4" } else { name })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokenizer(regex: &str) -> Json {
        let split = json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
        json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes]}})
    }

    const LLAMA: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    fn no_ids(_: &str, _: bool) -> Result<Vec<u32>, String> {
        Ok(vec![1])
    }

    fn found(tokenizer: &Json, class: &str) -> Result<Pre, VocabError> {
        detect(None, tokenizer, class, &no_ids, &mut Vec::new())
    }

    #[test]
    fn every_pattern_and_every_hash_that_can_win_has_a_loadable_name() {
        assert!(patterns::PATTERNS.iter().all(|pattern| NAMES.contains(&pattern.name)));
        let wordpiece = ["bert-bge-large", "jina-v2-en"];
        let strange: Vec<_> = known::KNOWN.iter().filter(|(_, name)| !NAMES.contains(name)).collect();
        assert!(strange.iter().all(|(_, name)| wordpiece.contains(name)), "{strange:?}");
        assert!(known::KNOWN.iter().all(|(hash, _)| hash.len() == 64));
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn no_two_patterns_are_equal() {
        for (index, pattern) in patterns::PATTERNS.iter().enumerate() {
            assert!(patterns::PATTERNS[..index].iter().all(|other| other.steps != pattern.steps), "{}", pattern.name);
        }
    }

    #[test]
    fn a_retrained_llama_3_tokenizer_is_named_by_its_structure() {
        assert_eq!(found(&tokenizer(LLAMA), "LlamaForCausalLM").unwrap().name, "llama-bpe");
        assert_eq!(found(&tokenizer(LLAMA), "Glm4ForCausalLM").unwrap().name, "glm4");
        let qwen = LLAMA.replace("{1,3}", "");
        assert_eq!(found(&tokenizer(&qwen), "Qwen2ForCausalLM").unwrap().name, "qwen2");
    }

    #[test]
    fn an_unknown_structure_is_an_error_that_shows_it_and_lists_the_names() {
        let message = found(&tokenizer(r"\w+"), "LlamaForCausalLM").unwrap_err().to_string();
        for part in [r"split \w+ then bytes", "--pre NAME", "qwen2"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn an_override_wins_and_must_be_a_known_name() {
        let mut warnings = Vec::new();
        let pre = detect(Some("mpt"), &tokenizer(LLAMA), "", &no_ids, &mut warnings).unwrap();
        assert_eq!(pre, Pre { name: "mpt".to_owned(), reason: PreReason::Override });
        let error = detect(Some("gpt2"), &tokenizer(LLAMA), "", &no_ids, &mut warnings).unwrap_err();
        assert!(error.to_string().contains("gpt-2"), "{error}");
    }
}
