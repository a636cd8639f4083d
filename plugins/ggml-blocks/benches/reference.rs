//! Speed of every type in one thread, beside the reference's library if `LLMQ_GGML_BASE` names one.
//!
//! Thread CPU time, the median of several rounds that alternate between the two, over normal weights rounded to
//! bfloat16 in rows of 4096. Prints million weights per second and the ratio.
#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../tests/live/reference.rs"]
mod reference;
#[path = "../tests/live/rows.rs"]
mod rows;

use std::hint::black_box;

use llmq_ggml_blocks::{BlockType, Path, dequantize_rows, quantize_rows};
use reference::Reference;
use rows::Random;

const COLS: usize = 4096;
const ROUNDS: usize = 5;

/// CPU time of this thread in seconds.
fn thread_seconds() -> f64 {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, out: *mut Timespec) -> i32;
    }
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the struct has the layout of the 64-bit C type and lives through the call.
    assert_eq!(unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut now) }, 0);
    now.seconds as f64 + now.nanoseconds as f64 * 1e-9
}

/// Median CPU seconds of `ours` and `theirs`, run in turn.
fn medians(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (f64, f64) {
    let timed = |work: &mut dyn FnMut()| {
        let start = thread_seconds();
        work();
        thread_seconds() - start
    };
    let mut rounds = ([0.0; ROUNDS], [0.0; ROUNDS]);
    for round in 0..ROUNDS {
        rounds.0[round] = timed(&mut ours);
        rounds.1[round] = timed(&mut theirs);
    }
    rounds.0.sort_by(f64::total_cmp);
    rounds.1.sort_by(f64::total_cmp);
    (rounds.0[ROUNDS / 2], rounds.1[ROUNDS / 2])
}

fn main() {
    let reference = Reference::open();
    let only: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with("--")).collect();
    println!("path: {}", Path::chosen());
    println!("{:22} {:>10} {:>10} {:>7}", "Mweights/s", "ours", "reference", "ratio");
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize() && **ty != BlockType::F32) {
        if !only.is_empty() && !only.iter().any(|only| only.eq_ignore_ascii_case(ty.name())) {
            continue;
        }
        // Blocks take longer than plain numbers, searches in codebooks longest.
        let count = match ty {
            BlockType::F16 | BlockType::BF16 => 1 << 22,
            _ if ty.name().starts_with("IQ") => 1 << 17,
            _ => 1 << 20,
        };
        let mut random = Random::new(7);
        let x: Vec<f32> = (0..count / COLS).flat_map(|_| rows::row(&mut random, COLS, "bf16")).collect();
        let q = rows::importance(&mut random, COLS, "lognormal");
        let mut bytes = vec![0; count / ty.block_len() * ty.block_bytes()];
        let (mut other, mut back) = (bytes.clone(), vec![0f32; count]);
        let mut other_back = back.clone();
        let show = |what: &str, (ours, theirs): (f64, f64)| {
            let speed = |seconds: f64| count as f64 / seconds / 1e6;
            let name = format!("{} {what}", ty.name());
            if reference.is_some() {
                println!("{name:22} {:10.1} {:10.1} {:7.2}", speed(ours), speed(theirs), theirs / ours);
            } else {
                println!("{name:22} {:10.1}", speed(ours));
            }
        };
        for (what, q) in [("", None), ("importance", Some(&q[..]))] {
            if q.is_none() && ty.needs_importance() {
                continue;
            }
            show(
                what,
                medians(
                    || quantize_rows(ty, black_box(&x), COLS, q, &mut bytes).unwrap(),
                    || {
                        if let Some(reference) = &reference {
                            reference.quantize(ty, black_box(&x), COLS, q, &mut other);
                        }
                    },
                ),
            );
            assert!(reference.is_none() || bytes == other, "{} differs", ty.name());
        }
        show(
            "dequantize",
            medians(
                || dequantize_rows(ty, black_box(&bytes), COLS, &mut back).unwrap(),
                || {
                    if let Some(reference) = &reference {
                        reference.dequantize(ty, black_box(&bytes), &mut other_back);
                    }
                },
            ),
        );
    }
}
