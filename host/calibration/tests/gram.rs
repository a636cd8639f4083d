//! Gram matrices: as accurate as promised, and the same bits however rows and threads are cut.

mod texts;

use llmq_calibration::{BLOCK_ROWS, Collector, Gram, Options, Record};
use llmq_tiles::Tiles;
use texts::Random;

/// What the module promises in vectors: for any data (66 half units of f32), for all but data made to hurt, and for noise.
const IN_VECTORS: [f64; 3] = [66.0 / (1u64 << 24) as f64, 1e-6, 2e-7];

/// What it promises in tiles, where values have 16 bits: for any data, and for noise of `rows` rows.
const IN_TILES: f64 = 580.0 / (1u64 << 24) as f64;

fn in_tiles_for_noise(rows: usize) -> f64 {
    3e-5 / (rows as f64).sqrt()
}

const GRAM: Options = Options { gram: true, samples: 0 };

/// The Gram matrix in f64, row-major and whole. Products of f32 are exact in f64.
fn exact(rows: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns * columns];
    for row in rows.chunks_exact(columns) {
        for (sums, x) in sums.chunks_exact_mut(columns).zip(row) {
            for (sum, y) in sums.iter_mut().zip(row) {
                *sum += f64::from(*x) * f64::from(*y);
            }
        }
    }
    sums
}

/// Greatest error of a Gram matrix in units of `sqrt(G_ii G_jj)`.
fn error(ours: &Gram, exact: &[f64]) -> f64 {
    let columns = ours.columns();
    let scale = |i: usize| exact[i * columns + i].sqrt().max(f64::MIN_POSITIVE);
    let pairs = (0..columns).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.map(|(i, j)| (ours.get(i, j) - exact[i * columns + j]).abs() / (scale(i) * scale(j))).fold(0.0, f64::max)
}

fn gather(rows: &[f32], columns: usize, batch: usize) -> Record {
    let mut collector = Collector::new("text", "feed", columns, None, GRAM).expect("a size");
    for (number, rows) in rows.chunks(batch * columns).enumerate() {
        collector.update(rows, (number * batch) as u64).expect("in order");
    }
    collector.finish(Vec::new()).records.remove(0)
}

fn gathered(rows: &[f32], columns: usize) -> Gram {
    gather(rows, columns, 700).gram.expect("gathered")
}

#[test]
fn every_size_agrees_with_f64() {
    for columns in [1, 2, 3, 23, 24, 25, 47, 48, 95, 96, 97, 191, 193, 300] {
        for rows in [1, 31, 33, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1] {
            let x = Random(columns as u64).rows(rows, columns);
            let worst = error(&gathered(&x, columns), &exact(&x, columns));
            let most = if Tiles::lent().is_some() { in_tiles_for_noise(rows) } else { IN_VECTORS[2] };
            assert!(worst < most, "{columns} channels, {rows} rows: {worst:e}");
        }
    }
}

#[test]
fn the_diagonal_is_the_sum_of_squares() {
    let record = gather(&Random(1).rows(1000, 30), 30, 1000);
    let gram = record.gram.as_ref().expect("gathered");
    for (channel, squares) in record.sum_squares.iter().enumerate() {
        assert_eq!(gram.get(channel, channel), *squares);
    }
}

#[test]
fn outlier_channels_do_not_hurt_the_others() {
    let columns = 120;
    let mut x = Random(2).rows(3000, columns);
    for row in x.chunks_exact_mut(columns) {
        row[7] *= 1e4;
        row[70] += row[7] * 0.99;
        row[100] *= 1e-4;
    }
    let worst = error(&gathered(&x, columns), &exact(&x, columns));
    let most = IN_VECTORS[1];
    assert!(worst < most, "{worst:e}");
}

#[test]
fn a_million_equal_rows_keep_their_places() {
    // Every rounding of a block errs to the same side here, the worst that steady data can do.
    for value in [0.1f32, 0.3, 1.1, 1.7, 3.3, 777.7] {
        let row: Vec<f32> = (0..6).map(|channel| value * (1.0 + channel as f32 * 0.137)).collect();
        let batch: Vec<f32> = row.iter().copied().cycle().take(6 * 10_000).collect();
        let mut collector = Collector::new("text", "feed", 6, None, GRAM).expect("a size");
        for number in 0..100 {
            collector.update(&batch, number * 10_000).expect("in order");
        }
        let record = collector.finish(Vec::new()).records.remove(0);
        assert_eq!(record.tokens, 1_000_000);
        let exact: Vec<f64> =
            row.iter().flat_map(|x| row.iter().map(|y| f64::from(*x) * f64::from(*y) * 1e6)).collect();
        let worst = error(record.gram.as_ref().expect("gathered"), &exact);
        let most = if Tiles::lent().is_some() { IN_TILES } else { IN_VECTORS[1] };
        assert!(worst < most, "{value}: {worst:e}");
        for (sum, x) in record.sum.iter().zip(&row) {
            assert!((sum / (f64::from(*x) * 1e6) - 1.0).abs() < 1e-13, "{sum} of {x}");
        }
    }
}

#[test]
fn data_made_to_hurt_stays_within_the_bound() {
    // One large row first: what follows is lost in the register that holds it, the worst that any data can do.
    let columns = 8;
    let mut x = vec![2f32.powi(-12) * 0.999; columns * 4096];
    for row in x.chunks_exact_mut(columns * 64) {
        row[..columns].fill(1.0);
    }
    let worst = error(&gathered(&x, columns), &exact(&x, columns));
    let most = if Tiles::lent().is_some() { IN_TILES } else { IN_VECTORS[0] };
    assert!(worst < most, "{worst:e}");
    assert!(worst > 1e-8, "this data does hurt: {worst:e}");
}

#[test]
fn batches_do_not_change_a_bit() {
    let x = Random(3).rows(2 * BLOCK_ROWS + 77, 101);
    let whole = gather(&x, 101, 2 * BLOCK_ROWS + 77);
    for batch in [1, 13, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1] {
        assert_eq!(gather(&x, 101, batch), whole, "batches of {batch}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = Random(4).rows(BLOCK_ROWS + 99, 330);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| gather(&x, 330, 250))
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(7), one);
}

#[test]
fn the_dense_matrix_is_symmetric() {
    let gram = gathered(&Random(5).rows(100, 71), 71);
    let mut dense = vec![f32::NAN; 71 * 71];
    gram.write_dense(&mut dense);
    for i in 0..71 {
        for j in 0..71 {
            assert_eq!(dense[i * 71 + j], gram.get(i, j) as f32);
            assert_eq!(gram.get(i, j), gram.get(j, i));
        }
    }
}
