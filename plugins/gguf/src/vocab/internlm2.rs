//! What InternLM 2's class changes in a SentencePiece vocabulary, as the reference converter does.

use super::VocabError;
use super::folder::Folder;
use super::sentencepiece::Piece;
use super::token::Kind;

/// Ends a turn of the chat models; where it exists, it is the end of the text as well.
const CHAT_END: &str = "<|im_end|>";
/// Stands for the token of the one byte 0, which llama.cpp would read as an empty text.
const NUL: &str = "🐉";

/// Text and kind of a piece.
pub(super) fn piece<'a>(piece: &Piece<'a>) -> (&'a [u8], Kind) {
    let text = if piece.text == b"\0" { NUL.as_bytes() } else { piece.text };
    (text, if piece.text.starts_with(b"[UNUSED") { Kind::Unused } else { piece.kind })
}

/// The id of the token that ends a turn; tokenizer.json's word counts more.
pub(super) fn chat_end(folder: &Folder<'_>) -> Result<Option<i64>, VocabError> {
    let added = folder.tokenizer["added_tokens"].as_array().into_iter().flatten();
    let listed =
        added.filter(|entry| entry["content"] == CHAT_END).filter_map(|entry| entry["id"].as_i64()).next_back();
    let decoder = folder.added_tokens_decoder()?;
    let configured =
        decoder.iter().filter(|(_, text, _)| *text == CHAT_END).map(|(id, ..)| i64::try_from(*id)).next_back();
    Ok(listed.or(configured.and_then(Result::ok)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_zero_and_unused_pieces_are_marked() {
        let of = |text: &'static [u8]| piece(&Piece { text, score: 0.0, kind: Kind::Normal });
        assert_eq!(of(b"\0"), ("🐉".as_bytes(), Kind::Normal));
        assert_eq!(of(b"[UNUSED_TOKEN_7]"), (&b"[UNUSED_TOKEN_7]"[..], Kind::Unused));
        assert_eq!(of(b"a"), (&b"a"[..], Kind::Normal));
    }
}
