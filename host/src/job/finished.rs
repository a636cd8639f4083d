//! A run that was killed between giving the final name and removing its checkpoint: there is nothing left to do but to
//! make sure of it.

use super::Job;
use super::journal::Journal;
use super::partial::Partial;
use super::resume;
use super::run::{Outcome, Progress};
use super::stop::Stop;
use crate::event::Event;
use std::collections::BTreeSet;

impl Job<'_> {
    /// The outcome of an earlier run of this job, if its output is there under the final name, whole and unchanged.
    /// Every byte is compared: literals with the plan, units with the journal.
    pub(super) fn finished_before(&self, progress: &Progress) -> Result<Option<Outcome>, Stop> {
        let plan = self.session.plan();
        let Some(folder) = progress.folder.as_ref().filter(|_| progress.keep) else { return Ok(None) };
        if self.target.is_growing(plan) {
            return Ok(None);
        }
        let Some(output) = Partial::open_finished(&self.target, plan) else { return Ok(None) };
        if !output.holds_known(&self.session)? {
            return Ok(None);
        }
        let (_, lines) = Journal::open(&folder.journal()).map_err(Stop::resumable)?;
        let done = resume::holding_units(lines, self.model(), &output, self.services.pool())?;
        let total = plan.slots.iter().map(|slot| slot.unit).collect::<BTreeSet<_>>().len();
        if done.len() != total {
            return Ok(None);
        }
        // What was folded into the output must be known to compare it with the source.
        let folding = self.folding(progress)?;
        if folding.as_ref().is_some_and(|folding| !done.keys().all(|unit| folding.take_up(*unit))) {
            return Ok(None);
        }
        self.services.tell(Event::Step("An earlier run of this job had finished".into()));
        self.accept(&done)?;
        let validated = self.validate(&output, &done, folding.as_ref())?;
        Ok(Some(Outcome { done, resumed: total, total, validated }))
    }
}
