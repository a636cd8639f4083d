//! Speed of products of f32 matrices in one thread: tiles, packing included, and faer beside them.
//!
//! `cargo bench -p llmq-tiles --bench product`: x of 1024 rows times W^T, both factors N wide. CPU time, the median of five
//! rounds that take turns. bf16, F16 and f32 say which numbers W holds: three, five and six products of pieces at 24 bits, two
//! and three at 16.
#![allow(clippy::print_stdout, reason = "the table is the result")]

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use llmq_tiles::{Left, Precision, Right, Start, Tiles, product};

const ROUNDS: usize = 5;
const ROWS: usize = 1024;

/// CPU seconds of this thread; Linux only, as the system call would need `unsafe`.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.expect("a number") * 1e-9
}

/// Seconds of one run of many, because the system counts in ticks.
fn seconds(repeats: usize, mut body: impl FnMut()) -> f64 {
    let start = thread_seconds();
    (0..repeats).for_each(|_| body());
    (thread_seconds() - start) / repeats as f64
}

fn main() {
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let tiles = Tiles::lent();
    for precision in [Precision::Bits24, Precision::Bits16] {
        table(tiles, precision, &mut noise);
    }
}

fn table(tiles: Option<Tiles>, precision: Precision, noise: &mut dyn FnMut() -> f32) {
    println!("{precision:?}, {ROWS} rows, one thread, GF/s; fill x and fill W: seconds");
    println!("     N    W        tiles      faer    fill x    fill W   product");
    for n in [256, 512, 1024, 2048, 4096] {
        let x: Vec<f32> = (0..ROWS * n).map(|_| noise()).collect();
        let exact: Vec<f32> = (0..n * n).map(|_| noise()).collect();
        for (name, mask) in [("bf16", 0xffff_0000u32), ("F16", 0xffff_e000), ("f32", u32::MAX)] {
            let w: Vec<f32> = exact.iter().map(|w| f32::from_bits(w.to_bits() & mask)).collect();
            let (mut left, mut right, mut y) = (Left::default(), Right::default(), vec![0.0f32; ROWS * n]);
            let mut times = vec![[0.0; 4]; ROUNDS];
            let repeats = (4096 / n).pow(2);
            for times in &mut times {
                if let Some(tiles) = tiles {
                    times[0] = seconds(repeats, || left.fill(MatRef::from_row_major_slice(&x, ROWS, n), precision));
                    for first in (0..n).step_by(256) {
                        let rows = MatRef::from_row_major_slice(&w[first * n..][..256 * n], 256, n);
                        times[1] += seconds(repeats, || right.fill(rows.transpose(), precision));
                        times[2] += seconds(repeats, || {
                            let out = MatMut::from_row_major_slice_mut(&mut y, ROWS, n);
                            product(tiles, &left, &right, Start::default(), out.subcols_mut(first, 256));
                        });
                    }
                }
                times[3] = seconds(repeats.div_ceil(4), || {
                    let out = MatMut::from_row_major_slice_mut(&mut y, ROWS, n);
                    let (x, w) = (MatRef::from_row_major_slice(&x, ROWS, n), MatRef::from_row_major_slice(&w, n, n));
                    matmul(out, Accum::Replace, x, w.transpose(), 1.0, Par::Seq);
                });
            }
            let median = |of: &dyn Fn(&[f64; 4]) -> f64| {
                let mut all: Vec<f64> = times.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all[ROUNDS / 2]
            };
            let speed = |seconds: f64| 2.0 * (ROWS * n * n) as f64 / seconds * 1e-9;
            let ours = speed(median(&|times| times[0] + times[1] + times[2]));
            let faers = speed(median(&|times| times[3]));
            let parts = [0, 1, 2].map(|part| median(&|times| times[part]));
            let [x, w, both] = parts;
            println!("{n:6} {name:>5} {ours:11.1} {faers:9.1} {x:9.5} {w:9.5} {both:9.5}");
        }
    }
}
