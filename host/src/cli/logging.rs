//! Log records of the program and of its plugins as lines on stderr, by verbosity.

use super::Screen;
use super::args::Verbosity;
use std::io;
use std::sync::Arc;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. Other crates' records are shown from debug on only: they speak of things the user did not start.
pub fn start(screen: &Arc<Screen>) {
    let (ours, others) = match screen.verbosity {
        Verbosity::Quiet => (LevelFilter::ERROR, LevelFilter::OFF),
        Verbosity::Normal => (LevelFilter::WARN, LevelFilter::OFF),
        Verbosity::Verbose => (LevelFilter::INFO, LevelFilter::WARN),
        Verbosity::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(screen.colour)
        .with_target(false)
        .without_time()
        .with_writer(Lines(Arc::clone(screen)));
    let targets = Targets::new().with_default(others).with_target("llm_quantize", ours).with_target("plugin", ours);
    // A second start (tests that call the command line twice in one process) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layer).with(targets).try_init();
}

/// Collects one record and hands it to the screen as a whole, so that it cannot tear a progress bar.
struct Lines(Arc<Screen>);

struct Record(Arc<Screen>, Vec<u8>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Record;
    fn make_writer(&'a self) -> Record {
        Record(Arc::clone(&self.0), Vec::new())
    }
}

impl io::Write for Record {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.1);
        if !text.trim().is_empty() {
            self.0.line(&format!("[llm-quantize] {}", text.trim()));
        }
    }
}
