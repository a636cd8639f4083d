//! The host as a library, so that the binary and the tests call the same code.

pub mod calibrate;
pub mod cancel;
pub mod check;
pub mod child;
pub mod cli;
pub mod convert;
pub mod disk;
pub mod evaluate;
pub mod event;
pub mod failure;
pub mod fold;
pub mod hub;
pub mod identity;
pub mod inspect;
pub mod job;
pub mod memory;
pub mod model;
mod nearest;
pub mod network;
pub mod pass;
pub mod plan_file;
pub mod plugins;
pub mod report;
pub mod selector;
pub mod statistics;
pub mod stored;
pub mod threads;
