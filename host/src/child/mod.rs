//! What the program does when it is its own child: hidden commands that run untrusted plugin code away from the job.
//!
//! `llm-quantize __probe-plugin FILE` loads a plugin and prints what it says of itself;
//! `llm-quantize __check-plugin FILE` runs the conformance kit on it. Both print JSON documents,
//! one per line, on stdout. The parent's side is [`run`].

mod process;

pub use process::{Ending, Outcome, run};

use crate::{check, plugins};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Runs a hidden command, if the arguments (program name first) are one. Returns its exit code.
///
/// To be asked before the ordinary command line is parsed: a child must not depend on what parsing would need.
pub fn answer(args: &[OsString]) -> Option<i32> {
    let [_, verb, file] = args else { return None };
    match verb.to_str()? {
        plugins::PROBE_VERB => Some(plugins::probe_main(Path::new(file))),
        check::CHECK_VERB => Some(check::check_main(Path::new(file))),
        _ => None,
    }
}

/// The executable that answers hidden commands: the running one if it is llm-quantize, else one beside it.
///
/// A program that uses this crate as a library (a test among them) is not llm-quantize and must not be started with
/// hidden commands; cargo puts test programs into `deps/`, one folder below the binary.
pub fn executable() -> Result<PathBuf, String> {
    let running = std::env::current_exe().map_err(|e| format!("the running executable is unknown: {e}"))?;
    let name = format!("llm-quantize{}", std::env::consts::EXE_SUFFIX);
    if running.file_name().is_some_and(|running| running == name.as_str()) {
        return Ok(running);
    }
    let folders = running.ancestors().skip(1).take(2).map(|folder| folder.join(&name));
    folders.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        format!(
            "a plugin that was never loaded before is first tried in a child process, and no `{name}` was found near {} \
             to be that child; name one with `Loader::probe_executable`",
            running.display()
        )
    })
}

/// A crash in a child is an expected answer: it must not fill the disk with a core file. Best effort.
pub(crate) fn forbid_core_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}
