//! Files back into Hugging Face's view, and everything that may be wrong with them.

mod rig;

use llmq_gguf::GgufBackend;
use llmq_gguf::container::{TensorInfo, decode, encode};
use llmq_gguf::value::KeyValue;
use llmq_plugin_api::client::{Backend, Reader};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_plugin_api::wire::{Severity, UnitKind, ValidationReport};
use rig::models::{self, Shape};
use rig::{Folder, Host, Job, Output};
use serde_json::json;

fn file(bytes: &[u8]) -> MappedFile<'_> {
    MappedFile { name: "model.gguf", data: bytes, length: bytes.len() as u64 }
}

fn open(bytes: &[u8]) -> Result<Reader, Error> {
    Backend::in_process(GgufBackend)?.open(&Host::new(2), &[file(bytes)])
}

fn validate(bytes: &[u8]) -> ValidationReport {
    open(bytes).unwrap().validate(&Host::new(2), &[file(bytes)]).unwrap()
}

fn written(folder: &Folder, level: &str) -> Output {
    Job::new(folder, level).run().unwrap()
}

/// All rows of a tensor by its Hugging Face name.
fn rows(reader: &Reader, bytes: &[u8], name: &str) -> Vec<f32> {
    let (index, tensor) = reader.summary().tensors.iter().enumerate().find(|(_, t)| t.name == name).unwrap();
    let mut out = vec![0.0; tensor.elements() as usize];
    // In two pieces, so that rows that moved are asked for on their own.
    let columns = *tensor.shape.last().unwrap() as usize;
    let split = out.len() / columns / 3 * columns;
    let (head, tail) = out.split_at_mut(split);
    reader.decode_rows(&[file(bytes)], index, 0, head).unwrap();
    reader.decode_rows(&[file(bytes)], index, (split / columns) as u64, tail).unwrap();
    out
}

fn source(folder: &Folder, name: &str) -> Vec<f32> {
    use llmq_plugin_api::client::Source;
    let (index, tensor) = folder.description.tensor(name).unwrap();
    let mut out = vec![0.0; tensor.elements() as usize];
    folder.read_rows(index as u32, 0, &mut out).unwrap();
    out
}

#[test]
fn every_tensor_comes_back_under_its_own_name_and_in_its_own_order() {
    let folder = models::tiny();
    for (level, bound) in [("BF16", 0.0), ("F32", 0.0), ("Q8_0", 0.02), ("Q4_K_M", 0.18), ("Q2_K", 0.75)] {
        let output = written(&folder, level);
        let reader = open(&output.bytes).unwrap();
        let summary = reader.summary();
        assert_eq!((summary.level.as_str(), summary.name.as_str()), (level, "Tiny Model"));
        assert_eq!(summary.tensors.len(), folder.tensors.len());
        for tensor in &folder.description.tensors {
            let (want, found) = (source(&folder, &tensor.name), rows(&reader, &output.bytes, &tensor.name));
            let square =
                |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v) * f64::from(v)).sum::<f64>();
            let difference = square(&mut want.iter().zip(&found).map(|(a, b)| a - b)).sqrt();
            let relative = difference / square(&mut want.iter().copied()).sqrt();
            assert!(relative <= bound, "{level} {}: {relative} is more than {bound}", tensor.name);
            let stored = summary.tensors.iter().find(|stored| stored.name == tensor.name).unwrap();
            assert_eq!(stored.shape, tensor.shape, "{}", tensor.name);
        }
        let unit = |name: &str| summary.tensors.iter().find(|t| t.name == name).unwrap().unit;
        assert_eq!(unit("model.embed_tokens.weight"), Some(UnitKind::Embeddings));
        assert_eq!(unit("model.layers.1.mlp.up_proj.weight"), Some(UnitKind::Layer));
        assert_eq!(unit("model.norm.weight"), Some(UnitKind::Head));
        assert!(validate(&output.bytes).findings.is_empty(), "{:?}", validate(&output.bytes).findings);
    }
}

#[test]
fn config_json_is_rebuilt() {
    let folder = models::tiny();
    let output = written(&folder, "Q8_0");
    let config = open(&output.bytes).unwrap().summary().config.clone();
    for key in [
        "architectures",
        "model_type",
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "hidden_act",
        "max_position_embeddings",
        "rms_norm_eps",
        "rope_theta",
        "tie_word_embeddings",
        "attention_bias",
        "mlp_bias",
        "bos_token_id",
        "eos_token_id",
    ] {
        assert_eq!(config[key], folder.description.config[key], "{key}");
    }
    assert!(config["rope_scaling"].is_null());
}

#[test]
fn context_extensions_survive_the_round_trip() {
    let shape = Shape { hidden: 512, intermediate: 256, heads: 4, kv_heads: 4, layers: 1 };
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192 });
    let linear = json!({ "rope_type": "linear", "factor": 4.0 });
    for scaling in [llama3, linear] {
        let folder = models::llama(&shape, "BF16", |config| {
            config["rope_theta"] = json!(500000.0);
            config["rope_scaling"] = scaling.clone();
        });
        let output = written(&folder, "Q8_0");
        let rebuilt = open(&output.bytes).unwrap().summary().config["rope_scaling"].clone();
        for (key, value) in scaling.as_object().unwrap() {
            let same = rebuilt[key] == *value || rebuilt[key].as_f64() == value.as_f64() && value.is_number();
            assert!(same, "{key}: {}, not {value}", rebuilt[key]);
        }
    }
}

#[test]
fn biases_of_moved_rows_move_back() {
    let shape = Shape { hidden: 256, intermediate: 256, heads: 4, kv_heads: 2, layers: 1 };
    let mut folder = models::llama(&shape, "F32", |config| config["attention_bias"] = json!(true));
    let mut tensors = std::mem::take(&mut folder.tensors);
    for (name, rows) in [("q_proj", 256), ("k_proj", 128)] {
        tensors.push(rig::Stored {
            name: format!("model.layers.0.self_attn.{name}.bias"),
            dtype: "F32".into(),
            shape: vec![rows],
            bytes: models::store("F32", &models::values(rows, rows as usize)),
        });
    }
    let folder = Folder::new("biased", folder.description.config.clone(), folder.files.clone(), tensors);
    let output = written(&folder, "Q4_K_M");
    let reader = open(&output.bytes).unwrap();
    assert_eq!(reader.summary().config["attention_bias"], true);
    for name in ["model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.k_proj.bias"] {
        let want = source(&folder, name);
        let (index, _) = reader.summary().tensors.iter().enumerate().find(|(_, t)| t.name == name).unwrap();
        let mut found = vec![0.0; want.len()];
        reader.decode_rows(&[file(&output.bytes)], index, 0, &mut found).unwrap();
        assert_eq!(found, want, "{name}");
        // The file itself holds neighbours: element 1 is the first of the second half.
        let stored = reader.summary().tensors[index].stored_name.clone();
        let (_, bytes) = output.tensor(&stored).unwrap();
        assert_eq!(f32::from_le_bytes(bytes[4..8].try_into().unwrap()), want[32]);
    }
}

#[test]
fn info_shows_metadata_with_long_arrays_cut() {
    let output = written(&models::tiny(), "Q8_0");
    let metadata = open(&output.bytes).unwrap().summary().metadata.clone();
    assert_eq!(metadata["general.architecture"], "llama");
    assert_eq!(metadata["llama.attention.layer_norm_rms_epsilon"], 1e-5);
    assert_eq!(metadata["tokenizer.ggml.tokens"]["count"], 2048);
    assert_eq!(metadata["tokenizer.ggml.tokens"]["first"].as_array().unwrap().len(), 8);
}

#[test]
fn rows_outside_a_tensor_are_refused() {
    let output = written(&models::tiny(), "Q8_0");
    let reader = open(&output.bytes).unwrap();
    let mut out = vec![0.0; 512];
    assert!(reader.decode_rows(&[file(&output.bytes)], 0, u64::MAX, &mut out).is_err());
    assert!(reader.decode_rows(&[file(&output.bytes)], 9999, 0, &mut out).is_err());
    assert!(reader.decode_rows(&[file(&output.bytes)], 1, 2047, &mut out).is_err());
    assert!(reader.decode_rows(&[file(&output.bytes)], 1, 0, &mut out[..100]).is_err());
    // The host promises the same files; a shorter one must not be believed.
    assert!(reader.decode_rows(&[file(&output.bytes[..4096])], 1, 0, &mut out).is_err());
    assert!(reader.decode_rows(&[], 1, 0, &mut out).is_err());
}

#[test]
fn a_scale_that_is_not_finite_is_found_in_its_block() {
    let mut output = written(&models::tiny(), "Q8_0");
    let slot = output.plan.slots.iter().find(|slot| slot.name == "blk.1.ffn_up.weight").unwrap();
    let at = slot.offset as usize + 34 * 1000;
    output.bytes[at..at + 2].copy_from_slice(&[0x00, 0x7c]);
    let report = validate(&output.bytes);
    assert!(!report.is_valid());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].subject, "blk.1.ffn_up.weight");
    assert!(report.findings[0].message.contains("block 1000"), "{}", report.findings[0].message);
}

#[test]
fn files_that_llama_cpp_would_refuse_are_not_valid() {
    let output = written(&models::tiny(), "Q8_0");
    let header = decode(&output.bytes, output.bytes.len() as u64).unwrap();
    let rebuilt = |keep_key: &dyn Fn(&str) -> bool, keep_tensor: &dyn Fn(&str) -> bool| {
        let pairs: Vec<KeyValue> = header.key_values.iter().filter(|pair| keep_key(&pair.key)).cloned().collect();
        let kept: Vec<_> = header.tensors.iter().filter(|tensor| keep_tensor(&tensor.info.name)).collect();
        let infos: Vec<TensorInfo> = kept.iter().map(|tensor| tensor.info.clone()).collect();
        let file = encode(&pairs, infos).unwrap();
        let mut bytes = file.header;
        bytes.resize(file.file_bytes as usize, 0);
        for (from, to) in kept.iter().zip(&file.tensors) {
            let data = &output.bytes[from.offset as usize..(from.offset + from.bytes) as usize];
            bytes[to.offset as usize..(to.offset + to.bytes) as usize].copy_from_slice(data);
        }
        bytes
    };
    let all = |_: &str| true;
    assert!(validate(&rebuilt(&all, &all)).is_valid());
    let findings = |bytes: &[u8]| validate(bytes).findings;
    let layer = findings(&rebuilt(&all, &|name| name != "blk.1.attn_k.weight"));
    assert!(
        layer
            .iter()
            .any(|f| f.severity == Severity::Error && f.message.contains("1 of 2 layers have no `attn_k.weight`"))
    );
    let key = findings(&rebuilt(&|key| key != "tokenizer.ggml.model", &all));
    assert!(key.iter().any(|f| f.severity == Severity::Error && f.subject == "tokenizer.ggml.model"));
    let count = findings(&rebuilt(&|key| key != "llama.block_count", &all));
    assert!(count.iter().any(|f| f.severity == Severity::Error && f.subject == "llama.block_count"));
    let embedding = findings(&rebuilt(&all, &|name| name != "token_embd.weight"));
    assert!(embedding.iter().any(|f| f.severity == Severity::Error && f.message.contains("0 rows")));
    let level = rebuilt(&|key| key != "general.file_type", &all);
    assert_eq!(open(&level).unwrap().summary().level, "Q8_0");
    // Without its numbers the model has no config.json, and the reason is given.
    let numberless = rebuilt(&|key| key != "llama.context_length", &all);
    let summary = open(&numberless).unwrap().summary().clone();
    assert!(summary.config.is_null());
    assert!(summary.warnings.iter().any(|w| w.contains("llama.context_length")), "{:?}", summary.warnings);
}

#[test]
fn other_architectures_are_listed_under_their_own_names() {
    let file = encode(
        &[KeyValue::new("general.architecture", "mamba"), KeyValue::new("general.file_type", 0u32)],
        vec![TensorInfo {
            name: "token_embd.weight".into(),
            ne: vec![4, 2],
            encoding: llmq_ggml_blocks::BlockType::F32,
        }],
    )
    .unwrap();
    let mut bytes = file.header;
    bytes.resize(file.file_bytes as usize, 0);
    let reader = open(&bytes).unwrap();
    let summary = reader.summary();
    assert_eq!((summary.tensors[0].name.as_str(), summary.tensors[0].stored_name.as_str()), ("", "token_embd.weight"));
    assert_eq!((summary.level.as_str(), summary.config.is_null()), ("F32", true));
    assert!(summary.warnings[0].contains("mamba"), "{:?}", summary.warnings);
}

#[test]
fn shards_are_one_model_and_incomplete_sets_are_refused() {
    let shard = |number: u16, count: u16, name: &str| {
        let pairs = [
            KeyValue::new("general.architecture", "llama"),
            KeyValue::new("split.no", number),
            KeyValue::new("split.count", count),
        ];
        let info = TensorInfo { name: name.into(), ne: vec![8, 2], encoding: llmq_ggml_blocks::BlockType::F32 };
        let file = encode(&pairs, vec![info]).unwrap();
        let mut bytes = file.header;
        bytes.resize(file.file_bytes as usize, 0);
        bytes
    };
    let backend = Backend::in_process(GgufBackend).unwrap();
    let open = |files: &[&[u8]]| {
        let files: Vec<MappedFile> = files.iter().map(|bytes| file(bytes)).collect();
        backend.open(&Host::new(1), &files)
    };
    let (one, two) = (shard(0, 2, "token_embd.weight"), shard(1, 2, "output.weight"));
    assert_eq!(open(&[&two, &one]).unwrap().summary().tensors.len(), 2);
    let refused = |files: &[&[u8]]| open(files).err().unwrap();
    assert!(refused(&[&one]).message.contains("has 2 files, 1 were given"));
    assert_eq!(refused(&[]).kind, Kind::CorruptInput);
    assert!(refused(&[&one, &one]).message.contains("not another one"));
    assert!(refused(&[&one, &shard(1, 2, "token_embd.weight")]).message.contains("in two shards"));
}

#[test]
fn cut_files_and_other_files_are_refused() {
    let output = written(&models::tiny(), "Q8_0");
    let whole = &output.bytes;
    for length in [0, 3, 4, 30, 1000, whole.len() / 2, whole.len() - 64] {
        let error = open(&whole[..length]).err().unwrap();
        assert_eq!(error.kind, Kind::CorruptInput, "{length}");
        assert_eq!(error.subject, "model.gguf");
    }
    let backend = Backend::in_process(GgufBackend).unwrap();
    assert_eq!(backend.recognize(&[file(whole)]), 100);
    assert_eq!(backend.recognize(&[file(b"PK\x03\x04")]), 0);
    assert_eq!(backend.recognize(&[]), 0);
}
