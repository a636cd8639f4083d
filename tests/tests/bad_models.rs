//! Spoiled model folders: the right exit code, a sentence that names the culprit, and nothing under the final name.

use llmq_tests::Workdir;
use std::path::Path;

/// Spoils a copy of the example model, quantizes it, and checks code, words, and the absence of output.
fn refused(code: i32, words: &[&str], spoil: impl Fn(&Path)) {
    let work = Workdir::new();
    spoil(&work.copy_of_tiny_model());
    let call = ["--format", "json", "quantize", "tiny-model", "gguf", "-q", "Q4_0", "-o", "out"];
    let outcome = work.program(call).run();
    assert_eq!(outcome.code, code, "{outcome:?}");
    let object = outcome.json();
    assert_eq!(object["status"], "error");
    assert_eq!(object["error_code"], code);
    let text = format!("{} {}", object["message"], object["suggestion"]);
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    assert!(!object["suggestion"].as_str().unwrap().is_empty(), "a suggestion is given: {text}");
    let left = if work.join("out").exists() { work.listing("out") } else { Vec::new() };
    assert!(left.iter().all(|f| !f.ends_with(".gguf")), "{left:?}");
}

fn edit(folder: &Path, file: &str, change: impl Fn(&mut Vec<u8>)) {
    let path = folder.join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn edit_config(folder: &Path, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) {
    edit(folder, "config.json", |bytes| {
        let mut config: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        change(config.as_object_mut().unwrap());
        *bytes = serde_json::to_vec(&config).unwrap();
    });
}

const WEIGHTS: &str = "model.safetensors";

#[test]
fn damaged_weights() {
    refused(1, &[WEIGHTS], |m| edit(m, WEIGHTS, |b| b.truncate(b.len() - 1)));
    refused(1, &[WEIGHTS], |m| edit(m, WEIGHTS, |b| b.truncate(5)));
    refused(1, &[WEIGHTS], |m| edit(m, WEIGHTS, |b| b[..8].copy_from_slice(&u64::MAX.to_le_bytes())));
    refused(1, &[WEIGHTS], |m| edit(m, WEIGHTS, |b| b[8] = b'X'));
    refused(1, &["NaN"], |m| {
        edit(m, WEIGHTS, |b| {
            let last = b.len() - 2;
            b[last..].copy_from_slice(&[0xc0, 0x7f]);
        })
    });
}

#[test]
fn missing_pieces() {
    refused(3, &[], |m| std::fs::remove_dir_all(m).unwrap());
    refused(3, &["config.json"], |m| std::fs::remove_file(m.join("config.json")).unwrap());
    refused(3, &["safetensors"], |m| std::fs::remove_file(m.join(WEIGHTS)).unwrap());
    refused(1, &["tokenizer"], |m| std::fs::remove_file(m.join("tokenizer.json")).unwrap());
    refused(1, &["model-00002-of-00002.safetensors"], |m| {
        std::fs::rename(m.join(WEIGHTS), m.join("model-00001-of-00002.safetensors")).unwrap();
        let map = r#"{"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors","lm_head.weight":"model-00002-of-00002.safetensors"}}"#;
        std::fs::write(m.join("model.safetensors.index.json"), map).unwrap();
    });
}

#[test]
fn odd_configurations() {
    refused(1, &["LlamaForCausalML", "LlamaForCausalLM"], |m| {
        edit_config(m, |c| drop(c.insert("architectures".into(), serde_json::json!(["LlamaForCausalML"]))))
    });
    refused(1, &["num_attention_heads"], |m| {
        edit_config(m, |c| drop(c.insert("num_attention_heads".into(), 0.into())))
    });
    refused(1, &["hidden_size"], |m| edit_config(m, |c| drop(c.insert("hidden_size".into(), "wide".into()))));
    refused(1, &["config.json"], |m| edit(m, "config.json", |b| b.truncate(20)));
    refused(1, &["tokenizer.json"], |m| edit(m, "tokenizer.json", |b| b.truncate(200)));
}

#[test]
fn bad_requests() {
    let work = Workdir::new();
    work.copy_of_tiny_model();
    for (args, word) in [
        (vec!["tiny-model", "gguf", "-q", "Q4_K_X"], "Q4_K_M"),
        (vec!["tiny-model", "ggfu", "-q", "Q4_0"], "gguf"),
        (vec!["tiny-model", "exl3", "-q", "4bit"], "exl3"),
        (vec!["tiny-model", "gguf"], "--quant-level"),
        (vec!["tiny-model", "gguf", "-q", "Q4_0", "--pre", "nonsense"], "llama-bpe"),
        (vec!["tiny-model", "gguf", "-q", "Q4_0", "-o", "tiny-model/config.json"], "config.json"),
    ] {
        let outcome = work.program(["--format", "json", "quantize"]).args(&args).run();
        assert_eq!(outcome.code, 2, "{args:?}: {outcome:?}");
        assert!(outcome.stdout.contains(word), "{args:?}: {}", outcome.stdout);
    }
    // A Hub id; without the network only the cache could answer.
    let absent = work.program(["quantize", "org/no-such-model", "gguf", "-q", "Q4_0"]).env("HF_HUB_OFFLINE", "1").run();
    assert_eq!(absent.code, 3, "{absent:?}");
}

/// A file system without room: refused before work, because the plan knows the size.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_noticed_before_work() {
    let work = Workdir::new();
    let binary = llmq_tests::program::binary();
    let script = "mkdir -p small && mount -t tmpfs -o size=400k tmpfs small && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(binary);
    command.args(["--format", "json", "quantize", "-q", "Q4_0", "-o", "small"]);
    command.args([llmq_tests::repository::tiny_model().as_os_str(), "gguf".as_ref()]);
    let output = command.current_dir(work.path()).output().expect("unshare runs");
    if String::from_utf8_lossy(&output.stderr).contains("unshare") {
        eprintln!("SKIPPED a_full_disk_is_noticed_before_work: no user namespaces here");
        return;
    }
    let outcome: llmq_tests::Outcome = output.into();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let message = outcome.json()["message"].to_string();
    assert!(message.contains("free") && message.contains("small"), "{message}");
}
