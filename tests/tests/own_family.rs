//! Families that users describe: a class that nobody knows, with tensor names of its own, becomes the file of the family
//! that it is like, without anything being built; mistakes in descriptions are told whichever model is opened.

use llmq_tests::{Workdir, golden, repository};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The built-in description of Llama, under other names.
fn description() -> String {
    let llama =
        std::fs::read_to_string(repository::root().join("host/families/llama.toml")).expect("the built-in description");
    llama
        .replacen("id = \"llama\"", "id = \"mine\"\nlike = \"llama\"", 1)
        .replace("\"LlamaForCausalLM\", \"LLaMAForCausalLM\"", "\"MineForCausalLM\"")
        .replace("[\"llama\"]", "[\"mine\"]")
        .replace("model.layers.", "decoder.blocks.")
        .replace("model.embed_tokens", "decoder.words")
}

/// The tiny model with the class and the tensor names of that description.
fn renamed_model(work: &Workdir) -> PathBuf {
    let (from, to) = (golden::model("tiny-model"), work.join("model"));
    std::fs::create_dir(&to).expect("a folder");
    for entry in std::fs::read_dir(&from).expect("the model") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_owned();
        let bytes = std::fs::read(&path).expect("readable");
        let bytes = match name.to_str() {
            Some("config.json") => {
                String::from_utf8(bytes).expect("text").replace("LlamaForCausalLM", "MineForCausalLM").into()
            }
            Some("model.safetensors") => renamed_weights(&bytes),
            _ => bytes,
        };
        std::fs::write(to.join(name), bytes).expect("written");
    }
    to
}

fn renamed_weights(bytes: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let rename =
        |name: &str| name.replace("model.layers.", "decoder.blocks.").replace("model.embed_tokens", "decoder.words");
    let header: Map<String, Value> = header.into_iter().map(|(name, entry)| (rename(&name), entry)).collect();
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [(text.len() as u64).to_le_bytes().to_vec(), text, bytes[8 + length..].to_vec()].concat()
}

fn families(work: &Workdir, description: &str) -> PathBuf {
    let folder = work.join("families");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("mine.toml"), description).expect("written");
    folder
}

#[test]
fn a_described_class_becomes_the_file_of_the_family_that_it_is_like() {
    let work = Workdir::new();
    let quantize = |model: &Path, name: &str| {
        let call = work.program(["quantize", "-q", "Q4_K_M", "--name", "Tiny", "-n", name]);
        call.args([model.as_os_str(), "gguf".as_ref()])
    };
    let mine = renamed_model(&work);
    let unknown = quantize(&mine, "mine").run();
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("architecture `MineForCausalLM` is not supported yet"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("A family of your own"), "{}", unknown.stderr);

    let folder = families(&work, &description());
    let told = quantize(&mine, "mine").env("LLM_QUANTIZE_FAMILIES", &folder).args(["--verbosity", "verbose"]).succeed();
    assert!(
        told.stderr.contains("`MineForCausalLM` is your family `mine` and is written like `llama`"),
        "{}",
        told.stderr
    );
    quantize(&golden::model("tiny-model"), "llama").succeed();
    let (ours, llama) =
        (std::fs::read(work.join("mine.gguf")).unwrap(), std::fs::read(work.join("llama.gguf")).unwrap());
    assert!(ours == llama, "the two files differ");
}

#[test]
fn mistakes_are_told_with_the_file_and_the_nearest_word() {
    let work = Workdir::new();
    let model = golden::model("tiny-model");
    for (from, to, words) in [
        ("like = \"llama\"", "like = \"lama\"", "which is no built-in family; did you mean llama"),
        ("like = \"llama\"\n", "", "`like` is missing"),
        ("role = \"attn_norm\"", "role = \"atn_norm\"", "atn_norm"),
        ("rope_layout", "rope_layuot", "rope_layuot"),
    ] {
        let text = description();
        assert!(text.contains(from), "{from}");
        let folder = families(&work, &text.replacen(from, to, 1));
        let outcome = work.program(["info"]).args([&model]).env("LLM_QUANTIZE_FAMILIES", &folder).run();
        assert_eq!(outcome.code, 2, "{outcome:?}");
        for word in [words, "mine.toml"] {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
    }
    let nowhere = work.program(["info"]).args([&model]).env("LLM_QUANTIZE_FAMILIES", work.join("none")).run();
    assert!(nowhere.code == 2 && nowhere.stderr.contains("cannot be read"), "{nowhere:?}");
}
