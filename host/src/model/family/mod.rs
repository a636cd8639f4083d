//! Model families as data: what each calls its tensors, which shapes they have and what feeds them.
//!
//! One TOML file per family under `host/families/`. Adding a family is adding a file and its line in [`builtin`].

mod assign;
mod builtin;
mod pattern;
mod schema;
mod shape;

pub(in crate::model) use assign::nearest;
pub use assign::{Answers, Assignment, FoundTensor, assign};
pub use builtin::{builtin, by_class, by_model_type, supported_classes};
pub use pattern::{Captures, NamePattern};
pub use schema::{Family, Feed, IgnoredTensor, SlidingRule, TensorTemplate};
pub use shape::ShapeExpression;
