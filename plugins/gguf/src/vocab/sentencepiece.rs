//! The pieces of a SentencePiece `tokenizer.model`.

use super::protobuf::{Field, Fields};
use super::token::Kind;
use super::{VocabError, limits};

/// One vocabulary entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a [u8],
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// The part of a SentencePiece model that GGUF keeps.
#[derive(Debug)]
pub(super) struct SentencePiece<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// `trainer_spec.model_type == UNIGRAM`, which is also the format's default.
    pub(super) unigram: bool,
    /// `normalizer_spec.add_dummy_prefix`.
    pub(super) space_in_front: bool,
    /// `normalizer_spec.remove_extra_whitespaces`.
    pub(super) one_space: bool,
    /// `normalizer_spec.precompiled_charsmap`; empty if there is none.
    pub(super) characters: &'a [u8],
}

/// Reads `ModelProto`: field 1 is a piece (1 text, 2 score, 3 type), field 2 the trainer's
/// settings (3 model type), field 3 the normalizer's (2 character map, 3 space in front, 4 runs of spaces become one).
pub(super) fn parse(bytes: &[u8]) -> Result<SentencePiece<'_>, VocabError> {
    limits::check("tokenizer.model", bytes.len() as u64, limits::FILE_BYTES)?;
    let mut model =
        SentencePiece { pieces: Vec::new(), unigram: true, space_in_front: true, one_space: true, characters: &[] };
    for field in Fields::new(bytes, 0) {
        match field? {
            (1, Field::Bytes(message, at)) => {
                limits::check(
                    "the number of pieces in tokenizer.model",
                    model.pieces.len() as u64 + 1,
                    limits::TOKENS,
                )?;
                model.pieces.push(piece(message, at)?);
            }
            (2, Field::Bytes(message, at)) => {
                for field in Fields::new(message, at) {
                    if let (3, Field::Varint(kind)) = field? {
                        model.unigram = kind == 1;
                    }
                }
            }
            (3, Field::Bytes(message, at)) => {
                for field in Fields::new(message, at) {
                    match field? {
                        (2, Field::Bytes(map, _)) => model.characters = map,
                        (3, Field::Varint(flag)) => model.space_in_front = flag != 0,
                        (4, Field::Varint(flag)) => model.one_space = flag != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if model.pieces.is_empty() {
        return Err(VocabError::Malformed { file: "tokenizer.model", reason: "it holds no piece".to_owned() });
    }
    Ok(model)
}

fn piece(message: &[u8], at: usize) -> Result<Piece<'_>, VocabError> {
    let mut piece = Piece { text: b"", score: 0.0, kind: Kind::Normal };
    for field in Fields::new(message, at) {
        match field? {
            (1, Field::Bytes(text, _)) => piece.text = text,
            (2, Field::Fixed32(bits)) => piece.score = f32::from_bits(bits),
            (3, Field::Varint(kind)) => {
                piece.kind = match kind {
                    2 => Kind::Unknown,
                    3 => Kind::Control,
                    5 => Kind::Unused,
                    6 => Kind::Byte,
                    // The converter stores a user-defined piece (4) as a normal one; the added-token files mark it.
                    _ => Kind::Normal,
                }
            }
            _ => {}
        }
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_piece_keeps_text_score_and_type() {
        let bytes = [0x0a, 11, 0x0a, 2, b'h', b'i', 0x15, 0, 0, 0x80, 0xbf, 0x18, 6, 0x12, 2, 0x18, 2];
        let model = parse(&bytes).unwrap();
        assert_eq!(model.pieces, [Piece { text: b"hi", score: -1.0, kind: Kind::Byte }]);
        assert!(!model.unigram);
    }

    #[test]
    fn a_file_without_pieces_is_refused() {
        assert!(matches!(parse(b""), Err(VocabError::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(model) = parse(&bytes) {
                prop_assert!(model.pieces.len() <= bytes.len());
            }
        }
    }
}
