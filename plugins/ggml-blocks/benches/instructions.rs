//! Instructions per weight of every kernel, counted by callgrind: a check of speed that no clock and no other work on the
//! machine disturbs.
//!
//! `cargo bench -p llmq-ggml-blocks --bench instructions` runs itself under valgrind and compares with
//! `instructions.txt` beside this file; counts that grew by more than 4 % fail, counts that shrank are shown. With
//! `-- --record` it writes that file anew. valgrind knows AVX2 but not AVX-512, so the path is AVX2. Counts depend on the
//! compiler, whose version the file therefore names.
#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../tests/live/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;

use llmq_ggml_blocks::{BlockType, Path, dequantize_rows_on, quantize_rows_on};
use rows::Random;

type Failure = Box<dyn std::error::Error>;

/// The committed counts: a line with the compiler, then lines of a name and instructions per weight.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
/// By how much a count may grow.
const TOLERANCE: f64 = 0.04;
/// The argument with which this program runs itself under valgrind.
const INNER: &str = "--inner";
const PATH: Path = Path::Avx2;
const COLS: usize = 1024;
const ROWS: usize = 16;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == INNER) {
        work(|name, weights| println!("{name}={weights}"));
        return Ok(());
    }
    if !PATH.is_available() {
        return Err(
            format!("the counts are those of {PATH}, which this processor lacks; run this on another one").into()
        );
    }
    let counts = count()?;
    let compiler = output(Command::new("rustc").arg("--version"), "rustc")?.trim().to_owned();
    if arguments.iter().any(|argument| argument == "--record") {
        let mut text = format!("{compiler}\n");
        for (name, count) in &counts {
            writeln!(text, "{name:24} {count:10.2}")?;
        }
        std::fs::write(RECORD, text)?;
        println!("{} counts were written to {RECORD}", counts.len());
        return Ok(());
    }
    compare(&counts, &compiler)
}

/// Fails if a count grew, is missing or is new, or if another compiler made the record.
fn compare(counts: &BTreeMap<String, f64>, compiler: &str) -> Result<(), Failure> {
    let again = "cargo bench -p llmq-ggml-blocks --bench instructions -- --record";
    let record = std::fs::read_to_string(RECORD)?;
    let (recorded_by, lines) = record.split_once('\n').ok_or("the record of instruction counts is empty")?;
    if recorded_by != compiler {
        return Err(format!("the counts were recorded with {recorded_by}, this is {compiler}: run `{again}`").into());
    }
    let mut recorded = BTreeMap::new();
    for line in lines.lines() {
        let (name, count) = line.trim().rsplit_once(' ').ok_or_else(|| format!("no count in the line {line:?}"))?;
        recorded.insert(name.trim(), count.parse::<f64>()?);
    }
    let mut grown = 0;
    println!("{:24} {:>10} {:>10}", "instructions per weight", "recorded", "now");
    for (name, &now) in counts {
        let Some(before) = recorded.remove(name.as_str()) else {
            return Err(format!("no count is recorded for {name}: run `{again}`").into());
        };
        let change = now / before - 1.0;
        let note = if change > TOLERANCE {
            "GREW"
        } else if change < -TOLERANCE {
            "shrank"
        } else {
            ""
        };
        grown += u32::from(change > TOLERANCE);
        println!("{name:24} {before:10.2} {now:10.2} {note}");
    }
    if let Some(name) = recorded.keys().next() {
        return Err(format!("{name} is recorded but was not counted: run `{again}`").into());
    }
    if grown != 0 {
        return Err(format!(
            "{grown} counts grew by more than {} %; if that is meant, run `{again}`",
            TOLERANCE * 100.0
        )
        .into());
    }
    Ok(())
}

/// Runs this program under callgrind, which leaves one file per call of `measured`, numbered from 1.
fn count() -> Result<BTreeMap<String, f64>, Failure> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let files = folder.join("counts");
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--quiet",
        "--tool=callgrind",
        "--zero-before=instructions::measured",
        "--dump-after=instructions::measured",
    ]);
    valgrind.arg(format!("--callgrind-out-file={}", files.display())).arg(std::env::current_exe()?).arg(INNER);
    let listed = output(&mut valgrind, "valgrind (Debian's package `valgrind`)")?;
    let mut counts = BTreeMap::new();
    for (i, line) in listed.lines().enumerate() {
        let (name, weights) = line.split_once('=').ok_or_else(|| format!("not a measurement: {line:?}"))?;
        let dump = std::fs::read_to_string(files.with_extension((i + 1).to_string()))?;
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("a dump without a total")?;
        counts.insert(name.to_owned(), total.trim().parse::<f64>()? / weights.parse::<f64>()?);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(counts)
}

/// What a command prints.
fn output(command: &mut Command, what: &str) -> Result<String, Failure> {
    let out = command.output().map_err(|error| format!("{what} could not be run: {error}"))?;
    if !out.status.success() {
        return Err(format!("{what} failed: {}", String::from_utf8_lossy(&out.stderr)).into());
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// Everything that is counted, in this order; `done(name, weights)` after each.
fn work(mut done: impl FnMut(&str, usize)) {
    let mut random = Random::new(7);
    let all: Vec<f32> = (0..ROWS).flat_map(|_| rows::row(&mut random, COLS, "bf16")).collect();
    let importance = rows::importance(&mut random, COLS, "lognormal");
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize() && **ty != BlockType::F32) {
        // Searches in codebooks take thousands of instructions per weight.
        let slow = ty.name().starts_with("IQ") && !ty.name().starts_with("IQ4");
        let x = if slow { &all[..2 * COLS] } else { &all[..] };
        let mut bytes = vec![0; x.len() / ty.block_len() * ty.block_bytes()];
        let mut back = vec![0.0; x.len()];
        // The first use builds the codebook.
        let mut warm = vec![0; ty.block_bytes()];
        let first = (&x[..ty.block_len()], &importance[..ty.block_len()]);
        // IQ1_M shares the codebook of IQ1_S.
        if slow && ty != BlockType::IQ1_M {
            measured(|| quantize_rows_on(PATH, ty, first.0, ty.block_len(), Some(first.1), &mut warm).unwrap());
            done(&format!("{} set-up", ty.name()), 1);
        }
        for (what, q) in [("quantize", None), ("importance", Some(&importance[..]))] {
            if q.is_some() || !ty.needs_importance() {
                measured(|| quantize_rows_on(PATH, ty, black_box(x), COLS, q, &mut bytes).unwrap());
                done(&format!("{} {what}", ty.name()), x.len());
            }
        }
        measured(|| dequantize_rows_on(PATH, ty, black_box(&bytes), COLS, &mut back).unwrap());
        done(&format!("{} dequantize", ty.name()), x.len());
    }
}

/// Callgrind counts from the entry to the end of this function.
#[inline(never)]
fn measured(work: impl FnOnce()) {
    work();
}
