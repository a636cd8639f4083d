//! The growing output through the backend's own reader: opened and mapped once, read tensor by tensor as they come.

use crate::failure::{Class, Failure};
use crate::job::partial::Partial;
use crate::job::services::JobServices;
use crate::job::stop::{Stop, storage};
use crate::job::written::{pairs, written};
use crate::model::map_file;
use llmq_plugin_api::client::{Backend, Reader};
use llmq_plugin_api::sdk::{self, MappedFile};
use llmq_plugin_api::wire::{ModelDescription, Plan};
use memmap2::Mmap;
use std::collections::BTreeMap;

/// Files that are there at full length, literals and all, with slots that fill up unit by unit.
pub struct ReadBack {
    files: Vec<(String, Mmap)>,
    reader: Reader,
    /// Number for the reader, by source tensor.
    places: BTreeMap<usize, usize>,
}

impl ReadBack {
    /// Opens an output whose literals were written. Readers look at headers alone, so empty slots do not disturb them.
    pub fn open(
        backend: &Backend,
        services: &JobServices<'_>,
        plan: &Plan,
        partial: &Partial<'_>,
        model: &ModelDescription,
    ) -> Result<ReadBack, Stop> {
        let mut files = Vec::with_capacity(partial.files().len());
        for ((path, file), planned) in partial.files().iter().zip(&plan.files) {
            // Shared with the writes of this process: what is written into the file is seen here at once.
            files.push((planned.name.clone(), map_file(file).map_err(|error| storage("map", path, &error))?));
        }
        let reader = backend.open(services, &views(&files)).map_err(|error| unreadable("", error))?;
        let places = pairs(plan, model, &written(reader.summary(), false))?.into_iter().collect();
        Ok(ReadBack { files, reader, places })
    }

    /// Whether a source tensor has a place in the output.
    pub fn holds(&self, tensor: usize) -> bool {
        self.places.contains_key(&tensor)
    }

    /// Rows of a source tensor as the output holds them.
    pub fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        let Some(place) = self.places.get(&tensor) else {
            return Err(Failure::new(Class::General, format!("the output does not hold tensor {tensor}")));
        };
        let decoded = self.reader.decode_rows(&views(&self.files), *place, first_row, out);
        decoded.map_err(|error| unreadable(&format!(", row {first_row} of tensor {tensor}"), error))
    }
}

/// Made anew for every call, so that no view is held while slots are written.
fn views(files: &[(String, Mmap)]) -> Vec<MappedFile<'_>> {
    files.iter().map(|(name, map)| MappedFile { name, data: map, length: map.len() as u64 }).collect()
}

fn unreadable(place: &str, error: sdk::Error) -> Failure {
    if error.kind == sdk::Kind::Cancelled {
        return Failure::from(error);
    }
    let message = format!("the growing output{place} cannot be read by the plugin's own reader: {}", error.message);
    Failure::new(Class::General, message)
        .suggest("Use --later-layers-see original, which reads nothing back, and please report this.")
}
