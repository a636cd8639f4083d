//! What can be wrong with text, chat templates, tokenizers and packing, with where and what to do.

use std::fmt;

/// A place in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was given.
    pub file: String,
    /// The line (JSONL) or row (JSON, Parquet), from 1.
    pub row: u64,
    /// What `row` counts.
    pub unit: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.unit, self.row, self.file)
    }
}

/// What can be wrong. The display says what happened and where; [`TextError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file system refuses.
    #[error("{file} cannot be read: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, pipe or device where a file is needed.
    #[error("{file} is not a file")]
    NotAFile {
        /// The path.
        file: String,
    },
    /// A compressed file.
    #[error("{file} is compressed ({kind})")]
    Compressed {
        /// The file.
        file: String,
        /// Name of the compression.
        kind: &'static str,
    },
    /// Text in UTF-16.
    #[error("{file} is UTF-16, not UTF-8")]
    Utf16 {
        /// The file.
        file: String,
    },
    /// Bytes that are no UTF-8.
    #[error("{file} is not UTF-8 text: byte {offset} begins no character")]
    NotUtf8 {
        /// The file.
        file: String,
        /// Offset of the first wrong byte in the file.
        offset: u64,
    },
    /// A document over the cap.
    #[error("{place} is longer than {limit} bytes")]
    DocumentTooLong {
        /// Where.
        place: Place,
        /// The cap.
        limit: usize,
    },
    /// A JSON file over the cap.
    #[error("{file} has {bytes} bytes, and JSON files are read up to {limit} bytes")]
    JsonTooLong {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The cap.
        limit: usize,
    },
    /// Malformed JSON.
    #[error("{file} is not valid JSON: {message}")]
    Json {
        /// The file, or the line of it.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// JSON that is no list of documents.
    #[error("{file} holds {found} where a list of documents is needed")]
    NoList {
        /// The file.
        file: String,
        /// What it holds.
        found: &'static str,
    },
    /// A record without the field.
    #[error("{place} has no field {wanted}; it has {present}")]
    NoField {
        /// Where.
        place: Place,
        /// What was looked for.
        wanted: String,
        /// The fields that are there.
        present: String,
    },
    /// A field of another kind.
    #[error("field {field} of {place} is {found}, and neither text nor a list of messages")]
    FieldKind {
        /// Where.
        place: Place,
        /// The field.
        field: String,
        /// What it is.
        found: &'static str,
    },
    /// A message that is none.
    #[error("message {index} of {place} is {found}, and not an object")]
    Message {
        /// Where.
        place: Place,
        /// Which message, from 1.
        index: usize,
        /// What it is.
        found: &'static str,
    },
    /// A Parquet file that cannot be read.
    #[error("{file} cannot be read as Parquet: {message}")]
    Parquet {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// A part of a Parquet file over its cap.
    #[error("{file}: {part} is {bytes} bytes long, and {limit} is the limit")]
    ParquetTooLarge {
        /// The file.
        file: String,
        /// Which part.
        part: String,
        /// Its length.
        bytes: u64,
        /// The cap.
        limit: usize,
    },
    /// A chat, and a model that has no chat template.
    #[error("{place} is a chat, and the model has no chat template")]
    NoChatTemplate {
        /// Where.
        place: Place,
    },
    /// A template of this name does not exist.
    #[error("the model has no chat template {wanted}; it has {present}")]
    UnknownChatTemplate {
        /// What was asked for.
        wanted: String,
        /// What is there.
        present: String,
    },
    /// A template that cannot be parsed.
    #[error("the model's chat template cannot be used: {message}")]
    ChatTemplate {
        /// What is wrong, with the line.
        message: String,
    },
    /// A template that refuses a chat, or fails on it.
    #[error("the model's chat template cannot write {place}: {message}")]
    Chat {
        /// Where.
        place: Place,
        /// What it said.
        message: String,
    },
    /// A template that asks for the date, and nobody gave one.
    #[error("the model's chat template writes the date, at {place}")]
    ChatDate {
        /// Where.
        place: Place,
    },
    /// A template that runs too long or writes too much.
    #[error("the model's chat template was stopped at {place}: {message}")]
    ChatLimit {
        /// Where.
        place: Place,
        /// Which limit.
        message: String,
    },
    /// The tokenizer's files cannot be used.
    #[error("the tokenizer {file} cannot be used: {message}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// The tokenizer fails on a text.
    #[error("the tokenizer cannot encode text of {file}: {message}")]
    Encode {
        /// The file.
        file: String,
        /// What it said.
        message: String,
    },
    /// A long text that cannot be tokenized in windows.
    #[error("{file} holds {bytes} bytes of text in which the tokenizer's tokens depend on what stands far before them")]
    NoSeam {
        /// The file.
        file: String,
        /// How much text was looked at.
        bytes: usize,
    },
    /// A token that the model has no row for.
    #[error("token {id} ({token}) of {file} has no row in the model's embedding table of {rows} rows")]
    TokenOutOfRange {
        /// The file.
        file: String,
        /// The token.
        id: u32,
        /// Its text.
        token: String,
        /// Rows of the table.
        rows: u32,
    },
    /// More tokens than the cap.
    #[error("the text has more than {limit} tokens")]
    TooManyTokens {
        /// The cap.
        limit: usize,
    },
    /// Not enough text for one sample.
    #[error("the text has {tokens} tokens, and one sample needs {seqlen}")]
    TooShort {
        /// What there is.
        tokens: usize,
        /// What is needed.
        seqlen: usize,
    },
    /// A packing that cannot be.
    #[error("{message}")]
    Packing {
        /// What is wrong.
        message: String,
    },
}

impl TextError {
    /// What the user can do about it, as a sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            TextError::Io { .. } => "Check the path and the permissions.",
            TextError::NotAFile { .. } => {
                "Name a file; text from a pipe has to be saved first, since it is read twice."
            }
            TextError::Compressed { .. } => "Unpack the file first.",
            TextError::Utf16 { .. } => "Convert it, for example with `iconv -f UTF-16 -t UTF-8`.",
            TextError::NotUtf8 { .. } => {
                "Convert the file to UTF-8, for example with iconv, or name its form if it is not plain text."
            }
            TextError::DocumentTooLong { .. } => {
                "Cut the document into several, or give it as a plain text file, which has no limit."
            }
            TextError::JsonTooLong { .. } => {
                "Convert the file to JSONL (one document per line), for example with `jq -c '.[]'`."
            }
            TextError::Json { .. } => "Correct the file, or name its form if it is not JSON.",
            TextError::NoList { .. } => {
                "Give an array of documents, an object with such an array under `data`, or JSONL."
            }
            TextError::NoField { .. } => "Name the field that holds the text or the messages.",
            TextError::FieldKind { .. } => {
                "Name a field that holds a string or a list of messages with `role` and `content`."
            }
            TextError::Message { .. } => "Give every message as an object with `role` and `content`.",
            TextError::Parquet { .. } => "Check that the file is complete; compression has to be none, snappy or zstd.",
            TextError::ParquetTooLarge { .. } => {
                "Write the file anew with smaller pages and row groups, or convert it to JSONL."
            }
            TextError::NoChatTemplate { .. } => {
                "Give plain text, or the instruction-tuned model, which has a template; or put a chat_template.jinja beside the model."
            }
            TextError::UnknownChatTemplate { .. } => "Name one of those.",
            TextError::ChatTemplate { .. } => {
                "Give plain text, or put a chat_template.jinja that works beside the model."
            }
            TextError::Chat { .. } => {
                "Correct the messages (many templates want user and assistant in turn), or give plain text."
            }
            TextError::ChatDate { .. } => {
                "Give a date for chats; the clock is not read, so that the same text gives the same tokens every day."
            }
            TextError::ChatLimit { .. } => {
                "Shorten the chat; if it is short, do not trust the template and give plain text."
            }
            TextError::Tokenizer { .. } => {
                "The model needs a tokenizer.json; transformers writes one with `save_pretrained`."
            }
            TextError::Encode { .. } => "Check that tokenizer.json belongs to this model.",
            TextError::NoSeam { .. } => "Cut the text into documents (JSONL), or leave repetitive parts out.",
            TextError::TokenOutOfRange { .. } => {
                "The tokenizer does not belong to this model: check that both come from the same place."
            }
            TextError::TooManyTokens { .. } => "Say how many samples are wanted, or give less text.",
            TextError::TooShort { .. } => "Give more text, or a smaller sample length.",
            TextError::Packing { .. } => "Correct the option.",
        }
    }
}
