//! The smallest tokenizer that a real backend accepts: byte-level BPE with all 256 bytes and a few merges.

use serde_json::{Map, Value, json};
use std::str::FromStr;

const END: &str = "<|endoftext|>";

/// Side files and the number of tokens.
pub fn files() -> (Vec<(String, Vec<u8>)>, u32) {
    let mut vocab: Vec<String> = alphabet().into_iter().map(String::from).collect();
    let merges = ["Ġ t", "h e", "Ġt he", "i n", "e r", "o n", "Ġ a"];
    vocab.extend(merges.iter().map(|pair| pair.replace(' ', "")));
    let end = vocab.len();
    let numbered = vocab.into_iter().enumerate().map(|(id, token)| (token, id.into()));
    let vocab: Map<String, Value> = numbered.collect();
    let byte_level = |prefix: bool| json!({ "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true });
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{ "id": end, "content": END, "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true }],
        "normalizer": null,
        "pre_tokenizer": byte_level(false),
        "post_processor": byte_level(true),
        "decoder": byte_level(true),
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                   "vocab": vocab, "merges": merges },
    });
    let config = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END,
                         "model_max_length": 256, "clean_up_tokenization_spaces": false });
    let text = |value: Value| value.to_string().into_bytes();
    let files = vec![("tokenizer.json".into(), text(tokenizer)), ("tokenizer_config.json".into(), text(config))];
    (files, end as u32 + 1)
}

/// The tokenizer behind the files.
pub fn build(files: &[(String, Vec<u8>)]) -> Option<tokenizers::Tokenizer> {
    let (_, bytes) = files.iter().find(|(name, _)| name == "tokenizer.json")?;
    tokenizers::Tokenizer::from_str(std::str::from_utf8(bytes).ok()?).ok()
}

/// The printable characters that stand for the 256 bytes, in the order of their code points: printable Latin-1 stands
/// for itself, the other bytes take the characters from U+0100 on.
fn alphabet() -> Vec<char> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let own = (0..256).filter(|b| printable(*b));
    let borrowed = (0..256).filter(|b| !printable(*b)).enumerate().map(|(i, _)| 256 + i as u32);
    own.chain(borrowed).filter_map(char::from_u32).collect()
}
