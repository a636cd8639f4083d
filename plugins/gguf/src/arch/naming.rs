//! Names of tensors in both worlds.

use super::Architecture;
use llmq_plugin_api::wire::{Role, TensorDescription};

/// A GGUF tensor recognised by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Hugging Face name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its layer, if it belongs to one.
    pub layer: Option<u32>,
}

/// The GGUF name of a source tensor; `None` if the architecture has no place for it.
///
/// Experts of one layer share a name: they are stacked.
pub fn gguf_name(arch: &Architecture, tensor: &TensorDescription) -> Option<String> {
    let line = arch.lines.iter().find(|line| line.role == tensor.role)?;
    let stem = match tensor.layer {
        Some(layer) if line.gguf.contains("{}") => line.gguf.replace("{}", &layer.to_string()),
        None if !line.gguf.contains("{}") => line.gguf.to_owned(),
        _ => return None,
    };
    Some(if tensor.part.is_empty() { stem } else { format!("{stem}.{}", tensor.part) })
}

/// What a GGUF tensor is called in Hugging Face; `None` for derived tensors and unknown ones.
pub fn hugging_face_name(arch: &Architecture, gguf: &str) -> Option<Named> {
    let (stem, part) = gguf.rsplit_once('.').filter(|(_, part)| matches!(*part, "weight" | "bias"))?;
    let (pattern, layer) = match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((layer, rest)) => (format!("blk.{{}}.{rest}"), Some(layer.parse::<u32>().ok()?)),
        None => (stem.to_owned(), None),
    };
    let line = arch.lines.iter().find(|line| line.gguf == pattern)?;
    let stem = match layer {
        Some(layer) => line.hugging_face.replace("{}", &layer.to_string()),
        None => line.hugging_face.to_owned(),
    };
    Some(Named { name: format!("{stem}.{part}"), role: line.role.clone(), layer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::ALL;

    #[test]
    fn every_name_leads_back() {
        for arch in ALL {
            for line in arch.lines {
                let layer = line.gguf.contains("{}").then_some(17);
                let name = line.hugging_face.replace("{}", "17") + ".weight";
                let tensor = TensorDescription {
                    name: name.clone(),
                    role: line.role.clone(),
                    part: "weight".into(),
                    unit: 0,
                    layer,
                    expert: None,
                    dtype: "BF16".into(),
                    shape: vec![1],
                };
                let gguf = gguf_name(arch, &tensor).unwrap();
                let back = hugging_face_name(arch, &gguf).unwrap();
                assert_eq!(back, Named { name, role: line.role.clone(), layer }, "{} {gguf}", arch.name);
            }
        }
    }

    #[test]
    fn names_outside_the_tables_are_not_guessed() {
        let llama = &ALL[0];
        for name in ["rope_freqs.weight", "blk.0.unknown.weight", "blk.x.attn_q.weight", "attn_q.weight", "output", ""]
        {
            assert_eq!(hugging_face_name(llama, name), None, "{name}");
        }
        assert_eq!(hugging_face_name(llama, "blk.{}.attn_q.weight"), None);
    }
}
