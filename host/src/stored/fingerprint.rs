//! Identity of files in a backend's format, sampled as a folder's is: ends of files, 4 KiB of every tensor.

use super::Reading;
use crate::model::Fingerprint;
use xxhash_rust::xxh3::Xxh3;

/// Bytes taken from both ends of every file.
const END: usize = 1 << 20;
/// Bytes taken at each place between.
const SAMPLE: usize = 4096;
/// Places in a file whose tensors' places are not known.
const PLACES: usize = 512;

pub(super) fn fingerprint(reading: &Reading) -> Fingerprint {
    let mut content = Xxh3::new();
    let mut times = Xxh3::new();
    let summary = reading.reader.summary();
    field(&mut content, b"llmq-stored-1");
    field(&mut content, summary.format.as_bytes());
    for (number, file) in reading.files.iter().enumerate() {
        let bytes = file.bytes();
        field(&mut content, file.name().as_bytes());
        content.update(&(bytes.len() as u64).to_le_bytes());
        let placed = summary.stored.iter().flat_map(|view| &view.tensors).filter(|t| t.file as usize == number);
        let middles: Vec<usize> = placed.clone().map(|tensor| (tensor.offset + tensor.bytes / 2) as usize).collect();
        // Everything in front of the first tensor is metadata, and all of it counts.
        let head = placed.map(|tensor| tensor.offset as usize).min().unwrap_or(0).saturating_add(END);
        field(&mut content, &bytes[..head.min(bytes.len())]);
        field(&mut content, &bytes[bytes.len().saturating_sub(END)..]);
        let step = (bytes.len() / PLACES).max(SAMPLE);
        let places = if middles.is_empty() { (0..bytes.len()).step_by(step).collect() } else { middles };
        for place in places {
            let start = place.min(bytes.len());
            field(&mut content, &bytes[start..bytes.len().min(start + SAMPLE)]);
        }
        times.update(&file.modified_nanos().to_le_bytes());
    }
    Fingerprint { content: format!("{:032x}", content.digest128()), times: format!("{:032x}", times.digest128()) }
}

/// Length first, so that no two sequences of fields run together to the same bytes.
fn field(hash: &mut Xxh3, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
