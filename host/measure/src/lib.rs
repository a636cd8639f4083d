//! How good a quantized model is: perplexity, divergence from the original, agreement, and their reports.
//!
//! | where | what |
//! |---|---|
//! | `counting` | which positions of a chunk are scored |
//! | `softmax` | what one row of logits says, in double precision |
//! | `score` | perplexity of one model |
//! | `divergence`, `comparison` | two models over the same text |
//! | `base_logits` | llama.cpp's file of a model's log-probabilities |
//! | `findings` | outlier channels, coverage of experts, super weights, importance of layers |
//! | `report` | the documents of `evaluate` and `analyze`, as JSON, Markdown and HTML |
//! | `estimate`, `distribution` | means with their errors; quantiles and histograms |
//!
//! Everything takes slices and gives numbers; files are any `Read` or `Write`. Per position a few doubles are kept, never
//! logits; partial results are joined in the order of the text and summed once at the end, so no figure depends on how
//! the work was shared out.

#![forbid(unsafe_code)]

pub mod base_logits;
mod comparison;
mod counting;
mod distribution;
mod divergence;
mod error;
mod estimate;
mod exponential;
pub mod findings;
pub mod report;
mod score;
mod softmax;

pub use comparison::{Comparison, ComparisonSummary};
pub use counting::{Counting, UnknownCounting};
pub use distribution::{Histogram, Quantiles};
pub use divergence::{Divergence, Reference, divergence};
pub use error::{MeasureError, Place};
pub use estimate::Estimate;
pub use score::Score;
pub use softmax::LogSoftmax;
