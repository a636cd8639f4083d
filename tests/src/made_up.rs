//! Model folders with made-up weights: a class's config.json and shapes, values that follow from the place.

use crate::golden;
use serde_json::Value;
use std::path::Path;

/// A tensor to be stored: name, type, shape, bytes.
pub type Stored = (String, &'static str, Value, Vec<u8>);

/// BF16 weights that follow from the tensor's place among all names and the element's place in it.
fn weights(place: u64, elements: u64) -> Vec<u8> {
    let value = |i: u64| {
        let hash = (i.wrapping_mul(2_654_435_761).wrapping_add(place * 40503) & 0xffff_ffff) >> 16;
        let bits = ((hash as f32 - 32768.0) / 524_288.0).to_bits();
        // To the nearest, ties to even.
        ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
    };
    (0..elements).flat_map(|i| value(i).to_le_bytes()).collect()
}

/// Writes a folder for `{"config": {...}, "tensors": {name: shape}}`, with the tokenizer of a committed model.
pub fn write_model(folder: &Path, case: &Value) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), case["config"].to_string()).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(golden::model("llama-rope-llama3").join(file), folder.join(file)).unwrap();
    }
    let tensors = case["tensors"].as_object().unwrap().iter().enumerate().map(|(place, (name, shape))| {
        let elements = shape.as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).product();
        (name.clone(), "BF16", shape.clone(), weights(place as u64, elements))
    });
    write_safetensors(&folder.join("model.safetensors"), tensors);
}

/// Writes tensors (name, type, shape, bytes) behind each other.
pub fn write_safetensors(path: &Path, tensors: impl Iterator<Item = Stored>) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let entry = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name, entry);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let bytes = [(header.len() as u64).to_le_bytes().to_vec(), header, data].concat();
    std::fs::write(path, bytes).unwrap();
}

/// The tensors of a file of BF16, F16 and U8.
pub fn read_safetensors(path: &Path) -> Vec<Stored> {
    let bytes = std::fs::read(path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().expect("a length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: Value = serde_json::from_slice(header).unwrap();
    let tensor = |(name, entry): (&String, &Value)| {
        let place = |at: usize| entry["data_offsets"][at].as_u64().unwrap() as usize;
        let dtype = match entry["dtype"].as_str().unwrap() {
            "U8" => "U8",
            "F16" => "F16",
            "BF16" => "BF16",
            other => panic!("{name} is {other}"),
        };
        (name.clone(), dtype, entry["shape"].clone(), data[place(0)..place(1)].to_vec())
    };
    header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__").map(tensor).collect()
}
