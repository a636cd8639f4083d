//! Single measures of a record as f32, read without the rest of the file: what quantizers are handed.

use std::io::{Read, Seek, SeekFrom};

use super::layout::{Part, Slot};
use super::read::{read, wrong};
use super::{GramWidth, UnitError, UnitFile};
use crate::gram::{mirror, row_start};

/// One thing that was measured of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Sum of x per channel.
    Sum,
    /// Sum of |x| per channel.
    SumAbs,
    /// Sum of x^2 per channel.
    SumSquares,
    /// Smallest x per channel.
    Min,
    /// Largest x per channel.
    Max,
    /// `sum x x^T`, dense, symmetric, row-major.
    Gram,
    /// Real rows, one behind the other.
    Samples,
}

impl<R: Read + Seek> UnitFile<R> {
    /// Rows that went into each record of an entry.
    ///
    /// # Errors
    /// No entry of that number; what the source says.
    pub fn tokens(&mut self, entry: usize) -> Result<Vec<u64>, UnitError> {
        let records = self.entry(entry)?.samples.len();
        self.seek(entry, Part::Tokens, 0)?;
        read(&mut self.source, records, u64::from_le_bytes)
    }

    /// How many values [`UnitFile::values`] gives; `None` if this was not gathered, or there is no such record.
    pub fn count(&self, entry: usize, record: usize, measure: Measure) -> Option<usize> {
        let head = self.head.entries.get(entry)?;
        let rows = *head.samples.get(record)? as usize;
        match measure {
            Measure::Gram if !head.gram => None,
            Measure::Gram => head.columns.checked_mul(head.columns),
            Measure::Samples if rows == 0 => None,
            Measure::Samples => rows.checked_mul(head.columns),
            _ => Some(head.columns),
        }
    }

    /// One measure of one record, sums rounded to f32; `None` if it was not gathered. A record that nothing went into gives
    /// what was stored of nothing: zeros, and infinite minima and maxima.
    ///
    /// # Errors
    /// Values that no collector gives; no entry of that number; what the source says.
    pub fn values(&mut self, entry: usize, record: usize, measure: Measure) -> Result<Option<Vec<f32>>, UnitError> {
        let Some(count) = self.count(entry, record, measure) else {
            return self.entry(entry).map(|_| None);
        };
        let columns = self.entry(entry)?.columns;
        let narrow = |value: f64| value as f32;
        let (part, values) = match measure {
            Measure::Sum => (Part::Sum, self.sums(entry, record, Part::Sum)?.into_iter().map(narrow).collect()),
            Measure::SumAbs => {
                (Part::SumAbs, self.sums(entry, record, Part::SumAbs)?.into_iter().map(narrow).collect())
            }
            Measure::SumSquares => {
                (Part::SumSquares, self.sums(entry, record, Part::SumSquares)?.into_iter().map(narrow).collect())
            }
            Measure::Min => (Part::Min, self.floats(entry, Part::Min, record * columns, count)?),
            Measure::Max => (Part::Max, self.floats(entry, Part::Max, record * columns, count)?),
            Measure::Gram => (Part::GramF32, self.gram(entry, record, columns)?),
            Measure::Samples => {
                let before: u64 = self.entry(entry)?.samples[..record].iter().sum();
                (Part::Samples, self.floats(entry, Part::Samples, before as usize * columns, count)?)
            }
        };
        let sound = match measure {
            Measure::Min | Measure::Max => values.iter().all(|value| !value.is_nan()),
            Measure::SumAbs | Measure::SumSquares => values.iter().all(|value| value.is_finite() && *value >= 0.0),
            _ => values.iter().all(|value| value.is_finite()),
        };
        match sound {
            true => Ok(Some(values)),
            false => Err(wrong(&self.slot(entry, part).map_or_else(String::new, |slot| slot.name.clone()))),
        }
    }

    fn sums(&mut self, entry: usize, record: usize, part: Part) -> Result<Vec<f64>, UnitError> {
        let columns = self.entry(entry)?.columns;
        self.seek(entry, part, record * columns * 8)?;
        read(&mut self.source, columns, f64::from_le_bytes)
    }

    fn floats(&mut self, entry: usize, part: Part, first: usize, count: usize) -> Result<Vec<f32>, UnitError> {
        self.seek(entry, part, first * 4)?;
        read(&mut self.source, count, f32::from_le_bytes)
    }

    /// Row by row, so that a triangle in doubles is never held beside the matrix.
    fn gram(&mut self, entry: usize, record: usize, columns: usize) -> Result<Vec<f32>, UnitError> {
        let wide = self.head.gram_width == GramWidth::F64;
        let diagonal = if wide { Vec::new() } else { self.sums(entry, record, Part::SumSquares)? };
        let (part, bytes) = if wide { (Part::GramF64, 8) } else { (Part::GramF32, 4) };
        self.seek(entry, part, record * row_start(columns) * bytes)?;
        let mut dense = vec![0.0; columns * columns];
        for row in 0..columns {
            let target = &mut dense[row * columns..][..row + 1];
            match wide {
                true => {
                    let values = read(&mut self.source, row + 1, f64::from_le_bytes)?;
                    target.iter_mut().zip(values).for_each(|(to, value)| *to = value as f32);
                }
                false => target.copy_from_slice(&read(&mut self.source, row + 1, f32::from_le_bytes)?),
            }
            // The diagonal is at hand in full.
            if let Some(squares) = diagonal.get(row) {
                target[row] = *squares as f32;
            }
        }
        mirror(&mut dense, columns);
        Ok(dense)
    }

    fn entry(&self, entry: usize) -> Result<&super::EntryHead, UnitError> {
        let entries = self.head.entries.len();
        self.head.entries.get(entry).ok_or(UnitError::NoEntry { entry, entries })
    }

    fn slot(&self, entry: usize, part: Part) -> Option<&Slot> {
        let same = |slot: &Part| match part {
            Part::GramF32 | Part::GramF64 => matches!(slot, Part::GramF32 | Part::GramF64),
            _ => *slot == part,
        };
        self.slots.iter().find(|slot| slot.entry == entry && same(&slot.part))
    }

    fn seek(&mut self, entry: usize, part: Part, bytes: usize) -> Result<(), UnitError> {
        let entries = self.head.entries.len();
        let begin = self.slot(entry, part).map(|slot| slot.tensor.data_offsets.0);
        let begin = begin.ok_or(UnitError::NoEntry { entry, entries })?;
        self.source.seek(SeekFrom::Start(self.start + begin + bytes as u64))?;
        Ok(())
    }
}
