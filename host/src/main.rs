//! The `llm-quantize` binary: what was typed, what is meant, what came of it.

use llm_quantize::{child, cli};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(code) = child::answer(&words) {
        std::process::exit(code);
    }
    let screen = Arc::new(cli::Screen::of_process(&words));
    let outcome = cli::parse(&words, &screen).and_then(|meant| Ok(cli::dispatch(meant, &screen)?));
    ExitCode::from(cli::conclude(outcome, &screen))
}
