//! The built shared library through the real loader.

use llmq_plugin_api::client::load;

#[test]
fn the_library_loads_and_says_what_it_is() {
    // Cargo builds every kind of the library next to the tests.
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let name = format!("{}llmq_gguf{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let loaded = load(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((loaded.id.as_str(), loaded.version.as_str()), ("gguf", env!("CARGO_PKG_VERSION")));
    assert!(!loaded.older_interface);
    let descriptor = loaded.backend.descriptor();
    assert_eq!((descriptor.id.as_str(), descriptor.version.as_str()), ("gguf", env!("CARGO_PKG_VERSION")));
    let format = descriptor.format("gguf").unwrap();
    assert!(format.can_read && format.can_write);
    assert_eq!(format.level("q4_k").unwrap().id, "Q4_K_M");
    assert_eq!(format.level("Q8_0").unwrap().id, "Q8_0");
    assert!(format.level("q9").is_none());
}
