//! Ctrl-C and SIGTERM: the first asks the job to stop where it can go on later, the second ends the process at once.

use super::Screen;
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a stop means for the work in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stopping {
    /// A download; the same command goes on with it.
    Download,
    /// A job with a checkpoint.
    Resumable,
    /// A job without one.
    Lost,
    /// Statistics that are kept in a folder; the same command goes on with them.
    Gathering,
    /// Work that keeps nothing on its way.
    Whole,
}

/// Watches for the signals until the process ends.
#[derive(Debug, Clone)]
pub struct Watch(Arc<AtomicU8>);

impl Watch {
    /// Starts to watch. Called once, by the command that can be resumed.
    pub fn start(cancel: &Cancel, screen: &Arc<Screen>, now: Stopping) -> Result<Watch, Failure> {
        let watch = Watch(Arc::new(AtomicU8::new(now as u8)));
        let (cancel, screen, state) = (cancel.clone(), Arc::clone(screen), Arc::clone(&watch.0));
        let handler = move || {
            if cancel.request() {
                screen.show(None);
                std::process::exit(i32::from(Class::Interrupted.exit_code()));
            }
            screen.step(words(state.load(Ordering::SeqCst)));
        };
        ctrlc::set_handler(handler)
            .map_err(|e| Failure::new(Class::General, format!("Ctrl-C cannot be watched: {e}")))?;
        Ok(watch)
    }

    /// Other work is in hand now.
    pub fn now(&self, work: Stopping) {
        self.0.store(work as u8, Ordering::SeqCst);
    }
}

fn words(work: u8) -> &'static str {
    match work {
        work if work == Stopping::Download as u8 => {
            "Stopping; the same command goes on with the download. Again Ctrl-C stops at once"
        }
        work if work == Stopping::Resumable as u8 => {
            "Stopping after the work in hand; the same command with --resume goes on from there. \
             Again Ctrl-C stops at once"
        }
        work if work == Stopping::Gathering as u8 => {
            "Stopping; the same command goes on with the statistics. Again Ctrl-C stops at once"
        }
        work if work == Stopping::Whole as u8 => "Stopping; the same command starts over. Again Ctrl-C stops at once",
        _ => "Stopping; nothing is kept, because --no-checkpoints was given. Again Ctrl-C stops at once",
    }
}
