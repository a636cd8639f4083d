//! The file of a unit: read back as written, readable by others, and refused where it was tampered with.

mod texts;

use std::io::Cursor;

use llmq_calibration::{Collector, Entry, GramWidth, Measure, Options, Source, UnitError, UnitFile, write_unit};
use proptest::prelude::*;
use texts::Random;

const ALL: Options = Options { gram: true, samples: 5 };

/// A dense entry, one of experts of which the last saw nothing, and one of sums only.
fn entries() -> Vec<Entry> {
    let mut random = Random(1);
    let mut dense = Collector::new("text", "layer 0 attention", 30, None, ALL).expect("a size");
    dense.update(&random.rows(100, 30), 0).expect("in order");
    dense.update(&[f32::NAN; 30], 100).expect("in order");
    let mut routed = Collector::new("text", "layer 0 experts", 7, Some(3), ALL).expect("a size");
    routed.update_routed(&random.rows(50, 7), 0, &[0, 1].repeat(50)).expect("in order");
    let sums = Options { gram: false, samples: 0 };
    let mut plain = Collector::new("text", "layer 0 \"quoted\" / down", 3, None, sums).expect("a size");
    plain.update(&random.rows(9, 3), 0).expect("in order");
    vec![
        dense.finish(["q", "k", "v"].map(Source::dense).to_vec()),
        routed.finish((0..3).map(|expert| Source::of_expert(format!("experts.{expert}"), expert)).collect()),
        plain.finish(vec![Source::dense("down")]),
    ]
}

fn file(entries: &[Entry], width: GramWidth) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_unit(&mut bytes, "layer.0", entries, width).expect("entries that fit");
    bytes
}

fn open(bytes: &[u8]) -> Result<UnitFile<Cursor<&[u8]>>, UnitError> {
    UnitFile::open(Cursor::new(bytes))
}

#[test]
fn what_is_written_is_read() {
    let entries = entries();
    let bytes = file(&entries, GramWidth::F64);
    assert_eq!(bytes, file(&entries, GramWidth::F64), "the same bytes");
    let mut unit = open(&bytes).expect("a file");
    assert_eq!(unit.head().unit, "layer.0");
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(&unit.read(number).expect("values"), entry);
    }
    assert!(matches!(unit.read(3), Err(UnitError::NoEntry { entry: 3, entries: 3 })));
    assert_eq!(unit.find("k"), Some(0));
    assert_eq!(unit.find("experts.2"), Some(1));
    assert_eq!(unit.find("lm_head"), None);
}

#[test]
fn gram_matrices_in_f32_are_rounded_once() {
    let entries = entries();
    let bytes = file(&entries, GramWidth::F32);
    let mut unit = open(&bytes).expect("a file");
    let read = unit.read(0).expect("values");
    let (read, gathered) = (&read.records[0], &entries[0].records[0]);
    let (one, other) = (read.gram.as_ref().expect("stored"), gathered.gram.as_ref().expect("gathered"));
    for i in 0..30 {
        assert_eq!(one.get(i, i), gathered.sum_squares[i], "the diagonal keeps f64");
        for j in 0..i {
            assert_eq!(one.get(i, j), f64::from(other.get(i, j) as f32));
        }
    }
    assert_eq!(read.sum, gathered.sum);
    assert!(bytes.len() < file(&entries, GramWidth::F64).len());
}

#[test]
fn single_measures_are_those_of_the_whole() {
    let entries = entries();
    for width in [GramWidth::F32, GramWidth::F64] {
        let bytes = file(&entries, width);
        let mut unit = open(&bytes).expect("a file");
        for number in 0..entries.len() {
            let entry = unit.read(number).expect("values");
            let tokens: Vec<u64> = entry.records.iter().map(|record| record.tokens).collect();
            assert_eq!(unit.tokens(number).expect("values"), tokens);
            for (index, record) in entry.records.iter().enumerate() {
                let narrow = |sums: &[f64]| Some(sums.iter().map(|sum| *sum as f32).collect::<Vec<f32>>());
                let zeros = || record.gram.as_ref().map(|gram| vec![0.0; gram.columns() * gram.columns()]);
                let samples = Some(record.samples.values.clone()).filter(|values| !values.is_empty());
                for (measure, expected) in [
                    (Measure::Sum, narrow(&record.sum)),
                    (Measure::SumAbs, narrow(&record.sum_abs)),
                    (Measure::SumSquares, narrow(&record.sum_squares)),
                    (Measure::Min, Some(record.min.clone())),
                    (Measure::Max, Some(record.max.clone())),
                    (Measure::Gram, record.gram_dense().or_else(zeros)),
                    (Measure::Samples, samples),
                ] {
                    let values = unit.values(number, index, measure).expect("values");
                    assert!(values == expected, "{measure:?} of record {index} of entry {number}");
                    assert_eq!(unit.count(number, index, measure), expected.map(|values| values.len()));
                }
            }
            assert_eq!(unit.values(number, 9, Measure::Sum).expect("no error"), None);
        }
        assert!(matches!(unit.values(3, 0, Measure::Gram), Err(UnitError::NoEntry { entry: 3, .. })));
        assert!(matches!(unit.tokens(3), Err(UnitError::NoEntry { entry: 3, .. })));
    }
}

#[test]
fn single_measures_are_checked() {
    let entries = entries();
    let mut bytes = file(&entries, GramWidth::F32);
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut unit = open(&bytes).expect("a file");
    // The last value of the file is that of a kept row of the experts.
    let refused = unit.values(1, 1, Measure::Samples).expect_err("not a number");
    assert!(matches!(&refused, UnitError::Value { tensor, .. } if tensor == "layer 0 experts:samples"), "{refused}");
    unit.values(1, 0, Measure::Samples).expect("another record");
}

#[test]
fn sums_can_be_read_alone() {
    let entries = entries();
    let bytes = file(&entries, GramWidth::F32);
    let sums = open(&bytes).expect("a file").read_sums(0).expect("values");
    assert_eq!(sums.records[0].importance(), entries[0].records[0].importance());
    assert_eq!(sums.records[0].dropped, 1);
    assert!(sums.records[0].gram.is_none() && sums.records[0].samples.values.is_empty());
}

#[test]
fn other_tools_can_read_it() {
    let entries = entries();
    let bytes = file(&entries, GramWidth::F64);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let sum = tensors.tensor("layer 0 attention:sum").expect("there");
    assert_eq!((sum.dtype(), sum.shape()), (safetensors::Dtype::F64, &[1, 30][..]));
    let first = f64::from_le_bytes(sum.data()[..8].try_into().expect("eight bytes"));
    assert_eq!(first, entries[0].records[0].sum[0]);
    assert_eq!(tensors.tensor("layer 0 experts:gram").expect("there").shape(), &[3, 28]);
    let start = bytes.len() - tensors.iter().map(|(_, tensor)| tensor.data().len()).sum::<usize>();
    assert_eq!(start % 8, 0, "values lie aligned");
}

/// The file with its header edited as text.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let bytes = file(&entries(), GramWidth::F32);
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).expect("text");
    assert!(header.contains(from), "{from} in {header}");
    let header = header.replacen(from, to, 1);
    let mut edited = (header.len() as u64).to_le_bytes().to_vec();
    edited.extend_from_slice(header.as_bytes());
    edited.extend_from_slice(&bytes[8 + length..]);
    edited
}

#[test]
fn headers_that_lie_are_refused() {
    let problem = |bytes: &[u8]| open(bytes).expect_err("refused");
    assert!(matches!(problem(&[1, 2, 3]), UnitError::Length { found: 3, .. }));
    assert!(matches!(problem(&u64::MAX.to_le_bytes()), UnitError::HeaderLength(u64::MAX)));
    assert!(matches!(problem(&[200, 0, 0, 0, 0, 0, 0, 0, b'{']), UnitError::Length { found: 9, expected: 208 }));
    assert!(matches!(problem(&edited("\"__metadata__\"", "\"__other__\"")), UnitError::Header(_)));
    assert!(matches!(problem(&edited("\\\"version\\\":1", "\\\"version\\\":2")), UnitError::Version(2)));
    let columns = |to: &str| edited("\\\"columns\\\":30", &format!("\\\"columns\\\":{to}"));
    assert!(matches!(problem(&columns("31")), UnitError::Tensor(_)));
    assert!(matches!(problem(&columns("0")), UnitError::Entry { .. }));
    assert!(matches!(problem(&columns("18446744073709551615")), UnitError::Entry { .. }));
    assert!(matches!(problem(&columns("-1")), UnitError::Header(_)));
    let samples = edited("\\\"samples\\\":[5]", "\\\"samples\\\":[18446744073709551615]");
    assert!(matches!(problem(&samples), UnitError::Entry { .. }));
    let many = edited("\\\"samples\\\":[5]", "\\\"samples\\\":[5,0]");
    assert!(matches!(problem(&many), UnitError::Entry { .. }), "two records without experts");
    assert!(matches!(problem(&edited("\\\"expert\\\":2", "\\\"expert\\\":3")), UnitError::Entry { .. }));
    assert!(matches!(problem(&edited("layer 0 experts:sum", "layer 0 experts:som")), UnitError::Tensor(_)));
    assert!(matches!(problem(&edited("\"shape\":[1,30]", "\"shape\":[30]")), UnitError::Tensor(_)));
    let twice = edited("\\\"feed\\\":\\\"layer 0 experts", "\\\"feed\\\":\\\"layer 0 attention");
    assert!(matches!(problem(&twice), UnitError::Header(problem) if problem.contains("two entries")));
    let mut long = file(&entries(), GramWidth::F32);
    long.push(0);
    assert!(matches!(problem(&long), UnitError::Length { .. }));
    long.truncate(long.len() - 2);
    assert!(matches!(problem(&long), UnitError::Length { .. }));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let spoilt = |spoil: fn(&mut Entry)| {
        let mut entries = entries();
        spoil(&mut entries[0]);
        let bytes = file(&entries, GramWidth::F64);
        let read = open(&bytes).expect("a file").read(0);
        read.expect_err("refused")
    };
    let spoils: [fn(&mut Entry); 6] = [
        |entry| entry.records[0].sum[3] = f64::NAN,
        |entry| entry.records[0].sum_squares[3] = -1.0,
        |entry| entry.records[0].sum_abs[3] = f64::INFINITY,
        |entry| entry.records[0].min[3] = f32::NEG_INFINITY,
        |entry| entry.records[0].samples.values[3] = f32::NAN,
        |entry| entry.records[0].samples.priorities.reverse(),
    ];
    for spoil in spoils {
        assert!(matches!(spoilt(spoil), UnitError::Value { .. }));
    }
}

#[test]
fn entries_that_contradict_themselves_are_not_written() {
    let refused = |spoil: fn(&mut Vec<Entry>)| {
        let mut entries = entries();
        spoil(&mut entries);
        write_unit(&mut Vec::new(), "layer.0", &entries, GramWidth::F32).is_err()
    };
    assert!(refused(|entries| entries[0].records[0].sum.truncate(29)));
    assert!(refused(|entries| entries[1].records[1].gram = None));
    assert!(refused(|entries| entries[1].records.clear()));
    assert!(refused(|entries| entries[0].sources.push(Source::of_expert("x", 0))));
    assert!(refused(|entries| entries[1].feed = entries[0].feed.clone()));
}

proptest! {
    #[test]
    fn damaged_files_give_errors_or_values(at in 0usize..4000, byte in any::<u8>(), end in any::<proptest::sample::Index>()) {
        let mut bytes = file(&entries(), GramWidth::F32);
        let at = at % bytes.len();
        bytes[at] = byte;
        let shorter = end.index(bytes.len());
        prop_assert!(open(&bytes[..shorter]).is_err(), "{} of {} bytes", shorter, bytes.len());
        if let Ok(mut unit) = open(&bytes) {
            for entry in 0..unit.head().entries.len() {
                let _ = unit.read(entry);
            }
        }
    }

    #[test]
    fn any_bytes_give_errors(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&bytes).is_err());
    }
}
