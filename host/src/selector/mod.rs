//! Which tensors get which encoding by the user's word: rules, read from the command line or a file, applied to a plan.
//!
//! A rule is `SELECTOR=TYPE`. A selector is a regular expression that is searched in the output's tensor names, as
//! llama-quantize has it, or terms joined by `/`, all of which must hold:
//!
//! | term | holds for |
//! |---|---|
//! | `role:attn_v,ffn_down` | tensors of these roles, whatever their family calls them |
//! | `layers:0-3,8,first2,last4` | tensors of these layers of the output |
//! | `name:REGEX` | tensors whose name in the output matches |
//! | `source:REGEX` | tensors with a source whose Hugging Face name matches |
//!
//! The first rule that selects a tensor decides. What a format never quantizes is passed over, as the reference does;
//! a rule that selects nothing else is an error.

mod file;
mod grammar;
mod layers;
mod resolve;

pub use file::read_file;
pub use grammar::{MAX_SELECTOR, Rule};
pub use layers::Layers;
pub use resolve::{Resolution, check_encodings, encoding, resolve};
