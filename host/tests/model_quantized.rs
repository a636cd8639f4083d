//! Checkpoints of 8-bit floats and of three values: every weight as torch computes it from the same file.

mod model_folder;

use llm_quantize::model::{Model, ModelError, ModelErrorKind, read_header};
use model_folder::{Folder, Tensor};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/quantized").join(name)
}

/// The committed checkpoint as a model in the making.
fn checkpoint(name: &str) -> Folder {
    let config: Value =
        serde_json::from_slice(&std::fs::read(data(name).join("quantization_config.json")).unwrap()).unwrap();
    let mut folder = Folder::llama().set("quantization_config", config);
    folder.tensors.clear();
    let bytes = std::fs::read(data(name).join("model.safetensors")).unwrap();
    for tensor in read_header("model.safetensors", &bytes).unwrap() {
        let dtype = Box::leak(tensor.dtype.to_string().into_boxed_str());
        folder.tensors.insert(tensor.name, Tensor { dtype, shape: tensor.shape, bytes: bytes[tensor.range].to_vec() });
    }
    folder
}

fn open(folder: &Folder) -> Result<Model, ModelError> {
    let place = tempfile::tempdir().unwrap();
    folder.write(place.path());
    Model::open(place.path())
}

/// Compares every weight, whole and row by row, with torch's.
fn compare(name: &str) -> Model {
    let model = open(&checkpoint(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let bytes = std::fs::read(data(name).join("expected.safetensors")).unwrap();
    let expected = read_header("expected.safetensors", &bytes).unwrap();
    assert_eq!(expected.len(), model.description().tensors.len(), "{name}");
    for wanted in expected {
        let (index, tensor) = model.description().tensor(&wanted.name).unwrap();
        assert_eq!(tensor.shape, wanted.shape, "{name} {}", wanted.name);
        let number = |b: &[u8; 4]| f32::from_le_bytes(*b);
        let wanted: Vec<f32> = bytes[wanted.range].as_chunks::<4>().0.iter().map(number).collect();
        let mut whole = vec![0.0; wanted.len()];
        model.read_rows_f32(index, 0, &mut whole).unwrap();
        assert_eq!(whole, wanted, "{name} {}", tensor.name);
        let columns = tensor.columns() as usize;
        for (row, wanted) in wanted.chunks(columns).enumerate() {
            let mut out = vec![0.0; columns];
            model.read_rows_f32(index, row as u64, &mut out).unwrap();
            assert_eq!(out, wanted, "{name} {} row {row}", tensor.name);
        }
        assert_eq!(model.find_non_finite(index).unwrap(), None, "{name} {}", tensor.name);
    }
    assert!(model.description().config.get("quantization_config").is_none(), "the weights are plain numbers now");
    model
}

const Q: &str = "model.layers.0.self_attn.q_proj.weight";

#[test]
fn eight_bit_floats_with_every_kind_of_scale() {
    for name in ["fp8-blocks", "fp8-tensor", "fbgemm", "compressed-tensors"] {
        let model = compare(name);
        let (index, q) = model.description().tensor(Q).unwrap();
        assert_eq!(q.dtype, "F32", "what is computed comes in single precision");
        assert!(model.tensor(index).unwrap().bytes.is_empty());
        let stored = if name == "fp8-tensor" { "F8_E5M2" } else { "F8_E4M3" };
        assert_eq!((model.stored_dtype().as_str(), model.stored(index).unwrap().1.len()), (stored, 64));
        assert_eq!(
            model.description().parameter_count(),
            open(&Folder::llama()).unwrap().description().parameter_count()
        );
        let about_activations = model.notes().iter().filter(|n| n.contains("14 tensors such as")).count();
        assert_eq!(about_activations, usize::from(name != "fp8-blocks"), "{:?}", model.notes());
    }
}

#[test]
fn three_values_packed_and_as_masters() {
    for (name, dtype, stored) in
        [("bitnet-packed", "F32", "U8"), ("bitnet-offline", "F32", "U8"), ("bitnet-online", "BF16", "BF16")]
    {
        let model = compare(name);
        let (_, q) = model.description().tensor(Q).unwrap();
        assert_eq!((q.dtype.as_str(), model.stored_dtype().as_str()), (dtype, stored), "{name}");
        assert!(model.notes().is_empty(), "{:?}", model.notes());
    }
}

#[test]
fn scales_that_are_missing_or_do_not_fit_are_refused_by_name() {
    let refused = |folder: &Folder| {
        let error = open(folder).unwrap_err();
        (error.to_string(), error.kind(), error.suggestion())
    };
    let scale = format!("{Q}_scale_inv");
    let (text, kind, suggestion) = refused(&checkpoint("fp8-blocks").without(&scale));
    assert!(text.contains(&format!("tensor `{Q}` in model.safetensors is stored as F8_E4M3")), "{text}");
    assert!(text.contains(&format!("its scale `{scale}` or `{Q}_scale` is not there")), "{text}");
    assert_eq!(kind, ModelErrorKind::Damaged);
    assert!(suggestion.contains("BF16"));

    let (text, ..) = refused(&checkpoint("fp8-blocks").with(&format!("{Q}_scale"), &[1]));
    assert!(text.contains("two scales"), "{text}");
    let (text, ..) = refused(&checkpoint("fp8-blocks").with(&scale, &[2, 2]));
    assert!(text.contains("scale of shape [2, 2] does not fit its own shape [8, 8] (blocks of 3 x 5)"), "{text}");
    let (text, ..) = refused(&checkpoint("fp8-blocks").unset("quantization_config"));
    assert!(text.contains("(no blocks are stated)"), "{text}");
    let (text, ..) = refused(&checkpoint("fbgemm").with("model.layers.0.self_attn.x_proj.weight_scale", &[8, 1]));
    assert!(text.contains("tensor `model.layers.0.self_attn.x_proj.weight_scale`"), "nothing is dropped: {text}");

    let (text, ..) = refused(&checkpoint("bitnet-packed").without(&format!("{Q}_scale")));
    assert!(text.contains(&format!("stored as U8, and its scale `{Q}_scale` is not there")), "{text}");
    let (text, ..) = refused(&checkpoint("bitnet-packed").with(&format!("{Q}_scale"), &[2]));
    assert!(text.contains("is no single number"), "{text}");
    let (text, ..) = refused(&checkpoint("bitnet-packed").unset("quantization_config"));
    assert!(text.contains("has dtype U8"), "{text}");
    let (text, ..) = refused(&checkpoint("fbgemm").set("quantization_config", json!({"quant_method": "awq"})));
    assert!(text.contains("already quantized") && text.contains("method `awq`"), "{text}");
}

#[test]
fn another_scale_makes_another_model() {
    let content = |folder: &Folder| {
        let place = tempfile::tempdir().unwrap();
        folder.write(place.path());
        Model::open(place.path()).unwrap().fingerprint().unwrap().content
    };
    let mut folder = checkpoint("fp8-blocks");
    let before = content(&folder);
    assert_eq!(before, content(&folder));
    folder.tensors.get_mut(&format!("{Q}_scale_inv")).unwrap().bytes[0] ^= 1;
    assert_ne!(before, content(&folder));
}

#[test]
fn values_that_are_no_numbers_are_found_in_their_place() {
    let found = |mut folder: Folder, tensor: &str, at: usize, byte: u8| {
        folder.tensors.get_mut(tensor).unwrap().bytes[at] = byte;
        let model = open(&folder).unwrap();
        let (index, _) = model.description().tensor(Q).unwrap();
        let place = model.find_non_finite(index).unwrap().expect("it is found");
        (place.row, place.column, place.value)
    };
    let (row, column, value) = found(checkpoint("fp8-blocks"), Q, 8 * 5 + 3, 0xff);
    assert!((row, column) == (5, 3) && value.is_nan());
    let scale = format!("{Q}_scale_inv");
    // The scale in row 1, column 1 of the grid: rows 3 to 5, columns 5 to 7.
    let (row, column, value) = found(checkpoint("fp8-blocks"), &scale, 4 * 3 + 3, 0xff);
    assert!((row, column) == (3, 5) && !value.is_finite(), "{row} {column} {value}");
    // Code 3 of a packed byte, in its second band.
    let (row, column, value) = found(checkpoint("bitnet-packed"), Q, 8 + 2, 0b0101_1101);
    assert!((row, column) == (3, 2) && value.is_nan(), "{row} {column} {value}");
}

#[test]
fn bitnet_models_are_rounded_by_their_class_or_by_their_config() {
    let bitnet = |class: &str, [attention, feed_forward]: [&str; 2]| {
        let mut folder = Folder::llama().set("architectures", json!([class]));
        for layer in 0..2 {
            folder = folder
                .with(&format!("model.layers.{layer}.self_attn.{attention}.weight"), &[8])
                .with(&format!("model.layers.{layer}.mlp.{feed_forward}.weight"), &[6]);
        }
        folder
    };
    let values = |folder: &Folder, name: &str| {
        let place = tempfile::tempdir().unwrap();
        folder.write(place.path());
        let model = Model::open(place.path()).unwrap_or_else(|e| panic!("{e}"));
        let (index, tensor) = model.description().tensor(name).unwrap();
        let mut values = vec![0.0; tensor.elements() as usize];
        model.read_rows_f32(index, 0, &mut values).unwrap();
        values.sort_by(f32::total_cmp);
        values.dedup();
        values.len()
    };
    let first = bitnet("BitnetForCausalLM", ["inner_attn_ln", "ffn_layernorm"]);
    let ours = bitnet("BitNetForCausalLM", ["attn_sub_norm", "ffn_sub_norm"]);
    let online = json!({"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"});
    assert!(values(&first, Q) <= 3 && values(&first, "lm_head.weight") > 3);
    assert!(values(&ours, Q) > 3, "nothing in the config asks for rounding");
    let ours = ours.set("quantization_config", online);
    assert!(values(&ours, Q) <= 3 && values(&ours, "model.layers.0.self_attn.attn_sub_norm.weight") > 3);
}
