//! Time of one linear layer, by parts: the factor of its Gram matrix, and rounding with and without a polish.
//!
//! `cargo bench -p llmq-linear-grids --bench layer -- [COLUMNS ROWS]` (4096 256), one thread, CPU time of this thread on
//! Linux. Useful operations: columns^3 2/3 for the factor, rows * columns^2 for rounding, without trials of scales.
#![allow(clippy::print_stdout, reason = "the table is the result")]

use llmq_linear_grids::{Alone, Factor, Grid, Method, round};

fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.expect("a number") * 1e-9
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (columns, rows) = if let [columns, rows] = sizes[..] { (columns, rows) } else { (4096, 256) };
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    // A matrix of correlations that fall off, with noise: positive definite, and quick to make.
    let mut gram = vec![0.0f32; columns * columns];
    for i in 0..columns {
        for j in 0..=i {
            let value = 0.9f32.powi((i - j).min(300) as i32) + if i == j { 0.2 + noise().abs() } else { 0.0 };
            (gram[i * columns + j], gram[j * columns + i]) = (value, value);
        }
    }
    let weights: Vec<f32> = (0..rows * columns).map(|_| noise() * 0.05).collect();
    let method = Method::new(Grid::new(4, true), 128);
    let start = thread_seconds();
    let factor = Factor::of(&gram, columns, &method, &Alone).expect("positive definite").expect("not stopped");
    let seconds = thread_seconds() - start;
    let useful = 2.0 / 3.0 * (columns as f64).powi(3);
    println!("{columns} columns, {rows} rows, groups of 128, one thread");
    println!("factor                      {seconds:8.3} s {:8.1} GF/s", useful / seconds / 1e9);
    for (name, candidates, polish) in
        [("reaching scales", 1, 0), ("8 candidates", 8, 0), ("8 candidates, 2 rounds", 8, 2)]
    {
        let method = Method { candidates, polish, ..method };
        let start = thread_seconds();
        let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
        let seconds = thread_seconds() - start;
        let useful = rows as f64 * (columns as f64).powi(2);
        let relative = rounded.error / rounded.size;
        println!("{name:27} {seconds:8.3} s {:8.1} GF/s   relative error {relative:.6}", useful / seconds / 1e9);
    }
}
