//! The memory budget that backends draw on.

use llmq_plugin_api::sdk::{Error, Kind};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Grants by token. A grant that does not fit is refused at once: waiting for another grant's end could wait for ever,
/// because the holder may be waiting as well.
pub struct Budget {
    limit: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    used: u64,
    grants: BTreeMap<u64, u64>,
}

impl Budget {
    /// A budget of `limit` bytes; absent = whatever is asked for.
    pub fn new(limit: Option<u64>) -> Budget {
        Budget { limit, state: Mutex::default() }
    }

    /// Grants `bytes` and returns the token to give back.
    pub fn reserve(&self, bytes: u64) -> Result<u64, Error> {
        let mut state = self.lock();
        let used = state.used.saturating_add(bytes);
        if let Some(limit) = self.limit.filter(|limit| used > *limit) {
            let message = format!(
                "{bytes} bytes of working memory were asked for while {} of the limit of {limit} are in use",
                state.used
            );
            return Err(Error::new(Kind::OutOfMemory, message).hint("Raise --memory-limit or use fewer --threads."));
        }
        state.used = used;
        state.next += 1;
        let token = state.next;
        state.grants.insert(token, bytes);
        Ok(token)
    }

    /// Takes a grant back. An unknown token changes nothing.
    pub fn release(&self, token: u64) {
        let mut state = self.lock();
        if let Some(bytes) = state.grants.remove(&token) {
            state.used -= bytes;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_add_up_and_come_back() {
        let budget = Budget::new(Some(100));
        let first = budget.reserve(60).unwrap();
        let refused = budget.reserve(41).unwrap_err();
        assert_eq!(refused.kind, Kind::OutOfMemory);
        assert!(refused.message.contains("60 of the limit of 100"), "{}", refused.message);
        budget.release(first);
        budget.release(first);
        budget.release(77);
        assert!(budget.reserve(100).is_ok());
        assert!(budget.reserve(u64::MAX).is_err());
    }
}
