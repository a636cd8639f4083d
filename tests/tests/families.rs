//! Model families without committed weights: made-up weights of each family's shapes become the tensors and keys that the
//! reference converter made of the same weights (`golden/families/*.json`).
//!
//! One figure is not the reference's: Falcon's context length, which it writes as 2048 for every model. Gemma 3's embedding has the rows
//! of its tokenizer: of more the reference drops the last, though it lists tokens for them, and llama.cpp refuses the file.

use llmq_tests::{Workdir, gguf_file::GgufFile, made_up::write_model, repository};
use serde_json::Value;
use std::path::PathBuf;

fn cases() -> Vec<PathBuf> {
    let folder = repository::root().join("tests/golden/families");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A value as JSON has it; keys of the families are numbers, switches, words and lists of switches.
fn shown(kind: u32, raw: &[u8]) -> Value {
    match kind {
        4 => u32::from_le_bytes(raw.try_into().unwrap()).into(),
        6 => f64::from(f32::from_le_bytes(raw.try_into().unwrap())).into(),
        7 => (raw[0] != 0).into(),
        8 => String::from_utf8(raw[8..].to_vec()).unwrap().into(),
        9 => raw[12..].iter().map(|b| *b != 0).collect(),
        other => panic!("a value of type {other}"),
    }
}

#[test]
fn tensors_and_keys_are_the_reference_s() {
    let mut seen = 0;
    for path in cases() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let work = Workdir::new();
        write_model(&work.join("model"), &case);
        work.program(["quantize", "-q", "F32", "-n", "out"])
            .args([work.join("model").as_os_str(), "gguf".as_ref()])
            .succeed();
        let file = GgufFile::read(&work.join("out.gguf"));
        let found = file.hashes();
        let expected = case["gguf"].as_object().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for tensor in &file.tensors {
            let entry =
                expected.get(&tensor.name).unwrap_or_else(|| panic!("{name}: {} is not the reference's", tensor.name));
            assert_eq!(serde_json::json!(tensor.dims), entry[0], "{name}: {}", tensor.name);
            assert_eq!(Some(found[&tensor.name].as_str()), entry[1].as_str(), "{name}: {}", tensor.name);
        }
        let prefix = format!("{}.", case["architecture"].as_str().unwrap());
        let keys: Vec<Value> = file
            .keys
            .iter()
            .filter(|(key, ..)| key.starts_with(&prefix))
            .map(|(key, kind, raw)| serde_json::json!([key, shown(*kind, raw)]))
            .collect();
        assert_eq!(Value::Array(keys), case["keys"], "{name}");
        seen += 1;
    }
    assert!(seen >= 11, "{seen} cases");
}
