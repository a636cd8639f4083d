//! Model families as data: what each calls its tensors, which shapes they have and what feeds them.
//!
//! One TOML file per family under `host/families/`. Adding a family is adding a file and its line in [`builtin`], or, without
//! building anything, a file in the user's folder ([`own`]).

mod assign;
mod builtin;
mod factor;
mod forward;
mod own;
mod pattern;
mod presence;
mod schema;
mod shape;
mod spelling;
mod stacked;
mod variant;

pub(in crate::model) use assign::nearest;
pub use assign::{Answers, Assignment, FoundTensor, assign};
pub use builtin::builtin;
pub use factor::Factor;
pub use forward::{Blocks, ForwardRules, GateUpOrder, InputRows, QkvOrder, Rotates, RouterRules, RouterScore};
pub use own::{family_like, own, read_families};
pub use pattern::{Captures, NamePattern};
pub use schema::{Condition, Family, Feed, IgnoredTensor, LayerKind, PredictionLayers, SlidingRule, TensorTemplate};
pub use shape::ShapeExpression;
pub use spelling::Renaming;
pub use stacked::StackedTensor;
pub use variant::Families;
