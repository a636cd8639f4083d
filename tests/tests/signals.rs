//! Ctrl-C and SIGTERM in the middle of a job: a clean stop, a word on how to go on, and the same bytes after going on.
#![cfg(unix)]

use llmq_tests::{Outcome, Program, Workdir, golden, repository};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A model that keeps one thread busy for a while: 20 million weights in 6 layers.
fn model(folder: &Workdir) -> PathBuf {
    let model = folder.join("model");
    let mut synthesize = Command::new(env!("CARGO_BIN_EXE_synthesize"));
    synthesize.arg(&model).args("--layers 6 --hidden 512 --ffn 1024 --heads 8 --vocab 8000".split(' '));
    assert!(synthesize.status().unwrap().success());
    model
}

fn arguments<'a>(model: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["quantize", model.to_str().unwrap(), "gguf", "-q", "Q5_K_M", "--threads", "1", "-o", "out"];
    fixed.iter().chain(more).copied().collect()
}

/// Starts the job, sends a signal once units are at work, and waits for the end.
fn stopped(folder: &Workdir, model: &Path, signal: &str, more: &[&str]) -> Outcome {
    stopped_at(folder.program(arguments(model, more)), signal, "Quantizing   0%")
}

/// The same, once `sign` was said.
fn stopped_at(call: Program, signal: &str, sign: &str) -> Outcome {
    let mut child = call.start();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains(sign) {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "the job ended before it could be stopped:\n{said}");
    }
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    stderr.read_to_string(&mut said).unwrap();
    let mut outcome = Outcome::from(child.wait_with_output().unwrap());
    outcome.stderr = said;
    outcome
}

#[test]
fn a_stopped_job_goes_on_to_the_same_bytes() {
    let folder = Workdir::new();
    let model = model(&folder);
    folder.program(arguments(&model, &["-n", "undisturbed"])).succeed();
    let expected = std::fs::read(folder.join("out/undisturbed.gguf")).unwrap();
    for signal in ["-INT", "-TERM"] {
        let name = format!("stopped{signal}");
        let outcome = stopped(&folder, &model, signal, &["-n", &name]);
        assert_eq!(outcome.code, 130, "{outcome:?}");
        for words in ["Stopping after the work in hand", "continue with the same command and --resume"] {
            assert!(outcome.stderr.contains(words), "{outcome:?}");
        }
        let output = folder.join("out").join(format!("{name}.gguf"));
        assert!(!output.exists(), "an unfinished file has the final name");
        folder.program(arguments(&model, &["-n", &name, "--resume"])).succeed();
        assert!(std::fs::read(output).unwrap() == expected, "{signal}: other bytes than undisturbed");
    }
    assert_eq!(folder.listing("out"), ["stopped-INT.gguf", "stopped-TERM.gguf", "undisturbed.gguf"]);
}

#[test]
fn without_checkpoints_a_stopped_job_leaves_nothing() {
    let folder = Workdir::new();
    let outcome = stopped(&folder, &model(&folder), "-INT", &["--no-checkpoints"]);
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert!(outcome.stderr.contains("nothing is kept"), "{outcome:?}");
    assert_eq!(folder.listing("out"), Vec::<String>::new());
}

#[test]
fn a_stopped_job_is_an_error_object_in_json() {
    let folder = Workdir::new();
    let outcome = stopped(&folder, &model(&folder), "-INT", &["--format", "json"]);
    let object = outcome.json();
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert_eq!((&object["error_code"], &object["error_type"]), (&130.into(), &"InterruptedError".into()));
    assert!(object["suggestion"].as_str().unwrap().contains("--resume"), "{object}");
}

#[test]
fn a_stopped_evaluation_leaves_nothing() {
    let folder = Workdir::new();
    let text = std::fs::read_to_string(golden::path("tiny-model.text.txt")).unwrap();
    std::fs::write(folder.join("long.txt"), text.repeat(8)).unwrap();
    let model = repository::tiny_model();
    let line = ["evaluate", "--data", "long.txt", "--context", "256", "--save-base-logits", "own.kld"];
    let call = folder.program(line).args([model.as_os_str()]);
    let outcome = stopped_at(call, "-INT", "Running the model");
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert!(outcome.stderr.contains("starts over") && !outcome.stderr.contains("--no-checkpoints"), "{outcome:?}");
    assert!(!folder.listing(".").iter().any(|name| name.contains("own.kld")), "{:?}", folder.listing("."));
}
