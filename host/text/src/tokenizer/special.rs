//! Special tokens: their names in tokenizer_config.json, and what the tokenizer puts around a text.

use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

/// The names that transformers gives a template.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The named special tokens of tokenizer_config.json, each a string or an object with `content`.
pub fn named(config: &Value) -> Vec<(String, String)> {
    let token = |name: &&str| {
        let value = config.get(*name)?;
        let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
        Some((name.to_string(), text.to_owned()))
    };
    NAMES.iter().filter_map(token).collect()
}

/// Adds named special tokens that the vocabulary lacks, as transformers does.
pub fn add_missing(tokenizer: &mut Tokenizer, named: &[(String, String)]) {
    let mut missing: Vec<AddedToken> = Vec::new();
    for (_, text) in named {
        if tokenizer.token_to_id(text).is_none() && !text.is_empty() && !missing.iter().any(|t| t.content == *text) {
            missing.push(AddedToken::from(text.as_str(), true));
        }
    }
    tokenizer.add_special_tokens(&missing);
}

/// What the tokenizer puts before and behind a text, found by encoding one with and without special tokens.
pub fn around(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>), String> {
    // One of these has tokens in every vocabulary that is of use.
    for probe in ["a", "the", "1", "."] {
        let encode = |special| tokenizer.encode(probe, special).map_err(|error| error.to_string());
        let (plain, full) = (encode(false)?, encode(true)?);
        let (plain, full) = (plain.get_ids(), full.get_ids());
        if plain.is_empty() {
            continue;
        }
        let at = full.windows(plain.len()).position(|w| w == plain);
        let at = at.ok_or("its special tokens stand inside the text, and not around it")?;
        return Ok((full[..at].to_vec(), full[at + plain.len()..].to_vec()));
    }
    Err("it makes no tokens of letters and digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_in_both_spellings() {
        let config = json!({"eos_token": {"content": "</s>", "lstrip": false}, "bos_token": "<s>", "pad_token": null});
        let expected = [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(n, t)| (n.to_owned(), t.to_owned()));
        assert_eq!(named(&config), expected);
    }
}
