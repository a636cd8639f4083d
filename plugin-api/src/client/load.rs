//! Opening a plugin file: one instance per file, versions that may differ, and one line of explanation when not.
//!
//! abi_stable's own `RootModule::load_from_*` keep one static per root type and return the first plugin for every
//! later path (measured), and its layout check assumes that the library is at least as new as the program, which is
//! backwards for plugins. So the header is taken from the raw library, and if the normal check finds the plugin's
//! layout to be *older*, the check is repeated with the roles swapped. That is sound because prefix structs and trait
//! vtables carry their own field counts: a missing field reads as `None`, a missing method runs its default body.

use super::Backend;
use crate::abi::PluginRootRef;
use crate::{API_VERSION, sdk};
use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals};
use abi_stable::library::{LibraryError, RawLibrary, lib_header_from_raw_library};
use std::path::Path;

/// A plugin that runs in this process, for good: nothing is ever unloaded.
pub struct Loaded {
    /// Id as the code states it.
    pub id: String,
    /// Version as the code states it.
    pub version: String,
    /// Whether the plugin was built with an older interface than this program.
    pub older_interface: bool,
    /// The backend.
    pub backend: Backend,
}

/// Why a plugin file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The dynamic loader refused the file.
    #[error("the dynamic loader refused it: {0}")]
    Open(String),
    /// The file is a library, but not a plugin.
    #[error("it is a shared library, but it exports no llm-quantize plugin")]
    NotAPlugin,
    /// Major versions differ.
    #[error(
        "it was built for plugin interface {plugin}, this program speaks {API_VERSION}; a plugin needs the same major version"
    )]
    Version {
        /// Interface version of the plugin.
        plugin: String,
    },
    /// Same major, but a layout that neither side can be newer than.
    #[error("it claims plugin interface {plugin} but its binary layout does not fit {API_VERSION}: {summary}")]
    Layout {
        /// Interface version of the plugin.
        plugin: String,
        /// First line of the difference.
        summary: String,
        /// The whole difference, hundreds of lines, for `plugins doctor --verbosity debug`.
        detail: String,
    },
    /// The plugin loaded, and its own code reported an error.
    #[error("it reported an error when it was created: {0}")]
    Create(#[source] sdk::Error),
}

/// Loads a plugin file into this process.
///
/// Runs the file's own code (constructors included): call it only for files that passed the trust checks and a probe
/// in a child process. The library stays loaded for the life of the process.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let raw = RawLibrary::load_at(path).map_err(|e| LoadError::Open(first_line(&e.to_string())))?;
    let raw: &'static RawLibrary = Box::leak(Box::new(raw));
    // SAFETY: the library was leaked, so the header lives for ever; the header's own magic and abi_stable version are
    // checked by the call.
    let header = unsafe { lib_header_from_raw_library(raw) }.map_err(|error| match error {
        LibraryError::GetSymbolError { .. } => LoadError::NotAPlugin,
        other => LoadError::Open(first_line(&other.to_string())),
    })?;
    let plugin = header.version_strings().version.to_string();
    let (root, older_interface) = match header.init_root_module::<PluginRootRef>() {
        Ok(root) => (root, false),
        Err(LibraryError::IncompatibleVersionNumber { .. }) => return Err(LoadError::Version { plugin }),
        Err(LibraryError::AbiInstability(difference)) => {
            let detail = difference.to_string();
            let fault =
                || LoadError::Layout { plugin: plugin.clone(), summary: summary(&detail), detail: detail.clone() };
            let layout = header.layout().ok_or_else(fault)?;
            // With a memory of its own: in the process-wide one, an older layout as the interface would keep out every
            // later plugin that is as new as this program ("too many fields").
            let host = <PluginRootRef as StableAbi>::LAYOUT;
            check_layout_compatibility_with_globals(layout, host, &CheckingGlobals::new()).map_err(|_| fault())?;
            // SAFETY: the layouts were found compatible with the plugin as the older interface; see the module docs.
            let root = unsafe { header.init_root_module_with_unchecked_layout::<PluginRootRef>() };
            (root.map_err(|_| fault())?, true)
        }
        Err(other) => return Err(LoadError::Open(first_line(&other.to_string()))),
    };
    let backend = (root.create())().into_result().map_err(|e| LoadError::Create(e.into()))?;
    let backend = Backend::from_abi(backend).map_err(LoadError::Create)?;
    Ok(Loaded { id: (root.id())().into(), version: (root.version())().into(), older_interface, backend })
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim().to_owned()
}

/// abi_stable prints every level of the comparison; the line with the actual difference is what a person needs.
fn summary(detail: &str) -> String {
    let telling = |line: &&str| ["too many", "mismatch", "different", "incompatible"].iter().any(|w| line.contains(w));
    detail.lines().map(str::trim).find(telling).map_or_else(|| first_line(detail), str::to_owned)
}
