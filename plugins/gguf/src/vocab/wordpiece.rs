//! WordPiece (BERT) as the `bert` vocabulary.

use crate::value::KeyValue;

use super::byte_level::normalized;
use super::folder::Folder;
use super::inputs::VocabInputs;
use super::pre::{self, Pre};
use super::token::{Kind, Tokens, added};
use super::{VocabError, limits};

/// Lays the tokens out in id order up to the rows of the embedding and writes the lists.
///
/// WordPiece marks pieces inside of words (`##ing`); llama.cpp marks those at their start with U+2581 instead.
pub(super) fn write(
    inputs: &VocabInputs<'_>,
    folder: &Folder<'_>,
    vocab_size: Option<u64>,
    list: &mut Vec<KeyValue>,
    warnings: &mut Vec<String>,
) -> Result<(usize, Pre), VocabError> {
    let model = &folder.tokenizer["model"];
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("##");
    let source = folder.hf_tokens(warnings)?;
    let (largest, text) = source.largest().unwrap_or_default();
    let rows = vocab_size.unwrap_or(largest + 1);
    limits::check("the number of tokens (vocab_size)", rows, limits::TOKENS)?;
    if largest >= rows {
        let vocab_size = usize::try_from(rows).unwrap_or(usize::MAX);
        return Err(VocabError::IdOutOfRange { id: largest, token: text.to_owned(), vocab_size });
    }
    let mut tokens = Tokens::padding(rows, None)?;
    for (text, id) in &source.base {
        tokens.put(*id, text.as_str(), Kind::Normal, 0.0);
    }
    for token in &source.added {
        let special = token.special || source.specials.contains(&token.text);
        let (kind, text) = added(&normalized(token, inputs)?, special);
        tokens.put(token.id, text, kind, 0.0);
    }
    for (text, kind) in tokens.texts.iter_mut().zip(&tokens.kinds) {
        if *kind != Kind::Control {
            mark_starts(text, prefix.as_bytes());
        }
    }
    let pre = pre::by_probe(inputs.encode);
    let count = tokens.len();
    tokens.write("bert", Some(&pre.name), list);
    Ok((count, pre))
}

/// `##ing` to `ing`, `walk` to `▁walk`.
fn mark_starts(text: &mut Vec<u8>, prefix: &[u8]) {
    match text.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() => *text = rest.to_vec(),
        _ => text.splice(0..0, "\u{2581}".bytes()).for_each(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::mark_starts;

    #[test]
    fn starts_of_words_are_marked_and_insides_are_not() {
        let marked = |text: &str, prefix: &str| {
            let mut bytes = text.as_bytes().to_vec();
            mark_starts(&mut bytes, prefix.as_bytes());
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(marked("##ing", "##"), "ing");
        assert_eq!(marked("walk", "##"), "\u{2581}walk");
        assert_eq!(marked("#", "##"), "\u{2581}#");
        assert_eq!(marked("walk", ""), "\u{2581}walk");
    }
}
