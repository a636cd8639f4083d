//! How good a quantized model is: perplexity, divergence from the original, agreement, and their reports.

#![forbid(unsafe_code)]
