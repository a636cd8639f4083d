//! Stock llama.cpp as the outside judge, where it is installed (`tests/judge/install`).

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder with the installed judge. Without one the caller must skip loudly; with `LLMQ_REQUIRE_JUDGE` set that is a
/// failure, so that CI cannot pass by not looking.
pub fn folder(test: &str) -> Option<PathBuf> {
    let place = std::env::var_os("LLMQ_JUDGE").map(PathBuf::from);
    let place = place.unwrap_or_else(|| crate::program::target_dir().join("judge"));
    if place.join("node_modules/node-llama-cpp").is_dir() {
        return Some(place);
    }
    assert!(std::env::var_os("LLMQ_REQUIRE_JUDGE").is_none(), "no llama.cpp judge in {}", place.display());
    eprintln!("SKIPPED {test}: no llama.cpp judge in {}; run tests/judge/install", place.display());
    None
}

/// Asks the judge; see the head of `tests/judge/judge.mjs` for the questions.
pub fn ask<A: AsRef<std::ffi::OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Value {
    let output = Command::new("node")
        .arg("judge.mjs")
        .args(args)
        .current_dir(folder)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("node runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the judge refused: {text}{complaint}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("the judge's answer is not JSON ({e}): {text}{complaint}"))
}
