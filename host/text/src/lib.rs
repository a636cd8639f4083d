//! Text for calibration and evaluation: files of several kinds become samples of tokens.
//!
//! Text files ([`TextFile`]: plain text, JSONL, JSON, Parquet) are read document by document, chats are written out by
//! the model's own template, everything is tokenized by the model's own tokenizer ([`Tokenizer`]) and cut into samples
//! of one length ([`Packing`]). [`samples`] does all of it:
//!
//! ```text
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

mod error;
mod form;
mod limits;
mod options;
mod packing;
mod report;

pub use error::{Place, TextError};
pub use form::Form;
pub use limits::Limits;
pub use options::{ChatOptions, Date, TextOptions};
pub use packing::{Heads, Packing};
pub use report::{FileReport, Report, Samples};
