//! Folders that AutoAWQ and GPTQModel wrote, against the values of an independent reader.

use llmq_awq::reader::{confidence, open};
use llmq_plugin_api::sdk::{MappedFile, Reader};
use std::path::Path;

const MODULE: &str = "model.layers.0.self_attn.k_proj.weight";
const OUTPUTS: [usize; 4] = [0, 7, 13, 31];
const INPUTS: usize = 256;

fn read(folder: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files by name and contents.
type Files = Vec<(&'static str, Vec<u8>)>;

fn mapped(files: &Files) -> Vec<MappedFile<'_>> {
    files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect()
}

fn folder(name: &str) -> Files {
    ["config.json", "model.safetensors"].map(|file| (file, read(name, file))).into()
}

fn check(name: &str) {
    let files = folder(name);
    let files = mapped(&files);
    assert!(confidence(&files) > 90);
    let reader = open(&files).unwrap();
    let summary = reader.summary();
    assert_eq!((summary.level.as_str(), summary.tensors.len()), ("4bit-g128-asym", 2), "{name}");
    assert!(summary.config.get("quantization_config").is_none());
    let at = summary.tensors.iter().position(|tensor| tensor.name == MODULE).unwrap();
    assert_eq!(summary.tensors[at].shape, [32, INPUTS as u64]);
    assert_eq!(summary.tensors[at].encoding, "AWQ-4bit-g128");
    let expected: Vec<f32> =
        read(name, "expected.f32").as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert!(expected.iter().filter(|value| **value != 0.0).count() > 100, "something is compared");
    let mut whole = vec![0f32; 32 * INPUTS];
    reader.decode_rows(&files, at, 0, &mut whole).unwrap();
    for (output, expected) in OUTPUTS.into_iter().zip(expected.chunks(INPUTS)) {
        let mut row = vec![0f32; INPUTS];
        reader.decode_rows(&files, at, output, &mut row).unwrap();
        assert_eq!(row, expected, "{name}, output {output}");
        assert_eq!(row, whole[output * INPUTS..(output + 1) * INPUTS]);
    }
}

#[test]
fn both_writers_equal_the_independent_reader() {
    check("mini-awq-autoawq");
    check("mini-gawq4");
}

#[test]
fn declarations_in_a_file_of_their_own_are_found() {
    let mut files = folder("mini-awq-autoawq");
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    files[0].1 = text.replace("quantization_config", "something_else").replace("awq", "abc").into_bytes();
    let older = r#"{ "zero_point": true, "q_group_size": 128, "w_bit": 4, "version": "GEMM" }"#;
    assert_eq!(confidence(&mapped(&files)), 0);
    files[0].1 = text.replace("quantization_config", "something_else").replace("quant_method", "other").into_bytes();
    files.push(("quant_config.json", older.as_bytes().to_vec()));
    assert_eq!(confidence(&mapped(&files)), 90);
    assert_eq!(open(&mapped(&files)).unwrap().summary().level, "4bit-g128-asym");
}

#[test]
fn rows_beyond_the_end_are_refused() {
    let files = folder("mini-awq-autoawq");
    let files = mapped(&files);
    let reader = open(&files).unwrap();
    for (tensor, first, values) in [(0, 0, 255), (0, 1, 256 * 32), (0, 32, 256), (0, usize::MAX, 256), (2, 0, 256)] {
        assert!(reader.decode_rows(&files, tensor, first, &mut vec![0.0; values]).is_err(), "{tensor} {first}");
    }
}

#[test]
fn folders_that_do_not_hold_together_are_refused() {
    let whole = folder("mini-awq-autoawq");
    let refused = |change: &dyn Fn(&mut Files), word: &str| {
        let mut files = whole.clone();
        change(&mut files);
        let error = open(&mapped(&files)).err().unwrap_or_else(|| panic!("`{word}` was opened"));
        assert!(error.message.contains(word), "{}", error.message);
    };
    let swap = |files: &mut Files, file: usize, from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let bytes = &mut files[file].1;
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    };
    refused(&|files| files.truncate(1), "no safetensors");
    refused(&|files| drop(files.remove(0)), "config.json");
    refused(&|files| files[1].1.truncate(2000), "the file");
    refused(&|files| swap(files, 1, "k_proj.qzeros", "k_proj.qzerox"), "no qzeros");
    refused(&|files| swap(files, 1, "k_proj.scales", "k_proj.scalex"), "no scales");
    refused(&|files| swap(files, 1, "[256,4]", "[4,256]"), "do not fit each other");
    refused(&|files| swap(files, 1, "[256,4]", "[1024 ]"), "a matrix is expected");
    refused(&|files| swap(files, 1, r#""F16","shape":[2,32]"#, r#""I16","shape":[2,32]"#), "dtype I16");
    refused(&|files| swap(files, 0, r#""group_size": 128"#, r#""group_size": 256"#), "256 are declared");
    refused(&|files| swap(files, 0, r#""quant_method": "awq""#, r#""quant_method": "abc""#), "`abc`");
    refused(&|files| swap(files, 0, r#""version": "gemm""#, r#""version": "gemv""#), "`gemv`");
    refused(&|files| swap(files, 0, r#""bits": 4"#, r#""bits": 8"#), "8 bits");
    let twice = whole[1].1.clone();
    refused(&|files| files.push(("other.safetensors", twice.clone())), "stored twice");
}
