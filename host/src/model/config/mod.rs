//! config.json: both transformers spellings, class defaults where it is silent, and checks that name key and value.

mod fields;
mod hyperparameters;
mod rope;
mod text_model;

pub use fields::Fields;
pub use hyperparameters::{AttentionWindows, read_attention_windows, read_hyperparameters};
pub use text_model::{NESTED, class_and_family, text_model_config};
