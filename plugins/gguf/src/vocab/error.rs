//! Why a vocabulary could not be built.

/// Every message says which file, what was found and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VocabError {
    /// No file holds a vocabulary.
    #[error("the model has no tokenizer that {class} can use: {wanted}; add the file to the model folder")]
    Missing {
        /// The architecture class asked for.
        class: String,
        /// The files that were looked for.
        wanted: &'static str,
    },
    /// The class keeps its vocabulary in a form that is not read yet.
    #[error("the vocabulary of {class} is not supported: {reason}")]
    Unsupported {
        /// The architecture class.
        class: String,
        /// What is special about it.
        reason: &'static str,
    },
    /// A JSON file does not parse.
    #[error("{file} is not valid JSON: {reason}")]
    Json {
        /// File name inside the model folder.
        file: &'static str,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// A file parses and says something that cannot be.
    #[error("{file}: {reason}")]
    Malformed {
        /// File name inside the model folder.
        file: &'static str,
        /// What was found where.
        reason: String,
    },
    /// `tokenizer.model` is cut or not a SentencePiece file.
    #[error("tokenizer.model is not a readable SentencePiece model: {reason} at byte {offset}")]
    Protobuf {
        /// What was wrong.
        reason: &'static str,
        /// Byte position in the file.
        offset: usize,
    },
    /// A vocabulary or one of its files exceeds what any real model has.
    #[error("{what} is {found}, more than the limit of {limit}; the file is damaged or hostile")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// What the file says.
        found: u64,
        /// The largest accepted value.
        limit: u64,
    },
    /// The tokenizer's ids do not fit the embedding.
    #[error(
        "tokenizer id {id} ({token:?}) does not fit the {vocab_size} rows that config.json gives the embedding \
         (vocab_size); the tokenizer and the model do not belong together"
    )]
    IdOutOfRange {
        /// The offending id.
        id: u64,
        /// Its text.
        token: String,
        /// Rows of the embedding.
        vocab_size: usize,
    },
    /// Neither hash nor structure named the pre-tokenizer.
    #[error(
        "the pre-tokenizer of tokenizer.json is none that llama.cpp knows (hash {hash}; seen: {seen}); a wrong name \
         loads and silently worsens the model, so none is guessed: give the right one with --pre NAME, one of {names}"
    )]
    UnknownPre {
        /// sha256 of the probe text's ids, or why there is none.
        hash: String,
        /// The steps found in tokenizer.json.
        seen: String,
        /// The valid names.
        names: String,
    },
    /// `--pre` names something llama.cpp does not load.
    #[error("--pre {name}: llama.cpp knows no pre-tokenizer of that name; valid are {names}")]
    InvalidPre {
        /// What was asked for.
        name: String,
        /// The valid names.
        names: String,
    },
    /// The tokenizer given by the host failed on a token of its own vocabulary.
    #[error("the tokenizer cannot {action} the added token {token:?}: {reason}")]
    Tokenizer {
        /// `encode` or `decode`.
        action: &'static str,
        /// The token's text.
        token: String,
        /// The tokenizer's words.
        reason: String,
    },
}
