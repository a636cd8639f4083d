//! Which encoding every tensor gets at a level: llama-quantize's decisions, without its reading and writing.
//!
//! | where | what |
//! |---|---|
//! | `recipe` | [`Recipe`]: the reference's file types, their numbers and base encodings |
//! | `eligibility` | which tensors are quantized at all |
//! | `category` | what a tensor is for the rules, by its name |
//! | `rules` | the rules themselves: category, position and model to encoding |
//! | `fallback` | what is taken when rows are not whole blocks |
//! | `assign` | [`fn@assign`]: all tensors of a model in output order |
//!
//! The reference is llama.cpp 0c1e57098. Releases from before early 2026 treated fused qkv tensors differently.
#![allow(non_camel_case_types)]

mod assign;
mod category;
mod eligibility;
mod fallback;
mod recipe;
mod rules;

pub use assign::{Assignment, Candidate, Choices, MixtureError, assign};
pub use category::Category;
pub use eligibility::is_quantizable;
pub use fallback::{Misfit, fit};
pub use recipe::Recipe;

/// The facts about a model that the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShape {
    /// GGUF architecture, for example `llama`.
    pub arch: String,
    /// Layers, prediction layers included.
    pub layers: u32,
    /// Query heads of layer 0.
    pub heads: u32,
    /// Key-value heads of layer 0.
    pub kv_heads: u32,
    /// Routed experts, 0 for dense models.
    pub experts: u32,
    /// Whether an importance matrix is at hand.
    pub has_importance: bool,
}

impl ModelShape {
    /// At least four query heads share one key-value head.
    fn wide_groups(&self) -> bool {
        self.kv_heads > 0 && self.heads / self.kv_heads >= 4
    }

    /// What the reference calls a 70B model: recognised by its layer count.
    fn is_70b(&self) -> bool {
        match self.arch.as_str() {
            "llama" => self.layers == 80 && self.heads != self.kv_heads,
            "qwen2" | "deci" | "olmo" => self.layers == 80,
            "jais2" => self.layers == 68,
            _ => false,
        }
    }
}
