//! Bytes that lie: an error, never a panic. A crash ends the child process, which the parent reports as a failure.

use super::super::report::Rule;
use super::super::specimen::Noise;
use super::super::stage::{Performance, Services};
use super::{Grade, Judge};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};

pub const TRUNCATED: Rule =
    Rule { id: "hostile.truncated", sentence: "a file that was cut off is refused or found faulty" };
pub const MUTATED: Rule =
    Rule { id: "hostile.mutated", sentence: "flipped bytes give errors or other numbers, no panic" };
pub const RANDOM: Rule =
    Rule { id: "hostile.random", sentence: "noise behind a correct beginning gives errors, no panic" };

/// Damaged copies per rule.
const TRIES: usize = 150;

/// Cap on a row that is decoded from damaged files: a lying shape is the reader's to report, not ours to allocate.
const MAX_COLUMNS: u64 = 1 << 20;

pub fn judge(judge: &mut Judge, backend: &Backend, case: &str, performed: &Performance) {
    let main = (0..performed.files.len()).max_by_key(|f| performed.files[*f].1.len()).unwrap_or(0);
    let length = performed.files.get(main).map_or(0, |(_, bytes)| bytes.len());
    judge.hold(TRUNCATED, case, || {
        let few = [0, 1, 3, 4, 7, 8, 16, 24, 100, length / 3, length * 2 / 3, length.saturating_sub(1)];
        for cut in few.into_iter().filter(|cut| *cut < length) {
            let noticed = tried(backend, performed, |index, bytes| {
                if index == main {
                    bytes.truncate(cut)
                }
            })?;
            if !noticed {
                let name = &performed.files[main].0;
                return Err(format!("`{name}` cut to {cut} of {length} bytes was opened and found valid"));
            }
        }
        Ok(Grade::Kept)
    });
    judge.hold(MUTATED, case, || {
        let mut noise = Noise::new(7);
        let mut noticed = 0;
        for attempt in 0..TRIES {
            // Headers are at the front: half of the damage goes there. Every file gets its share.
            let file = if attempt % 3 == 0 { noise.below(performed.files.len()) } else { main };
            let reach = if attempt % 2 == 0 { 4096 } else { usize::MAX };
            let damage: Vec<(usize, u8)> =
                (0..1 + attempt % 4).map(|_| (noise.bits() as usize, noise.bits() as u8)).collect();
            noticed += usize::from(tried(backend, performed, |index, bytes| {
                let range = bytes.len().min(reach);
                if index == file && range > 0 {
                    damage.iter().for_each(|(at, value)| bytes[at % range] = *value);
                }
            })?);
        }
        Ok(Grade::KeptWith(format!("{noticed} of {TRIES} noticed")))
    });
    judge.hold(RANDOM, case, || {
        let mut noise = Noise::new(8);
        for attempt in 0..TRIES {
            let (keep, size) = ([0, 4, 8, 16, 24, 64, 256][attempt % 7], noise.below(5000));
            tried(backend, performed, |index, bytes| {
                if index == main {
                    bytes.truncate(keep);
                    bytes.extend((0..size).map(|_| noise.bits() as u8));
                }
            })?;
        }
        Ok(Grade::Kept)
    });
}

/// Opens, validates and decodes a damaged copy. Whether the damage was noticed; a panic is an error.
fn tried(backend: &Backend, performed: &Performance, damage: impl FnMut(usize, &mut Vec<u8>)) -> Result<bool, String> {
    let mut files = performed.files.clone();
    let mut damage = damage;
    files.iter_mut().enumerate().for_each(|(index, (_, bytes))| damage(index, bytes));
    let mapped: Vec<MappedFile> =
        files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect();
    let sober = |error: Error| match error.kind {
        Kind::Panic => Err(format!("{} {}", error.message, error.backtrace)),
        _ => Ok(()),
    };
    let services = Services::new(1);
    backend.recognize(&mapped);
    let reader = match backend.open(&services, &mapped) {
        Ok(reader) => reader,
        Err(error) => return sober(error).map(|()| true),
    };
    let mut noticed = match reader.validate(&services, &mapped) {
        Ok(report) => !report.is_valid(),
        Err(error) => sober(error).map(|()| true)?,
    };
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let columns = tensor.shape.last().copied().unwrap_or(1);
        if columns == 0 || columns > MAX_COLUMNS {
            continue;
        }
        let rows = tensor.elements() / columns;
        for row in [0, rows.saturating_sub(1)] {
            let mut out = vec![0f32; columns as usize];
            if let Err(error) = reader.decode_rows(&mapped, index, row, &mut out) {
                sober(error)?;
                noticed = true;
            }
        }
    }
    for name in &reader.summary().sidecars {
        if let Err(error) = reader.sidecar(&mapped, name) {
            sober(error)?;
        }
    }
    Ok(noticed)
}
