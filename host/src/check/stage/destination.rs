//! Output in memory that remembers how often every byte was written, and every weight that was fed back.

use super::super::specimen::Specimen;
use llmq_plugin_api::client;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::Plan;
use std::sync::{Mutex, MutexGuard};

/// Contents of one slot.
pub struct SlotBytes {
    /// What was written; zero where nothing was.
    pub bytes: Vec<u8>,
    /// How often each byte was written.
    pub times: Vec<u8>,
}

/// Takes the results of one unit after the other.
pub struct Destination {
    slots: Vec<Mutex<SlotBytes>>,
    /// Per tensor: row length, and the rows fed back.
    feedback: Vec<Mutex<Vec<Option<f32>>>>,
    columns: Vec<u64>,
    units: Vec<u32>,
    current: Mutex<(u32, Vec<String>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Destination {
    /// Room for every slot of a plan that was checked.
    pub fn new(plan: &Plan, specimen: &Specimen) -> Destination {
        let slot = |bytes: u64| SlotBytes { bytes: vec![0; bytes as usize], times: vec![0; bytes as usize] };
        Destination {
            slots: plan.slots.iter().map(|s| Mutex::new(slot(s.bytes))).collect(),
            feedback: specimen.values.iter().map(|v| Mutex::new(vec![None; v.len()])).collect(),
            columns: specimen.description.tensors.iter().map(|t| t.columns()).collect(),
            units: plan.slots.iter().map(|s| s.unit).collect(),
            current: Mutex::new((0, Vec::new())),
        }
    }

    /// Says which unit is at work.
    pub fn begin(&self, unit: u32) {
        lock(&self.current).0 = unit;
    }

    /// Slots, weights fed back, and what was done wrong.
    pub fn finish(self) -> (Vec<SlotBytes>, Vec<Vec<Option<f32>>>, Vec<String>) {
        let slots = self.slots.into_iter().map(|s| s.into_inner().unwrap_or_else(|p| p.into_inner())).collect();
        let fed = self.feedback.into_iter().map(|f| f.into_inner().unwrap_or_else(|p| p.into_inner())).collect();
        (slots, fed, self.current.into_inner().unwrap_or_else(|p| p.into_inner()).1)
    }

    fn refuse<T>(&self, message: String) -> Result<T, Error> {
        lock(&self.current).1.push(message.clone());
        Err(Error::new(Kind::Io, message))
    }
}

impl client::Destination for Destination {
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let Some(place) = self.slots.get(slot as usize) else {
            return self.refuse(format!("slot {slot} was written, the plan has {}", self.slots.len()));
        };
        let (unit, owner) = (lock(&self.current).0, self.units[slot as usize]);
        if unit != owner {
            return self.refuse(format!("slot {slot} belongs to unit {owner} and was written during unit {unit}"));
        }
        let mut place = lock(place);
        let length = place.bytes.len();
        let end = usize::try_from(offset).ok().and_then(|o| o.checked_add(data.len())).filter(|end| *end <= length);
        let Some(end) = end else {
            drop(place);
            return self.refuse(format!("{} bytes were written at {offset} of slot {slot} of {length}", data.len()));
        };
        let start = offset as usize;
        place.bytes[start..end].copy_from_slice(data);
        place.times[start..end].iter_mut().for_each(|t| *t = t.saturating_add(1));
        Ok(())
    }

    fn feedback(&self, tensor: u32, first_row: u64, rows: &[f32]) -> Result<(), Error> {
        let Some(place) = self.feedback.get(tensor as usize) else {
            return self.refuse(format!("tensor {tensor} was fed back, the model has {}", self.feedback.len()));
        };
        let columns = self.columns[tensor as usize].max(1);
        let start = first_row.saturating_mul(columns) as usize;
        let mut place = lock(place);
        let length = place.len();
        let whole = (rows.len() as u64).is_multiple_of(columns);
        let Some(target) = place.get_mut(start..start.saturating_add(rows.len())).filter(|_| whole) else {
            drop(place);
            return self.refuse(format!("{} weights from row {first_row} were fed back to {length}", rows.len()));
        };
        target.iter_mut().zip(rows).for_each(|(t, w)| *t = Some(*w));
        Ok(())
    }
}
