//! Every tensor, its place and all metadata against what the reference converter and llama-quantize wrote.
#![allow(clippy::print_stderr)]

mod rig;

use llmq_gguf::container::decode;
use llmq_gguf::value::{Array, Value};
use rig::{Folder, Job, Output, sha256, shared};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Models of the reference set whose families can be written. `trained-mini` lies elsewhere.
const MODELS: &[&str] =
    &["llama", "llama-sharded", "llama-tied", "llama-rope-llama3", "mistral", "qwen2", "qwen3", "trained-mini"];

const LEVELS: &[&str] = &[
    "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q5_0", "Q5_1", "Q5_K_S", "Q5_K_M",
    "Q6_K", "Q8_0", "IQ4_NL", "IQ4_XS", "IQ3_S", "IQ3_M", "TQ1_0", "TQ2_0",
];

/// Levels that only exist with importance.
const NEEDY_LEVELS: &[&str] = &["IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "Q2_K_S"];

fn folder(shared: &std::path::Path, model: &str) -> (Folder, Json) {
    let path = if model == "trained-mini" { "models/trained-mini".into() } else { format!("models/arch/{model}") };
    let reference = std::fs::read(shared.join("reference/gguf").join(format!("{model}.json"))).unwrap();
    (Folder::open(&shared.join(path)), serde_json::from_slice(&reference).unwrap())
}

/// The converter's automatic choice turns F32 models into F16 before they are quantized.
fn two_step_intermediate(folder: &Folder) -> &'static str {
    if folder.description.dtype == "F32" { "f16" } else { "none" }
}

/// Compares names, encodings and hash prefixes; `order` too.
fn compare(what: &str, output: &Output, tensors: &Json, wrong: &mut Vec<String>) -> usize {
    let expected = tensors.as_object().unwrap();
    let names: Vec<&str> = output.plan.slots.iter().map(|slot| slot.name.as_str()).collect();
    if names.len() != expected.len() {
        wrong.push(format!("{what}: {} tensors, not {}", names.len(), expected.len()));
    }
    for (name, entry) in expected {
        match output.tensor(name) {
            None => wrong.push(format!("{what} {name}: missing")),
            Some((encoding, bytes)) => {
                let hash = &sha256(bytes)[..24];
                if entry[0] != encoding || entry[1] != hash {
                    wrong.push(format!("{what} {name}: {encoding} {hash}, not {entry}"));
                }
            }
        }
    }
    expected.len()
}

fn order(output: &Output) -> Vec<&str> {
    output.plan.slots.iter().map(|slot| slot.name.as_str()).collect()
}

#[test]
fn all_tensors_of_all_models_at_all_levels_have_the_reference_s_bytes() {
    let Some(shared) = shared("comparison with the reference's files") else { return };
    let (mut compared, mut wrong) = (0, Vec::new());
    for model in MODELS {
        let (folder, reference) = folder(&shared, model);
        for level in LEVELS {
            let what = format!("{model} {level}");
            let job = Job::new(&folder, level).option("intermediate", two_step_intermediate(&folder));
            let output = job.run().unwrap_or_else(|e| panic!("{what}: {e}"));
            let expected = &reference["levels"][level];
            compared += compare(&what, &output, &expected["tensors"], &mut wrong);
            let names: Vec<&str> = expected["order"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
            if order(&output) != names {
                wrong.push(format!("{what}: order {:?}", order(&output)));
            }
            if let Some(bytes) = expected["file_bytes"].as_u64().filter(|bytes| *bytes != output.bytes.len() as u64) {
                wrong.push(format!("{what}: {} bytes, the reference's file has {bytes}", output.bytes.len()));
            }
        }
        if let Some(f32s) = reference.get("f32") {
            let output = Job::new(&folder, "F32").run().unwrap();
            compared += compare(&format!("{model} F32"), &output, f32s, &mut wrong);
        }
        compared += compare_source(model, &folder, &reference, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    eprintln!("{compared} tensors of {} models equal the reference's", MODELS.len());
    assert!(compared > 1900, "{compared}");
}

/// The converter's own file: level F16 or BF16, tensor order included.
fn compare_source(model: &str, folder: &Folder, reference: &Json, wrong: &mut Vec<String>) -> usize {
    let source = &reference["source"]["tensors"];
    let level = match reference["source"]["metadata"]["general.file_type"]["value"].as_u64() {
        Some(1) => "F16",
        _ => "BF16",
    };
    let output = Job::new(folder, level).run().unwrap();
    let listed = source.as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|tensor| tensor["name"].as_str().unwrap()).collect();
    // The converter goes through shards one by one; a backend does not know about shards.
    if model != "llama-sharded" && order(&output) != names {
        wrong.push(format!("{model} {level}: order {:?}, not {names:?}", order(&output)));
    }
    for tensor in listed {
        let name = tensor["name"].as_str().unwrap();
        let (encoding, bytes) = output.tensor(name).unwrap();
        if tensor["type"] != encoding || tensor["sha256"] != sha256(bytes) {
            wrong.push(format!("{model} {level} {name}: {encoding} {}, not {tensor}", sha256(bytes)));
        }
    }
    metadata(model, level, &output, &reference["source"]["metadata"], wrong);
    listed.len()
}

/// Names and values in order. What the reference was patched to say (pre-tokenizer of Qwen-like models) is left out, and
/// so are values that depend on its machine.
fn metadata(model: &str, level: &str, output: &Output, expected: &Json, wrong: &mut Vec<String>) {
    let header = decode(&output.bytes, output.bytes.len() as u64).unwrap();
    let keys: Vec<&str> = header.key_values.iter().map(|pair| pair.key.as_str()).collect();
    let expected_keys: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    if keys != expected_keys {
        wrong.push(format!("{model} {level}: keys {keys:?}, not {expected_keys:?}"));
    }
    for pair in &header.key_values {
        let Some(entry) = expected.get(&pair.key) else { continue };
        let value = &entry["value"];
        let same = match &pair.value {
            _ if pair.key == "tokenizer.ggml.pre" => true,
            Value::String(text) => value == text,
            Value::U32(n) => value == n,
            Value::I32(n) => value == n,
            Value::Bool(b) => value == b,
            Value::F32(f) => value.as_f64() == Some(f64::from(*f)),
            Value::Array(array) => value["len"] == array.len() && first(array, &value["first"]),
            _ => false,
        };
        if !same {
            wrong.push(format!("{model} {level} {}: {:.80?}, not {value:.80}", pair.key, pair.value));
        }
    }
}

fn first(array: &Array, expected: &Json) -> bool {
    let expected = expected.as_array().unwrap();
    expected.iter().enumerate().all(|(i, value)| match array {
        Array::String(texts) => value.as_str().map(str::as_bytes) == Some(&texts[i]),
        Array::I32(numbers) => *value == numbers[i],
        Array::F32(numbers) => value.as_f64() == Some(f64::from(numbers[i])),
        _ => false,
    })
}

#[test]
fn importance_from_llama_imatrix_gives_the_reference_s_bytes() {
    let Some(shared) = shared("comparison with the reference's importance-weighted files") else { return };
    let (folder, reference) = folder(&shared, "trained-mini");
    let imatrix = std::fs::read(shared.join("reference/gguf/trained-mini.imatrix.gguf")).unwrap();
    let statistics = statistics(&folder, &imatrix);
    assert_eq!(statistics.len(), 14, "two layers of seven matrices");
    let (mut compared, mut wrong) = (0, Vec::new());
    for level in LEVELS.iter().chain(NEEDY_LEVELS).filter(|level| !level.starts_with("TQ")) {
        let mut job = Job::new(&folder, level);
        job.statistics = statistics.clone();
        let output = job.run().unwrap();
        let expected = &reference["levels_with_imatrix"][level]["tensors"];
        compared += compare(&format!("imatrix {level}"), &output, expected, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    eprintln!("{compared} importance-weighted tensors equal the reference's");
}

/// Sums and counts of a GGUF importance matrix, by the index of the source tensor.
fn statistics(folder: &Folder, imatrix: &[u8]) -> BTreeMap<u32, (Vec<f32>, u64)> {
    let header = decode(imatrix, imatrix.len() as u64).unwrap();
    let values = |name: &str| -> Option<Vec<f32>> {
        let tensor = header.tensors.iter().find(|tensor| tensor.info.name == name)?;
        let bytes = &imatrix[tensor.offset as usize..(tensor.offset + tensor.bytes) as usize];
        Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    };
    let arch = llmq_gguf::arch::by_family(&folder.description.family).unwrap();
    let one = |(index, tensor): (usize, &_)| {
        let name = llmq_gguf::arch::gguf_name(arch, tensor)?;
        let sums = values(&format!("{name}.in_sum2"))?;
        Some((index as u32, (sums, values(&format!("{name}.counts"))?[0] as u64)))
    };
    folder.description.tensors.iter().enumerate().filter_map(one).collect()
}
