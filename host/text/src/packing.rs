//! How tokens are cut into samples.

/// How the tokens of all documents become samples of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Tokens per sample, at least 1.
    pub seqlen: usize,
    /// How many samples are wanted; all that the text gives if absent. Fewer is a warning, none an error.
    pub samples: Option<usize>,
    /// The seed of the order of samples; the order of the text if absent. With a seed the whole text is read and
    /// packed before the first `samples` are drawn, so that every part of it can be drawn.
    pub shuffle: Option<u64>,
    /// How samples begin.
    pub heads: Heads,
    /// Rows of the model's embedding table. Tokens beyond it are an error here, and not garbage in the forward pass.
    pub rows: Option<u32>,
}

impl Packing {
    /// All samples of a length, in the order of the text.
    pub fn new(seqlen: usize) -> Packing {
        Packing { seqlen, samples: None, shuffle: None, heads: Heads::Stream, rows: None }
    }
}

/// How samples begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heads {
    /// Every document gets the special tokens that the tokenizer adds (a beginning only where it adds one); all are
    /// joined and cut. Samples begin wherever the cut falls. Special tokens that the text spells out are special, as
    /// for transformers.
    #[default]
    Stream,
    /// As llama.cpp's imatrix and perplexity tools do: the text gets the tokenizer's special tokens once, one line
    /// break at the end of a plain text file is left out, special tokens that the text spells out are ordinary text, and
    /// the first token of every sample is *replaced* by the beginning-of-text token where the tokenizer adds one.
    LlamaCpp,
}
