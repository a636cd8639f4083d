//! Model architectures as GGUF knows them: one table entry each, used in both directions.
//!
//! | where | what |
//! |---|---|
//! | `table` | [`Architecture`] and the entries by family group: names by role, keys in order, arrangement |
//! | `line` | one operation with its two names and its arrangement |
//! | `naming` | roles and layers to GGUF names and back to Hugging Face names |
//! | `keys` | hyperparameters to the architecture's own metadata keys |
//! | `latent` | widths of latent attention |
//! | `layout` | arrangements of tensors: rotary neighbours, transposed, halves of a fused one |
//! | `view` | an arrangement as strides, forwards and backwards |
//! | `rope` | frequency factors of context extensions, and llama3's parameters back from them |
//!
//! A new architecture is a new entry of `table`; what an entry cannot say yet is added to the entry's vocabulary.

mod keys;
mod latent;
mod layout;
mod line;
mod naming;
mod rope;
mod table;
mod view;

pub use keys::{Key, Operand, gating_word, write_keys};
pub use latent::Latent;
pub use layout::{Heads, Layout};
pub use line::Line;
pub use naming::{Named, gguf_name, gguf_names, hugging_face_name};
pub use rope::{Llama3, RopeTensor, llama3_factors, recover_llama3, rope_tensors};
pub use table::{Architecture, Mark, all, by_family, by_name, families};
pub use view::View;
