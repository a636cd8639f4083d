//! The root module: the one symbol that a plugin exports.

use super::{BackendBox, PResult};
use abi_stable::{
    StableAbi, library::RootModule, package_version_strings, sabi_types::VersionStrings, std_types::RStr,
};

/// Entry points of a plugin. New fields go below the last one; hosts see them as `Option`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRootRef)))]
#[sabi(missing_field(option))]
pub struct PluginRoot {
    /// Plugin id, equal to the manifest's.
    pub id: extern "C" fn() -> RStr<'static>,
    /// The plugin's own version.
    pub version: extern "C" fn() -> RStr<'static>,
    /// Makes the backend. Called once per process.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn() -> PResult<BackendBox>,
}

impl RootModule for PluginRootRef {
    abi_stable::declare_root_module_statics! {PluginRootRef}
    const BASE_NAME: &'static str = "llmq";
    const NAME: &'static str = "llm-quantize plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
