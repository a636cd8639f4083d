//! Parquet: any bytes give documents or an error, within the caps.
#![no_main]

use llmq_text::{Form, Limits, TextFile, TextOptions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Parquet's own reader has panics that become errors (`read/parquet.rs`); the fuzzer would stop at each of them.
    std::panic::set_hook(Box::new(|_| {}));
    let limits =
        Limits { document_bytes: 1 << 20, json_bytes: 1 << 20, parquet_footer_bytes: 1 << 20, parquet_page_bytes: 1 << 20, tokens: 1 << 20 };
    let options = TextOptions { form: Some(Form::Parquet), limits, ..TextOptions::default() };
    if let Ok(file) = TextFile::from_bytes("fuzzed", bytes, &options) {
        let _ = file.preview(1000);
    }
});
