//! Statistics: any bytes give a unit whose entries can be read or are refused, and a document or an error.
#![no_main]

use llmq_calibration::{Manifest, UnitFile};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::parse(bytes);
    if let Ok(mut unit) = UnitFile::open(std::io::Cursor::new(bytes)) {
        for entry in 0..unit.head().entries.len() {
            let _ = unit.read(entry);
            let _ = unit.read_sums(entry);
        }
    }
});
