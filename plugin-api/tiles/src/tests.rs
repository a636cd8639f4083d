//! Tile products against double precision, faer's single precision and themselves.

use crate::{Left, Precision, Right, Start, Tiles, add_product, product};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Numbers that look like noise, between -1 and 1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tiles() -> Option<Tiles> {
    let tiles = Tiles::lent();
    if tiles.is_none() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: this processor has no tiles, or the system lends none");
        }
    }
    tiles
}

fn rows(values: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / columns, columns)
}

/// x W^T, W stored by rows.
fn by_tiles(tiles: Tiles, x: &[f32], w: &[f32], summands: usize) -> Vec<f32> {
    by_precise_tiles(tiles, Precision::Bits24, x, w, summands)
}

fn by_precise_tiles(tiles: Tiles, precision: Precision, x: &[f32], w: &[f32], summands: usize) -> Vec<f32> {
    let (mut left, mut right) = (Left::default(), Right::default());
    left.fill(rows(x, summands), precision);
    right.fill(rows(w, summands).transpose(), precision);
    let mut y = vec![f32::NAN; left.rows() * right.columns()];
    product(
        tiles,
        &left,
        &right,
        Start::default(),
        MatMut::from_row_major_slice_mut(&mut y, left.rows(), right.columns()),
    );
    y
}

fn by_faer(x: &[f32], w: &[f32], summands: usize) -> Vec<f32> {
    let (rows, columns) = (x.len() / summands, w.len() / summands);
    let mut y = vec![0.0; rows * columns];
    let out = MatMut::from_row_major_slice_mut(&mut y, rows, columns);
    let x = MatRef::from_row_major_slice(x, rows, summands);
    let w = MatRef::from_row_major_slice(w, columns, summands);
    matmul(out, Accum::Replace, x, w.transpose(), 1.0, Par::Seq);
    y
}

/// Largest error in units of the sum of the magnitudes of all products.
fn error(y: &[f32], x: &[f32], w: &[f32], summands: usize) -> f64 {
    let mut worst = 0.0f64;
    let columns = w.len() / summands;
    for (number, y) in y.iter().enumerate() {
        let x = &x[number / columns * summands..][..summands];
        let w = &w[number % columns * summands..][..summands];
        let products = || x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
        let magnitude: f64 = products().map(f64::abs).sum();
        let error = (f64::from(*y) - products().sum::<f64>()).abs();
        worst = worst.max(if error == 0.0 { 0.0 } else { error / magnitude });
        assert!(!y.is_nan(), "a number that was never written");
    }
    worst
}

/// Half a unit in the last place of single precision.
const U: f64 = 1.0 / (1u64 << 24) as f64;

#[test]
fn every_shape_is_right() {
    let Some(tiles) = tiles() else { return };
    for size in (1..=70).chain([95, 96, 97, 128, 129]) {
        let (rows, columns, summands) = (size, (size * 7) % 71 + 1, (size * 13) % 101 + 1);
        let (x, w) = (noise(rows * summands, 1), noise(columns * summands, 2));
        let worst = error(&by_tiles(tiles, &x, &w, summands), &x, &w, summands);
        assert!(worst < 4.0 * U, "{rows} x {columns} x {summands}: {} u", worst / U);
    }
}

#[test]
fn every_number_of_pieces_is_as_good_as_single_precision() {
    let Some(tiles) = tiles() else { return };
    for summands in [32, 250, 1100, 4096] {
        let x = noise(40 * summands, 3);
        for (count, mask) in [(1, 0xffff_0000u32), (2, 0xffff_e000), (3, u32::MAX)] {
            let w: Vec<f32> = noise(33 * summands, 4).iter().map(|w| f32::from_bits(w.to_bits() & mask)).collect();
            let mut right = Right::default();
            right.fill(rows(&w, summands).transpose(), Precision::Bits24);
            assert_eq!(right.pieces(), count);
            let ours = error(&by_tiles(tiles, &x, &w, summands), &x, &w, summands);
            let theirs = error(&by_faer(&x, &w, summands), &x, &w, summands);
            assert!(ours < 1.5 * U && ours < 2.0 * theirs, "{summands}: {} u, faer {} u", ours / U, theirs / U);
        }
    }
}

#[test]
fn sixteen_bits_are_sixteen_bits() {
    let Some(tiles) = tiles() else { return };
    for summands in [1, 32, 250, 1100, 4096] {
        let x = noise(40 * summands, 21);
        // The bound, and what sums in f32 add to it.
        let (most, typical) = (512.0 * U + 3.0 * U, 40.0 * U);
        for mask in [0xffff_0000u32, 0xffff_e000, u32::MAX] {
            let w: Vec<f32> = noise(33 * summands, 22).iter().map(|w| f32::from_bits(w.to_bits() & mask)).collect();
            let y = by_precise_tiles(tiles, Precision::Bits16, &x, &w, summands);
            let worst = error(&y, &x, &w, summands);
            assert!(worst < most && (summands < 250 || worst < typical), "{summands}: {} u", worst / U);
            assert!(summands > 1 || worst > 2.0 * U, "{} u: that would be 24 bits", worst / U);
        }
    }
}

#[test]
fn products_are_added_to_what_is_there() {
    let Some(tiles) = tiles() else { return };
    for precision in [Precision::Bits24, Precision::Bits16] {
        for (count, columns, summands) in [(1, 1, 1), (33, 70, 40), (64, 64, 2100)] {
            let (x, w) = (noise(count * summands, 23), noise(columns * summands, 24));
            let start = noise(count * columns, 25);
            let alone = by_precise_tiles(tiles, precision, &x, &w, summands);
            let (mut left, mut right) = (Left::default(), Right::default());
            // Stored the other way round: a line has one summand of all rows.
            let turned: Vec<f32> = (0..summands * count).map(|i| x[i % count * summands + i / count]).collect();
            left.fill(rows(&turned, count).transpose(), precision);
            right.fill(rows(&w, summands).transpose(), precision);
            let mut y = start.clone();
            add_product(
                tiles,
                &left,
                &right,
                Start::default(),
                MatMut::from_row_major_slice_mut(&mut y, count, columns),
            );
            for ((y, alone), start) in y.iter().zip(&alone).zip(&start) {
                assert!((y - (alone + start)).abs() < 4e-5 * summands as f32 * U as f32 / 1e-7, "{y} {alone} {start}");
            }
        }
    }
}

#[test]
fn magnitudes_far_apart_do_not_hurt() {
    let Some(tiles) = tiles() else { return };
    let summands = 77;
    let spread = |seed: u64, range: i32| -> Vec<f32> {
        let powers = noise(35 * summands, seed + 100);
        let numbers = noise(35 * summands, seed).into_iter().zip(powers);
        numbers.map(|(x, power)| if power > 0.9 { 0.0 } else { x * 2f32.powi((power * range as f32) as i32) }).collect()
    };
    for range in [10, 30, 45] {
        let (x, w) = (spread(5, range), spread(6, range));
        let worst = error(&by_tiles(tiles, &x, &w, summands), &x, &w, summands);
        assert!(worst < 6.0 * U, "2^+-{range}: {} u", worst / U);
    }
    for (a, b) in [(1e30, 1e-30), (1e30, 1e4), (6e37, 1.0), (1e-30, 1e10)] {
        let x: Vec<f32> = noise(32, 7).iter().map(|x| x * a).collect();
        let w: Vec<f32> = noise(32, 8).iter().map(|w| w * b).collect();
        let worst = error(&by_tiles(tiles, &x, &w, 4), &x, &w, 4);
        assert!(worst < 4.0 * U, "{a:e} {b:e}: {} u", worst / U);
    }
}

#[test]
fn a_thread_may_enter_twice() {
    let Some(tiles) = tiles() else { return };
    let (outer, x) = (tiles.enter(), noise(64, 17));
    let once = by_tiles(tiles, &x, &x, 8);
    assert_eq!(by_tiles(tiles, &x, &x, 8), once);
    drop(outer);
    assert_eq!(by_tiles(tiles, &x, &x, 8), once);
}

#[test]
fn denormals_are_taken_for_zero() {
    let Some(tiles) = tiles() else { return };
    let y = by_tiles(tiles, &[1e-40, 1.0, 1.0, 1.0], &[1.0, 2.0], 2);
    assert_eq!(y, [2.0, 3.0]);
}

#[test]
fn what_is_not_finite_does_not_become_so() {
    let Some(tiles) = tiles() else { return };
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let (mut x, mut w) = (noise(40 * 50, 9), noise(40 * 50, 10));
        x[3 * 50 + 7] = bad;
        w[5 * 50 + 49] = bad;
        let y = by_tiles(tiles, &x, &w, 50);
        for (number, y) in y.iter().enumerate() {
            let hit = number / 40 == 3 || number % 40 == 5;
            assert_eq!(y.is_finite(), !hit, "{bad} {number}: {y}");
            assert!(!(bad.is_nan() && hit) || y.is_nan(), "{number}: {y}");
        }
    }
    // Of one piece, infinity stays what it is.
    assert_eq!(by_tiles(tiles, &[1.5, f32::INFINITY], &[1.0], 1), [1.5, f32::INFINITY]);
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let Some(tiles) = tiles() else { return };
    let summands = 1300;
    let (x, w) = (noise(150 * summands, 11), noise(300 * summands, 12));
    let whole = by_tiles(tiles, &x, &w, summands);
    for (first, rows) in [(0, 1), (17, 33), (149, 1), (20, 130)] {
        let some = by_tiles(tiles, &x[first * summands..(first + rows) * summands], &w, summands);
        assert_eq!(some, whole[first * 300..(first + rows) * 300], "rows from {first}");
    }
    // A column alone may need fewer pieces: those that are not there would add zeros.
    let bf16: Vec<f32> = w.iter().map(|w| f32::from_bits(w.to_bits() & 0xffff_0000)).collect();
    let alone = by_tiles(tiles, &x, &bf16[..summands], summands);
    let mut mixed = bf16;
    mixed[summands..].copy_from_slice(&w[summands..]);
    let beside = by_tiles(tiles, &x, &mixed, summands);
    assert!(alone.iter().zip(beside.chunks_exact(300)).all(|(alone, row)| *alone == row[0]));
}

#[test]
fn both_ways_of_storing_the_right_factor_are_one() {
    let Some(tiles) = tiles() else { return };
    for (columns, summands) in [(1, 1), (31, 33), (70, 45), (130, 64)] {
        let (x, w) = (noise(9 * summands, 13), noise(columns * summands, 14));
        let expected = by_tiles(tiles, &x, &w, summands);
        // As rows of summands, within a matrix that is wider.
        let width = columns + 3;
        let mut stored = vec![f32::NAN; summands * width];
        for (row, stored) in stored.chunks_exact_mut(width).enumerate() {
            (0..columns).for_each(|column| stored[column + 2] = w[column * summands + row]);
        }
        let (mut left, mut right) = (Left::default(), Right::default());
        left.fill(rows(&x, summands), Precision::Bits24);
        right.fill(rows(&stored, width).subcols(2, columns), Precision::Bits24);
        let mut y = vec![f32::NAN; 9 * columns];
        product(tiles, &left, &right, Start::default(), MatMut::from_row_major_slice_mut(&mut y, 9, columns));
        assert_eq!(y, expected);
    }
}

#[test]
fn parts_of_rows_and_columns_fit_together() {
    let Some(tiles) = tiles() else { return };
    let summands = 70;
    let (x, w) = (noise(200 * summands, 15), noise(90 * summands, 16));
    let whole = by_tiles(tiles, &x, &w, summands);
    let (mut left, mut right) = (Left::default(), Right::default());
    left.fill(rows(&x, summands), Precision::Bits24);
    let mut y = vec![f32::NAN; 200 * 90];
    for (first, columns) in [(0, 50), (50, 40)] {
        let w = &w[first * summands..(first + columns) * summands];
        right.fill(rows(w, summands).transpose(), Precision::Bits24);
        for (row, count) in [(0, 64), (64, 136)] {
            let out = MatMut::from_row_major_slice_mut(&mut y, 200, 90);
            product(
                tiles,
                &left,
                &right,
                Start::of_row(row / Left::BLOCK),
                out.submatrix_mut(row, first, count, columns),
            );
        }
    }
    assert_eq!(y, whole);
}

#[test]
fn products_may_begin_within_the_right_factor() {
    let Some(tiles) = tiles() else { return };
    for precision in [Precision::Bits24, Precision::Bits16] {
        let (summands, columns) = (200, 100);
        let w = noise(columns * summands, 27);
        let mut right = Right::default();
        right.fill(rows(&w, summands).transpose(), precision);
        for (step, count, column, width) in [(0, 200, 0, 100), (0, 33, 1, 68), (2, 64, 2, 36), (5, 40, 3, 1)] {
            let x = noise(45 * count, 28);
            let mut left = Left::default();
            left.fill(rows(&x, count), precision);
            let mut y = vec![f32::NAN; 13 * width];
            let start = Start { row: 1, column, step };
            product(tiles, &left, &right, start, MatMut::from_row_major_slice_mut(&mut y, 13, width));
            let part: Vec<f32> = (column * 32..column * 32 + width)
                .flat_map(|column| &w[column * summands + step * 32..][..count])
                .copied()
                .collect();
            assert_eq!(y, by_precise_tiles(tiles, precision, &x[32 * count..], &part, count), "{start:?}");
            if count < 64 {
                continue;
            }
            let fewer = Start { step: step + 1, ..start };
            left.fill(rows(&x, count).subcols(32, 32), precision);
            product(tiles, &left, &right, fewer, MatMut::from_row_major_slice_mut(&mut y, 13, width));
            let second =
                |values: &[f32]| values.chunks(count).flat_map(|row| row[32..64].to_vec()).collect::<Vec<f32>>();
            let (x, part) = (second(&x[32 * count..]), second(&part));
            assert_eq!(y, by_precise_tiles(tiles, precision, &x, &part, 32), "{fewer:?}");
        }
    }
}
