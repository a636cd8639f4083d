//! From a name of `tokenizer.ggml.pre` back to the pre-tokenizer of tokenizer.json.
//!
//! Only names whose steps are in the table of patterns, and names that llama.cpp splits by the same expressions. What else
//! a published tokenizer does in front (composing characters) is no part of a GGUF file; it is restored for the families
//! whose tokenizers are known to do it.

use super::patterns::PATTERNS;
use serde_json::{Value as Json, json};

/// Names that split as another one does, in llama.cpp's own list (MIT, commit 0c1e57098).
const ALIKE: &[(&str, &[&str])] = &[
    ("gpt-2", &["mpt", "olmo", "jais", "phi-2"]),
    ("llama-bpe", &["llama3", "llama-v3", "falcon3", "pixtral", "smaug-bpe", "dbrx", "glm4"]),
    ("qwen2", &["stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan", "grok-2"]),
    ("starcoder", &["refact", "smollm", "command-r", "codeshell"]),
    ("deepseek-v3", &["hunyuan-dense", "joyai-llm"]),
    ("gpt-4o", &["llama4", "minimax-m2"]),
    ("bloom", &["poro-chat", "gpt3-finnish"]),
];

/// Names whose published tokenizers compose characters (NFC) before they split.
const COMPOSING: &[&str] = &["qwen2", "qwen35", "deepseek-r1-qwen", "megrez", "olmo", "stablelm2", "command-r"];
/// Names for which llama.cpp takes a word that is a token as it is, without merging.
const WHOLE_WORDS: &[&str] = &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "tekken"];
/// Names for which llama.cpp puts the beginning-of-text token in front unless the file says otherwise.
const BEGINNING: &[&str] = &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"];

/// What a name says about a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    /// The `pre_tokenizer` of tokenizer.json.
    pub pre_tokenizer: Json,
    /// Its `normalizer`.
    pub normalizer: Json,
    /// `ignore_merges` of the model.
    pub ignore_merges: bool,
    /// Whether a beginning-of-text token is added where the file is silent.
    pub adds_bos: bool,
}

/// What a name means; `None` if its steps are not known.
pub fn rebuild(name: &str) -> Option<Rebuilt> {
    let alike = ALIKE.iter().find(|(_, others)| others.contains(&name)).map_or(name, |(first, _)| first);
    let steps = PATTERNS.iter().find(|pattern| pattern.name == alike)?.steps;
    Some(Rebuilt {
        pre_tokenizer: written(steps)?,
        normalizer: if COMPOSING.contains(&name) { json!({"type": "NFC"}) } else { Json::Null },
        ignore_merges: WHOLE_WORDS.contains(&name),
        adds_bos: BEGINNING.contains(&name),
    })
}

/// Steps in the spelling of [`super::structure::steps`] as tokenizer.json has them.
pub(super) fn written(steps: &[&str]) -> Option<Json> {
    let bytes =
        |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let one = |step: &&str| {
        Some(match *step {
            "bytes" => bytes(false),
            "bytes(gpt-2)" => bytes(true),
            "digits(each)" => json!({"type": "Digits", "individual_digits": true}),
            "digits(together)" => json!({"type": "Digits", "individual_digits": false}),
            "punctuation(contiguous)" => json!({"type": "Punctuation", "behavior": "Contiguous"}),
            step => {
                let regex = step.strip_prefix("split ")?;
                json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false})
            }
        })
    };
    let steps: Option<Vec<Json>> = steps.iter().map(one).collect();
    Some(json!({"type": "Sequence", "pretokenizers": steps?}))
}

#[cfg(test)]
mod tests {
    use super::super::{NAMES, by_structure, structure};
    use super::*;

    #[test]
    fn every_pattern_is_written_and_read_back_as_itself() {
        for pattern in PATTERNS {
            let json = written(pattern.steps).unwrap_or_else(|| panic!("{}", pattern.name));
            assert_eq!(structure::steps(&json), pattern.steps, "{}", pattern.name);
            let found = by_structure(&structure::steps(&json), "").unwrap();
            assert_eq!(found, pattern.name);
        }
    }

    #[test]
    fn names_that_split_alike_exist_and_have_no_pattern_of_their_own() {
        let all =
            ALIKE.iter().flat_map(|(_, others)| others.iter()).chain(COMPOSING).chain(WHOLE_WORDS).chain(BEGINNING);
        for name in all {
            assert!(NAMES.contains(name), "{name}");
            assert!(rebuild(name).is_some(), "{name}");
        }
        for (first, others) in ALIKE {
            assert!(PATTERNS.iter().any(|pattern| pattern.name == *first));
            assert!(others.iter().all(|name| !PATTERNS.iter().any(|pattern| pattern.name == *name)), "{first}");
        }
        assert_eq!(rebuild("unheard-of"), None);
        assert_eq!(rebuild("default"), None);
    }
}
