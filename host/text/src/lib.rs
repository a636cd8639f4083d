//! Text for calibration and evaluation: files of several kinds become samples of tokens.
//!
//! Text files ([`TextFile`]: plain text, JSONL, JSON, Parquet) are read document by document, chats are written out by
//! the model's own template, everything is tokenized by the model's own tokenizer ([`Tokenizer`]) and cut into samples
//! of one length ([`Packing`]). [`samples`] does all of it:
//!
//! ```no_run
//! use llmq_text::{Packing, TextFile, TextOptions, Tokenizer, samples};
//! # fn main() -> Result<(), llmq_text::TextError> {
//! let tokenizer = Tokenizer::from_folder("model".as_ref())?;
//! let file = TextFile::open("calibration.jsonl".as_ref(), &TextOptions::default())?;
//! let packed = samples(&[file], &tokenizer, &Packing { samples: Some(128), ..Packing::new(2048) })?;
//! for sample in packed.iter() {
//!     assert_eq!(sample.len(), 2048);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The result depends on the bytes of the files, the tokenizer and the packing only: never on the clock, the number of
//! threads, or how much memory there is. Every file is hostile: sizes are capped ([`Limits`]) before memory is taken,
//! and what is wrong is an error of its own that says where ([`TextError`]).

#![forbid(unsafe_code)]

mod bundled;
mod chat;
mod error;
mod file;
mod form;
mod hub;
mod limits;
mod options;
mod packing;
mod read;
mod record;
mod report;
mod samples;
mod shuffle;
mod tokenizer;

pub use bundled::{BUNDLED_LICENSE, bundled_text};
pub use chat::ChatTemplate;
pub use error::{Place, TextError};
pub use file::TextFile;
pub use form::Form;
pub use hub::{WIKITEXT_JOIN, WIKITEXT_REPOSITORY, WIKITEXT_TEST, WIKITEXT_TRAIN};
pub use limits::Limits;
pub use options::{ChatOptions, Date, TextOptions};
pub use packing::{Heads, Packing};
pub use record::{Content, Record};
pub use report::{FileReport, Report, Samples};
pub use samples::samples;
pub use tokenizer::Tokenizer;
