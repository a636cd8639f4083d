//! Both ways of multiplying, whichever this processor would take: as accurate as promised, and of one mind.

use super::{Block, Gram};
use crate::BLOCK_ROWS;
use llmq_tiles::Tiles;

/// What the module promises for any data.
fn bound(way: Option<Tiles>) -> f64 {
    match way {
        None => 66.0 / (1u64 << 24) as f64,
        Some(_) => 580.0 / (1u64 << 24) as f64,
    }
}

/// Both ways, or the one that there is.
fn ways() -> Vec<Option<Tiles>> {
    let tiles = Tiles::lent();
    if tiles.is_none() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED products in tiles: this processor has none, or the system lends none");
        }
    }
    std::iter::once(None).chain(tiles.map(Some)).collect()
}

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn gram(way: Option<Tiles>, rows: &[f32], columns: usize) -> Gram {
    let (mut gram, mut block) = (Gram::zero(columns), Block::with(way, columns));
    rows.chunks(BLOCK_ROWS * columns).for_each(|rows| gram.add(rows, &mut block));
    gram
}

/// Greatest error in units of `sqrt(G_ii G_jj)`.
fn error(gram: &Gram, rows: &[f32]) -> f64 {
    let columns = gram.columns();
    let exact = |i: usize, j: usize| -> f64 {
        rows.chunks_exact(columns).map(|row| f64::from(row[i]) * f64::from(row[j])).sum()
    };
    let scales: Vec<f64> = (0..columns).map(|i| exact(i, i).sqrt().max(f64::MIN_POSITIVE)).collect();
    let pairs = (0..columns).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.map(|(i, j)| (gram.get(i, j) - exact(i, j)).abs() / (scales[i] * scales[j])).fold(0.0, f64::max)
}

#[test]
fn every_size_agrees_with_f64() {
    for way in ways() {
        for columns in (1..=70).step_by(3).chain([95, 96, 97, 130]) {
            for rows in [1, 31, 33, 500, BLOCK_ROWS + 45] {
                let x = noise(rows * columns, 1);
                let worst = error(&gram(way, &x, columns), &x);
                // What 16 bits leave out of products evens out over rows, but for squares, which are taken from elsewhere.
                let most = if way.is_some() { 4e-6 + 3e-5 / (rows as f64).sqrt() } else { 4e-7 };
                assert!(worst < most, "{way:?}, {columns} channels, {rows} rows: {worst:e}");
            }
        }
    }
}

#[test]
fn data_made_to_hurt_stays_within_the_bound() {
    let columns = 40;
    for way in ways() {
        // One large row first, in which what follows is lost; equal rows, whose roundings all err to one side; channels
        // far apart.
        let mut large_first = vec![2f32.powi(-12) * 0.999; columns * 2 * BLOCK_ROWS];
        large_first.chunks_exact_mut(columns * BLOCK_ROWS).for_each(|block| block[..columns].fill(1.0));
        let equal = noise(columns, 2).repeat(2 * BLOCK_ROWS);
        let mut apart = noise(columns * 2 * BLOCK_ROWS, 3);
        apart.iter_mut().enumerate().for_each(|(i, x)| *x *= 2f32.powi((i % columns) as i32 * 2 - 40));
        for (name, rows) in [("large first", large_first), ("equal", equal), ("apart", apart)] {
            let worst = error(&gram(way, &rows, columns), &rows);
            assert!(worst < bound(way), "{way:?}, {name}: {worst:e}");
        }
    }
}

#[test]
fn the_largest_values_that_are_counted_fit() {
    for way in ways() {
        let rows = vec![crate::collect::LARGEST; 33 * BLOCK_ROWS];
        let value = f64::from(crate::collect::LARGEST).powi(2) * BLOCK_ROWS as f64;
        let gram = gram(way, &rows, 33);
        assert!(gram.packed().iter().all(|sum| (sum / value - 1.0).abs() < bound(way)), "{way:?}");
    }
}

#[test]
fn a_short_block_sees_nothing_of_the_one_before() {
    for way in ways() {
        let (mut block, mut reused) = (Block::with(way, 50), Gram::zero(50));
        block.fill(&noise(50 * BLOCK_ROWS, 4), 50);
        let rows = noise(50 * 7, 5);
        reused.add(&rows, &mut block);
        assert_eq!(reused, gram(way, &rows, 50), "{way:?}");
    }
}
