//! One token as GGUF stores it: its bytes, its kind, its score.

use crate::value::{KeyValue, set};

use super::{VocabError, limits};

/// The kinds of `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// The three parallel lists of a vocabulary, in id order.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    pub(super) texts: Vec<Vec<u8>>,
    pub(super) kinds: Vec<Kind>,
    /// Empty where the vocabulary has no scores (byte-level BPE).
    pub(super) scores: Vec<f32>,
}

impl Tokens {
    /// `count` tokens `[PAD{i}]` of kind unused; the embedding may have more rows than the tokenizer has tokens.
    pub(super) fn padding(count: u64, score: Option<f32>) -> Result<Self, VocabError> {
        limits::check("the number of tokens (vocab_size)", count, limits::TOKENS)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Self {
            texts: (0..count).map(|id| format!("[PAD{id}]").into_bytes()).collect(),
            kinds: vec![Kind::Unused; count],
            scores: score.map_or_else(Vec::new, |score| vec![score; count]),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Replaces token `id`; `false` if there is no such row.
    pub(super) fn put(&mut self, id: u64, text: impl Into<Vec<u8>>, kind: Kind, score: f32) -> bool {
        let Some(id) = usize::try_from(id).ok().filter(|id| *id < self.texts.len()) else { return false };
        self.texts[id] = text.into();
        self.kinds[id] = kind;
        if let Some(slot) = self.scores.get_mut(id) {
            *slot = score;
        }
        true
    }

    /// Writes model, pre-tokenizer, tokens, scores and kinds.
    pub(super) fn write(self, model: &str, pre: Option<&str>, list: &mut Vec<KeyValue>) {
        set(list, "tokenizer.ggml.model", model);
        if let Some(pre) = pre {
            set(list, "tokenizer.ggml.pre", pre);
        }
        set(list, "tokenizer.ggml.tokens", self.texts);
        if !self.scores.is_empty() {
            set(list, "tokenizer.ggml.scores", self.scores);
        }
        set(list, "tokenizer.ggml.token_type", self.kinds.into_iter().map(|kind| kind as i32).collect::<Vec<_>>());
    }
}

/// Whether an added token is one in all but its flag: several published tokenizers (command-r, deepseek-coder, gemma)
/// forget to mark theirs special.
pub(super) fn looks_special(text: &str) -> bool {
    let framed = |start: &str, end: &str| text.starts_with(start) && text.ends_with(end);
    matches!(text, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || framed("<|", "|>")
        || framed("<｜", "｜>")
        || framed("<unused", ">")
}

/// `<0x00>` to `<0xFF>`.
pub(super) fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Kind and stored text of an added token; llama.cpp expects user-defined ones with real spaces.
pub(super) fn added(text: &str, special: bool) -> (Kind, String) {
    if special || looks_special(text) {
        (Kind::Control, text.to_owned())
    } else {
        (Kind::UserDefined, text.replace('\u{2581}', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_control_tokens_are_found_and_plain_ones_left() {
        for text in ["<pad>", "<|im_end|>", "<｜begin▁of▁sentence｜>", "<unused12>", "[@BOS@]"] {
            assert!(looks_special(text), "{text}");
        }
        for text in ["<s>", "<|open", "unused>", "▁▁"] {
            assert!(!looks_special(text), "{text}");
        }
        assert_eq!(added("▁▁", false), (Kind::UserDefined, "  ".to_owned()));
    }

    #[test]
    fn byte_tokens_are_told_from_look_alikes() {
        assert!(is_byte("<0x0A>") && is_byte("<0xff>"));
        assert!(!is_byte("<0x0AB>") && !is_byte("<0xG0>") && !is_byte("0x0A"));
    }

    #[test]
    fn an_absurd_vocabulary_is_refused_before_it_is_allocated() {
        assert!(matches!(Tokens::padding(u64::MAX, None), Err(VocabError::TooLarge { .. })));
    }
}
