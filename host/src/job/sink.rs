//! Where a backend's bytes arrive: checked against the plan, then written at their final place.

use super::coverage::Coverage;
use super::done::Fed;
use super::flush::Told;
use super::partial::Partial;
use super::stop::Stop;
use super::storage::Storage;
use super::unflushed::Unflushed;
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::Destination;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{ModelDescription, Plan};
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, OnceLock};

/// Where the sinks of all units tell that a flush is due.
#[derive(Clone, Copy)]
pub struct Flushing<'a> {
    /// Bytes of all units.
    pub unflushed: &'a Unflushed,
    /// The flushing thread.
    pub told: &'a SyncSender<Told>,
}

/// The sink of one unit.
pub struct UnitSink<'a> {
    unit: u32,
    plan: &'a Plan,
    model: &'a ModelDescription,
    partial: &'a Partial<'a>,
    storage: &'a dyn Storage,
    flushing: Flushing<'a>,
    written: BTreeMap<u32, Mutex<Coverage>>,
    fed: Mutex<BTreeMap<u32, Fed>>,
    /// The first fault. Kept here because a backend may swallow the error that it gets.
    fault: OnceLock<Stop>,
}

impl<'a> UnitSink<'a> {
    /// A sink for the slots of `unit`.
    pub fn new(
        unit: u32,
        plan: &'a Plan,
        model: &'a ModelDescription,
        partial: &'a Partial<'a>,
        storage: &'a dyn Storage,
        flushing: Flushing<'a>,
    ) -> UnitSink<'a> {
        let slots = (0u32..).zip(&plan.slots).filter(|(_, slot)| slot.unit == unit);
        let written = slots.map(|(index, _)| (index, Mutex::default())).collect();
        UnitSink {
            unit,
            plan,
            model,
            partial,
            storage,
            flushing,
            written,
            fed: Mutex::default(),
            fault: OnceLock::new(),
        }
    }

    /// What was handed back; or the first fault, or the first byte that was not written.
    pub fn finish(self) -> Result<BTreeMap<u32, Fed>, Stop> {
        if let Some(fault) = self.fault.into_inner() {
            return Err(fault);
        }
        for (index, coverage) in self.written {
            let slot = &self.plan.slots[index as usize];
            let coverage = coverage.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Some(gap) = coverage.first_gap(slot.bytes) {
                let message = format!(
                    "the plugin left slot `{}` unfinished: byte {gap} of {} was never written",
                    slot.name, slot.bytes
                );
                return Err(defect(message).into());
            }
        }
        Ok(self.fed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Remembers a fault and makes the error that the backend gets.
    fn refuse(&self, stop: Stop, kind: Kind) -> Error {
        let error = Error::new(kind, stop.failure.message.clone());
        let _ = self.fault.set(stop);
        error
    }
}

fn defect(message: String) -> Failure {
    Failure::new(Class::General, message).suggest("This is a defect of the plugin; please report it to its author.")
}

impl Destination for UnitSink<'_> {
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let misuse = |message: String| self.refuse(defect(message).into(), Kind::Other);
        let Some(planned) = self.plan.slots.get(slot as usize) else {
            return Err(misuse(format!("the plugin wrote to slot {slot}; the plan has {}", self.plan.slots.len())));
        };
        let Some(written) = self.written.get(&slot) else {
            let id = self.model.units.get(self.unit as usize).map_or("?", |u| u.id.as_str());
            let message = format!("the plugin wrote to slot `{}`, which is not part of unit `{id}`", planned.name);
            return Err(misuse(message));
        };
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= planned.bytes);
        let Some(end) = end else {
            let message = format!(
                "the plugin wrote {} bytes at byte {offset} of slot `{}`, which has {} bytes",
                data.len(),
                planned.name,
                planned.bytes
            );
            return Err(misuse(message));
        };
        let added = written.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add(offset, end);
        if let Err(byte) = added {
            return Err(misuse(format!("the plugin wrote byte {byte} of slot `{}` twice", planned.name)));
        }
        self.partial
            .write(planned.file, planned.offset + offset, data, self.storage)
            .map_err(|stop| self.refuse(stop, Kind::Io))?;
        if self.flushing.unflushed.add(data.len() as u64) {
            // A thread that is still busy with the last flush needs no second call: it comes back after the next stretch.
            let _ = self.flushing.told.try_send(Told::Due);
        }
        Ok(())
    }

    /// No later layer depends on it here, so the numbers are summed up for the comparison at the end and let go.
    fn feedback(&self, tensor: u32, first_row: u64, rows: &[f32]) -> Result<(), Error> {
        let columns = self.model.tensors.get(tensor as usize).and_then(|t| {
            let (columns, length) = (t.columns(), rows.len() as u64);
            let count = length.checked_div(columns).unwrap_or(0);
            let fits = length == count * columns && first_row.checked_add(count).is_some_and(|end| end <= t.rows());
            fits.then_some(columns as usize)
        });
        if let Some(columns) = columns {
            let mut fed = Fed::default();
            fed.add(first_row, rows, columns);
            let mut all = self.fed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            all.entry(tensor).or_default().join(fed);
            return Ok(());
        }
        let message = format!(
            "the plugin handed back {} weights from row {first_row} of tensor {tensor}, which has no such rows",
            rows.len()
        );
        Err(self.refuse(defect(message).into(), Kind::Other))
    }
}
