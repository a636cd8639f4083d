//! Where things lie in the checkout.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies one level below the root")
}

/// The example model that the README quantizes.
pub fn tiny_model() -> PathBuf {
    root().join("examples/tiny-model")
}

/// Every file of the checkout that git tracks or would track, relative to the root; generated folders are left out.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the checkout can be listed") {
            let entry = entry.expect("an entry can be read");
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if ["target", ".git", "node_modules", "corpus", "artifacts"].contains(&name.as_ref()) {
                continue;
            }
            if entry.file_type().expect("an entry has a type").is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root()).expect("below the root").to_path_buf());
            }
        }
    }
    found.sort();
    found
}
