//! A host in a hundred lines: tensors with roles, output in memory. Enough to drive the backend across the boundary.

pub mod one_layer;

use llmq_plugin_api::client::{Destination, Services, Source, SourceTensor};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{self, ModelDescription};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Services on the calling thread.
#[derive(Default)]
pub struct Alone {
    pub stop: AtomicBool,
}

impl Services for Alone {
    fn log(&self, _: u32, _: &str) {}
    fn progress(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
    fn threads(&self) -> u32 {
        1
    }
    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        (0..count).for_each(job);
    }
    fn reserve(&self, _: u64) -> Result<u64, Error> {
        Ok(0)
    }
    fn release(&self, _: u64) {}
    fn device(&self) -> String {
        "cpu".into()
    }
}

/// A model of f32 tensors.
pub struct Tiny {
    pub description: ModelDescription,
    pub data: Vec<Vec<u8>>,
}

impl Tiny {
    /// Tensors by name, role, unit and shape, filled by `value(tensor, index)`.
    pub fn new(
        tensors: &[(&str, &str, u32, &[u64])],
        smoothing: serde_json::Value,
        value: impl Fn(usize, usize) -> f32,
    ) -> Tiny {
        let described = tensors.iter().map(|(name, role, unit, shape)| {
            let part = if name.ends_with(".bias") { "bias" } else { "weight" };
            json!({ "name": name, "role": role, "part": part, "unit": unit, "dtype": "F32", "shape": shape })
        });
        let document = json!({
            "v": 1, "name": "tiny", "architecture": "LlamaForCausalLM", "family": "llama", "dtype": "F32",
            "config": { "model_type": "llama", "hidden_size": 64 },
            "hyperparameters": {
                "layers": 1, "hidden_size": 64, "intermediate_size": 96, "vocab_size": 32, "context_length": 8,
                "attention": { "heads": 1, "kv_heads": 1, "head_dim": 64, "head_dim_stated": true },
                "norm_eps": 1e-5, "norm": "rms", "activation": "silu", "tied_embeddings": true
            },
            "units": [
                { "id": "embeddings", "kind": "embeddings" },
                { "id": "layer.0", "kind": "layer", "layer": 0 },
                { "id": "head", "kind": "head" }
            ],
            "tensors": described.collect::<Vec<_>>(),
            "files": ["config.json", "tokenizer.json"],
            "smoothing": smoothing,
        });
        let description: ModelDescription = wire::decode("model description", &document.to_string()).unwrap();
        let numbers = |(t, of): (usize, &wire::TensorDescription)| {
            (0..of.elements() as usize).flat_map(|i| value(t, i).to_le_bytes()).collect()
        };
        let data = description.tensors.iter().enumerate().map(numbers).collect();
        Tiny { description, data }
    }
}

impl Source for Tiny {
    fn description(&self) -> String {
        wire::encode(&self.description)
    }
    fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        match name {
            "tokenizer.json" => Ok(b"{\"model\":{}}".to_vec()),
            other => Err(Error::new(Kind::Io, format!("no file {other}"))),
        }
    }
    fn tensor(&self, index: u32) -> Result<SourceTensor<'_>, Error> {
        let of = &self.description.tensors[index as usize];
        Ok(SourceTensor { index, name: &of.name, dtype: "F32", shape: &of.shape, data: &self.data[index as usize] })
    }
    fn read_rows(&self, _: u32, _: u64, _: &mut [f32]) -> Result<(), Error> {
        Err(Error::unsupported("decode plain tensors"))
    }
    fn encode_text(&self, _: &str, _: bool) -> Result<Vec<u32>, Error> {
        Err(Error::unsupported("encode"))
    }
    fn decode_tokens(&self, _: &[u32]) -> Result<String, Error> {
        Err(Error::unsupported("decode"))
    }
}

/// Slots in memory, and the weights fed back.
pub struct Memory {
    pub slots: Mutex<Vec<Vec<u8>>>,
    pub fed_back: Mutex<Vec<(u32, u64, Vec<f32>)>>,
}

impl Memory {
    pub fn new(plan: &wire::Plan) -> Memory {
        let slots = plan.slots.iter().map(|s| vec![0xee; s.bytes as usize]).collect();
        Memory { slots: Mutex::new(slots), fed_back: Mutex::new(Vec::new()) }
    }
}

impl Destination for Memory {
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut slots = self.slots.lock().unwrap();
        slots[slot as usize][offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn feedback(&self, tensor: u32, first_row: u64, rows: &[f32]) -> Result<(), Error> {
        self.fed_back.lock().unwrap().push((tensor, first_row, rows.to_vec()));
        Ok(())
    }
}
