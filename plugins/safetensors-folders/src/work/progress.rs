//! Weights done, of all of a unit.

use llmq_plugin_api::sdk::{Context, Unit};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts weights and tells the host.
pub struct Progress<'a, 'c> {
    cx: &'a Context<'c>,
    done: AtomicU64,
    total: u64,
}

impl<'a, 'c> Progress<'a, 'c> {
    /// Nothing done yet of all weights of a unit.
    pub fn of(cx: &'a Context<'c>, unit: &Unit) -> Progress<'a, 'c> {
        let total = unit.tensors.iter().map(|tensor| (tensor.rows() * tensor.columns()) as u64).sum();
        Progress { cx, done: AtomicU64::new(0), total }
    }

    /// Some more are done.
    pub fn add(&self, weights: usize) {
        let weights = weights as u64;
        self.cx.progress(self.done.fetch_add(weights, Ordering::Relaxed) + weights, self.total);
    }
}
