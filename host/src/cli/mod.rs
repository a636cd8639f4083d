//! The command line: from what was typed to what is meant, and back to words on the screen.

mod analyze;
pub mod args;
mod convert;
mod dispatch;
mod evaluate;
mod given;
mod imatrix;
mod job_report_file;
mod logging;
mod model_path;
mod narrator;
mod parse;
mod plan;
mod plugins;
mod quantize;
mod report_file;
mod run_job;
mod screen;
mod signals;
mod statistics;
mod transfer;
mod usage;
mod whole_file;

pub use convert::Typed;
pub use dispatch::{conclude, dispatch};
pub use narrator::Narrator;
pub use parse::{Meant, parse};
pub use quantize::{Asked, Backend, Quantization};
pub use screen::Screen;
pub use usage::Unparsed;
