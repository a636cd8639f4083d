//! Dependencies point one way: `plugins/* -> plugin-api <- host`, `tests -> host`, examples stand alone.

use llmq_tests::repository;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

fn edges(manifest: &str) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest])
        .current_dir(repository::root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut edges = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        // A dependency with a path is one of ours.
        let ours = package["dependencies"].as_array().expect("dependencies").iter().filter(|d| d["path"].is_string());
        let to = ours.map(|d| d["name"].as_str().expect("a name").to_owned()).collect();
        edges.insert(package["name"].as_str().expect("a name").to_owned(), to);
    }
    edges
}

/// Pure crates inside plugins/ that backends may share. They know neither host nor interface.
const PURE: &[&str] = &["llmq-channel-scales", "llmq-ggml-blocks", "llmq-linear-grids"];

/// Crates inside plugins/ that several backends share and that know the interface, but no format.
const SHARED: &[&str] = &["llmq-safetensors-folders"];

/// Rooms of the host that are crates of their own, so that they stay pure. They know neither host nor interface nor
/// each other.
const ROOMS: &[&str] = &["llmq-calibration", "llmq-forward", "llmq-measure", "llmq-text"];

/// What pure crates on both sides share below them, in plugin-api/. They know nothing of ours.
const BENEATH: &[&str] = &["llmq-tiles"];

#[test]
fn the_workspace_s_arrows_point_one_way() {
    let edges = edges("Cargo.toml");
    assert!(edges.len() >= 5, "the workspace was found: {edges:?}");
    for (from, to) in &edges {
        for target in to {
            let allowed = match from.as_str() {
                "llmq-plugin-api" => false,
                "llm-quantize" => target == "llmq-plugin-api" || ROOMS.contains(&target.as_str()),
                room if ROOMS.contains(&room) => BENEATH.contains(&target.as_str()),
                beneath if BENEATH.contains(&beneath) => false,
                "llmq-tests" => ["llm-quantize", "llmq-plugin-api"].contains(&target.as_str()),
                pure if PURE.contains(&pure) => PURE.contains(&target.as_str()) || BENEATH.contains(&target.as_str()),
                shared if SHARED.contains(&shared) => target == "llmq-plugin-api" || PURE.contains(&target.as_str()),
                plugin if plugin.starts_with("llmq-plugin-") => {
                    target == "llmq-plugin-api" || PURE.contains(&target.as_str()) || SHARED.contains(&target.as_str())
                }
                other => panic!("`{other}` has no place in the drawing yet: give it one here and in ARCHITECTURE.md"),
            };
            assert!(allowed, "`{from}` must not depend on `{target}`");
        }
    }
    assert!(edges["llm-quantize"].contains("llmq-plugin-api"), "the host speaks the interface");
}

#[test]
fn examples_depend_on_the_interface_alone() {
    let edges = edges("examples/int8-plugin/Cargo.toml");
    assert_eq!(edges.values().next(), Some(&BTreeSet::from(["llmq-plugin-api".to_owned()])));
    assert!(repository::root().join("examples/int8-plugin/Cargo.lock").is_file(), "it has a lock file of its own");
}

#[test]
fn the_host_names_no_format() {
    for file in repository::files() {
        let path = file.to_string_lossy();
        if !(path.starts_with("host/src/") && path.ends_with(".rs")) || path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(repository::root().join(&file)).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let named =
                ["llmq_gguf", "llmq-plugin-gguf", "llmq_gptq", "llmq-plugin-gptq", "llmq_awq", "llmq-plugin-awq"]
                    .iter()
                    .any(|name| code.contains(name));
            assert!(!named, "{path}:{}: {line}", number + 1);
        }
    }
}
