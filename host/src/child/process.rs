//! Starting a child of our own program, with a time limit, capped output and a readable end.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Cap on what is kept of a child's stdout. A conformance report of a backend with 20 levels measures about 60 kB.
const MAX_OUTPUT_BYTES: u64 = 16 << 20;

/// How long the pipes may stay open after the child's end (a grandchild may hold them).
const PIPE_PATIENCE: Duration = Duration::from_millis(500);

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It returned an exit code.
    Code(i32),
    /// A signal ended it: the number and its name.
    Signal(i32, &'static str),
    /// It was killed because it did not finish in time.
    TimedOut(Duration),
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Code(code) => write!(f, "it ended with code {code}"),
            Ending::Signal(number, name) => write!(f, "it was ended by signal {number} ({name})"),
            Ending::TimedOut(limit) => write!(f, "it did not finish within {} s and was killed", limit.as_secs_f32()),
        }
    }
}

/// A child's end and what it said.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The lines of stdout that look like JSON objects; plugin code may have printed anything between them.
    pub documents: Vec<String>,
    /// The last line of stderr, for messages; possibly empty.
    pub last_words: String,
}

/// Runs `executable verb file` and waits for at most `limit`.
pub fn run(executable: &Path, verb: &str, file: &Path, limit: Duration) -> std::io::Result<Outcome> {
    let mut command = Command::new(executable);
    command.arg(verb).arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let start = Instant::now();
    let ending = loop {
        if let Some(status) = child.try_wait()? {
            break ending(status);
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            break Ending::TimedOut(limit);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |pipe: mpsc::Receiver<Vec<u8>>| {
        String::from_utf8_lossy(&pipe.recv_timeout(PIPE_PATIENCE).unwrap_or_default()).into_owned()
    };
    let (out, err) = (text(out), text(err));
    Ok(Outcome {
        ending,
        documents: out.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect(),
        last_words: err.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned(),
    })
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe cannot stop the child.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // An error leaves what was read so far, which is what a message needs.
            let _ = pipe.by_ref().take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(unix)]
fn ending(status: ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, signal) => {
            let number = signal.unwrap_or_default();
            Ending::Signal(number, signal_name(number))
        }
    }
}

#[cfg(not(unix))]
fn ending(status: ExitStatus) -> Ending {
    Ending::Code(status.code().unwrap_or(-1))
}

#[cfg(unix)]
fn signal_name(number: i32) -> &'static str {
    use rustix::process::Signal;
    let names = [
        (Signal::SEGV, "SIGSEGV, an invalid memory access"),
        (Signal::BUS, "SIGBUS, memory without a file behind it"),
        (Signal::ILL, "SIGILL, an instruction this processor does not have"),
        (Signal::ABORT, "SIGABRT, it gave up"),
        (Signal::FPE, "SIGFPE, an arithmetic fault"),
        (Signal::KILL, "SIGKILL, perhaps out of memory"),
    ];
    names.iter().find(|(signal, _)| signal.as_raw() == number).map_or("another signal", |(_, name)| name)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        run(Path::new("/bin/sh"), "-c", Path::new(script), limit).unwrap()
    }

    #[test]
    fn documents_are_the_objects_on_stdout() {
        let outcome = shell("echo noise; echo '{\"a\":1}'; echo tail; echo oops >&2", Duration::from_secs(20));
        assert_eq!(outcome.ending, Ending::Code(0));
        assert_eq!(outcome.documents, ["{\"a\":1}"]);
        assert_eq!(outcome.last_words, "oops");
    }

    #[test]
    fn signals_are_named() {
        let outcome = shell("kill -SEGV $$", Duration::from_secs(20));
        assert!(outcome.ending.to_string().contains("SIGSEGV"), "{}", outcome.ending);
    }

    #[test]
    fn a_child_that_hangs_is_killed_even_if_its_own_child_keeps_the_pipes() {
        let start = Instant::now();
        let outcome = shell("sleep 30 & sleep 30", Duration::from_millis(200));
        assert!(matches!(outcome.ending, Ending::TimedOut(_)));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn much_output_neither_blocks_nor_grows_without_bound() {
        let outcome = shell("head -c 40000000 /dev/zero; echo", Duration::from_secs(60));
        assert_eq!(outcome.ending, Ending::Code(0));
        assert!(outcome.documents.is_empty());
    }
}
