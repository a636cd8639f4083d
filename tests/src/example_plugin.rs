//! The example plugin as a third party would build it: in its own workspace, with its own lock file.

use crate::{program, repository};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// Path of the built `libllmq_int8.so`; copy it, others read it too.
pub fn int8() -> &'static Path {
    BUILT.get_or_init(|| {
        // The folder of the drift test, which builds the same dependencies.
        let target = program::target_dir().join("abi-drift/target");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--manifest-path"])
            .arg(repository::root().join("examples/int8-plugin/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the example plugin builds");
        let aside = program::target_dir().join("example-plugin");
        std::fs::create_dir_all(&aside).expect("writable");
        // A name of its own while it is copied: another test program may be reading the last one.
        let (copy, place) = (aside.join(format!("{}.tmp", std::process::id())), aside.join("libllmq_int8.so"));
        std::fs::copy(target.join("debug/libllmq_int8.so"), &copy).expect("the plugin was built");
        std::fs::rename(&copy, &place).expect("writable");
        place
    })
}
