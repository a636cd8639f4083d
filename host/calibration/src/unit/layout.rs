//! Which tensors a described unit has, and where.

use serde::{Deserialize, Serialize};

use super::{GramWidth, UnitError, UnitHead};

/// The parts of an entry, 8-byte ones first: they are stored in this order, part by part, so that all lie aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Tokens,
    Dropped,
    Sum,
    SumAbs,
    SumSquares,
    SamplePriorities,
    SampleTokens,
    GramF64,
    GramF32,
    Min,
    Max,
    Samples,
}

impl Part {
    const ALL: [Part; 12] = [
        Part::Tokens,
        Part::Dropped,
        Part::Sum,
        Part::SumAbs,
        Part::SumSquares,
        Part::SamplePriorities,
        Part::SampleTokens,
        Part::GramF64,
        Part::GramF32,
        Part::Min,
        Part::Max,
        Part::Samples,
    ];

    fn word(self) -> &'static str {
        match self {
            Part::Tokens => "tokens",
            Part::Dropped => "dropped",
            Part::Sum => "sum",
            Part::SumAbs => "sum_abs",
            Part::SumSquares => "sum_squares",
            Part::SamplePriorities => "sample_priorities",
            Part::SampleTokens => "sample_tokens",
            Part::GramF64 | Part::GramF32 => "gram",
            Part::Min => "min",
            Part::Max => "max",
            Part::Samples => "samples",
        }
    }

    fn dtype(self) -> &'static str {
        match self {
            Part::Tokens | Part::Dropped | Part::SamplePriorities | Part::SampleTokens => "U64",
            Part::Sum | Part::SumAbs | Part::SumSquares | Part::GramF64 => "F64",
            Part::GramF32 | Part::Min | Part::Max | Part::Samples => "F32",
        }
    }
}

/// A tensor as safetensors describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tensor {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    pub(super) data_offsets: (u64, u64),
}

/// A tensor, its name, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) entry: usize,
    pub(super) part: Part,
    pub(super) name: String,
    pub(super) tensor: Tensor,
}

/// All tensors of a checked description, in the order of their bytes.
pub(super) fn slots(head: &UnitHead) -> Result<Vec<Slot>, UnitError> {
    let mut slots = Vec::new();
    let mut offset = 0u64;
    for part in Part::ALL {
        for (number, entry) in head.entries.iter().enumerate() {
            let (records, columns) = (entry.samples.len() as u64, entry.columns as u64);
            let wide = || UnitError::Entry { feed: entry.feed.clone(), problem: "it is larger than any file".into() };
            let rows = entry.samples.iter().try_fold(0u64, |sum, rows| sum.checked_add(*rows)).ok_or_else(wide)?;
            let shape = match part {
                Part::Tokens | Part::Dropped => vec![records],
                Part::Sum | Part::SumAbs | Part::SumSquares | Part::Min | Part::Max => vec![records, columns],
                Part::SamplePriorities | Part::SampleTokens => vec![rows],
                Part::Samples => vec![rows, columns],
                Part::GramF32 | Part::GramF64 => {
                    let width = if part == Part::GramF64 { GramWidth::F64 } else { GramWidth::F32 };
                    if !entry.gram || head.gram_width != width {
                        continue;
                    }
                    vec![records, columns * (columns + 1) / 2]
                }
            };
            let size = if part.dtype() == "F32" { 4 } else { 8 };
            let bytes = shape.iter().try_fold(size, |bytes: u64, length| bytes.checked_mul(*length));
            let end = bytes.and_then(|bytes| offset.checked_add(bytes)).ok_or_else(wide)?;
            let tensor = Tensor { dtype: part.dtype().to_owned(), shape, data_offsets: (offset, end) };
            slots.push(Slot { entry: number, part, name: format!("{}:{}", entry.feed, part.word()), tensor });
            offset = end;
        }
    }
    Ok(slots)
}
