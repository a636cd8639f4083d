//! Ctrl-C and SIGTERM: the first asks the job to stop where it can go on later, the second ends the process at once.

use super::Screen;
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};
use std::sync::Arc;

/// Watches for the signals until the process ends. Called once, by the command that can be resumed.
pub fn watch(cancel: &Cancel, screen: &Arc<Screen>, resumable: bool) -> Result<(), Failure> {
    let (cancel, screen) = (cancel.clone(), Arc::clone(screen));
    let handler = move || {
        if cancel.request() {
            screen.show(None);
            std::process::exit(i32::from(Class::Interrupted.exit_code()));
        }
        screen.step(match resumable {
            true => {
                "Stopping after the work in hand; the same command with --resume goes on from there. \
                     Again Ctrl-C stops at once"
            }
            false => "Stopping; nothing is kept, because --no-checkpoints was given. Again Ctrl-C stops at once",
        });
    };
    ctrlc::set_handler(handler).map_err(|e| Failure::new(Class::General, format!("Ctrl-C cannot be watched: {e}")))
}
