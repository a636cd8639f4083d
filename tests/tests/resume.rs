//! kill -9 at any moment, then the same command with `--resume`: the bytes of a run that was never killed.
#![cfg(unix)]

use llmq_tests::{
    Workdir,
    synthetic::{Shape, write_model},
};
use std::time::{Duration, Instant};

const SHAPE: Shape = Shape { layers: 10, hidden: 256, ffn: 768, heads: 4, kv_heads: 2, vocab: 2048 };

fn call(work: &Workdir, name: &str, resume: bool) -> llmq_tests::Program {
    let call = work.program(["quantize", "model", "gguf", "-q", "Q4_K_M", "-n", name, "--threads", "1"]);
    if resume { call.args(["--resume"]) } else { call }
}

#[test]
fn killed_at_any_moment_and_resumed_gives_the_same_bytes() {
    let work = Workdir::new();
    write_model(&work.join("model"), &SHAPE, false).unwrap();
    let started = Instant::now();
    call(&work, "whole", false).succeed();
    let mut whole = started.elapsed();
    let expected = std::fs::read(work.join("whole.gguf")).unwrap();

    let (mut killed, mut resumed_units) = (0, 0);
    for round in 0..24u32 {
        let name = format!("r{round}");
        // Evenly over the whole run, start and end included; every third round is killed again while it resumes.
        for attempt in 0..=u32::from(round % 3 == 0) {
            let mut child = call(&work, &name, attempt > 0 && work.join(".checkpoint").exists()).start();
            let pause = whole.mul_f64(f64::from(round + 1) / 25.0) / (attempt + 1);
            std::thread::sleep(pause);
            child.kill().unwrap();
            match child.wait().unwrap().success() {
                false => killed += 1,
                // The machine is less busy than when the length of a run was measured.
                true if attempt == 0 => whole = whole.min(pause.mul_f64(0.9)),
                true => {}
            }
        }
        if work.join(&format!("{name}.gguf")).exists() {
            continue; // it had finished before the signal
        }
        let outcome = call(&work, &name, work.join(".checkpoint").join(format!("{name}.gguf")).exists());
        let outcome = outcome.args(["--format", "json"]).succeed();
        resumed_units += outcome.json()["units"]["resumed"].as_u64().unwrap();
        assert!(std::fs::read(work.join(&format!("{name}.gguf"))).unwrap() == expected, "round {round}");
        assert!(!work.join(&format!("{name}.gguf.partial")).exists(), "round {round}");
    }
    println!("{killed} kills, {resumed_units} units taken over, run of {whole:?}");
    assert!(killed >= 12, "the kills came while it ran: {killed}");
    assert!(resumed_units >= 12, "work was taken over: {resumed_units}");
}

#[test]
fn a_resume_with_something_changed_is_refused_with_exit_code_7() {
    let work = Workdir::new();
    write_model(&work.join("model"), &SHAPE, false).unwrap();
    let mut child = call(&work, "m", false).start();
    let journal = work.join(".checkpoint/m.gguf");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_dir(&journal).is_ok_and(|d| d.count() >= 2) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let other_option = work.program(["quantize", "model", "gguf", "-q", "Q4_K_S", "-n", "m", "--resume"]).run();
    assert_eq!(other_option.code, 7, "{other_option:?}");
    assert!(other_option.stderr.contains("level") || other_option.stderr.contains("Q4_K"), "{}", other_option.stderr);

    // The same size, one weight changed.
    let weights = work.join("model/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let other_model = call(&work, "m", true).args(["--format", "json"]).run();
    assert_eq!(other_model.code, 7, "{other_model:?}");
    assert_eq!(other_model.json()["error_code"], 7);
    assert!(other_model.json()["message"].as_str().unwrap().contains("model"), "{other_model:?}");
    assert!(!work.join("m.gguf").exists());
}

#[test]
fn ctrl_c_stops_cleanly_and_can_be_resumed() {
    let work = Workdir::new();
    write_model(&work.join("model"), &SHAPE, false).unwrap();
    call(&work, "whole", false).succeed();
    let mut child = call(&work, "m", false).start();
    let partial = work.join("m.gguf.partial");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !partial.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(150));
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    if work.join("m.gguf").exists() {
        return; // it was faster than the signal; the kill test covers the rest
    }
    assert_eq!(status.code(), Some(130));
    call(&work, "m", true).succeed();
    assert!(std::fs::read(work.join("m.gguf")).unwrap() == std::fs::read(work.join("whole.gguf")).unwrap());
}
