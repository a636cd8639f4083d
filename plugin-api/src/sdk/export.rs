//! The one macro that turns a crate into a plugin.

use super::{Backend, shim::BackendShim};
use crate::abi;
use abi_stable::sabi_trait::TD_Opaque;

/// Wraps an author's backend for the boundary.
#[doc(hidden)]
pub fn backend_box(backend: impl Backend) -> abi::BackendBox {
    abi::Backend_TO::from_value(BackendShim(Box::new(backend)), TD_Opaque)
}

/// Makes panics of this dylib quiet and traceable.
#[doc(hidden)]
pub fn install_panic_hook() {
    super::panic::install_hook();
}

/// Exports a backend: the root module, the panic guard and the manifest section.
///
/// ```ignore
/// llmq_plugin_api::export_plugin! {
///     id: "int8",                       // file name: libllmq_int8.so
///     formats: ["int8"],
///     summary: "Per-row int8 in safetensors",
///     backend: Int8Backend::default(),
/// }
/// ```
/// Version and licence are taken from the crate's Cargo.toml. The strings must need no JSON escapes.
#[macro_export]
macro_rules! export_plugin {
    (id: $id:literal, formats: [$first:literal $(, $more:literal)* $(,)?], summary: $summary:literal, backend: $backend:expr $(,)?) => {
        const _: () = {
            const MANIFEST: &str = concat!(
                "{\"v\":1,\"id\":\"", $id, "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
                "\",\"api\":\"", $crate::api_version!(), "\",\"formats\":[\"", $first, "\"", $(",\"", $more, "\"",)*
                "],\"summary\":\"", $summary, "\",\"license\":\"", env!("CARGO_PKG_LICENSE"), "\"}"
            );

            #[used]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".llmq.manifest"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__llmq"))]
            static SECTION: [u8; MANIFEST.len()] = {
                let mut bytes = [0; MANIFEST.len()];
                let mut i = 0;
                while i < bytes.len() {
                    bytes[i] = MANIFEST.as_bytes()[i];
                    i += 1;
                }
                bytes
            };

            extern "C" fn id() -> $crate::abi_stable::std_types::RStr<'static> {
                $id.into()
            }
            extern "C" fn version() -> $crate::abi_stable::std_types::RStr<'static> {
                env!("CARGO_PKG_VERSION").into()
            }
            extern "C" fn create() -> $crate::abi::PResult<$crate::abi::BackendBox> {
                $crate::sdk::install_panic_hook();
                match ::std::panic::catch_unwind(|| $crate::sdk::backend_box($backend)) {
                    Ok(backend) => $crate::abi_stable::std_types::RResult::ROk(backend),
                    Err(payload) => {
                        ::std::mem::forget(payload);
                        let text = concat!("the plugin `", $id, "` panicked while it was created");
                        let error = $crate::sdk::Error::new($crate::sdk::Kind::Panic, text);
                        $crate::abi_stable::std_types::RResult::RErr(error.into())
                    }
                }
            }

            fn root() -> $crate::abi::PluginRootRef {
                use $crate::abi_stable::prefix_type::PrefixTypeTrait;
                $crate::abi::PluginRoot { id, version, create }.leak_into_prefix()
            }

            extern "C" fn erased_root() -> $crate::abi_stable::library::RootModuleResult {
                $crate::abi_stable::library::__call_root_module_loader(root)
            }

            // What #[abi_stable::export_root_module] writes; the attribute itself says `::abi_stable`, which would
            // make every author depend on that crate in the right version.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::abi_stable::library::LibHeader = {
                // SAFETY: the function returns the root module of the very type that is named.
                unsafe {
                    $crate::abi_stable::library::LibHeader::from_constructor::<$crate::abi::PluginRootRef>(
                        erased_root,
                        $crate::abi_stable::library::CheckTypeLayout::Yes,
                    )
                }
            };
        };
    };
}

/// Version of the interface as a literal, for `concat!`. A test holds it equal to [`crate::API_VERSION`].
#[doc(hidden)]
#[macro_export]
macro_rules! api_version {
    () => {
        "1.2.0"
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_exported_symbol_is_the_one_that_hosts_look_up() {
        assert_eq!(abi_stable::library::ROOT_MODULE_LOADER_NAME, "_1as_0lib_1header_0root_bmodule_bloader");
    }

    #[test]
    fn the_literal_is_the_crate_version() {
        assert_eq!(crate::api_version!(), crate::API_VERSION);
    }
}
