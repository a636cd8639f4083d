//! Text for calibration and evaluation: files of several kinds become samples of tokens.

#![forbid(unsafe_code)]
