//! Statistics that were gathered here, as a table in the words of a plugin: what becomes an importance matrix.

use super::{Entry, Table};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{Counted, StatisticsName, StatisticsOrigin, StatisticsPart};

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Names of the texts.
    pub datasets: Vec<String>,
    /// Tokens of a sample.
    pub chunk_size: u64,
    /// Samples.
    pub chunks: u64,
}

/// Builds a table of sums of squares. `sums` gives those of a source tensor, channel by channel, and the tokens that
/// they are sums of; tensors that it knows nothing of have no entry.
pub fn gathered<'a>(
    names: &[StatisticsName],
    origin: Origin,
    sums: impl Fn(StatisticsPart) -> Option<(&'a [f64], u64)>,
) -> Table {
    let mut table = Table {
        kind: StatisticKind::SumSquares.word().to_owned(),
        counted: Counted::Tokens,
        chunk_size: Some(origin.chunk_size),
        ..Table::default()
    };
    for name in names {
        let columns = name.columns as usize;
        let parts: Option<Vec<_>> = name.parts.iter().map(|part| sums(*part)).collect();
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else { continue };
        if parts.iter().any(|(values, _)| values.len() != columns) {
            // A matrix that the format cuts so that other channels feed it, which nothing here looked at.
            table.warnings.push(format!("`{}` has no statistics: the format cuts its matrix differently", name.name));
            continue;
        }
        let values = parts.iter().flat_map(|(values, _)| values.iter().map(|sum| *sum as f32)).collect();
        let counts = parts.iter().map(|(_, tokens)| *tokens).collect();
        table.entries.insert(name.name.clone(), Entry { values, counts });
    }
    table.origin = StatisticsOrigin {
        files: Vec::new(),
        datasets: origin.datasets,
        entries: table.entries.len() as u64,
        chunks: origin.chunks,
    };
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experts_stand_behind_each_other_and_foreign_shapes_are_left_out() {
        let part = |tensor| StatisticsPart { tensor, expert: None };
        let name = |name: &str, columns, tensors: &[u32]| StatisticsName {
            name: name.to_owned(),
            columns,
            parts: tensors.iter().map(|tensor| part(*tensor)).collect(),
        };
        let names = [name("experts", 2, &[0, 1]), name("cut", 3, &[0]), name("unseen", 2, &[9])];
        let (one, two) = ([1.0, 4.0], [9.0, 16.0]);
        let origin = Origin { datasets: vec!["text".into()], chunk_size: 512, chunks: 3 };
        let table = gathered(&names, origin, |part| match part.tensor {
            0 => Some((&one[..], 10)),
            1 => Some((&two[..], 0)),
            _ => None,
        });
        assert_eq!(table.entries.len(), 1);
        assert_eq!(table.entries["experts"], Entry { values: vec![1.0, 4.0, 9.0, 16.0], counts: vec![10, 0] });
        assert_eq!((table.warnings.len(), table.origin.chunks), (1, 3));
    }
}
