//! Speed of statistics in one thread: everything with a Gram matrix, everything without, and beside them faer's triangular
//! product, and the products in tiles alone where the processor has any.
//!
//! `cargo bench -p llmq-calibration --bench gram -- [ROWS CHANNELS]` (2048 4096). CPU time, the median of five rounds that take
//! turns; a useful operation is one multiplication and one addition of a value on or below the diagonal, or above it:
//! `rows * channels^2` of them, half of what a whole product does. torch beside it:
//!
//! ```text
//! python -c "import torch,time; torch.set_num_threads(1); x=torch.randn(2048,4096); d=[]
//! for _ in range(5): t=time.thread_time(); x.T@x; d.append(time.thread_time()-t)
//! print(2048*4096**2/sorted(d)[2]/1e9)"
//! ```
#![allow(clippy::print_stdout, reason = "the table is the result")]

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, MatMut, MatRef, Par};
use llmq_calibration::{BLOCK_ROWS, Collector, Options};
use llmq_tiles::{Band, CELL, Channels, ChannelsPart, Tiles};

const ROUNDS: usize = 5;

/// CPU seconds of this thread; Linux only, as the system call would need `unsafe`.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.expect("a number") * 1e-9
}

/// All cells of the lower triangle, added to nothing.
fn in_tiles(tiles: Tiles, channels: &mut Channels, values: &[f32], columns: usize) {
    let (mut cells, mut band) = (vec![[0.0; CELL]; 3], Band::default());
    for rows in values.chunks(BLOCK_ROWS * columns) {
        channels.parts(rows).into_iter().for_each(ChannelsPart::fill);
        let kernel = tiles.enter();
        let blocks = columns.div_ceil(Channels::BLOCK);
        for few in (0..blocks).step_by(3) {
            let cells = &mut cells[..3.min(blocks - few)];
            channels.turn(few..few + cells.len(), &mut band);
            (0..=few).for_each(|column| channels.cells(&kernel, &band, 0, column, cells));
            std::hint::black_box(&cells);
        }
    }
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (rows, columns) = if let [rows, columns] = sizes[..] { (rows, columns) } else { (2048, 4096) };
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..rows * columns).map(|_| noise()).collect();
    let collector = |gram| {
        let made = Collector::new("text", "feed", columns, None, Options { gram, samples: 0 });
        made.expect("a size that can be gathered")
    };
    let (mut with, mut without) = (collector(true), collector(false));
    let mut product = vec![0.0f32; columns * columns];
    let mut times = [[0.0; ROUNDS]; 4];
    let mut channels = Channels::new(BLOCK_ROWS, columns);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    // The system counts in ticks: many calls for what is short.
    let repeats = ((1usize << 33) / (rows * columns * columns)).max(1);
    let seconds = |body: &mut dyn FnMut(u64)| {
        let start = thread_seconds();
        (0..repeats as u64).for_each(body);
        (thread_seconds() - start) / repeats as f64
    };
    pool.install(|| {
        for round in 0..ROUNDS {
            let token = |repeat: u64| (round * repeats * rows) as u64 + repeat * rows as u64;
            let whole = BlockStructure::Rectangular;
            let x = MatRef::from_row_major_slice(&values, rows, columns);
            let of = [
                seconds(&mut |repeat| with.update(&values, token(repeat)).expect("in order")),
                seconds(&mut |repeat| without.update(&values, token(repeat)).expect("in order")),
                seconds(&mut |_| {
                    let (out, lower) = (&mut product, BlockStructure::TriangularLower);
                    let out = MatMut::from_row_major_slice_mut(out, columns, columns);
                    matmul(out, lower, Accum::Replace, x.transpose(), whole, x, whole, 1.0, Par::Seq);
                }),
                seconds(&mut |_| {
                    Tiles::lent().into_iter().for_each(|tiles| in_tiles(tiles, &mut channels, &values, columns));
                }),
            ];
            times.iter_mut().zip(of).for_each(|(times, time)| times[round] = time);
        }
    });
    println!("{rows} rows of {columns} channels, one thread");
    for (name, mut times) in ["all statistics", "without Gram", "faer, f32", "tiles alone"].into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let seconds = times[ROUNDS / 2];
        let useful = rows as f64 * (columns as f64).powi(2) / seconds / 1e9;
        println!("{name:16} {seconds:8.4} s {useful:8.1} useful GF/s");
    }
}
