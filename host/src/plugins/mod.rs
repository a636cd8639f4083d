//! The plugin host: find plugin files, judge them without running them, probe unknown ones in a child process, load.
//!
//! A plugin is somebody's code inside our process, so a file earns its way in step by step, and each step that it
//! fails leaves a sentence in the catalogue instead of an end of the program:
//!
//! 1. [`discover`] walks the search folders and reads names, permissions, object headers and the manifest section. No
//!    code of the plugin runs; a truncated or foreign file is found here, because mapping one with the dynamic loader
//!    ends in SIGBUS or runs its constructors (both measured).
//! 2. The first [`Entry::load`] of a file runs it in a child process ([`probe`]), so that bytes which crash do so over
//!    there. The answer is remembered until the file changes (`cache`).
//! 3. Only then is it opened in this process, with every symbol resolved at once, and its code must state the same id
//!    and version as its manifest.

mod cache;
mod catalogue;
mod discover;
#[cfg(all(test, target_os = "linux"))]
mod fake_elf;
mod file_identity;
mod file_name;
mod image;
mod load;
mod probe;
mod search;
mod trust;

pub use catalogue::{Catalogue, Entry, Status};
pub use discover::{discover, discover_with};
pub use file_name::{file_name_of, id_of_file_name};
pub use image::{ImageFault, read_manifest};
pub use load::Loader;
pub(crate) use load::open_here;
pub use probe::{PROBE_VERB, Probed, probe, probe_main};
pub use search::{Folder, Search, Searched, Tier};
