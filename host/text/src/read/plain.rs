//! Plain text: one document, given in pieces, so that its length has no limit.

use std::io::Read;

use crate::TextError;

/// Bytes of one piece: large enough that seams between pieces cost little, small enough that reading stops early.
const PIECE: usize = 32 << 10;

/// The text of a plain file, piece by piece. A byte order mark at the start is left out.
pub struct PlainText<R> {
    reader: R,
    file: String,
    /// Bytes of the file before those in `rest`.
    offset: u64,
    /// The beginning of a character whose end the next piece holds.
    rest: Vec<u8>,
    /// Whether the file began with a byte order mark.
    pub had_mark: bool,
}

impl<R: Read> PlainText<R> {
    /// Text of `reader`; `file` is its name in errors.
    pub fn new(reader: R, file: &str) -> PlainText<R> {
        PlainText { reader, file: file.to_owned(), offset: 0, rest: Vec::new(), had_mark: false }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`TextError::NotUtf8`] with the offset of the first wrong byte, and what the reader says.
    pub fn next_piece(&mut self) -> Result<Option<String>, TextError> {
        let mut bytes = std::mem::take(&mut self.rest);
        let kept = bytes.len();
        let read = (&mut self.reader).take(PIECE as u64).read_to_end(&mut bytes);
        read.map_err(|source| TextError::Io { file: self.file.clone(), source })?;
        let ended = bytes.len() == kept;
        let (text, wrong) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (good, length) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len());
                let mut bytes = error.into_bytes();
                self.rest = bytes.split_off(good);
                // The cut falls where the bytes are valid, so this cannot lose anything.
                (String::from_utf8_lossy(&bytes).into_owned(), Some(length))
            }
        };
        let wrong_at = self.offset + text.len() as u64;
        // A character may be cut at the end of a piece, not at the end of the file.
        if matches!(wrong, Some(Some(_))) || (ended && wrong.is_some()) {
            return Err(TextError::NotUtf8 { file: self.file.clone(), offset: wrong_at });
        }
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) if self.offset == 0 => {
                self.had_mark = true;
                rest.to_owned()
            }
            _ => text,
        };
        self.offset = wrong_at;
        Ok((!ended).then_some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `step` bytes per call.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(n);
            buffer[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    fn all(bytes: &[u8], step: usize) -> Result<(String, bool), TextError> {
        let mut reader = PlainText::new(Slow(bytes, step), "a.txt");
        let mut text = String::new();
        while let Some(piece) = reader.next_piece()? {
            text += &piece;
        }
        Ok((text, reader.had_mark))
    }

    #[test]
    fn pieces_give_the_text_back() {
        let text = "aé日𝄞".repeat(100_000);
        assert_eq!(all(text.as_bytes(), 7).unwrap(), (text.clone(), false));
        assert_eq!(all(b"\xef\xbb\xbfx", 1).unwrap(), ("x".to_owned(), true));
        assert_eq!(all(b"", 1).unwrap(), (String::new(), false));
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        let mut bytes = "é".repeat(200_000).into_bytes();
        bytes.insert(300_000, 0xff);
        let error = all(&bytes, 4096).unwrap_err();
        assert!(matches!(error, TextError::NotUtf8 { offset: 300_000, .. }), "{error}");
        // A character that the file's end cuts.
        assert!(matches!(all(b"ab\xc3", 1), Err(TextError::NotUtf8 { offset: 2, .. })));
    }
}
