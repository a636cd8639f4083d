//! The original as a file of log-probabilities (`llama-perplexity --kl-divergence-base`), which brings its text along.

use super::EvaluationSpec;
use crate::failure::{Class, Failure};
use llmq_measure::base_logits::{BaseLogitsError, BaseLogitsReader, Header, StoredRows};
use llmq_measure::report::ModelIdentity;
use llmq_text::{Samples, Tokenizer};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// An open file of log-probabilities. Its rows are read in their order, a few at a time.
pub struct StoredOriginal {
    path: PathBuf,
    reader: BaseLogitsReader<BufReader<File>>,
}

impl StoredOriginal {
    /// Opens it: sizes and text are read and held against the file's length.
    pub fn open(path: &Path) -> Result<StoredOriginal, Failure> {
        let refused = |problem: String| {
            let message = format!("`{}`: {problem}", path.display());
            Failure::new(Class::InvalidArguments, message)
                .suggest("Make it with `llm-quantize evaluate ORIGINAL --data FILE --save-base-logits FILE`")
        };
        let file = File::open(path).map_err(|e| refused(e.to_string()))?;
        let metadata = file.metadata().map_err(|e| refused(e.to_string()))?;
        let reader = BaseLogitsReader::open(BufReader::new(file)).map_err(|e| refused(e.to_string()))?;
        let header = reader.header();
        if metadata.is_file() && header.file_bytes() != Some(metadata.len()) {
            let needed = header.file_bytes().map_or_else(|| "more than any file holds".to_owned(), |n| n.to_string());
            return Err(refused(format!(
                "{} chunks of {} tokens over a vocabulary of {} are {needed} bytes, and the file has {}; it was not \
                 written to its end, or was copied in part",
                header.chunks,
                header.context,
                header.vocabulary,
                metadata.len()
            )));
        }
        if header.rows().is_empty() || header.chunks == 0 {
            return Err(refused(format!(
                "{} chunks of {} tokens leave nothing to compare",
                header.chunks, header.context
            )));
        }
        Ok(StoredOriginal { path: path.to_owned(), reader })
    }

    /// Sizes and text.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Its text as the model reads it: every chunk begins with the tokenizer's beginning-of-text token, if it has one.
    pub fn samples(&self, spec: &EvaluationSpec, tokenizer: &Tokenizer) -> Samples {
        let header = self.header();
        let chunks = spec.chunks.unwrap_or(usize::MAX).min(header.chunks as usize);
        let tokens = header.tokens[..chunks * header.context as usize].to_vec();
        Samples::of_tokens(tokens, header.context as usize, tokenizer.bos())
    }

    /// Insists that a text is the one that the file was made on.
    pub fn same_text(&self, samples: &Samples) -> Result<(), Failure> {
        let (own, typed) = (&self.header().tokens, samples.text());
        let differs = own.iter().zip(&typed).position(|(own, typed)| own != typed);
        let Some(at) = differs else { return Ok(()) };
        let message = format!(
            "`{}` was made on another text, or with another tokenizer: token {at} is {} there and {} in the text",
            self.path.display(),
            own[at],
            typed[at]
        );
        Err(Failure::new(Class::InvalidArguments, message)
            .suggest("Leave --data out: the file holds the text's tokens itself"))
    }

    /// Insists that a model has the vocabulary that the file was made over.
    pub fn same_vocabulary(&self, rows: usize) -> Result<(), Failure> {
        let own = self.header().vocabulary as usize;
        if own == rows {
            return Ok(());
        }
        let message = format!(
            "the model has {rows} rows of tokens, `{}` was made over {own}: they cannot be compared",
            self.path.display()
        );
        Err(Failure::new(Class::InvalidArguments, message)
            .suggest("Check that the file was made with the original of this model"))
    }

    /// How a report names it.
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            name: self.name(),
            format: Some("llama.cpp log-probabilities".to_owned()),
            level: Some("16 bits".to_owned()),
            ..ModelIdentity::default()
        }
    }

    /// Its name without folders.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The next rows, at most `most`, all of one chunk.
    pub(super) fn next_rows(&mut self, most: usize) -> Result<Option<StoredRows>, Failure> {
        let path = &self.path;
        self.reader.next_rows(most).map_err(|error: BaseLogitsError| {
            Failure::new(Class::ValidationFailed, format!("`{}`: {error}", path.display()))
                .suggest("Make the file anew")
        })
    }
}
