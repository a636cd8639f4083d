//! A table by source tensor of one model: importance matrices as a job's statistics.

use super::measured::Block;
use super::{Gravity, Handful, Measured, Problem, Table, problems};
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::{Loaded, Source};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{StatisticsName, StatisticsOffer, StatisticsOrigin, StatisticsPart};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Most names that a sentence lists.
const LISTED: usize = 8;

/// A table before its model is known, with the plugin that knows its names.
#[derive(Clone)]
pub struct Named {
    /// The statistics.
    pub table: Arc<Table>,
    /// Who read them.
    pub reader: Arc<Loaded>,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Named({:?} by {})", self.table.origin, self.reader.id)
    }
}

/// One vector of the table.
#[derive(Debug)]
struct Vector {
    entry: String,
    range: Range<usize>,
    count: u64,
}

/// Statistics of one model.
#[derive(Debug)]
pub struct Bound {
    table: Arc<Table>,
    kind: StatisticKind,
    vectors: BTreeMap<StatisticsPart, Vector>,
    warnings: Vec<String>,
}

impl Named {
    /// Finds the source tensor of every vector.
    ///
    /// # Errors
    /// Every problem that forbids use, in one failure.
    pub fn bind(&self, source: &dyn Source) -> Result<Bound, Failure> {
        let names = self.reader.backend.statistics_names(source).map_err(Failure::from)?.names;
        let (bound, found) = self.place(&names);
        let errors: Vec<String> = found.iter().filter(|p| p.gravity == Gravity::Error).map(Problem::sentence).collect();
        if !errors.is_empty() {
            let message = format!(
                "the statistics of {} cannot be used for this model: {}",
                self.table.origin.files.join(", "),
                errors.join("; ")
            );
            return Err(Failure::new(Class::InvalidArguments, message)
                .suggest("Make the importance matrix from this very model; `llm-quantize imatrix show FILE --model MODEL` tells more."));
        }
        Ok(Bound { warnings: found.iter().map(Problem::sentence).collect(), ..bound })
    }

    /// All problems of the table, those with this model included.
    pub fn problems(&self, source: &dyn Source) -> Result<Vec<Problem>, Failure> {
        Ok(self.place(&self.reader.backend.statistics_names(source).map_err(Failure::from)?.names).1)
    }

    fn place(&self, names: &[StatisticsName]) -> (Bound, Vec<Problem>) {
        let mut found = problems(&self.table);
        let kind = StatisticKind::from_word(&self.table.kind).unwrap_or_else(|| {
            found.push(Problem::error("", format!("`{}` is a kind of statistics that is not known", self.table.kind)));
            StatisticKind::SumSquares
        });
        let mut vectors = BTreeMap::new();
        let mut known = HashSet::new();
        for name in names {
            let Some(entry) = self.table.entries.get(&name.name) else { continue };
            known.insert(name.name.as_str());
            let (columns, parts) = (name.columns as usize, name.parts.len());
            let (values, counts) = (entry.values.len(), entry.counts.len());
            if values != columns * parts || (counts != parts && counts != 1) {
                let message = format!("{values} values with {counts} counts, the model has {parts} x {columns}");
                found.push(Problem::error(&name.name, message));
                continue;
            }
            for (index, part) in name.parts.iter().enumerate() {
                let range = index * columns..(index + 1) * columns;
                let count = entry.counts[if counts == 1 { 0 } else { index }];
                vectors.insert(*part, Vector { entry: name.name.clone(), range, count });
            }
        }
        let unknown: Vec<&str> =
            self.table.entries.keys().map(String::as_str).filter(|name| !known.contains(name)).collect();
        if known.is_empty() {
            found.push(Problem::error("", "no entry has the name of a tensor of the model"));
        } else if !unknown.is_empty() {
            let some = unknown.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
            let more = if unknown.len() > LISTED { ", ..." } else { "" };
            let message = format!("{} entries name tensors that the model does not have: {some}{more}", unknown.len());
            found.push(Problem::warning("", message));
        }
        (Bound { table: Arc::clone(&self.table), kind, vectors, warnings: Vec::new() }, found)
    }
}

impl Measured for Bound {
    fn offers(&self) -> Vec<StatisticsOffer> {
        let offer = |(part, vector): (&StatisticsPart, &Vector)| StatisticsOffer {
            tensor: part.tensor,
            kinds: vec![self.kind.word().to_owned()],
            expert: part.expert,
            unseen: vector.count == 0,
        };
        self.vectors.iter().map(offer).collect()
    }

    fn origin(&self) -> &StatisticsOrigin {
        &self.table.origin
    }

    fn checksum(&self) -> String {
        let mut hash = Xxh3::new();
        for (part, vector) in &self.vectors {
            hash.update(&part.tensor.to_le_bytes());
            hash.update(&part.expert.map_or(u64::MAX, u64::from).to_le_bytes());
            hash.update(&vector.count.to_le_bytes());
            for value in &self.table.entries[&vector.entry].values[vector.range.clone()] {
                hash.update(&value.to_le_bytes());
            }
        }
        format!("{:032x}", hash.digest128())
    }

    /// The table is in memory as a whole.
    fn bytes(&self, _: &[usize], _: &[StatisticKind]) -> u64 {
        0
    }

    fn load(&self, tensors: &[usize], kinds: &[StatisticKind]) -> Result<Handful<'_>, Failure> {
        let mut handful = Handful::default();
        for tensor in tensors.iter().filter(|_| kinds.contains(&self.kind)) {
            let of = |expert| StatisticsPart { tensor: *tensor as u32, expert };
            for (part, vector) in self.vectors.range(of(None)..=of(Some(u32::MAX))) {
                let values = &self.table.entries[&vector.entry].values[vector.range.clone()];
                let shape = vec![values.len() as u64];
                let block = Block { kind: self.kind, count: vector.count, shape, values: Cow::Borrowed(values) };
                let block = handful.keep(block);
                handful.give(*part, block);
            }
        }
        Ok(handful)
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
