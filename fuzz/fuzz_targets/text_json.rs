//! JSON lists of documents: any bytes give documents or an error.
#![no_main]

use llmq_text::{Form, Limits, TextFile, TextOptions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits =
        Limits { document_bytes: 1 << 20, json_bytes: 1 << 20, parquet_footer_bytes: 1 << 20, parquet_page_bytes: 1 << 20, tokens: 1 << 20 };
    let options = TextOptions { form: Some(Form::Json), limits, ..TextOptions::default() };
    if let Ok(file) = TextFile::from_bytes("fuzzed", bytes, &options) {
        let _ = file.preview(1000);
    }
});
