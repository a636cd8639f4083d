//! Where everything goes: the safetensors header, every slot, every carried file, all known before a weight is read.
//!
//! Folder: `model.safetensors`, `config.json` with a `quantization_config`, and the model's other files as they were.
//! A matrix `x.weight` of shape `[rows, columns]` becomes `x.weight` (I8, same shape) and `x.weight_scale` (F32,
//! `[rows]`); a vector stays, as F32. In the file all F32 data comes first, so that it is aligned.

use llmq_plugin_api::sdk::{Error, Model};
use llmq_plugin_api::wire::{LiteralSpan, ModelDescription, OutputFile, Plan, Slot, TensorDescription};
use serde_json::{Map, Value, json};

/// Name of the weights file.
pub const WEIGHTS: &str = "model.safetensors";
/// `quant_method` in `config.json` by which the format is recognised.
pub const METHOD: &str = "llmq-int8-per-row";

/// A plan with its literal bytes and the slots of every tensor.
pub struct Layout {
    /// What the host asks for.
    pub plan: Plan,
    /// Contents of the plan's literals, in order.
    pub literals: Vec<Vec<u8>>,
    /// One entry per source tensor.
    pub places: Vec<Place>,
}

/// Slots of one source tensor.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Index of the source tensor.
    pub tensor: usize,
    /// Slot of the codes, or of the F32 copy.
    pub values: usize,
    /// Slot of the scales, for a quantized tensor.
    pub scales: Option<usize>,
}

/// Whether a tensor is quantized: everything with at least two dimensions.
pub fn is_matrix(tensor: &TensorDescription) -> bool {
    tensor.shape.len() >= 2
}

/// Lays out a model.
pub fn lay_out(model: &Model, level: &str) -> Result<Layout, Error> {
    let description = model.description();
    let mut layout = Layout { plan: Plan::default(), literals: Vec::new(), places: Vec::new() };
    lay_out_weights(description, level, &mut layout)?;
    carry(&mut layout, "config.json", config(description, level));
    for name in description.files.iter().filter(|name| is_carried(name)) {
        let bytes = model.file(name)?;
        carry(&mut layout, name, bytes);
    }
    Ok(layout)
}

fn is_carried(name: &str) -> bool {
    let weights = [".safetensors", ".safetensors.index.json", ".bin", ".gguf"];
    name != "config.json" && !weights.iter().any(|ending| name.ends_with(ending))
}

fn lay_out_weights(description: &ModelDescription, level: &str, layout: &mut Layout) -> Result<(), Error> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt", "quant_method": METHOD, "level": level }));
    let mut end = 0u64;
    // One pass per kind: scales and vectors first, codes after them.
    let mut scales = vec![None; description.tensors.len()];
    let mut values = vec![0; description.tensors.len()];
    for (index, tensor) in description.tensors.iter().enumerate() {
        let slot = layout.plan.slots.len();
        if is_matrix(tensor) {
            scales[index] = Some(slot);
            let name = format!("{}_scale", tensor.name);
            place(layout, &mut header, &mut end, index, tensor, (&name, "F32", vec![tensor.rows()]))?;
        } else {
            values[index] = slot;
            place(layout, &mut header, &mut end, index, tensor, (&tensor.name, "F32", tensor.shape.clone()))?;
        }
    }
    for (index, tensor) in description.tensors.iter().enumerate().filter(|(_, t)| is_matrix(t)) {
        values[index] = layout.plan.slots.len();
        place(layout, &mut header, &mut end, index, tensor, (&tensor.name, "I8", tensor.shape.clone()))?;
    }
    let places = scales.into_iter().zip(values).enumerate();
    layout.places = places.map(|(tensor, (scales, values))| Place { tensor, values, scales }).collect();

    let mut text = Value::Object(header).to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    let start = bytes.len() as u64;
    layout.plan.slots.iter_mut().for_each(|slot| slot.offset += start);
    layout.plan.files.push(OutputFile { name: WEIGHTS.into(), bytes: start + end });
    layout.plan.literals.push(LiteralSpan { file: 0, offset: 0, bytes: start });
    layout.literals.push(bytes);
    Ok(())
}

fn place(
    layout: &mut Layout,
    header: &mut Map<String, Value>,
    end: &mut u64,
    index: usize,
    tensor: &TensorDescription,
    (name, dtype, shape): (&str, &str, Vec<u64>),
) -> Result<(), Error> {
    let size = if dtype == "F32" { 4 } else { 1 };
    let bytes = shape.iter().try_fold(size, |bytes: u64, d| bytes.checked_mul(*d));
    let Some((bytes, after)) = bytes.and_then(|b| Some((b, end.checked_add(b)?))) else {
        return Err(Error::unsupported(&format!("hold a tensor of shape {shape:?}")).subject(&tensor.name));
    };
    header.insert(name.into(), json!({ "dtype": dtype, "shape": &shape, "data_offsets": [*end, after] }));
    layout.plan.slots.push(Slot {
        name: name.into(),
        unit: tensor.unit,
        sources: vec![index as u32],
        encoding: if dtype == "I8" { "I8 per row" } else { dtype }.into(),
        shape,
        file: 0,
        offset: *end, // the header's length is added once it is known
        bytes,
        note: String::new(),
        choosable: false,
    });
    *end = after;
    Ok(())
}

fn carry(layout: &mut Layout, name: &str, bytes: Vec<u8>) {
    let file = layout.plan.files.len() as u32;
    layout.plan.files.push(OutputFile { name: name.into(), bytes: bytes.len() as u64 });
    layout.plan.literals.push(LiteralSpan { file, offset: 0, bytes: bytes.len() as u64 });
    layout.literals.push(bytes);
}

fn config(description: &ModelDescription, level: &str) -> Vec<u8> {
    let mut config = description.config.clone();
    if let Value::Object(fields) = &mut config {
        fields.insert("quantization_config".into(), json!({ "quant_method": METHOD, "bits": 8, "level": level }));
    }
    format!("{config:#}\n").into_bytes()
}
