//! Statistics that were gathered this moment, by source tensor: the numbers that a folder of them would give.

use super::Handful;
use super::measured::Block;
use super::of_folder::KINDS;
use crate::failure::{Class, Failure};
use llmq_calibration::{Entry, Measure, Record};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{ModelDescription, StatisticsPart};
use std::borrow::Cow;

/// The statistics of some tensors, those of these kinds that were gathered.
///
/// # Errors
/// Sums that are too large for single precision.
pub fn handful(
    entries: Vec<Entry>,
    description: &ModelDescription,
    tensors: &[usize],
    kinds: &[StatisticKind],
) -> Result<Handful<'static>, Failure> {
    let mut handful = Handful::default();
    for entry in entries {
        let readers = readers(&entry, description, tensors);
        let feed = entry.feed;
        // One record at a time, so that no sums are held beside all that is made of them.
        for (number, mut record) in entry.records.into_iter().enumerate() {
            let parts: Vec<StatisticsPart> =
                readers.iter().filter(|(of, _)| *of == number).map(|(_, part)| *part).collect();
            for (kind, measure) in KINDS.iter().filter(|(kind, _)| kinds.contains(kind) && !parts.is_empty()) {
                let Some((shape, values)) = values(&mut record, entry.columns, *measure) else { continue };
                let extreme = matches!(measure, Measure::Min | Measure::Max);
                if values.iter().any(|value| value.is_nan() || (!extreme && value.is_infinite())) {
                    let message = format!("the {} of `{feed}` is beyond what single precision holds", kind.word());
                    return Err(Failure::new(Class::General, message).suggest("Calibrate with fewer samples."));
                }
                let block = Block { kind: *kind, count: record.tokens, shape, values: Cow::Owned(values) };
                let block = handful.keep(block);
                parts.iter().for_each(|part| handful.give(*part, block));
            }
        }
    }
    Ok(handful)
}

/// Records, and who reads them: of a tensor that holds several experts every expert by itself.
fn readers(entry: &Entry, description: &ModelDescription, tensors: &[usize]) -> Vec<(usize, StatisticsPart)> {
    let mut readers = Vec::new();
    for tensor in tensors {
        let name = &description.tensors[*tensor].name;
        let part = |expert| StatisticsPart { tensor: *tensor as u32, expert };
        match entry.sources.iter().find(|source| source.tensor == *name).map(|source| source.expert) {
            None => {}
            Some(Some(expert)) => readers.push((expert as usize, part(None))),
            Some(None) if entry.records.len() == 1 => readers.push((0, part(None))),
            Some(None) => readers.extend((0..entry.records.len()).map(|record| (record, part(Some(record as u32))))),
        }
    }
    readers
}

/// One measure of a record, and its shape. A Gram matrix and rows are taken out of the record, whose last use this is.
fn values(record: &mut Record, columns: usize, measure: Measure) -> Option<(Vec<u64>, Vec<f32>)> {
    let narrow = |sums: &[f64]| sums.iter().map(|sum| *sum as f32).collect::<Vec<f32>>();
    let width = columns as u64;
    Some(match measure {
        Measure::Sum => (vec![width], narrow(&record.sum)),
        Measure::SumAbs => (vec![width], narrow(&record.sum_abs)),
        Measure::SumSquares => (vec![width], narrow(&record.sum_squares)),
        Measure::Min => (vec![width], record.min.clone()),
        Measure::Max => (vec![width], record.max.clone()),
        Measure::Gram => {
            let gram = record.gram.take()?;
            let mut dense = vec![0.0; columns * columns];
            gram.write_dense(&mut dense);
            (vec![width, width], dense)
        }
        Measure::Samples => {
            let rows = std::mem::take(&mut record.samples.values);
            (!rows.is_empty()).then(|| (vec![(rows.len() / columns.max(1)) as u64, width], rows))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_calibration::{Collector, Options, Source};

    #[test]
    fn experts_of_one_tensor_are_parts_and_those_of_several_are_tensors() {
        let mut description = crate::check::Specimen::odd().description;
        description.tensors.truncate(3);
        let names = ["stacked", "one", "two"];
        description.tensors.iter_mut().zip(names).for_each(|(tensor, name)| tensor.name = name.into());
        let options = Options { gram: true, samples: 1 };
        let mut collector = Collector::new("text", "feed", 2, Some(2), options).unwrap();
        collector.update_expert(1, &[1.0, -2.0, 3.0, 4.0], &[0, 1]).unwrap();
        let sources = vec![Source::dense("stacked"), Source::of_expert("one", 0), Source::of_expert("two", 1)];
        let entry = collector.finish(sources);
        let kinds = [StatisticKind::Gram, StatisticKind::Max, StatisticKind::Samples];
        let found = handful(vec![entry.clone()], &description, &[0, 2], &kinds).unwrap();
        let seen: Vec<_> =
            found.views().iter().map(|s| (s.tensor, s.expert, s.kind, s.count, s.values.len())).collect();
        // Of an expert that nothing reached there are no rows, but all else, with a count of zero.
        let (gram, max, rows) = (StatisticKind::Gram, StatisticKind::Max, StatisticKind::Samples);
        let of = |tensor, expert, kind, count, values| (tensor, expert, kind, count, values);
        let expected = [
            of(0, Some(0), max, 0, 2),
            of(0, Some(0), gram, 0, 4),
            of(0, Some(1), max, 2, 2),
            of(2, None, max, 2, 2),
            of(0, Some(1), gram, 2, 4),
            of(2, None, gram, 2, 4),
            of(0, Some(1), rows, 2, 2),
            of(2, None, rows, 2, 2),
        ];
        assert_eq!(seen, expected);
        let grams = found.views().into_iter().filter(|s| s.kind == gram && s.count > 0).collect::<Vec<_>>();
        assert_eq!(grams[0].values, [10.0, 10.0, 10.0, 20.0]);
        assert_eq!(grams[0].values.as_ptr(), grams[1].values.as_ptr(), "one matrix for both");
        assert!(handful(vec![entry], &description, &[1], &[]).unwrap().views().is_empty());
    }
}
