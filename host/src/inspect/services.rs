//! The little that a backend needs from the host to parse a file: one thread, a log, no budget.

use llmq_plugin_api::client::Services;
use llmq_plugin_api::sdk;

/// Services for reading headers.
pub struct ReadingServices;

impl Services for ReadingServices {
    fn log(&self, level: u32, message: &str) {
        match level {
            0..=2 => tracing::warn!("{message}"),
            3 => tracing::info!("{message}"),
            _ => tracing::debug!("{message}"),
        }
    }
    fn progress(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
    fn threads(&self) -> u32 {
        1
    }
    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        (0..count).for_each(job);
    }
    fn reserve(&self, _: u64) -> Result<u64, sdk::Error> {
        Ok(0)
    }
    fn release(&self, _: u64) {}
    fn device(&self) -> String {
        "cpu".into()
    }
}
