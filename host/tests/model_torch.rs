//! Weights in PyTorch's own format: files that torch wrote, and everything that must not happen with hostile ones.

mod model_folder;

use llm_quantize::model::{Dtype, Model, ModelError, ModelErrorKind, StoredTensor, read_torch};
use model_folder::Folder;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torch").join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(data(name)).unwrap()
}

fn read(name: &str) -> (Vec<u8>, BTreeMap<String, StoredTensor>) {
    let bytes = bytes_of(name);
    let tensors = read_torch(name, &bytes).unwrap_or_else(|e| panic!("{e}"));
    (bytes, tensors.into_iter().map(|t| (t.name.clone(), t)).collect())
}

/// The values of a tensor, in eighths, by its own strides.
fn eighths(bytes: &[u8], tensor: &StoredTensor) -> Vec<f32> {
    let dtype = Dtype::of_stored(tensor.dtype).unwrap();
    let mut all = vec![0f32; tensor.range.len() / dtype.size()];
    dtype.widen(&bytes[tensor.range.clone()], &mut all);
    let value = |at: u64| all[at as usize] * 8.0;
    match (&tensor.strides, tensor.shape.as_slice()) {
        (None, _) => all.iter().map(|x| x * 8.0).collect(),
        (Some(s), &[rows, columns]) => {
            (0..rows * columns).map(|i| value(i / columns * s[0] + i % columns * s[1])).collect()
        }
        _ => panic!("{tensor:?}"),
    }
}

#[test]
fn every_kind_of_tensor_from_every_container() {
    for file in ["zip.bin", "stream.bin", "protocol4.bin"] {
        let (bytes, tensors) = read(file);
        let words = "bf16 bf16.tied bool empty f16 f32 f32.columns f32.expanded f32.rows f32.transposed f64 i64 \
                     parameter scalar u8";
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        assert_eq!(names, words.split_whitespace().collect::<Vec<_>>(), "{file}");
        let check = |name: &str, dtype: &str, shape: &[u64], values: &[u32]| {
            let tensor = &tensors[name];
            assert_eq!((tensor.dtype.to_string().as_str(), tensor.shape.as_slice()), (dtype, shape), "{file} {name}");
            let expected: Vec<f32> = values.iter().map(|x| *x as f32).collect();
            assert_eq!(eighths(&bytes, tensor), expected, "{file} {name}");
        };
        let ramp = |from, to| (from..to).collect::<Vec<u32>>();
        check("f64", "F64", &[2, 3], &ramp(0, 6));
        check("f32", "F32", &[4, 6], &ramp(0, 24));
        check("f32.transposed", "F32", &[6, 4], &(0..24).map(|i| i % 4 * 6 + i / 4).collect::<Vec<_>>());
        check("f32.rows", "F32", &[2, 6], &ramp(6, 18));
        check("f32.columns", "F32", &[4, 3], &[2, 3, 4, 8, 9, 10, 14, 15, 16, 20, 21, 22]);
        check("f32.expanded", "F32", &[5, 6], &ramp(18, 24).repeat(5));
        check("f16", "F16", &[2, 2], &ramp(1, 5));
        check("bf16", "BF16", &[3, 4], &ramp(5, 17));
        check("parameter", "F32", &[2, 2], &ramp(0, 4));
        check("scalar", "F32", &[], &[20]);
        check("empty", "F32", &[0, 4], &[]);
        assert_eq!(tensors["bf16"].range, tensors["bf16.tied"].range, "tied weights are stored once");
        assert_eq!(tensors["f32"].strides, None);
        assert_eq!(tensors["f32.rows"].strides, None);
        assert_eq!(tensors["f32.transposed"].strides, Some(vec![1, 6]));
        let ranges = ["i64", "u8", "bool"].map(|name| tensors[name].range.len());
        assert_eq!(ranges, [24, 4, 2]);
    }
}

#[test]
fn modules_and_eight_bit_floats() {
    let (bytes, tensors) = read("module.bin");
    assert_eq!(tensors.keys().map(String::as_str).collect::<Vec<_>>(), ["0.bias", "0.weight", "1.bias", "1.weight"]);
    assert_eq!(eighths(&bytes, &tensors["1.weight"]), [2.0, 3.0]);
    let (bytes, tensors) = read("float8.bin");
    let word = |name: &str| (tensors[name].dtype.to_string(), tensors[name].range.len());
    assert_eq!((word("e4m3"), word("e5m2")), (("F8_E4M3".into(), 8), ("F8_E5M2".into(), 4)));
    // 1/8 is 2^-3: exponent 4 of bias 7, exponent 12 of bias 15.
    assert_eq!(bytes[tensors["e4m3"].range.start + 1], 4 << 3);
    assert_eq!(bytes[tensors["e5m2"].range.start + 1], 12 << 2);
}

#[test]
fn what_is_no_dictionary_of_tensors_is_refused_by_name() {
    for (file, words) in [
        ("whole-module.bin", "asks for `torch.nn.modules.container.Sequential`"),
        ("training.bin", "holds a number under `epoch`; only tensors are read"),
    ] {
        let error = read_torch(file, &bytes_of(file)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{file} (PyTorch's old format) ")), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.kind(), ModelErrorKind::Unsupported);
        assert!(error.suggestion().contains("safetensors"));
    }
}

/// All numbers of a model, by tensor.
fn rows(model: &Model) -> BTreeMap<String, Vec<f32>> {
    let tensors = model.description().tensors.iter().enumerate();
    let read = |index, elements| {
        let mut out = vec![0.0; elements];
        model.read_rows_f32(index, 0, &mut out).unwrap();
        out
    };
    tensors.map(|(index, t)| (t.name.clone(), read(index, t.elements() as usize))).collect()
}

#[test]
fn whole_models_equal_their_safetensors() {
    let [safe, single, sharded] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    Folder::llama().write(safe.path());
    let copy = |name: &str, to: &Path| std::fs::copy(data(name), to.join(name)).map(drop).unwrap();
    Folder::llama().write_small_files(single.path());
    copy("pytorch_model.bin", single.path());
    Folder::llama().write_small_files(sharded.path());
    copy("pytorch_model-00001-of-00002.bin", sharded.path());
    copy("pytorch_model-00002-of-00002.bin", sharded.path());
    let expected = Model::open(safe.path()).unwrap();
    for folder in [&single, &sharded] {
        let model = Model::open(folder.path()).unwrap_or_else(|e| panic!("{e}"));
        let described = |model: &Model| serde_json::to_value(&model.description().tensors).unwrap();
        assert_eq!(described(&model), described(&expected));
        assert_eq!(rows(&model), rows(&expected));
        assert!(model.notes().is_empty(), "{:?}", model.notes());
        let (index, _) = model.description().tensor("lm_head.weight").unwrap();
        assert!(model.tensor(index).unwrap().bytes.is_empty(), "a transposed matrix has no rows to hand out");
        assert_eq!(model.stored(index).unwrap().1.len(), 12 * 8 * 4);
        let mut middle = [0.0; 16];
        model.read_rows_f32(index, 5, &mut middle).unwrap();
        assert_eq!(middle[..], rows(&expected)["lm_head.weight"][40..56]);
        assert_eq!(model.find_non_finite(index).unwrap(), None);
        let content = model.fingerprint().unwrap().content;
        assert_ne!(content, expected.fingerprint().unwrap().content);
        assert_eq!(content, Model::open(folder.path()).unwrap().fingerprint().unwrap().content);
    }
    std::fs::copy(safe.path().join("model.safetensors"), single.path().join("model.safetensors")).unwrap();
    let both = Model::open(single.path()).unwrap();
    assert_eq!(both.weight_files()[0].name(), "model.safetensors");
    assert!(both.notes()[0].contains(".bin files are ignored"), "{:?}", both.notes());
}

#[test]
fn an_index_is_compared_with_its_shards() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write_small_files(folder.path());
    let shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"];
    let mut map = serde_json::Map::new();
    for shard in shards {
        std::fs::copy(data(shard), folder.path().join(shard)).unwrap();
        map.extend(read(shard).1.into_keys().map(|name| (name, shard.into())));
    }
    let write = |map: &serde_json::Map<String, serde_json::Value>| {
        let index = serde_json::json!({"weight_map": map});
        std::fs::write(folder.path().join("pytorch_model.bin.index.json"), index.to_string()).unwrap();
        Model::open(folder.path())
    };
    assert!(write(&map).is_ok());
    map.insert("lm_head.weight".into(), shards[1].into());
    let error = write(&map).unwrap_err().to_string();
    assert!(error.contains("pytorch_model.bin.index.json places tensor `lm_head.weight`"), "{error}");
    map.insert("lm_head.weight".into(), "../pytorch_model.bin".into());
    let error = write(&map).unwrap_err().to_string();
    assert!(error.contains("which is not a bin file of this folder"), "{error}");
}

/// Replaces `from` by `to`, of the same length, once.
fn patched(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes_of(name);
    let at = bytes.windows(from.len()).position(|w| w == from).expect("it is there");
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn spoiled_files_are_told_apart() {
    let refused = |bytes: &[u8]| read_torch("w.bin", bytes).map(drop).unwrap_err().to_string();
    for (bytes, words) in [
        (b"PK".to_vec(), "neither a zip archive nor"),
        (vec![], "neither a zip archive nor"),
        (bytes_of("zip.bin")[..3000].to_vec(), "no zip directory at its end"),
        (bytes_of("stream.bin")[..2000].to_vec(), "ends inside storage"),
        ([bytes_of("stream.bin"), vec![0; 3]].concat(), "3 bytes behind its last storage"),
        (patched("zip.bin", b"zip/byteorder", b"zip/data.pklx"), "another name in its own header"),
        (patched("stream.bin", b"_rebuild_tensor_v2", b"_rebuild_qtensor_v"), "`torch._utils._rebuild_qtensor_v`"),
        (patched("stream.bin", b"ctorch\nFloatStorage", b"cposix\nsystem\n     "), "`posix.system`"),
        (patched("stream.bin", b"f32.rows", b"f32\nrows"), "unprintable"),
        (patched("stream.bin", b"bool", b"bf16"), "holds `bf16` twice"),
    ] {
        let error = refused(&bytes);
        assert!(error.contains(words), "{words}: {error}");
    }
    let mut big = bytes_of("zip.bin");
    let at = big.windows(6).position(|w| w == b"little").unwrap();
    big[at..at + 6].copy_from_slice(b"biggie");
    assert!(refused(&big).contains("big-endian"));
}

/// Whatever a file holds: an error, or tensors that lie inside it.
fn never_out_of_bounds(bytes: &[u8]) {
    match read_torch("w.bin", bytes) {
        Ok(tensors) => {
            for tensor in tensors {
                assert!(tensor.range.start <= tensor.range.end && tensor.range.end <= bytes.len(), "{tensor:?}");
                let steps = tensor.strides.iter().flatten().zip(&tensor.shape);
                let last: u64 = steps.map(|(stride, d)| stride * (d - 1)).sum();
                let size = tensor.dtype.bitsize() as u64 / 8;
                assert!(tensor.strides.is_none() || (last + 1) * size <= tensor.range.len() as u64, "{tensor:?}");
            }
        }
        Err(error) => assert!(matches!(error, ModelError::Weights { .. } | ModelError::LegacyPytorch { .. })),
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        file in prop::sample::select(vec!["zip.bin", "stream.bin", "protocol4.bin", "module.bin", "float8.bin"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes_of(file);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        never_out_of_bounds(&bytes);
    }

    #[test]
    fn any_pickle_behind_the_old_magic_ends_in_an_error_or_tensors(
        tail in prop::collection::vec(
            prop_oneof![
                prop::sample::select(b"(.0NJKMGXTU)]}tabesuqrhjcQRc\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95".to_vec()),
                any::<u8>(),
            ],
            0..200,
        ),
        keep in 15usize..1400,
    ) {
        let whole = bytes_of("stream.bin");
        never_out_of_bounds(&[&whole[..keep.min(whole.len())], &tail[..]].concat());
    }
}
