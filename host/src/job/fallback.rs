//! What was done in a simpler way than the level promises, and whether that stops the job.

use super::Job;
use super::done::Done;
use super::stop::Stop;
use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::UnitReport;
use std::collections::BTreeMap;

/// What happens when something is done in a simpler way than its level promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFallback {
    /// It is named in the warnings and in the summary.
    #[default]
    Warn,
    /// The job stops at the first one; what is finished is kept.
    Fail,
}

/// Refuses a unit with fallbacks where that was asked for. It is not journalled then, so a run that allows them does it.
pub fn accept(on_fallback: OnFallback, id: &str, report: &UnitReport) -> Result<(), Stop> {
    let (OnFallback::Fail, Some(first)) = (on_fallback, report.fallbacks.first()) else { return Ok(()) };
    let message = match report.fallbacks.len() {
        1 => format!("{id}: {} would get less than the level promises: {}", first.name, first.reason),
        count => format!(
            "{id}: {count} modules would get less than the level promises, the first is {}: {}",
            first.name, first.reason
        ),
    };
    let hint = "Calibrate with more text or other text, or accept it with --on-fallback warn.";
    Err(Stop::resumable(Failure::new(Class::ValidationFailed, message).suggest(hint)))
}

impl Job<'_> {
    /// Refuses what an earlier run allowed and this one does not.
    pub(super) fn accept(&self, done: &BTreeMap<u32, Done>) -> Result<(), Stop> {
        let units = &self.model().units;
        done.iter().try_for_each(|(unit, done)| accept(self.spec.on_fallback, &units[*unit as usize].id, &done.report))
    }
}
