//! The samples and what became of the text.

use sha2::{Digest, Sha256};

use crate::Form;
use crate::file::hex;

/// Samples of one length, and how they came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// The tokens of all samples behind each other: `report.samples` x `seqlen`.
    pub tokens: Vec<u32>,
    /// Tokens per sample.
    pub seqlen: usize,
    /// The first token of every sample as the text has it, where the beginning-of-text token stands in its place; else
    /// nothing.
    pub replaced: Vec<u32>,
    /// What was read, used and dropped.
    pub report: Report,
}

impl Samples {
    /// Samples of tokens that are there already. Each sample's first token is replaced by `bos`, if there is one, as
    /// [`Heads::LlamaCpp`](crate::Heads::LlamaCpp) says. Tokens behind the last whole sample are left out.
    pub fn of_tokens(mut tokens: Vec<u32>, seqlen: usize, bos: Option<u32>) -> Samples {
        let count = tokens.len().checked_div(seqlen).unwrap_or(0);
        let made = tokens.len();
        tokens.truncate(count * seqlen);
        let replaced = bos.map_or_else(Vec::new, |bos| replace_firsts(&mut tokens, seqlen, bos));
        let report = Report {
            samples: count,
            seqlen,
            tokens_used: tokens.len(),
            tokens_dropped: made - tokens.len(),
            digest: digest(&tokens, seqlen),
            bos,
            ..Report::default()
        };
        Samples { tokens, seqlen, replaced, report }
    }

    /// The tokens as the text has them: without beginning-of-text tokens that stand in place of others.
    pub fn text(&self) -> Vec<u32> {
        let mut tokens = self.tokens.clone();
        tokens.iter_mut().step_by(self.seqlen.max(1)).zip(&self.replaced).for_each(|(first, own)| *first = *own);
        tokens
    }

    /// The samples in order, each of `seqlen` tokens.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.tokens.chunks_exact(self.seqlen)
    }
}

/// What was read, used and dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// How many samples there are.
    pub samples: usize,
    /// Tokens per sample.
    pub seqlen: usize,
    /// Tokens in samples.
    pub tokens_used: usize,
    /// Tokens that were made and are in no sample: the tail that fills none, what a shuffle did not draw, and the rest of
    /// the last piece of text that was tokenized before reading stopped.
    pub tokens_dropped: usize,
    /// Documents of which tokens were made.
    pub documents: usize,
    /// Documents without text, passed over.
    pub documents_empty: usize,
    /// SHA-256 of `seqlen` and all tokens of the samples in order, each as 4 bytes, little-endian; in hexadecimal.
    pub digest: String,
    /// The beginning-of-text token that the tokenizer adds.
    pub bos: Option<u32>,
    /// The files that were read, in order. Files behind the last sample are not in it.
    pub files: Vec<FileReport>,
    /// What the user should know, as sentences.
    pub warnings: Vec<String>,
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileReport {
    /// The name as it was given.
    pub name: String,
    /// How it was read.
    pub form: Form,
    /// Its whole length in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, also where reading stopped early, so that two uses of one file can be told whatever
    /// part of it each used; in hexadecimal.
    pub sha256: String,
    /// Documents read from it, empty ones not counted.
    pub documents: usize,
    /// Whether the samples were complete before the file was at its end.
    pub stopped_early: bool,
}

/// Puts `bos` in place of every sample's first token, and gives those back.
pub(crate) fn replace_firsts(tokens: &mut [u32], seqlen: usize, bos: u32) -> Vec<u32> {
    tokens.iter_mut().step_by(seqlen.max(1)).map(|first| std::mem::replace(first, bos)).collect()
}

/// SHA-256 of the sample length and the tokens, each as 4 bytes, little-endian.
pub(crate) fn digest(tokens: &[u32], seqlen: usize) -> String {
    let mut hash = Sha256::new();
    hash.update((seqlen as u32).to_le_bytes());
    // In blocks, because the hash is slow on single words.
    for block in tokens.chunks(4096) {
        let bytes: Vec<u8> = block.iter().flat_map(|t| t.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_survives_the_beginning_that_is_put_into_it() {
        let samples = Samples::of_tokens(vec![7, 8, 9, 10, 11, 12, 13], 3, Some(1));
        assert_eq!(samples.tokens, [1, 8, 9, 1, 11, 12]);
        assert_eq!((samples.replaced.as_slice(), samples.text()), (&[7, 10][..], vec![7, 8, 9, 10, 11, 12]));
        assert_eq!((samples.report.samples, samples.report.tokens_dropped), (2, 1));
        let plain = Samples::of_tokens(vec![7, 8, 9], 3, None);
        assert_eq!((plain.tokens.clone(), plain.replaced.len(), plain.text()), (vec![7, 8, 9], 0, vec![7, 8, 9]));
        assert_ne!(plain.report.digest, Samples::of_tokens(vec![7, 8, 9], 3, Some(1)).report.digest);
    }
}
