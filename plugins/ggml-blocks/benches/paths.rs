//! Time per weight of every kernel on every path that the processor has, and how much of it AVX-512 saves.
//!
//! The least of several rounds on the wall clock. In the emulator of `tests/emulator`, whose clock counts instructions
//! at ten nanoseconds each, `-- --instructions` prints instructions per weight instead: they say what a path executes,
//! not how long a processor takes for it.
#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../tests/live/rows.rs"]
mod rows;

use std::hint::black_box;
use std::time::Instant;

use llmq_ggml_blocks::{BlockType, Path, dequantize_rows_on, quantize_rows_on};
use rows::Random;

/// Of the clock that the emulator's kernel is told of: one tick per instruction, 100 MHz.
const NANOSECONDS_PER_INSTRUCTION: f64 = 10.0;
const COLS: usize = 1024;
const ROWS: usize = 16;
const ROUNDS: usize = 5;

fn main() {
    let instructions = std::env::args().any(|argument| argument == "--instructions");
    let paths: Vec<Path> = Path::ALL.into_iter().filter(|&path| path != Path::Scalar && path.is_available()).collect();
    print!("{:22}", if instructions { "instructions / weight" } else { "nanoseconds / weight" });
    paths.iter().for_each(|path| print!(" {:>10}", path.name()));
    println!(" {:>12}", "avx2/avx512");
    let mut random = Random::new(7);
    let all: Vec<f32> = (0..ROWS).flat_map(|_| rows::row(&mut random, COLS, "bf16")).collect();
    let importance = rows::importance(&mut random, COLS, "lognormal");
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize() && **ty != BlockType::F32) {
        // Searches in codebooks take hundreds of instructions per weight.
        let slow = ty.name().starts_with("IQ") && !ty.name().starts_with("IQ4");
        let x = if slow { &all[..2 * COLS] } else { &all[..] };
        let mut bytes = vec![0; x.len() / ty.block_len() * ty.block_bytes()];
        let mut back = vec![0.0; x.len()];
        let line = |what: &str, work: &mut dyn FnMut(Path)| {
            let name = format!("{} {what}", ty.name());
            print!("{name:22}");
            let mut of = |path: Path| {
                let nanoseconds = 1e9 * least_seconds(|| work(path)) / x.len() as f64;
                if instructions { nanoseconds / NANOSECONDS_PER_INSTRUCTION } else { nanoseconds }
            };
            let costs: Vec<f64> = paths.iter().map(|&path| of(path)).collect();
            costs.iter().for_each(|cost| print!(" {cost:10.2}"));
            match costs[..] {
                [.., avx2, avx512] if paths.ends_with(&[Path::Avx2, Path::Avx512]) => {
                    println!(" {:12.2}", avx2 / avx512)
                }
                _ => println!(" {:>12}", "-"),
            }
        };
        for (what, q) in [("quantize", None), ("importance", Some(&importance[..]))] {
            if q.is_some() || !ty.needs_importance() {
                line(what, &mut |path| quantize_rows_on(path, ty, black_box(x), COLS, q, &mut bytes).unwrap());
            }
        }
        line("dequantize", &mut |path| dequantize_rows_on(path, ty, black_box(&bytes), COLS, &mut back).unwrap());
    }
}

/// The first round, which builds a type's codebook, is not counted.
fn least_seconds(mut work: impl FnMut()) -> f64 {
    work();
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        least = least.min(start.elapsed().as_secs_f64());
    }
    least
}
