//! Importance where one source tensor becomes several matrices: keys and values of latent attention, gates and ups of
//! experts in one tensor. Each matrix is quantized with its own entry, as the reference does.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden, judge, made_up::write_model, repository};
use std::path::Path;
use std::process::Command;

/// Refused without importance, quick, and has another type for rows of 32.
const LEVEL: &str = "Q2_K_S";

/// A matrix in the older form with an entry of its own for every matrix of a file.
fn write_matrix(path: &Path, file: &GgufFile) {
    let matrices: Vec<_> = file.tensors.iter().filter(|t| t.dims.len() > 1 && t.name.ends_with(".weight")).collect();
    let mut bytes = (matrices.len() as u32).to_le_bytes().to_vec();
    for (number, tensor) in matrices.iter().enumerate() {
        let count = tensor.dims[0] * tensor.dims[2..].iter().product::<u64>();
        let mut add = |word: u32| bytes.extend(word.to_le_bytes());
        add(tensor.name.len() as u32);
        bytes.extend(tensor.name.as_bytes());
        bytes.extend([1, count as u32].into_iter().flat_map(u32::to_le_bytes));
        let value = |i: u64| ((i * 2_654_435_761 + 977 * number as u64) % 1009 + 1) as f32 / 64.0;
        bytes.extend((0..count).flat_map(|i| value(i).to_le_bytes()));
    }
    bytes.extend([1, 0].into_iter().flat_map(u32::to_le_bytes));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn every_matrix_has_its_own_importance() {
    for name in ["latent", "gpt-oss"] {
        let case = golden::json(&format!("made-up/{name}.json"));
        let work = Workdir::new();
        let model = work.join("model");
        write_model(&model, &case);
        let quantize = |level: &str, more: &[&str]| {
            let call = work.program(["quantize", "-q", level, "-n", level]).args(more);
            call.args([model.as_os_str(), "gguf".as_ref()]).succeed();
            work.join(&format!("{level}.gguf"))
        };
        let source = quantize("BF16", &[]);
        let matrix = work.join("made-up.dat");
        write_matrix(&matrix, &GgufFile::read(&source));
        let ours = quantize(LEVEL, &["--imatrix", matrix.to_str().unwrap()]);
        let found = GgufFile::read(&ours).hashes();
        let expected = case["importance"].as_object().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (tensor, hash) in expected {
            assert_eq!(found.get(tensor).map(String::as_str), hash.as_str(), "{name}: {tensor}");
        }
        let Some(place) = judge::folder("importance of cut tensors") else { continue };
        let theirs = work.join("theirs.gguf");
        let output = Command::new("python3")
            .arg(repository::root().join("tests/judge/llama_quantize.py"))
            .args([&source, &theirs])
            .args([LEVEL.as_ref(), place.join("node_modules/@node-llama-cpp/linux-x64/bins/linux-x64").as_os_str()])
            .args(["2".to_owned(), format!("imatrix={}", matrix.display())])
            .output()
            .expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(&ours).unwrap() == std::fs::read(&theirs).unwrap(), "{name}");
    }
}
