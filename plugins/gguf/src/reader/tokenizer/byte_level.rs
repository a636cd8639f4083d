//! Byte-level BPE: tokens and merges are stored as tokenizer.json has them.

use super::frame::Parts;
use super::words::Words;
use crate::container::Header;
use crate::value::{Array, Value};
use crate::vocab::RebuiltPre;
use serde_json::{Value as Json, json};

/// The merges, every piece of which is a token. A space inside a piece is written as the letter that a byte-level
/// vocabulary has for it anyway.
pub(super) fn merges(header: &Header, words: &Words<'_>) -> Result<Vec<Json>, String> {
    let Some(Value::Array(Array::String(merges))) = header.get("tokenizer.ggml.merges") else {
        return Err("the file has no list of merges".to_owned());
    };
    let one = |(number, merge): (usize, &Vec<u8>)| {
        let pieces = std::str::from_utf8(merge).ok().and_then(|text| text.split_once(' '));
        let (left, right) = pieces.ok_or_else(|| format!("merge {number} is not two pieces with a space between"))?;
        let made = [left, right].concat();
        match [left, right, &made].into_iter().find(|piece| !words.ids.contains_key(*piece)) {
            Some(absent) => Err(format!("merge {number} speaks of `{absent}`, which is no token")),
            None => Ok(json!([left, right])),
        }
    };
    merges.iter().enumerate().map(one).collect()
}

/// What is special about such a tokenizer.
pub(super) fn parts(header: &Header, words: &Words<'_>, pre: RebuiltPre) -> Result<Parts, String> {
    Ok(Parts {
        normalizer: pre.normalizer,
        pre_tokenizer: pre.pre_tokenizer,
        decoder: json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}),
        first_processor: Some(
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}),
        ),
        unknown: Json::Null,
        byte_fallback: false,
        ignore_merges: pre.ignore_merges,
        merges: merges(header, words)?,
    })
}
