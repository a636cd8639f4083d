//! `info` in words: the contract's lines first, then what else is known.

use super::{Align, Table, number};
use crate::inspect::{FolderInfo, Inspection, QuantizedInfo, TensorLine};
use serde_json::Value;

/// Longest metadata value that is shown whole.
const VALUE_WIDTH: usize = 96;

/// The text of an inspection.
pub fn info(inspection: &Inspection) -> String {
    match inspection {
        Inspection::Folder(folder) => of_folder(folder),
        Inspection::Quantized(file) => of_quantized(file),
    }
}

fn of_folder(info: &FolderInfo) -> String {
    let mut lines = vec![
        format!("Model: {}", info.model_name),
        format!("Architecture: {}", info.architecture),
        format!("Parameters: {}", number::count(info.parameter_count)),
        format!("Hidden Size: {}", info.hidden_size),
        format!("Layers: {}", info.num_layers),
        format!("Heads: {}", info.num_heads),
        format!("Vocab Size: {}", info.vocab_size),
        format!("Dtype: {}", info.torch_dtype),
        format!("Context: {}", info.context_length),
        format!("Size: {} in {} tensors", number::bytes(info.weight_bytes), info.tensor_count),
    ];
    lines.extend(info.notes.iter().map(|note| format!("Note: {note}")));
    finish(lines, info.tensors.as_deref())
}

fn of_quantized(info: &QuantizedInfo) -> String {
    let mut lines = vec![format!("Model: {}", info.model_name)];
    let known = |name: &str, value: Option<String>| value.map(|value| format!("{name}: {value}"));
    let figure = |value: Option<u64>| value.map(|value| value.to_string());
    lines.extend(known("Architecture", info.architecture.clone()));
    lines.push(format!("Parameters: {}", number::count(info.parameter_count)));
    lines.extend(known("Hidden Size", figure(info.hidden_size)));
    lines.extend(known("Layers", figure(info.num_layers)));
    lines.extend(known("Heads", figure(info.num_heads)));
    lines.extend(known("Vocab Size", figure(info.vocab_size)));
    lines.extend(known("Dtype", info.torch_dtype.clone()));
    lines.push(format!("Format: {}", info.format));
    lines.extend(known("Level", Some(info.quantization_level.clone()).filter(|level| !level.is_empty())));
    lines.push(format!("Size: {}", number::bytes(info.file_size)));
    lines.push(format!("Bits per Weight: {:.2}", info.bits_per_weight));
    lines.extend(info.warnings.iter().map(|warning| format!("Warning: {warning}")));
    lines.push(String::new());
    lines.push(encodings(info));
    if let Some(metadata) = info.metadata.as_object().filter(|metadata| !metadata.is_empty()) {
        lines.push("Metadata:".into());
        lines.extend(metadata.iter().map(|(key, value)| format!("  {key} = {}", shortened(value))));
    }
    finish(lines, info.tensors.as_deref())
}

fn encodings(info: &QuantizedInfo) -> String {
    let columns =
        [("TYPE", Align::Left), ("TENSORS", Align::Right), ("WEIGHTS", Align::Right), ("BYTES", Align::Right)];
    let mut table = Table::new(&columns);
    for share in &info.encodings {
        let figures = [number::count(share.tensors as u64), number::count(share.weights), number::count(share.bytes)];
        table.row(std::iter::once(share.encoding.clone()).chain(figures));
    }
    table.render()
}

fn finish(mut lines: Vec<String>, tensors: Option<&[TensorLine]>) -> String {
    if let Some(tensors) = tensors {
        lines.push(String::new());
        lines.push(list(tensors));
    }
    lines.join("\n")
}

fn list(tensors: &[TensorLine]) -> String {
    let columns = [("TENSOR", Align::Left), ("TYPE", Align::Left), ("SHAPE", Align::Left), ("BYTES", Align::Right)];
    let mut table = Table::new(&columns);
    for tensor in tensors {
        table.row([tensor.name.clone(), tensor.encoding.clone(), shape(&tensor.shape), number::count(tensor.bytes)]);
    }
    table.render()
}

/// `4096 x 11008`; `1` for a scalar.
pub fn shape(dimensions: &[u64]) -> String {
    match dimensions {
        [] => "1".into(),
        dimensions => dimensions.iter().map(u64::to_string).collect::<Vec<_>>().join(" x "),
    }
}

/// A metadata value on one line. Text from a file must not be able to move the cursor.
fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    match text.chars().count() > VALUE_WIDTH {
        true => text.chars().take(VALUE_WIDTH - 3).chain("...".chars()).collect(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> FolderInfo {
        FolderInfo {
            model_name: "Llama-2-7b-hf".into(),
            architecture: "LlamaForCausalLM".into(),
            parameter_count: 6_738_415_616,
            hidden_size: 4096,
            num_layers: 32,
            num_heads: 32,
            vocab_size: 32000,
            torch_dtype: "float16".into(),
            family: "llama".into(),
            num_kv_heads: 32,
            context_length: 4096,
            intermediate_size: 11008,
            tied_embeddings: false,
            tensor_count: 291,
            weight_bytes: 13_476_831_232,
            files: vec![],
            notes: vec![],
            tensors: None,
        }
    }

    #[test]
    fn a_folder_reads_as_the_contract_says() {
        let text = info(&Inspection::Folder(Box::new(folder())));
        let contract = "Model: Llama-2-7b-hf\nArchitecture: LlamaForCausalLM\nParameters: 6,738,415,616\n\
                        Hidden Size: 4096\nLayers: 32\nHeads: 32\nVocab Size: 32000\nDtype: float16\n";
        assert!(text.starts_with(contract), "{text}");
        assert!(text.ends_with("Size: 13.5 GB in 291 tensors"), "{text}");
    }

    #[test]
    fn the_json_object_begins_with_the_contract_s_keys() {
        let text = serde_json::to_string(&Inspection::Folder(Box::new(folder()))).unwrap();
        let contract = r#"{"model_name":"Llama-2-7b-hf","architecture":"LlamaForCausalLM","parameter_count":6738415616,"hidden_size":4096,"num_layers":32,"num_heads":32,"vocab_size":32000,"torch_dtype":"float16","#;
        assert!(text.starts_with(contract), "{text}");
    }

    #[test]
    fn metadata_is_shortened_and_cannot_steer_the_terminal() {
        assert_eq!(shortened(&Value::from("a\x1b[2Jb")), "a\\u{1b}[2Jb");
        assert_eq!(shortened(&Value::from("x".repeat(200))).chars().count(), VALUE_WIDTH);
        assert_eq!(shortened(&serde_json::json!([1, 2])), "[1,2]");
    }
}
