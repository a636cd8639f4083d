//! Writes a synthetic Llama of any size as a Hugging Face folder, for benchmarks of speed and memory.
//!
//! `synthesize OUT [--layers N] [--hidden N] [--ffn N] [--heads N] [--kv-heads N] [--vocab N] [--sparse]`
//! Defaults are TinyLlama's. `--sparse` leaves the weights a hole, for showing memory use on shapes beyond the disk.

use llmq_tests::synthetic::{Shape, write_model};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    // A flag in its place, `--help` too, would become a folder of that name.
    let out = args.next().filter(|out| !out.starts_with('-')).unwrap_or_else(|| usage("an output folder is needed"));
    let mut shape = Shape::TINY_LLAMA;
    let mut sparse = false;
    while let Some(flag) = args.next() {
        if flag == "--sparse" {
            sparse = true;
            continue;
        }
        let value = args.next().and_then(|v| v.parse().ok()).unwrap_or_else(|| usage("a flag needs a number"));
        match flag.as_str() {
            "--layers" => shape.layers = value,
            "--hidden" => shape.hidden = value,
            "--ffn" => shape.ffn = value,
            "--heads" => shape.heads = value,
            "--kv-heads" => shape.kv_heads = value,
            "--vocab" => shape.vocab = value,
            other => usage(&format!("unknown flag {other}")),
        }
    }
    write_model(Path::new(&out), &shape, sparse)
}

fn usage(problem: &str) -> ! {
    eprintln!("{problem}; see the head of synthesize.rs");
    std::process::exit(2);
}
