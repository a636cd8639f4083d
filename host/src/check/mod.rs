//! The conformance kit behind `llm-quantize plugins check FILE`: what a backend must keep, tried on made-up models.
//!
//! [`specimen`] makes the models, [`stage`] is a host in memory, [`rules`] hold the backend to its promises.
//! [`check_backend`] runs in this process and suits an author's own tests; [`check_file`] runs the same in a child
//! process, so that a backend that crashes fails a rule instead of ending the program.

mod child;
#[cfg(test)]
mod kit_tests;
#[cfg(test)]
mod plain;
mod report;
mod rules;
mod run;
mod specimen;
mod stage;

pub use child::{CHECK_VERB, check_file, check_main};
pub use report::{Outcome, Report, Rule, Verdict};
pub use rules::RULES;
pub use run::check_backend;
#[cfg(test)]
pub(crate) use specimen::Specimen;
