//! One operation: its role, its two names, how GGUF arranges it.

use super::Layout;
use llmq_plugin_api::wire::Role;

/// One operation of an architecture under its two names; `{}` stands for the layer number.
#[derive(Debug)]
pub struct Line {
    /// What it is.
    pub role: Role,
    /// GGUF name without `.weight` or `.bias`.
    pub gguf: &'static str,
    /// Hugging Face name without `.weight` or `.bias`; the whole name of a bare tensor.
    pub hugging_face: &'static str,
    /// The part that a tensor of this very name plays, if its name does not say so.
    pub bare: Option<&'static str>,
    /// How GGUF arranges it.
    pub layout: Layout,
    /// Added to every value: norms around 1 that the source stores around 0.
    pub shift: f32,
}
