//! Plugin interfaces of the future and the past: a copy of plugin-api at 1.3.0 with appended fields and methods, and
//! one at 1.0.0 without what 1.1 and 1.2 appended.

use crate::{program, repository};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The drifted copy and what is built against it.
pub struct Drift {
    folder: PathBuf,
}

impl Drift {
    /// Makes both copies.
    pub fn prepare() -> Drift {
        let drift = Drift { folder: program::target_dir().join("abi-drift") };
        drift.prepare_newer();
        drift.prepare_older();
        drift
    }

    /// Copies `plugin-api` under another version.
    fn copy_interface(&self, name: &str, version: &str) -> PathBuf {
        let api = self.folder.join(name);
        let _ = std::fs::remove_dir_all(&api);
        copy_folder(&repository::root().join("plugin-api/src"), &api.join("src"));
        write(
            &api.join("Cargo.toml"),
            &format!(
                "[package]\nname = \"llmq-plugin-api\"\nversion = \"{version}\"\nedition = \"2024\"\n[dependencies]\n\
                 abi_stable = {{ version = \"=0.11.3\", default-features = false }}\nhalf = \"2.7\"\n\
                 serde = {{ version = \"1\", features = [\"derive\"] }}\n\
                 serde_json = {{ version = \"1\", features = [\"preserve_order\"] }}\nthiserror = \"2\"\n[workspace]\n"
            ),
        );
        let src = api.join("src");
        edit(&src.join("sdk/export.rs"), "\"1.2.0\"", &format!("\"{version}\""));
        src
    }

    /// Takes away what 1.1 and 1.2 appended.
    fn prepare_older(&self) {
        let src = self.copy_interface("plugin-api-older", "1.0.0");
        cut(&src.join("abi/backend.rs"), "\n    // Since 1.1.\n", "}\n\n/// The answer of a backend");
        cut(&src.join("abi/backend.rs"), "\n    // Since 1.2.\n", "}\n\n/// An owned session.");
        cut(&src.join("sdk/shim.rs"), "\n    fn statistics_forms", "}\n\nimpl abi::StatisticsFile");
        cut(&src.join("sdk/shim.rs"), "\n    fn fold(", "}\n\nimpl abi::Reader");
        cut(&src.join("client/session.rs"), "\n    /// By how much channels", "}\n\n/// A unit's tensors");
        edit(&src.join("client/mod.rs"), "mod statistics;\n", "");
        edit(&src.join("client/mod.rs"), "pub use statistics::StatisticsFile;\n", "");
    }

    /// Appends what 1.3 might append.
    fn prepare_newer(&self) {
        let src = self.copy_interface("plugin-api", "1.3.0");
        // One more root field, and its value in the macro.
        edit(
            &src.join("abi/root.rs"),
            "pub create: extern \"C\" fn() -> PResult<BackendBox>,",
            "pub create: extern \"C\" fn() -> PResult<BackendBox>,\n    pub invented_in_1_3: extern \"C\" fn() -> u32,",
        );
        edit(
            &src.join("sdk/export.rs"),
            "$crate::abi::PluginRoot { id, version, create }",
            "$crate::abi::PluginRoot { id, version, create, invented_in_1_3 }",
        );
        edit(
            &src.join("sdk/export.rs"),
            "            extern \"C\" fn id() ->",
            "            extern \"C\" fn invented_in_1_3() -> u32 { 13 }\n            extern \"C\" fn id() ->",
        );
        // One more method on each side, and calls that run into an older peer.
        let method = |before: &str| format!("{before}\n    fn invented_in_1_3(&self) -> u32 {{ 13 }}");
        let device = "fn device(&self) -> RString;";
        edit(&src.join("abi/host.rs"), device, &method(device));
        let last = "RResult::RErr(unsupported(\"write statistics files\"))\n    }";
        edit(&src.join("abi/backend.rs"), last, &method(last));
        edit(
            &src.join("sdk/context.rs"),
            "    pub fn check(&self) -> Result<(), Error> {",
            "    pub fn check(&self) -> Result<(), Error> {\n        assert_eq!(self.raw.invented_in_1_3(), 13);",
        );
        edit(
            &src.join("client/backend.rs"),
            "    /// What the backend says of itself.",
            "    /// Appended.\n    pub fn invented_in_1_3(&self) -> u32 {\n        self.raw.invented_in_1_3()\n    }\n\n    /// What the backend says of itself.",
        );
    }

    /// Builds the example plugin against 1.0, 1.2 (as it is committed) or 1.3.
    pub fn example_plugin(&self, interface: &str) -> PathBuf {
        let source = repository::root().join("examples/int8-plugin");
        let (api, folder) = match interface {
            "1.0" => ("../plugin-api-older", "int8-plugin-older"),
            "1.3" => ("../plugin-api", "int8-plugin"),
            _ => return self.build(&source, "libllmq_int8.so", interface),
        };
        let copy = self.folder.join(folder);
        let _ = std::fs::remove_dir_all(&copy);
        copy_folder(&source.join("src"), &copy.join("src"));
        for file in ["Cargo.toml", "Cargo.lock"] {
            std::fs::copy(source.join(file), copy.join(file)).expect("the example has it");
        }
        edit(&copy.join("Cargo.toml"), "../../plugin-api", api);
        self.build(&copy, "libllmq_int8.so", interface)
    }

    /// Builds the small host of `tests/fixtures/newer-host` against 1.3.
    pub fn newer_host(&self) -> PathBuf {
        let folder = self.folder.join("newer-host");
        let main = repository::root().join("tests/fixtures/newer-host/main.rs");
        std::fs::create_dir_all(folder.join("src")).expect("writable");
        std::fs::copy(main, folder.join("src/main.rs")).expect("the fixture is committed");
        write(
            &folder.join("Cargo.toml"),
            "[package]\nname = \"newer-host\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n\
             llmq-plugin-api = { path = \"../plugin-api\" }\n[workspace]\n",
        );
        self.build(&folder, "newer-host", "1.3")
    }

    /// Builds a package and puts the named product aside. One target folder for all: their dependencies are the same.
    fn build(&self, package: &Path, product: &str, interface: &str) -> PathBuf {
        let target = self.folder.join("target");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "{} builds", package.display());
        let aside = self.folder.join("built").join(interface);
        std::fs::create_dir_all(&aside).expect("writable");
        std::fs::copy(target.join("debug").join(product), aside.join(product)).expect("the product was built");
        aside.join(product)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Replaces exactly one occurrence: if the source drifts, this must be looked at, not skipped.
fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("readable");
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in {}", path.display());
    write(path, &text.replacen(from, to, 1));
}

/// Removes everything from the only `from` up to the next `to`, which stays.
fn cut(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("readable");
    let (head, rest) = text.split_once(from).unwrap_or_else(|| panic!("`{from}` stands in {}", path.display()));
    let end = rest.find(to).unwrap_or_else(|| panic!("`{to}` follows in {}", path.display()));
    write(path, &format!("{head}{}", &rest[end..]));
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
    std::fs::write(path, text).expect("writable");
}
