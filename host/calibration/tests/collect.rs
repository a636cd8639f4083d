//! Sums, dropped rows, samples, experts: what a collector makes of rows, and what it refuses.

mod texts;

use llmq_calibration::{BLOCK_ROWS, CollectError, Collector, LARGEST, Options, Record, Source, memory_bytes};
use texts::Random;

const SUMS: Options = Options { gram: false, samples: 0 };
const ALL: Options = Options { gram: true, samples: 10 };

fn collector(columns: usize, experts: Option<usize>, options: Options) -> Collector {
    Collector::new("text", "feed", columns, experts, options).expect("a size")
}

fn record(rows: &[f32], columns: usize, options: Options) -> Record {
    let mut collector = collector(columns, None, options);
    collector.update(rows, 0).expect("in order");
    collector.finish(Vec::new()).records.remove(0)
}

#[test]
fn sums_are_those_of_plain_f64() {
    for columns in [1, 5, 256, 257, 600] {
        let x = Random(1).rows(BLOCK_ROWS + 9, columns);
        let record = record(&x, columns, SUMS);
        assert_eq!(record.tokens, (BLOCK_ROWS + 9) as u64);
        for channel in 0..columns {
            let values = || x.iter().skip(channel).step_by(columns).map(|x| f64::from(*x));
            let near =
                |ours: f64, exact: f64, scale: f64| assert!((ours - exact).abs() <= 1e-13 * scale, "{ours} {exact}");
            let size: f64 = values().map(f64::abs).sum();
            near(record.sum[channel], values().sum(), size);
            near(record.sum_abs[channel], size, size);
            near(record.sum_squares[channel], values().map(|x| x * x).sum(), size);
            assert_eq!(f64::from(record.min[channel]), values().fold(f64::INFINITY, f64::min));
            assert_eq!(f64::from(record.max[channel]), values().fold(f64::NEG_INFINITY, f64::max));
        }
    }
}

#[test]
fn sums_that_cancel_are_kept() {
    // A large value, many small ones, the large one again with another sign: a plain f64 sum loses the small ones.
    let mut x = vec![1.0f32; 10_000];
    x[0] = 1e11;
    x[9_999] = -1e11;
    x[5_000] = 1e-6;
    let sum = record(&x, 1, SUMS).sum[0];
    assert!((sum - (9_997.0 + f64::from(1e-6f32))).abs() < 2e-2, "{sum}");
}

#[test]
fn rows_that_are_not_finite_are_dropped_whole() {
    let (columns, rows) = (40, 900);
    let good = Random(2).rows(rows, columns);
    let expected = record(&good, columns, ALL);
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, LARGEST * 1.001];
    // Each bad row stands before a good one; tokens are counted on.
    let mut collector = collector(columns, None, Options { samples: 0, ..ALL });
    let mut token = 0;
    for (number, row) in good.chunks_exact(columns).enumerate() {
        let mut batch = Vec::new();
        if let Some(bad) = bad.get(number % 50) {
            batch.extend_from_slice(row);
            batch[number % columns] = *bad;
        }
        batch.extend_from_slice(row);
        collector.update(&batch, token).expect("in order");
        token += (batch.len() / columns) as u64;
    }
    let record = collector.finish(Vec::new()).records.remove(0);
    assert_eq!(record.dropped, 900 / 50 * 4);
    assert_eq!(record, Record { dropped: record.dropped, samples: Default::default(), ..expected });
}

#[test]
fn samples_are_real_rows_and_do_not_depend_on_batches() {
    let (columns, rows) = (3, 1000);
    let x = Random(3).rows(rows, columns);
    let options = Options { gram: false, samples: 50 };
    let whole = record(&x, columns, options).samples;
    assert_eq!(whole.tokens.len(), 50);
    assert!(whole.priorities.is_sorted());
    for (row, token) in whole.values.chunks_exact(columns).zip(&whole.tokens) {
        assert_eq!(row, &x[*token as usize * columns..][..columns]);
    }
    let mut pieces = collector(columns, None, options);
    for (token, row) in x.chunks_exact(columns).enumerate() {
        pieces.update(row, token as u64).expect("in order");
    }
    assert_eq!(pieces.finish(Vec::new()).records[0].samples, whole);
    // Spread over the text: 50 of 1000 all from one half would be a chance of 2^-49.
    assert!(whole.tokens.iter().any(|t| *t < 500) && whole.tokens.iter().any(|t| *t >= 500));
    let other = Collector::new("text", "other feed", columns, None, options).map(|mut c| {
        c.update(&x, 0).expect("in order");
        c.finish(Vec::new()).records.remove(0).samples.tokens
    });
    assert_ne!(other, Ok(whole.tokens), "another feed has another choice");
    assert_eq!(record(&x[..9], columns, options).samples.tokens.len(), 3, "fewer rows than places");
}

#[test]
fn experts_see_their_own_tokens() {
    let (columns, experts, rows) = (20, 5, 1500);
    let mut random = Random(4);
    let x = random.rows(rows, columns);
    // Expert 4 never comes.
    let routing: Vec<u32> = (0..rows).flat_map(|_| [random.next() as u32 % 2, 2 + random.next() as u32 % 2]).collect();
    let mut routed = collector(columns, Some(experts), ALL);
    for (number, batch) in x.chunks(400 * columns).enumerate() {
        let routing = &routing[number * 800..][..batch.len() / columns * 2];
        routed.update_routed(batch, number as u64 * 400, routing).expect("in order");
    }
    let mut gathered = collector(columns, Some(experts), ALL);
    for expert in 0..experts {
        let tokens: Vec<u64> =
            (0..rows).filter(|row| routing[row * 2..][..2].contains(&(expert as u32))).map(|row| row as u64).collect();
        let rows: Vec<f32> = tokens.iter().flat_map(|t| &x[*t as usize * columns..][..columns]).copied().collect();
        gathered.update_expert(expert, &rows, &tokens).expect("in order");
        assert_eq!(gathered.tokens(Some(expert)), tokens.len() as u64);
    }
    let (routed, gathered) = (routed.finish(Vec::new()), gathered.finish(Vec::new()));
    assert_eq!(routed, gathered);
    assert_eq!(routed.records[4].tokens, 0);
    assert_eq!(routed.records[4].importance(), None, "nothing seen is not zero");
    assert_eq!(routed.records.iter().map(|r| r.tokens).sum::<u64>(), 2 * rows as u64);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut dense = collector(4, None, SUMS);
    assert!(matches!(dense.update(&[0.0; 6], 0), Err(CollectError::Shape { values: 6, .. })));
    dense.update(&[1.0; 8], 5).expect("gaps are allowed");
    assert!(matches!(dense.update(&[0.0; 4], 6), Err(CollectError::Order { token: 6, expected: 7, .. })));
    assert!(matches!(dense.update(&[0.0; 4], u64::MAX), Err(CollectError::Order { .. })));
    assert!(matches!(dense.update_expert(0, &[0.0; 4], &[9]), Err(CollectError::Expert { experts: 0, .. })));
    assert!(matches!(dense.update_routed(&[0.0; 4], 9, &[0]), Err(CollectError::Expert { experts: 0, .. })));
    dense.update(&[], 0).expect_err("even an empty batch has a place");
    dense.update(&[], 7).expect("nothing");
    assert_eq!(dense.finish(Vec::new()).records[0].tokens, 2);

    let mut routed = collector(2, Some(3), SUMS);
    assert!(matches!(routed.update(&[0.0; 2], 0), Err(CollectError::Unrouted { .. })));
    assert!(matches!(routed.update_routed(&[0.0; 4], 0, &[0, 3]), Err(CollectError::Expert { expert: 3, .. })));
    assert!(matches!(routed.update_routed(&[0.0; 4], 0, &[0, 1, 2]), Err(CollectError::Shape { .. })));
    assert!(matches!(
        routed.update_expert(1, &[0.0; 4], &[3, 3]),
        Err(CollectError::Order { token: 3, expected: 4, .. })
    ));
    routed.update_expert(1, &[0.0; 4], &[3, 8]).expect("in order");
    assert!(matches!(routed.update_routed(&[0.0; 4], 8, &[0, 1]), Err(CollectError::Order { token: 8, .. })));
    assert_eq!(routed.tokens(Some(0)), 0, "a refused batch counts nowhere");

    for (columns, experts) in [(0, None), (usize::MAX, None), (8, Some(0)), (8, Some(usize::MAX))] {
        assert!(matches!(Collector::new("", "", columns, experts, ALL), Err(CollectError::Size { .. })));
    }
}

#[test]
fn memory_is_known_before() {
    for (columns, experts) in [(1, None), (100, None), (1000, None), (96, Some(3))] {
        for options in [SUMS, ALL, Options { gram: true, samples: 0 }, Options { gram: false, samples: 33 }] {
            let mut collector = collector(columns, experts, options);
            assert_eq!(collector.held_bytes(), memory_bytes(columns, experts, options));
            let rows = Random(5).rows(700, columns);
            match experts {
                None => collector.update(&rows, 0).expect("in order"),
                Some(_) => collector.update_routed(&rows, 0, &[1; 700]).expect("in order"),
            }
            assert_eq!(collector.held_bytes(), memory_bytes(columns, experts, options), "it does not grow");
        }
    }
    assert_eq!(memory_bytes(usize::MAX, Some(usize::MAX), ALL), u64::MAX);
}

#[test]
fn tensors_find_what_they_read() {
    let mut routed = collector(2, Some(2), SUMS);
    routed.update_routed(&[1.0, 2.0], 0, &[1]).expect("in order");
    let sources = vec![Source::of_expert("experts.0", 0), Source::of_expert("experts.1", 1), Source::dense("experts")];
    let entry = routed.finish(sources);
    assert_eq!(entry.records_of("experts.0").map(|r| r[0].tokens), Some(0));
    assert_eq!(entry.records_of("experts.1").map(|r| r[0].tokens), Some(1));
    assert_eq!(entry.records_of("experts").map(<[_]>::len), Some(2));
    assert_eq!(entry.records_of("router"), None);
}

#[test]
fn views_are_what_consumers_divide_by() {
    let record = record(&[1.0, -3.0, 0.0, 2.0, 1.0, 0.0], 3, ALL);
    assert_eq!(record.importance(), Some(vec![2.5, 5.0, 0.0]));
    assert_eq!(record.mean_abs(), Some(vec![1.5, 2.0, 0.0]));
    assert_eq!(record.mean(), Some(vec![1.5, -1.0, 0.0]));
    assert_eq!(record.max_abs(), Some(vec![2.0, 3.0, 0.0]));
    assert_eq!(record.gram_dense(), Some(vec![5.0, -1.0, 0.0, -1.0, 10.0, 0.0, 0.0, 0.0, 0.0]));
    assert_eq!(record.dead_channels(), 1);
}
