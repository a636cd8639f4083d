//! Names of tensors in both worlds.

use super::{Architecture, Line};
use llmq_plugin_api::wire::{Role, TensorDescription};

/// A GGUF tensor recognised by its name.
#[derive(Debug, Clone)]
pub struct Named {
    /// Hugging Face name; experts that GGUF stacks have `{e}` in place of their number.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its layer, if it belongs to one.
    pub layer: Option<u32>,
    /// Its entry.
    pub line: &'static Line,
}

impl Named {
    /// Whether the GGUF tensor is a stack of source tensors, one per expert.
    pub fn is_stack(&self) -> bool {
        self.name.contains(EXPERT)
    }

    /// Hugging Face name of one expert of a stack.
    pub fn expert(&self, expert: u64) -> String {
        self.name.replace(EXPERT, &expert.to_string())
    }
}

/// Stands for the expert's number.
const EXPERT: &str = "{e}";

/// The GGUF tensors that a source tensor becomes, with their entries; empty if the architecture has no place for it.
///
/// Experts of one layer share a name: they are stacked. A fused tensor becomes several.
pub fn gguf_names(arch: &Architecture, tensor: &TensorDescription) -> Vec<(String, &'static Line)> {
    let lines = arch.lines().filter(|line| line.role == tensor.role && is_called(line, tensor));
    lines.filter_map(|line| Some((stem(line, tensor)?, line))).collect()
}

/// The first GGUF name of a source tensor; `None` if the architecture has no place for it.
pub fn gguf_name(arch: &Architecture, tensor: &TensorDescription) -> Option<String> {
    gguf_names(arch, tensor).into_iter().next().map(|(name, _)| name)
}

/// Roles tell operations apart; only where one operation has several spellings the name decides.
fn is_called(line: &Line, tensor: &TensorDescription) -> bool {
    let Some(part) = line.bare else { return true };
    let name = tensor.layer.map_or_else(|| line.hugging_face.to_owned(), |n| in_layer(line.hugging_face, n));
    part == tensor.part && name == tensor.name
}

fn in_layer(pattern: &str, layer: u32) -> String {
    pattern.replace("{}", &layer.to_string())
}

fn stem(line: &Line, tensor: &TensorDescription) -> Option<String> {
    let stem = match tensor.layer {
        Some(layer) if line.gguf.contains("{}") => in_layer(line.gguf, layer),
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
    let line = arch.lines().find(|line| line.gguf == pattern && line.bare.is_none_or(|own| own == part))?;
    let stem = layer.map_or_else(|| line.hugging_face.to_owned(), |layer| in_layer(line.hugging_face, layer));
    let name = if line.bare.is_some() { stem } else { format!("{stem}.{part}") };
    Some(Named { name, role: line.role.clone(), layer, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::all;

    #[test]
    fn every_name_leads_back() {
        for arch in all() {
            for line in arch.lines() {
                let layer = line.gguf.contains("{}").then_some(17);
                let stem = line.hugging_face.replace("{}", "17");
                let part = line.bare.unwrap_or("weight");
                let name = if line.bare.is_some() { stem } else { format!("{stem}.{part}") };
                let tensor = TensorDescription {
                    name: name.clone(),
                    role: line.role.clone(),
                    part: part.into(),
                    unit: 0,
                    layer,
                    expert: None,
                    head: None,
                    dtype: "BF16".into(),
                    shape: vec![1],
                };
                let gguf = gguf_name(arch, &tensor).unwrap();
                let back = hugging_face_name(arch, &gguf).unwrap();
                // Where the source has several spellings, the first one comes back.
                if !std::ptr::eq(back.line, line) && line.bare.is_some() && back.line.hugging_face != line.hugging_face
                {
                    assert!(back.is_stack(), "{} {gguf}", arch.name);
                    continue;
                }
                assert_eq!((&back.role, back.layer), (&line.role, layer), "{} {gguf}", arch.name);
                // Entries with the same role share the source tensor.
                assert_eq!(back.name, name, "{} {gguf}", arch.name);
            }
        }
    }

    #[test]
    fn names_outside_the_tables_are_not_guessed() {
        let llama = crate::arch::by_family("llama").unwrap();
        for name in ["rope_freqs.weight", "blk.0.unknown.weight", "blk.x.attn_q.weight", "attn_q.weight", "output", ""]
        {
            assert!(hugging_face_name(llama, name).is_none(), "{name}");
        }
        assert!(hugging_face_name(llama, "blk.{}.attn_q.weight").is_none());
    }
}
