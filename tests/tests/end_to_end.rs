//! A model goes in, the reference's bytes come out: every committed model at every level, through the real binary.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden, repository};

#[test]
fn every_level_of_every_committed_model_has_the_reference_s_bytes() {
    for model in golden::MODELS {
        let work = Workdir::new();
        for level in golden::LEVELS.iter().chain(&[golden::own_precision(model)]) {
            work.program(["quantize", "-q", level, "-n", level])
                .args([golden::model(model).as_os_str(), "gguf".as_ref()])
                .succeed();
            golden::assert_tensors(model, level, &GgufFile::read(&work.join(&format!("{level}.gguf"))));
        }
        assert!(work.listing(".").iter().all(|f| !f.contains("partial")), "nothing unfinished stays");
    }
}

#[test]
fn the_result_object_keeps_the_contract() {
    let work = Workdir::new();
    let outcome = work
        .program(["--format", "json", "quantize", "-q", "q4_k_m"])
        .args([repository::tiny_model().as_os_str(), "gguf".as_ref()])
        .succeed();
    let result = outcome.json();
    assert_eq!(result["status"], "success");
    assert_eq!(result["format"], "gguf");
    assert_eq!(result["quantization_level"], "Q4_K_M");
    assert_eq!(result["validation_status"], "valid");
    assert_eq!(result["metadata"]["original_dtype"], "bfloat16");
    assert_eq!(result["metadata"]["original_size"], 3_410_432);
    assert_eq!(result["metadata"]["layers_processed"], 2);
    let file = work.join("tiny-model-Q4_K_M.gguf");
    assert_eq!(
        result["output_path"].as_str().map(std::path::PathBuf::from).and_then(|p| p.canonicalize().ok()),
        file.canonicalize().ok()
    );
    let length = std::fs::metadata(&file).unwrap().len();
    assert_eq!(result["file_size"], length);
    let ratio = result["compression_ratio"].as_f64().unwrap();
    assert!((ratio - length as f64 / 3_410_432.0).abs() < 1e-3, "{ratio}");
    assert!(result["duration_seconds"].as_f64().unwrap() > 0.0);
    assert!(result["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(outcome.stderr.contains("[llm-quantize] Quantizing to GGUF Q4_K_M"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("[llm-quantize] Complete: "), "{}", outcome.stderr);
}

#[test]
fn the_dry_run_knows_the_file_to_the_byte_and_writes_nothing() {
    let work = Workdir::new();
    let call = |dry: bool| {
        let call = work.program(["--format", "json", "quantize", "-q", "Q5_K_M", "-n", "m"]);
        let call = call.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]);
        if dry { call.args(["--dry-run"]) } else { call }.succeed().json()
    };
    let plan = call(true);
    assert!(!work.join("m.gguf").exists() && !work.join(".checkpoint").exists(), "{:?}", work.listing("."));
    call(false);
    let file = GgufFile::read(&work.join("m.gguf"));
    let length = std::fs::metadata(work.join("m.gguf")).unwrap().len();
    assert!(plan.to_string().contains(&format!(":{length}")), "the plan states {length}: {plan}");
    let text = plan.to_string();
    for tensor in &file.tensors {
        assert!(text.contains(&format!("\"{}\"", tensor.name)), "the plan lists {}", tensor.name);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let work = Workdir::new();
    let run = |threads: &str| {
        work.program(["quantize", "-q", "Q3_K_L", "-n", threads, "--threads", threads])
            .args([golden::model("qwen2").as_os_str(), "gguf".as_ref()])
            .succeed();
        std::fs::read(work.join(&format!("{threads}.gguf"))).unwrap()
    };
    let one = run("1");
    assert!(run("2") == one && run("7") == one && run("64") == one);
}

#[test]
fn info_describes_folders_and_files() {
    let work = Workdir::new();
    let folder = work.program(["--format", "json", "info"]).args([repository::tiny_model()]).succeed().json();
    let expected = serde_json::json!({
        "model_name": "tiny-model", "architecture": "LlamaForCausalLM", "parameter_count": 1_705_216,
        "hidden_size": 256, "num_layers": 2, "num_heads": 8, "vocab_size": 2048, "torch_dtype": "bfloat16",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&folder[key], value, "{key}");
    }
    work.program(["quantize", "-q", "Q6_K", "-n", "m"])
        .args([repository::tiny_model().as_os_str(), "gguf".as_ref()])
        .succeed();
    let file = work.program(["--format", "json", "info", "m.gguf"]).succeed().json();
    for key in ["architecture", "parameter_count", "hidden_size", "num_layers", "num_heads", "vocab_size"] {
        assert_eq!(file[key], expected[key], "{key} of the file: {file}");
    }
    let human = work.program(["info", "m.gguf"]).succeed().stdout;
    assert!(human.contains("Q6_K") && human.contains("gguf"), "{human}");
}
