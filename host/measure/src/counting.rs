//! Which positions of a chunk count.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Which positions of a chunk count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Every token of the chunk but the first is predicted.
    #[default]
    All,
    /// llama-perplexity's convention: only tokens that have at least half a chunk before them.
    SecondHalf,
}

impl Counting {
    /// The rows of logits that count in a chunk of `tokens` tokens. Row `r` predicts token `r + 1`, so the last row, whose
    /// next token is not in the chunk, never counts; a chunk of fewer than two tokens has none.
    pub fn rows(self, tokens: usize) -> Range<usize> {
        let end = tokens.saturating_sub(1);
        match self {
            Self::All => 0..end,
            Self::SecondHalf => (tokens / 2).min(end)..end,
        }
    }

    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::SecondHalf => "second-half",
        }
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A word that names no convention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `all` nor `second-half`")]
pub struct UnknownCounting(String);

impl FromStr for Counting {
    type Err = UnknownCounting;

    fn from_str(word: &str) -> Result<Self, UnknownCounting> {
        match word {
            "all" => Ok(Self::All),
            "second-half" => Ok(Self::SecondHalf),
            other => Err(UnknownCounting(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_count() {
        assert_eq!(Counting::All.rows(512), 0..511);
        // llama-perplexity: rows n/2 to n-2 inclusive, n - n/2 - 1 of them.
        assert_eq!(Counting::SecondHalf.rows(512), 256..511);
        assert_eq!(Counting::SecondHalf.rows(7), 3..6);
        assert_eq!(Counting::SecondHalf.rows(2), 1..1);
        assert_eq!((Counting::All.rows(2), Counting::All.rows(1), Counting::All.rows(0)), (0..1, 0..0, 0..0));
        assert!(Counting::SecondHalf.rows(1).is_empty() && Counting::SecondHalf.rows(0).is_empty());
    }

    #[test]
    fn words_come_back() {
        for counting in [Counting::All, Counting::SecondHalf] {
            assert_eq!(counting.name().parse(), Ok(counting));
            assert_eq!(serde_json::to_string(&counting).unwrap(), format!("\"{counting}\""));
        }
        assert_eq!("half".parse::<Counting>().unwrap_err().to_string(), "`half` is neither `all` nor `second-half`");
    }
}
