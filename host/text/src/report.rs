//! The samples and what became of the text.

use crate::Form;

/// Samples of one length, and how they came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// The tokens of all samples behind each other: `report.samples` x `seqlen`.
    pub tokens: Vec<u32>,
    /// Tokens per sample.
    pub seqlen: usize,
    /// What was read, used and dropped.
    pub report: Report,
}

impl Samples {
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
