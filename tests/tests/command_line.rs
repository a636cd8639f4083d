//! The command line with the real binary and the installed GGUF plugin: what the contract promises to people and scripts.

use llmq_tests::{Workdir, repository};
use serde_json::{Value, json};

fn model() -> String {
    repository::tiny_model().display().to_string()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| if word == "MODEL" { model() } else { word.to_owned() }).collect()
}

#[test]
fn a_result_is_the_contract_s_object_alone_on_stdout() {
    let folder = Workdir::new();
    let outcome = folder.program(words("--format json quantize MODEL gguf -q q4_k_m -o out -n mine")).succeed();
    let object = outcome.json();
    let keys: Vec<_> = object.as_object().unwrap().keys().take(10).cloned().collect();
    let contract = [
        "status",
        "output_path",
        "format",
        "quantization_level",
        "file_size",
        "compression_ratio",
        "duration_seconds",
        "peak_memory_bytes",
        "validation_status",
        "metadata",
    ];
    assert_eq!(keys, contract);
    assert_eq!((&object["status"], &object["quantization_level"]), (&json!("success"), &json!("Q4_K_M")));
    let file = folder.join("out").join("mine.gguf");
    assert_eq!(folder.join(object["output_path"].as_str().unwrap()), file);
    assert_eq!(object["file_size"], std::fs::metadata(&file).unwrap().len());
    let metadata = &object["metadata"];
    assert_eq!((&metadata["original_dtype"], &metadata["layers_processed"]), (&json!("bfloat16"), &json!(2)));
    assert!(metadata["original_size"].as_u64().unwrap() > object["file_size"].as_u64().unwrap());
    assert_eq!(folder.listing("out"), ["mine.gguf"]);
}

#[test]
fn progress_goes_to_stderr_in_the_contract_s_words_without_control_codes() {
    let folder = Workdir::new();
    let outcome = folder.program(words("quantize MODEL gguf -q Q8_0")).succeed();
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("[llm-quantize] ")), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(['\x1b', '\r']), "{}", outcome.stderr);
    let expected = [
        "Loading model: ",
        "Architecture: LlamaForCausalLM (2 layers)",
        "Quantizing to GGUF Q8_0",
        "Quantizing 100% 4/4 units [",
        "Complete: ",
    ];
    let mut rest = lines.iter();
    for start in expected {
        let found = rest.any(|line| line["[llm-quantize] ".len()..].starts_with(start));
        assert!(found, "`{start}` is missing or out of order in\n{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("bits per weight") && outcome.stdout.contains("Peak memory"), "{}", outcome.stdout);
}

#[test]
fn quiet_says_nothing_and_verbose_tells_memory_per_unit() {
    let folder = Workdir::new();
    let quiet = folder.program(words("--verbosity quiet quantize MODEL gguf -q Q8_0")).succeed();
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("tiny-model-Q8_0.gguf"), "{}", quiet.stdout);
    let verbose = folder.program(words("quantize MODEL gguf -q Q8_0 --verbosity verbose")).succeed();
    for unit in ["embeddings", "layer.0", "layer.1"] {
        let told = verbose.stderr.lines().any(|line| line.contains(unit) && line.contains("memory"));
        assert!(told, "{unit} is missing in\n{}", verbose.stderr);
    }
}

#[test]
fn a_dry_run_tells_exact_sizes_and_writes_nothing() {
    let folder = Workdir::new();
    let plan = folder.program(words("--format json quantize MODEL gguf -q Q4_K_M --dry-run -o out")).succeed().json();
    assert!(!folder.join("out").exists());
    let human = folder.program(words("quantize MODEL gguf -q Q4_K_M --dry-run")).succeed().stdout;
    for tensor in plan["tensors"].as_array().unwrap() {
        let name = tensor["name"].as_str().unwrap();
        let line = human.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(line.is_some_and(|line| line.contains(tensor["encoding"].as_str().unwrap())), "{name} in\n{human}");
    }
    let done = folder.program(words("--format json quantize MODEL gguf -q Q4_K_M")).succeed().json();
    assert_eq!(plan["file_size"], done["file_size"]);
    assert_eq!(plan["bits_per_weight"], done["bits_per_weight"]);
}

#[test]
fn the_format_brings_its_options_and_levels_into_the_help() {
    let folder = Workdir::new();
    let help = folder.program(words("quantize MODEL gguf --help")).succeed().stdout;
    for level in ["Q2_K", "Q3_K_S", "Q4_0", "Q4_K_M", "Q6_K", "Q8_0", "--pre <TEXT>", "Options of gguf:"] {
        assert!(help.contains(level), "{level} is missing in\n{help}");
    }
    let general = folder.program(words("quantize --help")).succeed().stdout;
    assert!(!general.contains("--pre"), "{general}");
}

#[test]
fn options_of_the_format_are_checked_before_anything_is_written() {
    let folder = Workdir::new();
    for (line, in_message) in [
        ("quantize MODEL gguf -q Q4_KM", "`Q4_KM` is not a quantization level of format `gguf`"),
        ("quantize MODEL gguf -q Q4_0 --intermediate f8", "Invalid value 'f8' for '--intermediate"),
        ("quantize MODEL gguf -q Q4_0 --set no_such=1", "Gguf has no option `no_such`"),
        ("quantize MODEL gguf -q Q4_0 --set pre=a --pre b", "The option `pre` is given twice"),
        ("quantize MODEL gguf -q Q4_0 --device tpu", "`tpu` is no device"),
        ("quantize MODEL ggfu -q Q4_0 --pre a", "no plugin handles the format `ggfu`"),
        ("quantize MODEL exl3 -q 4bit", "no plugin handles the format `exl3`"),
        ("quantize MODEL gguf --resume -q", "--quant-level"),
    ] {
        let outcome = folder.program(words(line)).args(["--format", "json"]).run();
        let object = outcome.json();
        assert_eq!((outcome.code, &object["error_type"]), (2, &json!("InvalidArgumentsError")), "{line}: {outcome:?}");
        assert!(object["message"].as_str().unwrap().contains(in_message), "{line}: {object}");
        assert!(!object["suggestion"].as_str().unwrap().is_empty(), "{line}: {object}");
    }
    assert!(folder.listing("").iter().all(|name| name.starts_with('.')), "{:?}", folder.listing(""));
}

#[test]
fn resume_in_front_of_the_positionals_is_explained() {
    let outcome = Workdir::new().program(words("quantize --resume MODEL gguf -q Q4_0")).run();
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("write --resume last"), "{}", outcome.stderr);
}

#[test]
fn absent_models_and_hub_ids_end_with_3() {
    let folder = Workdir::new();
    // Offline: whether the Hub has a model must not depend on the machine that tests.
    let program = |model: &str| folder.program(["quantize", model, "gguf", "-q", "Q4_0"]).env("HF_HUB_OFFLINE", "1");
    let code = |model: &str| program(model).run().code;
    assert_eq!(code("no-such-model"), 3);
    assert_eq!(code("meta-llama/Llama-2-7b-hf"), 3);
}

#[test]
fn options_without_effect_are_named_not_swallowed() {
    let folder = Workdir::new();
    let line = "quantize MODEL gguf -q Q8_0 --calibration-data d.json --calibration-samples 8 --group-size 64";
    let outcome = folder.program(words(line)).succeed();
    for start in ["--calibration-data and --calibration-samples have no effect: ", "--group-size has no effect: "] {
        assert!(outcome.stderr.contains(&format!("[llm-quantize] warning: {start}")), "{}", outcome.stderr);
    }
}

#[test]
fn plugins_are_listed_and_described() {
    let folder = Workdir::new();
    let list = folder.program(words("plugins list --format json")).succeed().json();
    let is_gguf = |row: &&Value| row["id"] == "gguf" && row["status"] == "usable";
    assert!(list["plugins"].as_array().unwrap().iter().any(|row| is_gguf(&row)), "{list}");
    let info = folder.program(words("plugins info gguf --format json")).succeed().json();
    assert_eq!((&info["id"], &info["formats"][0]["id"]), (&json!("gguf"), &json!("gguf")));
    let doctor = folder.program(words("plugins doctor --format json")).succeed().json();
    let gguf = doctor["plugins"].as_array().unwrap().iter().find(|row| row["manifest"]["id"] == "gguf").unwrap();
    assert_eq!((&gguf["healthy"], &gguf["probe"]["outcome"]), (&json!(true), &json!("loads")));
}

#[test]
fn info_reads_what_quantize_wrote() {
    let folder = Workdir::new();
    let done = folder.program(words("--format json quantize MODEL gguf -q Q4_K_M")).succeed().json();
    assert_eq!(done["validation_status"], "valid");
    let source = folder.program(words("info MODEL --format json")).succeed().json();
    let info = folder.program(words("info tiny-model-Q4_K_M.gguf --tensors --format json")).succeed().json();
    for key in ["architecture", "parameter_count", "hidden_size", "num_layers", "num_heads", "vocab_size"] {
        assert_eq!(info[key], source[key], "{key}");
    }
    assert_eq!((&info["format"], &info["quantization_level"]), (&json!("gguf"), &json!("Q4_K_M")));
    assert_eq!(info["file_size"], done["file_size"]);
    assert_eq!(info["bits_per_weight"], done["bits_per_weight"]);
    let bytes = |list: &Value| list.as_array().unwrap().iter().map(|row| row["bytes"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(bytes(&info["encodings"]), bytes(&info["tensors"]));
    let human = folder.program(words("info tiny-model-Q4_K_M.gguf")).succeed().stdout;
    for line in ["Format: gguf\n", "Level: Q4_K_M\n", "Bits per Weight: 5.35\n", "  general.architecture = llama\n"] {
        assert!(human.contains(line), "{line} is missing in\n{human}");
    }
}
