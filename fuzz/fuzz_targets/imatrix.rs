//! Importance matrices: any bytes give a file whose values can be read, or an error.
#![no_main]

use llmq_gguf::imatrix::{ImatrixFile, recognize};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = recognize(bytes, u64::MAX);
    if let Ok(file) = ImatrixFile::parse(bytes) {
        for (index, entry) in file.summary.entries.iter().enumerate() {
            let mut values = vec![0.0; entry.values as usize];
            assert!(file.values(bytes, index, &mut values).is_some());
        }
    }
});
