//! What calibration measured at the input of one linear.

use crate::abi;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatisticKind {
    /// `sum x^2` per input channel.
    SumSquares,
    /// `sum |x|` per input channel.
    SumAbs,
    /// `sum x` per input channel.
    Sum,
    /// Smallest value per input channel.
    Min,
    /// Largest value per input channel.
    Max,
    /// Gram matrix `sum x x^T`.
    Gram,
    /// A reservoir of real input rows.
    Samples,
}

const KINDS: [(StatisticKind, abi::StatKind, &str); 7] = [
    (StatisticKind::SumSquares, abi::StatKind::SUM_SQUARES, "sum_squares"),
    (StatisticKind::SumAbs, abi::StatKind::SUM_ABS, "sum_abs"),
    (StatisticKind::Sum, abi::StatKind::SUM, "sum"),
    (StatisticKind::Min, abi::StatKind::MIN, "min"),
    (StatisticKind::Max, abi::StatKind::MAX, "max"),
    (StatisticKind::Gram, abi::StatKind::GRAM, "gram"),
    (StatisticKind::Samples, abi::StatKind::SAMPLES, "samples"),
];

impl StatisticKind {
    /// The word used in JSON documents.
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(k, ..)| *k == self).map_or("unknown", |(.., word)| word)
    }

    /// The kind behind a word.
    pub fn from_word(word: &str) -> Option<StatisticKind> {
        KINDS.iter().find(|(.., w)| *w == word).map(|(k, ..)| *k)
    }

    pub(crate) fn to_abi(self) -> abi::StatKind {
        KINDS.iter().find(|(k, ..)| *k == self).map_or(abi::StatKind(u32::MAX), |(_, a, _)| *a)
    }

    pub(crate) fn from_abi(kind: abi::StatKind) -> Option<StatisticKind> {
        KINDS.iter().find(|(_, a, _)| *a == kind).map(|(k, ..)| *k)
    }
}

/// Statistics of one linear's input, borrowed for the length of one call.
#[derive(Debug, Clone, Copy)]
pub struct Statistic<'a> {
    /// Tensor index of the linear's weight.
    pub tensor: usize,
    /// Expert number for stacked experts.
    pub expert: Option<u32>,
    /// What was measured.
    pub kind: StatisticKind,
    /// Tokens that went in. Zero means that nothing was seen, not that the values are zero.
    pub count: u64,
    /// `[k]`, `[k, k]` or `[n, k]`, by kind.
    pub shape: &'a [u64],
    /// The values, row-major.
    pub values: &'a [f32],
}
