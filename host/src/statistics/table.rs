//! The contents of one statistics file, or of several added up.

use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::{Counted, StatisticsOrigin};
use std::collections::BTreeMap;

/// Tokens of a chunk where no file says: what the tools that count in chunks use unless told otherwise.
const DEFAULT_CHUNK: u64 = 512;

/// Statistics by the names of the plugin that read them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Word of the one kind that every entry holds.
    pub kind: String,
    /// By name.
    pub entries: BTreeMap<String, Entry>,
    /// Unit of the counts.
    pub counted: Counted,
    /// Tokens of a chunk, if stated.
    pub chunk_size: Option<u64>,
    /// Where it all comes from.
    pub origin: StatisticsOrigin,
    /// Sentences about oddities of the files.
    pub warnings: Vec<String>,
}

/// The statistics of one tensor: `counts.len()` vectors of equal length behind each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Sums over what the counts count.
    pub values: Vec<f32>,
    /// What went into each vector.
    pub counts: Vec<u64>,
}

/// Which entries are wanted, by parts of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Only entries whose names hold one of these texts.
    Include(Vec<String>),
    /// All entries but those whose names hold one of these texts.
    Exclude(Vec<String>),
}

impl Table {
    /// Adds another table: sums to sums, counts to counts, entries that are new as they are.
    pub fn add(&mut self, other: Table) -> Result<(), Failure> {
        let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
        if self.kind != other.kind {
            return Err(refuse(format!("`{}` and `{}` cannot be added up", self.kind, other.kind)));
        }
        let mut other = other;
        if self.counted != other.counted {
            // Means of chunks and sums of tokens are added as what they stand for.
            let size = self.chunk_size.or(other.chunk_size).unwrap_or(DEFAULT_CHUNK);
            self.count_tokens(size);
            other.count_tokens(size);
        }
        for (name, entry) in other.entries {
            match self.entries.get_mut(&name) {
                None => {
                    self.entries.insert(name, entry);
                }
                Some(sum) => sum.add(entry).map_err(|(was, is)| {
                    let files = other.origin.files.join(", ");
                    refuse(format!(
                        "`{name}` has {is} in {files} and {was} in the files before; they are of different models"
                    ))
                })?,
            }
        }
        if let (Some(one), Some(two)) = (self.chunk_size, other.chunk_size)
            && one != two
        {
            self.warnings.push(format!("the files were made with chunks of {one} and {two} tokens; {one} is kept"));
        }
        self.chunk_size = self.chunk_size.or(other.chunk_size);
        self.origin.files.extend(other.origin.files);
        self.origin.datasets.extend(other.origin.datasets);
        self.origin.chunks = self.origin.chunks.saturating_add(other.origin.chunks);
        self.origin.entries = self.entries.len() as u64;
        self.warnings.extend(other.warnings);
        Ok(())
    }

    /// Makes all counts token counts, with chunks of `size` tokens where the file counted chunks.
    pub fn count_tokens(&mut self, size: u64) {
        if self.counted == Counted::Tokens {
            return;
        }
        for entry in self.entries.values_mut() {
            entry.values.iter_mut().for_each(|value| *value *= size as f32);
            entry.counts.iter_mut().for_each(|count| *count = count.saturating_mul(size));
        }
        self.counted = Counted::Tokens;
        self.chunk_size = Some(size);
    }

    /// Gets ready for writing: token counts, and a chunk size that was asked for, stated or usual.
    pub fn settle(&mut self, chunk_size: Option<u64>) {
        let size = chunk_size.or(self.chunk_size).unwrap_or(DEFAULT_CHUNK);
        self.count_tokens(size);
        self.chunk_size = Some(size);
    }

    /// Keeps what is chosen. A text that no name holds is an error: it is a slip, and ignoring it would show only in the
    /// quality of the result.
    pub fn choose(&mut self, choice: &Choice) -> Result<(), Failure> {
        let (Choice::Include(texts) | Choice::Exclude(texts)) = choice;
        for text in texts {
            if !self.entries.keys().any(|name| name.contains(text.as_str())) {
                let message = format!("`{text}` matches no entry of {}", self.origin.files.join(", "));
                let some: Vec<&str> = self.entries.keys().take(3).map(String::as_str).collect();
                let hint = format!("A name must hold the text as it is typed; names are like {}.", some.join(", "));
                return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
            }
        }
        let named = |name: &str| texts.iter().any(|text| name.contains(text.as_str()));
        self.entries.retain(|name, _| named(name) == matches!(choice, Choice::Include(_)));
        self.origin.entries = self.entries.len() as u64;
        Ok(())
    }
}

impl Entry {
    /// Adds another entry; the error says how both are shaped. A single count spreads over the vectors of the other.
    fn add(&mut self, mut other: Entry) -> Result<(), (String, String)> {
        let shape = |entry: &Entry| format!("{} values with {} counts", entry.values.len(), entry.counts.len());
        let unequal = (shape(self), shape(&other));
        let (own, others) = (self.counts.len(), other.counts.len());
        for (few, many) in [(&mut self.counts, others), (&mut other.counts, own)] {
            if few.len() == 1 && many > 1 {
                *few = vec![few[0]; many];
            }
        }
        if self.values.len() != other.values.len() || self.counts.len() != other.counts.len() {
            return Err(unequal);
        }
        self.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
        Ok(())
    }

    /// Values of each vector; 0 if the counts do not divide them.
    pub fn columns(&self) -> usize {
        let even = !self.counts.is_empty() && self.values.len().is_multiple_of(self.counts.len());
        if even { self.values.len() / self.counts.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, values: &[f32], counts: &[u64]) -> Table {
        let entry = Entry { values: values.to_vec(), counts: counts.to_vec() };
        let origin = StatisticsOrigin { files: vec![format!("{name}.x")], entries: 1, chunks: 2, ..Default::default() };
        Table { kind: "sum_squares".into(), entries: [(name.to_owned(), entry)].into(), origin, ..Table::default() }
    }

    #[test]
    fn sums_and_counts_are_added_and_a_single_count_spreads() {
        let mut sum = table("a", &[1.0, 2.0, 3.0, 4.0], &[5]);
        sum.add(table("a", &[10.0, 0.5, 0.0, 1.0], &[2, 0])).unwrap();
        sum.add(table("b", &[1.0], &[1])).unwrap();
        assert_eq!(sum.entries["a"], Entry { values: vec![11.0, 2.5, 3.0, 5.0], counts: vec![7, 5] });
        assert_eq!((sum.origin.entries, sum.origin.chunks, sum.origin.files.len()), (2, 6, 3));
        let failure = sum.add(table("a", &[1.0, 2.0], &[1])).unwrap_err();
        assert!(failure.message.contains("2 values") && failure.message.contains("4 values"), "{}", failure.message);
    }

    #[test]
    fn chunks_become_tokens_when_they_meet_tokens() {
        let mut chunks = Table { counted: Counted::Chunks, ..table("a", &[3.0], &[3]) };
        chunks.add(Table { chunk_size: Some(256), ..table("a", &[100.0], &[256]) }).unwrap();
        assert_eq!(chunks.entries["a"], Entry { values: vec![868.0], counts: vec![1024] });
        assert_eq!((chunks.counted, chunks.chunk_size), (Counted::Tokens, Some(256)));
    }

    #[test]
    fn choices_hold_texts_and_slips_are_refused() {
        let mut both = table("blk.0.ffn_down.weight", &[1.0], &[1]);
        both.add(table("blk.0.attn_q.weight", &[1.0], &[1])).unwrap();
        let chosen = |choice: Choice| {
            let mut table = both.clone();
            table.choose(&choice).map(|()| table.entries.into_keys().collect::<Vec<_>>())
        };
        assert_eq!(chosen(Choice::Include(vec!["ffn".into()])).unwrap(), ["blk.0.ffn_down.weight"]);
        assert_eq!(chosen(Choice::Exclude(vec!["ffn".into()])).unwrap(), ["blk.0.attn_q.weight"]);
        let slip = chosen(Choice::Exclude(vec!["ffn".into(), "ffm".into()])).unwrap_err();
        assert!(slip.message.starts_with("`ffm` matches no entry"), "{}", slip.message);
    }
}
