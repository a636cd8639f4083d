//! The sizes no real vocabulary reaches, checked before anything is allocated.

use super::VocabError;

/// Tokens of one vocabulary; the largest published ones have about 262 thousand.
pub(super) const TOKENS: u64 = 1 << 22;
/// Bytes of one tokenizer file; the largest published ones have about 35 MB.
pub(super) const FILE_BYTES: u64 = 256 << 20;
/// Chat templates of one model; the most seen is four.
pub(super) const TEMPLATES: u64 = 256;

/// Accepts `found` up to `limit`.
pub(super) fn check(what: &'static str, found: u64, limit: u64) -> Result<(), VocabError> {
    if found > limit { Err(VocabError::TooLarge { what, found, limit }) } else { Ok(()) }
}
