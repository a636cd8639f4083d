//! The real binary with the real plugins beside it, built once per test run.

use crate::repository;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// Path of the built binary. Integration tests do not build cdylibs of other packages, so this does.
pub fn binary() -> &'static Path {
    BUILT.get_or_init(|| {
        let release = !cfg!(debug_assertions);
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "-p", "llm-quantize"])
            .args(["-p", "llmq-plugin-awq", "-p", "llmq-plugin-gguf", "-p", "llmq-plugin-gptq"])
            .current_dir(repository::root());
        // What cargo tells a test about itself is not the build's business: `ring` looks at such variables, and would be built
        // anew, with all that uses it, whenever tests and builds by hand take turns.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_") {
                build.env_remove(&key);
            }
        }
        if release {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the program and its plugins build");
        target_dir().join(if release { "release" } else { "debug" }).join("llm-quantize")
    })
}

/// The folder cargo builds into.
pub fn target_dir() -> PathBuf {
    // A test runs from <target>/<profile>/deps/<name>.
    let me = std::env::current_exe().expect("a test knows its own path");
    me.ancestors().nth(3).expect("<target>/<profile>/deps/<name>").to_path_buf()
}

/// One call of the program, isolated from the machine's own configuration.
pub struct Program {
    command: Command,
}

/// What a finished call left.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code, or 128 + signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// A call that runs in `folder`, with caches and data folders below it.
    pub fn new(folder: &Path) -> Program {
        let mut command = Command::new(binary());
        command.current_dir(folder).stdin(Stdio::null());
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("LLM_QUANTIZE")
                || name.starts_with("HF_")
                || name == "NO_COLOR"
                || name == "CLICOLOR"
                || is_network(&name)
            {
                command.env_remove(&key);
            }
        }
        command.env("XDG_CACHE_HOME", folder.join(".cache")).env("XDG_DATA_HOME", folder.join(".data"));
        command.env("XDG_CONFIG_HOME", folder.join(".config"));
        // No test may depend on the world outside: those of the Hub bring a server of their own, and say so.
        command.env("HF_HUB_OFFLINE", "1");
        Program { command }
    }

    /// Adds arguments.
    pub fn args<A: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Program {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Program {
        self.command.env(key, value);
        self
    }

    /// Runs to the end.
    pub fn run(mut self) -> Outcome {
        self.command.output().expect("the program starts").into()
    }

    /// Runs to the end and insists on success.
    pub fn succeed(self) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, 0, "stdout:\n{}\nstderr:\n{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Starts without waiting, for tests that kill.
    pub fn start(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }
}

impl Outcome {
    /// Standard output as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{self:?}"))
    }
}

/// Older names of the Hub's variables, and proxies, which would stand between the program and a loopback server.
fn is_network(name: &str) -> bool {
    name.starts_with("HUGGING") || name == "TRANSFORMERS_OFFLINE" || name.to_ascii_lowercase().ends_with("_proxy")
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Outcome {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        #[cfg(not(unix))]
        let signal: Option<i32> = None;
        Outcome {
            code: output.status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
