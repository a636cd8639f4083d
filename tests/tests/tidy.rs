//! House rules that a machine can check.

use llmq_tests::repository;

fn rust_files() -> impl Iterator<Item = (String, String)> {
    repository::files().into_iter().filter_map(|file| {
        let path = file.to_string_lossy().into_owned();
        let text = path.ends_with(".rs").then(|| std::fs::read_to_string(repository::root().join(&file)))?;
        Some((path, text.expect("readable")))
    })
}

#[test]
fn every_file_opens_with_one_sentence() {
    for (path, text) in rust_files() {
        assert!(text.starts_with("//! "), "{path} does not open with a //! sentence");
    }
}

#[test]
fn rooms_are_small_and_have_telling_names() {
    let mut lengths = Vec::new();
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        lengths.push(lines);
        assert!(lines <= 500, "{path} has {lines} lines; cut it, or move its tables out");
        let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        assert!(!["utils", "util", "common", "helpers", "misc"].contains(&stem), "{path} says nothing by its name");
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn a_clone_stays_small() {
    /// Bytes of all files together.
    const MOST: u64 = 30_000_000;
    let size = |file: &std::path::PathBuf| std::fs::metadata(repository::root().join(file)).expect("readable").len();
    let files = repository::files();
    let largest = files.iter().max_by_key(|file| size(file)).expect("files");
    let total: u64 = files.iter().map(size).sum();
    assert!(total <= MOST, "{total} bytes lie in the checkout, most of them in {}", largest.display());
}

#[test]
fn unsafe_stands_only_where_it_must() {
    // mmap, plugin loading, SIMD, CUDA and the foreign functions of differential tests.
    const ALLOWED: &[&str] = &[
        "plugin-api/src/client/load.rs",
        "plugin-api/src/sdk/export.rs",
        "host/src/plugins/",
        "host/src/model/mapping.rs",
        "host/src/job/mapping.rs",
        "plugin-api/tiles/src/",
        "plugins/ggml-blocks/src/dispatch.rs",
        "plugins/ggml-blocks/src/lanes/",
        "plugins/ggml-blocks/tests/",
        "plugins/ggml-blocks/benches/",
        "tests/tests/tidy.rs",
    ];
    for (path, text) in rust_files() {
        let uses = text.lines().any(|l| {
            let code = l.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(!uses || ALLOWED.iter().any(|a| path.starts_with(a)), "{path} uses unsafe");
    }
}
