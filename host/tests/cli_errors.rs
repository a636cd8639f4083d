//! What is typed wrongly: exit code, sentence and suggestion, in both forms.

mod workbench;

use serde_json::json;
use workbench::{Workbench, tiny_model};

#[test]
fn usage_errors_end_with_2_and_say_what_is_accepted() {
    let bench = Workbench::new();
    bench.run("").fails(2, &["error: No command was given", "Use one of: quantize, convert, info,"]);
    bench.run("quantise m gguf").fails(2, &["Unrecognized subcommand 'quantise'", "'quantize'"]);
    bench.run("quantize m gguf").fails(2, &["--quant-level <LEVEL>"]);
    bench.run("quantize m").fails(2, &["<OUTPUT_FORMAT>"]);
    bench.run("info").fails(2, &["<MODEL>"]);
    bench.run("--format yaml info m").fails(2, &["Invalid value 'yaml'", "human, json"]);
    bench.run("--verbosity loud info m").fails(2, &["Invalid value 'loud'", "quiet, normal, verbose, debug"]);
    bench.run("quantize m gguf -q Q4_0 --threads none").fails(2, &["--threads"]);
}

#[test]
fn a_format_without_a_plugin_is_named_even_with_options_that_only_its_plugin_knows() {
    let bench = Workbench::new();
    for line in ["quantize m gptq -q 4bit --group-size 64", "quantize m gptq -q 4bit --act-order true"] {
        bench.run(line).fails(2, &["no plugin handles the format `gptq`", "llm-quantize plugins"]);
    }
    bench.run("quantize m gguf -q Q4_0 --plugin mine").fails(2, &["there is no plugin `mine`"]);
}

#[test]
fn models_that_are_not_there_end_with_3() {
    let bench = Workbench::new();
    bench.run("info no-such-model").fails(3, &["error: Model `no-such-model` does not exist", "hint: Check the path"]);
    // The test bench is offline: a repository can only be in the cache.
    bench.run("info meta-llama/Llama-2-7b-hf").fails(3, &["The cache has no model `meta-llama/Llama-2-7b-hf`"]);
    std::fs::create_dir(bench.path().join("empty")).unwrap();
    bench.run("info empty").fails(3, &["config.json"]);
}

#[test]
fn a_file_that_no_plugin_reads_is_refused() {
    let bench = Workbench::new();
    std::fs::write(bench.path().join("model.bin"), b"not a model").unwrap();
    bench
        .run("info model.bin")
        .fails(2, &["model.bin is in no format that an installed plugin reads", "plugins doctor"]);
    std::fs::write(bench.path().join("empty.gguf"), b"").unwrap();
    bench.run("info empty.gguf").fails(2, &["empty.gguf is in no format"]);
}

#[test]
fn a_quantized_folder_without_its_plugin_is_told_from_a_model() {
    let bench = Workbench::new();
    std::fs::create_dir(bench.path().join("packed")).unwrap();
    let config = json!({"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "toy"}});
    std::fs::write(bench.path().join("packed/config.json"), config.to_string()).unwrap();
    let ran = bench.run("info packed");
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("`toy`") && ran.stderr.contains("No installed plugin reads this format"), "{ran:#?}");
}

#[test]
fn in_json_mode_the_error_object_is_alone_on_stdout() {
    let bench = Workbench::new();
    let ran = bench.run("--format json info no-such-model");
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.json(),
        json!({
            "status": "error",
            "error_code": 3,
            "error_type": "ModelNotFoundError",
            "message": "Model `no-such-model` does not exist",
            "suggestion": "Check the path of the local folder, or name a repository of the Hugging Face Hub as org/name[@revision]"
        })
    );
    assert!(ran.stderr.starts_with("error: Model `no-such-model` does not exist\n"), "{ran:#?}");
    for line in [
        "--nonsense --format json",
        "quantize --format=json",
        "quantize m awq -q 4bit --format json",
        "convert a b --format json",
    ] {
        let ran = bench.run(line);
        let object = ran.json();
        assert_eq!(
            (ran.code, &object["error_code"], &object["error_type"]),
            (2, &json!(2), &json!("InvalidArgumentsError"))
        );
        assert!(object["message"].as_str().unwrap().len() > 10, "{object}");
    }
}

#[test]
fn quiet_hides_everything_but_errors() {
    let bench = Workbench::new();
    bench.run("--verbosity quiet info no-such-model").fails(3, &["error: "]);
    let ran = bench.run(&format!("--verbosity quiet info {}", tiny_model()));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
