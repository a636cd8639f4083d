//! llama.cpp's file of a model's log-probabilities over a text (`llama-perplexity --kl-divergence-base FILE`).
//!
//! Facts, read in tools/perplexity/perplexity.cpp of llama.cpp; all numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `_logits_` |
//! | 4 | `n_ctx`, tokens per chunk, i32 |
//! | 4 | `n_vocab`, i32 |
//! | 4 | `n_chunk`, i32 |
//! | 4 n_ctx n_chunk | the text's tokens, i32 |
//! | per chunk, per scored position: | |
//! | 4 | `scale`, f32 |
//! | 4 | `min_log_prob`, f32 |
//! | 2 n_vocab | u16 each: the log-probability is `scale * u + min_log_prob` |
//! | 0 or 2 | padding to an even number of u16 |
//!
//! Scored are the rows of [`Counting::SecondHalf`](crate::Counting::SecondHalf): n_ctx/2 up to n_ctx - 2. What lies more
//! than 16 nats below the likeliest token is raised to that distance, so an unlikely token of the text has too good a
//! likelihood here: perplexities from this file are lower bounds. The text's tokens are kept as they are; the model that
//! wrote the file had read its BOS token in place of each chunk's first, if its tokenizer adds one.
//!
//! The 16 bits alone cost a divergence of about 5e-4 on a large vocabulary; this form is for exchange.

mod error;
mod header;
mod read;
mod row;
mod write;

pub use error::BaseLogitsError;
pub use header::Header;
pub use read::{BaseLogitsReader, StoredRows};
pub use row::StoredRow;
pub use write::{BaseLogitsWriter, EncodedRow};

#[cfg(test)]
mod tests;
