//! The description of a unit: what is in its file, without the values.

use serde::{Deserialize, Serialize};

use super::{MAX_ENTRIES, UnitError, VERSION};
use crate::record::{Entry, Source};
use crate::{MAX_COLUMNS, MAX_EXPERTS};

/// In what form Gram matrices are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GramWidth {
    /// f32: half the size; rounding (6e-8 of each value) stays below the error of the sums.
    #[default]
    F32,
    /// f64, as gathered.
    F64,
}

/// The description of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitHead {
    /// [`VERSION`].
    pub version: u32,
    /// Id of the unit.
    pub unit: String,
    /// In what form Gram matrices are stored.
    pub gram_width: GramWidth,
    /// The entries.
    pub entries: Vec<EntryHead>,
}

/// The description of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryHead {
    /// Name of the feed, unique in the unit.
    pub feed: String,
    /// Every tensor that reads it.
    pub sources: Vec<Source>,
    /// Channels.
    pub columns: usize,
    /// Whether the records are experts.
    pub routed: bool,
    /// Whether there are Gram matrices.
    pub gram: bool,
    /// Sampled rows of each record; their number is the number of records.
    pub samples: Vec<u64>,
}

impl UnitHead {
    /// The description of entries.
    ///
    /// # Errors
    /// Entries whose parts do not belong together, or beyond the limits.
    pub(super) fn of(unit: &str, entries: &[Entry], gram_width: GramWidth) -> Result<UnitHead, UnitError> {
        let heads = entries.iter().map(EntryHead::of).collect::<Result<_, _>>()?;
        let head = UnitHead { version: VERSION, unit: unit.to_owned(), gram_width, entries: heads };
        head.check()?;
        Ok(head)
    }

    /// The limits, and that entries do not contradict themselves.
    pub(super) fn check(&self) -> Result<(), UnitError> {
        if self.version != VERSION {
            return Err(UnitError::Version(self.version));
        }
        if self.entries.len() > MAX_ENTRIES {
            return Err(UnitError::Header(format!("{} entries, at most {MAX_ENTRIES} are read", self.entries.len())));
        }
        let mut feeds: Vec<&str> = self.entries.iter().map(|entry| entry.feed.as_str()).collect();
        feeds.sort_unstable();
        if let Some(twice) = feeds.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(UnitError::Header(format!("two entries are called `{}`", twice[0])));
        }
        self.entries.iter().try_for_each(EntryHead::check)
    }
}

impl EntryHead {
    fn of(entry: &Entry) -> Result<EntryHead, UnitError> {
        let columns = entry.columns;
        let gram = entry.records.first().is_some_and(|record| record.gram.is_some());
        for record in &entry.records {
            let sums = [&record.sum, &record.sum_abs, &record.sum_squares];
            let samples = &record.samples;
            let fits = sums.iter().all(|sums| sums.len() == columns)
                && [&record.min, &record.max].iter().all(|values| values.len() == columns)
                && record.gram.is_some() == gram
                && record.gram.as_ref().is_none_or(|gram| gram.columns() == columns)
                && samples.priorities.len() == samples.tokens.len()
                && samples.tokens.len().checked_mul(columns) == Some(samples.values.len());
            if !fits {
                let problem = format!("its records do not all have {columns} channels and the same parts");
                return Err(UnitError::Entry { feed: entry.feed.clone(), problem });
            }
        }
        Ok(EntryHead {
            feed: entry.feed.clone(),
            sources: entry.sources.clone(),
            columns,
            routed: entry.routed,
            gram,
            samples: entry.records.iter().map(|record| record.samples.tokens.len() as u64).collect(),
        })
    }

    fn check(&self) -> Result<(), UnitError> {
        let records = self.samples.len();
        let wrong = |problem: String| Err(UnitError::Entry { feed: self.feed.clone(), problem });
        if self.columns == 0 || self.columns > MAX_COLUMNS {
            return wrong(format!("{} channels (1 to {MAX_COLUMNS} are possible)", self.columns));
        }
        if records == 0 || records > if self.routed { MAX_EXPERTS } else { 1 } {
            return wrong(format!("{records} records (1, or 1 to {MAX_EXPERTS} experts)"));
        }
        let beyond = |source: &&Source| source.expert.is_some_and(|expert| !self.routed || expert as usize >= records);
        match self.sources.iter().find(beyond) {
            Some(source) => wrong(format!("`{}` belongs to an expert that is not there", source.tensor)),
            None => Ok(()),
        }
    }
}
