//! The host's threads as the rounding borrows them.

use llmq_linear_grids::Workers;
use llmq_plugin_api::sdk::{Context, Error};
use std::sync::Mutex;

/// Threads of one call. Remembers why a loop was stopped.
pub struct Threads<'a, 'c> {
    cx: &'a Context<'c>,
    reason: Mutex<Option<Error>>,
}

impl<'a, 'c> Threads<'a, 'c> {
    /// The threads of a context.
    pub fn new(cx: &'a Context<'c>) -> Threads<'a, 'c> {
        Threads { cx, reason: Mutex::new(None) }
    }

    /// Why a loop was stopped.
    pub fn reason(self) -> Error {
        self.reason.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).unwrap_or_else(Error::cancelled)
    }
}

impl Workers for Threads<'_, '_> {
    fn each(&self, count: usize, body: &(dyn Fn(usize) + Sync)) -> bool {
        let run = self.cx.parallel_for(count, |index| {
            body(index);
            Ok(())
        });
        match run {
            Ok(()) => true,
            Err(error) => {
                self.reason.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error);
                false
            }
        }
    }
}
