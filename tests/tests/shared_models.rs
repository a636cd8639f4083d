//! Wider than the committed models: every small model with reference results in a folder named by `LLMQ_SHARED`.
//!
//! That folder holds `models/arch/<model>` and `reference/gguf/<model>.json`. Without it the test says that it skipped.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden};
use std::path::PathBuf;

#[test]
fn every_shared_model_has_the_reference_s_tensors() {
    let Some(shared) = std::env::var_os("LLMQ_SHARED").map(PathBuf::from) else {
        eprintln!("SKIPPED every_shared_model_has_the_reference_s_tensors: LLMQ_SHARED is not set");
        return;
    };
    let (mut compared, mut refused) = (0, Vec::new());
    for entry in std::fs::read_dir(shared.join("reference/gguf")).expect("reference results") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let model = shared.join("models/arch").join(&name);
        if path.extension().is_none_or(|e| e != "json") || !model.is_dir() {
            continue;
        }
        let reference: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let work = Workdir::new();
        let info = work.program(["--format", "json", "info"]).args([&model]).run();
        // The reference converts F32 models through F16.
        let f32 = info.code == 0 && info.json()["torch_dtype"] == "float32";
        let intermediate = if f32 { "f16" } else { "none" };
        for level in golden::LEVELS {
            let Some(tensors) = reference["levels"][level]["tensors"].as_object() else { continue };
            let call = work.program(["quantize", "-q", level, "-n", level]).args([model.as_os_str(), "gguf".as_ref()]);
            let call = call.args(["--intermediate", intermediate]);
            let outcome = call.run();
            if outcome.code != 0 {
                refused
                    .push(format!("{name}: {}", outcome.stderr.lines().find(|l| l.starts_with("error")).unwrap_or("")));
                break;
            }
            let found = GgufFile::read(&work.join(&format!("{level}.gguf"))).hashes();
            assert_eq!(found.len(), tensors.len(), "{name} {level}");
            for (tensor, entry) in tensors {
                assert_eq!(found.get(tensor).map(String::as_str), entry[1].as_str(), "{name} {level}: {tensor}");
                compared += 1;
            }
        }
    }
    println!("{compared} tensors equal; refused: {refused:#?}");
    assert!(compared > 1000, "the reference was found");
}
