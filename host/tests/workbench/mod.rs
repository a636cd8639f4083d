//! A fresh folder with the real binary in it, and what one run of it gave.

#![allow(dead_code, reason = "every test file uses its own part")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fresh folder: home, current folder and binary of the runs in it. No plugin is anywhere near.
pub struct Workbench {
    folder: tempfile::TempDir,
}

/// What one run gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Workbench {
    pub fn new() -> Workbench {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        let bench = Workbench { folder };
        // Beside its own place in target/ the binary would find whatever plugins were built there.
        std::fs::hard_link(env!("CARGO_BIN_EXE_llm-quantize"), bench.binary()).unwrap();
        bench
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn binary(&self) -> PathBuf {
        self.path().join("bin").join(format!("llm-quantize{}", std::env::consts::EXE_SUFFIX))
    }

    /// The binary in this folder, with nothing of this machine's environment.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(self.binary());
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path()).env("HF_HUB_OFFLINE", "1");
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line))
    }
}

impl Ran {
    pub fn of(mut command: Command) -> Ran {
        let output = command.output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// A failure with its code, nothing on stdout, and these words on stderr.
    pub fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        for words in words {
            assert!(self.stderr.contains(words), "`{words}` is missing in {self:#?}");
        }
    }
}

/// The model that is committed for the README's first command.
pub fn tiny_model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny-model").display().to_string()
}
