//! Text of any length is tokenized in windows, with the tokens that it has as a whole.
//!
//! A tokenizer holds some sixty bytes for every byte of text it is given, so a long text cannot be given as a whole.
//! Windows overlap; in the middle of an overlap both must agree, token for token and place for place, over a run of
//! tokens, and there one is left and the other entered. What stands beyond the overlap then decides nothing on either
//! side. Where no such seam exists the window grows, and when it cannot grow any further that is an error.

use crate::TextError;
use crate::tokenizer::{Special, Tokenizer};

/// Lengths in bytes, and the run of tokens that makes a seam.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Text given to the tokenizer at once at first; twice as much each time after that, since few samples need little
    /// text, and much text the fewer windows the better.
    pub first: usize,
    /// Text given at once in the end.
    pub window: usize,
    /// Text that two windows share.
    pub overlap: usize,
    /// Text given at once when no seam is found.
    pub most: usize,
    /// Tokens that must agree.
    pub run: usize,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { first: 32 << 10, window: 256 << 10, overlap: 8 << 10, most: 4 << 20, run: 16 }
    }
}

/// Tokens of one text that arrives in pieces.
pub struct Windows<'a> {
    tokenizer: &'a Tokenizer,
    special: Special,
    sizes: Sizes,
    /// Text from the beginning of the last window on.
    text: String,
    /// The last window's tokens and where they start in `text`, and its length. Empty before the first.
    last: Vec<(u32, usize)>,
    length: usize,
    /// How many of `last` were given out.
    given: usize,
}

impl<'a> Windows<'a> {
    /// A new text.
    pub fn new(tokenizer: &'a Tokenizer, special: Special) -> Windows<'a> {
        Windows::with_sizes(tokenizer, special, Sizes::default())
    }

    fn with_sizes(tokenizer: &'a Tokenizer, special: Special, sizes: Sizes) -> Windows<'a> {
        Windows { tokenizer, special, sizes, text: String::new(), last: Vec::new(), length: 0, given: 0 }
    }

    /// Takes the next piece of text; tokens that nothing can change any more go to `out`.
    pub fn push(&mut self, piece: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.text.push_str(piece);
        // The text beyond the window is kept back until there is a whole window of it.
        while self.text.len() >= self.length + self.sizes.first + 4 {
            self.advance(self.length + self.sizes.first, out)?;
            self.sizes.first = self.sizes.window.min(2 * self.sizes.first);
        }
        Ok(())
    }

    /// The text is complete: gives the rest of its tokens.
    pub fn finish(mut self, out: &mut Vec<u32>) -> Result<(), TextError> {
        if self.length == 0 {
            out.extend(self.tokenizer.ids(&self.text, self.special)?);
            return Ok(());
        }
        if self.length < self.text.len() {
            self.advance(self.text.len(), out)?;
        }
        out.extend(self.last.iter().skip(self.given).map(|(id, _)| *id));
        Ok(())
    }

    /// Tokenizes a window that ends near `end`, and gives out what lies before the seam with the last one.
    fn advance(&mut self, end: usize, out: &mut Vec<u32>) -> Result<(), TextError> {
        let end = boundary(&self.text, end);
        let start = boundary(&self.text, self.length.saturating_sub(self.sizes.overlap));
        if self.length > 0 {
            let next = self.tokens(start, end)?;
            if let Some((left, entered)) = seam(&self.last, &next, (start, self.length), self.sizes.run) {
                out.extend(self.last.iter().take(left).skip(self.given).map(|(id, _)| *id));
                self.last = next.into_iter().map(|(id, at)| (id, at - start)).collect();
                // A seam before what was given out already cannot be: seams lie in the overlap, and the last one lay
                // in the overlap before.
                self.given = entered;
                self.text.drain(..start);
                self.length = end - start;
                self.settle(out);
                return Ok(());
            }
        }
        // The first window, or no seam: the window reaches from where the last one began.
        if end > self.sizes.most {
            return Err(TextError::NoSeam { file: self.tokenizer.file.clone(), bytes: end });
        }
        let whole = self.tokens(0, end)?;
        if whole.get(..self.given) != self.last.get(..self.given) {
            return Err(TextError::NoSeam { file: self.tokenizer.file.clone(), bytes: end });
        }
        (self.last, self.length) = (whole, end);
        self.settle(out);
        Ok(())
    }

    /// Gives out what lies before the overlap with the next window, so that few samples need little text.
    fn settle(&mut self, out: &mut Vec<u32>) {
        let settled = self.last.partition_point(|(_, at)| *at < self.length.saturating_sub(self.sizes.overlap));
        out.extend(self.last.iter().take(settled).skip(self.given).map(|(id, _)| *id));
        self.given = self.given.max(settled);
    }

    fn tokens(&self, start: usize, end: usize) -> Result<Vec<(u32, usize)>, TextError> {
        let mut tokens = self.tokenizer.pieces(&self.text[start..end], self.special)?;
        tokens.iter_mut().for_each(|(_, at)| *at += start);
        Ok(tokens)
    }
}

/// The last place at or before `at` where no character is cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Where to leave `last` and to enter `next`: the first token in the middle third of the overlap from which on `run`
/// tokens are the same, at the same places.
fn seam(last: &[(u32, usize)], next: &[(u32, usize)], overlap: (usize, usize), run: usize) -> Option<(usize, usize)> {
    let third = (overlap.1 - overlap.0) / 3;
    let (from, to) = (overlap.0 + third, overlap.1 - third);
    let mut left = last.partition_point(|(_, at)| *at < from);
    let mut entered = next.partition_point(|(_, at)| *at < from);
    while let (Some(a), Some(b)) = (last.get(left), next.get(entered)) {
        if a.1 >= to || b.1 >= to {
            break;
        }
        match a.1.cmp(&b.1) {
            std::cmp::Ordering::Less => left += 1,
            std::cmp::Ordering::Greater => entered += 1,
            std::cmp::Ordering::Equal => {
                let same = last.get(left..left + run).is_some_and(|l| next.get(entered..entered + run) == Some(l));
                if same {
                    return Some((left, entered));
                }
                left += 1;
                entered += 1;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::LazyLock;

    static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folders = ["examples/tiny-model", "tests/models/mistral", "tests/models/bert-unigram"];
        folders.iter().map(|folder| Tokenizer::from_folder(&root.join(folder)).unwrap()).collect()
    });

    const SMALL: Sizes = Sizes { first: 350, window: 600, overlap: 300, most: 6000, run: 4 };

    fn pieces(tokenizer: &Tokenizer, text: &str, piece: usize) -> Result<Vec<u32>, TextError> {
        let mut windows = Windows::with_sizes(tokenizer, Special::Parsed, SMALL);
        let (mut out, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(boundary(rest, piece.max(4).min(rest.len())));
            windows.push(now, &mut out)?;
            rest = later;
        }
        windows.finish(&mut out)?;
        Ok(out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn windows_give_the_tokens_of_the_whole(
            words in proptest::collection::vec("[a-z]{1,9}|[0-9]{1,6}|é日本|  |\n\n|\\. |<s>", 300..900),
            piece in 1usize..2000,
        ) {
            let text = words.join(" ");
            for tokenizer in TOKENIZERS.iter() {
                prop_assert_eq!(pieces(tokenizer, &text, piece).unwrap(), tokenizer.encode(&text, false).unwrap());
            }
        }
    }

    #[test]
    fn text_without_a_seam_is_an_error() {
        // Every token is as long as it can be, counted from the beginning of the run.
        let tokenizer = &TOKENIZERS[0];
        for letter in ["a", "=", " "] {
            let text = letter.repeat(20_000);
            match pieces(tokenizer, &text, 1000) {
                Ok(tokens) => assert_eq!(tokens, tokenizer.encode(&text, false).unwrap(), "{letter:?}"),
                Err(error) => assert!(matches!(error, TextError::NoSeam { .. }), "{letter:?}: {error}"),
            }
        }
    }
}
