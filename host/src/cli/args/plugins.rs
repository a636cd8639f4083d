//! `plugins`: what is installed, what it can do, whether it works.

use clap::Subcommand;
use std::path::PathBuf;

/// The commands about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List every plugin file found, usable or not, and why not
    List,
    /// Show formats, levels and options of one plugin
    Info {
        /// Plugin id, as `plugins list` shows it
        id: String,
    },
    /// Run the conformance kit on a plugin file: what an author runs before publishing
    Check {
        /// The plugin file, for example target/release/libllmq_gguf.so
        file: PathBuf,
    },
    /// Find out why a plugin is not used: search folders, permissions, interface versions
    Doctor {
        /// Look at this file only
        file: Option<PathBuf>,
    },
}
