//! Folders that must be refused: one damage each, and the words that the user gets.

mod model_folder;

use llm_quantize::model::{Model, ModelError, ModelErrorKind, read_header};
use model_folder::{Folder, Tensor, safetensors_bytes, with_header};
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;

fn refusal(folder: &Path) -> ModelError {
    let error = Model::open(folder).expect_err("this folder must be refused");
    assert!(!error.suggestion().is_empty());
    error
}

fn refused(model: &Folder, words: &str) -> ModelError {
    let folder = tempfile::tempdir().unwrap();
    model.write(folder.path());
    let error = refusal(folder.path());
    assert!(error.to_string().contains(words), "{error} / {words}");
    error
}

#[test]
fn places_without_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let absent = refusal(&folder.path().join("absent"));
    assert_eq!(absent.kind(), ModelErrorKind::NotFound);
    assert!(absent.to_string().starts_with("there is no model at"));
    let empty = refusal(folder.path());
    assert_eq!(empty.kind(), ModelErrorKind::NotFound);
    assert!(empty.to_string().contains("no config.json"));
    let gguf = folder.path().join("model-without-an-ending");
    std::fs::write(&gguf, b"GGUF").unwrap();
    assert_eq!(refusal(&gguf).kind(), ModelErrorKind::Argument);
    assert!(refusal(&gguf).to_string().contains("is a GGUF file, not a model folder"));
    std::fs::write(folder.path().join("config.json"), b"{}").unwrap();
    assert!(refusal(&folder.path().join("config.json")).to_string().contains("is a JSON file"));
}

#[test]
fn folders_without_usable_weights() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write_small_files(folder.path());
    assert!(refusal(folder.path()).to_string().contains("holds no weights"));
    std::fs::write(folder.path().join("pytorch_model.bin"), b"PK").unwrap();
    let legacy = refusal(folder.path());
    assert_eq!(legacy.kind(), ModelErrorKind::Damaged);
    assert!(legacy.to_string().contains("pytorch_model.bin: is neither a zip archive nor"));
    std::fs::remove_file(folder.path().join("pytorch_model.bin")).unwrap();
    std::fs::write(folder.path().join("adapter_config.json"), b"{}").unwrap();
    assert!(refusal(folder.path()).to_string().contains("adapter"));
    std::fs::create_dir(folder.path().join("model.safetensors")).unwrap();
    assert!(refusal(folder.path()).to_string().contains("not a regular file"));
}

#[test]
fn quantized_checkpoints_and_broken_json() {
    let quantized = Folder::llama().set("quantization_config", json!({"quant_method": "gptq", "bits": 4}));
    let error = refused(&quantized, "already quantized: config.json has a quantization_config with method `gptq`");
    assert_eq!(error.kind(), ModelErrorKind::Argument);
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write(folder.path());
    std::fs::write(folder.path().join("config.json"), b"{\"a\": NaN}").unwrap();
    assert!(refusal(folder.path()).to_string().starts_with("config.json is not usable: "));
    std::fs::write(folder.path().join("config.json"), vec![b' '; (16 << 20) + 1]).unwrap();
    assert!(refusal(folder.path()).to_string().contains("16777217 bytes long; at most 16777216"));
}

#[test]
fn tensors_that_are_unknown_missing_or_contradict_config() {
    let q = "model.layers.1.self_attn.q_proj";
    let base = Folder::llama;
    let unknown =
        refused(&base().with("model.layers.1.self_attn.qproj.weight", &[8, 8]), "is unknown to family `llama`");
    assert!(unknown.to_string().contains("nearest: model.layers.1.self_attn.q_proj.weight"), "{unknown}");
    assert_eq!(unknown.kind(), ModelErrorKind::Unsupported);
    refused(
        &base().without(&format!("{q}.weight")),
        "the weights lack 1 tensor: model.layers.1.self_attn.q_proj.weight",
    );
    refused(&base().without("lm_head.weight"), "lack 1 tensor: lm_head.weight");
    refused(&base().set("num_hidden_layers", json!(9)), "the weights lack 63 tensors: ");
    refused(&base().set("num_hidden_layers", json!(1)), "there are only 1 layers, counted from 0");
    refused(&base().with(&format!("{q}.bias"), &[8]), "`attention_bias` is false there");
    refused(&base().set("attention_bias", json!(true)), "the weights lack 8 tensors: ");
    refused(&base().set("attention_bias", json!("yes")), "`attention_bias` is \"yes\"");
    refused(&base().set("vocab_size", json!(13)), "shape [12, 8], but config.json implies [13, 8] (vocab x hidden)");
    refused(&base().set("num_key_value_heads", json!(4)), "implies [8, 8] (kv_heads*head_dim x hidden)");
    refused(&base().with(&format!("{q}.weight"), &[8, 8, 1]), "shape [8, 8, 1]");
    refused(&base().with("model.layers.4294967296.input_layernorm.weight", &[8]), "is unknown");
    refused(
        &base().set("architectures", json!(["Qwen2ForCausalLM"])),
        "the weights lack 6 tensors: model.layers.0.self_attn.q_proj.bias",
    );
    refused(
        &base().set("architectures", json!(["Qwen3ForCausalLM"])).set("head_dim", json!(2)),
        "the weights lack 4 tensors: ",
    );
    let mut integers = base();
    integers.tensors.get_mut("model.norm.weight").unwrap().dtype = "I32";
    let error = refused(&integers, "tensor `model.norm.weight` in model.safetensors has dtype I32");
    assert_eq!(error.kind(), ModelErrorKind::Unsupported);
}

/// Writes three shards with an index, lets `damage` at them, and returns the refusal.
fn sharded(damage: impl Fn(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write_sharded(folder.path(), 3);
    damage(folder.path());
    refusal(folder.path()).to_string()
}

fn edit_index(folder: &Path, edit: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) {
    let path = folder.join("model.safetensors.index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(index["weight_map"].as_object_mut().unwrap());
    std::fs::write(&path, index.to_string()).unwrap();
}

#[test]
fn shards_that_do_not_fit_together() {
    let second = "model-00002-of-00003.safetensors";
    let index = "model.safetensors.index.json";
    for (words, said) in [
        (format!("names {second}, which is not there"), sharded(|f| std::fs::remove_file(f.join(second)).unwrap())),
        (
            "2 of 3 shards are there; number 2 is missing".into(),
            sharded(|f| {
                std::fs::remove_file(f.join(second)).unwrap();
                std::fs::remove_file(f.join(index)).unwrap();
            }),
        ),
        (
            "counts 4 shards where others count 3".into(),
            sharded(|f| {
                std::fs::remove_file(f.join(index)).unwrap();
                std::fs::rename(f.join(second), f.join("model-00002-of-00004.safetensors")).unwrap();
            }),
        ),
        ("which lacks it".into(), sharded(|f| edit_index(f, |map| drop(map.insert("a.b".into(), json!(second)))))),
        (
            "which model.safetensors.index.json does not name".into(),
            sharded(|f| {
                edit_index(f, |map| drop(map.remove("model.norm.weight")));
            }),
        ),
        (
            "but it is in model-0000".into(),
            sharded(|f| {
                edit_index(f, |map| {
                    drop(map.insert("lm_head.weight".into(), json!("model-00003-of-00003.safetensors")))
                });
            }),
        ),
        (
            "is not a safetensors file of this folder".into(),
            sharded(|f| {
                edit_index(f, |map| drop(map.insert("lm_head.weight".into(), json!("../../etc/x.safetensors"))));
            }),
        ),
        ("weight_map of model.safetensors.index.json is empty".into(), sharded(|f| edit_index(f, |map| map.clear()))),
        ("is not usable".into(), sharded(|f| std::fs::write(f.join(index), b"[]").unwrap())),
        (
            "is both in model-00001-of-00003.safetensors and in model-00002-of-00003.safetensors".into(),
            sharded(|f| {
                std::fs::remove_file(f.join(index)).unwrap();
                std::fs::copy(f.join("model-00001-of-00003.safetensors"), f.join(second)).unwrap();
            }),
        ),
    ] {
        assert!(said.contains(&words), "{said} / {words}");
    }
}

#[test]
fn a_single_file_goes_before_an_index_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write_sharded(folder.path(), 2);
    Folder::llama().write(folder.path());
    let model = Model::open(folder.path()).unwrap();
    assert_eq!(model.weight_files().len(), 1);
    assert_eq!(model.notes().len(), 3, "{:?}", model.notes());
}

fn header_refused(bytes: &[u8], words: &str) {
    let error = read_header("x.safetensors", bytes).unwrap_err();
    assert!(error.to_string().starts_with("x.safetensors: "), "{error}");
    assert!(error.to_string().contains(words), "{error} / {words}");
}

#[test]
fn headers_that_lie() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},"b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
        )
    };
    header_refused(b"", "only 0 bytes long");
    header_refused(&[1, 0, 0, 0, 0, 0, 0], "only 7 bytes long");
    header_refused(&u64::MAX.to_le_bytes(), "header of 18446744073709551615 bytes; at most 100000000");
    header_refused(&100u64.to_le_bytes(), "header of 100 bytes, but the file has only 8");
    header_refused(&with_header("", b""), "does not parse");
    header_refused(&with_header("[]", b""), "does not parse");
    header_refused(&with_header("{\"a\": \u{1}}", b""), "does not parse");
    header_refused(&with_header(&one("F32", "[2]", "[0,8]"), &[0; 7]), "holds only 7: it is truncated");
    header_refused(&with_header(&one("F32", "[2]", "[0,8]"), &[0; 9]), "1 bytes follow the last tensor");
    header_refused(&with_header(&one("F32", "[3]", "[0,8]"), &[0; 8]), "takes 12 bytes as [3] of F32, but is given 8");
    header_refused(&with_header(&one("F31", "[2]", "[0,8]"), &[0; 8]), "unknown dtype \"F31\"");
    header_refused(&with_header(&one("F32", "[2]", "[8,0]"), &[0; 8]), "ends (byte 0) before it begins (byte 8)");
    header_refused(&with_header(&one("F32", "[-2]", "[0,8]"), &[0; 8]), "does not parse");
    header_refused(&with_header(&one("F4", "[3]", "[0,1]"), &[0]), "impossible size");
    let huge = format!("[{0},{0}]", u64::MAX);
    header_refused(&with_header(&one("F32", &huge, "[0,8]"), &[0; 8]), "impossible size");
    header_refused(&with_header(&one("U8", "[1152921504606846976]", "[0,1152921504606846976]"), b""), "truncated");
    header_refused(&with_header(&one("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), b"x"), "9 dimensions");
    header_refused(&with_header(&two("[0,4]", "[2,6]"), &[0; 6]), "inside its neighbour ending at 4");
    header_refused(&with_header(&two("[0,4]", "[5,9]"), &[0; 9]), "leaving a hole after byte 4");
    header_refused(&with_header(&two("[4,8]", "[4,8]"), &[0; 8]), "leaving a hole after byte 0");
    let twice = two("[0,4]", "[4,8]").replace("\"b\"", "\"a\"");
    header_refused(&with_header(&twice, &[0; 8]), "`a` is there twice");
    header_refused(&with_header("{\"a\\u001b[2J\":{}}", b""), "control characters");
    header_refused(&with_header(&format!("{{\"{}\":{{}}}}", "n".repeat(513)), b""), "513 bytes");
}

#[test]
fn a_download_cut_short_is_refused_at_every_length() {
    let model = Folder::llama();
    let tensors: Vec<(&str, &Tensor)> = model.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let whole = safetensors_bytes(&tensors);
    assert_eq!(read_header("x", &whole).unwrap().len(), tensors.len());
    for length in 0..whole.len() {
        assert!(read_header("x", &whole[..length]).is_err(), "cut to {length} of {}", whole.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0u64..300) {
        let _ = read_header("x", &bytes);
        let mut framed = length.to_le_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        let _ = read_header("x", &framed);
    }

    #[test]
    fn mutated_files_never_panic_and_what_passes_lies_inside(
        edits in prop::collection::vec((0usize..600, any::<u8>()), 1..4),
    ) {
        let a = Tensor { dtype: "F32", shape: vec![2, 3], bytes: vec![7; 24] };
        let b = Tensor { dtype: "BF16", shape: vec![5], bytes: vec![9; 10] };
        let mut bytes = safetensors_bytes(&[("a.weight", &a), ("b.weight", &b)]);
        for (place, value) in edits {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        if let Ok(tensors) = read_header("x", &bytes) {
            for tensor in tensors {
                let elements: u64 = tensor.shape.iter().product();
                prop_assert_eq!(bytes[tensor.range].len() as u64 * 8, elements * tensor.dtype.bitsize() as u64);
            }
        }
    }
}
