//! Models that must open, and what is found in them.

mod model_folder;

use llm_quantize::model::{Dtype, Model};
use llmq_plugin_api::wire::{Role, UnitKind};
use model_folder::{Folder, shared_models, tiny_model};
use serde_json::{Value, json};
use std::path::Path;

fn open(path: &Path) -> Model {
    Model::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_example_model_is_described_in_model_order() {
    let model = open(&tiny_model());
    let d = model.description();
    assert_eq!((d.name.as_str(), d.architecture.as_str()), ("tiny-model", "LlamaForCausalLM"));
    assert_eq!((d.family.as_str(), d.dtype.as_str()), ("llama", "BF16"));
    assert_eq!(d.parameter_count(), 1_705_216);
    assert_eq!(model.source_bytes(), 2 * d.parameter_count());
    let units: Vec<&str> = d.units.iter().map(|u| u.id.as_str()).collect();
    assert_eq!(units, ["embeddings", "layer.0", "layer.1", "head"]);
    assert_eq!(d.units[2].kind, UnitKind::Layer);
    assert_eq!(d.tensors.len(), 20);
    assert_eq!(d.tensors[0].name, "model.embed_tokens.weight");
    assert_eq!(d.tensors[19].name, "model.norm.weight");
    assert!(d.tensors.windows(2).all(|pair| pair[0].unit <= pair[1].unit));
    let (_, down) = d.tensor("model.layers.1.mlp.down_proj.weight").unwrap();
    assert_eq!((&down.role, down.part.as_str(), down.layer, down.unit), (&Role::FfnDown, "weight", Some(1), 2));
    let h = &d.hyperparameters;
    assert_eq!(
        (h.layers, h.hidden_size, h.intermediate_size, h.vocab_size, h.context_length),
        (2, 256, 512, 2048, 256)
    );
    assert_eq!((h.attention.heads, h.attention.kv_heads, h.attention.head_dim), (8, 4, 32));
    assert!(h.tied_embeddings && h.attention.head_dim_stated);
    assert_eq!(h.rope.as_ref().map(|r| (r.theta, r.dimensions)), Some((10000.0, 32)));
    assert_eq!(
        d.files,
        ["config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]
    );
    assert_eq!(d.generation_config["eos_token_id"], 1);
    assert!(model.notes().is_empty(), "{:?}", model.notes());
    for index in 0..d.tensors.len() {
        assert_eq!(model.find_non_finite(index).unwrap(), None);
    }
}

#[test]
fn a_model_can_be_read_from_many_threads() {
    fn shareable<T: Send + Sync>(_: &T) {}
    shareable(&open(&tiny_model()));
}

#[test]
fn rows_are_the_stored_numbers() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write(folder.path());
    let model = open(folder.path());
    let (index, tensor) = model.description().tensor("model.layers.0.mlp.down_proj.weight").unwrap();
    let data = model.tensor(index).unwrap();
    assert_eq!((data.dtype, data.shape, data.bytes.len()), (Dtype::F32, &[8, 6][..], 8 * 6 * 4));
    let mut rows = vec![0f32; 2 * 6];
    model.read_rows_f32(index, 3, &mut rows).unwrap();
    let first = tensor.name.bytes().map(u32::from).sum::<u32>() % 64 + 3 * 6;
    let expected: Vec<f32> = (first..first + 12).map(|i| i as f32 / 8.0).collect();
    assert_eq!(rows, expected);
    model.advise_will_need(1);
    model.advise_done(1, true);
    model.read_rows_f32(index, 3, &mut rows).unwrap();
    assert_eq!(rows, expected, "pages given back come again from the file");

    assert!(model.read_rows_f32(index, 7, &mut rows).unwrap_err().to_string().contains("it has 8"));
    assert!(model.read_rows_f32(index, u64::MAX, &mut rows).is_err());
    assert!(model.read_rows_f32(index, 0, &mut rows[..7]).unwrap_err().to_string().contains("whole number of rows"));
    assert!(model.tensor(999).unwrap_err().to_string().contains("999"));
}

#[test]
fn shards_give_the_same_description_and_numbers_as_one_file() {
    let (one, indexed, bare) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Folder::llama().write(one.path());
    Folder::llama().write_sharded(indexed.path(), 3);
    Folder::llama().write_sharded(bare.path(), 3);
    std::fs::remove_file(bare.path().join("model.safetensors.index.json")).unwrap();
    let one = open(one.path());
    for other in [open(indexed.path()), open(bare.path())] {
        assert_eq!(other.weight_files().len(), 3);
        let names = |m: &Model| serde_json::to_value(&m.description().tensors).unwrap();
        assert_eq!(names(&one), names(&other));
        for index in 0..one.description().tensors.len() {
            assert_eq!(one.tensor(index).unwrap().bytes, other.tensor(index).unwrap().bytes);
        }
    }
}

#[test]
fn a_stored_copy_of_tied_embeddings_is_left_behind_and_another_head_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tied = Folder::llama().set("tie_word_embeddings", json!(true));
    tied.write(folder.path());
    let model = open(folder.path());
    assert!(!model.description().hyperparameters.tied_embeddings);
    assert!(model.description().tensor("lm_head.weight").is_some());
    assert!(model.notes()[0].contains("differs"), "{:?}", model.notes());

    let mut copied = tied.clone();
    copied.tensors.insert("lm_head.weight".into(), copied.tensors["model.embed_tokens.weight"].clone());
    copied.write(folder.path());
    let model = open(folder.path());
    assert!(model.description().hyperparameters.tied_embeddings);
    assert!(model.description().tensor("lm_head.weight").is_none());
    assert!(model.notes()[0].contains("copy"), "{:?}", model.notes());

    tied.without("lm_head.weight").write(folder.path());
    assert!(open(folder.path()).description().hyperparameters.tied_embeddings);
}

#[test]
fn left_over_rotary_frequencies_are_left_behind_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Folder::llama();
    for layer in 0..2 {
        model = model.with(&format!("model.layers.{layer}.self_attn.rotary_emb.inv_freq"), &[1]);
    }
    model.write(folder.path());
    let model = open(folder.path());
    assert_eq!(model.description().tensors.len(), 21);
    assert_eq!(model.notes().len(), 1);
    assert!(model.notes()[0].starts_with("2 tensors such as model.layers.0"), "{:?}", model.notes());
}

#[test]
fn side_files_are_those_listed_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama()
        .file("README.md", b"---\nlicense: mit\n---\n")
        .file("additional_chat_templates/tool_use.jinja", b"{{ x }}")
        .file("additional_chat_templates/notes.txt", b"no")
        .file("modeling_x.py", b"no")
        .write(folder.path());
    let model = open(folder.path());
    assert_eq!(model.description().files, ["README.md", "additional_chat_templates/tool_use.jinja", "config.json"]);
    assert_eq!(model.file("additional_chat_templates/tool_use.jinja").unwrap(), b"{{ x }}");
    for name in ["modeling_x.py", "../README.md", "/etc/hostname", "model.safetensors", "./README.md", ""] {
        assert!(model.file(name).is_err(), "{name}");
    }
}

#[test]
fn the_first_weight_that_is_no_number_is_found_with_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Folder::llama();
    let name = "model.layers.1.mlp.up_proj.weight";
    let bytes = &mut model.tensors.get_mut(name).unwrap().bytes;
    bytes[(3 * 8 + 5) * 4..][..4].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    model.write(folder.path());
    let model = open(folder.path());
    let (index, _) = model.description().tensor(name).unwrap();
    let found = model.find_non_finite(index).unwrap().unwrap();
    assert_eq!((found.row, found.column, found.value), (3, 5, f32::NEG_INFINITY));
    let error = model.check_finite(index).unwrap_err().to_string();
    assert_eq!(error, format!("tensor `{name}` holds -inf at row 3, column 5; weights must be finite numbers"));
    assert!(model.check_finite(0).is_ok());
}

#[test]
fn fingerprints_follow_content_and_times() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Folder::llama().write(a.path());
    Folder::llama().write(b.path());
    let (first, second) = (open(a.path()).fingerprint().unwrap(), open(b.path()).fingerprint().unwrap());
    assert_eq!(first.content, second.content);
    assert_eq!(first, open(a.path()).fingerprint().unwrap());

    let mut changed = Folder::llama();
    changed.tensors.get_mut("model.norm.weight").unwrap().bytes[0] ^= 1;
    changed.write(b.path());
    assert_ne!(first.content, open(b.path()).fingerprint().unwrap().content, "one bit of a weight");
    Folder::llama().set("rope_theta", json!(10001.0)).write(b.path());
    assert_ne!(first.content, open(b.path()).fingerprint().unwrap().content, "config.json");
    Folder::llama().file("README.md", b"x").write(b.path());
    assert_ne!(first.content, open(b.path()).fingerprint().unwrap().content, "a further side file");

    let opened = open(a.path());
    opened.check_unchanged().unwrap();
    let weights = std::fs::File::options().write(true).open(a.path().join("model.safetensors")).unwrap();
    weights.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let touched = open(a.path()).fingerprint().unwrap();
    assert_eq!(first.content, touched.content);
    assert_ne!(first.times, touched.times);
    assert!(opened.check_unchanged().unwrap_err().to_string().contains("changed while"));
    std::fs::remove_file(a.path().join("model.safetensors")).unwrap();
    assert!(opened.check_unchanged().is_err());
}

#[test]
fn a_config_without_architectures_goes_by_its_model_type() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().unset("architectures").write(folder.path());
    assert_eq!(open(folder.path()).description().architecture, "LlamaForCausalLM");
}

#[test]
fn the_shared_models_open() {
    let Some(root) = shared_models("the_shared_models_open") else { return };
    let reference = |name: &str| {
        let text = std::fs::read(root.join(name).join("config.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()
    };
    for name in [
        "arch/llama",
        "arch/llama-bin",
        "arch/llama-f16",
        "arch/llama-rope-llama3",
        "arch/llama-sharded",
        "arch/llama-tied",
        "arch/mistral",
        "arch/qwen2",
        "arch/qwen3",
        "trained",
        "trained-mini",
        "found/stories260K",
    ] {
        let model = open(&root.join(name));
        let (d, config) = (model.description(), reference(name));
        let h = &d.hyperparameters;
        assert_eq!(json!(h.layers), config["num_hidden_layers"], "{name}");
        assert_eq!(json!(h.attention.head_dim), *config.get("head_dim").unwrap_or(&json!(32)), "{name}");
        assert_eq!(json!(h.tied_embeddings), config["tie_word_embeddings"], "{name}");
        assert_eq!(config["architectures"][0], d.architecture, "{name}");
        assert!(model.notes().is_empty(), "{name}: {:?}", model.notes());
        let stored: u64 = model.weight_files().iter().map(|f| f.bytes().len() as u64).sum();
        assert!(model.source_bytes() <= stored && model.source_bytes() > stored * 9 / 10, "{name}");
        let mut row = vec![0f32; d.tensors[0].columns() as usize];
        model.read_rows_f32(0, 1, &mut row).unwrap();
        assert!(row.iter().any(|x| *x != 0.0) && row.iter().all(|x| x.is_finite()), "{name}");
        for index in 0..d.tensors.len() {
            assert_eq!(model.find_non_finite(index).unwrap(), None, "{name}");
        }
        let scaling = h.rope.as_ref().and_then(|r| r.scaling.as_ref());
        assert_eq!(scaling.map(|s| s.kind.as_str()), (name == "arch/llama-rope-llama3").then_some("llama3"), "{name}");
    }
    let quantized = root.join("../golden/peers/mini-g4");
    assert!(Model::open(&quantized).unwrap_err().to_string().contains("method `gptq`"));
}
