//! Model architectures as GGUF knows them: one table entry each, used in both directions.
//!
//! | where | what |
//! |---|---|
//! | `table` | [`Architecture`] and the entries: names by role, keys in order, layout of the query and key rows |
//! | `naming` | roles and layers to GGUF names and back to Hugging Face names |
//! | `keys` | hyperparameters to the architecture's own metadata keys |
//! | `row_order` | the permutation between rotating halves and rotating neighbours |
//! | `rope` | frequency factors of context extensions, and llama3's parameters back from them |
//!
//! A new architecture is a new entry of `table`; what an entry cannot say yet is added to the entry's vocabulary.

mod keys;
mod naming;
mod rope;
mod row_order;
mod table;

pub use keys::{Key, write_keys};
pub use naming::{Named, gguf_name, hugging_face_name};
pub use rope::{Llama3, RopeTensor, llama3_factors, recover_llama3, rope_tensors};
pub use row_order::RowOrder;
pub use table::{ALL, Architecture, Line, by_family, by_name, families};
