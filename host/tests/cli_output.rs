//! What goes where: results on stdout, everything else on stderr, colours only where they are wanted.

mod workbench;

use std::process::Stdio;
use workbench::{Ran, Workbench, tiny_model};

#[test]
fn version_and_help_are_results() {
    let bench = Workbench::new();
    let version = bench.run("--version");
    assert_eq!((version.code, version.stderr.as_str()), (0, ""));
    assert_eq!(version.stdout, format!("llm-quantize {}\n", env!("CARGO_PKG_VERSION")));
    let help = bench.run("--help");
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    let words = ["quantize", "convert", "info", "plugins", "--format <FORMAT>", "--verbosity <LEVEL>", "--version"];
    for words in words.into_iter().chain(["Exit codes:"]) {
        assert!(help.stdout.contains(words), "`{words}` is missing in\n{}", help.stdout);
    }
}

#[test]
fn the_help_of_quantize_names_every_option_of_the_contract() {
    let help = Workbench::new().run("quantize --help").stdout;
    for option in [
        "<MODEL>",
        "<OUTPUT_FORMAT>",
        "-q, --quant-level",
        "-o, --output-dir",
        "-n, --output-name",
        "--calibration-data",
        "--calibration-samples",
        "--group-size",
        "--no-checkpoints",
        "--checkpoint-dir",
        "--resume",
        "--dry-run",
        "LLM_QUANTIZE_CHECKPOINT_DIR",
    ] {
        assert!(help.contains(option), "`{option}` is missing in\n{help}");
    }
}

#[test]
fn the_help_of_convert_names_every_option_of_the_contract() {
    let help = Workbench::new().run("convert --help").stdout;
    for option in
        ["<INPUT_MODEL>", "<OUTPUT_FORMAT>", "-o, --output-dir", "-n, --output-name", "--force", "-q, --quant-level"]
    {
        assert!(help.contains(option), "`{option}` is missing in\n{help}");
    }
}

#[test]
fn info_of_a_folder_reads_as_the_contract_says() {
    let bench = Workbench::new();
    let ran = bench.run(&format!("info {}", tiny_model()));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let names: Vec<_> = ran.stdout.lines().take(8).map(|line| line.split(':').next().unwrap()).collect();
    let contract = ["Model", "Architecture", "Parameters", "Hidden Size", "Layers", "Heads", "Vocab Size", "Dtype"];
    assert_eq!(names, contract, "{}", ran.stdout);

    let config = std::fs::read_to_string(format!("{}/config.json", tiny_model())).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let object = bench.run(&format!("info {} --format json", tiny_model())).json();
    let keys: Vec<_> = object.as_object().unwrap().keys().take(8).cloned().collect();
    let contract = [
        "model_name",
        "architecture",
        "parameter_count",
        "hidden_size",
        "num_layers",
        "num_heads",
        "vocab_size",
        "torch_dtype",
    ];
    assert_eq!(keys, contract);
    assert_eq!(object["model_name"], "tiny-model");
    assert_eq!(object["architecture"], config["architectures"][0]);
    for (ours, theirs) in [
        ("hidden_size", "hidden_size"),
        ("num_layers", "num_hidden_layers"),
        ("num_heads", "num_attention_heads"),
        ("vocab_size", "vocab_size"),
    ] {
        assert_eq!(object[ours], config[theirs], "{ours}");
    }
}

#[test]
fn tensors_are_listed_on_request_and_their_weights_are_the_parameter_count() {
    let bench = Workbench::new();
    let object = bench.run(&format!("info {} --tensors --format json", tiny_model())).json();
    let elements = |tensor: &serde_json::Value| -> u64 {
        tensor["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product()
    };
    let tensors = object["tensors"].as_array().unwrap();
    assert_eq!(object["parameter_count"], tensors.iter().map(elements).sum::<u64>());
    let human = bench.run(&format!("info {} --tensors", tiny_model())).stdout;
    for tensor in tensors {
        assert!(human.contains(tensor["name"].as_str().unwrap()), "{tensor}");
    }
}

#[test]
fn colours_follow_no_color_and_clicolor_force() {
    let bench = Workbench::new();
    let stderr = |variables: &[(&str, &str)]| {
        let mut command = bench.command("info no-such-model");
        command.envs(variables.iter().copied());
        Ran::of(command).stderr
    };
    assert!(!stderr(&[]).contains('\x1b'), "stderr is no terminal here");
    assert!(stderr(&[("CLICOLOR_FORCE", "1")]).starts_with("\x1b[1;31merror:\x1b[0m "));
    assert!(!stderr(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Workbench::new();
    let mut child = bench
        .command(&format!("info {} --tensors --format json", tiny_model()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_a_failure() {
    let bench = Workbench::new();
    let mut command = bench.command("--help");
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("The result could not be written to stdout"), "{stderr}");
}
