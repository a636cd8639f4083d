//! Jobs in which later layers see quantized ones: calibrating and quantizing take turns, layer by layer or stage by stage.
//!
//! | where | what |
//! |---|---|
//! | `read_back` | [`ReadBack`]: the growing output through the backend's own reader |
//! | `growing` | [`Growing`]: the model, as far as the output holds it, from there |
//! | `measured` | [`Propagated`]: the statistics of a layer when it is its turn |
//! | `check` | what such a job needs of a backend |
//!
//! Nothing is kept for a resume but what is kept anyway: hidden states follow from the text and the output's finished
//! units, which decode to the very weights that went into them before. So a job that was killed runs its finished layers
//! once more, and its bytes are those of one that was not. The price is that pass, and a second one per layer and stage: a
//! layer is run once to see what arrives at its linear layers, and once more with what became of them.

mod check;
mod growing;
mod measured;
mod read_back;

pub use check::check;
pub use growing::Growing;
pub use measured::{Propagated, Turns};
pub use read_back::ReadBack;

use super::Job;
use super::partial::Partial;
use super::stop::Stop;
use super::tensors_of;
use super::validate::is_plain;
use crate::pass::Room;

impl Job<'_> {
    /// The model on its way, where later layers see quantized ones; `done` units are in the output already.
    pub(super) fn growing(
        &self,
        partial: &Partial<'_>,
        done: impl Iterator<Item = u32>,
    ) -> Result<Option<Growing<'_>>, Stop> {
        let Some(prepared) = self.calibration.as_ref().filter(|_| self.propagates()) else { return Ok(None) };
        let (model, plan) = (self.model(), self.session.plan());
        let output = ReadBack::open(self.backend, &self.services, plan, partial, model)?;
        let growing = Growing::new(prepared.subject().weights(), output);
        done.for_each(|unit| growing.take(&tensors_of(model, unit)));
        Ok(Some(growing))
    }

    /// The statistics of such a job.
    pub(super) fn propagated<'a>(&'a self, growing: &'a Growing<'a>) -> Option<Propagated<'a>> {
        let (prepared, expected) = (self.calibration.as_ref()?, self.statistics.as_deref()?);
        let plan = self.session.plan();
        let mut used = vec![false; self.model().tensors.len()];
        let slots = plan.slots.iter().filter(|slot| !is_plain(&slot.encoding)).flat_map(|slot| &slot.sources);
        let needs = plan.units.iter().flat_map(|unit| &unit.statistics).map(|need| &need.tensor);
        slots.chain(needs).for_each(|tensor| used[*tensor as usize] = true);
        let turns = Turns { prepared, expected, growing, services: &self.services };
        Some(Propagated::new(turns, used, self.room()))
    }

    /// Half of what the job leaves of memory, for hidden states; the other half is for a layer's own numbers while it runs.
    fn room(&self) -> Room {
        let needs = self.preflight().needs();
        let limits = [needs.memory_limit, needs.memory_available];
        let most = limits.into_iter().flatten().min().map(|most| most.saturating_sub(needs.memory_needed));
        Room::new(Some(most.unwrap_or(4 << 30)), 1)
    }
}
